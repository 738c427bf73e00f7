import { describe, expect, test } from "bun:test";
import { setThreads } from "../../../ffi/engine.ts";
import { GustError } from "../../../core/errors.ts";
import type { Document } from "../../../core/format/document.ts";
import { Run, type RunHooks, type TrainJob } from "../../../core/train/job.ts";
import type { EpochRecord } from "../../../core/train/run.ts";
import { median } from "../../../core/train/run.ts";
import { mvsParams } from "../../../core/sampling/mvs.ts";
import { vrgcnParams } from "../../../core/sampling/vrgcn.ts";
import { SampleFeed } from "../../../core/train/sampled.ts";
import { makeGraph, sbmGraph } from "../_graphs.ts";
import { draw, partitionOf } from "../sampling/_graphs.ts";
import { expectNear } from "../tensor/_autograd.ts";
import { copied, job } from "./_train.ts";

const sbm = {
  nodes: 300,
  degree: 6,
  classes: 3,
  features: 12,
  trainPerClass: 15,
  valPerClass: 15,
  featureNoise: 2,
};
const graph = sbmGraph(sbm);
const samples = () => {
  const partition = partitionOf(graph, Array.from({ length: 300 }, (_, v) => v % 6), 6);
  return SampleFeed.open(
    graph,
    draw(graph, "cluster", { partsPerBatch: 2, epochs: 3 }, { partition }),
    () => null,
  )!;
};

interface Done {
  readonly document: Document;
  readonly result: Awaited<ReturnType<Run["train"]>>;
  readonly records: EpochRecord[];
}

/** A run from start to end, and its document. */
async function train(j: TrainJob, hooks: RunHooks = {}, seed = 1): Promise<Done> {
  const run = Run.start(j, seed);
  const records: EpochRecord[] = [];
  try {
    const result = await run.train({ ...hooks, onEpoch: (_, record) => records.push(record) });
    return { document: copied(run.document([])), result, records };
  } finally {
    run.close();
  }
}

/** Every tensor but for what says where the run stands. */
const tensorsOf = (d: Document) =>
  Object.fromEntries(d.names.map((name) => [name, d.tensor(name).toNumbers()]));
const progressOf = (d: Document) => d.meta["progress"] as Record<string, unknown>;

const vrgcn = (fanout: readonly number[]) => ({
  name: "vrgcn",
  params: vrgcnParams.parse({ fanout, batchSize: 20 }),
});
const jobs: [string, (epochs: number, rest?: Record<string, unknown>) => TrainJob][] = [
  ["a gcn on the full graph", (epochs, rest) => job(graph, "gcn", { epochs, ...rest })],
  ["a gcn on clusters", (epochs, rest) => job(graph, "gcn", { epochs, ...rest }, { samples: samples() })],
  [
    "a gcn on batches of minimal variance",
    (epochs, rest) =>
      job(graph, "gcn", { epochs, ...rest }, {
        sampler: {
          name: "mvs",
          params: mvsParams.parse({ batch: 12, poolShare: 0.8, inner: 6, refreshScores: true }),
        },
      }),
  ],
  [
    "a gcn by control variates",
    (epochs, rest) => job(graph, "gcn", { epochs, ...rest }, { sampler: vrgcn([2, 2]) }),
  ],
  [
    "a gcn by control variates, its first layer computed ahead, without dropout",
    (epochs, rest) =>
      job(graph, "gcn", { epochs, lr: 0.03, ...rest }, {
        sampler: vrgcn([1, 2]),
        params: { layers: 3, precalc: true, dropout: 0 },
      }),
  ],
  [
    "an sgc with dropout and sgd",
    (epochs, rest) =>
      job(graph, "sgc", { epochs, optimizer: "sgd", lr: 0.2, ...rest }, {
        params: { dropout: 0.3 },
        optimizerParams: { momentum: 0.9, nesterov: true },
      }),
  ],
  [
    "an mlp by adamw",
    (epochs, rest) => job(graph, "mlp", { epochs, optimizer: "adamw", featNorm: "standard", ...rest }),
  ],
];

