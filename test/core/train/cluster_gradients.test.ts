/**
 * Batches of clusters in float64: one part, or all parts in one batch, give the loss and the gradients of the whole
 * graph bit for bit, as their nodes come in the same order; gradients of single parts, weighted by their training nodes,
 * add up to those of the graph without the edges between parts, up to the order of sums.
 */
import { describe, expect, test } from "bun:test";
import { type Arena, Engine } from "../../../ffi/engine.ts";
import { NativeArray } from "../../../ffi/native.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { models } from "../../../core/models/mod.ts";
import { type ForwardInput, Init, type ModelEntry } from "../../../core/models/model.ts";
import type { SampledBatch } from "../../../core/sampling/batches.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { normalized } from "../../../core/tensor/norm.ts";
import { crossEntropy } from "../../../core/tensor/ops/cross_entropy.ts";
import { Pattern } from "../../../core/tensor/operator.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { batchOperators, type BlockOperators } from "../../../core/train/batch_operators.ts";
import { longs, makeGraph } from "../_graphs.ts";
import { graphInput, signatureOf } from "../models/_models.ts";
import { batchesOf, draw, partitionOf } from "../sampling/_graphs.ts";
import { randoms } from "../tensor/_autograd.ts";

const n = 48, k = 4;
const part = Array.from({ length: n }, (_, v) => (v * 7) % k);
const isLinked = (u: number, v: number) => u !== v && (u * v + 5 * (u + v)) % 6 === 0;
const all = Array.from({ length: n }, (_, v) => v);
const rows = all.map((v) => all.filter((u) => isLinked(u, v)));
const shared = {
  features: all.map((v) => randoms(6, `features ${v}`)),
  labels: all.map((v) => (v * v) % 3),
  numClasses: 3,
  split: { train: all.filter((v) => v % 3 !== 1) },
};
const graph = makeGraph({ ...shared, rows });
const isTrain = (v: number) => v % 3 !== 1;

const variants: [string, Record<string, unknown>][] = [
  ["gcn", { hidden: 5, layers: 3, dropout: 0 }],
  ["gcn", { hidden: 5, norm: "row", dropout: 0 }],
  ["cluster-gcn", { hidden: 5, layers: 4, dropout: 0 }],
  ["sage", { hidden: 5, dropout: 0 }],
];

/** The operators of square blocks in float64. */
const wide = (engine: Engine): BlockOperators => ({
  operator(arena, { numRows, numCols, indptr, indices }, _, kind) {
    const csr = { numRows, numCols, indptr, indices, values: null };
    return normalized(engine, arena, Pattern.of(arena, csr, true), null, kind, "F64");
  },
});

interface Result {
  readonly loss: number;
  readonly gradients: number[][];
  readonly trainNodes: number;
}

function run(
  name: string,
  options: Record<string, unknown>,
  make: (engine: Engine, arena: Arena, entry: ModelEntry) => {
    input: ForwardInput;
    nodes: readonly number[];
  },
): Result {
  const engine = new Engine(), arena = engine.arena(), entry = models.get(name);
  engine.setStep(1, 0, 0);
  const params = entry.params!.parse(options) as Record<string, unknown>;
  const model = entry.build(new Init(engine, "F64"), signatureOf(graph), params, "logits");
  const { input, nodes } = make(engine, arena, entry);
  const tape = new Tape(engine, arena, true);
  const logits = model.forward(tape, input);
  const labels = NativeArray.from<"I32">(Int32Array.from(nodes, (v) => shared.labels[v]!));
  const chosen = nodes.flatMap((v, i) => isTrain(v) ? [i] : []);
  const loss = crossEntropy(tape, logits, arena.bind(labels), {
    index: arena.bind(NativeArray.from<"I64">(longs(chosen))),
  });
  const gradients = tape.grad(loss, model.parameters).map((g) => g!.toNumbers());
  const result = { loss: loss.item(), gradients, trainNodes: chosen.length };
  engine.destroy();
  return result;
}

const paramsOf = (name: string, options: Record<string, unknown>) =>
  models.get(name).params!.parse(options) as Record<string, unknown>;

const onWhole = (g: Graph, name: string, options: Record<string, unknown>) =>
  run(name, options, (engine, arena, entry) => ({
    input: graphInput(engine, arena, g, "F64", entry.operator(paramsOf(name, options))),
    nodes: all,
  }));

const onBatch = (batch: SampledBatch, name: string, options: Record<string, unknown>) =>
  run(name, options, (engine, arena, entry) => {
    const norm = entry.operator(paramsOf(name, options)),
      { features } = graphInput(engine, arena, graph, "F64", norm);
    const x = arena.tensor("F64", [batch.nodes.length, 6]);
    engine.run("gather", {
      x: (features as Tensor).handle,
      index: arena.bind(batch.nodes as NativeArray),
      out: x,
    });
    return {
      input: {
        features: new Tensor(x),
        operator: batchOperators(arena, batch, norm, wide(engine)),
        ids: null,
        graphs: null,
      },
      nodes: batch.nodes.toNumbers(),
    };
  });

const drawn = (parts: readonly number[], numParts: number, partsPerBatch: number) =>
  batchesOf(draw(graph, "cluster", { partsPerBatch }, { partition: partitionOf(graph, parts, numParts) }));

describe.each(variants)("%s %j in float64", (name, options) => {
  test("one part, and all parts in one batch, give the loss and gradients of the whole graph exactly", () => {
    const want = onWhole(graph, name, options);
    expect(want.gradients.flat().some((g) => Math.abs(g) > 1e-3)).toBe(true);
    for (const batches of [drawn(all.map(() => 0), 1, 1), drawn(part, k, k)]) {
      expect(batches.length).toBe(1);
      expect(onBatch(batches[0]!, name, options)).toEqual(want);
    }
  });

  test("single parts give the gradients of the graph without the edges between them", () => {
    const cut = makeGraph({ ...shared, rows: rows.map((row, v) => row.filter((u) => part[u] === part[v])) });
    const want = onWhole(cut, name, options), parts = drawn(part, k, 1).map((b) => onBatch(b, name, options));
    expect(parts.length).toBe(k);
    const sum = (f: (r: Result) => number) =>
      parts.reduce((total, r) => total + f(r) * r.trainNodes / want.trainNodes, 0);
    // Sums of fewer than 100 float64 terms in another order.
    expect(Math.abs(sum((r) => r.loss) - want.loss)).toBeLessThan(1e-13);
    want.gradients.forEach((g, p) =>
      g.forEach((v, i) => expect(Math.abs(sum((r) => r.gradients[p]![i]!) - v)).toBeLessThan(1e-13))
    );
    // Two parts at a time keep edges between them, so that their gradients are others.
    const pairs = drawn(part, k, 2).map((b) => onBatch(b, name, options));
    expect(
      pairs.some((r) =>
        r.gradients.some((g, p) => g.some((v, i) => Math.abs(v - want.gradients[p]![i]!) > 1e-3))
      ),
    )
      .toBe(true);
  });
});
