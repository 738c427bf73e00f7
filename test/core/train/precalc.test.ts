/** First layers computed ahead: the rows themselves, and what models make of them. */
import { describe, expect, test } from "bun:test";
import { Engine } from "../../../ffi/engine.ts";
import { prepareFeatures, requireFeatures } from "../../../core/graph/features.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { models } from "../../../core/models/mod.ts";
import type { Precalculated } from "../../../core/models/model.ts";
import { nodeTargets } from "../../../core/tasks/node.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import type { Norm } from "../../../core/tensor/norm.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { graphOperator } from "../../../core/train/full_batch.ts";
import { Run } from "../../../core/train/job.ts";
import { LayerwiseInference } from "../../../core/train/layerwise.ts";
import { modelFeatures } from "../../../core/train/model_features.ts";
import { linksAmong, precalculatedRows } from "../../../core/train/precalc.ts";
import { sampledSource, SampleFeed } from "../../../core/train/sampled.ts";
import { longs, makeGraph } from "../_graphs.ts";
import { draw, partitionOf } from "../sampling/_graphs.ts";
import { randoms } from "../tensor/_autograd.ts";
import { job, type Setting, setting, type StepResult, steps } from "./_train.ts";

const n = 30;
/** Both directions of some links, two self-loops, and nodes that lie alone. */
const rows = Array.from(
  { length: n },
  (_, v) =>
    Array.from({ length: n }, (_, u) => u).filter((u) =>
      u === v ? v % 15 === 2 : v % 9 !== 4 && u % 9 !== 4 && (u * v + 3 * (u + v)) % 7 === 0
    ),
);
const features = Array.from(
  { length: n },
  (_, v) => randoms(5, `precalc ${v}`).map((x, j) => (v + j) % 3 === 0 ? 0 : Math.fround(x)),
);
const train = Array.from({ length: n }, (_, v) => v).filter((v) => v % 2 === 0);
const parts = {
  rows,
  features,
  labels: Array.from({ length: n }, (_, v) => v % 3),
  numClasses: 3,
  split: { train },
};
const weights = rows.map((row, v) => row.map((u) => 0.5 + (u + v) % 4));
const graph = makeGraph(parts);
const graphs: [string, Graph][] = [
  ["dense features", graph],
  ["sparse features, weighted", makeGraph({ ...parts, sparse: true, weights })],
  ["other ids", makeGraph({ ...parts, ids: rows.map((_, v) => 1000 - 3 * v) })],
];
const stored = (g: Graph) =>
  ({ norm: "none", stats: null, stored: requireFeatures(g), store: null }) as const;

// Float32 sums of at most 30 terms in another order.
const TOLERANCE = 1e-5;
const close = (got: readonly number[], want: readonly number[], tolerance = TOLERANCE) => {
  expect(got.length).toBe(want.length);
  got.forEach((v, i) =>
    expect(Math.abs(v - want[i]!)).toBeLessThan(tolerance * Math.max(1, Math.abs(want[i]!)))
  );
};

function rowsOf(
  g: Graph,
  precalc: Precalculated,
  among: BigInt64Array | null,
  chunkBytes?: number,
): number[] {
  const engine = new Engine();
  const made = precalculatedRows(engine, g, stored(g), precalc, among, chunkBytes);
  if (made.features.kind !== "dense") throw new Error("expected dense rows");
  const numbers = made.features.array.toNumbers();
  expect(made.features.numFeatures * g.numNodes).toBe(numbers.length);
  made.free();
  engine.destroy();
  return numbers;
}

/** The product by the operator of the whole graph. */
function product(g: Graph, kind: Norm): number[] {
  const engine = new Engine(), arena = engine.arena();
  const x = new Tensor(arena.tensor("F32", [n, 5]));
  const { input } = prepareFeatures(engine, arena, requireFeatures(makeGraph(parts)), "none", null);
  engine.run("cast", { x: (input as Tensor).handle, out: x.handle });
  const y = graphOperator(engine, arena, g, kind).apply(new Tape(engine, arena, false), x).toNumbers();
  engine.destroy();
  return y;
}

const columns = (all: readonly number[], width: number, from: number, count: number) =>
  Array.from({ length: all.length / width }, (_, v) => all.slice(v * width + from, v * width + from + count))
    .flat();

describe.each(graphs)("rows of a graph with %s", (_, g) => {
  test.each(["none", "row+1", "sym", "mean"] as const)(
    "hold the product of kind %s, then the features",
    (kind) => {
      for (const chunkBytes of [1, 800, 1e9]) {
        const all = rowsOf(g, { kind, hasOwn: true }, null, chunkBytes);
        close(columns(all, 10, 0, 5), product(g, kind));
        expect(columns(all, 10, 5, 5)).toEqual(features.flat());
        close(rowsOf(g, { kind, hasOwn: false }, null, chunkBytes), product(g, kind));
      }
    },
  );
});

