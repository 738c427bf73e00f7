/**
 * Mini-batch training of two SAGE layers on sampled neighbours, in the library's training loop: random features and
 * labels, no dropout, batches drawn as training goes. Times are per batch: sampling with the gathering of features,
 * the training step, and both.
 */
import { z } from "zod";
import { finishDevice, NativeArray } from "../../ffi/native.ts";
import { shuffle } from "../../ffi/native_sample.ts";
import { buildDocument } from "../format/document.ts";
import { Graph } from "../graph/graph.ts";
import { losses } from "../losses/mod.ts";
import { sage as sageModel } from "../models/sage.ts";
import { optimizers } from "../optim/mod.ts";
import { neighbor } from "../sampling/neighbor.ts";
import { chunkDocuments } from "../sampling/sample.ts";
import { iota } from "../sampling/sampler.ts";
import { node } from "../tasks/node.ts";
import type { TaskEntry } from "../tasks/task.ts";
import { trainOptions } from "../train/config.ts";
import { Run } from "../train/job.ts";
import { runEpochs } from "../train/run.ts";
import { SampleFeed } from "../train/sampled.ts";
import type { Batch, BatchSource } from "../train/source.ts";
import { defineBenchmark, resultOf, runs, uniformGraph, uniformShape } from "./benchmark.ts";
import { batchSize, fanout } from "./sample.ts";
import { inTurns, type Player } from "./turns.ts";

const FEATURES = 100;
const CLASSES = 47;
const LEARNING_RATE = 0.003;
/** Documents of a few batches: a pass over the training nodes is many of them, and what is drawn ahead little. */
const CHUNK_BYTES = 4 * 2 ** 20;
/** Passes that are drawn under one plan; then it begins anew. */
const PASSES = 256;

/** Numbers below `limit` in no order that matters (Marsaglia's xorshift32). */
function* numbers(limit: number): Generator<number, never> {
  for (let x = 2463534242;;) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    yield (x >>> 0) % limit;
  }
}

/** The topology of a graph with random features, labels and `count` training nodes. */
function withData(graph: Graph, seed: number, count: number): Graph {
  const n = graph.numNodes, { csr: { indptr, indices } } = graph;
  const next = numbers(2 ** 16);
  const feat = NativeArray.allocate("F32", n * FEATURES, false);
  for (let at = 0; at < feat.length;) {
    const window = feat.window(at);
    for (let i = 0; i < window.length; i++) window[i] = next.next().value / 2 ** 16;
    at += window.length;
  }
  const label = Int32Array.from({ length: n }, () => next.next().value % CLASSES);
  const nodes = iota(n);
  shuffle(nodes, n, null, { seed, epoch: 0, stream: "bench.sage" });
  const train = nodes.slice(0, Math.min(n, count)).read().sort();
  const meta = {
    num_nodes: n,
    num_edges: indices.length,
    directed: graph.meta.directed,
    num_features: FEATURES,
    num_classes: CLASSES,
    row_order: "index",
  };
  const tensors = [
    { name: "indptr", dtype: indptr.dtype, shape: [n + 1], data: indptr },
    { name: "feat", dtype: "F32" as const, shape: [n, FEATURES], data: feat },
    { name: "indices", dtype: indices.dtype, shape: [indices.length], data: indices },
    { name: "label", dtype: "I32" as const, shape: [n], data: label },
    { name: "split.train", dtype: "I64" as const, shape: [train.length], data: train },
  ];
  return new Graph(buildDocument({ kind: "graph", meta, tensors, provenance: [] }));
}

/** Batches with the time that getting them took. */
class TimedSource implements BatchSource {
  readonly name: string;
  readonly isStatic: boolean;
  waitedMs = 0;
  count = 0;

  constructor(private readonly source: BatchSource) {
    this.name = source.name;
    this.isStatic = source.isStatic;
  }

