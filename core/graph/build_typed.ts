/**
 * Typed graphs: a matrix per relation, rows = nodes of its destination type. Nodes of a type are consecutive, so that
 * splits, names and links count all nodes.
 */
import { NativeArray } from "../../ffi/native.ts";
import { DistinctRows } from "../../ffi/native_rows.ts";
import { GustError } from "../errors.ts";
import type { NewTensor } from "../format/document.ts";
import type { RawGraph, RawTyped } from "../readers/reader.ts";
import type { BuildReport, BuildRequest, BuiltGraph } from "./build.ts";
import { arcTensors, buildArcs, type BuiltArcs } from "./build_columns.ts";
import { type Csr, nnz } from "./csr.ts";
import { featureTensors, graphTensors, nodeTensors } from "./node_data.ts";

const REFUSED: readonly [key: keyof BuildRequest, option: string, why: string][] = [
  ["symmetrize", "--symmetrize", "the reverse of a relation is another relation"],
  ["selfLoops", "--self-loops", "a self-loop belongs to no relation"],
  ["largestComponent", "--largest-component", "nodes of a type are numbered together"],
  ["relabel", "--relabel", "the nodes of every type are numbered already"],
];

/** Nodes that begin or end no arc. */
function countIsolated({ nodeTypes, nodeCounts, relations }: RawTyped, built: readonly BuiltArcs[]): number {
  const linked = new Map(nodeTypes.map((type, i) => [type, new DistinctRows(nodeCounts[i]!)]));
  relations.forEach(({ src, dst }, r) => {
    const { csr } = built[r]!;
    linked.get(src)!.add(csr.indices);
    linked.get(dst)!.add(filledRows(csr));
  });
  return [...linked.values()].reduce((sum, { numRows, distinct }) => sum + numRows - distinct, 0);
}

/** The rows that hold entries, ascending. */
function filledRows({ indptr, numRows }: Csr): NativeArray<"I64"> {
  const rows: bigint[] = [];
  const step = 1 << 20;
  for (let from = 0; from < numRows; from += step) {
    const ends = indptr.window(from, Math.min(step, numRows - from) + 1);
    for (let v = 1; v < ends.length; v++) if (ends[v]! > ends[v - 1]!) rows.push(BigInt(from + v - 1));
  }
  return NativeArray.from<"I64">(BigInt64Array.from(rows));
}

function typedTensors({ nodeTypes, nodeCounts, features, labels }: RawTyped): NewTensor[] {
  const tensors: NewTensor[] = [];
  nodeTypes.forEach((type, i) => {
    const stored = features?.[type], classes = labels?.[type];
    if (stored) tensors.push(...featureTensors(`feat/${type}`, stored, nodeCounts[i]!));
    if (classes) {
      tensors.push({ name: `label/${type}`, dtype: "I32", shape: [nodeCounts[i]!], data: classes.array });
    }
  });
  return tensors;
}

/**
 * Build the tensors and metadata of a typed graph.
 *
 * @param raw  the edges of its relations are used up.
 * @throws {GustError} (usage) for changes that need nodes of one type.
 */
export function buildTyped(
  raw: RawGraph & { readonly typed: RawTyped },
  request: BuildRequest,
): BuiltGraph {
  for (const [key, option, why] of REFUSED) {
    if (request[key]) throw new GustError("usage", `${option} does not apply to a typed graph: ${why}`);
  }
  const { typed } = raw, { nodeTypes, nodeCounts, relations } = typed;
  const countOf = new Map(nodeTypes.map((type, i) => [type, nodeCounts[i]!]));
  const numNodes = nodeCounts.reduce((a, b) => a + b, 0);
  const arcsRead = relations.reduce((sum, { edges }) => sum + edges.count, 0);
  const rowOrder = raw.rowOrder ?? "index";
  const built = relations.map(({ edges, src, dst, columns, isWeighted }) =>
    buildArcs(edges, countOf.get(dst)!, countOf.get(src)!, columns, {
      removeSelfLoops: request.removeSelfLoops && src === dst,
      weighted: isWeighted,
      wide: request.wide,
      rowOrder,
    })
  );
  const total = (of: (arcs: BuiltArcs) => number) => built.reduce((sum, arcs) => sum + of(arcs), 0);
  const selfLoops = built.reduce(
    (sum, arcs, r) => sum + (relations[r]!.src === relations[r]!.dst ? arcs.selfLoops : 0),
    0,
  );
  const report: BuildReport = {
    arcsRead,
    duplicatesMerged: total(({ duplicates }) => duplicates),
    selfLoopsRemoved: total(({ selfLoopsRemoved }) => selfLoopsRemoved),
    selfLoopsAdded: 0,
    arcsAdded: 0,
    weightConflicts: 0,
    components: null,
    nodesDropped: 0,
    arcsDropped: 0,
    relabelled: null,
    isolated: countIsolated(typed, built),
    selfLoops,
  };
  const numClasses = Math.max(0, ...Object.values(typed.labels ?? {}).map((labels) => labels.numClasses));
  const nodes = { ...raw, numNodes, nodeIds: null };
  return {
    meta: {
      num_nodes: numNodes,
      num_edges: total(({ csr }) => nnz(csr)),
      directed: true,
      num_features: 0,
      num_classes: numClasses,
      row_order: rowOrder,
      ...(raw.classNames && numClasses ? { class_names: raw.classNames } : {}),
      self_loops: selfLoops,
      node_types: nodeTypes,
      node_counts: nodeCounts,
      relations: relations.map(({ name, src, dst }) => ({ name, src, dst })),
      ...(raw.edgeTypeNames ? { edge_types: raw.edgeTypeNames } : {}),
      ...raw.meta,
    },
    tensors: [
      ...relations.flatMap(({ name }, r) => arcTensors(`rel/${name}/`, built[r]!, request.wide)),
      ...typedTensors(typed),
      ...nodeTensors(nodes),
      ...graphTensors(nodes),
    ],
    report,
  };
}
