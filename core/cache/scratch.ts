/** Arrays that wait in an unnamed temporary file: mapped when they are read, given back when nothing refers to them. */
import { closeSync } from "node:fs";
import { type DType, dtypes } from "../../ffi/dtype.ts";
import { NativeArray, NativeError } from "../../ffi/native.ts";
import { HashingWriter, Mapping } from "../../ffi/native_files.ts";
import { GustError } from "../errors.ts";
import { unnamedFile } from "../format/temporary.ts";

/** An array written piece by piece into a file of the folder TMPDIR, which has no name and is gone with its readers. */
export class ScratchWriter {
  private readonly fd: number;
  private readonly writer: HashingWriter;
  private sizeBytes = 0;

  /** @throws {GustError} (io) if the folder cannot take a file. */
  constructor() {
    this.fd = unnamedFile();
    this.writer = new HashingWriter(this.fd);
  }

  private guard<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (!(error instanceof NativeError)) throw error;
      throw new GustError(
        "io",
        `Cannot put ${this.sizeBytes} bytes into a temporary file: ${(error as Error).message}`,
        "set TMPDIR to a folder with room, or raise --memory",
      );
    }
  }

  /** @throws {GustError} (io) where there is no room. */
  put(array: NativeArray): void {
    this.sizeBytes += array.sizeBytes;
    this.guard(() => this.writer.put(array));
  }

  /**
   * All that was put, `length` elements, mapped read-only: given back when nothing refers to them, or by free(), after
   * which none may be read.
   */
  finish<D extends DType>(dtype: D, length: number): Scratch<D> {
    if (length * dtypes[dtype].size !== this.sizeBytes) {
      throw new RangeError(`${this.sizeBytes} bytes of ${length} elements of ${dtype}`);
    }
    const mapping = this.guard(() => Mapping.ofDescriptor(this.fd, 0, this.sizeBytes));
    return {
      array: NativeArray.at(dtype, length, mapping.address, mapping),
      free: () => mapping.close(),
    };
  }

  /** Close the file: what was not finished is gone. */
  close(): void {
    this.writer.close();
    closeSync(this.fd);
  }
}

export interface Scratch<D extends DType> {
  readonly array: NativeArray<D>;
  free(): void;
}

/** A copy of `array` in a file of the folder TMPDIR. @throws {GustError} (io) if the folder cannot take it. */
export function toScratch<D extends DType>(array: NativeArray<D>): NativeArray<D> {
  const writer = new ScratchWriter();
  try {
    writer.put(array);
    return writer.finish(array.dtype, array.length).array;
  } finally {
    writer.close();
  }
}
