/** Arrays that wait in an unnamed temporary file: mapped when they are read, given back when nothing refers to them. */
import { closeSync, openSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { DType } from "../../ffi/dtype.ts";
import { NativeArray, NativeError } from "../../ffi/native.ts";
import { HashingWriter, Mapping } from "../../ffi/native_files.ts";
import { GustError } from "../errors.ts";

let count = 0;

/** A copy of `array` in a file of the folder TMPDIR. @throws {GustError} (io) if the folder cannot take it. */
export function toScratch<D extends DType>(array: NativeArray<D>): NativeArray<D> {
  const folder = tmpdir();
  const path = join(folder, `gust-scratch-${process.pid}-${count++}`);
  try {
    const fd = openSync(path, "wx+", 0o600);
    try {
      unlinkSync(path);
      const writer = new HashingWriter(fd);
      try {
        writer.put(array);
      } finally {
        writer.close();
      }
      const mapping = Mapping.ofDescriptor(fd, 0, array.sizeBytes);
      return NativeArray.at(array.dtype, array.length, mapping.address, mapping);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (!(error instanceof NativeError) && !(error as { code?: string }).code) throw error;
    throw new GustError(
      "io",
      `Cannot put ${array.sizeBytes} bytes into "${folder}": ${(error as Error).message}`,
      "set TMPDIR to a folder with room, or raise --memory",
    );
  }
}
