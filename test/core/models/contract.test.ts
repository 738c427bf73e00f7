/** What every registered model owes. */
import { describe, expect, test } from "bun:test";
import { Engine, setThreads } from "../../../ffi/engine.ts";
import { buildDocument } from "../../../core/format/document.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { models } from "../../../core/models/mod.ts";
import { Init, type ModelEntry } from "../../../core/models/model.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import type { Tensor } from "../../../core/tensor/tensor.ts";
import type { Norm } from "../../../core/tensor/norm.ts";
import { crossEntropy } from "../../../core/tensor/ops/cross_entropy.ts";
import { checkAccepted } from "../../../core/train/job_checks.ts";
import { SampleFeed } from "../../../core/train/sampled.ts";
import { makeGraph, renumbered, sbmGraph } from "../_graphs.ts";
import { draw } from "../sampling/_graphs.ts";
import { expectNear } from "../tensor/_autograd.ts";
import { bytesOf, g6Features, g6Labels, g6Rows, graphInput, signatureOf } from "./_models.ts";

const parts = { rows: g6Rows, features: g6Features, labels: g6Labels };
const defaults = (entry: ModelEntry) => entry.params!.parse({}) as Record<string, unknown>;
/** Half of everything is dropped; four layers tell as much as sixty-four. */
const withDropout = (entry: ModelEntry) => {
  const layers = (defaults(entry) as { layers?: number }).layers;
  const few = layers === undefined ? {} : { layers: Math.min(layers, 4) };
  return entry.params!.parse({ dropout: 0.5, ...few }) as Record<string, unknown>;
};

interface Built {
  readonly engine: Engine;
  readonly logits: (training: boolean) => number[];
  readonly step: () => string[];
  /** The bytes of a recorded forward pass, and of its replay after everything it made was overwritten. */
  readonly forwardTwice: () => [string, string];
  readonly parameters: string[];
  readonly matrices: string[];
  readonly shape: number[];
  readonly layersAsked: [number, number][];
}

/** A model on a whole graph, on an engine of its own. */
function build(
  entry: ModelEntry,
  graph: Graph,
  params = defaults(entry),
  { seed = 3, dtype = "F32" as "F32" | "F64" } = {},
): Built {
  const engine = new Engine(), arena = engine.arena();
  engine.setStep(seed, 0, 0);
  const model = entry.build(new Init(engine, dtype), signatureOf(graph), params, "logits");
  const input = graphInput(engine, arena, graph, dtype, entry.operator(params));
  const layersAsked: [number, number][] = [];
  const watched = {
    ...input,
    operator(layer: number, count: number, kind?: Norm) {
      layersAsked.push([layer, count]);
      return input.operator(layer, count, kind);
    },
  };
  const forward = (training: boolean) => model.forward(new Tape(engine, arena, training), watched);
  const shape = forward(false).shape;
  const asked = layersAsked.slice();
  return {
    engine,
    shape,
    layersAsked: asked,
    parameters: model.parameters.map(bytesOf),
    matrices: model.parameters.filter((p) => p.shape.length === 2).map(bytesOf),
    logits: (training) => forward(training).toNumbers(),
    forwardTwice() {
      const own = engine.arena();
      let out: Tensor | undefined;
      const program = engine.record(() => out = model.forward(new Tape(engine, own, true), input));
      const before = bytesOf(out!);
      out!.set(new Array<number>(out!.size).fill(7));
      program.replay();
      return [before, bytesOf(out!)];
    },
    step() {
      const tape = new Tape(engine, arena, true);
      const logits = model.forward(tape, input);
      const loss = crossEntropy(tape, logits, arena.bind(graph.labels()!));
      return [logits, loss, ...tape.grad(loss, model.parameters).map((g) => g!)].map(bytesOf);
    },
  };
}

const large = sbmGraph({
  nodes: 3000,
  degree: 6,
  classes: 4,
  features: 20,
  trainPerClass: 0,
  valPerClass: 0,
});

