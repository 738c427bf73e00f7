/** Numbers that are not finite end a run: where they came up, what made them, and what is left of the run. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { setThreads } from "../../../ffi/engine.ts";
import { openTestDevice, testDevice } from "../../_device.ts";
import { openFile } from "../../../core/format/read.ts";
import { writeFile } from "../../../core/format/write.ts";
import type { Document } from "../../../core/format/document.ts";
import { models } from "../../../core/models/mod.ts";
import { optimizers } from "../../../core/optim/mod.ts";
import { AnomalyWatch, checkWeights, LastGood, NotFinite } from "../../../core/train/finite.ts";
import { Run, type RunHooks, type TrainJob } from "../../../core/train/job.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { freshDir } from "../../helpers.ts";
import { sbmGraph } from "../_graphs.ts";
import { job } from "./_train.ts";

await openTestDevice();
const graph = sbmGraph({ nodes: 60, degree: 5, classes: 3, features: 6, trainPerClass: 5, valPerClass: 5 });

/** Train, and what was kept of it: at the end, or before the error that it ended with. */
async function trained(
  j: TrainJob,
  hooks: RunHooks = {},
): Promise<{ kept: Document | null; error: unknown }> {
  const run = Run.start(j, 1), path = join(freshDir(), "m");
  let isKept = false;
  const write: NonNullable<RunHooks["checkpoint"]>["write"] = (document) => {
    writeFile(path, document);
    isKept = true;
  };
  try {
    const error = await run.train({ ...hooks, checkpoint: { every: 0, write } }).then(() => null, (e) => e);
    if (error === null) write(run.document([]));
    return { kept: isKept ? openFile(path) : null, error };
  } finally {
    run.close();
  }
}

const tensors = (document: Document) =>
  Object.fromEntries(document.names.map((name) => [name, document.tensor(name).toNumbers()]));
/** Steps that are far too long. */
const explodes = (optimizer: string, epochs: number) => ({
  optimizer,
  epochs,
  lr: optimizer === "adam" ? 1e37 : 1e12,
  weightDecay: 0,
});

/** The first epoch (from 1) that ends with something that is not finite. */
function epochOf(error: unknown): number {
  expect(error).toBeInstanceOf(NotFinite);
  return Number(/ epoch (\d+)/.exec((error as Error).message)![1]);
}

test.each(["sgd", "adam"])(
  "a loss that is not finite ends a run of %s, whose last good epoch is kept whole",
  async (optimizer) => {
    const options = explodes(optimizer, 60);
    const { kept, error } = await trained(job(graph, "gcn", options));
    const epoch = epochOf(error);
    expect(epoch).toBeGreaterThan(1);
    // A run of one epoch less keeps the same: weights, the best ones, optimizer state, counters.
    const before = await trained(job(graph, "gcn", { ...options, epochs: epoch - 1 }));
    expect(before.error).toBeNull();
    expect(tensors(kept!)).toEqual(tensors(before.kept!));
    const { progress } = kept!.meta as { progress: { finished: boolean } };
    expect(progress).toEqual({ ...(before.kept!.meta["progress"] as object), finished: false } as never);
  },
);

test("a weight that is not finite ends a run though the loss was finite", async () => {
  const run = Run.start(job(graph, "gcn"), 1), [, second] = run.training.model.parameters;
  second!.set(second!.toNumbers().with(1, Infinity));
  expect(() => checkWeights(run.training)).toThrow(
    `Weight "${second!.name}" [${second!.shape.join(", ")}] holds Infinity in ${
      second!.shape.length === 1 ? "position 1" : "row 0, column 1"
    } after epoch 1, expected finite numbers`,
  );
  run.close();
  // One epoch: the loss of the initial weights, then a step beyond all numbers. No epoch ended well.
  const { kept, error } = await trained(
    job(graph, "gcn", { ...explodes("sgd", 1), lr: 3e38, weightDecay: 1e4 }),
  );
  expect((error as Error | null)?.message ?? "").toMatch(
    /^Weight ".*" \[.*\] holds -?(NaN|Infinity) in .* after epoch 1, /,
  );
  expect(kept).toBeNull();
});

