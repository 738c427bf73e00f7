/** Whether a document's bytes are those that were written. Reads all of them once. */
import { hashOf } from "../../ffi/native_files.ts";
import { CHECKSUM_BYTES, type Document } from "./document.ts";

/** Tensors that do not match their checksums, and what opening could not be sure of; none for a sound document. */
export function damage(doc: Document): string[] {
  const sums = doc.stored.at(-1)!.array();
  const bad = doc.stored.slice(0, -1).filter(({ array }, i) => {
    const wanted = sums.window(i * CHECKSUM_BYTES, CHECKSUM_BYTES);
    return hashOf(array()).some((byte, j) => byte !== wanted[j]);
  });
  return [...bad.map(({ name }) => `tensor "${name}": its bytes do not match its checksum`), ...doc.doubts];
}
