/** Batches against the whole graph: where they hold everything, training is the same. */
import { describe, expect, test } from "bun:test";
import { Packer } from "../../../core/cache/packed.ts";
import { buildDocument, type NewTensor } from "../../../core/format/document.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import type { Loss } from "../../../core/losses/loss.ts";
import type { Optimizer } from "../../../core/optim/optimizer.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { crossEntropy } from "../../../core/tensor/ops/cross_entropy.ts";
import { trainingStep } from "../../../core/train/step.ts";
import { testDevice } from "../../_device.ts";
import { type GraphParts, makeGraph } from "../_graphs.ts";
import { draw, partitionOf, randomRows } from "../sampling/_graphs.ts";
import { randoms } from "../tensor/_autograd.ts";
import { batchSource, fullSource, setting, type StepResult, steps } from "./_train.ts";

const n = 40;
/** Both directions of random arcs, with a self-loop at every tenth node. */
const rows = (() => {
  const sets = Array.from({ length: n }, () => new Set<number>());
  randomRows(n, 3).forEach((row, v) =>
    row.forEach((u) => {
      sets[v]!.add(u);
      sets[u]!.add(v);
    })
  );
  sets.forEach((set, v) => v % 10 === 0 ? set.add(v) : set.delete(v));
  return sets.map((set) => [...set].sort((a, b) => a - b));
})();
const features = Array.from(
  { length: n },
  (_, v) => randoms(6, `features ${v}`).map((x) => Math.abs(x) < 0.4 ? 0 : Math.fround(x)),
);
const labels = Array.from({ length: n }, (_, v) => v % 7 === 3 ? -1 : v % 3);
const train = Array.from({ length: n }, (_, v) => v).filter((v) => labels[v]! >= 0 && v % 2 === 0);
const weights = rows.map((row, v) => row.map((u) => 0.25 + ((u + v) % 5) / 4));
const parts: GraphParts = { rows, features, labels, numClasses: 3, split: { train } };
const ids = Array.from({ length: n }, (_, v) => 1000 + 7 * v);

const quantised = (): NewTensor[] => [
  {
    name: "feat",
    dtype: "I8",
    shape: [n, 6],
    data: Int8Array.from(features.flat(), (v) => Math.round(100 * v)),
  },
  { name: "feat.scale", dtype: "F32", shape: [6], data: Float32Array.of(0.01, 0.02, 0.005, 0.01, 0.1, 0.01) },
];

const graphs: [string, Graph][] = [
  ["dense features", makeGraph(parts)],
  ["sparse features", makeGraph({ ...parts, sparse: true })],
  ["weighted, with original ids", makeGraph({ ...parts, weights, ids })],
  ["float64 weights", makeGraph({ ...parts, weights, weightType: "F64" })],
  [
    "quantised features",
    makeGraph({ ...parts, features: undefined, tensors: quantised(), meta: { num_features: 6 } }),
  ],
  ["directed", makeGraph({ ...parts, rows: randomRows(n, 3), directed: true })],
];

/** Largest difference relative to the largest number. */
function relative(got: readonly number[], want: readonly number[]): number {
  expect(got.length).toBe(want.length);
  const top = Math.max(...want.map(Math.abs));
  return Math.max(...got.map((v, i) => Math.abs(v - want[i]!))) / top;
}
// Sums of at most 40 float32 terms in another order, through two layers and back: a handful of roundings of 2^-24,
// times the number of terms at worst.
const TOLERANCE = 4e-6;

function expectSame(got: StepResult, want: StepResult): void {
  expect(Math.abs(got.loss - want.loss)).toBeLessThan(TOLERANCE * want.loss);
  got.gradients.forEach((g, k) => expect(relative(g, want.gradients[k]!)).toBeLessThan(TOLERANCE));
}

