/** Dense product op(a) @ op(b), and what follows it. */
import type { OpArgs } from "../../../ffi/engine.ts";
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";
import {
  endingArgs,
  epilogue,
  epilogueGradients,
  epilogueInputs,
  type EpilogueParams,
  epilogueParams,
  type EpilogueParts,
  epilogueTerms,
  hasEpilogue,
} from "./epilogue.ts";

interface Params {
  transA: boolean;
  transB: boolean;
}

/** The native product, with arguments of what follows it. */
function product(
  tape: Tape,
  a: Tensor,
  b: Tensor,
  { transA, transB }: Params,
  rest: Partial<OpArgs<"gemm">> = {},
): Tensor {
  const output = tape.tensor(a.dtype, [transA ? a.cols : a.rows, transB ? b.rows : b.cols]);
  tape.engine.run("gemm", {
    a: a.handle,
    b: b.handle,
    out: output.handle,
    trans_a: Number(transA),
    trans_b: Number(transB),
    alpha: 1,
    beta: 0,
    ...rest,
  });
  return output;
}

/** Gradients of a product to a and b, which are inputs number `first` and the next. */
function productGradients(
  tape: Tape,
  inputs: readonly Tensor[],
  { transA, transB }: Params,
  g: Tensor,
  needs: readonly boolean[],
  take: (input: number) => Tensor | null,
  first = 0,
): (Tensor | null)[] {
  const a = inputs[first]!, b = inputs[first + 1]!;
  const gradient = (k: number, x: Tensor, y: Tensor, transA: boolean, transB: boolean) =>
    needs[first + k] ? matmul(tape, x, y, { transA, transB }, { addend: take(first + k) }) : null;
  return [
    // C = op(A) op(B): dA = g op(B)^T, transposed where A was.
    transA ? gradient(0, b, g, transB, true) : gradient(0, g, b, false, !transB),
    transB ? gradient(1, g, a, true, transA) : gradient(1, a, g, !transA, false),
  ];
}

const op: Op<Params> = {
  name: "matmul",
  parameterUse: { weight: 1, input: 0 },
  forward: (tape, [a, b], params) => ({ output: product(tape, a!, b!, params), saved: undefined }),
  backward: (tape, { inputs, params }, g, needs, take) =>
    productGradients(tape, inputs, params, g, needs, take),
};

/** A product and what follows it. Inputs: a, b, addend and bias. */
const endedOp: Op<Params & { readonly after: EpilogueParams }> = {
  name: "matmul_epilogue",
  forward: (tape, [a, b, ...terms], params) => ({
    output: product(tape, a!, b!, params, endingArgs(terms, params.after)),
    saved: undefined,
  }),
  backward(tape, { inputs, output, params }, g, needs, take) {
    const { dx, rest } = epilogueGradients(tape, output, inputs.slice(2), params.after, g, needs.slice(2));
    return [...productGradients(tape, inputs, params, dx, needs, take), ...rest];
  },
  decompose(tape, [a, b, ...terms], { after, ...params }) {
    return epilogue(tape, matmul(tape, a!, b!, params), { ...after, ...epilogueTerms(terms, after) });
  },
};

/** A sum of two products and what follows it. Inputs: a, b, a2, b2 and bias. */
const sumOp: Op<{ readonly after: EpilogueParams }> = {
  name: "matmul_sum",
  forward(tape, [a, b, a2, b2, ...terms], { after }) {
    const rest = { a2: a2!.handle, b2: b2!.handle, ...endingArgs(terms, after) };
    return { output: product(tape, a!, b!, plain, rest), saved: undefined };
  },
  backward(tape, { inputs, output, params: { after } }, g, needs, take) {
    const { dx, rest } = epilogueGradients(tape, output, inputs.slice(4), after, g, needs.slice(4));
    return [
      ...productGradients(tape, inputs, plain, dx, needs, take),
      ...productGradients(tape, inputs, plain, dx, needs, take, 2),
      ...rest,
    ];
  },
  decompose(tape, [a, b, a2, b2, ...terms], { after }) {
    const { bias } = epilogueTerms(terms, after), addend = matmul(tape, a2!, b2!);
    return epilogue(tape, matmul(tape, a!, b!), { ...after, addend, bias });
  },
};
const plain: Params = { transA: false, transB: false };

/** a @ b + a2 @ b2, and what follows it. */
export function matmulSum(
  tape: Tape,
  [a, b]: readonly [Tensor, Tensor],
  [a2, b2]: readonly [Tensor, Tensor],
  { addend, ...ending }: EpilogueParts = {},
): Tensor {
  if (addend) return matmul(tape, a, b, {}, { ...ending, addend: matmul(tape, a2, b2, {}, { addend }) });
  const after = epilogueParams(tape, a.rows, ending);
  return tape.apply(sumOp, [a, b, a2, b2, ...epilogueInputs(ending)], { after });
}

/**
 * (m, k) @ (k, n) = (m, n), with either factor transposed on request.
 * @param ending  what follows the product, as epilogue() does it.
 */
export function matmul(
  tape: Tape,
  a: Tensor,
  b: Tensor,
  { transA = false, transB = false } = {},
  ending: EpilogueParts = {},
): Tensor {
  const params = { transA, transB }, after = epilogueParams(tape, transA ? a.cols : a.rows, ending);
  if (!hasEpilogue(ending, after)) return tape.apply(op, [a, b], params);
  return tape.apply(endedOp, [a, b, ...epilogueInputs(ending)], { ...params, after });
}
