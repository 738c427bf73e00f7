/** Batch normalisation: each column over all rows of the batch, by running statistics outside of training. */
import type { Tape } from "../tensor/autograd.ts";
import { columnAffine } from "../tensor/ops/column_affine.ts";
import { axpby } from "../tensor/ops/axpby.ts";
import { mul } from "../tensor/ops/mul.ts";
import { segmentNorm } from "../tensor/ops/norms.ts";
import { unary } from "../tensor/ops/unary.ts";
import { Tensor } from "../tensor/tensor.ts";
import { affineOf, type LayerNormEntry } from "./norm.ts";

/** Share of a new batch in the running statistics. */
const MOMENTUM = 0.1;

export const batch: LayerNormEntry = {
  name: "batch",
  summary: "mean 0 and variance 1 of each column over the batch, in evaluation by running statistics",
  source: "Ioffe and Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2; momentum 0.1",
  scope: "batch",
  create(init, place) {
    const { name, layer, width, eps } = place;
    const { gamma, beta } = affineOf(init, place);
    const alpha = init.constant(width, 1), epsilon = init.constant(width, eps);
    const mean = init.buffer(`${name}.running_mean`, layer, width, 0);
    const variance = init.buffer(`${name}.running_var`, layer, width, 1);

    /** running += MOMENTUM * (factor * now - running), in place. */
    const follow = (tape: Tape, running: Tensor, now: Tensor, factor: number) => {
      const y = tape.arena.reshape(now.handle, [width]);
      const { handle } = running;
      tape.engine.run("axpby", {
        x: handle,
        y,
        out: handle,
        alpha: 1 - MOMENTUM,
        beta: MOMENTUM * factor,
      });
    };
    return {
      apply(tape, x) {
        if (!tape.training) {
          const spread = axpby(tape, new Tensor(variance.handle), epsilon, 1, 1);
          const scale = mul(tape, gamma, unary(tape, spread, "power", -0.5));
          const shift = axpby(tape, beta, mul(tape, new Tensor(mean.handle), scale), 1, -1);
          return columnAffine(tape, x, scale, shift);
        }
        return segmentNorm(tape, x, null, { alpha, gamma, beta }, eps, (seen) => {
          if (x.rows === 0) return;
          follow(tape, mean, seen.mean, 1);
          // The running variance is the unbiased one.
          follow(tape, variance, seen.moment, x.rows / Math.max(1, x.rows - 1));
        });
      },
    };
  },
};