test("what is put back is weights, their averages, optimizer state and counters", () => {
  const run = Run.start(job(graph, "sage", { ema: 0.9 }, { params: { layerNorm: "batch" } }), 1),
    { training } = run;
  const lastGood = new LastGood(training);
  const all = [...training.model.parameters, ...training.model.buffers ?? []];
  const before = [all.map((p) => p.toNumbers()), { ...training.progress }];
  for (const body of [() => new NotFinite("no"), () => new Error("other")]) {
    const error = body();
    expect(() =>
      lastGood.orRestore(() => {
        for (const p of all) p.set(p.toNumbers().map(() => NaN));
        training.progress.step = 99;
        throw error;
      })
    ).toThrow(error);
    const after = [all.map((p) => p.toNumbers()), { ...training.progress }];
    if (error instanceof NotFinite) expect(after).toEqual(before);
    else expect(after).not.toEqual(before);
  }
  lastGood.free();
  run.close();
});

test("epochs since the last copy are run again, as often as there are", () => {
  const run = Run.start(job(graph, "gcn"), 1), { training } = run, [weight] = training.model.parameters;
  const epoch = () => {
    weight!.set(weight!.toNumbers().map((w) => w / 2 + 1));
    training.progress.epoch++;
  };
  let repeated = 0;
  const lastGood = new LastGood(training, () => (repeated++, epoch()));
  for (let i = 0; i < 30; i++) lastGood.orRestore(epoch);
  const before = [weight!.toNumbers(), { ...training.progress }];
  for (const times of [1, 2]) {
    const fails = () =>
      lastGood.orRestore(() => {
        epoch();
        weight!.set(weight!.toNumbers().map(() => NaN));
        throw new NotFinite("no");
      });
    const at = repeated;
    expect(fails).toThrow(NotFinite);
    expect([weight!.toNumbers(), { ...training.progress }]).toEqual(before as never);
    // Nothing was copied meanwhile: the same epochs.
    if (times === 2) expect(repeated).toBe(2 * at);
  }
  expect(repeated).toBeLessThanOrEqual(60);
  lastGood.free();
  run.close();
});

test.each(
  [
    ["gcn", { optimizer: "adam", ema: 0.9, clipNorm: 1 }, {}],
    ["sage", { optimizer: "sgd" }, { layerNorm: "batch", dropout: 0.5 }],
    ["mlp", { optimizer: "adam", evalEvery: 5, patience: 100 }, { dropout: 0.5 }],
    ["gat", { optimizer: "adam" }, { dropout: 0.5 }],
  ] as const,
)(
  "%s goes back to the very bytes of its last good epoch, however many are run again",
  async (name, options, params) => {
    const good = 25, whole = job(graph, name, { ...options, epochs: 60 }, { params });
    const run = Run.start(whole, 1), path = join(freshDir(), "m");
    const error = await run.train({
      checkpoint: { every: 0, write: (document) => void writeFile(path, document) },
      onEpoch: (_, { epoch }) => {
        const [weight] = run.training.model.parameters;
        if (epoch === good) weight!.set(weight!.toNumbers().map(() => NaN));
      },
    }).then(() => null, (e) => e);
    run.close();
    expect(epochOf(error)).toBe(good + 1);
    // A run that was stopped after as many epochs.
    const stopped = Run.start(whole, 1), other = join(freshDir(), "m");
    await stopped.train({
      checkpoint: {
        every: good,
        write: (document) => {
          if (stopped.training.progress.epoch === good) writeFile(other, document);
        },
      },
    });
    stopped.close();
    expect(tensors(openFile(path))).toEqual(tensors(openFile(other)));
    expect(openFile(path).meta["progress"]).toEqual(openFile(other).meta["progress"]);
  },
);