describe.each([...models])("$name", (entry) => {
  test("its options have defaults and descriptions, and unknown ones are refused", () => {
    const params = defaults(entry);
    expect(Object.keys(params).sort()).toEqual(Object.keys(entry.params!.shape).sort());
    for (const [name, schema] of Object.entries(entry.params!.shape)) {
      expect([name, (schema as { description?: string }).description ?? ""]).not.toEqual([name, ""]);
    }
    expect(() => entry.params!.parse({ unheard: 1 })).toThrow();
    expect(() => entry.params!.parse({ dropout: 1 })).toThrow();
    expect(entry.summary).not.toBe("");
    expect(entry.source).not.toBe("");
  });

  test.each([false, true])(
    "gives one finite row of scores per node of G6 (sparse features: %s)",
    (sparse) => {
      const { shape, logits, engine } = build(entry, makeGraph({ ...parts, sparse }));
      expect(shape).toEqual([6, 2]);
      expect(logits(false).every(Number.isFinite)).toBe(true);
      // Dense and sparse features are the same numbers.
      const other = build(entry, makeGraph({ ...parts, sparse: !sparse }));
      expectNear(logits(false), other.logits(false), 1e-6);
      engine.destroy();
      other.engine.destroy();
    },
  );

  test("is a function of the seed", () => {
    const [a, b, c] = [3, 3, 4].map((seed) =>
      build(entry, makeGraph(parts), withDropout(entry), { seed })
    ) as [Built, Built, Built];
    expect(b.parameters).toEqual(a.parameters);
    expect(b.logits(true)).toEqual(a.logits(true));
    expect(c.parameters).not.toEqual(a.parameters);
    // Every matrix is its own draw.
    expect(new Set(a.matrices).size).toBe(a.matrices.length);
    [a, b, c].forEach(({ engine }) => engine.destroy());
  });

  test("gives the same bytes on 1 and 2 threads, gradients included", () => {
    const { step, engine } = build(entry, large, withDropout(entry));
    try {
      setThreads(1);
      const one = step();
      setThreads(2);
      expect(step()).toEqual(one);
    } finally {
      setThreads(0);
      engine.destroy();
    }
  });

  test("asks for one operator per hop, from the input on", () => {
    const { layersAsked, engine } = build(entry, makeGraph(parts));
    const hops = entry.accepts.hops(defaults(entry));
    // A layer may ask for operators of several kinds.
    const asked = layersAsked.filter(([layer], k) => k === 0 || layer !== layersAsked[k - 1]![0]);
    expect(asked).toEqual(Array.from({ length: hops }, (_, layer) => [layer, hops]));
    engine.destroy();
  });

  test("does not depend on the order of the nodes, dropout included", () => {
    const order = [4, 2, 0, 5, 1, 3];
    const params = withDropout(entry);
    for (const sparse of [false, true]) {
      // Entries of a sparse row are dropped by their place in the row, which renumbering nodes does not touch.
      const a = build(entry, makeGraph({ ...parts, sparse }), params, { dtype: "F64" });
      const b = build(entry, makeGraph(renumbered({ ...parts, sparse }, order)), params, { dtype: "F64" });
      const rows = a.logits(true), moved = b.logits(true);
      // The same sums in another order: roundings of 2^-53 of numbers of size 1.
      expectNear(moved, order.flatMap((old) => rows.slice(2 * old, 2 * old + 2)), 1e-13);
      expect(rows).not.toEqual(a.logits(false));
      a.engine.destroy();
      b.engine.destroy();
    }
  });

  test("runs on graphs without edges, without nodes and with isolated nodes", () => {
    const isolated = [[1], [0], []], features = [[1, 0, 2], [0, 1, 1], [3, 1, 0]];
    for (const rows of [isolated, [[], [], []], []]) {
      const none = { name: "feat", dtype: "F32", shape: [0, 3], data: new Float32Array(0) } as const;
      const own = rows.length ? { features } : { tensors: [none], meta: { num_features: 3 } };
      const graph = makeGraph({ rows, numClasses: 2, ...own });
      const { engine, shape, logits } = build(entry, graph, withDropout(entry));
      expect(shape).toEqual([rows.length, 2]);
      for (const training of [false, true]) expect(logits(training).every(Number.isFinite)).toBe(true);
      engine.destroy();
    }
  });

  test("gives hidden representations of the width that it says", () => {
    const graph = makeGraph(parts), engine = new Engine(), arena = engine.arena();
    const params = defaults(entry);
    const model = entry.build(new Init(engine), signatureOf(graph), params, "hidden");
    const input = graphInput(engine, arena, graph, "F32", entry.operator(params));
    expect(model.forward(new Tape(engine, arena, false), input).shape).toEqual([6, model.width]);
    const names = [...model.parameters, ...model.buffers ?? []].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    engine.destroy();
  });

  test("norms of a graph's nodes do not see the other graphs of a batch", () => {
    const params = {
      ...withDropout(entry),
      ...("layerNorm" in entry.params!.shape ? { layerNorm: "graph" } : {}),
    };
    const shifted = g6Rows.map((row) => row.map((u) => u + 6));
    const scaled = g6Features.map((row) => row.map((v) => 2 * v - 1));
    const both = makeGraph({
      rows: [...g6Rows, ...shifted],
      features: [...g6Features, ...scaled],
      numClasses: 2,
      tensors: [{ name: "graph_ptr", dtype: "I64", shape: [3], data: BigInt64Array.of(0n, 6n, 12n) }],
      meta: { num_graphs: 2 },
    });
    const built = [both, makeGraph({ rows: g6Rows, features: g6Features, numClasses: 2 })].map((graph) =>
      build(entry, graph, params, { dtype: "F64" })
    );
    const [together, alone] = built.map(({ logits }) => logits(false)) as [number[], number[]];
    expectNear(together.slice(0, 12), alone, 1e-12);
    built.forEach(({ engine }) => engine.destroy());
  });

  test("a recorded step gives the bytes of a fresh one", () => {
    const graph = makeGraph(parts);
    const { engine, forwardTwice } = build(entry, graph, withDropout(entry));
    const [first, replayed] = forwardTwice();
    expect(replayed).toEqual(first);
    engine.destroy();
  });

  test("accepts caches and samples as it says, and refuses the others with its reason", () => {
    const graph = makeGraph({ ...parts, split: { train: [0, 5] } });
    const cache = buildDocument({
      kind: "cache",
      meta: {
        layout: "propagated",
        graph: graph.digest,
        hops: 1,
        norm: "sym",
        feat_norm: "none",
        num_nodes: 6,
        num_features: 3,
        model_use: "",
      },
      tensors: [{ name: "feat", dtype: "F32", shape: [6, 3], data: Float32Array.from(g6Features.flat()) }],
      provenance: [],
    });
    const samples = SampleFeed.open(graph, draw(graph, "full", {}), () => null)!;
    const attempt = (given: { cache?: typeof cache; samples?: typeof samples }) => () =>
      checkAccepted({
        model: entry,
        modelParams: defaults(entry),
        cache: given.cache ?? null,
        samples: given.samples ?? null,
      });
    const { propagated, batches } = entry.accepts;
    attempt({})();
    for (const [given, reason] of [[{ cache }, propagated], [{ samples }, batches]] as const) {
      if (reason === null) attempt(given)();
      else expect(attempt(given)).toThrow(reason);
    }
  });
});

test("models that read features only accept propagated ones, the others batches", () => {
  for (const entry of models) {
    const featuresOnly = entry.accepts.hops(defaults(entry)) === 0;
    expect([entry.name, entry.accepts.propagated === null, entry.accepts.batches === null]).toEqual([
      entry.name,
      featuresOnly,
      !featuresOnly,
    ]);
  }
});
