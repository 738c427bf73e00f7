import { describe, expect, test } from "bun:test";
import type { ParameterUse, Tape } from "../../../core/tensor/autograd.ts";
import { SparseOperator } from "../../../core/tensor/operator.ts";
import { addBias } from "../../../core/tensor/ops/add_bias.ts";
import { axpby, scale } from "../../../core/tensor/ops/axpby.ts";
import { gather } from "../../../core/tensor/ops/gather.ts";
import { epilogue } from "../../../core/tensor/ops/epilogue.ts";
import { matmul } from "../../../core/tensor/ops/matmul.ts";
import { mul } from "../../../core/tensor/ops/mul.ts";
import { relu } from "../../../core/tensor/ops/relu.ts";
import { totalSum } from "../../../core/tensor/ops/row_sum.ts";
import { unary } from "../../../core/tensor/ops/unary.ts";
import { constant, Parameter, Tensor } from "../../../core/tensor/tensor.ts";
import { engine, expectNear, fixed, index, randoms, variable, withTape } from "./_autograd.ts";
import { pattern45 } from "./_cases.ts";

const gradient = (tape: Tape, of: Tensor, x: Tensor, seed?: Tensor) =>
  tape.grad(of, [x], { seed })[0]!.toNumbers();

describe("grad()", () => {
  test("adds up what comes back from every use of a tensor", () => {
    withTape((tape) => {
      const x = variable([1], [3]);
      const square = mul(tape, x, x);
      // y = x^2 * x^2 + 2 x^2 - x, dy/dx = 4 x^3 + 4 x - 1
      const y = axpby(tape, axpby(tape, mul(tape, square, square), square, 1, 2), x, 1, -1);
      expect(y.item()).toBe(96);
      expect(gradient(tape, y, x)).toEqual([119]);
      expect(gradient(tape, y, square)).toEqual([20]);
      // Asking again gives the same.
      expect(tape.grad(y, [x, square]).map((g) => g!.item())).toEqual([119, 20]);
    });
  });

  test("is null for a tensor that the result does not depend on", () => {
    withTape((tape) => {
      const x = variable([2]), other = variable([2], [5, 6]), plain = new Tensor(x.handle, false);
      const y = totalSum(tape, mul(tape, x, plain));
      const unused = scale(tape, other, 2);
      expect(tape.grad(y, [other, unused, plain])).toEqual([null, null, null]);
      expect(gradient(tape, y, x)).toEqual(plain.toNumbers());
      // What y is made into later is no part of y.
      const later = scale(tape, y, 2);
      expect(tape.grad(y, [later])).toEqual([null]);
    });
  });

  test("starts from the seed, and from 1 for one number", () => {
    withTape((tape) => {
      const x = variable([2, 2], [1, 2, 3, 4]), y = mul(tape, x, x);
      const seed = constant(tape.arena, "F64", [2, 2], [1, -1, 0.5, 0]);
      expect(gradient(tape, y, x, seed)).toEqual([2, -4, 3, 0]);
      expect(gradient(tape, y, y, seed)).toEqual(seed.toNumbers());
      expect(gradient(tape, totalSum(tape, y), x)).toEqual([2, 4, 6, 8]);
      expect(() => tape.grad(y, [x])).toThrow(
        new RangeError("grad() of a tensor of 4 elements needs a seed"),
      );
    });
  });

  test("can be taken of gradients with createGraph, as often as wanted", () => {
    withTape((tape) => {
      const x = variable([1], [2]);
      let y = unary(tape, x, "power", 5);
      // d^k/dx^k x^5 at 2: 80, 160, 240, 240, 120
      for (const want of [80, 160, 240, 240, 120]) {
        y = tape.grad(y, [x], { createGraph: true })[0]!;
        expect(y.item()).toBe(want);
      }
    });
  });

  test("leaves no entries behind without createGraph", () => {
    withTape((tape) => {
      const x = variable([1], [2]), y = mul(tape, x, mul(tape, x, x));
      const first = tape.grad(y, [x])[0]!;
      expect(first.requiresGrad).toBe(false);
      expect(tape.grad(scale(tape, first, 2), [x])).toEqual([null]);
    });
  });
});

