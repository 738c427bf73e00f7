/** What `gust inspect` says of a document, as data. Reads headers, and of the data only split masks and pointers' ends. */
import { findOutside } from "../../ffi/native_checks.ts";
import type { PropagatedMeta } from "../cache/propagated.ts";
import type { OperatorsMeta } from "../approx/operators.ts";
import { tierFacts, tiersOf } from "../cache/tiered.ts";
import type { Container } from "../format/container.ts";
import type { Document, Kind, TensorSpec } from "../format/document.ts";
import type { ProvenanceRecord } from "../format/provenance.ts";
import { countOf } from "../format/safetensors.ts";
import { relationsOf } from "./topology.ts";

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

/** Pairs of nodes kept for link prediction, by split. */
function linkCounts(doc: Document): Record<string, number> | undefined {
  const present = splitNames.filter((s) => doc.has(`link.${s}`));
  return present.length
    ? Object.fromEntries(present.map((s) => [s, doc.spec(`link.${s}`).shape[0]!]))
    : undefined;
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
    parts: doc.has("part_ptr") ? doc.spec("part_ptr").shape[0]! - 1 : undefined,
    graphs: doc.has("graph_ptr") ? doc.spec("graph_ptr").shape[0]! - 1 : undefined,
    folds: doc.has("fold.train") ? doc.spec("fold.train").shape[0] : undefined,
    links: linkCounts(doc),
    edge_types: meta["edge_types"],
    node_types: meta["node_types"],
    node_counts: meta["node_counts"],
    relations: relationsOf(doc)?.map((relation) => ({
      ...relation,
      edges: doc.spec(`rel/${relation.name}/indices`).shape[0]!,
    })),
  };
}

/** Balances of a partition's meta, each under a name of its own. */
const balancesOf = (balances: unknown) =>
  Object.fromEntries(
    Object.entries((balances ?? {}) as Record<string, number>).map(([what, x]) => [`balance_of_${what}`, x]),
  );

function partitionFacts({ meta }: Document): Record<string, unknown> {
  if (meta["of"] === "edges") {
    const { of, method, num_nodes: nodes, num_edges: edges, k: parts, balance, balances, graph } = meta;
    const { replication_factor, mirrors, cut_nodes, part_edges, part_nodes } = meta;
    return {
      of,
      method,
      nodes,
      edges,
      parts,
      balance,
      ...balancesOf(balances),
      replication_factor,
      mirrors,
      cut_nodes,
      part_edges,
      part_nodes,
      graph,
    };
  }
  const { method, order, num_nodes: nodes, k: parts, label_entropy, graph } = meta;
  const { cut, cut_weight, balance, balances, halo, replication, block_density, part_edges } = meta;
  return {
    method,
    order,
    nodes,
    parts,
    cut,
    cut_weight,
    balance,
    ...balancesOf(balances),
    halo,
    replication,
    block_density,
    part_edges,
    label_entropy: label_entropy ?? null,
    modularity: meta["modularity"],
    graph,
  };
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
  if (doc.meta["layout"] === "operators") return operatorFacts(doc.meta as unknown as OperatorsMeta);
  const {
    layout,
    num_nodes: nodes,
    num_features: features,
    hops,
    norm,
    all_hops,
    alpha,
    scale_of,
    error,
    model_use,
    graph,
    sample,
  } = doc.meta;
  const lost = error as PropagatedMeta["error"];
  const tiers = tiersOf(doc);
  if (tiers) {
    const { uses, ...sizes } = tiers;
    const dtype = { feature_storage: "dense", feature_dtype: doc.spec("hot.feat").dtype };
    return {
      layout,
      nodes,
      features,
      ...dtype,
      tiers: uses,
      ...sizes,
      ...tierFacts(tiers),
      model_use,
      graph,
      sample,
    };
  }
  const rows = doc.has("feat") ? doc.spec("feat").shape[0] : doc.spec("feat.indptr").shape[0]! - 1;
  return {
    layout,
    nodes,
    features,
    ...featureFacts(doc),
    rows,
    hops,
    norm,
    all_hops,
    alpha,
    scale_of,
    largest_error: lost?.max,
    relative_rms_error: lost?.rms,
    model_use,
    graph,
    sample,
  };
}

/** A layer of sampled operators; `budget` is its part of the multiply-adds of all exact products. */
export interface LayerFacts {
  readonly layer: number;
  readonly width: number;
  readonly rows: number;
  readonly row_share: number;
  readonly entries: number;
  readonly entry_share: number;
  readonly budget: number;
  readonly overlap: readonly number[];
}

function operatorFacts(meta: OperatorsMeta): Record<string, unknown> {
  const { layout, approx, model, epoch, num_nodes: nodes, num_entries: entries, budget, graph } = meta;
  const all = meta.layers.reduce((sum, layer) => sum + (layer?.width ?? 0), 0) * entries;
  const part = (of: number, whole: number) => whole === 0 ? 0 : of / whole;
  const layers = meta.layers.flatMap((layer, l): LayerFacts[] => {
    if (!layer) return [];
    const { width, rows, entries: own, overlap } = layer;
    return [{
      layer: l,
      width,
      rows,
      row_share: part(rows, nodes),
      entries: own,
      entry_share: part(own, entries),
      budget: part(own * width, all),
      overlap,
    }];
  });
  return {
    layout,
    approx: approx.name,
    params: approx.params,
    model,
    epoch,
    nodes,
    entries,
    budget,
    layers,
    graph,
  };
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
