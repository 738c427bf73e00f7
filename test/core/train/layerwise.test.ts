/** Inference layer by layer gives what one forward pass over the whole graph gives, whatever the chunks. */
import { beforeAll, describe, expect, test } from "bun:test";
import { NativeArray } from "../../../ffi/native.ts";
import { prepareFeatures, requireFeatures } from "../../../core/graph/features.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { models } from "../../../core/models/mod.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { fullInput } from "../../../core/train/full_batch.ts";
import { chunksOf, LayerwiseInference } from "../../../core/train/layerwise.ts";
import { scoresOf } from "../../../core/train/predictions.ts";
import { openTestDevice, testDevice } from "../../_device.ts";
import { makeGraph } from "../_graphs.ts";
import { randoms } from "../tensor/_autograd.ts";
import { type Setting, setting } from "./_train.ts";

beforeAll(openTestDevice);

const n = 40;
/** In-degrees 0 to 9 and one node that all others lead to; some nodes lie alone, some have self-loops. */
const rows = Array.from(
  { length: n },
  (_, v) =>
    Array.from({ length: n }, (_, u) => u).filter((u) =>
      v === 7 || (v % 9 !== 4 && u % 9 !== 4 && (u * 5 + 3 * v) % n < v % 10)
    ),
);
const features = Array.from({ length: n }, (_, v) => randoms(5, `features ${v}`).map(Math.fround));
const weights = rows.map((row, v) => row.map((u) => (u + v) % 4 === 0 ? 2 : 0.5));
const parts = { rows, features, labels: rows.map((_, v) => v % 3), numClasses: 3, directed: true };
const graphs: [string, Graph][] = [
  ["directed, with self-loops", makeGraph(parts)],
  ["weighted, under other ids", makeGraph({ ...parts, weights, ids: rows.map((_, v) => 1000 - v) })],
];

/** A node at a time, some, all: of these the emulated device, which takes milliseconds a kernel, gets the middle one. */
const chunkSizes = testDevice === "emulated" ? [500] : [1, 500, 1e9];

/** Small networks whose layers follow one another. */
const chains: [string, Record<string, unknown>][] = [
  ["gcn", { hidden: 6, layers: 3 }],
  ["gcn", { hidden: 6, norm: "row", residual: "linear", layerNorm: "layer", jk: "last" }],
  ["sage", { hidden: 6, residual: "identity", layers: 3 }],
  ["sage", { hidden: 6, aggregator: "pool" }],
  ["gcn", { hidden: 6, norm: "row", addIdentity: true }],
  ["cluster-gcn", { hidden: 6, layers: 3 }],
  ["gat", { hidden: 3, heads: 2 }],
  ["gatv2", { hidden: 3, heads: 2, outputHeads: 2 }],
  ["gin", { hidden: 6, layers: 2, jk: "none", trainEps: true }],
  ["appnp", { hidden: 6, hops: 3 }],
  ["appnp", { hidden: 6, hops: 0 }],
  ["gcnii", { hidden: 6, layers: 3 }],
  ["mlp", { hidden: 6, layers: 3 }],
];

test("every model is a chain here, or says that it is none", () => {
  const named = new Set(chains.map(([name]) => name));
  for (const { name } of models) {
    if (named.has(name)) continue;
    const s = setting(graphs[0]![1], name, {});
    expect(s.model.stages).toBeUndefined();
    expect(() => layerwise(s, graphs[0]![1], name, 64)).toThrow(`a layer of model "${name}"`);
    s.engine.destroy();
  }
});

test.each([["gcn", { jk: "cat" }], ["gin", {}], ["gcn", { layerNorm: "graph" }]] as const)(
  "%s %j is no chain",
  (name, options) => {
    const s = setting(graphs[0]![1], name, { hidden: 4, ...options });
    expect(s.model.stages).toBeUndefined();
    s.engine.destroy();
  },
);

function layerwise(s: Setting, graph: Graph, name: string, chunkBytes: number) {
  const features = { norm: "none", stats: null, stored: requireFeatures(graph), store: null } as const;
  const arena = s.engine.arena();
  return new LayerwiseInference(s.engine, arena, graph, s.model, name, s.norm, features, chunkBytes);
}

function whole({ engine, model, norm }: Setting, graph: Graph): number[] {
  const arena = engine.arena();
  const { input } = prepareFeatures(engine, arena, requireFeatures(graph), "none", null);
  const tape = new Tape(engine, arena, false);
  return scoresOf(tape, "classes", model.forward(tape, fullInput(engine, arena, graph, () => input, norm)))
    .toNumbers();
}

describe.each(graphs)("%s", (_, graph) => {
  describe.each(chains)("%s %j", (name, options) => {
    test.each(chunkSizes)("chunks of %d bytes", (chunkBytes) => {
      const s = setting(graph, name, options), wanted = whole(s, graph);
      const inference = layerwise(s, graph, name, chunkBytes);
      for (let round = 0; round < 2; round++) {
        const { scores, predicted, width, free } = inference.outputs("classes");
        expect(width).toBe(3);
        const got = scores.toNumbers();
        // Float32 sums of at most 40 terms in another order, through three layers.
        got.forEach((p, i) => expect(Math.abs(p - wanted[i]!)).toBeLessThan(2e-5));
        predicted!.toNumbers().forEach((c, v) =>
          expect(got[3 * v + c]).toBe(Math.max(...got.slice(3 * v, 3 * v + 3)))
        );
        free();
      }
      s.engine.destroy();
    });
  });
});

describe("chunksOf()", () => {
  const pointer = (degrees: readonly number[]) => {
    const ptr = [0];
    for (const d of degrees) ptr.push(ptr.at(-1)! + d);
    return NativeArray.from<"I64">(BigInt64Array.from(ptr, BigInt));
  };

  test("fills chunks up to the limit, a node that is larger stands alone", () => {
    expect(chunksOf(pointer([1, 1, 9, 0, 0, 2]), 4)).toEqual([0, 2, 3, 5, 6]);
  });
  test("one chunk where everything fits, none without nodes", () => {
    expect(chunksOf(pointer([3, 2]), 100)).toEqual([0, 2]);
    expect(chunksOf(pointer([]), 100)).toEqual([0]);
  });
});
