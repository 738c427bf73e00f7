/** A small graph for tests that products of sampled batches average to the exact ones. */
import type { Graph } from "../../../core/graph/graph.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import type { Norm } from "../../../core/tensor/norm.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { graphOperator } from "../../../core/train/full_batch.ts";
import type { GraphParts } from "../_graphs.ts";
import { setting } from "./_train.ts";

export const n = 12;
/** In-degrees 0 to 9, no self-loops. */
export const rows = Array.from(
  { length: n },
  (_, v) => Array.from({ length: n }, (_, u) => u).filter((u) => u !== v && (u * 5 + v) % n < v % 10),
);
export const features = Array.from({ length: n }, (_, v) => [Math.sin(v), v % 3 - 1]);
export const parts: GraphParts = { rows, features, labels: rows.map((_, v) => v % 2), directed: true };
export const looped = rows.map((row, v) => v % 3 === 1 ? [...row, v].sort((a, b) => a - b) : row);
export const weightsOf = (of: readonly (readonly number[])[]) =>
  of.map((row, v) => row.map((u) => (u + v) % 4 === 0 ? 5 : 0.5));

/** The product of the whole graph with `features`, row by row. */
export function exact(graph: Graph, norm: Norm): number[] {
  const s = setting(graph, "gcn", {}), arena = s.engine.arena();
  const x = new Tensor(arena.tensor("F32", [n, 2]));
  x.set(features.flat());
  const y = graphOperator(s.engine, arena, graph, norm).apply(new Tape(s.engine, arena, false), x)
    .toNumbers();
  s.engine.destroy();
  return y;
}
