/** Ten steps of every optimizer against plain loops. */
import { describe, expect, test } from "bun:test";
import { Engine } from "../../../ffi/engine.ts";
import { GustError } from "../../../core/errors.ts";
import { optimizers } from "../../../core/optim/mod.ts";
import type { Optimizer } from "../../../core/optim/optimizer.ts";
import { adam, sgd } from "../../../core/reference/optimizer.ts";
import { constant, Parameter } from "../../../core/tensor/tensor.ts";
import { expectNear, randoms } from "../tensor/_autograd.ts";

const STEPS = 10;
/** The learning rate falls, as under a schedule. */
const rate = (step: number) => 0.05 / Math.sqrt(step);
const decayOf = ({ layer }: { layer: number }) => layer === 0 ? 0.1 : 0;

const shapes: [name: string, layer: number, shape: number[]][] = [["first", 0, [3, 4]], ["bias", 0, [4]], [
  "second",
  1,
  [4, 2],
]];
const start = (name: string, n: number) => randoms(n, `start ${name}`);
const gradientAt = (name: string, n: number, step: number) => randoms(n, `gradient ${name} ${step}`);

function setUp(name: string, options: Record<string, unknown>, dtype: "F32" | "F64") {
  const engine = new Engine();
  const entry = optimizers.get(name);
  const params = entry.params!.parse(options) as Record<string, unknown>;
  const parameters = shapes.map(([name, layer, shape]) =>
    new Parameter(constant(engine.persistent, dtype, shape, start(name, size(shape))).handle, name, layer)
  );
  const optimizer = entry.create(engine, parameters, { lr: rate(1), weightDecay: decayOf }, params);
  return { engine, params, parameters, optimizer };
}
const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function run(
  name: string,
  options: Record<string, unknown>,
  dtype: "F32" | "F64",
  skip: (i: number, step: number) => boolean = () => false,
) {
  const { engine, params, parameters, optimizer } = setUp(name, options, dtype);
  const arena = engine.arena();
  for (let step = 1; step <= STEPS; step++) {
    optimizer.prepare(step, rate(step));
    parameters.forEach((p, i) => {
      if (!skip(i, step)) {
        optimizer.update(i, constant(arena, dtype, p.shape, gradientAt(p.name, p.size, step)));
      }
    });
    arena.reset();
  }
  const result = { params, values: parameters.map((p) => p.toNumbers()), optimizer, engine };
  return result;
}

/** The same steps as plain loops: (parameter, gradient, state, step, weight decay) changed in place. */
type Plain = (x: number[], g: number[], state: number[][], step: number, decay: number) => void;
function reference(update: Plain): number[][] {
  return shapes.map(([name, layer, shape]) => {
    const n = size(shape),
      x = start(name, n),
      state = [new Array<number>(n).fill(0), new Array<number>(n).fill(0)];
    for (let step = 1; step <= STEPS; step++) {
      update(x, gradientAt(name, n, step), state, step, decayOf({ layer }));
    }
    return x;
  });
}

const adamLike =
  (decoupled: boolean, beta1: number, beta2: number, eps: number): Plain =>
  (x, g, [m, v], step, weightDecay) =>
    adam(x, g, m!, v!, step, { lr: rate(step), beta1, beta2, eps, weightDecay, decoupled });
const sgdLike = (momentum: number, nesterov: boolean): Plain => (x, g, [velocity], step, weightDecay) =>
  sgd(x, g, momentum > 0 ? velocity! : null, { lr: rate(step), momentum, nesterov, weightDecay });

const variants: [string, Record<string, unknown>, Plain][] = [
  ["adam", {}, adamLike(false, 0.9, 0.999, 1e-8)],
  ["adam", { beta1: 0.8, beta2: 0.95, eps: 1e-3 }, adamLike(false, 0.8, 0.95, 1e-3)],
  ["adamw", {}, adamLike(true, 0.9, 0.999, 1e-8)],
  ["sgd", {}, sgdLike(0, false)],
  ["sgd", { momentum: 0.9 }, sgdLike(0.9, false)],
  ["sgd", { momentum: 0.9, nesterov: true }, sgdLike(0.9, true)],
];

