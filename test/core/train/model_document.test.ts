import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { Engine } from "../../../ffi/engine.ts";
import {
  buildDocument,
  type Document,
  type NewDocument,
  type NewTensor,
} from "../../../core/format/document.ts";
import { openFile } from "../../../core/format/read.ts";
import { writeFile } from "../../../core/format/write.ts";
import { propagatedDocument, propagatedParams } from "../../../core/cache/propagated.ts";
import { chosenItems, inferItems, scoreItems } from "../../../core/tasks/items.ts";
import { nodeTargets } from "../../../core/tasks/node.ts";
import type { Subset } from "../../../core/tasks/task.ts";
import { evaluate, withModel } from "../../../core/train/evaluate.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { Run, type TrainJob } from "../../../core/train/job.ts";
import { checkSignature, openModel } from "../../../core/train/model_document.ts";
import { freshDir } from "../../helpers.ts";
import { caught } from "../_errors.ts";
import { makeGraph, sbmGraph } from "../_graphs.ts";
import { expectNear } from "../tensor/_autograd.ts";
import { job } from "./_train.ts";

const graph = sbmGraph({
  nodes: 200,
  degree: 6,
  classes: 3,
  features: 10,
  trainPerClass: 12,
  valPerClass: 12,
  featureNoise: 2,
});

/** A trained model as a file. */
async function trained(
  j: TrainJob,
  seed = 1,
): Promise<
  { document: Document; path: string; result: Awaited<ReturnType<Run["train"]>>; made: NewDocument }
> {
  const run = Run.start(j, seed);
  try {
    const result = await run.train();
    const path = join(freshDir(), "a.model.safetensors");
    const made = run.document([]);
    writeFile(path, made);
    return { document: openFile(path), path, result, made };
  } finally {
    run.close();
  }
}

const accuracyOn = (document: Document, subset: "train" | "val" | "test") =>
  evaluate(graph, document, null, subset).metrics["accuracy"];

/** Scores and classes of every node, and the split that the model stores of this graph. */
const infer = (g: Graph, document: Document, cache: Document | null) =>
  withModel(g, document, cache, (opened) => {
    const { scores, predicted } = inferItems(opened, "classes", "node");
    const nodesOf = (subset: Subset) => {
      const stored = (name: "train" | "val" | "test") => g.split(name);
      return chosenItems(opened, "nodes", nodeTargets(g), g.numNodes, subset, stored);
    };
    return { scores, predicted: predicted!, storedSplit: opened.storedSplit, nodesOf };
  });

const jobs: [string, TrainJob][] = [
  ["gcn, features divided by their row sums", job(graph, "gcn", { epochs: 12, featNorm: "row" })],
  ["gcn, standardised features", job(graph, "gcn", { epochs: 12, featNorm: "standard" })],
  [
    "sgc, standardised features propagated with the row norm",
    job(graph, "sgc", { epochs: 12, featNorm: "standard", lr: 0.1 }, { params: { hops: 3, norm: "row" } }),
  ],
  [
    "mlp by sgd with a random split",
    job(graph, "mlp", {
      epochs: 12,
      optimizer: "sgd",
      lr: 0.2,
      split: "random",
      trainPerClass: 10,
      valPerClass: 10,
    }),
  ],
];

