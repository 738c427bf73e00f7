import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type OpArgs, streamId } from "../../ffi/engine.ts";
import { activationKinds } from "../../ffi/ops.ts";
import * as reference from "../../core/reference/epilogue.ts";
import { Random } from "../../core/tensor/rng.ts";
import {
  bytes,
  engine,
  expectClose,
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

const key = { seed: 77, epoch: 2, step: 9, stream: "dropout", layer: 3 };
const random = new Random(key);
const stream = streamId(key.stream), layer = key.layer;
beforeAll(() => engine.setStep(key.seed, key.epoch, key.step));
afterAll(() => engine.setStep(0, 0, 0));

type Kind = keyof typeof activationKinds;
interface Setting {
  readonly kind: Kind;
  readonly slope?: number;
  readonly p?: number;
  readonly y?: boolean | "first rows";
  readonly bias?: boolean;
  readonly ids?: boolean;
}

/** An epilogue of (n, f), forward and backward, with its references. */
function make(dtype: Real, n: number, f: number, { kind, slope = 0, p = 0, ...parts }: Setting) {
  const t = (shape: readonly number[], values?: readonly number[]) => tensor(dtype, shape, values);
  const x = randoms(n * f, "x"), g = randoms(n * f, "g");
  const rows = parts.y === "first rows" ? n >> 1 : n, y = parts.y ? randoms(rows * f, "y") : undefined;
  const bias = parts.bias ? randoms(f, "bias") : undefined;
  const ids = parts.ids ? integers(n, 0, 2 ** 31, "ids") : undefined;
  const constants = { kind: activationKinds[kind], slope, p, stream, layer };
  const out = t([n, f]), dx = t([n, f]), dBias = t([f]);
  const forward: OpArgs<"epilogue"> = {
    x: t([n, f], x),
    y: y && t([rows, f], y),
    bias: bias && t([f], bias),
    ids: ids && tensor("I64", [n], ids),
    out,
    ...constants,
  } as OpArgs<"epilogue">;
  const backward: OpArgs<"epilogue_backward"> = {
    g: t([n, f], g),
    value: out,
    ids: forward.ids ?? null,
    out: dx,
    d_bias: dBias,
    ...constants,
  };
  const e = { f, y, bias, kind, slope, p, random, ids };
  const held = (v: number) => dtype === "F32" ? Math.fround(v) : v;
  return {
    out,
    dx,
    dBias,
    forward,
    backward,
    run() {
      engine.run("epilogue", forward);
      engine.run("epilogue_backward", backward);
    },
    wanted: reference.epilogue(x, { ...e, slope: held(slope) }),
    wantedBack: reference.epilogueBackward(g, x, { ...e, slope: held(slope) }),
  };
}

const settings: [string, Setting][] = [
  ["relu, bias and dropout", { kind: "relu", bias: true, p: 0.5 }],
  ["relu of a sum", { kind: "relu", y: true }],
  ["leaky relu, all at once, by id", { kind: "relu", slope: 0.1, y: true, bias: true, p: 0.3, ids: true }],
  ["leaky relu", { kind: "relu", slope: 0.1, bias: true }],
  ["tanh of a sum with the first rows", { kind: "tanh", y: "first rows", bias: true, p: 0.2 }],
  ["a sum with the first rows", { kind: "none", y: "first rows" }],
  ["elu and dropout", { kind: "elu", bias: true, p: 0.6 }],
  ["elu", { kind: "elu" }],
  ["tanh, sum and dropout by id", { kind: "tanh", y: true, p: 0.2, ids: true }],
  ["a sum and dropout", { kind: "none", y: true, bias: true, p: 0.4 }],
  ["nothing", { kind: "none" }],
];

describe.each([...realTypes])("epilogue() %s", (dtype) => {
  test.each(settings)("%s is what its parts are, forward and backward, everywhere", (_, setting) => {
    for (const [n, f] of [[1, 1], [5000, 7], [3000, 16], [700, 64], [40, 700]] as const) {
      const made = make(dtype, n, f, setting);
      onEveryIsa(() => {
        expectSameOnThreads([made.out, made.dx, made.dBias], made.run);
        // Two sums of numbers below 1, a function with a derivative of at most 1 and a product: six roundings of
        // numbers below 3; the derivative from the value is off by as much again. Column sums: n of these, and the
        // order of float32 additions in chunks of at most 8192 / f rows.
        expectClose(numbers(made.out), made.wanted, 16 * roundoff[dtype]);
        expectClose(numbers(made.dx), made.wantedBack.dx, 32 * roundoff[dtype]);
        expectClose(numbers(made.dBias), made.wantedBack.dBias, 64 * Math.sqrt(n) * roundoff[dtype]);
        if (setting.p) {
          expect(numbers(made.out).filter((v) => v === 0).length)
            .toBe(made.wanted.filter((v) => v === 0).length);
        }
      });
    }
  });

  test("by hand", () => {
    const x = tensor(dtype, [2, 2], [1, -2, 3, -4]), out = tensor(dtype, [2, 2]);
    const y = tensor(dtype, [2, 2], [0, 1, 0, 1]), bias = tensor(dtype, [2], [-2, 2]);
    const rest = { kind: activationKinds.relu, slope: 0.5, p: 0, stream, layer };
    engine.run("epilogue", { x, y, bias, out, ...rest });
    expect(numbers(out)).toEqual([-0.5, 1, 1, -0.5]);
    const g = tensor(dtype, [2, 2], [1, 10, 100, 1000]),
      dx = tensor(dtype, [2, 2]),
      d_bias = tensor(dtype, [2]);
    engine.run("epilogue_backward", { g, value: out, out: dx, d_bias, ...rest });
    expect(numbers(dx)).toEqual([0.5, 10, 100, 500]);
    expect(numbers(d_bias)).toEqual([100.5, 510]);
  });

  test("works in place, and its mask is that of dropout()", () => {
    const n = 400, f = 33, values = randoms(n * f, "x");
    const x = tensor(dtype, [n, f], values), apart = tensor(dtype, [n, f]), y = tensor(dtype, [n, f], values);
    const rest = { kind: activationKinds.none, slope: 0, p: 0.3, stream, layer };
    engine.run("dropout", { x, out: apart, p: 0.3, stream, layer });
    engine.run("epilogue", { x, out: x, ...rest });
    expect(Buffer.compare(bytes(x), bytes(apart))).toBe(0);
    // A zero sum leaves y.
    const zero = tensor(dtype, [n, f], new Array<number>(n * f).fill(0));
    engine.run("epilogue", { x: zero, y, out: y, ...rest });
    expect(Buffer.compare(bytes(y), bytes(apart))).toBe(0);
  });

  test("relu clears what is below 0 or dropped, finite or not; a NaN passes and has no gradient", () => {
    const x = tensor(dtype, [1, 4], [-Infinity, NaN, Infinity, -1]), out = tensor(dtype, [1, 4]);
    const rest = { kind: activationKinds.relu, slope: 0, p: 0, stream, layer };
    engine.run("epilogue", { x, out, ...rest });
    expect(numbers(out)).toEqual([0, NaN, Infinity, 0]);
    const dx = tensor(dtype, [1, 4]), g = tensor(dtype, [1, 4], [5, 6, 7, Infinity]);
    engine.run("epilogue_backward", { g, value: out, out: dx, ...rest });
    expect(numbers(dx)).toEqual([0, 0, 7, 0]);
  });

  test.each([[0, 3], [3, 0], [0, 0]])("%d x %d is nothing", (n, f) => {
    const made = make(dtype, n, f, { kind: "relu", y: true, bias: true, p: 0.5 });
    made.run();
    expect(numbers(made.dBias)).toEqual(new Array<number>(f).fill(0));
  });

  test("refuses a probability of 1, and unknown activations", () => {
    const x = tensor(dtype, [1, 1], [1]), out = tensor(dtype, [1, 1]);
    const rest = { slope: 0, stream, layer };
    for (const p of [1, -0.1, NaN]) {
      expect(() => engine.run("epilogue", { x, out, kind: 0, p, ...rest })).toThrow("expected 0 to below 1");
    }
    expect(() => engine.run("epilogue", { x, out, kind: 9, p: 0, ...rest })).toThrow("unknown activation 9");
    expect(() => engine.run("epilogue_backward", { g: x, value: x, out, kind: 9, p: 0, ...rest })).toThrow(
      "unknown activation 9",
    );
  });
});