describe.each(jobs)("%s", (_, make) => {
  test("is the same for the same seed, and learns", async () => {
    const a = await train(make(15)), b = await train(make(15)), other = await train(make(15), {}, 2);
    expect(b.document.digest).toBe(a.document.digest);
    expect(other.document.digest).not.toBe(a.document.digest);
    expect(a.records.at(-1)!.loss).toBeLessThan(a.records[0]!.loss);
    expect(a.result.val!).toBeGreaterThan(0.5);
    expect([a.result.epochs, a.result.finished]).toEqual([15, true]);
  });

  test("4 epochs and 6 more are 10 epochs, bit for bit", async () => {
    const whole = await train(make(10));
    const first = await train(make(4));
    const rest = await train(make(10), { resume: first.document });
    expect(rest.records.map((r) => r.epoch)).toEqual([5, 6, 7, 8, 9, 10]);
    expect(rest.records.map((r) => [r.loss, r.val])).toEqual(
      whole.records.slice(4).map((r) => [r.loss, r.val]),
    );
    expect(tensorsOf(rest.document)).toEqual(tensorsOf(whole.document));
    expect(rest.document.digest).toBe(whole.document.digest);
  });

  test("a checkpoint on the way goes on to the same end", async () => {
    const whole = await train(make(9));
    const checkpoints: Document[] = [];
    await train(make(9), { checkpoint: { every: 2, write: (d) => checkpoints.push(copied(d)) } });
    expect(checkpoints.map((d) => progressOf(d)["epoch"])).toEqual([2, 4, 6, 8]);
    const rest = await train(make(9), { resume: checkpoints[1]! });
    expect(rest.records[0]!.epoch).toBe(5);
    expect(rest.document.digest).toBe(whole.document.digest);
  });
});

test.each(
  [
    ["first", ["layer0.weight", "layer0.bias"]],
    ["all", ["layer0.weight", "layer0.bias", "layer1.weight", "layer1.bias"]],
  ] as const,
)("weight decay on %s shrinks these parameters and no others", async (weightDecayOn, decaying) => {
  const options = { epochs: 1, optimizer: "sgd", lr: 0.5, weightDecayOn };
  const after = async (weightDecay: number) =>
    (await train(job(graph, "gcn", { ...options, weightDecay }))).document;
  const plain = await after(0), decayed = await after(0.25);
  const untouched = (await train(job(graph, "gcn", { ...options, lr: 0 }))).document;
  for (const name of ["layer0.weight", "layer0.bias", "layer1.weight", "layer1.bias"]) {
    const [before, a, b] = [untouched, plain, decayed].map((d) => d.tensor(`param/${name}`).toNumbers()) as [
      number[],
      number[],
      number[],
    ];
    const share = decaying.some((other) => other === name) ? 0.5 * 0.25 : 0;
    // One step: -lr * (g + decay * p) in float32, numbers below 1.
    expectNear(b, a.map((v, i) => v - share * before[i]!), 2e-7, name);
  }
  const weights = untouched.tensor("param/layer0.weight").toNumbers();
  expect(Math.max(...weights.map(Math.abs))).toBeGreaterThan(0.1);
});

test.each(jobs)("1 and 2 threads train the same bytes: %s", async (_, make) => {
  try {
    const digests: string[] = [];
    for (const threads of [1, 2]) {
      setThreads(threads);
      digests.push((await train(make(5))).document.digest);
    }
    expect(digests[1]).toBe(digests[0]!);
  } finally {
    setThreads(0);
  }
});

describe("the best validation epoch", () => {
  test("is the first of the highest scores, and its weights are kept", async () => {
    const { document, records, result } = await train(job(graph, "gcn", { epochs: 40, lr: 0.05 }));
    const top = Math.max(...records.map((r) => r.val));
    const first = records.find((r) => r.val === top)!;
    expect([result.best_epoch, result.val, result.test]).toEqual([first.epoch, first.val, first.test]);
    expect(first.epoch).toBeLessThan(40);
    // Stopping there leaves the same weights as the last ones.
    const stopped = await train(job(graph, "gcn", { epochs: first.epoch, lr: 0.05 }));
    for (const name of document.names.filter((name) => name.startsWith("best/"))) {
      expect(document.tensor(name).toNumbers()).toEqual(
        stopped.document.tensor(name.replace("best/", "param/")).toNumbers(),
      );
    }
  });

  test("without a validation split is the last one", async () => {
    const bare = makeGraph({
      rows: [[1], [0], [3], [2]],
      features: [[1, 0], [1, 0], [0, 1], [0, 1]],
      labels: [0, 0, 1, 1],
      split: { train: [0, 2] },
    });
    const { document, result, records } = await train(job(bare, "gcn", { epochs: 6, patience: 2 }));
    expect([result.best_epoch, result.val, result.test, result.epochs]).toEqual([6, null, null, 6]);
    expect(records.every((r) => Number.isNaN(r.val))).toBe(true);
    expect(document.tensor("best/layer0.weight").toNumbers()).toEqual(
      document.tensor("param/layer0.weight").toNumbers(),
    );
  });

  test("is looked for every N epochs and at the end", async () => {
    const { records, result } = await train(job(graph, "gcn", { epochs: 8, evalEvery: 3 }));
    expect(records.map((r) => Number.isNaN(r.val))).toEqual([
      true,
      true,
      false,
      true,
      true,
      false,
      true,
      false,
    ]);
    expect([3, 6, 8]).toContain(result.best_epoch);
  });
});

