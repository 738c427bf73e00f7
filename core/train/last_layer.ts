/**
 * The length of each item's gradient to the last layer's weights, from one forward pass of all: what it would take one
 * backward pass per item to find.
 *
 * With logits z_i = a_i W + b and the gradient e_i of item i's loss at z_i, the gradient to W is a_i^T e_i and that to b is
 * e_i: together |e_i| sqrt(|a_i|^2 + 1), or |e_i| |a_i| without b. For classes e_i is softmax(z_i) less the one-hot target,
 * for several labels (sigmoid(z_i) - y_i) over their number.
 *
 * Source: Cong et al. 2020, arXiv:2006.13866, section 4; Goodfellow 2015, arXiv:1510.01799.
 */
import { hostArray, type TensorHandle } from "../../ffi/engine.ts";
import type { Loss } from "../losses/loss.ts";
import type { FeatureInput, ForwardInput, LayerInput, Stage } from "../models/model.ts";
import type { Tape } from "../tensor/autograd.ts";
import { axpby } from "../tensor/ops/axpby.ts";
import { gather } from "../tensor/ops/gather.ts";
import { rowDot } from "../tensor/ops/row_sum.ts";
import { firstRows } from "../tensor/ops/rows.ts";
import { Tensor } from "../tensor/tensor.ts";

/** A last layer's pass. */
export interface LastLayer {
  /** (n, width) */
  readonly logits: Tensor;
  /** (n, f) each: what its weights multiply, side by side. */
  readonly inputs: readonly Tensor[];
  readonly hasBias: boolean;
}

/**
 * [count] lengths for the given rows.
 * @param targets  of all n rows, as losses read them.
 * @param rows  I32 or I64 [count].
 */
export function lastLayerScores(
  tape: Tape,
  { logits, inputs, hasBias }: LastLayer,
  loss: Loss,
  targets: TensorHandle,
  rows: TensorHandle,
): Float64Array {
  const count = rows.rows, outputs = new Tensor(logits.handle, true);
  const weights = tape.arena.tensor(logits.dtype, [count]);
  tape.engine.run("fill", { out: weights, value: 1 });
  // The gradient of the sum of all losses at one item's logits is that of its own loss.
  const sum = loss(tape, { outputs, targets, rows, count, weights });
  const [error] = tape.grad(sum, [outputs]);
  const ofRows = (x: Tensor) => hostArray(gather(tape, x, new Tensor(rows)).handle).toNumbers();
  return tape.noGrad(() => {
    const errors = ofRows(rowDot(tape, error!, error!));
    const lengths = ofRows(inputs.map((a) => rowDot(tape, a, a)).reduce((a, b) => axpby(tape, a, b, 1, 1)));
    return Float64Array.from(errors, (e, i) => Math.sqrt(e * (lengths[i]! + Number(hasBias))));
  });
}

/** A pass layer by layer: the rows that each layer but the last gives (activation applied, no dropout). */
export function hiddenRows(tape: Tape, stages: readonly Stage[], input: ForwardInput): Tensor[] {
  const hidden: Tensor[] = [];
  let x: FeatureInput = input.features;
  for (const stage of stages.slice(0, -1)) {
    const rows = stage.forward(tape, x, { ...input, features: x });
    hidden.push(rows);
    x = rows;
  }
  return hidden;
}

/**
 * The same, and the last layer's pass.
 *
 * @param reads  what the last layer's weights multiply (ModelEntry.lastLayer).
 */
export function layerPass(
  tape: Tape,
  stages: readonly Stage[],
  input: ForwardInput,
  reads: readonly LayerInput[],
  hasBias: boolean,
): { readonly hidden: readonly Tensor[]; readonly last: LastLayer } {
  const hidden = hiddenRows(tape, stages, input), before = hidden.at(-1)!;
  const operator = input.operator(stages.length - 1, stages.length);
  const logits = stages.at(-1)!.forward(tape, before, { ...input, features: before });
  const inputs = reads.map((what) =>
    what === "own" ? firstRows(tape, before, logits.rows) : operator.apply(tape, before)
  );
  return { hidden, last: { logits, inputs, hasBias } };
}
