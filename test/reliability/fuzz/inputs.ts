/**
 * Targets under mutated inputs, one after another in this process: `bun inputs.ts TARGET,.. SECONDS SEED FOLDER SCRATCH`,
 * where each gets SECONDS. Lines of JSON on standard output say how far it is; the input at hand lies in SCRATCH/at, so
 * that whoever waits sees what it died or hangs of; what broke something is kept in FOLDER. `bun inputs.ts --list FOLDER` names the targets.
 */
import fc from "fast-check";
import { mkdirSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setThreads } from "../../../ffi/engine.ts";
import { memoryUse, openNative } from "../../../ffi/native.ts";
import { type Edit, edits, mutate } from "./mutate.ts";
import { place } from "./seeds.ts";
import { Broken, isRefusal, type Target, targets } from "./targets.ts";

/** An input that takes longer, twice, is a failure. */
const MOST_MS = 1000;
/** Memory that an input may take: so many times its bytes, and this. */
const TIMES = 10, BYTES = 64 * 2 ** 20;

/** Runs between two rests, in which what nobody needs any more is freed. */
const BATCH = 200;

const say = (line: object) => writeSync(1, JSON.stringify(line) + "\n");

interface Drawn {
  readonly seed: number;
  readonly file: number;
  readonly other: number;
  readonly choice: number;
  readonly changes: readonly Edit[];
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  seed: fc.nat(2 ** 16),
  file: fc.nat(2 ** 16),
  other: fc.nat(2 ** 16),
  choice: fc.nat(2 ** 16),
  changes: edits,
});

/** The files of the seed with changes in one of them. */
function inputOf({ seeds }: Target, d: Drawn): Record<string, Uint8Array> {
  const { files } = seeds[d.seed % seeds.length]!;
  const names = Object.keys(files), name = names[d.file % names.length]!;
  const others = Object.values(seeds[d.other % seeds.length]!.files);
  return { ...files, [name]: mutate(files[name]!, d.changes, others[d.other % others.length]!) };
}

/** Where an error comes from: failures of one place count once. */
function signature(error: Error): string {
  const frame = error.stack?.split("\n").find((line) => /\/(core|ffi|cmd)\//.test(line))?.trim() ?? "";
  return `${error.name}: ${error.message.replaceAll(/"[^"]*"|\d+/g, "_").slice(0, 80)} ${
    frame.replace(/:\d+\)?$/, "")
  }`;
}

class Run {
  tried = 0;
  read = 0;
  private said = performance.now();
  readonly known = new Set<string>();
  constructor(readonly target: Target, readonly scratch: string) {}

  /** @throws {Error} if the input broke something that is not known yet. */
  one(d: Drawn): void {
    const files = inputOf(this.target, d);
    const at = join(this.scratch, "at");
    rmSync(at, { recursive: true, force: true });
    const path = place(at, files);
    this.tried++;
    if (performance.now() - this.said > 2000) {
      say({ tried: this.tried, read: this.read });
      this.said = performance.now();
    }
    const before = memoryUse(), began = performance.now();
    try {
      this.target.run(path, files, d.choice);
      this.read++;
    } catch (error) {
      if (!isRefusal(error, path)) this.broken(error as Error);
    }
    if (performance.now() - began > MOST_MS && this.time(path, files, d.choice) > MOST_MS) {
      this.broken(new Broken(`an input that takes more than ${MOST_MS} ms`));
    }
    const size = Object.values(files).reduce((sum, { length }) => sum + length, 0);
    const { heldPeak } = memoryUse(), bound = TIMES * size + BYTES;
    if (heldPeak > Math.max(before.heldPeak, before.held + bound)) {
      this.broken(
        new Broken(`an input of ${size} bytes that takes ${heldPeak - before.held} bytes of memory`),
      );
    }
  }

  private time(path: string, files: Record<string, Uint8Array>, choice: number): number {
    const began = performance.now();
    try {
      this.target.run(path, files, choice);
    } catch {
      // Said above.
    }
    return performance.now() - began;
  }

  private broken(error: Error): void {
    if (!this.known.has(signature(error))) throw error;
  }
}

async function runTarget(
  target: Target,
  seconds: number,
  seed: number,
  folder: string,
  scratch: string,
): Promise<void> {
  say({ target: target.name, tried: 0, read: 0 });
  if (target.seeds.length === 0) return void say({ failure: "no fixture of this format to begin with" });
  const run = new Run(target, scratch), end = performance.now() + seconds * 1000;
  for (let batch = 0; performance.now() < end && run.known.size < 8; batch++) {
    const details = fc.check(fc.property(drawn, (d) => run.one(d)), {
      numRuns: BATCH,
      seed: seed * 1_000_003 + batch,
      interruptAfterTimeLimit: Math.max(1, end - performance.now() + 5000),
      endOnFailure: false,
    });
    if (details.failed && details.counterexample) {
      const error = details.errorInstance as Error;
      run.known.add(signature(error));
      const files = inputOf(target, details.counterexample[0]);
      const kept = place(join(folder, target.name.replace(" ", "_") + run.known.size), files);
      say({
        failure: `${error.name}: ${error.message}`,
        kept,
        choice: details.counterexample[0].choice,
        stack: error.stack,
      });
    }
    say({ tried: run.tried, read: run.read });
    Bun.gc(false);
    await new Promise((resolve) => setTimeout(resolve));
  }
}

await openNative();
setThreads(1);
const [names, seconds, seed, folder, scratch] = process.argv.slice(2);
if (names === "--list") { for (const { name } of targets(seconds!)) console.log(name); }
else {
  mkdirSync(folder!, { recursive: true });
  const wanted = names!.split(",");
  for (const target of targets(scratch!)) {
    if (wanted.includes(target.name)) {
      await runTarget(target, Number(seconds), Number(seed), folder!, scratch!);
    }
  }
}
