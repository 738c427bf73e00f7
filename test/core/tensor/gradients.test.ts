import { describe, expect, test } from "bun:test";
import type { Op } from "../../../core/tensor/autograd.ts";
import { checkGradients, variable } from "./_autograd.ts";
import { declaredOps, expectAllRun, opFiles } from "./_declared.ts";
import { scale } from "../../../core/tensor/ops/axpby.ts";
import { mul } from "../../../core/tensor/ops/mul.ts";
import { cases } from "./_cases.ts";
import { operatorCases } from "./_operator_cases.ts";

describe.each(Object.entries(cases))("%s", (_, named) => {
  test.each(Object.entries(named))(
    "first and second gradients match finite differences: %s",
    (_, c) => checkGradients(c),
  );
});

describe("SparseOperator", () => {
  test.each(Object.entries(operatorCases))(
    "first and second gradients match finite differences: %s",
    (_, c) => checkGradients(c),
  );
});

test("a wrong gradient is found", () => {
  // x^3 with the gradient of x^2, and x^2 whose gradient is a constant to the second one.
  const power = (exponent: number, isConstant: boolean): Op<undefined> => ({
    name: "wrong",
    forward(tape, [x]) {
      let output = x!;
      for (let i = 1; i < exponent; i++) output = tape.noGrad(() => mul(tape, output, x!));
      return { output, saved: undefined };
    },
    backward: (tape, { inputs: [x] }, g) => [scale(tape, mul(tape, g, isConstant ? tape.detach(x!) : x!), 2)],
  });
  const check = (op: Op<undefined>) =>
    checkGradients({ inputs: [variable([3])], f: (tape, x) => tape.apply(op, x, undefined) });
  check(power(2, false));
  expect(() => check(power(3, false))).toThrow("gradient of input 0");
  expect(() => check(power(2, true))).toThrow("second gradient of input 0");
});

test("every file of core/tensor/ops has a case here", () => {
  expect(Object.keys(cases).sort()).toEqual(opFiles.toSorted());
});

test("the cases run every op that is declared, forward and backward", () => {
  expect(declaredOps.length).toBeGreaterThan(30);
  expectAllRun([
    ...Object.values(cases).flatMap((named) => Object.values(named)),
    ...Object.values(operatorCases),
  ]);
});
