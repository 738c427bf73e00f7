/**
 * What follows a product: dropout(activation(x + addend + bias)), fused into one pass forward and one back.
 *
 * The backward pass reads the result alone: the gradient of x, which is that of the addend, and the sum over rows that
 * is the bias's. Without activation and dropout it is the gradient itself.
 */
import { streamId, type TensorHandle } from "../../../ffi/engine.ts";
import { activationKinds } from "../../../ffi/ops.ts";
import type { Op, Tape } from "../autograd.ts";
import { Tensor } from "../tensor.ts";
import { addBias, columnSum } from "./add_bias.ts";
import { axpby } from "./axpby.ts";
import { dropout } from "./dropout.ts";
import { relu } from "./relu.ts";
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
  /** Of the shape of x. */
  readonly addend?: Tensor | null;
  /** One number per column. */
  readonly bias?: Tensor | null;
  /** @default {"none"} */
  readonly activation?: FusedActivation;
  /** Of a relu, 0 or more. @default {0} */
  readonly slope?: number;
  readonly drop?: Drop | null;
}

interface Params {
  readonly hasAddend: boolean;
  readonly activation: FusedActivation;
  readonly slope: number;
  /** With as many ids as rows; p = 0: none. */
  readonly drop: Drop;
}
const STREAM = streamId("dropout");

/** Inputs: x, the addend if there is one, the bias if there is one. */
function named(inputs: readonly Tensor[], { hasAddend }: Params) {
  return { x: inputs[0]!, addend: hasAddend ? inputs[1]! : null, bias: inputs[hasAddend ? 2 : 1] ?? null };
}

const constants = ({ activation, slope, drop: { p, layer } }: Params) => ({
  kind: activationKinds[activation],
  slope,
  p,
  stream: STREAM,
  layer,
});

const op: Op<Params> = {
  name: "epilogue",
  forward(tape, inputs, params) {
    const { x, addend, bias } = named(inputs, params);
    const output = tape.tensor(x.dtype, x.shape);
    tape.engine.run("epilogue", {
      x: x.handle,
      y: addend?.handle,
      bias: bias?.handle,
      ids: params.drop.ids,
      out: output.handle,
      ...constants(params),
    });
    return { output, saved: undefined };
  },
  backward(tape, { inputs, output: value, params }, g, needs) {
    const wantsBias = needs[params.hasAddend ? 2 : 1] === true;
    const spread = (dx: Tensor, bias: Tensor | null) => params.hasAddend ? [dx, dx, bias] : [dx, bias];
    if (params.activation === "none" && params.drop.p === 0) {
      return spread(g, wantsBias ? columnSum(tape, g) : null);
    }
    const out = tape.tensor(g.dtype, g.shape), { bias } = named(inputs, params);
    const dBias = wantsBias ? tape.tensor(g.dtype, bias!.shape) : null;
    tape.engine.run("epilogue_backward", {
      g: g.handle,
      value: value.handle,
      ids: params.drop.ids,
      out: out.handle,
      d_bias: dBias?.handle,
      ...constants(params),
    });
    return spread(out, dBias);
  },
  decompose(tape, inputs, params) {
    const { x, addend, bias } = named(inputs, params),
      { activation, slope, drop: { p, layer, ids } } = params;
    const sum = addend ? axpby(tape, x, addend, 1, 1) : x;
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
  const { addend = null, bias = null, activation = "none", slope = 0, drop = null } = parts;
  const p = drop && drop.p > 0 && tape.training ? drop.p : 0;
  if (activation === "none" && p === 0 && !addend) return bias ? addBias(tape, x, bias) : x;
  const ids = p > 0 && drop!.ids ? { ...drop!.ids, rows: x.rows } : null;
  const params = { hasAddend: addend !== null, activation, slope, drop: { p, layer: drop?.layer ?? 0, ids } };
  return tape.apply(op, [x, ...(addend ? [addend] : []), ...(bias ? [bias] : [])], params);
}
