/** Attention over X W of which nothing is kept: the backward pass begins with X and computes the rest again. */
import type { Op, Tape } from "../autograd.ts";
import { SparseOperator } from "../operator.ts";
import type { Tensor } from "../tensor.ts";
import { attention, attentionForward, attentionGradients, type AttentionOptions } from "./attention.ts";
import { matmul } from "./matmul.ts";

interface Params {
  readonly options: AttentionOptions;
  /** X where it is sparse: it is no input of the op then. */
  readonly sparse: SparseOperator | null;
}

const project = (tape: Tape, x: Tensor | null, weight: Tensor, { sparse }: Params) =>
  sparse ? sparse.apply(tape, weight) : matmul(tape, x!, weight);

/** X (null where it is sparse), W, left and right among the inputs. */
function partsOf(inputs: readonly Tensor[], { sparse }: Params) {
  const [x, weight, left, right] = sparse ? [null, ...inputs] : inputs;
  return { x: x!, weight: weight!, vectors: [left!, right!] };
}

const op: Op<Params> = {
  name: "projected_attention",
  forward(tape, inputs, params) {
    const { x, weight, vectors } = partsOf(inputs, params);
    return tape.noGrad(() => {
      const values = project(tape, x, weight, params);
      const { output } = attentionForward(tape, [values, ...vectors], params.options, false);
      return { output, saved: undefined };
    });
  },
  backward(tape, { inputs, params }, g, needs, take) {
    const { x, weight, vectors } = partsOf(inputs, params), { sparse, options } = params;
    const values = project(tape, x, weight, params), all = [values, ...vectors];
    const { output, saved } = attentionForward(tape, all, options, true);
    const first = sparse ? 0 : 1, wantsVectors = needs[first + 1]! || needs[first + 2]!;
    const [d, ...rest] = attentionGradients(tape, all, options, { output, saved: saved! }, g, wantsVectors);
    if (sparse) return [needs[0] ? sparse.applyTransposed(tape, d!, take(0)) : null, ...rest];
    return [
      needs[0] ? matmul(tape, d!, weight, { transB: true }, { addend: take(0) }) : null,
      needs[1] ? matmul(tape, x, d!, { transA: true }, { addend: take(1) }) : null,
      ...rest,
    ];
  },
  decompose(tape, inputs, params) {
    const { x, weight, vectors: [left, right] } = partsOf(inputs, params);
    return attention(tape, project(tape, x, weight, params), left!, right!, params.options);
  },
};

/** attention() over x @ weight; the scores are left's and right's of those rows. */
export function projectedAttention(
  tape: Tape,
  x: Tensor | SparseOperator,
  weight: Tensor,
  left: Tensor,
  right: Tensor,
  options: AttentionOptions,
): Tensor {
  const sparse = x instanceof SparseOperator ? x : null;
  const inputs = [...(x instanceof SparseOperator ? [] : [x]), weight, left, right];
  return tape.apply(op, inputs, { options, sparse });
}