describe.each(graphs)("%s", (_, graph) => {
  const options = { hidden: 8, dropout: 0.5 };
  const whole = () => {
    const s = setting(graph, "gcn", options);
    const [result] = steps(s, fullSource(s, graph, train));
    s.engine.destroy();
    return result!;
  };

  test("one cluster of everything gives the bytes of the whole graph, dropout included", () => {
    const s = setting(graph, "gcn", options);
    const partition = partitionOf(graph, new Array<number>(n).fill(0), 1);
    const results = steps(s, batchSource(s, graph, draw(graph, "cluster", {}, { partition }), train));
    expect(results).toEqual([whole()]);
    s.engine.destroy();
  });

  test("the full sample gives the bytes of the whole graph", () => {
    const s = setting(graph, "gcn", options);
    expect(steps(s, batchSource(s, graph, draw(graph, "full", {}), train))).toEqual([whole()]);
    s.engine.destroy();
  });

  test("features packed in batch order give the same bytes", () => {
    const s = setting(graph, "gcn", options);
    const partition = partitionOf(graph, Array.from({ length: n }, (_, v) => v % 3), 3);
    const documents = draw(graph, "cluster", {}, { partition });
    const packer = new Packer(graph);
    const packed = documents.flatMap((d) => [d, buildDocument(packer.pack(d, []))]);
    const results = steps(s, batchSource(s, graph, packed, train));
    expect(results.length).toBe(3);
    expect(results).toEqual(steps(s, batchSource(s, graph, documents, train)));
    s.engine.destroy();
  });

  test("all of several clusters in one batch give the gradients of the whole graph", () => {
    const s = setting(graph, "gcn", options);
    const partition = partitionOf(graph, Array.from({ length: n }, (_, v) => v * 3 % 4), 4);
    const results = steps(
      s,
      batchSource(s, graph, draw(graph, "cluster", { partsPerBatch: 4 }, { partition }), train),
    );
    expect(results.length).toBe(1);
    expectSame(results[0]!, whole());
    s.engine.destroy();
  });

  test.skipIf(testDevice !== "cpu").each([
    ["shadow", { fanout: [-1, -1, -1] }],
    ["shadow", { extractor: "ppr", topk: n, epsilon: 1e-9 }],
    ["ppr", { topk: n, epsilon: 1e-9 }],
  ])(
    "subgraphs of %s %j, of all that a seed sees, give the gradients of the whole graph",
    (method, params) => {
      const s = setting(graph, "gcn", options);
      const documents = draw(graph, method, { ...params, batchSize: n, split: "train" });
      const results = steps(s, batchSource(s, graph, documents, train));
      expect(results.length).toBe(1);
      expectSame(results[0]!, whole());
      s.engine.destroy();
    },
  );

  test.each(["sym", "row"] as const)(
    "blocks of all neighbours give the scores of the whole graph, norm %s",
    (norm) => {
      const s = setting(graph, "gcn", { ...options, norm });
      const documents = draw(graph, "neighbor", { fanout: [-1, -1], batchSize: 8, split: "train" });
      const source = batchSource(s, graph, documents, train);
      const full = steps(s, fullSource(s, graph, train), { training: false })[0]!;
      const nodes = documents.flatMap((d) => {
        const seeds = d.tensor("level_size", "I64").toNumbers().filter((_, i) => i % 3 === 0);
        const ptr = d.tensor("node_ptr", "I64").toNumbers(), all = d.tensor("nodes").toNumbers();
        return seeds.map((count, b) => all.slice(ptr[b], ptr[b]! + count));
      });
      const results = steps(s, source, { training: false });
      expect(nodes.flat().toSorted((a, b) => a - b)).toEqual(train);
      results.forEach(({ logits }, b) => {
        const want = nodes[b]!.flatMap((v) => full.logits.slice(3 * v, 3 * v + 3));
        expect(relative(logits, want)).toBeLessThan(TOLERANCE);
      });
      s.engine.destroy();
    },
  );

  test("blocks of all neighbours around all training nodes give the gradients of the whole graph, dropout included", () => {
    const s = setting(graph, "gcn", options);
    const documents = draw(graph, "neighbor", { fanout: [-1, -1], batchSize: n, split: "train" });
    const results = steps(s, batchSource(s, graph, documents, train));
    expect(results.length).toBe(1);
    expectSame(results[0]!, whole());
    s.engine.destroy();
  });
});