describe("detach(), noGrad()", () => {
  test("detach() keeps the value and stops the gradient", () => {
    withTape((tape) => {
      const x = variable([1], [3]), cut = tape.detach(mul(tape, x, x));
      expect(cut.item()).toBe(9);
      const y = mul(tape, cut, x);
      expect(gradient(tape, y, x)).toEqual([9]);
      expect(tape.grad(y, [cut])).toEqual([null]);
    });
  });

  test("noGrad() leaves no entries, and recording goes on after it, errors included", () => {
    withTape((tape) => {
      const x = variable([1], [3]);
      const square = tape.noGrad(() => mul(tape, x, x));
      expect([square.item(), square.requiresGrad]).toEqual([9, false]);
      expect(() =>
        tape.noGrad(() => {
          throw new Error("stop");
        })
      ).toThrow("stop");
      expect(
        tape.noGrad(() => tape.noGrad(() => mul(tape, x, x)).requiresGrad || mul(tape, x, x).requiresGrad),
      ).toBe(false);
      expect(gradient(tape, mul(tape, square, x), x)).toEqual([9]);
    });
  });
});

describe("onParameterUse", () => {
  test("reports the use of a parameter inside a fused op, with the gradient at the sum", () => {
    withTape((tape) => {
      const x = variable([2, 2], [1, -3, 2, 4]);
      const bias = new Parameter(variable([2], [0.5, 1]).handle, "bias", 0);
      const uses: ParameterUse[] = [];
      const gradient = () =>
        tape.grad(epilogue(tape, x, { bias, activation: "relu" }), [x, bias], {
          seed: variable([2, 2], [1, 10, 100, 1000]),
        }).map((g) => g!.toNumbers());
      const fused = gradient();
      tape.onParameterUse = (use) => uses.push(use);
      expect(gradient()).toEqual(fused);
      expect(fused).toEqual([[1, 0, 100, 1000], [101, 1000]]);
      expect(uses.map(({ parameter, outputGradient }) => [parameter.name, outputGradient.toNumbers()]))
        .toEqual([
          ["bias", [1, 0, 100, 1000]],
        ]);
    });
  });

  const parameter = (name: string, shape: readonly number[]) =>
    new Parameter(variable(shape, randoms(shape.reduce((a, b) => a * b, 1), name)).handle, name, 0);

  test("reports parameter, input, output gradient and graph pointer of every use", () => {
    withTape((tape) => {
      const w = parameter("w", [3, 2]), b = parameter("b", [2]), x = variable([4, 3]);
      const uses: ParameterUse[] = [];
      tape.onParameterUse = (use) => uses.push(use);
      tape.graphPointer = index([0, 1, 4]);
      const y = addBias(tape, matmul(tape, x, w), b);
      const seed = new Tensor(variable([4, 2], randoms(8, "seed")).handle);
      tape.grad(y, [w, b], { seed });
      expect(uses.map((use) => use.parameter.name)).toEqual(["b", "w"]);
      expect(uses.map((use) => use.input)).toEqual([null, x]);
      expect(uses.map((use) => use.outputGradient.toNumbers())).toEqual([seed.toNumbers(), seed.toNumbers()]);
      expect(uses.every((use) => use.graphPointer === tape.graphPointer)).toBe(true);
    });
  });

  test("reports the use on sparse features without an input, and no use of other tensors", () => {
    withTape((tape) => {
      const w = parameter("w", [5, 2]), other = variable([2, 2]);
      const uses: ParameterUse[] = [];
      tape.onParameterUse = (use) => uses.push(use);
      const y = matmul(tape, new SparseOperator(pattern45()).apply(tape, w), other);
      tape.grad(totalSum(tape, y), [w, other]);
      expect(uses.map(({ parameter, input, graphPointer }) => [parameter.name, input, graphPointer])).toEqual(
        [["w", null, null]],
      );
      // A parameter that no gradient was asked for is not reported.
      uses.length = 0;
      tape.grad(totalSum(tape, y), [other]);
      expect(uses).toEqual([]);
    });
  });

  test("gives the per-sample gradients and norms of weights that are used twice", () => {
    const w = parameter("shared", [3, 3]),
      b = parameter("shared bias", [3]),
      last = parameter("last", [3, 2]);
    const x = new Tensor(variable([5, 3]).handle), ptr = [0, 2, 3, 5];
    // Samples are row ranges; no row sees another one's.
    const loss = (tape: Tape, rows: readonly number[]) => {
      const h1 = relu(tape, addBias(tape, matmul(tape, gather(tape, x, index(rows)), w), b), 0.1);
      const h2 = unary(tape, addBias(tape, matmul(tape, h1, w), b), "tanh");
      const y = matmul(tape, h2, last);
      return totalSum(tape, mul(tape, y, y));
    };
    const range = (s: number) => Array.from({ length: ptr[s + 1]! - ptr[s]! }, (_, i) => ptr[s]! + i);
    const naive = [0, 1, 2].map((s) =>
      withTape((tape) => tape.grad(loss(tape, range(s)), [w, b, last]).map((g) => g!.toNumbers()))
    );

    const uses: ParameterUse[] = [];
    withTape((tape) => {
      tape.onParameterUse = (use) => uses.push(use);
      tape.graphPointer = index(ptr);
      tape.grad(loss(tape, [0, 1, 2, 3, 4]), [w, b, last]);
      for (const s of [0, 1, 2]) {
        [w, b, last].forEach((p, k) => {
          const got = sampleGradient(uses.filter((use) => use.parameter === p), s);
          // Sums of at most 10 products of size 1: both are right to 1e-15, each.
          expectNear(got, naive[s]![k]!, 1e-14, `gradient of ${p.name}, sample ${s}`);
          const norm = naive[s]![k]!.reduce((sum, v) => sum + v * v, 0);
          expectNear(
            [gramNorm(uses.filter((use) => use.parameter === p), s)],
            [norm],
            1e-13,
            `norm of ${p.name}`,
          );
        });
      }
    });
  });

  /** One number per row and column; a bias is a weight on a column of ones. */
  const rowsOf = (t: Tensor | null, rows: number): number[][] => {
    if (!t) return Array.from({ length: rows }, () => [1]);
    const flat = t.toNumbers();
    return Array.from({ length: t.rows }, (_, i) => flat.slice(i * t.cols, (i + 1) * t.cols));
  };
  const sampleRows = (use: ParameterUse, s: number) => {
    const ptr = use.graphPointer!;
    const [start, end] = ptr.toNumbers().slice(s, s + 2);
    const g = rowsOf(use.outputGradient, 0).slice(Number(start), Number(end));
    return { a: rowsOf(use.input, use.outputGradient.rows).slice(Number(start), Number(end)), g };
  };
  /** Sum over uses and rows of input' * gradient. */
  function sampleGradient(uses: readonly ParameterUse[], s: number): number[] {
    const total = new Array<number>(uses[0]!.parameter.size).fill(0);
    for (const use of uses) {
      const { a, g } = sampleRows(use, s);
      a.forEach((row, i) =>
        row.forEach((x, p) => g[i]!.forEach((y, q) => total[p * g[i]!.length + q]! += x * y))
      );
    }
    return total;
  }
  /** The same gradient's squared norm from inner products of rows alone, no gradient made. */
  function gramNorm(uses: readonly ParameterUse[], s: number): number {
    const dot = (x: readonly number[], y: readonly number[]) => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
    const parts = uses.map((use) => sampleRows(use, s));
    const a = parts.flatMap((part) => part.a), g = parts.flatMap((part) => part.g);
    return a.reduce((sum, x, i) => a.reduce((inner, y, j) => inner + dot(x, y) * dot(g[i]!, g[j]!), sum), 0);
  }
});

