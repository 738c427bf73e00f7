/** What `gust inspect` counts in the arrays of a graph document: exact, in a few passes over memory. */
import type { DType } from "../../ffi/dtype.ts";
import type { NativeArray } from "../../ffi/native.ts";
import {
  countClasses,
  countZeros,
  histogram,
  labelledArcs,
  lengthDistribution,
  type Numbers,
  rangeOf,
} from "../../ffi/native_statistics.ts";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import { type Homophily, homophily } from "./homophily.ts";
import { type LabelCounts, labelCounts } from "./labels.ts";
import {
  type Arcs,
  arcsOf,
  type ArcStatistics,
  arcStatistics,
  type Bin,
  type ComponentStatistics,
  componentStatistics,
  reciprocity,
  type Relation,
  relationsOf,
  type Spread,
  spreadOf,
  typeRanges,
} from "./topology.ts";

/** Bins of a histogram of times. */
const TIME_BINS = 12;
/** More types than this are not counted one by one. */
const MOST_TYPES = 2 ** 20;

/** Least and greatest time, and how many fall into equal spans between them. */
export interface TimeStatistics {
  readonly least: number;
  readonly greatest: number;
  readonly bins: readonly Bin[];
}

export interface RelationStatistics extends Relation, ArcStatistics {
  readonly arcs: number;
  readonly homophily: Homophily | null;
  readonly times: TimeStatistics | null;
}

/** All of a graph; a homogeneous graph has the facts of its arcs, a typed one those of its relations. */
export interface GraphStatistics extends Partial<ArcStatistics> {
  readonly nodes_without_edges?: number;
  readonly min_degree?: number;
  readonly mean_degree?: number;
  readonly max_degree?: number;
  /** Whether every arc's reverse is stored; null where rows are sorted by time. */
  readonly symmetric?: boolean | null;
  readonly reciprocity?: number | null;
  readonly components: ComponentStatistics;
  readonly isolated_nodes: number;
  readonly homophily?: Homophily | null;
  readonly labels: LabelCounts | null;
  /** Share of the feature cells that are not 0. */
  readonly feature_density: number | null;
  readonly edge_times: TimeStatistics | null;
  readonly node_times: TimeStatistics | null;
  readonly edge_type_counts: readonly { readonly name: string; readonly count: number }[] | null;
  /** Nodes of each graph of a data set of many. */
  readonly graph_sizes: Spread | null;
  readonly graph_labels: LabelCounts | null;
  readonly relation_statistics?: readonly RelationStatistics[];
  readonly node_type_counts?: readonly { readonly name: string; readonly count: number }[];
  /** By node type. */
  readonly type_labels?: Readonly<Record<string, LabelCounts>>;
}

/** Elements that the counting reads: nodes, arcs, feature cells. A few nanoseconds each. */
export function statisticsCost(doc: Document): number {
  if (doc.kind !== "graph") return 0;
  const cells = doc.has("feat") ? doc.spec("feat").shape.reduce((a, b) => a * b, 1) : 0;
  return (doc.meta["num_nodes"] as number) + (doc.meta["num_edges"] as number) + cells / 16;
}

function times(doc: Document, name: string): TimeStatistics | null {
  if (!doc.has(name)) return null;
  const values = doc.tensor(name, "I64", "F64") as Numbers;
  const range = rangeOf(values);
  if (!range || !Number.isFinite(range.greatest - range.least)) return null;
  const { least, greatest } = range;
  const count = greatest > least ? TIME_BINS : 1;
  const width = (greatest - least) / count;
  const bins = histogram(values, least, greatest, count).map((n, b) => ({
    from: least + b * width,
    to: b === count - 1 ? greatest : least + (b + 1) * width,
    count: n,
  }));
  return { ...range, bins };
}

function edgeTypes(doc: Document): GraphStatistics["edge_type_counts"] {
  if (!doc.has("edge_type")) return null;
  const types = doc.tensor("edge_type", "I32");
  const names = doc.meta["edge_types"] as string[] | undefined;
  const most = names?.length ?? (rangeOf(types)?.greatest ?? -1) + 1;
  if (most > MOST_TYPES) {
    throw new GustError(
      "data",
      `${doc.label}: tensor "edge_type" holds ${most - 1}, expected numbers of types`,
    );
  }
  return countClasses(types, Math.max(0, most)).counts.map((count, t) => ({
    name: names?.[t] ?? String(t),
    count,
  }));
}

