/** Functions of a sparse matrix's values: reordering for the transpose, dropout on entries. */
import { streamId, type TensorHandle } from "../../../ffi/engine.ts";
import type { Op, Tape } from "../autograd.ts";
import type { Pattern } from "../operator.ts";
import { Tensor } from "../tensor.ts";
import { gather } from "./gather.ts";

/** values[order[e]] */
export function gatherValues(tape: Tape, values: Tensor, order: TensorHandle): Tensor {
  return gather(tape, values, new Tensor(order));
}

interface DropoutParams {
  pattern: Pattern;
  p: number;
  layer: number;
  ids: TensorHandle | null;
}
const STREAM = streamId("dropout");

const op: Op<DropoutParams> = {
  name: "dropout_csr",
  forward(tape, [values], { pattern, p, layer, ids }) {
    const output = tape.tensor(values?.dtype ?? "F32", [pattern.numEntries]);
    tape.engine.run("dropout_csr", {
      indptr: pattern.indptr,
      values: values?.handle,
      ids,
      out: output.handle,
      p,
      stream: STREAM,
      layer,
    });
    return { output, saved: undefined };
  },
  backward: (tape, { params }, g) => [tape.apply(op, [g], params)],
};

/** Inverted dropout on the entries of a sparse matrix (`values` null: ones); the mask is keyed by row id and position. */
export function dropoutValues(
  tape: Tape,
  pattern: Pattern,
  values: Tensor | null,
  p: number,
  layer: number,
  ids: TensorHandle | null,
): Tensor {
  return tape.apply(op, values ? [values] : [], { pattern, p, layer, ids });
}
