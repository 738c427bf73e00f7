import { describe, expect, test } from "bun:test";
import { Engine, setThreads } from "../../../ffi/engine.ts";
import { NativeArray } from "../../../ffi/native.ts";
import type { Document } from "../../../core/format/document.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { models } from "../../../core/models/mod.ts";
import { Init } from "../../../core/models/model.ts";
import { taskFor, tasks } from "../../../core/tasks/mod.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { crossEntropy } from "../../../core/tensor/ops/cross_entropy.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { evaluate, withModel } from "../../../core/train/evaluate.ts";
import { forwardPieces, GraphSlices, piecesOf, pointerOf } from "../../../core/train/graph_batches.ts";
import { Run, type RunHooks, type TrainJob } from "../../../core/train/job.ts";
import type { EpochRecord } from "../../../core/train/run.ts";
import { caught } from "../_errors.ts";
import { longs, makeGraph } from "../_graphs.ts";
import { cyclesAndStars, makeMany, reordered } from "../_many.ts";
import { graphInput, signatureOf } from "../models/_models.ts";
import { differences, engine, expectNear, fixed, randoms, withTape } from "../tensor/_autograd.ts";
import { copied, job } from "../train/_train.ts";

const task = tasks.get("graph");
const options = (o: Record<string, unknown> = {}) => task.params!.parse(o) as Record<string, unknown>;

const parts = cyclesAndStars(40);
const many = makeMany(parts);

/** A job of the task on small models. */
const jobOf = (
  graph: Graph,
  { name = "gin", model = {}, head = {}, train = {} }: {
    name?: string;
    model?: Record<string, unknown>;
    head?: Record<string, unknown>;
    train?: Record<string, unknown>;
  } = {},
  rest: Partial<TrainJob> = {},
): TrainJob =>
  job(graph, name, { epochs: 4, weightDecay: 0, ...train }, {
    task,
    taskParams: options({ batchSize: 8, ...head }),
    params: { hidden: 8, layers: 2, ...model },
    ...rest,
  });

async function train(j: TrainJob, hooks: RunHooks = {}, seed = 1) {
  const run = Run.start(j, seed), records: EpochRecord[] = [];
  try {
    const result = await run.train({ ...hooks, onEpoch: (_, record) => records.push(record) });
    return { document: copied(run.document([])), result, records };
  } finally {
    run.close();
  }
}

const scoresOf = (graph: Graph, model: Document): number[][] =>
  withModel(graph, model, null, (opened) => {
    const prediction = opened.task.predict(opened);
    if (prediction.items !== "graphs") throw new Error(prediction.items);
    const { scores, width } = prediction.outputs, flat = scores.toNumbers();
    return Array.from({ length: prediction.count }, (_, g) => flat.slice(g * width, (g + 1) * width));
  });

describe("what is a graph task", () => {
  test("a data set with labels or targets of graphs, and none of nodes", () => {
    expect(taskFor(many, "auto").name).toBe("graph");
    const both = makeMany({
      ...parts,
      tensors: [{ name: "label", dtype: "I32", shape: [many.numNodes], data: new Int32Array(many.numNodes) }],
    });
    expect(taskFor(both, "auto").name).toBe("node");
    expect(taskFor(both, "graph").name).toBe("graph");
    const plain = makeGraph({ rows: [[1], [0]], labels: [0, 1] });
    expect(caught(() => taskFor(plain, "graph")).message).toContain(
      "it has no labels or targets of its graphs",
    );
  });

  test("where nodes have classes too, those of graphs are counted by themselves", () => {
    const label = {
      name: "label",
      dtype: "I32" as const,
      shape: [many.numNodes],
      data: new Int32Array(many.numNodes),
    };
    expect(task.outputs(makeMany({ ...parts, numClasses: 9, tensors: [label] }), options())).toEqual({
      kind: "classes",
      width: 2,
    });
    expect(task.outputs(makeMany({ ...parts, numClasses: 9 }), options()).width).toBe(9);
  });

  test("options of another pooling are refused, and bad ones", () => {
    const paths = (o: Record<string, unknown>) =>
      task.params!.safeParse(o).error?.issues.map(({ path }) => path.join());
    expect(paths({ pool: "mean", poolRatio: 0.3 })).toEqual(["poolRatio"]);
    expect(paths({ pool: "top-k", poolRatio: 0.3 })).toBeUndefined();
    expect(paths({ pool: "top-k", poolRatio: 0 })).toEqual(["poolRatio"]);
    expect(paths({ headLayers: 0, batchSize: -1, pool: "average" })).toEqual([
      "pool",
      "headLayers",
      "batchSize",
    ]);
  });
});

