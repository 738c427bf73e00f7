import type { TypedArray } from "../../ffi/dtype.ts";
import type { NativeArray } from "../../ffi/native.ts";
import { HashingWriter } from "../../ffi/native_files.ts";

/** XXH3-128 of some bytes one after another, as hexadecimal digits. */
export function hashOf(pieces: readonly (NativeArray | TypedArray)[]): string {
  const writer = new HashingWriter(-1);
  try {
    for (const piece of pieces) writer.put(piece);
    return Array.from(writer.takeHash(), (byte) => byte.toString(16).padStart(2, "0")).join("");
  } finally {
    writer.close();
  }
}
