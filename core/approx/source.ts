/** A batch source whose steps multiply by the operators of an approximation. */
import type { Batch, BatchSource } from "../train/source.ts";
import type { Approximation } from "./approximation.ts";

/** The batch with the operators of the approximation. */
export function approximatedBatch(batch: Batch, approximation: Approximation): Batch {
  return {
    ...batch,
    operator: (layer, count, kind) => approximation.operator(layer, batch.operator(layer, count, kind)),
    sameForwardAs: batch,
  };
}

export function approximatedSource(source: BatchSource, approximation: Approximation): BatchSource {
  /** The batch of a static source is one object, and stays one. */
  const made = new WeakMap<Batch, Batch>();
  return {
    ...source,
    *batches(epoch, arena) {
      approximation.begin(epoch);
      for (const batch of source.batches(epoch, arena)) {
        const step = made.get(batch) ?? approximatedBatch(batch, approximation);
        made.set(batch, step);
        yield step;
      }
      approximation.finish(epoch);
    },
    state: () => new Map([...source.state?.() ?? [], ...approximation.state()]),
    report: () => approximation.report(),
  };
}
