/** A recorded step is the eager step: the same bits, with everything that changes from step to step. */
import { expect, test } from "bun:test";
import { Engine, hostArray } from "../../../ffi/engine.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { addBias } from "../../../core/tensor/ops/add_bias.ts";
import { crossEntropy } from "../../../core/tensor/ops/cross_entropy.ts";
import { dropout } from "../../../core/tensor/ops/dropout.ts";
import { matmul } from "../../../core/tensor/ops/matmul.ts";
import { relu } from "../../../core/tensor/ops/relu.ts";
import { Pattern, SparseOperator } from "../../../core/tensor/operator.ts";
import { constant, Tensor } from "../../../core/tensor/tensor.ts";
import { Init } from "../../../core/models/model.ts";
import { optimizers } from "../../../core/optim/mod.ts";
import { native, randoms } from "./_autograd.ts";

/** Two layers with dropout on dense and sparse inputs, trained by Adam, on an engine of its own. */
function makeStep(dtype: "F32" | "F64") {
  const engine = new Engine(), arena = engine.arena(), fixed = engine.arena();
  engine.setStep(5, 0, 0);
  const init = new Init(engine, dtype);
  const w0 = init.glorot("w0", 0, 5, 8), b0 = init.zeros("b0", 0, 8), w1 = init.glorot("w1", 1, 8, 3);
  const optimizer = optimizers.get("adam").create(engine, init.parameters, {
    lr: 0.05,
    weightDecay: () => 0.01,
  }, {
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
  });
  // Not symmetric, so that the backward pass builds the transpose while it records.
  const pattern = new Pattern(
    fixed,
    6,
    6,
    fixed.bind(native("I64", [0, 2, 3, 3, 5, 6, 8])),
    fixed.bind(native("I32", [1, 4, 0, 2, 5, 3, 0, 1])),
  );
  const operator = new SparseOperator(pattern, { values: constant(fixed, dtype, [8], randoms(8, "values")) });
  const x = constant(fixed, dtype, [6, 5], randoms(30, "x"));
  const label = fixed.bind(native("I32", [0, 2, 1, -1, 1, 0]));
  const run = () => {
    const tape = new Tape(engine, arena, true);
    const h = relu(tape, addBias(tape, matmul(tape, dropout(tape, x, 0.4, 0), w0), b0));
    const logits = operator.dropout(tape, 0.3, 7, null).apply(
      tape,
      matmul(tape, dropout(tape, h, 0.5, 1), w1),
    );
    const loss = crossEntropy(tape, logits, label);
    tape.grad(loss, init.parameters).forEach((g, i) => optimizer.update(i, g!));
    return { loss, logits, gradients: tape.grad(loss, init.parameters) };
  };
  const prepare = (step: number) => {
    engine.setStep(5, step >> 1, step);
    optimizer.prepare(step + 1, 0.05 / (step + 1));
  };
  return { engine, arena, init, run, prepare };
}

const bytesOf = (t: Tensor) => Buffer.from(hostArray(t.handle).read().buffer as ArrayBuffer).toString("hex");

test.each(["F32", "F64"] as const)(
  "a replayed %s step equals the eager one bit for bit, dropout included",
  (dtype) => {
    const eager = makeStep(dtype), recorded = makeStep(dtype);
    recorded.prepare(0);
    let kept: ReturnType<typeof recorded.run> | undefined;
    const program = recorded.engine.record(() => {
      kept = recorded.run();
    });
    const seen = new Set<string>();
    for (let step = 0; step < 6; step++) {
      if (step > 0) {
        recorded.prepare(step);
        program.replay();
      }
      eager.prepare(step);
      const { loss, logits, gradients } = eager.run();
      expect([loss, logits, ...gradients as Tensor[]].map(bytesOf)).toEqual(
        [kept!.loss, kept!.logits, ...kept!.gradients as Tensor[]].map(bytesOf),
      );
      expect(recorded.init.parameters.map(bytesOf)).toEqual(eager.init.parameters.map(bytesOf));
      seen.add(bytesOf(logits));
      eager.arena.reset();
    }
    expect(seen.size).toBe(6);
    eager.engine.destroy();
    recorded.engine.destroy();
  },
);

test("dropout masks follow seed, epoch and step, and come back with them", () => {
  const engine = new Engine(), arena = engine.arena();
  const x = constant(arena, "F64", [8, 8], new Array<number>(64).fill(1));
  let out: Tensor | undefined;
  engine.setStep(1, 0, 0);
  const program = engine.record(() => {
    out = dropout(new Tape(engine, arena, true), x, 0.5, 0);
  });
  const mask = (seed: number, epoch: number, step: number) => {
    engine.setStep(seed, epoch, step);
    program.replay();
    return out!.toNumbers().map((v) => v > 0 ? 1 : 0).join("");
  };
  const keys: [number, number, number][] = [[1, 0, 0], [2, 0, 0], [1, 1, 0], [1, 0, 1]];
  const masks = keys.map((key) => mask(...key));
  expect(new Set(masks).size).toBe(4);
  expect(keys.map((key) => mask(...key))).toEqual(masks);
  expect(new Set(out!.toNumbers())).toEqual(new Set([0, 2]));
  engine.destroy();
});

test("what runs inside once() is left out of the program", () => {
  const engine = new Engine(), arena = engine.arena();
  const total = constant(arena, "F64", [1], [0]), one = constant(arena, "F64", [1], [1]);
  const add = (alpha: number) =>
    engine.run("axpby", { x: total.handle, y: one.handle, out: total.handle, alpha: 1, beta: alpha });
  const program = engine.record(() => {
    engine.once(() => add(100));
    add(1);
  });
  expect(program.length).toBe(1);
  program.replay();
  program.replay();
  expect(total.item()).toBe(103);
  expect(() => engine.record(() => engine.record(() => {}))).toThrow("record() inside record()");
  // The failed recording is over.
  expect(engine.record(() => add(1)).length).toBe(1);
  engine.destroy();
});

test("arrays that a program reads live as long as its engine, though nobody else holds them or their arena", async () => {
  const engine = new Engine(), out = engine.persistent.tensor("F64", [4]);
  const watch: WeakRef<NativeArray>[] = [];
  const program = (() => {
    const arena = engine.arena(), array = NativeArray.from<"F64">(Float64Array.of(1, 2, 3, 4));
    watch.push(new WeakRef(array));
    const x = arena.bind(array);
    return engine.record(() => engine.run("axpby", { x, out, alpha: 2, beta: 0 }));
  })();
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    Bun.gc(true);
  }
  expect(watch[0]!.deref()).toBeDefined();
  new Tensor(out).set([0, 0, 0, 0]);
  program.replay();
  expect(new Tensor(out).toNumbers()).toEqual([2, 4, 6, 8]);
  engine.destroy();
});
