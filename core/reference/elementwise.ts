/** Element-wise ops and broadcasts in plain float64. Matrices are row-major arrays. */
import type { unaryKinds } from "../../ffi/ops.ts";

type Numbers = ArrayLike<number>;

const build = (n: number, value: (i: number) => number): number[] =>
  Array.from({ length: n }, (_, i) => value(i));

export function axpby(alpha: number, x: Numbers, beta = 0, y?: Numbers): number[] {
  return build(x.length, (i) => alpha * x[i]! + (y ? beta * y[i]! : 0));
}

export function mul(x: Numbers, y: Numbers): number[] {
  return build(x.length, (i) => x[i]! * y[i]!);
}

/** 1/2 + density(x) * (x + x^3 / 3 + x^5 / 15 + ...): Abramowitz and Stegun 26.2.11, for |x| up to 5 or so. */
function normalCdf(x: number): number {
  let term = x, sum = x;
  for (let k = 3; k < 200; k += 2) sum += term *= x * x / k;
  return 0.5 + sum * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
}

export function unary(kind: keyof typeof unaryKinds, x: Numbers, alpha = 0): number[] {
  const functions: Record<typeof kind, (v: number) => number> = {
    exp: Math.exp,
    log: Math.log,
    tanh: Math.tanh,
    sigmoid: (v) => 1 / (1 + Math.exp(-v)),
    sqrt: Math.sqrt,
    reciprocal: (v) => v === 0 ? 0 : 1 / v,
    power: (v) => v === 0 && alpha < 0 ? 0 : v ** alpha,
    abs: Math.abs,
    sign: Math.sign,
    max_scalar: (v) => Math.max(v, alpha),
    expm1: Math.expm1,
    softplus: (v) => v > 0 ? v + Math.log1p(Math.exp(-v)) : Math.log1p(Math.exp(v)),
    normal_cdf: normalCdf,
    elu: (v) => v > 0 ? v : Math.expm1(v),
    gelu: (v) => v * normalCdf(v),
    silu: (v) => v / (1 + Math.exp(-v)),
  };
  return Array.from(x, functions[kind]);
}

export function relu(x: Numbers, slope: number): number[] {
  return Array.from(x, (v) => v > 0 ? v : slope * v);
}

export function reluBackward(g: Numbers, x: Numbers, slope: number): number[] {
  return build(x.length, (i) => x[i]! > 0 ? g[i]! : slope * g[i]!);
}

export function addBias(x: Numbers, bias: Numbers): number[] {
  return build(x.length, (k) => x[k]! + bias[k % bias.length]!);
}

/** x has f columns. */
export function rowScale(x: Numbers, scale: Numbers, f: number): number[] {
  return build(x.length, (k) => x[k]! * scale[Math.floor(k / f)]!);
}

/** (f) -> (n, f) */
export function broadcastRows(x: Numbers, n: number): number[] {
  return build(n * x.length, (k) => x[k % x.length]!);
}

/** (n) -> (n, f) */
export function broadcastColumns(x: Numbers, f: number): number[] {
  return build(x.length * f, (k) => x[Math.floor(k / f)]!);
}

/** scale (absent: 1) and shift (absent: 0) of each column. */
export function columnAffine(x: Numbers, scale: Numbers | null, shift: Numbers | null, f: number): number[] {
  return build(x.length, (k) => (scale ? scale[k % f]! : 1) * x[k]! + (shift ? shift[k % f]! : 0));
}

/** Columns at .. at + f of a matrix with `cols` columns. */
export function takeColumns(x: Numbers, cols: number, at: number, f: number): number[] {
  return build(x.length / cols * f, (k) => x[Math.floor(k / f) * cols + at + k % f]!);
}
