/**
 * Dense products of the shapes that training has, held against what bounds them: multiply-adds in registers, of which a
 * row of the result that fills vectors in part wastes the rest, or one pass over the operands.
 */
import { z } from "zod";
import { Engine, type OpArgs } from "../../ffi/engine.ts";
import { describeNative } from "../../ffi/native.ts";
import {
  type BenchResult,
  defineBenchmark,
  resultOf,
  runs,
  uniformGraph,
  uniformShape,
  widths,
} from "./benchmark.ts";
import { arithmeticLimit, passLimit } from "./limits.ts";
import { measure, measureAgainst } from "./measure.ts";
import { randomTensor, recorded } from "./spmm.ts";

/** float32 numbers of a vector, by instruction set. */
const LANES: Readonly<Record<string, number>> = { avx512: 16, avx2: 8, portable: 4 };

/** The share of multiply-adds that a result of n columns needs of those that its vectors make. */
const filled = (n: number, lanes: number) => n / (lanes * Math.ceil(n / lanes));

/** What arithmetic there is, by the numbers of a vector. Half vectors waste less, and some machines make twice as many. */
function peaksOf({ isRemote }: Engine) {
  if (isRemote) return [{ lanes: 1, limit: arithmeticLimit() }];
  const { isa } = describeNative();
  return Object.entries(LANES).filter(([, lanes]) => [1, 2].includes(LANES[isa]! / lanes))
    .map(([name, lanes]) => ({ lanes, limit: arithmeticLimit(name) }));
}

export interface GemmOptions {
  readonly width: readonly number[];
  /** Columns of x; absent: as many as the width. */
  readonly inner?: readonly number[] | undefined;
  readonly runs: number;
}

/**
 * Time x w (n x k by k x f), its gradients g w^T and x^T g, for every width f and inner extent k. The limit is the
 * longer one of two times: of the arithmetic at f / (lanes * ceil(f / lanes)) of the peak, in the vectors in which
 * that is fastest, and of reading the operands and writing the result once.
 */
export function benchGemm(n: number, label: string, seed: number, options: GemmOptions): BenchResult[] {
  const engine = new Engine();
  engine.setStep(seed, 0, 0);
  const arena = engine.arena(), peaks = peaksOf(engine), most = Math.max(...peaks.map(({ lanes }) => lanes));
  const results: BenchResult[] = [];
  for (const f of options.width) {
    for (const k of options.inner ?? [f]) {
      const x = randomTensor(engine, arena, [n, k], 0), w = randomTensor(engine, arena, [k, f], 1);
      const g = randomTensor(engine, arena, [n, f], 2),
        dx = arena.tensor("F32", [n, k]),
        dw = arena.tensor("F32", [k, f]);
      const plain = { trans_a: 0, trans_b: 0, alpha: 1, beta: 0 }, small = k * f;
      const cases: [name: string, args: OpArgs<"gemm">, read: number, written: number, columns: number[]][] =
        [
          ["gemm", { ...plain, a: x, b: w, out: g }, n * k + small, n * f, [f]],
          [
            "gemm_gradient",
            { ...plain, a: g, b: w, out: dx, trans_b: 1 },
            n * f + small,
            n * k,
            [k],
          ],
          // Either factor may give the columns.
          [
            "gemm_weight_gradient",
            { ...plain, a: x, b: g, out: dw, trans_a: 1 },
            n * (k + f),
            small,
            [k, f],
          ],
        ];
      for (const [name, args, read, written, columns] of cases) {
        const product = recorded(engine, () => engine.run("gemm", args));
        const flops = 2 * n * k * f, bytes = 4 * (read + written), pass = passLimit(4 * read, 4 * written);
        // Half vectors that fill no better are no other limit, but might by chance seem the faster one.
        const share = (lanes: number) => Math.max(...columns.map((c) => filled(c, lanes)));
        const better = peaks.filter(({ lanes }) => lanes === most || share(lanes) > share(most));
        const stats = measure([pass, ...better.map(({ limit }) => limit)], 3);
        const [arithmetic] = better.map(({ lanes, limit }, i) => {
          const repeats = flops / (limit.flops! * share(lanes));
          return { limit, repeats, ms: repeats * stats[i + 1]!.minMs };
        }).toSorted((a, b) => a.ms - b.ms);
        const { limit, repeats } = arithmetic!.ms > stats[0]!.minMs
          ? arithmetic!
          : { limit: pass, repeats: 1 };
        const measured = measureAgainst(product, limit, options.runs, repeats);
        results.push(
          resultOf({
            name: options.inner ? `${name}_k${k}` : name,
            graph: label,
            width: f,
            dtype: "f32",
            stats: measured.stats,
            flops,
            bytes,
            limit: measured.limit,
          }),
        );
      }
      arena.reset();
    }
  }
  engine.destroy();
  return results;
}

export const gemm = defineBenchmark({
  name: "gemm",
  summary: "dense products of a layer, as a fraction of their arithmetic or of one pass over the operands",
  source: "gust",
  params: z.object({
    width: widths,
    inner: z.array(z.int().min(1).max(65536)).min(1).optional().describe(
      "columns of the left factor; absent: as many as the width",
    ),
    runs,
    nodes: uniformShape.nodes,
  }).strict(),
  generated: ({ nodes }) => uniformGraph({ nodes, nnz: 0 }),
  run(context, params) {
    const { graph, label } = context.graph();
    return benchGemm(graph.numNodes, label, context.seed, params);
  },
});
