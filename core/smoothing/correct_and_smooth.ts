import { z } from "zod";
import { hostArray, type TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { unaryKinds } from "../../ffi/ops.ts";
import { defineSmoother, type Field, smoothingNorms } from "./smoother.ts";

/** A correction is at most this many times the smoothed error: beyond it the error is as good as 0. */
const MOST = 1000;

/** Sums of absolute values of the rows, in memory of the arena. */
function rowLengths(field: Field, x: TensorHandle): Float32Array {
  const { engine, arena } = field;
  const sizes = field.matrix(), out = arena.tensor("F32", [x.rows]);
  engine.run("unary", { x, out: sizes, kind: unaryKinds.abs, alpha: 0 });
  engine.run("row_sum", { x: sizes, out });
  return hostArray(out, "F32").window();
}

/** base += factor[i] * x[i, :] */
function addScaled(field: Field, base: TensorHandle, x: TensorHandle, factor: Float32Array): void {
  const { engine, arena } = field;
  engine.run("row_scale", { x, scale: arena.bind(NativeArray.from<"F32">(factor)), out: x });
  engine.run("axpby", { x: base, y: x, out: base, alpha: 1, beta: 1 });
}

export const correctAndSmooth = defineSmoother({
  name: "correct-and-smooth",
  summary:
    "a model's probabilities: training errors are spread and taken off, then labels and results are spread",
  source: "Huang et al. 2020, arXiv:2010.13993, sections 3.2 and 3.3",
  params: z.object({
    correction: z.enum(["autoscale", "fixed-diff"]).default("autoscale").describe(
      "scale spread errors to the mean training error, or keep training errors fixed and scale by --scale",
    ),
    scale: z.number().min(0).optional().describe("factor of the errors of fixed-diff [1]"),
    correctAlpha: z.number().min(0).max(1).default(0.8).describe("share of the neighbours, errors"),
    correctIterations: z.int().min(0).default(50).describe("steps for errors, 0 = no correction"),
    correctNorm: z.enum(smoothingNorms).default("sym").describe("how neighbours are averaged, errors"),
    smoothAlpha: z.number().min(0).max(1).default(0.8).describe("share of the neighbours, labels"),
    smoothIterations: z.int().min(0).default(50).describe("steps for labels, 0 = no smoothing"),
    smoothNorm: z.enum(smoothingNorms).default("sym").describe("how neighbours are averaged, labels"),
  }).strict(),
  readsPrediction: true,
  smooth(field, base, p) {
    const { engine, known } = field;
    const labels = field.oneHot(), unknown = field.mask(false);
    const z = field.copy(base!);
    if (p.correctIterations > 0) {
      // The error: label - probabilities of training nodes, 0 elsewhere.
      const error = field.matrix();
      engine.run("row_scale", { x: z, scale: field.mask(true), out: error });
      engine.run("axpby", { x: labels, y: error, out: error, alpha: 1, beta: -1 });
      const steps = { norm: p.correctNorm, alpha: p.correctAlpha, iterations: p.correctIterations };
      if (p.correction === "fixed-diff") {
        const spread = field.spread(error, steps, (x) => field.fixRows(x, unknown, error));
        engine.run("axpby", { x: z, y: spread, out: z, alpha: 1, beta: p.scale ?? 1 });
      } else {
        const spread = field.spread(error, steps, (x) => field.clamp(x, -1, 1));
        const before = rowLengths(field, error), after = rowLengths(field, spread);
        const count = known.reduce((sum, c) => sum + (c >= 0 ? 1 : 0), 0);
        const mean = before.reduce((a, b) => a + b, 0) / Math.max(1, count);
        addScaled(field, z, spread, after.map((length) => mean <= MOST * length ? mean / length || 0 : 1));
      }
    }
    if (p.smoothIterations === 0) return z;
    field.fixRows(z, unknown, labels);
    const steps = { norm: p.smoothNorm, alpha: p.smoothAlpha, iterations: p.smoothIterations };
    return field.spread(z, steps, (x) => field.clamp(x, 0, 1));
  },
});
