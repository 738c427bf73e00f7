/** Rows of features for a batch, from each place where they can be kept (--feature-store of gust train). */
import { z } from "zod";
import { dtypes } from "../../ffi/dtype.ts";
import { Engine } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { shuffle } from "../../ffi/native_sample.ts";
import { FeatureStore, featureStores } from "../graph/feature_store.ts";
import { iota } from "../sampling/sampler.ts";
import {
  type BenchDType,
  type BenchResult,
  defineBenchmark,
  dtypeList,
  resultOf,
  runs,
} from "./benchmark.ts";
import { measure, type Subject } from "./measure.ts";
import { storedDTypes } from "./spmm.ts";

const stores = featureStores.filter((store) => store !== "auto");
type Store = (typeof stores)[number];
/** The share of the rows that a tiered store keeps in memory of the device. */
const HOT_SHARE = 0.5;
/** 1 as its elements hold it: half floats are written as their bits. */
const ONE: Readonly<Record<BenchDType, number>> = { f32: 1, f16: 0x3c00, bf16: 0x3f80, u8: 1 };

const params = z.object({
  rows: z.int().min(1).max(2 ** 31 - 1).default(2 ** 18).describe("rows of the matrix of features"),
  dim: z.int().min(1).max(65536).default(602).describe("columns of features"),
  batch: z.int().min(1).default(100_000).describe("different rows in no order that are gathered at once"),
  store: z.array(z.enum(stores)).min(1).default(stores).describe(
    `where the features are: ${stores.join(", ")}; of tiered half of the rows are the device's`,
  ),
  dtype: dtypeList,
  runs,
}).strict();
type Params = z.infer<typeof params>;

function features(dtype: BenchDType, rows: number, dim: number) {
  const array = NativeArray.allocate(storedDTypes[dtype], rows * dim, false);
  for (let at = 0; at < array.length;) {
    const window = array.window(at);
    window.fill(ONE[dtype]);
    at += window.length;
  }
  return { kind: "dense", numFeatures: dim, array, scale: null } as const;
}

/** Time a batch of every store in turn. */
function benchDtype(
  dtype: BenchDType,
  seed: number,
  { rows, dim, store, runs, ...rest }: Params,
): BenchResult[] {
  const engine = new Engine(), kept = engine.arena(), count = Math.min(rest.batch, rows);
  const all = features(dtype, rows, dim), rowBytes = dim * dtypes[storedDTypes[dtype]].size;
  const nodes = iota(rows);
  shuffle(nodes, rows, null, { seed, epoch: 0, stream: "bench.gather" });
  const batch = nodes.slice(0, count);
  const open = (kind: Store) =>
    new FeatureStore(engine, kept, all, kind, rows, {
      bytes: HOT_SHARE * rows * rowBytes,
      arcs: () => new Uint32Array(rows).fill(1),
    });
  // Before the host's copy is made reachable, after which it would be read in place.
  const opened = new Map(stores.filter((kind) => store.includes(kind)).map((kind) => [kind, open(kind)]));
  const subjects = store.map((kind): Subject => {
    const arena = engine.arena();
    return {
      run(repeat) {
        for (let r = 0; r < repeat; r++) {
          opened.get(kind)!.rows(arena, batch);
          arena.reset();
        }
      },
    };
  });
  const stats = measure(subjects, runs);
  const results = store.map((kind, i): BenchResult => {
    const { rows: read, lines, unaligned_lines: unaligned } = opened.get(kind)!.counts;
    const times = stats[i]!, name = `gather_${kind}`;
    return {
      ...resultOf({ name, width: dim, dtype, stats: times, bytes: count * rowBytes }),
      ...(unaligned === 0 ? {} : { lines_per_row: lines / read, unaligned_lines_per_row: unaligned / read }),
    };
  });
  engine.destroy();
  return results;
}

export const gather = defineBenchmark({
  name: "gather",
  summary: "rows of features for a batch, from the GPU, over the bus in place, by the CPU, or both",
  source: "Min et al. 2021, arXiv:2103.03330",
  params,
  ownGraphs: true,
  run: (context, options) => options.dtype.flatMap((dtype) => benchDtype(dtype, context.seed, options)),
});
