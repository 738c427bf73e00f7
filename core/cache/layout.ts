/** What the cache layouts share. */
import { z } from "zod";
import { GustError } from "../errors.ts";
import type { Entry } from "../registry.ts";

/** A way to lay out features ahead of training. */
export type LayoutEntry = Entry;

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Memory for features while a cache is made. */
export const memoryParam = (usual: string) =>
  z.string().default(usual).describe(
    "memory for features; of propagated ones more waits in files of the folder TMPDIR",
  ).meta({ value: "SIZE" });

/** "512M" in bytes, `least` or more: a number with K, M, G or T (powers of 1024). @throws {GustError} (usage) */
export function parseSize(text: string, least = 1): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([KMGT]?)i?B?$/i.exec(text) ?? [];
  const bytes = number === undefined ? NaN : Math.floor(Number(number) * UNITS[unit!.toUpperCase()]!);
  if (!(bytes >= least && bytes <= Number.MAX_SAFE_INTEGER)) {
    throw new GustError("usage", `Size "${text}", expected a number of bytes like 512M or 4G`);
  }
  return bytes;
}