describe.each(jobs)("%s", (_, j) => {
  test("a model that was written and read scores what its run said", async () => {
    const { document, result } = await trained(j);
    expect(result.best_epoch).toBeGreaterThan(0);
    expect([accuracyOn(document, "train"), accuracyOn(document, "val"), accuracyOn(document, "test")])
      .toEqual([
        result.train,
        result.val,
        result.test,
      ]);
  });

  test("its document holds settings, signature, split, progress, optimizer and statistics", async () => {
    const { document, result } = await trained(j);
    const meta = document.meta as Record<string, Record<string, unknown>>;
    expect(meta["model"] as unknown).toBe(j.model.name);
    expect(meta["config"]).toMatchObject({
      params: j.modelParams,
      optimizer_params: j.optimizerParams,
      train: j.options,
      seed: 1,
      source: "full",
    });
    expect(meta["signature"]).toEqual({ num_features: 10, num_classes: 3 });
    expect(meta["graph"] as unknown).toBe(graph.digest);
    expect(meta["progress"]).toEqual({
      epoch: 12,
      step: 12,
      bestEpoch: result.best_epoch,
      best: { train: result.train, val: result.val, test: result.test },
      finished: true,
    });
    const { optimizer, featNorm } = j.options;
    const engine = new Engine();
    const { model, stats, split } = openModel(engine, document, "param");
    const names = model.parameters.map((p) => p.name);
    const states = optimizer === "adam" ? ["m", "v"] : [];
    expect(document.names.toSorted()).toEqual([
      ...names.flatMap((
        name,
      ) => [`param/${name}`, `best/${name}`, ...states.map((part) => `optimizer/${name}/${part}`)]),
      ...["split.train", "split.val", "split.test"],
      ...(featNorm === "standard" ? ["state/feat_mean", "state/feat_inverse_std"] : []),
    ].sort());
    model.parameters.forEach((p) =>
      expect(p.toNumbers()).toEqual(document.tensor(`param/${p.name}`).toNumbers())
    );
    expect([split.train.length, split.val.length]).toEqual(
      j.options.split === "random" ? [30, 30] : [36, 36],
    );
    expect(stats !== null).toBe(featNorm === "standard");
    engine.destroy();
  });
});

test("statistics of the training graph are applied to another graph", async () => {
  const { document } = await trained(
    job(graph, "mlp", { epochs: 3, featNorm: "standard" }, { params: { layers: 1, dropout: 0 } }),
  );
  const features = [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [-1, 0, 1, 0, -1, 0, 1, 0, -1, 0]];
  const other = makeGraph({ rows: [[1], [0]], features, numClasses: 3 });
  const { scores, predicted, storedSplit } = infer(other, document, null);
  const [mean, inverse, weight, bias] = [
    "state/feat_mean",
    "state/feat_inverse_std",
    "best/layer0.weight",
    "best/layer0.bias",
  ]
    .map((name) => document.tensor(name).toNumbers()) as [number[], number[], number[], number[]];
  const want = features.map((row) => {
    const logits = bias.map((b, c) =>
      row.reduce((sum, x, j) => sum + (x - mean[j]!) * inverse[j]! * weight[3 * j + c]!, b)
    );
    const exps = logits.map((v) => Math.exp(v - Math.max(...logits))), total = exps.reduce((a, b) => a + b);
    return exps.map((v) => v / total);
  });
  // Ten float32 terms of size 5, through exp: 10 roundings of 2^-24 times 5.
  expectNear(scores.toNumbers(), want.flat(), 5e-6);
  expect(predicted.toNumbers()).toEqual(want.map((row) => row.indexOf(Math.max(...row))));
  expect(storedSplit).toBeNull();
});

describe("propagated features at evaluation", () => {
  const features = Array.from({ length: 6 }, (_, v) => [Math.sin(v), v % 3, 1 + v]);
  const mask = (name: string, ...rows: number[][]): NewTensor => ({
    name: `split.${name}`,
    dtype: "BOOL",
    shape: [rows.length, 6],
    data: Uint8Array.from(rows.flat()),
  });
  const small = makeGraph({
    rows: [[1, 2], [0], [0, 3], [2, 4], [3, 5], [4]],
    features,
    labels: [0, 0, 0, 1, 1, 1],
    tensors: [
      mask("train", [1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]),
      mask("val", [0, 1, 0, 1, 0, 1], [1, 0, 1, 0, 1, 0]),
    ],
  });
  const cacheOf = (options: Record<string, unknown>) =>
    buildDocument(propagatedDocument(small, propagatedParams.parse({ hops: 2, ...options }), []));
  const model = () => trained(job(small, "sgc", { epochs: 3, featNorm: "standard", splitIndex: 1 }));

  test("are used where they are what the model was trained on, and give the same scores", async () => {
    const { document } = await model();
    const fitting = cacheOf({ featNorm: "standard", splitIndex: 1 });
    expect(infer(small, document, fitting).scores.toNumbers()).toEqual(
      infer(small, document, null).scores.toNumbers(),
    );
  });

  test("are refused where they are not, with what differs", async () => {
    const { document } = await model();
    for (
      const options of [{ featNorm: "standard", hops: 3, splitIndex: 1 }, {
        featNorm: "standard",
        norm: "row",
        splitIndex: 1,
      }, {}]
    ) {
      expect(caught(() => infer(small, document, cacheOf(options))).message).toContain(
        "are not what the model was trained on (2 hops, norm sym, feat-norm standard)",
      );
    }
    // The same recipe on the training nodes of the other split.
    expect(caught(() => infer(small, document, cacheOf({ featNorm: "standard" }))).message).toContain(
      "are standardised with other numbers than",
    );
  });
});

