/** A graph document with another split: masks of its nodes or graphs, or edges that left it as pairs. */
import { splitParts } from "../../ffi/native_generate.ts";
import { NativeArray } from "../../ffi/native.ts";
import { indptrOfPart, pairsOfPart, rowsOfPart } from "../../ffi/native_split.ts";
import type { Document, NewDocument, NewTensor, ProvenanceRecord } from "../format/document.ts";
import { asNew } from "../format/write.ts";
import { type Graph, type SplitName, splitNames } from "../graph/graph.ts";
import type { Parts } from "./splitter.ts";

/** Elements that are held at once while a tensor is written. */
const PIECE = 2 ** 21;

export type SplitCounts = Record<SplitName, number>;
export interface SplitGraph {
  readonly document: NewDocument;
  /** Items of each part, per split; an undirected edge counts once. */
  readonly counts: readonly SplitCounts[];
}

/** Tensors of the split that was there. */
const isSplitTensor = (name: string, prefix: string) => splitNames.some((s) => name === `${prefix}.${s}`);
const isLinkTensor = (name: string) => /^link(_\w+)?\.(train|val|test)$/.test(name);

function countParts(part: NativeArray<"U8">): SplitCounts {
  const counts = new Float64Array(4);
  for (let at = 0; at < part.length;) {
    const window = part.window(at);
    for (const p of window) counts[p]!++;
    at += window.length;
  }
  return { train: counts[1]!, val: counts[2]!, test: counts[3]! };
}

function* masks(parts: readonly NativeArray<"U8">[], which: number): Generator<Uint8Array> {
  for (const part of parts) {
    for (let at = 0; at < part.length; at += PIECE) {
      yield part.window(at, Math.min(PIECE, part.length - at)).map((p) => p === which ? 1 : 0);
    }
  }
}

/** The document with masks [splits, items] under `prefix`; parts that nothing belongs to are left out. */
function withMasks(
  document: Document,
  parts: readonly NativeArray<"U8">[],
  prefix: "split" | "fold",
): Omit<SplitGraph, "document"> & { readonly document: Omit<NewDocument, "provenance"> } {
  const counts = parts.map(countParts);
  const { kind, meta, tensors } = asNew(document);
  const added = splitNames.filter((s) => counts.some((c) => c[s] > 0)).map((s): NewTensor => ({
    name: `${prefix}.${s}`,
    dtype: "BOOL",
    shape: [parts.length, parts[0]!.length],
    data: () => masks(parts, splitParts[s]),
  }));
  const kept = tensors.filter(({ name }) => !isSplitTensor(name, prefix));
  return { counts, document: { kind, meta, tensors: [...kept, ...added] } };
}

/** Columns of the stored arcs, and what they are called among held-out pairs. */
const isArcColumn = (name: string) => name === "indices" || /^edge_(weight|time|feat|type|ids)$/.test(name);
const pairColumn: Readonly<Record<string, string>> = {
  edge_type: "link_type",
  edge_time: "link_time",
  edge_weight: "link_weight",
  edge_feat: "link_feat",
};

/** The document without the held-out arcs, which become link.val and link.test with their columns. */
function withoutArcs(
  document: Document,
  graph: Graph,
  part: NativeArray<"U8">,
  held: SplitCounts,
): Omit<NewDocument, "provenance"> {
  const { kind, meta, tensors } = asNew(document);
  const { indptr, selfLoops } = indptrOfPart(graph.csr, part, splitParts.train);
  const numEdges = indptr.at(indptr.length - 1);
  const column = (tensor: NewTensor, name: string, which: SplitName, count: number): NewTensor => {
    const { dtype, shape: [, ...rest] } = tensor;
    const width = rest.reduce((a, b) => a * b, 1);
    const rows = Math.max(1, Math.floor(PIECE / Math.max(1, width)));
    const from = document.tensor(tensor.name);
    const data = () => rowsOfPart(from, width, part, splitParts[which], rows);
    return { name, dtype, shape: [count, ...rest], data };
  };
  const rest = tensors.filter(({ name }) => !isLinkTensor(name)).map((tensor) =>
    tensor.name === "indptr"
      ? { ...tensor, data: indptr }
      : isArcColumn(tensor.name)
      ? column(tensor, tensor.name, "train", numEdges)
      : tensor
  );
  const pairs = (["val", "test"] as const).filter((s) => held[s] > 0).flatMap((s): NewTensor[] => [
    {
      name: `link.${s}`,
      dtype: "I64",
      shape: [held[s], 2],
      data: pairsOfPart(graph.csr, part, splitParts[s], held[s]),
    },
    ...tensors.filter(({ name }) => pairColumn[name]).map((tensor) =>
      column(tensor, `${pairColumn[tensor.name]}.${s}`, s, held[s])
    ),
  ]);
  return {
    kind,
    meta: { ...meta, num_edges: numEdges, self_loops: selfLoops },
    tensors: [...rest, ...pairs],
  };
}

/**
 * The graph with a new split in the place of the one it had; everything else is copied while it is written.
 *
 * Memory: a byte per item and split, or a byte per arc, 8 bytes per node and 16 per held-out edge.
 */
export function splitDocument(
  document: Document,
  parts: Parts,
  provenance: readonly ProvenanceRecord[],
): SplitGraph {
  if (parts.of !== "edges") {
    const { counts, document: made } = withMasks(
      document,
      parts.parts,
      parts.of === "nodes" ? "split" : "fold",
    );
    return { counts, document: { ...made, provenance } };
  }
  const { graph, part, counts: [, arcs, val, test] } = parts;
  const made = withoutArcs(document, graph, part, { train: arcs, val, test });
  const loops = made.meta["self_loops"] as number;
  const train = graph.meta.directed ? arcs : (arcs + loops) / 2;
  return { counts: [{ train, val, test }], document: { ...made, provenance } };
}
