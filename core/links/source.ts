/** Training on links: the whole graph passes messages, and every step scores some links and pairs without one. */
import type { Arena, TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { drawRows } from "../../ffi/native_links.ts";
import { iota } from "../sampling/sampler.ts";
import type { NodePairs } from "../models/model.ts";
import type { TaskRun } from "../tasks/task.ts";
import type { Batch, BatchSource } from "../train/source.ts";
import type { TrainingLinks } from "./links.ts";
import { pairTensors } from "./pairs.ts";

export interface LinkSourceOptions {
  /** Links per step; 0: all. */
  readonly batchSize: number;
  /** Pairs without a link for each. */
  readonly negatives: number;
  readonly oneEnd: boolean;
  /** What the loss reads: the column of the link (0) as a class, or 1 for the link and 0 for the others. */
  readonly targets: "classes" | "labels";
}

/** Targets of `count` rows of one link and `per` pairs without. */
function targetsOf(arena: Arena, kind: "classes" | "labels", count: number, per: number): TensorHandle {
  if (kind === "classes") return arena.tensor("I32", [count], true);
  const all = NativeArray.allocate("F32", count * (per + 1));
  const rows = Math.floor(2 ** 26 / (per + 1));
  for (let row = 0; row < count; row += rows) {
    const length = Math.min(rows, count - row) * (per + 1);
    const window = all.window(row * (per + 1), length);
    for (let i = 0; i < length; i += per + 1) window[i] = 1;
  }
  return arena.bind(all, [count, per + 1]);
}

/**
 * The links of the graph, with pairs that are drawn anew in every epoch. Where all of them make one step, their buffers
 * are rewritten, so that the step is planned once.
 */
export function linkSource(run: TaskRun, links: TrainingLinks, options: LinkSourceOptions): BatchSource {
  const { arena, input, seed } = run, { negatives: per, oneEnd, targets: kind } = options;
  const size = options.batchSize === 0 ? links.count : Math.min(options.batchSize, links.count);
  const isStatic = size === links.count;
  const targets = targetsOf(arena, kind, size, per), lossRows = arena.bind(iota(size));
  const typed = links.pairs.type !== null;
  const key = { per, oneEnd, seed, stream: "link.train" };

  function batchOf(within: Arena, count: number, pairs: NodePairs): Batch {
    return {
      ...input,
      pairs,
      numNodes: links.graph.csr.numRows,
      targets: count === size ? targets : within.rows(targets, 0, count),
      lossRows: count === size ? lossRows : within.rows(lossRows, 0, count),
      numLossRows: count,
    };
  }

  if (isStatic) {
    const { pairs, host, send } = pairTensors(arena, size, per, typed);
    const batch = batchOf(arena, size, pairs);
    return {
      name: "full",
      isStatic,
      batches(epoch) {
        drawRows(links.graph, null, links.order, links.pairs, null, host, { ...key, epoch });
        send();
        return [batch];
      },
    };
  }
  return {
    name: "full",
    isStatic,
    *batches(epoch, next) {
      const order = links.shuffled(seed, epoch);
      for (let at = 0; at < links.count; at += size) {
        const count = Math.min(size, links.count - at), within = next();
        const { pairs, host, send } = pairTensors(within, count, per, typed);
        const chosen = order.slice(at, count);
        drawRows(links.graph, null, links.order, links.pairs, chosen, host, { ...key, epoch });
        send();
        yield batchOf(within, count, pairs);
      }
      order.free();
    },
  };
}
