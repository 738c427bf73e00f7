/**
 * What follows a product: dropout(activation(x + addend + bias)), fused into one pass forward and one back.
 *
 * The backward pass reads the result alone: the gradient of x, which is that of the addend, and the sum over rows that
 * is the bias's. Without activation and dropout it is the gradient itself.
 */
import type { TensorHandle } from "../../../ffi/engine.ts";
import { activationKinds } from "../../../ffi/ops.ts";
import type { Op, Tape } from "../autograd.ts";
import { Tensor } from "../tensor.ts";
import { addBias, columnSum } from "./add_bias.ts";
import { axpby } from "./axpby.ts";
import { dropout, DROPOUT_STREAM } from "./dropout.ts";
import { relu } from "./relu.ts";
import { firstRows, padRows } from "./rows.ts";
import { unary } from "./unary.ts";

/** Activations that can be fused; relu takes a slope. */
export type FusedActivation = keyof typeof activationKinds;

/** Dropout on what an epilogue gives: see dropout(). */
export interface Drop {
  readonly p: number;
  readonly layer: number;
  /** Original numbers of the first rows or more, or null where row = node. */
  readonly ids: TensorHandle | null;
}

export interface EpilogueParts {
  /** Of the shape of x, or of its first rows. */
  readonly addend?: Tensor | null;
  /** One number per column. */
  readonly bias?: Tensor | null;
  /** @default {"none"} */
  readonly activation?: FusedActivation;
  /** Of a relu, 0 or more. @default {0} */
  readonly slope?: number;
  readonly drop?: Drop | null;
}

/** What is constant in an epilogue, resolved. */
export interface EpilogueParams {
  readonly hasAddend: boolean;
  readonly activation: FusedActivation;
  readonly slope: number;
  /** With as many ids as rows; p = 0: none. */
  readonly drop: Drop;
}

/** The constants of an epilogue over `rows` rows. Dropout is off outside of training. */
export function epilogueParams(tape: Tape, rows: number, parts: EpilogueParts): EpilogueParams {
  const { addend = null, activation = "none", slope = 0, drop = null } = parts;
  const p = drop && drop.p > 0 && tape.training ? drop.p : 0;
  const ids = p > 0 && drop!.ids ? { ...drop!.ids, rows } : null;
  return { hasAddend: addend !== null, activation, slope, drop: { p, layer: drop?.layer ?? 0, ids } };
}

/** Whether there is anything in an epilogue. */
export const hasEpilogue = ({ addend, bias }: EpilogueParts, { activation, drop }: EpilogueParams): boolean =>
  Boolean(addend || bias) || activation !== "none" || drop.p > 0;

/** The addend and the bias as inputs of an op, those that are there. */
export const epilogueInputs = ({ addend, bias }: EpilogueParts): Tensor[] => [
  ...(addend ? [addend] : []),
  ...(bias ? [bias] : []),
];

/** The addend and the bias among such inputs. */
export function epilogueTerms(inputs: readonly Tensor[], { hasAddend }: EpilogueParams) {
  return { addend: hasAddend ? inputs[0]! : null, bias: inputs[hasAddend ? 1 : 0] ?? null };
}

/** What is constant in the arguments of a native op that ends in an epilogue. */
const epilogueArgs = ({ activation, slope, drop: { p, layer, ids } }: EpilogueParams) => ({
  ids,
  kind: activationKinds[activation],
  slope,
  p,
  stream: DROPOUT_STREAM,
  layer,
});

/** The arguments of a native product that ends in an epilogue, whose addend and bias are among such inputs. */
export function endingArgs(inputs: readonly Tensor[], params: EpilogueParams) {
  const { addend, bias } = epilogueTerms(inputs, params);
  return { addend: addend?.handle, bias: bias?.handle, ...epilogueArgs(params) };
}

/** Gradients of the epilogue with that value: to x, and after it to the inputs that epilogueInputs() gives. */
export function epilogueGradients(
  tape: Tape,
  value: Tensor,
  terms: readonly Tensor[],
  params: EpilogueParams,
  g: Tensor,
  needs: readonly boolean[],
): { dx: Tensor; rest: (Tensor | null)[] } {
  const { addend, bias } = epilogueTerms(terms, params);
  const wantsBias = bias !== null && needs[params.hasAddend ? 1 : 0] === true;
  const all = (dx: Tensor, dBias: Tensor | null) => ({
    dx,
    rest: addend ? [needs[0] ? firstRows(tape, dx, addend.rows) : null, dBias] : [dBias],
  });
  if (params.activation === "none" && params.drop.p === 0) {
    return all(g, wantsBias ? columnSum(tape, g) : null);
  }
  const out = tape.tensor(g.dtype, g.shape), dBias = wantsBias ? tape.tensor(g.dtype, bias.shape) : null;
  tape.engine.run("epilogue_backward", {
    g: g.handle,
    value: value.handle,
    out: out.handle,
    d_bias: dBias?.handle,
    ...epilogueArgs(params),
  });
  return all(out, dBias);
}

const op: Op<EpilogueParams> = {
  name: "epilogue",
  forward(tape, [x, ...terms], params) {
    const output = tape.tensor(x!.dtype, x!.shape), { addend, bias } = epilogueTerms(terms, params);
    tape.engine.run("epilogue", {
      x: x!.handle,
      y: addend?.handle,
      bias: bias?.handle,
      out: output.handle,
      ...epilogueArgs(params),
    });
    return { output, saved: undefined };
  },
  backward(tape, { inputs: [, ...terms], output, params }, g, needs) {
    const { dx, rest } = epilogueGradients(tape, output, terms, params, g, needs.slice(1));
    return [dx, ...rest];
  },
  decompose(tape, [x, ...terms], params) {
    const { addend, bias } = epilogueTerms(terms, params);
    const { activation, slope, drop: { p, layer, ids } } = params;
    const sum = addend ? axpby(tape, x!, padRows(tape, addend, x!.rows), 1, 1) : x!;
    const z = bias ? addBias(tape, sum, bias) : sum;
    const y = activation === "none"
      ? z
      : activation === "relu"
      ? relu(tape, z, slope)
      : unary(tape, z, activation);
    return dropout(tape, y, p, layer, ids && new Tensor(ids));
  },
};

/** dropout(activation(x + addend + bias)); dropout is off outside of training. */
export function epilogue(tape: Tape, x: Tensor, parts: EpilogueParts): Tensor {
  const params = epilogueParams(tape, x.rows, parts), { bias } = parts;
  if (params.activation === "none" && params.drop.p === 0 && !params.hasAddend) {
    return bias ? addBias(tape, x, bias) : x;
  }
  return tape.apply(op, [x, ...epilogueInputs(parts)], params);
}

/** a + b, where one may have the first rows alone. */
export function addFromTop(tape: Tape, a: Tensor, b: Tensor): Tensor {
  if (a.rows === b.rows) return axpby(tape, a, b, 1, 1);
  return a.rows > b.rows ? epilogue(tape, a, { addend: b }) : epilogue(tape, b, { addend: a });
}
