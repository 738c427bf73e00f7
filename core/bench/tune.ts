/**
 * Which settings of the memory system suit this machine (cu/common/tuning.h): a sparse product is timed with each, all
 * of them in turn. No result of any command depends on what is chosen.
 */
import { z } from "zod";
import { Engine } from "../../ffi/engine.ts";
import { currentDevice } from "../../ffi/native.ts";
import { getTuning, lastLevelCache, setTuning, type Tuning } from "../../ffi/native_tuning.ts";
import { reductions } from "../../ffi/ops.ts";
import { GustError } from "../errors.ts";
import {
  type BenchResult,
  defineBenchmark,
  resultOf,
  runs,
  uniformGraph,
  uniformShape,
} from "./benchmark.ts";
import { measure, type Subject } from "./measure.ts";
import { randomTensor, recorded } from "./spmm.ts";

const LEVELS = [1, 2];
const LINES_AHEAD = [32, 64, 128, 256];
/** Sizes of a tile as shares of the last-level cache. */
const TILES = [0, 0.25, 0.5, 0.75];

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
    if (currentDevice().kind !== "cpu") {
      throw new GustError(
        "unsupported",
        "bench tune chooses how a CPU reads ahead, and kernels of a GPU have nothing to choose",
        "gust bench tune --device cpu",
      );
    }
    const { graph, label } = context.graph(), { csr, numNodes } = graph;
    const before = getTuning(), engine = new Engine(), arena = engine.arena();
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
      const stats = measure(subjects, runs), medians = stats.map(({ medianMs }) => medianMs);
      const best = tunings[medians.indexOf(Math.min(...medians))]!;
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
      choose(TILES.map((share) => ({ ...prefetch, tileBytes: Math.round(share * lastLevelCache()) })));
    } catch (error) {
      setTuning(before);
      throw error;
    } finally {
      engine.destroy();
    }
    return results;
  },
});
