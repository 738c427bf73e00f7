import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateRawSync, gzipSync } from "node:zlib";
import { InputSet } from "../../../core/readers/input.ts";
import { sourceDigest } from "../../../core/readers/import.ts";
import { fileReader } from "../../../core/readers/reader.ts";
import { openNative } from "../../../ffi/native.ts";
import { freshDir, run } from "../../helpers.ts";
import { fixture, messageOf } from "./_import.ts";

await openNative();

function folder(files: Record<string, string>): string {
  const root = freshDir();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

test("InputSet.open() walks a folder and sorts its files by name", () => {
  const root = folder({ "b.txt": "b", "a/z.txt": "z", "a/b/c.txt": "c", "B.txt": "B", ".hidden": "x" });
  const input = InputSet.open([root]);
  expect(input.files.map(({ name }) => name)).toEqual(["B.txt", "a/b/c.txt", "a/z.txt", "b.txt"]);
  expect(input.single).toBe(null);
  expect(input.find(/z/).map(({ name }) => name)).toEqual(["a/z.txt"]);
  expect(input.label).toBe(root);
});

test("InputSet.open() takes a folder around one file as that file", () => {
  const { single, label } = InputSet.open([folder({ "only.txt": "0 1" })]);
  expect([single?.name, label.endsWith("only.txt")]).toEqual(["only.txt", false]);
});

test("InputSet.open() follows links, and refuses loops, dangling links and pipes", () => {
  const root = folder({ "a.txt": "a", "sub/b.txt": "b" });
  symlinkSync(join(root, "sub"), join(root, "linked"));
  symlinkSync("a.txt", join(root, "c.txt"));
  const names = InputSet.open([root]).files.map(({ name }) => name);
  expect(names).toEqual(["a.txt", "c.txt", "linked/b.txt", "sub/b.txt"]);
  symlinkSync("..", join(root, "sub/up"));
  expect(messageOf(() => InputSet.open([root]))).toContain("the folder contains itself by a link");
  const dangling = folder({ "a.txt": "a" });
  symlinkSync("none", join(dangling, "b.txt"));
  expect(messageOf(() => InputSet.open([dangling]))).toContain('b.txt": No such file or directory');
  const piped = folder({ "a.txt": "a" });
  run(["mkfifo", join(piped, "pipe")]);
  expect(messageOf(() => InputSet.open([piped]))).toContain("it is a device, a pipe or a socket");
  expect(messageOf(() => InputSet.open(["/dev/zero"]))).toContain('Cannot read "/dev/zero": it is a device');
});

test("InputSet.open() takes several operands as one input", () => {
  const root = folder({ "a.txt": "a", "x/a.txt": "b", "y/b.txt": "c" });
  const input = InputSet.open([join(root, "y"), join(root, "a.txt"), join(root, "x")]);
  expect(input.files.map(({ name }) => name)).toEqual(["a.txt", "x/a.txt", "y/b.txt"]);
  expect(input.label).toContain("and 2 more");
  expect(messageOf(() => InputSet.open([join(root, "a.txt"), join(root, "x/a.txt")]))).toContain(
    "have the same name",
  );
  expect(messageOf(() => InputSet.open(["-", root]))).toContain("one input by itself");
  expect(messageOf(() => InputSet.open([join(root, "none")]))).toContain("No such file");
  expect(messageOf(() => InputSet.open([freshDir()]))).toContain("the folder holds no files");
});

test("InputSet counts as used what was read after a look for the format", () => {
  const root = folder({ "a.txt": "a", "b.txt": "b" });
  const input = InputSet.open([root]);
  input.files[0]!.source.head(1);
  input.forget();
  expect(input.used).toEqual([]);
  input.files[1]!.source.head(1);
  expect(input.used.map(({ name }) => name)).toEqual(["b.txt"]);
});

test("InputSet.beside() finds a folder beside the one file", () => {
  const root = folder({ "a.txt": "a", "folds/2.txt": "2", "folds/1.txt": "1" });
  const input = InputSet.open([join(root, "a.txt")]);
  expect(input.beside("folds").map(({ name }) => name)).toEqual(["folds/1.txt", "folds/2.txt"]);
  expect(input.beside("none")).toEqual([]);
  expect(InputSet.open([root]).beside("folds")).toEqual([]);
});

test("sourceDigest() depends on names and bytes inside the folder, not on where it lies", () => {
  const digest = (files: Record<string, string>) => {
    const input = InputSet.open([folder(files)]);
    for (const file of input.files) file.source.head(1);
    return sourceDigest(input.used);
  };
  const one = digest({ "a.txt": "a", "b.txt": "b" });
  expect(one).toMatch(/^[0-9a-f]{32}$/);
  expect(digest({ "a.txt": "a", "b.txt": "b" })).toBe(one);
  expect(digest({ "a.txt": "b", "b.txt": "a" })).not.toBe(one);
  const gz = InputSet.open([fixture("tiny/both.txt.gz")]);
  expect(readFileSync(fixture("tiny/both.txt"), "utf8")).toContain("0 1");
  expect(sourceDigest(gz.files)).toMatch(/^[0-9a-f]{32}$/);
});

/** A member as bgzip writes it: an extra field with the member's size. */
function block(text: string): Uint8Array {
  const body = deflateRawSync(text), head = Buffer.from("1f8b08040000000000ff0600424302000000", "hex");
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(crc32(text));
  tail.writeUInt32LE(text.length, 4);
  head.writeUInt16LE(head.length + body.length + tail.length - 1, 16);
  return Buffer.concat([head, body, tail]);
}

test("InputSet.open() reads all members of a gzip file, and refuses what is neither a member nor zeros", () => {
  const text = (...parts: Uint8Array[]) => {
    const path = join(freshDir(), "a.gz");
    writeFileSync(path, Buffer.concat(parts));
    return new TextDecoder().decode(InputSet.open([path]).single!.source.bytes().window());
  };
  const [one, two, zeros] = [gzipSync("0 1\n"), gzipSync("1 2\n"), new Uint8Array(512)];
  expect(text(one, two)).toBe("0 1\n1 2\n");
  expect(text(one, two, zeros)).toBe("0 1\n1 2\n");
  expect(text(block("0 1\n"), block("1 2\n"), block(""))).toBe("0 1\n1 2\n");
  for (const [at, bit] of [[0, 1], [1, 0x80]] as const) {
    const flipped = Buffer.from(two);
    flipped[at]! ^= bit;
    expect(messageOf(() => text(one, flipped))).toContain(
      `broken gzip stream at byte ${one.length}: neither a further member nor zeros behind the last one`,
    );
  }
  for (const rest of [zeros, two.subarray(0, 1)]) {
    expect(messageOf(() => text(one, rest, Uint8Array.of(7)))).toContain(
      `broken gzip stream at byte ${one.length + (rest === zeros ? zeros.length : 0)}`,
    );
  }
});

test("fileReader() refuses a folder", () => {
  const reader = fileReader({
    name: "one",
    summary: "",
    source: "",
    sniff: () => true,
    read: () => ({ numNodes: 0, isUndirected: false, isWeighted: false, notes: [] }),
  });
  const input = InputSet.open([folder({ "a.txt": "a", "b.txt": "b" })]);
  expect(reader.sniff(input)).toBe(false);
  expect(messageOf(() => reader.read(input, {}, {}))).toContain(
    'Format "one" is one file, but',
  );
});