describe.each(variants)("%s %j", (name, options, plain) => {
  test("ten steps equal plain loops in float64, weight decay on the first layer alone", () => {
    const { values, engine } = run(name, options, "F64");
    // Ten steps of a few roundings each. Adam divides a moment by another: both are of size 0.1 and more.
    reference(plain).forEach((want, i) => expectNear(values[i]!, want, 1e-13, shapes[i]![0]));
    engine.destroy();
  });

  test("ten steps in float32 stay by them", () => {
    const { values, engine } = run(name, options, "F32");
    // Ten steps of at most 0.05, each off by some roundings of 2^-24 of numbers of size 1.
    reference(plain).forEach((want, i) => expectNear(values[i]!, want, 5e-6, shapes[i]![0]));
    engine.destroy();
  });

  test("a parameter without a gradient is left alone, its state too", () => {
    const { values, optimizer, engine } = run(name, options, "F64", (i) => i === 2);
    expect(values[2]).toEqual(start("second", 8));
    for (const [key, state] of optimizer.state) {
      if (key.startsWith("second/")) {
        expect(Array.from({ length: 8 }, (_, i) => at(state, i))).toEqual(new Array(8).fill(0));
      }
    }
    reference(plain).slice(0, 2).forEach((want, i) => expectNear(values[i]!, want, 1e-13, shapes[i]![0]));
    engine.destroy();
  });
});

const at = (t: Optimizer["state"] extends ReadonlyMap<string, infer H> ? H : never, i: number) =>
  new Parameter(t, "state", 0).toNumbers()[i]!;

test("by hand: the first step of adam is the rate against the sign, of sgd the rate times the gradient", () => {
  for (const [name, want] of [["adam", [-0.05, 0.05]], ["sgd", [-0.1, 0.025]]] as const) {
    const engine = new Engine();
    const p = new Parameter(constant(engine.persistent, "F64", [2], [0, 0]).handle, "p", 0);
    const entry = optimizers.get(name);
    const optimizer = entry.create(
      engine,
      [p],
      { lr: 0.05, weightDecay: () => 0 },
      entry.params!.parse({}) as Record<string, unknown>,
    );
    optimizer.prepare(1, 0.05);
    optimizer.update(0, constant(engine.arena(), "F64", [2], [2, -0.5]));
    // adam: eps = 1e-8 against gradients of 0.5 and more.
    expectNear(p.toNumbers(), [...want], 1e-8);
    engine.destroy();
  }
});

test("state names every parameter's parts, sgd without momentum has none", () => {
  const keys = (name: string, options: Record<string, unknown>) => {
    const { optimizer, engine } = setUp(name, options, "F32");
    engine.destroy();
    return [...optimizer.state.keys()];
  };
  const each = (...parts: string[]) =>
    ["first", "bias", "second"].flatMap((p) => parts.map((part) => `${p}/${part}`));
  expect(keys("adam", {})).toEqual(each("m", "v"));
  expect(keys("adamw", {})).toEqual(each("m", "v"));
  expect(keys("sgd", {})).toEqual([]);
  expect(keys("sgd", { momentum: 0.5 })).toEqual(each("velocity"));
});

test("every optimizer has defaults, refuses unknown options, and is tested above", () => {
  expect([...new Set(variants.map(([name]) => name))].sort()).toEqual(optimizers.names.toSorted());
  for (const entry of optimizers) {
    expect(() => entry.params!.parse({})).not.toThrow();
    expect(() => entry.params!.parse({ unheard: 1 })).toThrow();
  }
});

test("sgd refuses Nesterov momentum without momentum", () => {
  expect(() => setUp("sgd", { nesterov: true }, "F32")).toThrow(
    new GustError("usage", "--nesterov: the momentum is 0, expected --momentum above 0 to look ahead along"),
  );
});
