import { expect, test } from "bun:test";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  guardTemporary,
  HashingWriter,
  hashOf,
  Mapping,
  position,
  readBytes,
  seek,
} from "../../ffi/native_files.ts";
import { NativeArray, NativeError, openNative } from "../../ffi/native.ts";
import { freshDir } from "../helpers.ts";

await openNative();

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function hashOfBytes(bytes: Uint8Array): string {
  const writer = new HashingWriter(-1);
  writer.put(bytes);
  const hash = hex(writer.takeHash());
  writer.close();
  return hash;
}

test("hashes are XXH3-128 in canonical order", () => {
  // Expected values by Python's xxhash 3.5: xxh3_128_hexdigest of nothing and of a short text.
  expect(hashOfBytes(new Uint8Array())).toBe("99aa06d3014798d86001c324468d497f");
  expect(hashOfBytes(new TextEncoder().encode("abc"))).toBe("06b05ab6733a618578af5f94892f3950");
  expect(hex(hashOf(NativeArray.from<"U8">(new TextEncoder().encode("abc"))))).toBe(
    "06b05ab6733a618578af5f94892f3950",
  );
});

test("HashingWriter hashes and writes the same whatever the pieces, and takeHash() starts anew", () => {
  const path = join(freshDir(), "x");
  const bytes = Uint8Array.from({ length: 3_000_001 }, (_, i) => (i * 2654435761) >>> 24);
  const fd = openSync(path, "w");
  const writer = new HashingWriter(fd);
  writer.put(bytes.subarray(0, 1));
  writer.put(NativeArray.from<"U8">(bytes.subarray(1, 2_000_000)));
  writer.put(new Uint8Array());
  writer.put(bytes.subarray(2_000_000));
  expect(hex(writer.takeHash())).toBe(hex(hashOf(NativeArray.from<"U8">(bytes))));
  expect(hex(writer.takeHash())).toBe(hashOfBytes(new Uint8Array()));
  writer.close();
  closeSync(fd);
  expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
});

test("Mapping shows a file's bytes from any offset, read-only files and empty ones too", () => {
  const path = join(freshDir(), "x");
  const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);
  writeFileSync(path, bytes, { mode: 0o400 });
  expect(Mapping.ofFile(path).bytes().window()).toEqual(bytes);
  const fd = openSync(path, "r");
  expect(Mapping.ofDescriptor(fd, 5000, 3).bytes().toNumbers()).toEqual([...bytes.subarray(5000, 5003)]);
  expect(Mapping.ofDescriptor(fd, 10_000, 0).bytes().toNumbers()).toEqual([]);
  expect(() => Mapping.ofDescriptor(fd, 9_999, 2)).toThrow("range 9999 + 2 of a file of 10000 bytes");
  closeSync(fd);
  const empty = join(freshDir(), "empty");
  writeFileSync(empty, "");
  expect(Mapping.ofFile(empty).bytes().toNumbers()).toEqual([]);
  expect(() => Mapping.ofFile("/dev/null")).toThrow("not a regular file");
  expect(() => Mapping.ofFile("/no/such")).toThrow("No such file");
});

test("a closed mapping gives no more bytes", () => {
  const path = join(freshDir(), "x");
  writeFileSync(path, "abc");
  const mapping = Mapping.ofFile(path);
  mapping.close();
  mapping.close();
  expect(() => mapping.bytes()).toThrow("mapping: closed, expected an open one");
});

test("Mapping.spool() puts head and input together and says how much came when it ends early", () => {
  const path = join(freshDir(), "x");
  writeFileSync(path, "abcdef");
  for (const limit of [100, 0]) {
    const fd = openSync(path, "r");
    const spooled = Mapping.spool(fd, new TextEncoder().encode("> "), 4, limit) as Mapping;
    expect(new TextDecoder().decode(spooled.bytes().window())).toBe("> abcd");
    expect(Mapping.spool(fd, new Uint8Array(), 5, limit)).toBe(2);
    closeSync(fd);
  }
});

test("Mapping.spool() does not trust the size that a header claims", () => {
  const path = join(freshDir(), "x");
  writeFileSync(path, "abc");
  const fd = openSync(path, "r");
  expect(Mapping.spool(fd, new Uint8Array(), 2 ** 52, 2 ** 26)).toBe(3);
  closeSync(fd);
});

test("readBytes(), position() and seek() move through an open file", () => {
  const path = join(freshDir(), "x");
  writeFileSync(path, "abcdef");
  const fd = openSync(path, "r");
  expect(Buffer.from(readBytes(fd, 2)).toString()).toBe("ab");
  expect(position(fd)).toBe(2);
  seek(fd, 4);
  expect(Buffer.from(readBytes(fd, 10)).toString()).toBe("ef");
  closeSync(fd);
  expect(() => readBytes(9999, 1)).toThrow(NativeError);
});

test("guardTemporary() takes several files at once, and no more than it has room for", () => {
  const releases = Array.from({ length: 8 }, (_, i) => guardTemporary(`/tmp/none-${i}`));
  expect(() => guardTemporary("/tmp/none")).toThrow("more than 8 temporary files");
  for (const release of releases) release();
  guardTemporary("/tmp/none")();
  expect(() => guardTemporary("/".repeat(5000))).toThrow("path of 5000 bytes");
});
