/** Every model that accepts batches: where they hold everything, they give what the whole graph gives. */
import { describe, expect, test } from "bun:test";
import { models } from "../../../core/models/mod.ts";
import { type GraphParts, makeGraph } from "../_graphs.ts";
import { draw, partitionOf, randomRows } from "../sampling/_graphs.ts";
import { randoms } from "../tensor/_autograd.ts";
import { batchSource, fullSource, setting, type StepResult, steps } from "../train/_train.ts";

const n = 30;
/** Both directions of random arcs, without self-loops; some nodes have none. */
const rows = (() => {
  const sets = Array.from({ length: n }, () => new Set<number>());
  randomRows(n, 2).forEach((row, v) =>
    row.filter((u) => u !== v && u % 9 !== 4 && v % 9 !== 4).forEach((u) => {
      sets[v]!.add(u);
      sets[u]!.add(v);
    })
  );
  return sets.map((set) => [...set].sort((a, b) => a - b));
})();
const features = Array.from({ length: n }, (_, v) => randoms(5, `features ${v}`).map(Math.fround));
const train = Array.from({ length: n }, (_, v) => v).filter((v) => v % 2 === 0);
const labels = Array.from({ length: n }, (_, v) => v % 3);
const parts: GraphParts = { rows, features, labels, numClasses: 3, split: { train } };
const graph = makeGraph(parts);

const relative = (got: readonly number[], want: readonly number[]) =>
  Math.max(0, ...got.map((v, i) => Math.abs(v - want[i]!))) / Math.max(1e-3, ...want.map(Math.abs));
// Float32 sums of at most 30 terms in another order, through three layers and back.
const TOLERANCE = 2e-5;

/** Small networks; norms whose statistics go over the batch are left out, as a block is another batch. */
const variants: [string, Record<string, unknown>][] = [
  ["gcn", { hidden: 6, residual: "linear", jk: "cat", layers: 3 }],
  ["sage", { hidden: 6 }],
  ["sage", { hidden: 6, aggregator: "max", residual: "identity", layers: 3 }],
  ["sage", { hidden: 6, aggregator: "pool", layerNorm: "layer" }],
  ["gcn", { hidden: 6, norm: "row", diagLambda: 0.5 }],
  ["gcn", { hidden: 6, norm: "row", diagLambda: -1 }],
  ["gcn", { hidden: 6, addIdentity: true }],
  ["cluster-gcn", { hidden: 6, layers: 3 }],
  ["gat", { hidden: 3, heads: 2, jk: "max" }],
  ["gatv2", { hidden: 3, heads: 2, outputHeads: 2 }],
  ["gin", { hidden: 6, layers: 2, layerNorm: "none", dropout: 0.3, trainEps: true }],
  ["appnp", { hidden: 6, hops: 3 }],
  ["gcnii", { hidden: 6, layers: 3 }],
  ["h2gcn", { hidden: 4, hops: 2 }],
];

test("every model that accepts batches has a variant here", () => {
  const accepting = [...models].filter(({ accepts }) => accepts.batches === null).map(({ name }) => name);
  expect([...new Set(variants.map(([name]) => name))].sort()).toEqual(accepting.sort());
});

function whole(name: string, options: Record<string, unknown>): StepResult {
  const s = setting(graph, name, options);
  const [result] = steps(s, fullSource(s, graph, train));
  s.engine.destroy();
  return result!;
}

describe.each(variants)("%s %j", (name, options) => {
  test("one cluster of everything gives the bytes of the whole graph, dropout included", () => {
    const s = setting(graph, name, options);
    const partition = partitionOf(graph, new Array<number>(n).fill(0), 1);
    const results = steps(s, batchSource(s, graph, draw(graph, "cluster", {}, { partition }), train));
    expect(results).toEqual([whole(name, options)]);
    s.engine.destroy();
  });
});

describe.each(variants.filter(([name]) => name !== "h2gcn"))("%s %j", (name, options) => {
  test("blocks of all neighbours give the gradients of the whole graph, dropout included", () => {
    const s = setting(graph, name, options);
    const fanout = new Array<number>(s.layers).fill(-1);
    const documents = draw(graph, "neighbor", { fanout, batchSize: n, split: "train" });
    const [got] = steps(s, batchSource(s, graph, documents, train)), want = whole(name, options);
    expect(Math.abs(got!.loss - want.loss)).toBeLessThan(TOLERANCE * want.loss);
    got!.gradients.forEach((g, k) => expect(relative(g, want.gradients[k]!)).toBeLessThan(TOLERANCE));
    s.engine.destroy();
  });
});

test("h2gcn refuses sampled blocks, which do not hold two hops", () => {
  const s = setting(graph, "h2gcn", { hops: 2 });
  const documents = draw(graph, "neighbor", { fanout: [2, 2], batchSize: n, split: "train" });
  expect(() => steps(s, batchSource(s, graph, documents, train))).toThrow("nodes two hops away");
  s.engine.destroy();
});
