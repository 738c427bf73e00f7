/** Files and streams of the native library: maps, spools, writers, hashes. */
import type { TypedArray } from "./dtype.ts";
import { call, callOut, cString, NativeArray, NativeError, toNumber } from "./native.ts";
import { NativeHandle } from "./native_handle.ts";

/** Read-only bytes of a file, or of a stream that was spooled; freed when collected, or by close(). */
export class Mapping {
  readonly #handle: NativeHandle;

  private constructor(handle: number, readonly address: number, readonly sizeBytes: number) {
    this.#handle = new NativeHandle(this, "mapping", "gust_mapping_close", handle);
  }

  /** Whether arrays into it are invalid. */
  get ended(): boolean {
    return !this.#handle.isOpen;
  }

  /** @throws {NativeError} (io) with the system's text, (invalid) if it is no regular file. */
  static ofFile(path: string): Mapping {
    const [handle, address, size] = callOut(3, "gust_file_map", cString(path)) as [number, number, number];
    return new Mapping(handle, address, size);
  }

  /** `sizeBytes` bytes from `offset` of an open regular file, whose position stays as it is. */
  static ofDescriptor(fd: number, offset: number, sizeBytes: number): Mapping {
    const [handle, address, size] = callOut(3, "gust_fd_map", fd, offset, sizeBytes) as [
      number,
      number,
      number,
    ];
    return new Mapping(handle, address, size);
  }

  /**
   * `head`, then the next `sizeBytes` bytes of `fd`: in memory if all of it takes at most `memoryLimit` bytes, else in
   * an unnamed temporary file.
   *
   * @returns the mapping, or the number of bytes that came if the input ended early.
   */
  static spool(fd: number, head: Uint8Array, sizeBytes: number, memoryLimit: number): Mapping | number {
    const out = new BigInt64Array(4);
    try {
      call("gust_spool", fd, head, head.length, sizeBytes, memoryLimit, out);
    } catch (error) {
      if (error instanceof NativeError && error.code === "eof") return toNumber(out[3]!);
      throw error;
    }
    const [handle, address, size] = Array.from(out, toNumber) as [number, number, number];
    return new Mapping(handle, address, size);
  }

  /** All bytes; they keep the mapping alive. */
  bytes(): NativeArray<"U8"> {
    void this.#handle.value;
    return NativeArray.at("U8", this.sizeBytes, this.address, this);
  }

  /** Free it now: every array into it becomes invalid. */
  close(): void {
    this.#handle.close();
  }
}

/** Writes to a descriptor (-1: nowhere) and hashes what passes; freed when collected, or by close(). */
export class HashingWriter {
  readonly #handle: NativeHandle;

  constructor(fd: number) {
    const [handle] = callOut(1, "gust_writer_create", fd) as [number];
    this.#handle = new NativeHandle(this, "writer", "gust_writer_destroy", handle);
  }

  /** @throws {NativeError} (pipe) if the reader has gone, (io) with the system's text. */
  put(data: NativeArray | TypedArray): void {
    if (data instanceof NativeArray) {
      call("gust_writer_put", this.#handle.value, data.address, data.sizeBytes);
    } else call("gust_writer_put_array", this.#handle.value, data, data.byteLength);
  }

  /** XXH3-128, 16 bytes in canonical order, of what was put since the last call. */
  takeHash(): Uint8Array {
    const hash = new Uint8Array(16);
    call("gust_writer_take_hash", this.#handle.value, hash);
    return hash;
  }

  close(): void {
    this.#handle.close();
  }
}

/** Have the page cache forget a file, as far as nobody has it mapped; what waits to be written is written first. */
export function dropCached(path: string): void {
  call("gust_file_drop", cString(path));
}

/** Bytes of a file that lie in the page cache, in whole pages. */
export function cachedBytes(path: string): number {
  return callOut(2, "gust_file_cached", cString(path))[0]!;
}

/** XXH3-128 of an array's bytes: 16 bytes in canonical order. */
export function hashOf(data: NativeArray): Uint8Array {
  const hash = new Uint8Array(16);
  call("gust_hash", data.address, data.sizeBytes, hash);
  return hash;
}

/** The next bytes of a descriptor: all `sizeBytes`, or fewer at the end of the input. */
export function readBytes(fd: number, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  const [got] = callOut(1, "gust_fd_read", fd, bytes, sizeBytes) as [number];
  return bytes.subarray(0, got);
}

/** Position of an open file. */
export function position(fd: number): number {
  return callOut(1, "gust_fd_seek", fd, 0, 1)[0]!;
}

/** Move an open file to a position. */
export function seek(fd: number, offset: number): void {
  callOut(1, "gust_fd_seek", fd, offset, 0);
}

/** Open a new file without a name in the folder TMPDIR, for reading and writing: nothing stays behind. Close it when done. */
export function unnamedFile(): number {
  return callOut(1, "gust_unnamed_file", cString(""))[0]!;
}

/**
 * Lock an open file or folder for as long as it is open.
 * @returns false if another process has it locked.
 * @throws {NativeError} (io) where the file system has no locks.
 */
export function tryLock(fd: number): boolean {
  return callOut(1, "gust_fd_lock", fd)[0] === 1;
}

/**
 * Have a half-written file removed if a signal ends the process while it is registered.
 * @returns what to call when it is finished or gone.
 */
export function guardTemporary(path: string): () => void {
  const [index] = callOut(1, "gust_temporary_add", cString(path)) as [number];
  return () => void call("gust_temporary_remove", index);
}
