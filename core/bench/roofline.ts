/** The machine's limits, and how near the kernels come to them. */
import { z } from "zod";
import {
  type BenchResult,
  defineBenchmark,
  dtypeList,
  noBytes,
  resultOf,
  runs,
  uniformGraph,
  uniformShape,
  widths,
} from "./benchmark.ts";
import { benchGemm } from "./gemm.ts";
import { arithmeticLimit, cacheLimit, type Limit, limitWorkers, streamLimit } from "./limits.ts";
import { measure } from "./measure.ts";
import { benchSpmm } from "./spmm.ts";

/** Streaming, cached reads, multiply-adds. */
export function benchLimits(runs: number): BenchResult[] {
  const limits: Record<string, Limit> = {
    stream_triad: streamLimit(),
    cache_read: cacheLimit(limitWorkers()),
    multiply_add: arithmeticLimit(),
  };
  const stats = measure(Object.values(limits), runs);
  return Object.entries(limits).map(([name, { flops, bytes }], i) =>
    resultOf({
      name,
      dtype: "f32",
      stats: stats[i]!,
      ...(flops === undefined ? {} : { flops }),
      ...(bytes === undefined ? {} : { bytes }),
      limit: "itself",
    })
  );
}

export const roofline = defineBenchmark({
  name: "roofline",
  summary: "the machine's limits, and the fraction of them that the kernels reach",
  source: "Williams, Waterman and Patterson 2009, Communications of the ACM 52(4)",
  params: z.object({ width: widths, dtype: dtypeList, runs, ...uniformShape }).strict().refine(...noBytes),
  generated: uniformGraph,
  async run(context, params) {
    const { graph, label } = context.graph();
    const { seed } = context;
    return [
      ...benchLimits(params.runs),
      ...await benchSpmm(graph, label, seed, { ...params, weights: "values", withLimits: true }),
      ...benchGemm(graph.numNodes, label, seed, params),
    ];
  },
});
