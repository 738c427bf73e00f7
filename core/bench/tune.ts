/**
 * Which settings of the memory system suit this machine (cu/common/tuning.h): a sparse product is timed with each, all
 * of them in turn. No result of any command depends on what is chosen.
 */
import { z } from "zod";
import { Engine, getTuning, setTuning, type Tuning } from "../../ffi/engine.ts";
import { reductions } from "../../ffi/ops.ts";
import {
  type BenchResult,
  defineBenchmark,
  resultOf,
  runs,
  uniformGraph,
  uniformShape,
} from "./benchmark.ts";
import { measure, type Stats, type Subject } from "./measure.ts";
import { randomTensor, recorded } from "./spmm.ts";

const LEVELS = [1, 2];
const LINES_AHEAD = [32, 64, 128, 256];
/** Sizes of a tile as shares of the usual one, which is half of the last-level cache. */
const TILES = [0, 0.5, 1, 1.5];

/** The settings with the least median time; of equals the first. */
export function fastest(tunings: readonly Tuning[], stats: readonly Stats[]): Tuning {
  return tunings.reduce(
    (best, tuning, i) => stats[i]!.medianMs < stats[best.at]!.medianMs ? { tuning, at: i } : best,
    {
      tuning: tunings[0]!,
      at: 0,
    },
  ).tuning;
}

const nameOf = ({ prefetchLevel, linesAhead, tileBytes }: Tuning) =>
  `l${prefetchLevel}_ahead${linesAhead}_tile${Math.round(tileBytes / 2 ** 10)}k`;

export const tune = defineBenchmark({
  name: "tune",
  summary: "settings of the sparse kernels for this machine: measured, and kept for all commands",
  source: "gust",
  params: z.object({
    tuneWidth: z.int().min(1).max(65536).default(128).describe("columns of the dense matrix"),
    runs,
    ...uniformShape,
  }).strict(),
  generated: uniformGraph,
  run(context, { tuneWidth: width, runs }) {
    const { graph, label } = context.graph(), { csr, numNodes } = graph;
    const usual = getTuning(), engine = new Engine(), arena = engine.arena();
    engine.setStep(context.seed, 0, 0);
    const args = {
      indptr: arena.bind(csr.indptr),
      indices: arena.bind(csr.indices),
      x: randomTensor(engine, arena, [numNodes, width], 0),
      out: arena.tensor("F32", [numNodes, width]),
      reduce: reductions.sum,
    };
    const results: BenchResult[] = [];
    /** Times of all, as results; the fastest stays in force. */
    const choose = (tunings: readonly Tuning[]): Tuning => {
      const subjects = tunings.map((tuning): Subject => {
        const product = recorded(engine, () => engine.run("spmm", args));
        return {
          run(repeat) {
            setTuning(tuning);
            product.run(repeat);
          },
        };
      });
      const stats = measure(subjects, runs), best = fastest(tunings, stats);
      tunings.forEach((tuning, i) =>
        results.push(resultOf({ name: nameOf(tuning), graph: label, width, dtype: "f32", stats: stats[i]! }))
      );
      setTuning(best);
      return best;
    };
    try {
      const prefetch = choose(
        LEVELS.flatMap((prefetchLevel) =>
          LINES_AHEAD.map((linesAhead) => ({ prefetchLevel, linesAhead, tileBytes: 0 }))
        ),
      );
      choose(TILES.map((share) => ({ ...prefetch, tileBytes: Math.round(share * usual.tileBytes) })));
    } catch (error) {
      setTuning(usual);
      throw error;
    } finally {
      engine.destroy();
    }
    return results;
  },
});
