/** A batch source whose steps multiply by the operators of an approximation. */
import type { Batch, BatchSource } from "../train/source.ts";
import type { Approximation, ApproxReport } from "./approximation.ts";
import type { WeightGradients } from "./weight_gradients.ts";

/** The batch with the operators of the approximation. */
export function approximatedBatch(batch: Batch, approximation: Approximation): Batch {
  return {
    ...batch,
    operator: (layer, count, kind) => approximation.operator(layer, batch.operator(layer, count, kind)),
    sameForwardAs: batch,
  };
}

/** @param weights  compares gradients of weights in the steps that the approximation compares; null: they are not. */
export function approximatedSource(
  source: BatchSource,
  approximation: Approximation,
  weights: WeightGradients | null = null,
): BatchSource {
  /** The batch of a static source is one object, and stays one. */
  const made = new WeakMap<Batch, Batch>();
  return {
    ...source,
    *batches(epoch, arena) {
      approximation.begin(epoch);
      weights?.begin();
      for (const batch of source.batches(epoch, arena)) {
        const step = made.get(batch) ?? approximatedBatch(batch, approximation);
        made.set(batch, step);
        if (weights && batch.numLossRows > 0 && approximation.comparesNext()) weights.prepare(batch);
        yield step;
      }
      approximation.finish(epoch);
    },
    ...(weights
      ? {
        observe(batch, feedback) {
          source.observe?.(batch, feedback);
          weights.compare(feedback.gradients);
        },
      }
      : {}),
    state: () => new Map([...source.state?.() ?? [], ...approximation.state()]),
    report: () => withWeights(approximation.report(), weights),
  };
}

function withWeights(report: ApproxReport, weights: WeightGradients | null): ApproxReport {
  if (!weights?.comparisons) return report;
  const { comparisons, compareMs } = weights;
  return {
    ...report,
    gradient_error: comparisons.map((c) => c && c.error),
    gradient_cosine: comparisons.map((c) => c && c.cosine),
    compare_ms: (report.compare_ms ?? 0) + compareMs,
  };
}
