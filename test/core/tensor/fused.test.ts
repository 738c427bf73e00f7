/** Fused ops declare what they are made of; it must be the same function, and second gradients go through it. */
import { describe, expect, test } from "bun:test";
import { type Op, Tape } from "../../../core/tensor/autograd.ts";
import { scale } from "../../../core/tensor/ops/axpby.ts";
import { crossEntropy } from "../../../core/tensor/ops/cross_entropy.ts";
import { mul } from "../../../core/tensor/ops/mul.ts";
import { totalSum } from "../../../core/tensor/ops/row_sum.ts";
import type { Tensor } from "../../../core/tensor/tensor.ts";
import {
  checkGradients,
  expectNear,
  index,
  type Seen,
  variable,
  WatchedTape,
  withTape,
} from "./_autograd.ts";
import { cases } from "./_cases.ts";
import { operatorCases } from "./_operator_cases.ts";

/** A tape that runs the decomposition of every op beside its forward pass. */
class ComparingTape extends Tape {
  readonly compared: string[] = [];
  override apply<P, S>(op: Op<P, S>, inputs: readonly Tensor[], params: P): Tensor {
    const output = super.apply(op, inputs, params);
    if (op.decompose) {
      const parts = this.noGrad(() => op.decompose!(this, inputs, params));
      // Both add up at most 15 terms of size 1: 15 roundings of 2^-53 and as many in exp and log.
      expectNear(parts.toNumbers(), output.toNumbers(), 1e-14, op.name);
      this.compared.push(op.name);
    }
    return output;
  }
}

test("decompose() of every fused op equals its forward pass", () => {
  const compared = new Set<string>();
  for (
    const { inputs, f } of [...Object.values(cases), operatorCases].flatMap((named) => Object.values(named))
  ) {
    withTape((tape) => {
      const comparing = new ComparingTape(tape.engine, tape.arena, true);
      f(comparing, inputs);
      comparing.compared.forEach((name) => compared.add(name));
    });
  }
  expect([...compared].sort()).toEqual([
    "attention",
    "epilogue",
    "layer_product",
    "matmul_epilogue",
    "matmul_sum",
    "projected_attention",
    "row_normalize",
    "segment_norm",
    "softmax_cross_entropy",
    "spmm_epilogue",
  ]);
});

describe("crossEntropy()", () => {
  const run = (createGraph: boolean): Seen => {
    const seen: Seen = { forward: new Set(), backward: new Set() };
    withTape((tape) => {
      const x = variable([4, 3]), label = index([0, 2, -1, 1], "I32").handle;
      const watched = new WatchedTape(tape, seen);
      watched.grad(crossEntropy(watched, x, label), [x], { createGraph });
    });
    return seen;
  };

  test("its gradient is one fused op", () => {
    const { forward, backward } = run(false);
    expect([...forward]).toEqual(["softmax_cross_entropy"]);
    expect([...backward]).toEqual(["softmax_cross_entropy"]);
  });

  test("a graph of its gradient goes through the decomposition", () => {
    const { forward, backward } = run(true);
    expect(backward.has("softmax_cross_entropy")).toBe(false);
    for (const name of ["log_softmax", "mul", "total_sum", "axpby"]) {
      expect(forward.has(name)).toBe(true);
      expect(backward.has(name)).toBe(true);
    }
  });

  test("both ways give the same gradient", () => {
    withTape((tape) => {
      const x = variable([4, 3]), label = index([0, 2, -1, 1], "I32").handle;
      const gradient = (createGraph: boolean) =>
        tape.grad(crossEntropy(tape, x, label), [x], { createGraph })[0]!.toNumbers();
      // Entries below 1, a handful of roundings each.
      expectNear(gradient(true), gradient(false), 1e-15, "gradient");
    });
  });
});

test("a fused op that is given the same tensor twice counts each input once", () => {
  // x * y with another factor in front of each gradient, so that a mix-up shows.
  const product: Op<undefined> = {
    name: "fused_product",
    forward: (tape, [x, y]) => ({ output: tape.noGrad(() => mul(tape, x!, y!)), saved: undefined }),
    backward: (tape, { inputs: [x, y] }, g) => [mul(tape, g, y!), mul(tape, g, x!)],
    decompose: (tape, [x, y]) => mul(tape, x!, scale(tape, y!, 1)),
  };
  checkGradients({ inputs: [variable([3])], f: (tape, [x]) => tape.apply(product, [x!, x!], undefined) });
  checkGradients({
    inputs: [variable([3]), variable([3], [0.5, -1, 2])],
    f: (tape, [x, y]) => totalSum(tape, tape.apply(product, [x!, mul(tape, x!, y!)], undefined)),
  });
});
