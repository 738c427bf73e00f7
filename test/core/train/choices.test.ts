/** What a run may be told besides its model: loss, schedule, clipping, averages, selection, made features. */
import { describe, expect, test } from "bun:test";
import { setThreads } from "../../../ffi/engine.ts";
import { buildDocument, type Document, type NewTensor } from "../../../core/format/document.ts";
import { openFile } from "../../../core/format/read.ts";
import { writeFile } from "../../../core/format/write.ts";
import { featSources, featuresOf } from "../../../core/graph/features.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { losses, lossFor } from "../../../core/losses/mod.ts";
import { evaluate, withModel } from "../../../core/train/evaluate.ts";
import { Run, type RunHooks, type TrainJob } from "../../../core/train/job.ts";
import type { EpochRecord } from "../../../core/train/run.ts";
import { join } from "node:path";
import { freshDir } from "../../helpers.ts";
import { makeGraph, sbmGraph } from "../_graphs.ts";
import { expectNear } from "../tensor/_autograd.ts";
import { job } from "./_train.ts";

const graph = sbmGraph({
  nodes: 240,
  degree: 6,
  classes: 3,
  features: 12,
  trainPerClass: 15,
  valPerClass: 15,
  featureNoise: 2,
});

/** Train to a document in a file, and the log. */
async function trained(
  j: TrainJob,
  hooks: RunHooks = {},
): Promise<{ document: Document; records: EpochRecord[] }> {
  const run = Run.start(j, 1), records: EpochRecord[] = [];
  try {
    await run.train({ ...hooks, onEpoch: (_, record) => records.push(record) });
    const path = join(freshDir(), "m.model.safetensors");
    writeFile(path, run.document([]));
    return { document: openFile(path), records };
  } finally {
    run.close();
  }
}
const numbers = (document: Document, name: string) => document.tensor(name, "F32").toNumbers();
const weightsOf = (document: Document, prefix = "param") =>
  document.names.filter((name) => name.startsWith(`${prefix}/`)).flatMap((name) => numbers(document, name));

/** The graph with other targets: several labels per node (its class and its class + 1), or two numbers. */
function withTargets(kind: "labels" | "values"): Graph {
  const label = graph.labels()!.toNumbers(), n = label.length;
  const kept = graph.document.names.filter((name) => name !== "label").map((name): NewTensor => ({
    ...graph.document.spec(name),
    data: graph.document.tensor(name),
  }));
  const targets: NewTensor = kind === "labels"
    ? {
      name: "label",
      dtype: "U8",
      shape: [n, 3],
      data: Uint8Array.from(label.flatMap((c) => [0, 1, 2].map((k) => Number(k === c || k === (c + 1) % 3)))),
    }
    : {
      name: "target",
      dtype: "F64",
      shape: [n, 2],
      data: Float64Array.from(label.flatMap((c) => [c - 1, 2 * c])),
    };
  return makeGraphOf([...kept.filter(({ name }) => name !== "gust.checksums"), targets], kind);
}
function makeGraphOf(tensors: readonly NewTensor[], kind: "labels" | "values"): Graph {
  const meta = {
    ...graph.document.meta,
    ...(kind === "labels" ? { multi_label: true } : { num_classes: 0 }),
  };
  delete (meta as Record<string, unknown>)["class_names"];
  return new Graph(buildDocument({ kind: "graph", meta, tensors: [...tensors], provenance: [] }));
}

/** Settings of the loss that fits the targets. */
const lossParams = (kind: "classes" | "labels" | "values") =>
  lossFor(kind, undefined).params!.parse({}) as Record<string, unknown>;

describe("targets", () => {
  test("of several labels per node are learnt with sigmoids, and scored label by label", async () => {
    const several = withTargets("labels");
    const { document } = await trained(
      job(several, "gcn", { epochs: 60 }, { lossParams: lossParams("labels") }),
    );
    expect(document.meta).toMatchObject({ outputs: "labels", metric: "micro-f1" });
    const { kind, metrics, confusion } = evaluate(several, document, null, "test");
    expect([kind, confusion]).toEqual(["labels", null]);
    // Two of three labels are right by chance with 5/9; noise in the features keeps it below 1.
    expect(metrics["micro-f1"]).toBeGreaterThan(0.8);
    expect(metrics["roc-auc"]).toBeGreaterThan(0.8);
    withModel(several, document, null, (opened) => {
      const prediction = opened.task.predict(opened);
      if (prediction.items === "vectors") throw new Error("vectors");
      expect(prediction.outputs.predicted).toBeNull();
      expect(prediction.outputs.scores.toNumbers().every((p) => p >= 0 && p <= 1)).toBe(true);
    });
  });

  test("of numbers are learnt with squared errors; weights are those of the smallest error", async () => {
    const values = withTargets("values");
    const { document, records } = await trained(
      job(values, "gcn", { epochs: 80, weightDecay: 0 }, {
        params: { dropout: 0 },
        lossParams: lossParams("values"),
      }),
    );
    expect(document.meta).toMatchObject({ outputs: "values", metric: "mae" });
    const { metrics } = evaluate(values, document, null, "val");
    expect(metrics["mae"]).toBeCloseTo(Math.min(...records.map(({ val }) => val)), 6);
    expect(metrics["r2"]).toBeGreaterThan(0.5);
  });

  test("that are not there are named", () => {
    const bare = makeGraph({ rows: [[1], [0]], features: [[1], [2]], split: { train: [0] } });
    expect(() => job(bare, "gcn")).toThrow('task "node": it has no labels or targets of its nodes');
  });
});

