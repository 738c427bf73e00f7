/**
 * A bit flipped anywhere is found: here in every third byte of each kind's header and every byte of its data,
 * `make reliability SECONDS=900 ONLY=flips` tries every bit of every golden file.
 */
import { expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { FORMAT } from "../../../core/format/document.ts";
import { openNative } from "../../../ffi/native.ts";
import { goldenFolder } from "../../../fixtures/golden.ts";
import type { GoldenContents } from "../../../fixtures/golden_contents.ts";
import { Flipping, isFound, sealedFiles } from "../../reliability/flips.ts";

await openNative();

const folder = goldenFolder(FORMAT);
const contents: Record<string, GoldenContents> = JSON.parse(
  readFileSync(join(folder, "contents.json"), "utf8"),
);
const sizeOf = (name: string) => statSync(join(folder, name)).size;
/** The smallest golden file of each kind, and of each layout of caches. */
const names = Object.values(Object.fromEntries(
  sealedFiles().sort((a, b) => sizeOf(b) - sizeOf(a)).map((name) => {
    const { kind, meta } = contents[name]!;
    return [`${kind} ${meta["layout"] ?? ""}`, name];
  }),
));

test.each(names)("a flipped bit in golden file %s", (name) => {
  const flipping = new Flipping(join(folder, name)), missed: number[] = [];
  const start = 8 + Number(new DataView(flipping.bytes.buffer).getBigUint64(0, true));
  expect(isFound(flipping.path)).toBe(false);
  flipping.bytes.forEach((byte, at) => {
    // Of runs of spaces and zeros, some.
    const isRun = (byte === 0x20 || byte === 0) && byte === flipping.bytes[at - 1] && at % 32 > 0;
    if (isRun || (at < start && at % 3 > 0)) return;
    const bit = 8 * at + (at * 5 + (at >> 3)) % 8;
    if (!flipping.during(bit, isFound)) missed.push(bit);
  });
  flipping.close();
  expect(missed).toEqual([]);
});

test("where nothing vouches for a bit, it is seen that none is found", () => {
  const flipping = new Flipping(join(folder, "unsealed"));
  const at = Buffer.from(flipping.bytes).indexOf('\\"seed\\":0');
  expect(at).toBeGreaterThan(0);
  expect(flipping.during(8 * (at + 9), isFound)).toBe(false);
  flipping.close();
});
