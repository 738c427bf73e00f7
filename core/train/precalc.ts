/**
 * The first layer's product with the adjacency for all nodes, computed once: rows [A X, X] (or A X alone) that take the
 * place of the features X. They are made as exact inference makes a layer, in chunks, and wait in an unnamed temporary
 * file that batches map: memory is that of a chunk, disk 4 bytes per number.
 *
 * Source: Chiang et al. 2019, arXiv:1905.07953, and its code (option precalc).
 */
import type { Engine } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { gatherRows } from "../../ffi/native_rows.ts";
import { NativeSampler } from "../../ffi/native_sample.ts";
import { buildDocument, type NewTensor } from "../format/document.ts";
import type { Features } from "../graph/graph.ts";
import { Graph } from "../graph/graph.ts";
import type { Precalculated, Stage } from "../models/model.ts";
import { dense } from "../models/stack.ts";
import { concatColumns } from "../tensor/ops/columns.ts";
import { firstRows } from "../tensor/ops/rows.ts";
import { LayerwiseInference, type StoredFeatures } from "./layerwise.ts";

/** Precalculated rows as features, and what gives their file back. */
export interface PrecalculatedRows {
  /** Dense float32, twice as wide as the graph's features where they hold those too. */
  readonly features: Features;
  free(): void;
}

/**
 * @param features  those of the graph, and how a model's are prepared.
 * @param among  ascending nodes that take part, with the links between them; rows of others are of no use. null: all.
 * @throws {GustError} (io) where the file has no room.
 */
export function precalculatedRows(
  engine: Engine,
  graph: Graph,
  features: StoredFeatures,
  { kind, hasOwn }: Precalculated,
  among: BigInt64Array | null,
  chunkBytes?: number,
): PrecalculatedRows {
  const numFeatures = (hasOwn ? 2 : 1) * features.stored!.numFeatures;
  const layer: Stage = {
    width: numFeatures,
    reads: "neighbours",
    forward(tape, x, { operator }) {
      const rows = dense(tape, x, { dtype: "F32" }), near = operator(0, 1).apply(tape, rows);
      return hasOwn ? concatColumns(tape, [near, firstRows(tape, rows, near.rows)]) : near;
    },
  };
  const forward = () => {
    throw new Error("a first layer is computed as a stage alone");
  };
  const model = { parameters: [], width: numFeatures, forward, stages: [layer] };
  const linked = among ? linksAmong(graph, among) : graph;
  const arena = engine.arena();
  try {
    const inference = new LayerwiseInference(engine, arena, linked, model, "", kind, features, chunkBytes);
    const { scores, free } = inference.outputs("values");
    return { features: { kind: "dense", numFeatures, array: scores, scale: null }, free };
  } finally {
    arena.destroy();
  }
}

/** The graph with the links between some nodes alone, under the same numbers. Memory: those links. */
export function linksAmong(graph: Graph, nodes: BigInt64Array): Graph {
  const { csr, numNodes, meta: { directed, row_order } } = graph, { values } = csr;
  const all = NativeArray.from<"I64">(nodes);
  // Batches have their nodes in the order of ids: of none here, so that rows stay in the order of their numbers.
  const sampler = new NativeSampler(csr, null, { byPosition: false, keepEdges: values !== null });
  const batches = sampler.induced(all, [0, nodes.length]);
  const arcs = batches.sizes[0]!.edges[0]!;
  const block = {
    indptr: NativeArray.allocate("I64", nodes.length + 1, false),
    indices: NativeArray.allocate("I32", arcs, false),
    edges: values && NativeArray.allocate("I64", arcs, false),
    edgeWeight: values && NativeArray.allocate("F32", arcs, false),
  };
  batches.copyBlock(0, 1, 0, block, values);
  batches.close();
  sampler.close();
  const indices = gatherRows(all, 1, block.indices);
  const tensor = (name: string, data: NativeArray): NewTensor => ({
    name,
    dtype: data.dtype,
    shape: [data.length],
    data,
  });
  return new Graph(buildDocument({
    kind: "graph",
    meta: {
      num_nodes: numNodes,
      num_edges: arcs,
      directed,
      num_features: 0,
      num_classes: 0,
      row_order,
    },
    tensors: [
      tensor("indptr", spread(block.indptr, nodes, numNodes)),
      tensor("indices", indices),
      ...(block.edgeWeight ? [tensor("edge_weight", block.edgeWeight)] : []),
    ],
    provenance: [],
  }));
}

/** The pointer of some rows as that of `numRows` rows, of which the others are empty. */
function spread(ptr: NativeArray<"I64">, rows: BigInt64Array, numRows: number): NativeArray<"I64"> {
  const all = NativeArray.allocate("I64", numRows + 1, false);
  const starts = ptr.window();
  let before = 0;
  for (let at = 0; at <= numRows;) {
    const window = all.window(at);
    for (let i = 0; i < window.length; i++) {
      while (before < rows.length && Number(rows[before]) < at + i) before++;
      window[i] = starts[before]!;
    }
    at += window.length;
  }
  return all;
}