describe("patience", () => {
  test("ends the run after that many epochs without a better score", async () => {
    const { records, result } = await train(job(graph, "gcn", { epochs: 300, lr: 0.05, patience: 7 }));
    expect(result.epochs).toBeLessThan(300);
    expect(result.epochs).toBe(result.best_epoch + 7);
    expect(Math.max(...records.map((r) => r.val))).toBe(result.val!);
    expect(result.finished).toBe(true);
  });

  test("counts from scores alone: a run that was not scored yet goes on", async () => {
    const { result, records } = await train(
      job(graph, "gcn", { epochs: 300, lr: 0.05, patience: 4, evalEvery: 10 }),
    );
    expect(records.filter((r) => !Number.isNaN(r.val)).length).toBeGreaterThan(1);
    expect(result.best_epoch).toBeGreaterThanOrEqual(10);
    expect(result.val).not.toBeNull();
  });

  test("a run that it ended stays ended when it is resumed for longer", async () => {
    const whole = await train(job(graph, "gcn", { epochs: 300, lr: 0.05, patience: 7 }));
    const more = await train(job(graph, "gcn", { epochs: 500, lr: 0.05, patience: 7 }), {
      resume: whole.document,
    });
    expect(more.records).toEqual([]);
    expect([more.result.epochs, more.result.finished]).toEqual([whole.result.epochs, true]);
  });
});

describe("stopping", () => {
  test("shouldStop() ends a run between epochs, and what it wrote goes on to the same end", async () => {
    const checkpoints: Document[] = [];
    const options = { epochs: 1_000_000 };
    const run = await train(job(graph, "gcn", options), {
      shouldStop: () => true,
      checkpoint: { every: 0, write: (d) => checkpoints.push(copied(d)) },
    });
    expect(run.result.finished).toBe(false);
    expect(run.result.epochs).toBeLessThan(options.epochs);
    expect(checkpoints.length).toBe(1);
    const epochs = run.result.epochs + 3;
    const rest = await train(job(graph, "gcn", { epochs }), { resume: checkpoints[0]! });
    expect(rest.document.digest).toBe((await train(job(graph, "gcn", { epochs }))).document.digest);
  });

  test("a loss that is not finite is an error that names the epoch", async () => {
    const failing = train(job(graph, "mlp", { epochs: 200, optimizer: "sgd", lr: 1e30 }));
    const error = await failing.then(() => null, (e) => e as unknown);
    expect(error).toBeInstanceOf(GustError);
    const { code, message, hint } = error as GustError;
    expect(code).toBe("data");
    expect(message).toMatch(/^The loss is (NaN|Infinity) in epoch \d+, expected a finite number$/);
    expect(hint).toContain("--lr");
  });

  test("features that are not finite are an error that names their place", async () => {
    const bad = makeGraph({
      rows: [[1], [0]],
      features: [[1, NaN], [0, 1]],
      labels: [0, 1],
      split: { train: [0, 1] },
    });
    await expect(train(job(bad, "gcn", { epochs: 3 }, { params: { dropout: 0 } }))).rejects.toThrow(
      'tensor "feat" holds 1 infinite or not-a-number elements, the first in row 0, column 1',
    );
  });
});

describe("what cannot be trained", () => {
  const rows = [[1], [0]], features = [[1], [2]];
  test.each([
    ["no labels", { rows, features, split: { train: [0] } }, "has no labels"],
    [
      "an empty training split",
      { rows, features, labels: [0, 1], split: { train: [] } },
      "The training split of a graph in memory is empty",
    ],
    ["no split", { rows, features, labels: [0, 1] }, "stores no split"],
    ["no features", { rows, labels: [0, 1], split: { train: [0] } }, "has no node features"],
    [
      "labels past the classes",
      { rows, features, labels: [0, 5], numClasses: 2, split: { train: [0] } },
      'tensor "label" holds 5 at position 1, expected -1 to 1',
    ],
    [
      "arcs past the nodes",
      { rows: [[1], [7]], features, labels: [0, 1], split: { train: [0] } },
      'tensor "indices" holds node 7 at position 1',
    ],
    [
      "training nodes past the nodes",
      { rows, features, labels: [0, 1], split: { train: [0, 9] } },
      'tensor "split.train" holds 9 at position 1, expected 0 to 1',
    ],
  ])("%s is refused", (_, parts, message) => {
    expect(() => Run.start(job(makeGraph(parts), "gcn"), 1)).toThrow(message);
  });
});

test("median() is the middle, or the mean of the middle two", () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([5]), median([])]).toEqual([2, 2.5, 5, NaN]);
});
