/** Names of nodes as a graph document stores them: UTF-8, one behind another, and where each begins. */
import { NativeArray } from "../../ffi/native.ts";
import type { RawGraph } from "./reader.ts";

export function packNames(names: readonly string[]): NonNullable<RawGraph["nodeNames"]> {
  const encoder = new TextEncoder();
  const parts = names.map((name) => encoder.encode(name));
  const indptr = new BigInt64Array(names.length + 1);
  parts.forEach((part, i) => indptr[i + 1] = indptr[i]! + BigInt(part.length));
  const bytes = new Uint8Array(Number(indptr[names.length]));
  parts.forEach((part, i) => bytes.set(part, Number(indptr[i])));
  return { bytes: NativeArray.from<"U8">(bytes), indptr: NativeArray.from<"I64">(indptr) };
}
