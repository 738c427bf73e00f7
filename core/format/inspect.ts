/** What `gust inspect` says of a document, as data. Reads headers, and of the data only split masks and pointers' ends. */
import type { NativeArray } from "../../ffi/native.ts";
import { findAsymmetric, findOutside, findRowDescent, graphStats } from "../../ffi/native_checks.ts";
import type { Container } from "./container.ts";
import type { Document, Kind, TensorSpec } from "./document.ts";
import type { ProvenanceRecord } from "./provenance.ts";
import { countOf } from "./safetensors.ts";

export interface TensorDescription {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** A description: facts of the kind first, then these for every document. */
export interface Description {
  readonly kind: Kind | "unknown";
  /** The regular file it lies in, or null. */
  readonly file: string | null;
  /** Size of the document. */
  readonly bytes: number;
  readonly tensors: readonly TensorDescription[];
  readonly digest?: string;
  readonly provenance?: readonly ProvenanceRecord[];
  readonly [fact: string]: unknown;
}

const splitNames = ["train", "val", "test"] as const;

/** Sizes of the stored splits, one object per split. Masks are counted. */
function splitSizes(doc: Document): Record<string, number>[] {
  const present = splitNames.filter((s) => doc.has(`split.${s}`));
  if (present.length === 0) return [];
  const first = doc.spec(`split.${present[0]}`);
  if (first.dtype === "I64") {
    return [Object.fromEntries(present.map((s) => [s, doc.spec(`split.${s}`).shape[0]!]))];
  }
  const [count, n] = first.shape as [number, number];
  const ones = (s: string, r: number) =>
    findOutside(doc.tensor(`split.${s}`, "BOOL").slice(r * n, n), 0, 0).count;
  return Array.from({ length: count }, (_, r) => Object.fromEntries(present.map((s) => [s, ones(s, r)])));
}

function featureFacts(doc: Document): Record<string, unknown> {
  if (doc.has("feat")) return { feature_storage: "dense", feature_dtype: doc.spec("feat").dtype };
  if (!doc.has("feat.indptr")) return {};
  return {
    feature_storage: "csr",
    feature_dtype: doc.has("feat.values") ? doc.spec("feat.values").dtype : null,
    feature_nnz: doc.spec("feat.indices").shape[0]!,
  };
}

function graphFacts(doc: Document): Record<string, unknown> {
  const meta = doc.meta;
  return {
    name: meta["name"],
    nodes: meta["num_nodes"],
    edges: meta["num_edges"],
    directed: meta["directed"],
    self_loops: meta["self_loops"],
    weighted: doc.has("edge_weight"),
    row_order: meta["row_order"],
    features: meta["num_features"],
    ...featureFacts(doc),
    classes: meta["num_classes"],
    multi_label: meta["multi_label"] ?? false,
    splits: splitSizes(doc),
    graphs: doc.has("graph_ptr") ? doc.spec("graph_ptr").shape[0]! - 1 : undefined,
    node_types: meta["node_types"],
    node_counts: meta["node_counts"],
    relations: meta["relations"],
  };
}

function partitionFacts({ meta }: Document): Record<string, unknown> {
  const { method, num_nodes: nodes, k: parts, cut, balance, halo, label_entropy, graph } = meta;
  return { method, nodes, parts, cut, balance, halo, label_entropy: label_entropy ?? null, graph };
}

function sampleFacts(doc: Document): Record<string, unknown> {
  const { method, num_nodes: nodes, num_batches: batches, epochs, hops, params, chunk, graph } = doc.meta;
  const blocks = Array.from(
    { length: Math.max(hops as number, 1) },
    (_, h) => doc.spec(`block${h}.indices`).shape[0]!,
  );
  return {
    method,
    nodes,
    batches,
    epochs,
    hops,
    batch_nodes: doc.spec("nodes").shape[0],
    batch_edges: blocks.reduce((a, b) => a + b, 0),
    params,
    chunk,
    graph,
  };
}

function cacheFacts(doc: Document): Record<string, unknown> {
  const { layout, num_nodes: nodes, num_features: features, hops, norm, model_use, graph, sample } = doc.meta;
  const rows = doc.has("feat") ? doc.spec("feat").shape[0] : doc.spec("feat.indptr").shape[0]! - 1;
  return { layout, nodes, features, ...featureFacts(doc), rows, hops, norm, model_use, graph, sample };
}

function modelFacts(doc: Document): Record<string, unknown> {
  const { model, config, best, graph } = doc.meta;
  const signature = doc.meta["signature"] as { num_features: number; num_classes: number };
  const under = (prefix: string) =>
    doc.names.filter((name) => name.startsWith(prefix)).map((name) => countOf(doc.spec(name).shape)!);
  return {
    model,
    features: signature.num_features,
    classes: signature.num_classes,
    parameters: under("param/").reduce((a, b) => a + b, 0),
    has_best: under("best/").length > 0,
    has_optimizer: under("optimizer/").length > 0,
    best,
    splits: splitSizes(doc),
    signature,
    config,
    graph,
  };
}

const factsByKind: Record<Kind, (doc: Document) => Record<string, unknown>> = {
  graph: graphFacts,
  partition: partitionFacts,
  sample: sampleFacts,
  cache: cacheFacts,
  model: modelFacts,
  embedding: (doc) => ({
    model: doc.meta["model"],
    nodes: doc.spec("node_ids").shape[0],
    width: doc.spec("vectors").shape[1],
  }),
  prediction: (doc) => ({
    model: doc.meta["model"],
    nodes: doc.spec("node_ids").shape[0],
    classes: doc.meta["num_classes"],
  }),
  ref: (doc) => ({ ...doc.meta }),
};

const plain = ({ name, dtype, shape }: TensorSpec | TensorDescription): TensorDescription => ({
  name,
  dtype,
  shape,
});

/** Describe an opened document. */
export function describe(doc: Document): Description {
  return {
    kind: doc.kind,
    ...factsByKind[doc.kind](doc),
    digest: doc.digest,
    provenance: doc.provenance,
    file: doc.path,
    bytes: doc.mapping?.sizeBytes ?? doc.stored.reduce((sum, { array }) => sum + array().sizeBytes, 0),
    tensors: doc.names.map((name) => plain(doc.spec(name))),
  };
}

/** Describe a safetensors document that gust did not write. */
export function describeForeign({ header, mapping, path }: Container): Description {
  return {
    kind: "unknown",
    metadata: header.metadata,
    file: path,
    bytes: mapping.sizeBytes,
    tensors: header.tensors.map(plain),
  };
}

/**
 * Counts that need a pass over the topology of a graph document: O(edges * log degree).
 * `symmetric` is null where rows are not sorted by index.
 */
export function topologyStats(doc: Document): Record<string, number | boolean | null> | null {
  if (doc.kind !== "graph" || !doc.has("indices")) return null;
  const indptr = doc.tensor("indptr", "I64");
  const indices = doc.tensor("indices", "I32", "I64") as NativeArray<"I32">;
  const { selfLoops, duplicateEdges, emptyRows, minDegree, maxDegree } = graphStats(indptr, indices);
  const n = indptr.length - 1;
  return {
    self_loops: selfLoops,
    duplicate_edges: duplicateEdges,
    nodes_without_edges: emptyRows,
    min_degree: minDegree,
    mean_degree: n === 0 ? 0 : indices.length / n,
    max_degree: maxDegree,
    symmetric: findRowDescent(indptr, indices, false).count > 0
      ? null
      : findAsymmetric(indptr, indices).count === 0,
  };
}
