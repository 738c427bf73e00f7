/** Inverted dropout (kept entries are divided by 1 - p). The mask is a function of the key, so it is never stored. */
import { streamId } from "../../../ffi/engine.ts";
import type { Op, Tape } from "../autograd.ts";
import type { Tensor } from "../tensor.ts";

interface Params {
  p: number;
  layer: number;
  ids: Tensor | null;
}
/** The stream that all masks of dropout are drawn from, whichever op applies them. */
export const DROPOUT_STREAM = streamId("dropout");

const op: Op<Params> = {
  name: "dropout",
  forward(tape, [x], { p, layer, ids }) {
    const output = tape.tensor(x!.dtype, x!.shape);
    tape.engine.run("dropout", {
      x: x!.handle,
      ids: ids?.handle,
      out: output.handle,
      p,
      stream: DROPOUT_STREAM,
      layer,
    });
    return { output, saved: undefined };
  },
  // Multiplication by a constant mask is its own adjoint; the same key gives the same mask.
  backward: (tape, { params }, g) => [tape.apply(op, [g], params)],
};

/**
 * Zero entries with probability p while training; x itself otherwise.
 *
 * @param layer  tells the masks of one step apart (below 256).
 * @param ids  original node number of each row, or null where row = node: the mask follows the node, not the row.
 */
export function dropout(tape: Tape, x: Tensor, p: number, layer: number, ids: Tensor | null = null): Tensor {
  return p > 0 && tape.training ? tape.apply(op, [x], { p, layer, ids }) : x;
}
