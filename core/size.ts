/** Amounts of memory as options have them: a number of bytes, or of K, M, G or T (powers of 1024). */
import { z } from "zod";

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** "512M" in bytes; null if it is no size. */
export function parseSize(text: string): number | null {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(text) ?? [];
  const bytes = number === undefined ? NaN : Math.floor(Number(number) * UNITS[unit!.toUpperCase()]!);
  return bytes <= Number.MAX_SAFE_INTEGER ? bytes : null;
}

/** An option that is a size of at least `least` bytes. */
export const sizeText = (least = 1) =>
  z.string().refine((text) => (parseSize(text) ?? -1) >= least, "expected a number of bytes like 512M or 4G")
    .meta({ value: "SIZE" });

/** Bytes of what sizeText() took. @throws {RangeError} for other text. */
export function sizeOf(text: string): number {
  const bytes = parseSize(text);
  if (bytes === null) throw new RangeError(`size ${JSON.stringify(text)}, expected one like 512M`);
  return bytes;
}