describe("the forward pass", () => {
  test("is the model's hidden rows, pooled, times the head: against plain arithmetic", () => {
    const graphs = [
      { rows: [[1], [0]], features: [[1, 2], [3, -1]], label: 0 },
      { rows: [], features: [], label: 1 },
      { rows: [[]], features: [[-2, 0.5]], label: 1 },
    ];
    const graph = makeMany({ graphs });
    engine.setStep(3, 0, 0);
    const mlp = models.get("mlp"),
      params = mlp.params!.parse({ layers: 1, hidden: 3, dropout: 0 }) as Record<string, unknown>;
    const model = task.build(
      new Init(engine, "F64"),
      mlp,
      signatureOf(graph),
      params,
      options({ headDropout: 0 }),
    );
    for (const p of model.parameters) p.set(randoms(p.size, p.name));
    const [w, b, head, offset] = model.parameters.map((p) => p.toNumbers()) as [
      number[],
      number[],
      number[],
      number[],
    ];
    const want = graphs.flatMap(({ features }) => {
      const pooled = [0, 1, 2].map((j) =>
        features.reduce((sum, [f, h]) => sum + Math.max(0, f! * w[j]! + h! * w[3 + j]! + b[j]!), 0)
      );
      return [0, 1].map((c) => pooled.reduce((sum, x, j) => sum + x * head[2 * j + c]!, offset[c]!));
    });
    const input = graphInput(engine, fixed, graph, "F64", "sym");
    const ptr = { ptr: fixed.bind(pointerOf(graph)), count: 3, ids: null };
    withTape((tape) => expectNear(model.forward(tape, { ...input, graphs: ptr }).toNumbers(), want, 1e-14));
  });

  test.each([
    ["gin", { layerNorm: "graph" }, { headLayers: 2, headHidden: 3 }],
    ["gin", { layerNorm: "batch", jk: "cat" }, { pool: "mean" }],
    ["gcn", {}, { pool: "attention" }],
    ["gcn", { layerNorm: "instance" }, { pool: "top-k", poolReadout: "sum" }],
  ])("of %s %j %j has the gradient of central differences, with dropout", (name, model, head) => {
    const small = cyclesAndStars(4, 7), graph = makeMany({ ...small, numClasses: 2 });
    const entry = models.get(name);
    const params = entry.params!.parse({ hidden: 4, layers: 2, activation: "tanh", ...model }) as Record<
      string,
      unknown
    >;
    engine.setStep(11, 0, 0);
    const built = task.build(
      new Init(engine, "F64"),
      entry,
      signatureOf(graph),
      params,
      options({ headDropout: 0.25, ...head }),
    );
    for (const p of built.parameters) if (/bias|beta/.test(p.name)) p.set(randoms(p.size, p.name));
    const input = {
      ...graphInput(engine, fixed, graph, "F64", entry.operator(params)),
      graphs: {
        ptr: fixed.bind(pointerOf(graph)),
        count: 4,
        ids: fixed.bind(NativeArray.from<"I64">(longs([7, 3, 9, 1]))),
      },
    };
    const label = fixed.bind(graph.document.tensor("graph_label", "I32"));
    const loss = (tape: Tape) => crossEntropy(tape, built.forward(tape, input), label);
    const gradients = withTape((tape) => tape.grad(loss(tape), built.parameters).map((g) => g!.toNumbers()));
    const value = () => withTape((tape) => loss(tape).item()), h = 2 ** -17;
    // Rounding and curvature are 1e-11 each where third derivatives stay below 10; norms of few rows have larger ones.
    differences(built.parameters, value, h).forEach((want, k) =>
      expectNear(gradients[k]!, want, 2e-8, built.parameters[k]!.name)
    );
    expect(gradients.flat().some((g) => Math.abs(g) > 1e-3)).toBe(true);
  });
});

