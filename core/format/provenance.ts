/** How documents were made, and whether two belong together. */
import { GustError } from "../errors.ts";
import type { Document } from "./document.ts";

/**
 * One step: no paths, threads, time stamps, host or user names, so that equal inputs give equal bytes.
 */
export interface ProvenanceRecord {
  /** Subcommand, e.g. "partition". */
  readonly command: string;
  /** Resolved parameters that matter to the result. */
  readonly params: Record<string, unknown>;
  readonly seed?: number;
  /** gust's version. */
  readonly version: string;
  /** Digests of the documents it read. */
  readonly inputs: readonly string[];
}

/** The last step as a person would type it: `gust partition -k 32`-like. */
export function describeStep(record: ProvenanceRecord | undefined): string {
  if (!record) return "made by an unknown step";
  const params = Object.entries(record.params).map(([key, value]) =>
    `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`
  );
  if (record.seed !== undefined) params.push(`seed=${record.seed}`);
  return `made by gust ${[record.command, ...params].join(" ")}`;
}

/** `"a.graph" (digest 0123456789ab, made by gust import format=npz)` */
export function describeDocument(document: Document): string {
  return `${document.label} (digest ${document.digest.slice(0, 12)}, ${
    describeStep(document.provenance.at(-1))
  })`;
}

/**
 * Check that `made` was made from `from`: `made.meta[key]` (by default "graph") names its digest.
 *
 * @throws {GustError} (mismatch) that says which two disagree and how they were made.
 */
export function checkMadeFrom(made: Document, from: Document, key = "graph"): void {
  const wanted = made.meta[key];
  if (wanted === from.digest) return;
  throw new GustError(
    "mismatch",
    `${describeDocument(made)} was made from a ${from.kind} with digest ${
      String(wanted).slice(0, 12)
    }, not from ${describeDocument(from)}`,
    `make the ${made.kind} again from this ${from.kind}`,
  );
}
