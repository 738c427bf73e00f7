/** Stages of models whose rounds all read the start: a node's row holds its state, and the start beside it. */
import type { Tape } from "../tensor/autograd.ts";
import { concatColumns, takeColumns } from "../tensor/ops/columns.ts";
import { firstRows } from "../tensor/ops/rows.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ForwardInput, Stage } from "./model.ts";

/** A round: from the state of a block's nodes and their start to the state of its rows. */
export type Round = (tape: Tape, x: Tensor, start: Tensor, input: ForwardInput, round: number) => Tensor;

/**
 * @param first  the stages whose result, `width` columns, is the start.
 * @param count  rounds that follow, each as wide as the start.
 * @param end    what the last round's state goes through, its own rows alone.
 */
export function withStart(
  first: readonly Stage[],
  count: number,
  width: number,
  round: Round,
  end: { readonly width: number; forward(tape: Tape, x: Tensor): Tensor } = { width, forward: (_, x) => x },
): readonly Stage[] {
  const last = first.at(-1)!;
  const pair = (tape: Tape, x: Tensor, start: Tensor, r: number) =>
    r === count ? end.forward(tape, x) : concatColumns(tape, [x, firstRows(tape, start, x.rows)]);
  const widthAfter = (r: number) => r === count ? end.width : 2 * width;
  return [
    ...first.slice(0, -1),
    {
      ...last,
      width: widthAfter(0),
      forward(tape, x, input) {
        const start = last.forward(tape, x, input);
        return pair(tape, start, start, 0);
      },
    },
    ...Array.from({ length: count }, (_, r): Stage => ({
      width: widthAfter(r + 1),
      reads: "neighbours",
      forward(tape, x, input) {
        const start = takeColumns(tape, x as Tensor, width, width);
        return pair(
          tape,
          round(tape, takeColumns(tape, x as Tensor, 0, width), start, input, r),
          start,
          r + 1,
        );
      },
    })),
  ];
}