describe("a model that does not fit", () => {
  test("lists every difference of the signature", async () => {
    const { document, path } = await trained(jobs[0]![1]);
    const other = makeGraph({ rows: [[]], features: [[1, 2]], numClasses: 5 });
    const error = caught(() => infer(other, document, null));
    expect(error.code).toBe("mismatch");
    expect(error.message).toBe(
      `The model of "${path}" does not fit a graph in memory:\n  - num_classes is 5, expected 3\n  - num_features is 2, expected 10`,
    );
    expect(error.hint).toContain("same features and classes");
    const wanted = { num_features: 10, num_classes: 3 };
    expect(() => checkSignature("a", wanted, wanted, "b")).not.toThrow();
    expect(caught(() => checkSignature("a", wanted, { num_features: 10, num_classes: 4 }, "b")).message).toBe(
      "The model of a does not fit b: num_classes is 4, expected 3",
    );
  });

  test("names every tensor that is missing or of another shape", async () => {
    const { made } = await trained(jobs[0]![1]);
    const tensors: NewTensor[] = [{
      name: "best/layer1.bias",
      dtype: "F64",
      shape: [3],
      data: new Float64Array(3),
    }];
    const broken = buildDocument({ kind: "model", meta: made.meta, tensors, provenance: [] });
    const engine = new Engine();
    const error = caught(() => openModel(engine, broken, "best"));
    engine.destroy();
    expect(error.code).toBe("data");
    expect(error.message.split("\n").slice(1).map((line) => line.trim())).toEqual([
      '- tensor "best/layer0.weight" is missing',
      '- tensor "best/layer0.bias" is missing',
      '- tensor "best/layer1.weight" is missing',
      '- tensor "best/layer1.bias" is F64 [3], expected F32 [3]',
    ]);
  });

  test("is a model document at all", () => {
    const engine = new Engine();
    expect(() => openModel(engine, graph.document, "best")).toThrow(
      "a graph in memory is a graph document, expected a model",
    );
    engine.destroy();
  });
});

describe("scores", () => {
  test("are those of the split the model was trained on, of all labelled nodes, or an error that says what to do", async () => {
    const { document } = await trained(jobs[3]![1]);
    const { nodesOf } = infer(graph, document, null);
    const stored = (name: string) => document.tensor(`split.${name}`, "I64").toNumbers();
    expect(nodesOf("val")).toEqual(stored("val"));
    expect(nodesOf("val")).not.toEqual(Array.from(graph.split("val")!, Number));
    expect(nodesOf("all").length).toBe(200);

    const bare = makeGraph({
      rows: [[1], [0]],
      features: [new Array<number>(10).fill(1), new Array<number>(10).fill(2)],
      labels: [2, -1],
      numClasses: 3,
    });
    const elsewhere = infer(bare, document, null);
    expect(elsewhere.nodesOf("all")).toEqual([0]);
    expect(() => elsewhere.nodesOf("test")).toThrow(
      "No test split: the model was trained on another graph",
    );
  });

  test("come from the rows of the asked nodes", async () => {
    const { document } = await trained(jobs[0]![1]);
    const inference = infer(graph, document, null);
    const nodes = [150, 3, 77, 9];
    const outputs = { ...inference, width: 3 }, targets = nodeTargets(graph);
    const { count, confusion, metrics } = scoreItems("nodes", outputs, targets, nodes);
    const labels = graph.labels()!.toNumbers(), predicted = inference.predicted.toNumbers();
    expect(count).toBe(4);
    expect(metrics["accuracy"]).toBe(nodes.filter((v) => labels[v] === predicted[v]).length / 4);
    expect(confusion!.flat().reduce((a, b) => a + b)).toBe(4);
    for (const v of nodes) expect(confusion![labels[v]!]![predicted[v]!]).toBeGreaterThan(0);
    const sums = Array.from(
      { length: 200 },
      (_, v) => inference.scores.toNumbers().slice(3 * v, 3 * v + 3).reduce((a, b) => a + b),
    );
    // Three float32 numbers that add up to 1.
    expectNear(sums, new Array<number>(200).fill(1), 3e-7);
  });
});
