/** The partition that benchmarks of clusters draw from. */
import { join } from "node:path";
import { z } from "zod";
import { describeNative } from "../../ffi/native.ts";
import { asNew, writeFile } from "../format/write.ts";
import type { BenchContext } from "./benchmark.ts";
import { runProcess } from "./process.ts";

export const parts = z.int().min(1).default(64).describe(
  "parts of the partition that is made where none is given",
);
export const partsPerBatch = z.int().min(1).default(4).describe("parts per batch");

/** The partition that was given as a file, or one that gust makes. */
export async function partitionFile(context: BenchContext, folder: string, parts: number): Promise<string> {
  const path = join(folder, "parts"), given = context.partition?.() ?? null;
  if (given) writeFile(path, asNew(given));
  else {
    const words = [
      "partition",
      context.file(),
      "-k",
      String(parts),
      "--seed",
      String(context.seed),
      "-o",
      path,
    ];
    await runProcess("gust partition", [...context.program, ...words, "-q"], describeNative().threads);
  }
  return path;
}
