/** One batch with everything: the graph itself as a sample. Nothing is drawn, so that every sum is exact. Source: gust. */
import { z } from "zod";
import type { TypedArray } from "../../ffi/dtype.ts";
import type { NewTensor } from "../format/document.ts";
import { GustError } from "../errors.ts";
import { checkArcs } from "../graph/arcs.ts";
import { indexDType } from "../graph/csr.ts";
import type { Graph } from "../graph/graph.ts";
import type { Part } from "./assemble.ts";
import type { SamplerEntry } from "./sampler.ts";

const PIECE = 2 ** 20;

/** `count` elements made piece by piece while they are written. */
function* pieces<A extends TypedArray>(
  count: number,
  make: (start: number, size: number) => A,
): Generator<A> {
  for (let at = 0; at < count; at += PIECE) yield make(at, Math.min(PIECE, count - at));
}

const one = (name: string, ...values: number[]): NewTensor => ({
  name,
  dtype: "I64",
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});

function tensors(graph: Graph): NewTensor[] {
  const { numNodes: n, csr: { indptr, indices, values } } = graph;
  const arcs = indices.length;
  if (n > 2 ** 31 - 1) {
    throw new GustError(
      "unsupported",
      `A batch of ${n} nodes, expected at most ${2 ** 31 - 1}`,
      "sample in smaller batches, e.g. --method cluster",
    );
  }
  const all: NewTensor[] = [
    one("epoch_ptr", 0, 1),
    one("node_ptr", 0, n),
    {
      name: "nodes",
      dtype: indexDType(n),
      shape: [n],
      data: () => pieces(n, (at, size) => Int32Array.from({ length: size }, (_, i) => at + i)),
    },
    { ...one("level_size", n), shape: [1, 1] },
    one("block0.row_ptr", 0, n),
    { name: "block0.indptr", dtype: "I64", shape: [n + 1], data: indptr },
    one("block0.edge_ptr", 0, arcs),
    {
      name: "block0.indices",
      dtype: "I32",
      shape: [arcs],
      data: indices.dtype === "I32"
        ? indices
        : () =>
          pieces(arcs, (at, size) => Int32Array.from(indices.window(at, size) as BigInt64Array, Number)),
    },
  ];
  if (values) {
    all.push({
      name: "block0.edges",
      dtype: "I64",
      shape: [arcs],
      data: () => pieces(arcs, (at, size) => BigInt64Array.from({ length: size }, (_, i) => BigInt(at + i))),
    }, {
      name: "block0.edge_weight",
      dtype: "F32",
      shape: [arcs],
      data: values.dtype === "F32"
        ? values
        : () => pieces(arcs, (at, size) => Float32Array.from(values.window(at, size))),
    });
  }
  return all;
}

export const full: SamplerEntry = {
  name: "full",
  summary: "one batch with everything; the graph's own arrays are written, nothing is copied",
  source: "gust",
  params: z.object({}).strict(),
  needsPartition: false,
  shape: () => ({ hops: 0, epochs: 1 }),
  *parts({ graph }): Generator<Part> {
    checkArcs(graph);
    const arcs = graph.csr.indices.length;
    yield {
      tensors: tensors(graph),
      numBatches: 1,
      firstStep: 0,
      last: true,
      numNodes: graph.numNodes,
      numArcs: arcs,
      sizeBytes: 12 * graph.numNodes + (graph.csr.values ? 16 : 4) * arcs,
    };
  },
};
