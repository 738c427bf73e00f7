/** The links of a graph: its arcs train, link.val and link.test are held out. */
import { NativeArray } from "../../ffi/native.ts";
import { type LinkGraph, listLinks, nodeOrder, type OtherLinks, type Pairs } from "../../ffi/native_links.ts";
import { shuffle } from "../../ffi/native_sample.ts";
import { checkInside } from "../graph/arcs.ts";
import { type Graph, splitNames } from "../graph/graph.ts";
import { iota } from "../sampling/sampler.ts";

/** The arcs of a graph as links; those of type numbers that `edge_type` stores. */
export function linkGraphOf(graph: Graph): LinkGraph {
  const { csr, document, meta } = graph;
  return {
    csr,
    types: document.has("edge_type") ? document.tensor("edge_type", "I32") : null,
    ids: graph.nodeIds(),
    undirected: !meta.directed,
    ascending: meta.row_order === "index",
  };
}

/** How many types the links of a graph have, or null: it stores none. */
export function numLinkTypes({ document, meta }: Graph): number | null {
  if (!document.has("edge_type")) return null;
  if (meta.edge_types) return meta.edge_types.length;
  const names = ["edge_type", ...splitNames.map((s) => `link_type.${s}`)].filter((name) =>
    document.has(name)
  );
  let largest = -1;
  for (const name of names) {
    const types = document.tensor(name, "I32");
    for (let at = 0; at < types.length;) {
      const window = types.window(at);
      for (const type of window) largest = Math.max(largest, type);
      at += window.length;
    }
  }
  return largest + 1;
}

/** Held-out links as they are stored: I64 [m, 2] and types; null where there are none. */
function stored({ document }: Graph, name: "val" | "test"): OtherLinks | null {
  if (!document.has(`link.${name}`)) return null;
  const type = `link_type.${name}`;
  return {
    pairs: document.tensor(`link.${name}`, "I64"),
    types: document.has(type) ? document.tensor(type, "I32") : null,
  };
}

/** Both ends of held-out links; links without types are of type 0 where arcs have types. */
export function heldOut(graph: Graph, name: "val" | "test"): Pairs | null {
  const links = stored(graph, name);
  if (!links) return null;
  const m = links.pairs.length / 2;
  const source = NativeArray.allocate("I64", m, false), target = NativeArray.allocate("I64", m, false);
  for (let at = 0; at < m;) {
    const to = source.window(at), other = target.window(at);
    const count = Math.min(to.length, 2 ** 26), from = links.pairs.window(2 * at, 2 * count);
    for (let i = 0; i < count; i++) {
      to[i] = from[2 * i]!;
      other[i] = from[2 * i + 1]!;
    }
    at += count;
  }
  const isTyped = graph.document.has("edge_type");
  return { source, target, type: isTyped ? links.types ?? NativeArray.allocate("I32", m) : null };
}

/** All held-out links together: with the arcs, everything that is known to be a link. */
export function knownBesides(graph: Graph): OtherLinks | null {
  const parts = (["val", "test"] as const).flatMap((name) => stored(graph, name) ?? []);
  if (parts.length === 0) return null;
  const typesOf = ({ pairs, types }: OtherLinks) => types ?? NativeArray.allocate("I32", pairs.length / 2);
  return {
    pairs: NativeArray.concat("I64", parts.map(({ pairs }) => pairs)),
    types: graph.document.has("edge_type") ? NativeArray.concat("I32", parts.map(typesOf)) : null,
  };
}

/** Refuse link ends and types that lead outside of arrays. @throws {GustError} (data) */
export function checkLinks(graph: Graph): void {
  const { document } = graph, types = numLinkTypes(graph);
  if (types !== null) checkInside(document, "edge_type", 0, types - 1);
  for (const name of splitNames) {
    if (document.has(`link.${name}`)) checkInside(document, `link.${name}`, 0, graph.numNodes - 1);
    const type = `link_type.${name}`;
    if (types !== null && document.has(type)) checkInside(document, type, 0, types - 1);
  }
}

/** The links that a graph trains on, in an order that is drawn anew for every epoch. */
export class TrainingLinks {
  readonly graph: LinkGraph;
  readonly pairs: Pairs & { readonly key: NativeArray<"I64"> };
  /** The nodes by original id. */
  readonly order: NativeArray<"I64"> | null;

  constructor(graph: Graph) {
    this.graph = linkGraphOf(graph);
    this.pairs = listLinks(this.graph);
    this.order = nodeOrder(this.graph);
  }

  get count(): number {
    return this.pairs.key.length;
  }

  /** Link numbers in a random order of seed, epoch and original ids. */
  shuffled(seed: number, epoch: number): NativeArray<"I64"> {
    const items = iota(this.count);
    shuffle(items, this.count, this.pairs.key, { seed, epoch, stream: "link.order" });
    return items;
  }
}