describe("--detect-anomaly", () => {
  test("names op, epoch, step, phase and tensors, and the same epoch is kept", async () => {
    const options = explodes("sgd", 60);
    const plain = await trained(job(graph, "gcn", options));
    const watched = await trained(job(graph, "gcn", options), { detectAnomaly: true });
    const message = (watched.error as Error).message;
    expect(message).toMatch(
      /^Op "\w+" \((epoch \d+, step \d+, (forward|backward|update)|the scoring of epoch \d+)\) wrote (NaN|-?Infinity) to "\w+".* \[.*\] in (row|position) .*, the first of \d+ elements that are not finite; its inputs were finite: /,
    );
    // What was not yet seen in the loss or in a weight may be seen in an op before.
    expect(epochOf(watched.error)).toBeLessThanOrEqual(epochOf(plain.error));
    const epoch = (watched.kept!.meta as { progress: { epoch: number } }).progress.epoch;
    const before = await trained(job(graph, "gcn", { ...options, epochs: epoch }));
    expect(tensors(watched.kept!)).toEqual(tensors(before.kept!));
  });

  test("tells an op that made such numbers from one that was given them", () => {
    const run = Run.start(job(graph, "gcn"), 1), { engine } = run, arena = engine.arena();
    const watch = new AnomalyWatch(run.training);
    const [zero, out] = [arena.tensor("F32", [2, 3], true), arena.tensor("F32", [2, 3], true)];
    expect(() => engine.run("unary", { x: zero, out, kind: 1, alpha: 0 })).toThrow(
      'Op "unary" (epoch 1, step 1, input) wrote -Infinity to "out" [2, 3] in row 0, column 0, the first of 6 elements ' +
        'that are not finite; its inputs were finite: "x" [2, 3]',
    );
    expect(() => engine.run("axpby", { x: out, out: zero, alpha: 1, beta: 0 })).toThrow(
      '; it was given such numbers in "x" [2, 3]',
    );
    // An op that writes over what it reads, and integers, which are always finite.
    expect(() => engine.run("axpby", { x: out, out, alpha: 1, beta: 0 })).toThrow(
      "; its inputs were finite: ",
    );
    engine.run("fill", { out: arena.tensor("I32", [2]), value: -1 });
    expect(() => new AnomalyWatch(run.training)).toThrow("one observer");
    watch.release();
    run.close();
  });

  test("finds it in programs, and what redirected slots stand for", () => {
    const run = Run.start(job(graph, "gcn"), 1), { engine } = run, arena = engine.arena();
    const watch = new AnomalyWatch(run.training);
    const [x, out, zero, bad] = Array.from({ length: 4 }, () => arena.tensor("F32", [2], true));
    const program = engine.record(() => {
      engine.run("fill", { out: x!, value: 2 });
      engine.run("unary", { x: x!, out: out!, kind: 1, alpha: 0 });
    });
    program.replay();
    const planned = engine.plan(() => engine.run("unary", { x: zero!, out: out!, kind: 1, alpha: 0 }));
    expect(() => planned.replay()).toThrow('wrote -Infinity to "out" [2] in position 0, the first of 2');
    const view = arena.reshape(x!, [2]);
    const reading = engine.record(() => engine.run("axpby", { x: view, out: out!, alpha: 1, beta: 0 }));
    new Tensor(bad!).set([1, NaN]);
    engine.redirect(view, bad!);
    expect(() => reading.replay()).toThrow(
      'wrote NaN to "out" [2] in position 1, the first of 1 elements that are not ' +
        'finite; it was given such numbers in "x" [2]',
    );
    watch.release();
    run.close();
  });

  // The emulation protects memory around every copy, and a watched run copies every result.
  test.each(testDevice === "emulated" ? ["gcn"] : models.names)(
    "finds nothing in %s that trains well, and changes no byte",
    async (name) => {
      setThreads(1);
      for (const optimizer of optimizers.names.slice(0, 2)) {
        const options = { epochs: 3, optimizer, clipNorm: 1, ema: 0.5 };
        const plain = await trained(job(graph, name, options));
        const watched = await trained(job(graph, name, options), { detectAnomaly: true });
        expect([plain.error, watched.error]).toEqual([null, null]);
        expect(tensors(watched.kept!)).toEqual(tensors(plain.kept!));
      }
      setThreads(0);
    },
  );
});
