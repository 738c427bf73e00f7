/** Eager, recorded and planned steps are the same bytes, and scores are the same whichever forward pass they read. */
import { describe, expect, test } from "bun:test";
import { Engine } from "../../../ffi/engine.ts";
import { losses } from "../../../core/losses/mod.ts";
import { models } from "../../../core/models/mod.ts";
import { Init, type ModelEntry } from "../../../core/models/model.ts";
import { optimizers } from "../../../core/optim/mod.ts";
import { nodeTargets } from "../../../core/tasks/node.ts";
import type { Tensor } from "../../../core/tensor/tensor.ts";
import { Run, type TrainJob } from "../../../core/train/job.ts";
import { type EpochRecord, runEpochs, startTraining } from "../../../core/train/run.ts";
import type { Scorer } from "../../../core/train/scorer.ts";
import type { Batch, BatchSource } from "../../../core/train/source.ts";
import { trainingStep } from "../../../core/train/step.ts";
import { sbmGraph } from "../_graphs.ts";
import { bytesOf, signatureOf } from "../models/_models.ts";
import { fullSource, job } from "./_train.ts";

const graph = sbmGraph({
  nodes: 200,
  degree: 6,
  classes: 3,
  features: 12,
  trainPerClass: 15,
  valPerClass: 15,
  featureNoise: 2,
});
const train = Array.from(graph.split("train")!, Number);

/** Parameters by name: each model as it comes, and with everything that stands around layers. */
const shapes: [string, Record<string, unknown>][] = [
  ["as it comes", {}],
  ["without dropout", { dropout: 0, attentionDropout: 0, edgeDropout: 0 }],
  ["with norms and residuals", {
    layerNorm: "batch",
    residual: "identity",
    jk: "max",
    activation: "leaky-relu",
  }],
  ["with jumping knowledge", { jk: "last", residual: "linear", activation: "elu" }],
];
const paramsOf = (entry: ModelEntry, wanted: Record<string, unknown>) => {
  const known = Object.keys(entry.params!.shape);
  const few = { ...wanted, layers: 3 };
  return entry.params!.parse(
    Object.fromEntries(Object.entries(few).filter(([key]) => known.includes(key))),
  ) as Record<string, unknown>;
};

type Way = "eager" | "recorded" | "planned";

/** The bytes of loss, outputs, gradients and weights of four steps. */
function fourSteps(entry: ModelEntry, params: Record<string, unknown>, way: Way): string[][] {
  const engine = new Engine();
  engine.setStep(1, 0, 0);
  const model = entry.build(new Init(engine), signatureOf(graph), params, "logits");
  const source = fullSource(
    { engine, model, norm: entry.operator(params), layers: entry.accepts.hops(params) },
    graph,
    train,
  );
  const arena = engine.arena();
  const loss = losses.get("cross-entropy").create(
    { arena, targets: nodeTargets(graph), train: BigInt64Array.from(train, BigInt) },
    { labelSmoothing: 0.1, balanced: true },
  );
  const optimizer = optimizers.get("adam").create(
    engine,
    model.parameters,
    { lr: 0.01, weightDecay: () => 0.01 },
    { beta1: 0.9, beta2: 0.999, eps: 1e-8 },
  );
  const parts = { model, loss, optimizer, clipNorm: 1, ema: null };
  const [batch] = source.batches(0, () => arena) as Batch[];
  const step = stepper(engine, way, parts, batch!);
  const seen: string[][] = [];
  for (let s = 0; s < 4; s++) {
    engine.setStep(1, s, s);
    optimizer.prepare(s + 1, 0.01);
    seen.push([...step(), ...[...model.parameters, ...model.buffers ?? []].map(bytesOf)]);
  }
  engine.destroy();
  return seen;
}

