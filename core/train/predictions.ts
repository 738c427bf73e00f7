/** From a model's outputs to predictions: probabilities and classes, as ops; and what metrics read of them. */
import type { TensorHandle } from "../../ffi/engine.ts";
import type { NativeArray } from "../../ffi/native.ts";
import type { Predictions } from "../metrics/predictions.ts";
import type { Tape } from "../tensor/autograd.ts";
import { logSoftmax } from "../tensor/ops/log_softmax.ts";
import { unary } from "../tensor/ops/unary.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { TargetKind, Targets } from "./targets.ts";

/** What exact inference gives of every item. */
export interface Outputs {
  /** (items, width) probabilities, or numbers for targets that are numbers. */
  readonly scores: NativeArray<"F32">;
  /** [items] most likely class, where every item has one class. */
  readonly predicted: NativeArray<"I32"> | null;
  readonly width: number;
}

/** Probabilities of the outputs (softmax for one class, sigmoid for several labels), or the outputs themselves. */
export function scoresOf(tape: Tape, kind: TargetKind, outputs: Tensor): Tensor {
  if (kind === "classes") return unary(tape, logSoftmax(tape, outputs), "exp");
  return kind === "labels" ? unary(tape, outputs, "sigmoid") : outputs;
}

/** [items] most likely class, as an op on the tape's arena. */
export function mostLikely(tape: Tape, outputs: Tensor): TensorHandle {
  const out = tape.arena.tensor("I32", [outputs.rows]);
  tape.engine.run("argmax", { x: outputs.handle, out });
  return out;
}

/** Elements of a row-major (items, width) array at chosen rows of one column, window by window. */
function column<D extends "F32" | "U8">(
  array: NativeArray<D>,
  width: number,
  items: readonly number[],
  c: number,
  put: (value: number, i: number) => void,
): void {
  // Row by row through windows: all rows together may be more than one window.
  const rows = Math.max(1, Math.floor(2 ** 24 / width)), count = array.length / width;
  let window: ArrayLike<number> = [], from = 0;
  items.forEach((item, i) => {
    if (item < from || (item - from + 1) * width > window.length) {
      from = item - item % rows;
      window = array.window(from * width, Math.min(rows, count - from) * width) as ArrayLike<number>;
    }
    put(window[(item - from) * width + c]!, i);
  });
}

/** Predictions of the given items, whose targets are known, as metrics read them. */
export function predictionsOf(outputs: Outputs, targets: Targets, items: readonly number[]): Predictions {
  const { width, scores } = outputs;
  const scoresAt = (c: number) => {
    const out = new Float32Array(items.length);
    column(scores, width, items, c, (x, i) => out[i] = x);
    return out;
  };
  if (targets.kind === "classes") {
    const labels = targets.array.window(), predicted = outputs.predicted!.window();
    return {
      kind: "classes",
      labels: Int32Array.from(items, (v) => labels[v]!),
      predicted: Int32Array.from(items, (v) => predicted[v]!),
      numClasses: width,
      scores: scoresAt,
    };
  }
  const { array } = targets;
  if (targets.kind === "labels") {
    return {
      kind: "labels",
      count: items.length,
      numClasses: width,
      truth(c) {
        const out = new Uint8Array(items.length);
        column(targets.array, width, items, c, (x, i) => out[i] = x);
        return out;
      },
      scores: scoresAt,
    };
  }
  return {
    kind: "values",
    count: items.length,
    columns: width,
    truth(c) {
      const out = new Float64Array(items.length);
      column(array as NativeArray<"F32">, width, items, c, (x, i) => out[i] = x);
      return out;
    },
    predicted: (c) => Float64Array.from(scoresAt(c)),
  };
}
