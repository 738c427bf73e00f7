/** Links of a graph in native memory: those to train on, pairs without a link, and filtered ranks. */
import type { Csr } from "../core/graph/csr.ts";
import { dtypes } from "./dtype.ts";
import { streamId } from "./engine.ts";
import { call, callOut, NativeArray } from "./native.ts";

/** Where a graph's arcs lie, with their types; the caller has checked them. */
export interface LinkGraph {
  readonly csr: Pick<Csr, "numRows" | "indptr" | "indices">;
  readonly types: NativeArray<"I32"> | null;
  /** Original ids, or null where they are the node numbers. */
  readonly ids: NativeArray<"I64"> | null;
  readonly undirected: boolean;
  /** Rows are ascending, not in the order of time. */
  readonly ascending: boolean;
}

/** Links, or rows of a link and its negatives. */
export interface Pairs {
  readonly source: NativeArray<"I64">;
  readonly target: NativeArray<"I64">;
  /** Where links have types. */
  readonly type: NativeArray<"I32"> | null;
}

/** Links besides the arcs: I64 [count, 2] and their types. */
export interface OtherLinks {
  readonly pairs: NativeArray<"I64">;
  readonly types: NativeArray<"I32"> | null;
}

const arrays = ({ csr }: LinkGraph) =>
  [csr.numRows, csr.indptr.address, csr.indices.address, dtypes[csr.indices.dtype].code] as const;

const known = (graph: LinkGraph, others: OtherLinks | null) =>
  [
    ...arrays(graph),
    graph.types?.address ?? 0,
    (graph.ascending ? 1 : 0) | (graph.undirected ? 2 : 0),
    others?.pairs.address ?? 0,
    others?.types?.address ?? 0,
    others ? others.pairs.length / 2 : 0,
  ] as const;

function needLength(what: string, array: NativeArray | null, length: number): void {
  if (array && array.length !== length) throw new RangeError(`${array.length} ${what}, expected ${length}`);
}

function needGraph({ csr, types, ids }: LinkGraph): void {
  needLength("rows", csr.indptr, csr.numRows + 1);
  needLength("types", types, csr.indices.length);
  needLength("ids", ids, csr.numRows);
}

/** Every link but self-loops, of an undirected graph once, with 40 bits of its original ids and type as its key. */
export function listLinks(graph: LinkGraph): Pairs & { readonly key: NativeArray<"I64"> } {
  needGraph(graph);
  const starts = NativeArray.allocate("I64", graph.csr.numRows + 1, false);
  const { types, ids } = graph, undirected = graph.undirected ? 1 : 0;
  const [count] = callOut(
    1,
    "gust_links_count",
    ...arrays(graph),
    ids?.address ?? 0,
    undirected,
    starts.address,
  ) as [number];
  const long = () => NativeArray.allocate("I64", count, false);
  const links = {
    source: long(),
    target: long(),
    type: types ? NativeArray.allocate("I32", count, false) : null,
    key: long(),
  };
  const { source, target, type, key } = links;
  const out = [starts.address, source.address, target.address, type?.address ?? 0, key.address] as const;
  call("gust_links_list", ...arrays(graph), types?.address ?? 0, ids?.address ?? 0, undirected, ...out);
  starts.free();
  return links;
}

/** The nodes by original id; null where that is their order already. */
export function nodeOrder({ csr: { numRows }, ids }: LinkGraph): NativeArray<"I64"> | null {
  if (!ids) return null;
  const order = NativeArray.allocate("I64", numRows, false);
  call("gust_links_order", numRows, ids.address, order.address);
  return order;
}

/** What decides which pairs are drawn. */
export interface NegativeDraw {
  /** Pairs per link. */
  readonly per: number;
  /** Target and source are drawn anew in turn; else both. */
  readonly oneEnd: boolean;
  readonly seed: number;
  readonly stream: string;
  readonly epoch: number;
}

/**
 * Fill `rows` with links, each followed by `per` pairs of different nodes that are no known link of its type.
 *
 * @param order  of nodeOrder().
 * @param chosen  which links; null: all.
 * @throws {NativeError} (data) if there is no such pair.
 */
export function drawRows(
  graph: LinkGraph,
  others: OtherLinks | null,
  order: NativeArray<"I64"> | null,
  links: Pairs,
  chosen: NativeArray<"I64"> | null,
  rows: Pairs,
  { per, oneEnd, seed, stream, epoch }: NegativeDraw,
): void {
  const count = chosen ? chosen.length : links.source.length;
  needGraph(graph);
  needLength("nodes in order", order, graph.csr.numRows);
  needLength("targets of links", links.target, links.source.length);
  needLength("types of links", links.type, links.source.length);
  needLength("sources", rows.source, count * (per + 1));
  needLength("targets", rows.target, count * (per + 1));
  needLength("types of pairs", rows.type, count * (per + 1));
  call(
    "gust_links_rows",
    ...known(graph, others),
    graph.ids?.address ?? 0,
    order?.address ?? 0,
    links.source.address,
    links.target.address,
    links.type?.address ?? 0,
    chosen?.address ?? 0,
    count,
    per,
    oneEnd ? 1 : 0,
    seed,
    streamId(stream),
    epoch,
    rows.source.address,
    rows.target.address,
    rows.type?.address ?? 0,
  );
}

/**
 * The place of each link among all nodes in the place of its target or source, known links left out.
 * @param scores  F32 (links, nodes).
 */
export function rankLinks(
  graph: LinkGraph,
  others: OtherLinks | null,
  links: Pairs,
  of: "source" | "target",
  scores: NativeArray<"F32">,
): Float64Array {
  const count = links.source.length;
  needGraph(graph);
  needLength("targets", links.target, count);
  needLength("types of links", links.type, count);
  needLength("scores", scores, count * graph.csr.numRows);
  const ranks = NativeArray.allocate("F64", count, false);
  call(
    "gust_links_ranks",
    ...known(graph, others),
    count,
    links.source.address,
    links.target.address,
    links.type?.address ?? 0,
    of === "target" ? 1 : 0,
    scores.address,
    ranks.address,
  );
  return ranks.read();
}
