import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { GustError } from "../../../core/errors.ts";
import { checkDocument } from "../../../core/format/check.ts";
import { hashOf } from "../../../core/format/hash.ts";
import { openFile, readStream } from "../../../core/format/read.ts";
import { parseHeader, serialiseHeader } from "../../../core/format/safetensors.ts";
import { SEAL } from "../../../core/format/seal.ts";
import { passOn, writeFile } from "../../../core/format/write.ts";
import { openNative } from "../../../ffi/native.ts";
import { seek } from "../../../ffi/native_files.ts";
import { goldenFolder } from "../../../fixtures/golden.ts";
import { freshDir } from "../../helpers.ts";
import { example } from "./examples.ts";

await openNative();

/** A document as bytes, and where its data begin. */
function written(name = "partition") {
  const path = join(freshDir(), "doc");
  writeFile(path, example(name));
  const bytes = readFileSync(path);
  return { path, bytes, start: 8 + Number(bytes.readBigUInt64LE()) };
}

/** The same bytes with some text of the header replaced by other text of its length. */
function edited({ path, bytes }: ReturnType<typeof written>, from: string, to: string): string {
  const at = bytes.indexOf(from);
  expect([from, at >= 0, to.length]).toEqual([from, true, from.length]);
  writeFileSync(
    path,
    Buffer.concat([bytes.subarray(0, at), Buffer.from(to), bytes.subarray(at + from.length)]),
  );
  return path;
}

const broken = `the header does not match its checksum "gust.header"`;

test("a header begins with a hash of its other bytes", () => {
  const { bytes, start } = written();
  const prefix = '{"__metadata__":{"gust.header":"', place = 8 + prefix.length;
  expect(bytes.subarray(8, place).toString()).toBe(prefix);
  const others = [bytes.subarray(0, place), bytes.subarray(place + 32, start)].map((b) => Uint8Array.from(b));
  expect(bytes.subarray(place, place + 32).toString()).toBe(hashOf(others));
});

describe("opening refuses a header that was changed", () => {
  test.each([
    ["provenance, which no digest covers", '\\"seed\\":0', '\\"seed\\":1'],
    ["metadata that any number would fit", '\\"halo\\":2', '\\"halo\\":3'],
    ["the hash itself", '"gust.header":"', '"gust.header": '],
    ["the spaces behind it", "}}   ", "}} \n "],
  ])("in %s", (_, from, to) => {
    const doc = written();
    expect(openFile(doc.path).kind).toBe("partition");
    expect(() => openFile(edited(doc, from, to))).toThrow(/illegal header|does not match its checksum/);
  });

  test("and says so behind what else is wrong with it", () => {
    const path = edited(written(), '\\"balance\\":1', '\\"balancf\\":1');
    const message = /metadata balance: .*\n.*the header does not match its checksum "gust\.header"/;
    expect(() => openFile(path)).toThrow(message);
  });

  test("whose hash stands elsewhere than in front", () => {
    const { path, bytes, start } = written();
    const { header } = parseHeader(bytes.subarray(8, start).toString());
    const metadata = { "a.key": "x", ...header.metadata };
    const head = serialiseHeader(metadata, header.tensors);
    writeFileSync(path, Buffer.concat([head, bytes.subarray(start)]));
    expect(() => openFile(path)).toThrow(broken);
  });
});

test("a header without a hash is that of an older version: sound, unless it has metadata that none of them wrote", () => {
  const { bytes } = { bytes: readFileSync(join(goldenFolder("1"), "unsealed")) };
  const start = 8 + Number(bytes.readBigUInt64LE()), path = join(freshDir(), "doc");
  const { header } = parseHeader(bytes.subarray(8, start).toString());
  expect(header.metadata[SEAL]).toBeUndefined();
  const check = (metadata: Record<string, string>) => {
    const head = serialiseHeader({ ...header.metadata, ...metadata }, header.tensors);
    writeFileSync(path, Buffer.concat([head, bytes.subarray(start)]));
    return checkDocument(openFile(path));
  };
  expect(check({})).toEqual([]);
  // One bit of the key from "gust.header".
  expect(check({ "gust.heider": "0".repeat(32) })).toEqual([
    'metadata "gust.heider" is unknown and "gust.header" is missing, which vouches for the header',
  ]);
});

test("documents that cannot be read give their memory back at once", () => {
  const maps = () => readFileSync("/proc/self/maps", "latin1").split("\n").length;
  const path = edited(written(), '\\"halo\\":2', '\\"halo\\":3');
  const open = (count: number) => {
    for (let i = 0; i < count; i++) expect(() => openFile(path)).toThrow(broken);
  };
  open(1);
  const before = maps();
  open(200);
  expect(maps() - before).toBeLessThan(100);
});

test("every bit of a reference counts", () => {
  const { path: of } = written(), folder = freshDir(), path = join(folder, "ref");
  const graph = openFile(of);
  const fd = openSync(path, "w+");
  passOn(fd, graph, false);
  const bytes = readFileSync(path), missed: number[] = [];
  const follow = () => {
    seek(fd, 0);
    return [...readStream(fd, "a pipe")].map(({ digest }) => digest);
  };
  expect(follow()).toEqual([graph.digest]);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    writeSync(fd, Uint8Array.of(bytes[bit >> 3]! ^ (1 << (bit & 7))), 0, 1, bit >> 3);
    try {
      follow();
      missed.push(bit);
    } catch (error) {
      expect(error).toBeInstanceOf(GustError);
    }
    writeSync(fd, bytes.subarray(bit >> 3, (bit >> 3) + 1), 0, 1, bit >> 3);
  }
  closeSync(fd);
  expect(missed).toEqual([]);
});