  *batches(...args: Parameters<BatchSource["batches"]>): Generator<Batch> {
    const batches = this.source.batches(...args)[Symbol.iterator]();
    for (;;) {
      const start = performance.now();
      const { value, done } = batches.next();
      this.waitedMs += performance.now() - start;
      if (done) return;
      this.count++;
      yield value;
    }
  }
}

/** The task of predicting nodes, whose batches are timed. */
function timedTask(): { task: TaskEntry; source(): TimedSource } {
  let source: TimedSource;
  const start: TaskEntry["start"] = (run) => {
    const parts = node.start(run);
    source = new TimedSource(parts.source);
    return { ...parts, source };
  };
  return { task: { ...node, start }, source: () => source };
}

interface Shape {
  readonly hidden: number;
  readonly fanout: readonly number[];
  readonly batchSize: number;
  readonly batches: number;
}

/** Training that is ready to go on, pass after pass, and what frees it. */
function startTraining(given: Graph, seed: number, { hidden, fanout, batchSize, batches }: Shape) {
  const graph = withData(given, seed, batches * batchSize);
  const params = { fanout, batchSize, epochs: PASSES, split: "train", splitIndex: 0 };
  const request = { graph, partition: null, sampler: neighbor, params, seed, provenance: [] };
  const draw = () => chunkDocuments(request, { chunkBytes: CHUNK_BYTES, reuse: true });
  const { task, source } = timedTask();
  const options = trainOptions.parse({ epochs: 1, lr: LEARNING_RATE, weightDecay: 0 });
  const run = Run.start({
    graph,
    task,
    taskParams: {},
    scheduleParams: {},
    lossParams: losses.get("cross-entropy").params?.parse({}) ?? {},
    cache: null,
    samples: SampleFeed.draw(draw, neighbor.name),
    model: sageModel,
    modelParams: sageModel.params!.parse({ hidden, layers: fanout.length, dropout: 0 }),
    optimizerParams: optimizers.get(options.optimizer).params?.parse({}) ?? {},
    options,
  }, seed);
  const pass = () =>
    runEpochs(run.training, source(), null, {
      seed,
      epochs: run.training.progress.epoch + 1,
      learningRate: () => LEARNING_RATE,
      patience: 0,
      evalEvery: 1,
    });
  return { source: source(), pass, close: () => run.close() };
}

export const sage = defineBenchmark({
  name: "sage",
  summary: "mini-batch training of SAGE layers on sampled neighbours: milliseconds per batch",
  source: "Hamilton et al. 2017, arXiv:1706.02216",
  params: z.object({
    hidden: z.int().min(1).default(256).describe("width of the hidden layers"),
    fanout,
    batchSize,
    batches: z.int().min(1).default(20).describe("batches of a run"),
    runs,
    ...uniformShape,
  }).strict(),
  peers: {
    dgl: { script: "sage_dgl.py" },
    pyg: { script: "sage_pyg.py" },
    torch: { without: "it samples no neighbours" },
    triton: { without: "it is compared in spmm alone" },
  },
  generated: uniformGraph,
  async run({ graph: open, seed, peers }, { runs, ...shape }) {
    const { graph, label } = open();
    const { source, pass, close } = startTraining(graph, seed, shape);
    const ours: Player = {
      async turn(repeat) {
        const waited = source.waitedMs, count = source.count, start = performance.now();
        for (let r = 0; r < repeat; r++) await pass();
        finishDevice();
        const ms = performance.now() - start, sample = source.waitedMs - waited;
        const perBatch = repeat / (source.count - count);
        return { ms, sample: sample * perBatch, train: (ms - sample) * perBatch, total: ms * perBatch };
      },
    };
    try {
      const compared = await peers?.compare(ours, { ...shape, features: FEATURES, classes: CLASSES }, runs);
      const stats = compared?.ours ?? (await inTurns([ours], runs))[0]!;
      return ["sample", "train", "total"].map((part) =>
        resultOf({
          name: `sage_${part}`,
          graph: label,
          width: shape.hidden,
          dtype: "f32",
          stats: stats[part]!,
          peers: compared?.results(part),
        })
      );
    } finally {
      close();
    }
  },
});
