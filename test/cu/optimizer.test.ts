import { afterAll, describe, expect, test } from "bun:test";
import * as reference from "../../core/reference/optimizer.ts";
import {
  engine,
  expectClose,
  expectSameOnThreads,
  numbers,
  onEveryIsa,
  randoms,
  realTypes,
  rounded,
  roundoff,
  setNumbers,
  tensor,
} from "./_ops.ts";

const lr = engine.stepWord(), correction1 = engine.stepWord(), correction2 = engine.stepWord();
const shape = [9001, 7] as const, size = shape[0] * shape[1];
afterAll(() => [lr, correction1, correction2].forEach((word) => engine.setStepFloat(word, 0)));

describe.each([...realTypes])("%s", (dtype) => {
  test("sgd() takes a step by hand: plain, with momentum, Nesterov", () => {
    engine.setStepFloat(lr, 0.5);
    const step = (momentum: number, nesterov: number, weight_decay: number, velocity: number[] | null) => {
      const param = tensor(dtype, [1, 2], [1, -2]), grad = tensor(dtype, [1, 2], [4, 8]);
      const v = velocity ? tensor(dtype, [1, 2], velocity) : null;
      engine.run("sgd", { param, grad, velocity: v, lr, momentum, nesterov, weight_decay });
      return [...numbers(param), ...(v ? numbers(v) : [])];
    };
    expect(step(0, 0, 0, null)).toEqual([-1, -6]);
    expect(step(0, 0, 2, null)).toEqual([-2, -4]);
    expect(step(0.5, 0, 0, [2, 0])).toEqual([-1.5, -6, 5, 8]);
    expect(step(0.5, 1, 0, [2, 0])).toEqual([1 - 0.5 * (4 + 2.5), -2 - 0.5 * (8 + 4), 5, 8]);
    expect(() => step(0.5, 0, 0, null)).toThrow("momentum 0.5 without a velocity tensor");
  });

  test("adam() takes its first step by hand", () => {
    // m = 0.1 g, v = 0.001 g^2, both corrected back to g and g^2: the step is lr * g / (|g| + eps).
    engine.setStepFloat(lr, 0.25);
    engine.setStepFloat(correction1, 1 - 0.9);
    engine.setStepFloat(correction2, 1 - 0.999);
    const param = tensor(dtype, [1, 3], [1, 1, 1]), grad = tensor(dtype, [1, 3], [4, -2, 0]);
    const m = tensor(dtype, [1, 3], [0, 0, 0]), v = tensor(dtype, [1, 3], [0, 0, 0]);
    const rates = { lr, correction1, correction2, beta1: 0.9, beta2: 0.999 };
    engine.run("adam", { param, grad, m, v, ...rates, eps: 1, weight_decay: 0, decoupled: 0 });
    expectClose(numbers(param), [1 - 0.25 * 4 / 5, 1 + 0.25 * 2 / 3, 1], 16 * roundoff[dtype]);
    expectClose(numbers(m), [0.4, -0.2, 0], 4 * roundoff[dtype]);
    expectClose(numbers(v), [0.016, 0.004, 0], 4 * roundoff[dtype]);
  });

  test.each([[0, false, 0], [0, false, 0.01], [0.9, false, 0.01], [0.9, true, 0.01]])(
    "sgd() follows the reference for 5 steps: momentum %d, nesterov %p, decay %d",
    (momentum, nesterov, weightDecay) => {
      const start = rounded(dtype, randoms(size, "param"));
      const want = [...start], wantVelocity = momentum ? new Array<number>(size).fill(0) : null;
      const gradients = Array.from({ length: 5 }, (_, t) => randoms(size, `gradient ${t}`));
      for (const g of gradients) {
        reference.sgd(want, g, wantVelocity, { lr: 0.1, momentum, nesterov, weightDecay });
      }

      const param = tensor(dtype, shape),
        velocity = momentum ? tensor(dtype, shape) : null,
        grad = tensor(dtype, shape);
      const args = {
        param,
        grad,
        velocity,
        lr,
        momentum,
        nesterov: Number(nesterov),
        weight_decay: weightDecay,
      };
      engine.setStepFloat(lr, 0.1);
      onEveryIsa(() => {
        expectSameOnThreads(velocity ? [param, velocity] : [param], () => {
          setNumbers(param, start);
          if (velocity) setNumbers(velocity, new Array(size).fill(0));
          for (const g of gradients) {
            setNumbers(grad, g);
            engine.run("sgd", args);
          }
        });
        // Constants are rounded to the dtype: a few roundings per step and element.
        expectClose(numbers(param), want, 5 * 8 * roundoff[dtype]);
      });
    },
  );

  test.each([[0, false], [0.01, false], [0.01, true]])(
    "adam() follows the reference for 5 steps: decay %d, decoupled %p",
    (weightDecay, decoupled) => {
      const settings = { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay, decoupled };
      const start = rounded(dtype, randoms(size, "param"));
      const want = [...start],
        wantM = new Array<number>(size).fill(0),
        wantV = new Array<number>(size).fill(0);
      const gradients = Array.from({ length: 5 }, (_, t) => randoms(size, `gradient ${t}`));
      gradients.forEach((g, t) => reference.adam(want, g, wantM, wantV, t + 1, settings));

      const param = tensor(dtype, shape), grad = tensor(dtype, shape);
      const m = tensor(dtype, shape), v = tensor(dtype, shape);
      const { beta1, beta2, eps } = settings;
      engine.setStepFloat(lr, settings.lr);
      onEveryIsa(() => {
        expectSameOnThreads([param, m, v], () => {
          setNumbers(param, start);
          for (const t of [m, v]) setNumbers(t, new Array(size).fill(0));
          gradients.forEach((g, t) => {
            setNumbers(grad, g);
            engine.setStepFloat(correction1, 1 - beta1 ** (t + 1));
            engine.setStepFloat(correction2, 1 - beta2 ** (t + 1));
            const rates = { lr, correction1, correction2, beta1, beta2, eps };
            engine.run("adam", {
              param,
              grad,
              m,
              v,
              ...rates,
              weight_decay: weightDecay,
              decoupled: Number(decoupled),
            });
          });
        });
        // 1 - beta2 = 0.001 is rounded relative to itself; a step of at most lr has about ten roundings. Near g = 0
        // the direction m / sqrt(v) turns relative errors of m into absolute ones below lr.
        expectClose(numbers(param), want, 64 * roundoff[dtype]);
        expectClose(numbers(m), wantM, 16 * roundoff[dtype]);
        expectClose(numbers(v), wantV, 16 * roundoff[dtype]);
      });
    },
  );

  test("empty parameters are left alone", () => {
    const none = tensor(dtype, [0, 3]);
    engine.run("sgd", {
      param: none,
      grad: none,
      velocity: none,
      lr,
      momentum: 0.9,
      nesterov: 1,
      weight_decay: 0.1,
    });
    const rates = { lr, correction1, correction2, beta1: 0.9, beta2: 0.999, eps: 1e-8 };
    engine.run("adam", {
      param: none,
      grad: none,
      m: none,
      v: none,
      ...rates,
      weight_decay: 0,
      decoupled: 1,
    });
    expect(numbers(none)).toEqual([]);
  });
});