describe("batches of graphs", () => {
  /** Outputs of a fresh model on chosen graphs, in evaluation or in training. */
  function outputs(
    graph: Graph,
    chosen: readonly (readonly number[])[],
    training: boolean,
    layerNorm = "graph",
    name = "gin",
  ) {
    const own = new Engine(), arena = own.arena();
    own.setStep(2, 3, 4);
    const entry = models.get(name),
      params = entry.params!.parse({ hidden: 8, layers: 3, layerNorm, dropout: 0.3 }) as Record<
        string,
        unknown
      >;
    const model = task.build(new Init(own), entry, signatureOf(graph), params, options());
    const features = graphInput(own, arena, graph, "F32", entry.operator(params)).features;
    const slices = new GraphSlices(own, graph, features, entry.operator(params));
    const rows = chosen.flatMap((list) => {
      const input = slices.input(arena, NativeArray.from<"I64">(longs(list)));
      const flat = model.forward(new Tape(own, arena, training), input).toNumbers();
      return list.map((g, i) => [g, flat.slice(2 * i, 2 * i + 2)] as const);
    });
    own.destroy();
    return rows.toSorted(([a], [b]) => a - b).map(([, row]) => row);
  }
  const all = Array.from({ length: 40 }, (_, g) => g);
  const singles = all.map((g) => [g]);

  test.each([["dense", false], ["sparse", true]] as const)(
    "are the same bytes as graph by graph, dropout and norms included (%s features)",
    (_, sparse) => {
      const graph = makeMany({ ...parts, sparse });
      for (const training of [false, true]) {
        const whole = outputs(graph, [all], training);
        expect(outputs(graph, singles, training)).toEqual(whole);
        expect(outputs(graph, [all.toReversed()], training)).toEqual(whole);
        expect(outputs(graph, [all.slice(20), all.slice(0, 20)], training)).toEqual(whole);
      }
      expect(outputs(graph, [all], true)).not.toEqual(outputs(graph, [all], false));
    },
  );

  test("differ by the batch where the norm is over the batch, and in training alone", () => {
    expect(outputs(many, singles, false, "batch")).toEqual(outputs(many, [all], false, "batch"));
    expect(outputs(many, singles, true, "batch")).not.toEqual(outputs(many, [all], true, "batch"));
  });

  test("work for a model of features alone and for operators with weights", () => {
    expect(outputs(many, singles, true, "none", "mlp")).toEqual(outputs(many, [all], true, "none", "mlp"));
    expect(outputs(many, singles, true, "none", "gat")).toEqual(outputs(many, [all], true, "none", "gat"));
  });

  test("cut the scoring into pieces of bounded size without a difference", async () => {
    const { document } = await train(jobOf(many));
    const whole = scoresOf(many, document);
    withModel(many, document, null, ({ engine, arena, model, input, norm }) => {
      const ptr = pointerOf(many);
      expect(piecesOf(ptr)).toEqual([[0, 40]]);
      for (const most of [1, 30, 100]) {
        const pieces = piecesOf(ptr, most), out = arena.tensor("F32", [40, 2]);
        expect(pieces.flatMap(([first, end]) => all.slice(first, end))).toEqual(all);
        expect(pieces.length).toBeGreaterThan(1);
        forwardPieces(engine, model, new GraphSlices(engine, many, input.features, norm), pieces, out);
        const logits = new Tensor(out).toNumbers();
        const softmax = all.map((g) => 1 / (1 + Math.exp(logits[2 * g]! - logits[2 * g + 1]!)));
        expectNear(softmax, whole.map((row) => row[1]!), 1e-6);
      }
    });
  });
});

