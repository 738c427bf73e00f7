/** Data sets of many small graphs for tests. */
import type { NewTensor } from "../../core/format/document.ts";
import type { Graph } from "../../core/graph/graph.ts";
import { Random } from "../../core/tensor/rng.ts";
import { longs, makeGraph } from "./_graphs.ts";

export interface Small {
  /** In-neighbours of every node, counted inside the graph. */
  readonly rows: readonly (readonly number[])[];
  /** One row per node. */
  readonly features: readonly (readonly number[])[];
  readonly label?: number;
  readonly target?: readonly number[];
}

export interface ManyParts {
  readonly graphs: readonly Small[];
  readonly numClasses?: number;
  /** Graph numbers of each part of each fold. */
  readonly folds?: readonly Readonly<Partial<Record<"train" | "val" | "test", readonly number[]>>>[];
  readonly sparse?: boolean;
  readonly width?: number;
  readonly tensors?: readonly NewTensor[];
  readonly meta?: Record<string, unknown>;
}

/** The disjoint union of some graphs as a document. */
export function makeMany({ graphs, numClasses, folds = [], sparse = false, ...rest }: ManyParts): Graph {
  const starts = [0];
  for (const { rows } of graphs) starts.push(starts.at(-1)! + rows.length);
  const rows = graphs.flatMap(({ rows }, g) => rows.map((row) => row.map((u) => u + starts[g]!)));
  const features = graphs.flatMap((graph) => graph.features);
  const tensors: NewTensor[] = [
    { name: "graph_ptr", dtype: "I64", shape: [graphs.length + 1], data: longs(starts) },
  ];
  const labels = graphs.map(({ label }) => label ?? -1);
  if (graphs.some(({ label }) => label !== undefined)) {
    tensors.push({
      name: "graph_label",
      dtype: "I32",
      shape: [graphs.length],
      data: Int32Array.from(labels),
    });
  }
  const target = graphs.map(({ target }) => target ?? []), width = target[0]?.length ?? 0;
  if (width > 0) {
    const data = Float32Array.from(target.flat());
    tensors.push({ name: "graph_target", dtype: "F32", shape: [graphs.length, width], data });
  }
  for (const name of ["train", "val", "test"] as const) {
    if (!folds.some((fold) => fold[name])) continue;
    const data = Uint8Array.from(
      folds.flatMap((fold) => graphs.map((_, g) => Number(fold[name]!.includes(g)))),
    );
    tensors.push({ name: `fold.${name}`, dtype: "BOOL", shape: [folds.length, graphs.length], data });
  }
  return makeGraph({
    rows,
    features: features.length ? features : undefined,
    sparse,
    numClasses: numClasses ?? Math.max(-1, ...labels) + 1,
    tensors: [...tensors, ...rest.tensors ?? []],
    meta: { num_features: rest.width ?? features[0]?.length ?? 0, ...rest.meta },
  });
}

const cycle = (n: number) =>
  Array.from({ length: n }, (_, v) => [(v + n - 1) % n, (v + 1) % n].sort((a, b) => a - b));
const star = (
  n: number,
) => [Array.from({ length: n - 1 }, (_, v) => v + 1), ...Array.from({ length: n - 1 }, () => [0])];

/** Cycles (class 0) and stars (class 1) of 4 to 9 nodes with two noisy features, in a random order; two folds. */
export function cyclesAndStars(count: number, seed = 1): ManyParts {
  const random = new Random({ seed, stream: "many" });
  const graphs = Array.from({ length: count }, (_, g): Small => {
    const n = 4 + random.below(g, 0, 6), label = random.below(g, 1, 2);
    const features = Array.from({ length: n }, (_, v) => [1, random.f64(g * 100 + v, 2) - 0.5]);
    return { rows: label ? star(n) : cycle(n), features, label };
  });
  const fold = (k: number) => ({
    train: graphs.flatMap((_, g) => g % 5 === k ? [] : [g]),
    test: graphs.flatMap((_, g) => g % 5 === k ? [g] : []),
  });
  return { graphs, folds: [fold(0), fold(1)] };
}

/** The same data set with its graphs in another order: new graph g is old graph order[g]. Folds are left out. */
export const reordered = (parts: ManyParts, order: readonly number[]): ManyParts => ({
  ...parts,
  folds: [],
  graphs: order.map((g) => parts.graphs[g]!),
});