describe("batches", () => {
  const graph = makeGraph(parts);

  test("of clusters cover every training node once, and their losses add up by rows", () => {
    const s = setting(graph, "gcn", { hidden: 4, dropout: 0 });
    const partition = partitionOf(graph, Array.from({ length: n }, (_, v) => v % 5), 5);
    const source = batchSource(
      s,
      graph,
      draw(graph, "cluster", { partsPerBatch: 2, epochs: 2 }, { partition }),
      train,
    );
    for (const epoch of [0, 1, 2]) {
      const arena = s.engine.arena();
      const counts = Array.from(
        source.batches(epoch, () => arena),
        (batch) => [batch.numNodes, batch.numLossRows],
      );
      expect(counts.map(([nodes]) => nodes)).toEqual([16, 16, 8]);
      expect(counts.reduce((sum, [, loss]) => sum + loss!, 0)).toBe(train.length);
      arena.destroy();
    }
    s.engine.destroy();
  });

  test.skipIf(testDevice !== "cpu").each(["shadow", "ppr"])(
    "of %s count the loss of their seeds alone",
    (method) => {
      const s = setting(graph, "gcn", { hidden: 4, dropout: 0 });
      const documents = draw(graph, method, { batchSize: 4, split: "train" });
      const arena = s.engine.arena();
      const counts = Array.from(
        batchSource(s, graph, documents, train).batches(0, () => arena),
        (batch) => batch.numLossRows,
      );
      expect(counts.slice(0, -1)).toEqual(counts.slice(0, -1).map(() => 4));
      expect(counts.reduce((a, b) => a + b, 0)).toBe(train.length);
      arena.destroy();
      s.engine.destroy();
    },
  );

  test("count by their training nodes with the loss of nodes, and the same with that of means", () => {
    // Parts without links between them: their gradients add up to that of the whole graph.
    const cut = rows.map((row, v) => row.filter((u) => (u < 13) === (v < 13)));
    const apart = makeGraph({ ...parts, rows: cut });
    const s = setting(apart, "gcn", { hidden: 4, dropout: 0 });
    const partition = partitionOf(apart, Array.from({ length: n }, (_, v) => v < 13 ? 0 : 1), 2);
    const documents = draw(apart, "cluster", {}, { partition });
    const [whole] = steps(s, fullSource(s, apart, train));
    const summed = (kind: "mean" | "nodes") => {
      const arena = s.engine.arena(), sums: number[][] = [];
      const loss: Loss = (tape, { outputs, targets, rows }) =>
        crossEntropy(tape, outputs, targets, { index: rows });
      const optimizer = { update() {}, prepare() {} } as unknown as Optimizer;
      const step = { model: s.model, loss, optimizer, clipNorm: 0, ema: null };
      for (const batch of batchSource(s, apart, documents, train, kind).batches(0, () => arena)) {
        s.engine.setStep(7, 0, 5);
        trainingStep(s.engine, arena, step, batch).gradients.forEach((g, k) => {
          sums[k] = g!.toNumbers().map((x, i) => x + (sums[k]?.[i] ?? 0));
        });
      }
      arena.destroy();
      return sums;
    };
    const nodes = summed("nodes"), means = summed("mean");
    whole!.gradients.forEach((g, k) => expect(relative(nodes[k]!, g)).toBeLessThan(TOLERANCE));
    expect(relative(means[0]!, whole!.gradients[0]!)).toBeGreaterThan(0.1);
    s.engine.destroy();
  });

  test("of clusters are normalised by the degrees inside them: rows sum to 1, or 1 + lambda / (degree + 1)", () => {
    const partition = partitionOf(graph, Array.from({ length: n }, (_, v) => v % 5), 5);
    const documents = draw(graph, "cluster", { partsPerBatch: 2 }, { partition });
    const nodes = documents.flatMap((d) => {
      const ptr = d.tensor("node_ptr", "I64").toNumbers(), all = d.tensor("nodes").toNumbers();
      return ptr.slice(1).map((end, b) => all.slice(ptr[b], end));
    });
    for (const diagLambda of [0, 1, 2.5]) {
      const s = setting(graph, "gcn", { norm: "row", diagLambda });
      const arena = s.engine.arena();
      let b = 0;
      for (const batch of batchSource(s, graph, documents, train).batches(0, () => arena)) {
        const inside = nodes[b++]!, ones = arena.tensor("F32", [inside.length, 1]);
        s.engine.run("fill", { out: ones, value: 1 });
        const tape = new Tape(s.engine, arena, false);
        const sums = batch.operator(0, 2).apply(tape, new Tensor(ones)).toNumbers();
        const want = inside.map((v) => {
          const degree = rows[v]!.filter((u) => u !== v && inside.includes(u)).length;
          return 1 + diagLambda / (degree + 1);
        });
        expect(relative(sums, want)).toBeLessThan(TOLERANCE);
      }
      expect(b).toBe(3);
      arena.destroy();
      s.engine.destroy();
    }
  });

  test("repeat after the epochs that were drawn", () => {
    const s = setting(graph, "gcn", { hidden: 4 });
    const partition = partitionOf(graph, Array.from({ length: n }, (_, v) => v % 5), 5);
    const source = batchSource(s, graph, draw(graph, "cluster", { epochs: 2 }, { partition }), train);
    const logits = (epoch: number) => steps(s, source, { epoch, training: false }).map((r) => r.logits);
    expect(logits(2)).toEqual(logits(0));
    expect(logits(3)).toEqual(logits(1));
    expect(logits(1)).not.toEqual(logits(0));
    s.engine.destroy();
  });

  test("of another number of hops than the model's layers are refused, with the fix", () => {
    const s = setting(graph, "gcn", { layers: 3 });
    const documents = draw(graph, "neighbor", { fanout: [2, 2], batchSize: 8 });
    expect(() => batchSource(s, graph, documents, train)).toThrow(
      "The sample has 2 hops and the model 3 layers, expected one hop per layer",
    );
    s.engine.destroy();
  });

  test("of another graph are refused", () => {
    const s = setting(graph, "gcn", {});
    const other = makeGraph({ ...parts, labels: labels.map(() => 0), numClasses: 3 });
    expect(() => batchSource(s, graph, draw(other, "full", {}), train)).toThrow(
      "was made from a graph with digest",
    );
    s.engine.destroy();
  });
});

test("a source of whole graphs is static, one of batches is not", () => {
  const s = setting(graphs[0]![1], "gcn", {});
  expect(fullSource(s, graphs[0]![1], train).isStatic).toBe(true);
  expect(batchSource(s, graphs[0]![1], draw(graphs[0]![1], "full", {}), train).isStatic).toBe(false);
  s.engine.destroy();
});