describe("splits", () => {
  const split = (graph: Graph, o: Record<string, unknown> = {}) => {
    const s = task.split(graph, {
      split: "file",
      splitIndex: 0,
      trainPerClass: 20,
      valPerClass: 30,
      valShare: 0.25,
      testShare: 0.25,
      seed: 1,
      ...o,
    });
    return [s.train, s.val, s.test].map((items) => Array.from(items, Number));
  };
  const labels = parts.graphs.map(({ label }) => label!);
  const classes = (items: readonly number[]) =>
    [0, 1].map((c) => items.filter((g) => labels[g] === c).length);

  test("a fold's validation part is a share of every class of its training graphs, by seed and fold", () => {
    expect(task.numSplits(many)).toBe(2);
    const [train, val, test] = split(many) as [number[], number[], number[]];
    expect(test).toEqual(parts.folds![0]!.test as number[]);
    expect([...train, ...val].sort((a, b) => a - b)).toEqual(parts.folds![0]!.train as number[]);
    expect(classes(val)).toEqual(classes(parts.folds![0]!.train!).map((n) => Math.round(n / 4)));
    expect(split(many)[1]).toEqual(val);
    expect(split(many, { seed: 2 })[1]).not.toEqual(val);
    expect(split(many, { splitIndex: 1 })[2]).toEqual(parts.folds![1]!.test as number[]);
    expect(split(many, { valShare: 0 })[1]).toEqual([]);
    expect(caught(() => split(many, { splitIndex: 2 })).message).toMatch(
      /Fold 2 of .*: it stores 2 folds, numbered from 0/,
    );
  });

  test("a stored validation part is taken as it is", () => {
    const stored = makeMany({ ...parts, folds: [{ train: [0, 1, 2], val: [3], test: [4, 5] }] });
    expect(split(stored)).toEqual([[0, 1, 2], [3], [4, 5]]);
  });

  test("a random split takes shares of every class, and leaves graphs without a label out", () => {
    const some = makeMany({
      ...parts,
      folds: [],
      graphs: parts.graphs.map((g, i) => i < 4 ? { ...g, label: -1 } : g),
    });
    const got = split(some, { split: "random" }) as [number[], number[], number[]];
    expect(got.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 36 }, (_, i) => i + 4));
    const rest = classes(got.flat());
    expect(classes(got[1])).toEqual(rest.map((n) => Math.round(n / 4)));
    expect(classes(got[2])).toEqual(rest.map((n) => Math.round(n / 4)));
    expect(caught(() => split(many, { split: "random", valShare: 0.5, testShare: 0.5 })).code).toBe("usage");
  });

  test("without folds a random split has to be asked for", () => {
    const error = caught(() => split(makeMany({ ...parts, folds: [] })));
    expect(error.code).toBe("missing");
    expect(error.hint).toContain("--split random");
  });
});