describe("scopes", () => {
  test("a tensor that is used after its arena was reset is refused", () => {
    const arena = engine.arena();
    const x = arena.tensor("F64", [2], true), out = fixed.tensor("F64", [2]);
    engine.run("axpby", { x, out, alpha: 1, beta: 0 });
    arena.reset();
    const gone = "axpby() x: a tensor whose scope has ended, expected a living one";
    expect(() => engine.run("axpby", { x, out, alpha: 1, beta: 0 })).toThrow(gone);
    expect(() => engine.run("fill", { out: x, value: 1 })).toThrow(
      "fill() out: a tensor whose scope has ended",
    );
    // Its slot and its memory are another tensor's now.
    const next = arena.tensor("F64", [2], true);
    expect([next.slot, next.address]).toEqual([x.slot, x.address]);
    expect(() => engine.run("axpby", { x, out, alpha: 1, beta: 0 })).toThrow(gone);
    expect(() => new Tensor(x).toNumbers()).toThrow("read of a tensor whose scope has ended");
    expect(new Tensor(next).toNumbers()).toEqual([0, 0]);
    arena.destroy();
    expect(() => engine.run("fill", { out: next, value: 1 })).toThrow(
      "fill() out: a tensor whose scope has ended",
    );
  });

  test("a slot that holds nothing is refused by the native library too", () => {
    const arena = engine.arena();
    const x = arena.tensor("F64", [2], true), out = fixed.tensor("F64", [2]);
    const forged = { ...x, scope: { ended: false } };
    arena.reset();
    expect(() => engine.run("axpby", { x: forged, out, alpha: 1, beta: 0 })).toThrow("holds no tensor");
    arena.destroy();
    expect(() => engine.run("axpby", { x: forged, out, alpha: 1, beta: 0 })).toThrow("holds no tensor");
  });

  test("a persistent tensor lives until it is freed, on its own", () => {
    const { persistent } = engine;
    const a = persistent.tensor("F64", [2], true), b = persistent.tensor("F64", [2], true);
    engine.free(a);
    const c = persistent.tensor("F64", [2], true);
    expect(c.slot).toBe(a.slot);
    expect(() => engine.run("fill", { out: a, value: 1 })).toThrow(
      "fill() out: a tensor whose scope has ended",
    );
    for (const t of [b, c]) {
      engine.run("fill", { out: t, value: 1 });
      engine.free(t);
    }
  });

  test("a program whose tensors are gone is refused", () => {
    const arena = engine.arena();
    const x = arena.tensor("F64", [2], true), out = fixed.tensor("F64", [2]);
    const program = engine.record(() => engine.run("axpby", { x, out, alpha: 1, beta: 0 }));
    program.replay();
    arena.reset();
    expect(() => program.replay()).toThrow("replay() of a program with tensors whose scope has ended");
    // Another tensor in the same slot does not bring it back.
    arena.tensor("F64", [2], true);
    expect(() => program.replay()).toThrow("replay() of a program with tensors whose scope has ended");
    arena.destroy();
  });

  test("constant() refuses a wrong number of values, item() more than one", () => {
    expect(() => constant(fixed, "F64", [2, 2], [1, 2, 3])).toThrow(
      new RangeError("3 values for shape [2,2]"),
    );
    expect(() => variable([2]).item()).toThrow(new RangeError("item() of a tensor of 2 elements"));
    expect(constant(fixed, "F64", [0], []).toNumbers()).toEqual([]);
    expect(variable([2, 3]).shape).toEqual([2, 3]);
    expect(variable([2]).shape).toEqual([2]);
  });
});
