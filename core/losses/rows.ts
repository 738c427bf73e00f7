/** What losses share: the rows that count, and one weight per class. */
import { hostArray, type TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import type { Tape } from "../tensor/autograd.ts";
import { scale } from "../tensor/ops/axpby.ts";
import { gather } from "../tensor/ops/gather.ts";
import { rowScale, totalSum } from "../tensor/ops/row_sum.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Targets } from "../train/targets.ts";
import type { LossContext, LossRows } from "./loss.ts";

/** Outputs and targets of the rows that count: (count, width) each. */
export function countedRows(tape: Tape, { outputs, targets, rows }: LossRows): { x: Tensor; y: Tensor } {
  const y = tape.tensor(outputs.dtype, [rows.rows, outputs.cols]);
  tape.engine.run("gather", { x: targets, index: rows, out: y.handle });
  return { x: gather(tape, outputs, new Tensor(rows)), y };
}

/** The mean of what every element of the rows that count costs, (count, width), or its sum over rows with weights. */
export function meanOf(tape: Tape, each: Tensor, { weights }: LossRows): Tensor {
  if (!weights) return scale(tape, totalSum(tape, each), 1 / each.size);
  return scale(tape, totalSum(tape, rowScale(tape, each, new Tensor(weights))), 1 / each.cols);
}

/** How often each class or label occurs among the training items. */
function frequencies({ kind, array, width }: Targets, train: BigInt64Array): number[] {
  const counts = new Array<number>(width).fill(0), window = array.window();
  for (const item of train) {
    const i = Number(item);
    if (kind === "classes") {
      const label = window[i]!;
      if (label >= 0) counts[label]!++;
    } else for (let c = 0; c < width; c++) counts[c]! += Number(window[i * width + c]);
  }
  return counts;
}

/** The mean weight of the training items' classes, by the weight of each class. */
export function meanOfClasses({ targets, train }: LossContext, table: TensorHandle): number {
  const counts = frequencies(targets, train), weights = hostArray(table, "F32").read();
  const sum = (of: (c: number) => number) => counts.reduce((total, count, c) => total + count * of(c), 0);
  return sum((c) => weights[c]!) / Math.max(1, sum(() => 1));
}

/**
 * The weight of each class, as a tensor, or null where all count the same. Balanced weights are items / (classes *
 * items of the class), so that every class has the same say; a class without training items counts 0.
 *
 * @throws {GustError} (usage) for another number of weights than classes.
 */
export function classWeights(
  { arena, targets, train }: LossContext,
  params: { classWeights?: readonly number[] | undefined; balanced: boolean },
): TensorHandle | null {
  const { width } = targets;
  const given = params.classWeights;
  if (given && params.balanced) {
    throw new GustError("usage", "--class-weights and --balanced contradict each other");
  }
  if (given && given.length !== width) {
    throw new GustError(
      "usage",
      `--class-weights: ${given.length} weights, expected one per class (${width})`,
    );
  }
  if (given && !given.some((weight) => weight > 0)) {
    throw new GustError("usage", "--class-weights: every weight is 0, expected one above 0");
  }
  if (!given && !params.balanced) return null;
  const counts = given ? [] : frequencies(targets, train);
  const total = targets.kind === "classes" ? counts.reduce((a, b) => a + b, 0) : 0;
  // Of labels, the weight of what has the label: absences over occurrences.
  const balanced = targets.kind === "classes"
    ? counts.map((count) => count ? total / (width * count) : 0)
    : counts.map((count) => count ? (train.length - count) / count : 1);
  return arena.bind(NativeArray.from<"F32">(Float32Array.from(given ?? balanced)));
}