describe("training", () => {
  test("tells cycles from stars, and eval and predict agree with it", async () => {
    const { document, result, records } = await train(jobOf(many, { train: { epochs: 30 } }));
    expect(result.test!).toBeGreaterThanOrEqual(0.75); // 0.5 by chance
    expect(records[0]!.batches).toBe(4); // 29 graphs, at most 8 at once
    const evaluation = evaluate(many, document, null, "test");
    expect([evaluation.items, evaluation.count]).toEqual(["graphs", 8]);
    expect(evaluation.metrics["accuracy"]).toBe(result.test);
    const scores = scoresOf(many, document), test = parts.folds![0]!.test!;
    const right = test.filter((g) => Number(scores[g]![1]! > scores[g]![0]!) === parts.graphs[g]!.label);
    expect(right.length / test.length).toBe(result.test!);
    expect(evaluate(many, document, null, "all").count).toBe(40);
  });

  test("permuting the graphs permutes the predictions", async () => {
    const { document } = await train(jobOf(many)), order = Array.from({ length: 40 }, (_, i) => (i * 7) % 40);
    const moved = scoresOf(makeMany(reordered(parts, order)), document), were = scoresOf(many, document);
    expect(moved).toEqual(order.map((g) => were[g]!));
  });

  test("gives the same bytes on 1 and 2 threads, for batches and all at once, and depends on the seed", async () => {
    for (const batchSize of [0, 8]) {
      const once = async (threads: number, seed = 1) => {
        setThreads(threads);
        return (await train(jobOf(many, { head: { batchSize, pool: "attention" } }), {}, seed)).document
          .digest;
      };
      try {
        const one = await once(1);
        expect(await once(2)).toBe(one);
        expect(await once(2, 2)).not.toBe(one);
      } finally {
        setThreads(0);
      }
    }
  });

  test("all at once is one step an epoch, recorded; so is a batch size that all fit into", async () => {
    const a = await train(jobOf(many, { head: { batchSize: 0 } })),
      b = await train(jobOf(many, { head: { batchSize: 100 } }));
    expect(a.records.map(({ batches }) => batches)).toEqual([1, 1, 1, 1]);
    expect(b.records.map(({ loss }) => loss)).toEqual(a.records.map(({ loss }) => loss));
  });

  test("trains on its own graphs alone: what the others hold does not matter", async () => {
    const test = new Set(parts.folds![0]!.test);
    const graphs = parts.graphs.map((g, i) =>
      test.has(i) ? { ...g, features: g.features.map((row) => row.map((x) => 3 - 2 * x)) } : g
    );
    for (const batchSize of [0, 8]) {
      const options = { head: { batchSize }, train: { featNorm: "standard" } };
      const losses = async (graph: Graph) =>
        (await train(jobOf(graph, options))).records.map(({ loss }) => loss);
      expect(await losses(makeMany({ ...parts, graphs }))).toEqual(await losses(many));
    }
  });

  test("goes on from its document as if it had not stopped", async () => {
    const half = await train(jobOf(many, { train: { epochs: 3 } }));
    const rest = await train(jobOf(many, { train: { epochs: 6 } }), { resume: half.document });
    const whole = await train(jobOf(many, { train: { epochs: 6 } }));
    const weights = (d: Document) =>
      [...d.names].filter((n) => /^(param|best)\//.test(n)).map((n) => d.tensor(n).toNumbers());
    expect(weights(rest.document)).toEqual(weights(whole.document));
    expect(rest.result.best_epoch).toBe(whole.result.best_epoch);
  });

  test("learns numbers too", async () => {
    const graphs = parts.graphs.map(({ label: _, ...g }) => ({ ...g, target: [g.rows.length / 10, 1] }));
    const graph = makeMany({ ...parts, graphs, numClasses: 0 });
    expect(taskFor(graph, "auto").name).toBe("graph");
    const { result, document } = await train(
      jobOf(graph, { train: { epochs: 60 }, head: { headDropout: 0 } }, { lossParams: {} }),
    );
    const { kind, metrics } = evaluate(graph, document, null, "test");
    expect(kind).toBe("values");
    expect(metrics["mae"]).toBeLessThan(0.2); // sizes are 0.4 to 0.9
    expect(result.val).not.toBeNull();
  });
});

describe("degenerate data sets", () => {
  const one = { rows: [[]], features: [[1, 0.5]] }, none = { rows: [], features: [] };
  const edgeless = { rows: [[], [], []], features: [[1, 0], [0, 1], [1, 1]] };
  const pair = { rows: [[1], [0]], features: [[1, 0], [0, 1]] };
  const all = { train: [0, 1, 2, 3, 4], val: [0, 1], test: [2, 3, 4] };

  test.each([["sum"], ["mean"], ["max"], ["attention"], ["top-k"]])(
    "empty, single-node and edgeless graphs give finite scores with --pool %s and every norm",
    async (pool) => {
      const graphs = [none, one, edgeless, pair, none].map((g, i) => ({ ...g, label: i % 2 }));
      const graph = makeMany({ graphs, folds: [all] });
      for (const layerNorm of ["none", "batch", "layer", "instance", "graph", "pair"]) {
        for (const batchSize of pool === "sum" ? [0, 1, 2] : [2]) {
          const { document, result } = await train(
            jobOf(graph, { model: { layerNorm }, head: { pool, batchSize }, train: { epochs: 2 } }),
          );
          expect(scoresOf(graph, document).flat().every(Number.isFinite)).toBe(true);
          expect(result.epochs).toBe(2);
        }
      }
    },
  );

  test("graphs without nodes score by the head's bias alone", async () => {
    const graph = makeMany({
      graphs: [none, pair, none].map((g, i) => ({ ...g, label: i % 2 })),
      folds: [{ train: [0, 1], val: [2], test: [2] }],
    });
    const { document } = await train(jobOf(graph));
    const [a, , c] = scoresOf(graph, document), bias = document.tensor("best/head0.bias", "F32").toNumbers();
    expect(a).toEqual(c!);
    expectNear([a![0]!], [1 / (1 + Math.exp(bias[1]! - bias[0]!))], 1e-6);
  });

  test("only graphs without nodes, one class only, and labels that are not known", async () => {
    const empty = makeMany({
      graphs: [none, none].map((g, i) => ({ ...g, label: i })),
      folds: [{ train: [0, 1], test: [] }],
      width: 2,
      numClasses: 2,
      tensors: [{ name: "feat", dtype: "F32", shape: [0, 2], data: new Float32Array(0) }],
    });
    expect((await train(jobOf(empty))).result.epochs).toBe(4);
    const single = makeMany({
      graphs: [pair, one, edgeless].map((g) => ({ ...g, label: 0 })),
      folds: [{ train: [0, 1], val: [2], test: [2] }],
    });
    expect((await train(jobOf(single))).result.test).toBe(1);
    const unknown = makeMany({
      graphs: [{ ...pair, label: 0 }, one, { ...edgeless, label: 1 }, one],
      folds: [{ train: [0, 1, 2], test: [3] }],
    });
    const { result, document } = await train(jobOf(unknown));
    expect([result.val, result.test]).toEqual([null, null]);
    expect(document.tensor("split.train", "I64").toNumbers()).toEqual([0, 2]);
    expect(evaluate(unknown, document, null, "all").count).toBe(2);
  });

  test("a training split without known graphs, arcs between graphs and broken pointers are refused", async () => {
    const unknown = makeMany({ graphs: [{ ...pair, label: 0 }, one], folds: [{ train: [1], test: [0] }] });
    expect(caught(() => Run.start(jobOf(unknown), 1)).message).toContain("is empty");
    const crossing = makeGraph({
      rows: [[2], [], [0]],
      features: [[1], [1], [1]],
      numClasses: 2,
      tensors: [
        { name: "graph_ptr", dtype: "I64", shape: [3], data: longs([0, 2, 3]) },
        { name: "graph_label", dtype: "I32", shape: [2], data: Int32Array.of(0, 1) },
      ],
    });
    expect(caught(() => Run.start(jobOf(crossing, { train: { split: "random" } }), 1)).message).toContain(
      '2 arcs lead out of their graph, the first at position 0 of tensor "indices", to node 2',
    );
    const falling = makeGraph({
      rows: [[], []],
      features: [[1], [1]],
      numClasses: 2,
      tensors: [
        { name: "graph_ptr", dtype: "I64", shape: [4], data: longs([0, 2, 1, 2]) },
        { name: "graph_label", dtype: "I32", shape: [3], data: Int32Array.of(0, 1, 1) },
      ],
    });
    expect(caught(() => Run.start(jobOf(falling, { train: { split: "random" } }), 1)).message).toContain(
      '"graph_ptr"',
    );
  });
});