test("among training nodes alone, their rows are those of the graph without the others", () => {
  for (const [, g] of graphs) {
    const kept = new Set(train);
    const isInside = (u: number, v: number) => kept.has(u) && kept.has(v);
    const inside = makeGraph({
      ...parts,
      rows: rows.map((row, v) => row.filter((u) => isInside(u, v))),
      ...(g.csr.values
        ? { weights: rows.map((row, v) => weights[v]!.filter((_, i) => isInside(row[i]!, v))) }
        : {}),
    });
    const linked = linksAmong(g, longs(train));
    expect(linked.csr.indptr.toNumbers()).toEqual(inside.csr.indptr.toNumbers());
    expect(linked.csr.indices.toNumbers()).toEqual(inside.csr.indices.toNumbers());
    expect(linked.csr.values?.toNumbers()).toEqual(inside.csr.values?.toNumbers());
    const got = rowsOf(g, { kind: "row", hasOwn: false }, longs(train)), want = product(inside, "row");
    for (const v of train) close(got.slice(5 * v, 5 * v + 5), want.slice(5 * v, 5 * v + 5));
  }
});

/** Loss, logits and gradients of a model on cluster batches, its first layer computed ahead if it has that option. */
function stepsOn(
  s: Setting,
  name: string,
  options: Record<string, unknown>,
  parts: readonly number[],
  k: number,
) {
  const { engine } = s, arena = engine.arena(), entry = models.get(name);
  const precalc = entry.precalc?.(entry.params!.parse(options) as Record<string, unknown>) ?? null;
  const recipe = { source: "file", feat_norm: "none", propagate: null } as const;
  const made = modelFeatures(engine, arena, graph, { recipe, cache: null, trainNodes: null, precalc });
  const samples = draw(graph, "cluster", {}, { partition: partitionOf(graph, parts, k) });
  const feed = SampleFeed.open(graph, samples, () => null)!;
  const source = sampledSource(
    engine,
    arena,
    graph,
    feed,
    made.trainingRows,
    nodeTargets(graph),
    longs(train),
    {
      norm: s.norm,
      layers: s.layers,
    },
  );
  const results: StepResult[] = steps(s, source);
  const layerwise = new LayerwiseInference(
    engine,
    engine.arena(),
    graph,
    s.model,
    name,
    s.norm,
    made.rows,
    500,
  );
  const { scores, free } = layerwise.outputs("values");
  const exact = scores.toNumbers();
  free();
  made.free();
  return { results, exact };
}

const variants: [string, Record<string, unknown>][] = [
  ["cluster-gcn", { hidden: 6, layers: 1, firstNorm: "none" }],
  ["cluster-gcn", { hidden: 6, layers: 3, firstNorm: "none" }],
  ["cluster-gcn", { hidden: 6, layers: 3, dropout: 0 }],
  ["gcn", { hidden: 6, layers: 2, dropout: 0, norm: "row", diagLambda: 1 }],
];

describe.each(variants)("%s %j", (name, options) => {
  const both = (parts: readonly number[], k: number) =>
    [false, true].map((precalc) => {
      const s = setting(graph, name, { ...options, precalc });
      const made = stepsOn(s, name, { ...options, precalc }, parts, k);
      s.engine.destroy();
      return made;
    }) as [ReturnType<typeof stepsOn>, ReturnType<typeof stepsOn>];

  test("computed ahead, the first layer of a batch of everything gives what it gave, dropout included", () => {
    const [off, on] = both(new Array<number>(n).fill(0), 1);
    const [a] = off.results, [b] = on.results;
    close(b!.logits, a!.logits);
    b!.gradients.forEach((g, k) => close(g, a!.gradients[k]!));
    close(on.exact, off.exact);
  });

  test("in batches of parts it reads the neighbours that the batch lacks", () => {
    const [off, on] = both(rows.map((_, v) => v % 2), 2);
    // Exact inference is of the same weights on the same graph; a step is of other neighbours.
    close(on.exact, off.exact);
    const distance = Math.max(
      ...on.results[0]!.logits.map((x, i) => Math.abs(x - off.results[0]!.logits[i]!)),
    );
    expect(distance).toBeGreaterThan(1e-3);
  });
});

test("one hop of neighbours fewer is drawn for a model whose first layer is computed ahead", async () => {
  const params = { hidden: 6, layers: 2, precalc: true };
  const samples = draw(graph, "neighbor", { fanout: [-1], batchSize: n, split: "train" });
  const run = Run.start(
    job(graph, "cluster-gcn", { epochs: 2 }, {
      params,
      samples: SampleFeed.open(graph, samples, () => null),
    }),
    1,
  );
  expect((await run.train()).finished).toBe(true);
  run.close();
  const two = draw(graph, "neighbor", { fanout: [-1, -1], batchSize: n, split: "train" });
  const more = job(graph, "cluster-gcn", {}, { params, samples: SampleFeed.open(graph, two, () => null) });
  expect(() => Run.start(more, 1)).toThrow("The sample has 2 hops and the model 1 layers");
});

test("a residual connection is refused, which would read features that are not there", () => {
  const start = () => Run.start(job(graph, "gcn", {}, { params: { precalc: true, residual: "linear" } }), 1);
  expect(start).toThrow("--precalc: --residual linear adds the first layer's features");
});

test("every model that cannot have its first layer computed ahead says why", () => {
  for (const { name, accepts, precalc, params } of models) {
    expect([name, accepts.precalc === null]).toEqual([name, precalc !== undefined]);
    expect([name, "precalc" in params!.shape]).toEqual([name, accepts.precalc === null]);
  }
});