describe("selection", () => {
  test("is by the metric that was asked for, in its own direction", async () => {
    for (const [selectBy, best] of [["log-loss", Math.min], ["roc-auc", Math.max]] as const) {
      const { document, records } = await trained(job(graph, "gcn", { epochs: 30, selectBy }));
      const at = records.findIndex(({ val }) => val === best(...records.map((r) => r.val)));
      expect(document.meta).toMatchObject({ metric: selectBy, progress: { bestEpoch: at + 1 } });
      expect(evaluate(graph, document, null, "val").metrics[selectBy]).toBeCloseTo(records[at]!.val, 6);
    }
  });

  test("patience counts epochs without a better value of it", async () => {
    const { records } = await trained(
      job(graph, "gcn", { epochs: 500, patience: 7, selectBy: "log-loss", lr: 0.2 }),
    );
    const values = records.map(({ val }) => val);
    const best = values.indexOf(Math.min(...values));
    expect(records.length).toBe(best + 1 + 7);
  });

  test("by a metric of other predictions is refused", () => {
    expect(() => Run.start(job(graph, "gcn", { selectBy: "mae" }), 1)).toThrow(
      'Metric "mae" is not defined for predictions of classes',
    );
  });
});

describe("the step", () => {
  const plain = { epochs: 4, weightDecay: 0, optimizer: "sgd", lr: 0.5 };

  test("keeps all gradients together within --clip-norm, and their direction", async () => {
    const moved = async (options: Record<string, unknown>) => {
      const run = Run.start(job(graph, "gcn", { ...plain, epochs: 1, ...options }), 1);
      const before = run.training.model.parameters.map((p) => p.toNumbers()).flat();
      await run.train();
      const after = run.training.model.parameters.map((p) => p.toNumbers()).flat();
      run.close();
      return after.map((x, i) => (x - before[i]!) / 0.5);
    };
    const length = (v: readonly number[]) => Math.hypot(...v);
    const free = await moved({}), cut = await moved({ clipNorm: length(await moved({})) / 4 });
    // Differences of float32 weights of size 1.
    expect(length(cut)).toBeCloseTo(length(free) / 4, 5);
    expectNear(cut, free.map((x) => x / 4), 1e-6);
    expectNear(await moved({ clipNorm: 10 * length(free) }), free, 1e-9);
  });

  test("averages weights with --ema, scores and keeps the averages, and trains on as without", async () => {
    const each: number[][] = [];
    const run = Run.start(job(graph, "gcn", plain), 1);
    each.push(run.training.model.parameters.flatMap((p) => p.toNumbers()));
    await run.train({
      onEpoch: () => each.push(run.training.model.parameters.flatMap((p) => p.toNumbers())),
    });
    run.close();
    const want = each.slice(1).reduce((a, w) => a.map((x, i) => 0.7 * x + 0.3 * w[i]!), each[0]!);
    const { document } = await trained(job(graph, "gcn", { ...plain, ema: 0.7 }));
    expectNear(weightsOf(document, "ema"), want, 1e-6);
    expect(weightsOf(document)).toEqual(each.at(-1)!);
    const { bestEpoch } = document.meta["progress"] as { bestEpoch: number };
    const kept = each.slice(1, 1 + bestEpoch).reduce(
      (a, w) => a.map((x, i) => 0.7 * x + 0.3 * w[i]!),
      each[0]!,
    );
    expectNear(weightsOf(document, "best"), kept, 1e-6);
  });

  test("takes the learning rate of the schedule, and says it in the log", async () => {
    const options = { epochs: 6, schedule: "linear", warmup: 2, lr: 0.03 };
    const { records } = await trained(job(graph, "gcn", options, { scheduleParams: { lrFloor: 0 } }));
    expectNear(records.map(({ lr }) => lr), [0.01, 0.02, 0.03, 0.0225, 0.015, 0.0075], 1e-12);
  });

  test("goes on bit for bit after a resume, with averages, schedule, clipping and smoothing", async () => {
    const options = { epochs: 9, schedule: "cosine", warmup: 2, ema: 0.9, clipNorm: 0.5 };
    const rest = {
      scheduleParams: { lrFloor: 0.1 },
      lossParams: losses.get("cross-entropy").params!.parse({
        labelSmoothing: 0.1,
        balanced: true,
      }) as Record<
        string,
        unknown
      >,
    };
    const whole = await trained(job(graph, "gcn", options, rest));
    // Stopped after 4 epochs, in the middle of its 9.
    const run = Run.start(job(graph, "gcn", options, rest), 1);
    const path = join(freshDir(), "half.model.safetensors");
    await run.train({
      onEpoch: () => {},
      checkpoint: {
        every: 4,
        write: (document) => {
          if ((document.meta["progress"] as { epoch: number }).epoch === 4) writeFile(path, document);
        },
      },
    });
    run.close();
    const again = await trained(job(graph, "gcn", options, rest), { resume: openFile(path) });
    expect(again.records.length).toBe(5);
    expect(again.document.digest).toBe(whole.document.digest);
  });

  test("gives the same bytes on 1 and 2 threads with everything turned on", async () => {
    const digests = [];
    for (const threads of [1, 2]) {
      setThreads(threads);
      const options = { epochs: 5, ema: 0.9, clipNorm: 0.1, selectBy: "log-loss", features: "degree" };
      digests.push((await trained(job(graph, "gcn", options))).document.digest);
    }
    setThreads(0);
    expect(digests[1]).toBe(digests[0]!);
  });
});

