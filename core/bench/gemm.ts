/** Dense products of the shapes that training has, held against multiply-adds in registers. */
import { z } from "zod";
import { Engine, type OpArgs } from "../../ffi/engine.ts";
import {
  type BenchResult,
  defineBenchmark,
  resultOf,
  runs,
  uniformGraph,
  uniformShape,
  widths,
} from "./benchmark.ts";
import { arithmeticLimit } from "./limits.ts";
import { measureAgainst } from "./measure.ts";
import { randomTensor, recorded } from "./spmm.ts";

/** Time x w (n x f by f x f) and its weight gradient x^T g (f x n by n x f) for every width f. */
export function benchGemm(
  n: number,
  label: string,
  seed: number,
  options: { width: readonly number[]; runs: number },
): BenchResult[] {
  const engine = new Engine();
  engine.setStep(seed, 0, 0);
  const arena = engine.arena();
  const peak = arithmeticLimit();
  const results: BenchResult[] = [];
  for (const f of options.width) {
    const x = randomTensor(engine, arena, [n, f], 0), w = randomTensor(engine, arena, [f, f], 1);
    const g = arena.tensor("F32", [n, f]), gradient = arena.tensor("F32", [f, f]);
    const plain = { trans_b: 0, alpha: 1, beta: 0 };
    const cases: [string, OpArgs<"gemm">][] = [
      ["gemm", { ...plain, a: x, b: w, out: g, trans_a: 0 }],
      ["gemm_weight_gradient", { ...plain, a: x, b: g, out: gradient, trans_a: 1 }],
    ];
    for (const [name, args] of cases) {
      const product = recorded(engine, () => engine.run("gemm", args));
      const flops = 2 * n * f * f;
      const { stats, limit } = measureAgainst(product, peak, options.runs, flops / peak.flops!);
      const bytes = 4 * (2 * n * f + f * f);
      results.push(
        resultOf({ name, graph: label, width: f, dtype: "f32", stats, flops, bytes, limit }),
      );
    }
    arena.reset();
  }
  engine.destroy();
  return results;
}

export const gemm = defineBenchmark({
  name: "gemm",
  summary: "dense products of a layer, as a fraction of multiply-adds in registers",
  source: "gust",
  params: z.object({ width: widths, runs, nodes: uniformShape.nodes }).strict(),
  generated: ({ nodes }) => uniformGraph({ nodes, nnz: 0 }),
  run(context, params) {
    const { graph, label } = context.graph();
    return benchGemm(graph.numNodes, label, context.seed, params);
  },
});