function stepper(engine: Engine, way: Way, parts: Parameters<typeof trainingStep>[2], batch: Batch) {
  const own = engine.arena();
  type Made = { loss: Tensor; logits: Tensor; gradients: readonly (Tensor | null)[] };
  const bytes = ({ loss, logits, gradients }: Made) =>
    [loss, logits, ...gradients].map((t) => t ? bytesOf(t) : "");
  if (way === "eager") {
    return () => {
      const seen = bytes(trainingStep(engine, own, parts, batch));
      own.reset();
      return seen;
    };
  }
  let made: Made | undefined;
  if (way === "recorded") {
    let program: ReturnType<Engine["record"]> | undefined;
    return () => {
      if (program) program.replay();
      else program = engine.record(() => made = trainingStep(engine, own, parts, batch));
      return bytes(made!);
    };
  }
  const program = engine.plan(() => {
    made = trainingStep(engine, own, parts, batch);
    return [made.loss, made.logits, ...made.gradients.flatMap((g) => g ?? [])].map((t) => t.handle);
  });
  return () => {
    program.replay(0);
    program.replay(1);
    return bytes(made!);
  };
}

describe.each(shapes)("%s", (_, wanted) => {
  test.each([...models])("$name steps eagerly, recorded and planned alike", (entry) => {
    const params = paramsOf(entry, wanted);
    const eager = fourSteps(entry, params, "eager");
    expect(fourSteps(entry, params, "recorded")).toEqual(eager);
    expect(fourSteps(entry, params, "planned")).toEqual(eager);
    expect(new Set(eager.map((step) => step[0])).size).toBe(4);
  });
});

interface Inner {
  readonly source: BatchSource;
  readonly scorer: Scorer;
}

/** The records of a run (times aside), its best weights, and how often scores came from training's forward pass. */
async function records(j: TrainJob, reuse: boolean, epochs: number) {
  const run = Run.start(j, 1), { source, scorer } = run as unknown as Inner;
  const seen: Omit<EpochRecord, "ms">[] = [];
  let reused = 0;
  const watched: Scorer = {
    metric: scorer.metric,
    run(forward) {
      if (forward) reused++;
      return scorer.run(reuse ? forward : null);
    },
  };
  const training = startTraining(run.engine, run.training);
  await runEpochs(training, source, watched, {
    seed: 1,
    epochs,
    learningRate: () => 0.01,
    patience: 4,
    evalEvery: j.options.evalEvery,
    onEpoch: ({ ms: _, ...record }) => seen.push(record),
  });
  const result = {
    seen,
    progress: training.progress,
    weights: training.model.parameters.map(bytesOf),
    reused,
  };
  run.close();
  return result;
}

describe("scores of training's own forward pass", () => {
  const wide = { hidden: 8, dropout: 0 };
  test.each([
    ["a gcn without dropout", job(graph, "gcn", {}, { params: wide }), 12],
    ["scored every third epoch", job(graph, "gcn", { evalEvery: 3 }, { params: wide }), 11],
    ["selected by another metric", job(graph, "sage", { selectBy: "macro-f1" }, { params: wide }), 9],
    ["with layer norm", job(graph, "gcn", {}, { params: { ...wide, layerNorm: "layer" } }), 9],
  ])("%s: the same records and weights as by a pass of their own", async (_, j, epochs) => {
    const own = await records(j, false, epochs), reused = await records(j, true, epochs);
    expect(reused.seen).toEqual(own.seen);
    expect(reused.progress).toEqual(own.progress);
    expect(reused.weights).toEqual(own.weights);
    expect(reused.reused).toBeGreaterThan(2);
  });

  test.each([
    ["dropout", job(graph, "gcn", {}, { params: { hidden: 8, dropout: 0.5 } })],
    [
      "dropout of attention",
      job(graph, "gat", {}, { params: { hidden: 4, dropout: 0, attentionDropout: 0.5 } }),
    ],
    ["batch norm", job(graph, "gcn", {}, { params: { ...wide, layerNorm: "batch" } })],
    ["averaged weights", job(graph, "gcn", { ema: 0.9 }, { params: wide })],
  ])("%s: scores need a pass of their own", async (_, j) => {
    expect((await records(j, true, 4)).reused).toBe(0);
  });

  test("a model that trains on some rows scores all of them by itself", async () => {
    const j = job(graph, "mlp", {}, { params: wide });
    const own = await records(j, false, 6), asked = await records(j, true, 6);
    expect(asked.seen).toEqual(own.seen);
  });
});
