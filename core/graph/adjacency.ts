/** A graph's adjacency as training needs it: self-loops taken out (norms add their own), symmetry known. */
import { type Csr, nnz } from "./csr.ts";
import type { Graph } from "./graph.ts";
import { isSymmetric, withoutSelfLoops } from "../../ffi/native_csr.ts";

export interface Adjacency {
  readonly csr: Csr;
  readonly isSymmetric: boolean;
  readonly selfLoopsRemoved: number;
}

/** The adjacency without self-loops. Nothing is copied where there are none. */
export function adjacency(graph: Graph): Adjacency {
  const csr = withoutSelfLoops(graph.csr);
  return {
    csr,
    isSymmetric: !graph.meta.directed || isSymmetric(csr),
    selfLoopsRemoved: nnz(graph.csr) - nnz(csr),
  };
}
