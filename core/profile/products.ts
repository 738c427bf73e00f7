/** Counters of what sparse and dense products compute and move, told apart from all other ops. */
import type { Observer, OpCall } from "../../ffi/engine.ts";
import { addWork, noWork, type ProductWork } from "../models/plan.ts";

/** What the products of each pass did. */
export interface PassWork {
  readonly forward: ProductWork;
  readonly backward: ProductWork;
}

export interface ProductCounters extends Observer {
  readonly work: PassWork;
}

const sparseProducts = new Set<OpCall["op"]>(["spmm", "spmm_transposed", "attention", "attention_backward"]);

/** Counts what an engine runs from then on that it is its observer. */
export function productCounters(): ProductCounters {
  let work: PassWork = { forward: noWork, backward: noWork };
  const count = ({ op, phase, work: { streamedBytes, gathered, flops } }: OpCall) => {
    if (phase !== "forward" && phase !== "backward") return;
    const bytes = streamedBytes + (gathered?.bytes ?? 0);
    const done = sparseProducts.has(op)
      ? { ...noWork, sparseReads: gathered!.indices.rows, sparseFlops: flops, sparseBytes: bytes }
      : op === "gemm"
      ? { ...noWork, denseFlops: flops, denseBytes: bytes }
      : noWork;
    work = { ...work, [phase]: addWork(work[phase], done) };
  };
  return {
    get work() {
      return work;
    },
    onRun: count,
    onReplay: (calls) => calls.forEach(count),
  };
}
