/**
 * Finished columns of a long computation in a file, one block after another, so that it goes on where it was ended,
 * by a signal or a power cut: a block counts if all of it is there and its hash agrees, and what follows the last such
 * block is dropped.
 *
 * File: 64 bytes that name the computation, then per block 64 bytes (from byte 16: first column, columns, bytes;
 * from byte 40: XXH3-128 of these and of the numbers) and its float32 numbers.
 */
import { closeSync, fstatSync, ftruncateSync, openSync } from "node:fs";
import { NativeArray, NativeError } from "../../ffi/native.ts";
import { HashingWriter, hashOf, Mapping, readBytes, seek } from "../../ffi/native_files.ts";
import { GustError, systemText } from "../errors.ts";

const HEAD_BYTES = 64;
const KIND = "gust columns 1\n";

/** Of a block's numbers and of what it is. */
function hashOfBlock(words: BigInt64Array, array: NativeArray): Uint8Array {
  const writer = new HashingWriter(-1);
  writer.put(words);
  writer.put(array);
  const hash = writer.takeHash();
  writer.close();
  return hash;
}

/** Columns first .. first + count of a matrix: F32 [numRows, count]. */
export interface ColumnBlock {
  readonly array: NativeArray<"F32">;
  readonly first: number;
  readonly count: number;
}

export class ColumnCheckpoint {
  /** Blocks that were there already, then those that were put. */
  readonly blocks: ColumnBlock[] = [];
  private readonly fd: number;
  private readonly writer: HashingWriter;
  private end = HEAD_BYTES;

  /**
   * Open the file, or begin it.
   *
   * @param name  of the computation: another one is not gone on with.
   * @throws {GustError} (mismatch) if it holds something else, (io) if it cannot be read or written.
   */
  constructor(readonly path: string, name: string, private readonly numRows: number) {
    this.fd = this.guard(() => {
      closeSync(openSync(path, "a"));
      return openSync(path, "r+");
    });
    this.writer = new HashingWriter(this.fd);
    const head = new Uint8Array(HEAD_BYTES), text = new TextEncoder();
    head.set(text.encode(KIND));
    head.set(hashOf(NativeArray.from<"U8">(text.encode(name))), 32);
    const { size } = fstatSync(this.fd);
    const known = size === 0 ? null : this.guard(() => readBytes(this.fd, HEAD_BYTES));
    if (known && known.some((byte, i) => byte !== head[i])) {
      this.close();
      throw new GustError(
        "mismatch",
        `"${path}" holds ${
          new TextDecoder().decode(known.subarray(0, KIND.length)) === KIND
            ? "the columns of another command or graph"
            : "no columns of gust cache"
        }, expected what this command began`,
        "remove it, or give --checkpoint another file",
      );
    }
    // Fewer bytes than a head have nothing behind them.
    if (!known || known.length < HEAD_BYTES) {
      this.guard(() => {
        ftruncateSync(this.fd, 0);
        seek(this.fd, 0);
        this.writer.put(head);
      });
    } else while (this.readBlock(size));
    this.cut();
  }

  private guard<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (!(error instanceof NativeError) && !(error as { code?: string }).code) throw error;
      throw new GustError("io", `Cannot keep columns in "${this.path}": ${systemText(error)}`);
    }
  }

  /** Take up the next block of the file; false if there is none that is whole. */
  private readBlock(size: number): boolean {
    if (this.end + HEAD_BYTES > size) return false;
    seek(this.fd, this.end);
    const head = this.guard(() => readBytes(this.fd, HEAD_BYTES)),
      words = new BigInt64Array(head.slice(16, 40).buffer);
    const [first, count, bytes] = Array.from(words, Number) as [number, number, number];
    if (count < 1 || bytes !== 4 * this.numRows * count || this.end + HEAD_BYTES + bytes > size) return false;
    const array = this.mapped(count);
    const hash = hashOfBlock(words, array);
    if (head.subarray(40, 56).some((byte, i) => byte !== hash[i])) return false;
    this.blocks.push({ array, first, count });
    this.end += HEAD_BYTES + bytes;
    return true;
  }

  private mapped(count: number): NativeArray<"F32"> {
    const length = this.numRows * count;
    const mapping = this.guard(() => Mapping.ofDescriptor(this.fd, this.end + HEAD_BYTES, 4 * length));
    return NativeArray.at("F32", length, mapping.address, mapping);
  }

  /** Drop what follows the blocks. */
  private cut(): void {
    this.guard(() => {
      ftruncateSync(this.fd, this.end);
      seek(this.fd, this.end);
    });
  }

  /** Keep the first `count` blocks alone. */
  keep(count: number): void {
    while (this.blocks.length > count) this.end -= HEAD_BYTES + this.blocks.pop()!.array.sizeBytes;
    this.cut();
  }

  put(array: NativeArray<"F32">, first: number, count: number): void {
    const head = new Uint8Array(HEAD_BYTES),
      words = BigInt64Array.from([first, count, array.sizeBytes], BigInt);
    head.set(new Uint8Array(words.buffer), 16);
    head.set(hashOfBlock(words, array), 40);
    this.guard(() => {
      this.writer.put(head);
      this.writer.put(array);
    });
    this.blocks.push({ array: this.mapped(count), first, count });
    this.end += HEAD_BYTES + array.sizeBytes;
  }

  close(): void {
    this.writer.close();
    closeSync(this.fd);
  }
}
