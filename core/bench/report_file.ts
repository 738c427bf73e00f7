/** Results of a benchmark as they were written with --json. */
import { z } from "zod";
import { GustError } from "../errors.ts";
import type { BenchReport } from "./report.ts";

const number = z.number().nullable();
/** What a page reads of a line; lines have more. */
const line = z.looseObject({
  name: z.string(),
  graph: z.string().nullable(),
  width: number,
  dtype: z.string().nullable(),
  median_ms: z.number(),
  min_ms: z.number(),
  gflops: number,
  gb_s: number,
  of_roofline: number,
  runs: z.number(),
  peers: z.array(
    z.looseObject({ peer: z.string(), version: z.string(), peer_ms: z.number(), ratio: z.number() }),
  )
    .optional(),
});
const report = z.looseObject({
  command: z.string().optional(),
  commit: z.string().optional(),
  machine: z.looseObject({ cpu: z.string(), cores: z.number(), threads: z.number(), isa: z.string() }),
  results: z.array(line),
});

/** @throws {GustError} (data) naming the file and what is wrong. */
export function parseReport(text: string, label: string): BenchReport {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new GustError("data", `Cannot read "${label}": ${(error as Error).message}`);
  }
  const { data, error } = report.safeParse(value);
  if (data) return data as unknown as BenchReport;
  const { path, message } = error.issues[0]!;
  throw new GustError(
    "data",
    `"${label}" holds no results of a benchmark: ${path.join(".") || "the top"}: ${message}`,
    "gust bench ... --json=FILE writes such files",
  );
}
