/**
 * The seal of a header: the metadata "gust.header" is the XXH3-128 of all bytes before the data (length, JSON and
 * spaces) without its own 32 digits. It vouches for what the digest leaves out, provenance above all, and for every
 * byte of the rest. It comes first in the header, so that its digits have one place.
 */
import { hashOf } from "./hash.ts";

export const SEAL = "gust.header";
const DIGITS = 32;
/** What holds the place of the digits until the header is known. */
export const UNSEALED = "0".repeat(DIGITS);
/** Behind the length of the header and its first words. */
const PLACE = 8 + `{"__metadata__":{"${SEAL}":"`.length;

/** The seal that belongs to the bytes before the data, whatever stands in its place. */
const sealOf = (head: Uint8Array) => hashOf([head.subarray(0, PLACE), head.subarray(PLACE + DIGITS)]);

/** The bytes before the data with their seal put in, in place. */
export function sealed(head: Uint8Array): Uint8Array {
  head.set(new TextEncoder().encode(sealOf(head)), PLACE);
  return head;
}

/** What is wrong with the seal of a header. @param head  the bytes before the data. @param seal  the metadata. */
export function sealProblems(head: Uint8Array, seal: string): string[] {
  const isInPlace = new TextDecoder().decode(head.subarray(PLACE, PLACE + DIGITS)) === seal;
  return isInPlace && seal === sealOf(head) ? [] : [
    `the header does not match its checksum "${SEAL}": it was damaged, or something else than gust wrote it`,
  ];
}