function featureDensity(doc: Document): number | null {
  if (doc.has("feat")) {
    const feat = doc.tensor("feat") as NativeArray<DType>;
    return feat.length === 0 ? null : 1 - countZeros(feat) / feat.length;
  }
  if (!doc.has("feat.indptr")) return null;
  const cells = (doc.meta["num_nodes"] as number) * (doc.meta["num_features"] as number);
  return cells === 0 ? null : doc.spec("feat.indices").shape[0]! / cells;
}

function homophilyOf(
  doc: Document,
  arcs: Arcs,
  tensor: string,
  counts: LabelCounts | null,
): Homophily | null {
  if (!counts || counts.unlabelled === null) return null;
  const sizes = counts.classes.map(({ count }) => count);
  return homophily(labelledArcs(arcs.indptr, arcs.indices, doc.tensor(tensor, "I32"), sizes.length), sizes);
}

function homogeneous(doc: Document, labels: LabelCounts | null, trust: boolean) {
  const arcs = arcsOf(doc, null);
  const counted = arcStatistics(arcs, true);
  const isPromised = trust && doc.meta["directed"] === false;
  const shared = isPromised ? 1 : reciprocity(arcs);
  const { least, mean, greatest, bins } = counted.degrees.in;
  return {
    ...counted,
    nodes_without_edges: bins.find(({ to }) => to === 0)?.count ?? 0,
    min_degree: least,
    mean_degree: mean,
    max_degree: greatest,
    symmetric: arcs.indices.length === 0 ? true : shared === null ? null : shared === 1,
    reciprocity: shared,
    homophily: homophilyOf(doc, arcs, "label", labels),
    ...componentStatistics(doc.meta["num_nodes"] as number, [arcs]),
  };
}

function typed(doc: Document, relations: readonly Relation[]) {
  const all = relations.map((relation) => arcsOf(doc, relation));
  const labels = Object.fromEntries(
    [...typeRanges(doc).keys()].flatMap((type) => {
      const counts = labelCounts(doc, `label/${type}`, null);
      return counts ? [[type, counts]] : [];
    }),
  );
  return {
    relation_statistics: relations.map(({ name, src, dst }, i): RelationStatistics => ({
      name,
      src,
      dst,
      arcs: all[i]!.indices.length,
      ...arcStatistics(all[i]!, src === dst),
      homophily: src === dst ? homophilyOf(doc, all[i]!, `label/${src}`, labels[src] ?? null) : null,
      times: times(doc, `rel/${name}/edge_time`),
    })),
    node_type_counts: [...typeRanges(doc)].map(([name, { count }]) => ({ name, count })),
    type_labels: labels,
    ...componentStatistics(doc.meta["num_nodes"] as number, all),
  };
}

/**
 * Count what needs passes over the arrays of a graph document; null for other documents.
 * Cost: O(nodes + edges log degree + features); memory 16 bytes per node.
 *
 * @param trust  take an undirected graph's word that every arc's reverse is stored: most of the cost is looking for it.
 * @throws {NativeError} or {GustError} (data) for arrays that break the schema: `gust inspect --check` says which.
 */
export function graphStatistics(doc: Document, trust = false): GraphStatistics | null {
  if (doc.kind !== "graph") return null;
  const relations = relationsOf(doc);
  const labels = labelCounts(doc, "label", "split");
  const graphs = doc.has("graph_ptr") ? doc.tensor("graph_ptr", "I64") : null;
  const nodes = doc.meta["num_nodes"] as number;
  return {
    ...(relations ? typed(doc, relations) : homogeneous(doc, labels, trust)),
    labels,
    feature_density: featureDensity(doc),
    edge_times: times(doc, "edge_time"),
    node_times: times(doc, "node_time"),
    edge_type_counts: edgeTypes(doc),
    graph_sizes: graphs && spreadOf(lengthDistribution(graphs, nodes), nodes, graphs.length - 1),
    graph_labels: labelCounts(doc, "graph_label", "fold"),
  };
}
