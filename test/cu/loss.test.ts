import { describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/loss.ts";
import type { TensorHandle } from "../../ffi/engine.ts";
import { testDevice } from "../_device.ts";
import {
  engine,
  expectClose,
  expectEverywhere,
  expectSameOnThreads,
  integers,
  numbers,
  onEveryIsa,
  randoms,
  type Real,
  realTypes,
  roundoff,
  tensor,
} from "./_ops.ts";

interface Case {
  readonly input: reference.LossInput;
  readonly index?: "I32" | "I64";
}

function makeCase(
  n: number,
  c: number,
  part: "all" | "sorted" | "repeated",
  weighted: boolean,
  sum: boolean,
): Case {
  const x = randoms(n * c, "x").map((v) => v * 5), label = integers(n, -1, c, "label");
  const index = part === "all"
    ? undefined
    : part === "sorted"
    ? Array.from({ length: n }, (_, i) => i).filter((i) => i % 3 !== 1)
    : integers(n, 0, n, "index");
  const weight = weighted ? randoms(index?.length ?? n, "weight").map((v) => Math.abs(v)) : undefined;
  return { input: { x, n, c, label, index, weight, sum }, index: part === "sorted" ? "I64" : "I32" };
}

function tensors(dtype: Real, { input, index }: Case) {
  const { x, n, c, label, weight, sum } = input;
  return {
    x: tensor(dtype, [n, c], x),
    label: tensor("I32", [n], label),
    index: input.index ? tensor(index ?? "I32", [input.index.length], input.index) : null,
    weight: weight ? tensor(dtype, [weight.length], weight) : null,
    sum: Number(sum ?? false),
  };
}

const cases: [string, Case][] = [
  ["every row", makeCase(2708, 7, "all", false, false)],
  ["an ascending index and weights", makeCase(9001, 15, "sorted", true, false)],
  ["repeated rows in any order", makeCase(3001, 40, "repeated", true, false)],
  ["a sum", makeCase(1000, 3, "sorted", true, true)],
  ["one class", makeCase(50, 1, "all", false, false)],
  ["more classes than a buffer", makeCase(20, 2500, "repeated", false, false)],
];

describe.each([...realTypes])("%s", (dtype) => {
  // exp to 2e-7 (float32), the rest in float64, the result rounded once.
  const tolerance = (dtype === "F32" ? 4e-7 : 1e-14) + roundoff[dtype];

  test("the loss of two rows by hand", () => {
    const x = tensor(dtype, [2, 2], [0, 0, 0, Math.log(3)]), label = tensor("I32", [2], [0, 1]);
    const out = tensor(dtype, [1]), gradient = tensor(dtype, [2, 2]), g = tensor(dtype, [1], [2]);
    engine.run("softmax_cross_entropy", { x, label, out, sum: 1 });
    expectClose(numbers(out), [Math.log(2) + Math.log(4 / 3)], tolerance);
    engine.run("softmax_cross_entropy", { x, label, out, sum: 0 });
    expectClose(numbers(out), [(Math.log(2) + Math.log(4 / 3)) / 2], tolerance);
    engine.run("softmax_cross_entropy_backward", { x, label, g, out: gradient, sum: 0 });
    expectClose(numbers(gradient), [-0.5, 0.5, 0.25, -0.25], tolerance);
  });

  test.each(cases)("loss, gradient and count match the reference over %s", (_, made) => {
    const { input } = made, t = tensors(dtype, made), { x, label, index } = t;
    const out = tensor(dtype, [1]),
      gradient = tensor(dtype, [input.n, input.c]),
      g = tensor(dtype, [1], [0.75]);
    expectEverywhere(
      out,
      [reference.softmaxCrossEntropy(input)],
      tolerance,
      () => engine.run("softmax_cross_entropy", { ...t, out }),
    );
    const count = tensor("I64", [2]);
    expectEverywhere(
      count,
      reference.countCorrect(input),
      0,
      () => engine.run("count_correct", { x, label, index, out: count }),
    );
    const shares = tensor(dtype, [input.n, input.c]),
      weights = { label, index, weight: t.weight, sum: t.sum };
    // A division and, for repeated rows, a few additions of shares of 1.
    expectEverywhere(
      shares,
      reference.labelWeights(input),
      8 * roundoff[dtype],
      () => engine.run("label_weights", { ...weights, out: shares }),
    );
    // Relative to the largest entry: entries are small by the total weight.
    const want = reference.softmaxCrossEntropyBackward(input, 0.75);
    const top = Math.max(...want.map(Math.abs)) || 1;
    onEveryIsa(() => {
      expectSameOnThreads(
        [gradient],
        () => engine.run("softmax_cross_entropy_backward", { ...t, g, out: gradient }),
      );
      expectClose(numbers(gradient).map((v) => v / top), want.map((v) => v / top), 8 * tolerance);
    });
  });

  test("label_weights by hand: each row's share of the mean at its label, a row named twice adds up", () => {
    const label = tensor("I32", [4], [2, -1, 0, 1]), out = tensor(dtype, [4, 3]);
    engine.run("label_weights", { label, out, sum: 0 });
    expectClose(numbers(out), [0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0].map((v) => v / 3), roundoff[dtype]);
    engine.run("label_weights", { label, out, sum: 1 });
    expect(numbers(out)).toEqual([0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0]);
    // Row 3 twice, row 1 without a label: its weight counts in no total.
    const index = tensor("I64", [4], [3, 1, 3, 0]), weight = tensor(dtype, [4], [0.5, 8, 0.25, 1.25]);
    engine.run("label_weights", { label, index, weight, out, sum: 0 });
    expectClose(numbers(out), [0, 0, 0.625, 0, 0, 0, 0, 0, 0, 0, 0.375, 0], roundoff[dtype]);
    engine.run("label_weights", { label, index, weight, out, sum: 1 });
    expect(numbers(out)).toEqual([0, 0, 1.25, 0, 0, 0, 0, 0, 0, 0, 0.75, 0]);
    engine.run("label_weights", { label, index, out, sum: 1 });
    expect(numbers(out)).toEqual([0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0]);
  });

  test.each(cases)("label_weights times -log_softmax add up to the loss over %s", (_, made) => {
    const { input } = made, t = tensors(dtype, made), { label, index, weight, sum } = t;
    const shares = tensor(dtype, [input.n, input.c]), log = tensor(dtype, [input.n, input.c]);
    const loss = tensor(dtype, [1]);
    engine.run("label_weights", { label, index, weight, out: shares, sum });
    engine.run("log_softmax", { x: t.x, out: log });
    engine.run("softmax_cross_entropy", { ...t, out: loss });
    const terms = numbers(log), total = numbers(shares).reduce((s, w, k) => s + w * terms[k]!, 0);
    expectClose([-total], numbers(loss), 8 * tolerance);
  });

  test("no labelled row gives loss 0, gradient 0 and count 0", () => {
    const out = tensor(dtype, [1]), g = tensor(dtype, [1], [1]), count = tensor("I64", [2]);
    const x = tensor(dtype, [2, 3], [1, 2, 3, 4, 5, 6]), gradient = tensor(dtype, [2, 3]);
    const none = tensor("I32", [2], [-1, -1]), some = tensor("I32", [2], [0, 1]), nobody = tensor("I64", [0]);
    for (const args of [{ x, label: none }, { x, label: some, index: nobody }]) {
      for (const sum of [0, 1]) {
        engine.run("softmax_cross_entropy", { ...args, out, sum });
        engine.run("softmax_cross_entropy_backward", { ...args, g, out: gradient, sum });
        engine.run("count_correct", { ...args, out: count });
        const { label, index } = { index: null, ...args }, shares = tensor(dtype, [2, 3]);
        engine.run("label_weights", { label, index, out: shares, sum });
        expect(numbers(shares)).toEqual([0, 0, 0, 0, 0, 0]);
        expect([...numbers(out), ...numbers(gradient), ...numbers(count)]).toEqual(new Array(9).fill(0));
      }
    }
    const empty = { x: tensor(dtype, [0, 3]), label: tensor("I32", [0]) };
    engine.run("softmax_cross_entropy", { ...empty, out, sum: 0 });
    expect(numbers(out)).toEqual([0]);
    engine.run("softmax_cross_entropy_backward", { ...empty, g, out: tensor(dtype, [0, 3]), sum: 0 });
  });

  // Kernels have no way to refuse what they find.
  const testGpu = testDevice === "cpu" ? () => {} : test, testCpu = testDevice === "cpu" ? test : () => {};
  testGpu("on a GPU, labels past the classes and rows outside make NaN", () => {
    const x = tensor(dtype, [2, 3], [0, 0, 0, 0, 0, 0]),
      out = tensor(dtype, [1]),
      g = tensor(dtype, [1], [1]);
    const gradient = tensor(dtype, [2, 3]), count = tensor("I64", [2]);
    const past = tensor("I32", [2], [0, 3]), fine = tensor("I32", [2], [0, 1]);
    const index = tensor("I32", [2], [0, 2]), negative = tensor("I64", [1], [-1]);
    const weight = tensor(dtype, [2], [1, 1]);
    for (const args of [{ label: past }, { label: fine, index }, { label: fine, index: negative }]) {
      engine.run("softmax_cross_entropy", { ...args, x, out, sum: 1 });
      expect(numbers(out)).toEqual([NaN]);
      engine.run("count_correct", { ...args, x, out: count });
    }
    for (const op of ["softmax_cross_entropy_backward", "label_weights"] as const) {
      const run = (args: { label: TensorHandle; index?: TensorHandle; weight?: TensorHandle }) => {
        if (op === "label_weights") engine.run(op, { ...args, out: gradient, sum: 1 });
        else engine.run(op, { ...args, x, g, out: gradient, sum: 1 });
        return numbers(gradient).map(Number.isNaN);
      };
      expect(run({ label: past })).toEqual([false, false, false, true, true, true]);
      expect(run({ label: fine, index })).not.toContain(true);
      expect(run({ label: fine, index, weight })).not.toContain(true);
    }
  });

  testCpu("labels past the classes and rows outside are refused with their place", () => {
    const x = tensor(dtype, [2, 3]),
      out = tensor(dtype, [1]),
      g = tensor(dtype, [1]),
      label = tensor("I32", [2], [0, 3]);
    const index = tensor("I32", [2], [0, 2]),
      negative = tensor("I64", [1], [-1]),
      gradient = tensor(dtype, [2, 3]);
    expect(() => engine.run("softmax_cross_entropy", { x, label, out, sum: 1 })).toThrow(
      "label[1] = 3, expected labels below",
    );
    const fine = tensor("I32", [2], [0, 1]);
    expect(() => engine.run("softmax_cross_entropy", { x, label: fine, index, out, sum: 1 })).toThrow(
      "index[1] = 2",
    );
    expect(() => engine.run("softmax_cross_entropy_backward", { x, label, g, out: gradient, sum: 1 }))
      .toThrow("label[1]");
    expect(() => engine.run("label_weights", { label, out: gradient, sum: 1 })).toThrow("label[1] = 3");
    expect(() => engine.run("label_weights", { label: fine, index, out: gradient, sum: 0 })).toThrow(
      "index[1] = 2",
    );
    expect(() => engine.run("count_correct", { x, label: fine, index: negative, out: tensor("I64", [2]) }))
      .toThrow(
        "index[0] = -1",
      );
  });
});
