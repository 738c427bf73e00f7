/**
 * Flipped bits: of every golden file, one document of each kind and form, one bit of one byte at a time. `gust inspect
 * --check` and --verify must find each of them: in this process, and for some by the program itself.
 */
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { checkDocument } from "../../core/format/check.ts";
import { FORMAT } from "../../core/format/document.ts";
import { GustError } from "../../core/errors.ts";
import { openFile } from "../../core/format/read.ts";
import { damage } from "../../core/format/verify.ts";
import { openNative } from "../../ffi/native.ts";
import { goldenFolder } from "../../fixtures/golden.ts";
import { freshDir, gust } from "../helpers.ts";
import type { Trial } from "./trial.ts";

/** Golden files whose every bit is vouched for: those of gusts that sealed their headers. */
export const sealedFiles = (): string[] =>
  readdirSync(goldenFolder(FORMAT)).filter((name) => !name.endsWith(".json") && name !== "unsealed");

/** A copy of a file one of whose bits is flipped. */
export class Flipping {
  readonly bytes: Uint8Array;
  readonly path: string;
  private readonly fd: number;

  constructor(from: string) {
    this.bytes = readFileSync(from);
    this.path = join(freshDir(), "flipped");
    writeFileSync(this.path, this.bytes);
    this.fd = openSync(this.path, "r+");
  }

  /** Call `body` while bit `bit` (8 to a byte) of the copy is flipped. */
  during<T>(bit: number, body: (path: string) => T): T {
    const at = bit >> 3, right = this.bytes[at]!;
    writeSync(this.fd, Uint8Array.of(right ^ (1 << (bit & 7))), 0, 1, at);
    try {
      return body(this.path);
    } finally {
      writeSync(this.fd, Uint8Array.of(right), 0, 1, at);
    }
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** Whether opening a file, --verify and --check find that it is damaged. @throws what no damage should cause. */
export function isFound(path: string): boolean {
  let doc;
  try {
    doc = openFile(path);
  } catch (error) {
    if (error instanceof GustError && error.code === "data") return true;
    throw error;
  }
  try {
    return damage(doc).length > 0 && checkDocument(doc).length > 0;
  } finally {
    doc.close();
  }
}

/** What the program says of a flipped bit, if that is not what it should. */
function missedByProgram(path: string): string[] {
  return ([["--check", 3], ["--verify", 1]] as const).flatMap(([flag, wanted]) => {
    const { status, stderr } = gust(["inspect", flag, path]);
    return status === wanted
      ? []
      : [`gust inspect ${flag}: exit status ${status}, expected ${wanted}: ${stderr}`];
  });
}

/** Of all flips, how many are shown to the program itself. */
const PROGRAM_EVERY = 2000;

export const flips: Trial = {
  name: "flips",
  summary: "a bit flipped anywhere in a document is found by inspect --check and by --verify",
  weight: 1,
  async run(seconds, seed) {
    await openNative();
    const end = performance.now() + 1000 * seconds;
    const files = sealedFiles().map((name) => ({
      name,
      flipping: new Flipping(join(goldenFolder(FORMAT), name)),
    }));
    const bits = files.map(({ flipping }) => flipping.bytes.length * 8);
    const all = bits.reduce((a, b) => a + b, 0);
    const failures: string[] = [];
    let flipped = 0, found = 0, byProgram = 0;
    // A stride that shares no factor with the number of bits comes to all of them, far from one another.
    const gcd = (a: number, b: number): number => b === 0 ? a : gcd(b, a % b);
    let stride = Math.floor(all * 0.618);
    while (gcd(stride, all) !== 1) stride++;
    for (
      let i = 0, place = seed % all;
      i < all && performance.now() < end;
      i++, place = (place + stride) % all
    ) {
      let bit = place, f = 0;
      while (bit >= bits[f]!) bit -= bits[f++]!;
      const { name, flipping } = files[f]!;
      const missed = flipping.during(bit, (path) => {
        try {
          if (!isFound(path)) return ["not found"];
        } catch (error) {
          return [(error as Error).message];
        }
        if (i % PROGRAM_EVERY > 0) return [];
        byProgram++;
        return missedByProgram(path);
      });
      flipped++;
      if (missed.length === 0) found++;
      else {failures.push(
          `bit ${bit & 7} of byte ${bit >> 3} of fixtures/golden/${FORMAT}/${name}: ${missed.join("; ")}`,
        );}
    }
    files.forEach(({ flipping }) => flipping.close());
    return {
      figures: {
        "bits flipped": flipped,
        "found": found,
        "shown to the program": byProgram,
        "bits in all": all,
        documents: files.length,
      },
      failures,
    };
  },
};