describe("--features", () => {
  // In-degrees 2, 0, 1, 3.
  const star = makeGraph({
    rows: [[1, 3], [], [0], [0, 1, 2]],
    labels: [0, 1, 0, 1],
    split: { train: [0, 1] },
    directed: true,
  });
  const dense = (source: (typeof featSources)[number], width: number | null = null) => {
    const f = featuresOf(star, source, width);
    if (f.kind === "dense") {
      return { width: f.numFeatures, rows: Array.from(f.array.window(), Number).map((x) => [x]) };
    }
    const columns = f.csr.indices.toNumbers(),
      rows = Array.from(columns, (c) => Array.from({ length: f.numFeatures }, (_, j) => Number(j === c)));
    return { width: f.numFeatures, rows };
  };

  test("one, degree and identity are what they say", () => {
    expect(dense("one")).toEqual({ width: 1, rows: [[1], [1], [1], [1]] });
    expect(dense("degree").rows).toEqual([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]);
    expect(dense("degree", 2).rows).toEqual([[0, 1], [1, 0], [0, 1], [0, 1]]);
    expect(dense("identity").rows).toEqual([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]);
    expect(() => dense("file")).toThrow("has no node features");
  });

  test("are made again at evaluation: degrees on any graph, node numbers on one of the same size", async () => {
    const smaller = makeGraph({
      rows: [[1], [0, 2], []],
      labels: [0, 1, 1],
      numClasses: 2,
      split: { test: [0, 1] },
    });
    const byDegree = (await trained(job(star, "gcn", { epochs: 2, features: "degree" }))).document;
    expect(byDegree.meta).toMatchObject({ signature: { num_features: 4 } });
    expect(evaluate(smaller, byDegree, null, "test").count).toBe(2);
    const byNumber = (await trained(job(star, "gcn", { epochs: 2, features: "identity" }))).document;
    expect(evaluate(star, byNumber, null, "train").count).toBe(2);
    expect(() => evaluate(smaller, byNumber, null, "test")).toThrow("num_features is 3, expected 4");
  });
});

describe("training nodes without a target", () => {
  /** Every third training node, or all of them, without a class; and the split without those nodes. */
  const without = (every: number, keep: boolean): Graph => {
    const train = graph.split("train")!,
      dropped = new Set(Array.from(train, Number).filter((_, i) => i % every === 0));
    const label = graph.labels()!.toNumbers().map((c, v) => dropped.has(v) ? -1 : c);
    const kept = keep ? train : train.filter((v) => !dropped.has(Number(v)));
    const changed = new Map<string, NewTensor>([
      ["label", { name: "label", dtype: "I32", shape: [label.length], data: Int32Array.from(label) }],
      ["split.train", { name: "split.train", dtype: "I64", shape: [kept.length], data: kept }],
    ]);
    const tensors = graph.document.names.map((name): NewTensor =>
      changed.get(name) ?? { ...graph.document.spec(name), data: graph.document.tensor(name) }
    );
    return new Graph(buildDocument({ kind: "graph", meta: graph.document.meta, tensors, provenance: [] }));
  };
  const smoothed = {
    lossParams: losses.get("cross-entropy").params!.parse({ labelSmoothing: 0.5 }) as Record<string, unknown>,
  };

  test.each(["gcn", "mlp"])(
    "leave the loss of a %s as it is without them, smoothed labels included",
    async (name) => {
      const lossesOf = async (g: Graph) =>
        (await trained(job(g, name, { epochs: 3 }, smoothed))).records.map(({ loss }) => loss);
      expect(await lossesOf(without(3, true))).toEqual(await lossesOf(without(3, false)));
    },
  );

  test("are refused where there are no others", () => {
    expect(() => Run.start(job(without(1, true), "gcn", { epochs: 1 }), 1)).toThrow(
      /No training node of .* has a known target, expected at least one/,
    );
  });
});
