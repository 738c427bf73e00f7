/**
 * From what a reader found to a graph document: arcs turned to row = destination, duplicates merged, and the changes
 * that the user asked for, each one counted. Nothing is symmetrised, removed or renumbered that was not asked for.
 */
import type { NativeArray } from "../../ffi/native.ts";
import {
  componentRows,
  components,
  countIsolated,
  type EdgeList,
  findAsymmetry,
} from "../../ffi/native_build.ts";
import { countSelfLoops } from "../../ffi/native_csr.ts";
import { convert } from "../../ffi/native_source.ts";
import { GustError } from "../errors.ts";
import type { NewTensor } from "../format/document.ts";
import type { RawGraph } from "../readers/reader.ts";
import { type Arcs, arcTensors, buildArcs, hasColumns, keepColumns } from "./build_columns.ts";
import { buildTyped } from "./build_typed.ts";
import { type Csr, nnz } from "./csr.ts";
import type { GraphMeta } from "./graph.ts";
import { checkLargestId } from "./node_count.ts";
import { graphTensors, keepNodes, type NodeData, nodeTensors } from "./node_data.ts";

/** The changes to make. */
export interface BuildRequest {
  /** Call the graph directed even if every arc has its reverse. */
  readonly directed?: boolean;
  readonly symmetrize?: boolean;
  readonly removeSelfLoops?: boolean;
  readonly selfLoops?: boolean;
  readonly largestComponent?: boolean;
  readonly relabel?: boolean;
  /** 64-bit indices even where 32 would do (tests). */
  readonly wide?: boolean;
}

/** What the file held and what was changed. */
export interface BuildReport {
  /** Arcs listed in the file. */
  readonly arcsRead: number;
  readonly duplicatesMerged: number;
  readonly selfLoopsRemoved: number;
  readonly selfLoopsAdded: number;
  /** Reverse arcs added, by --symmetrize or because the format lists each undirected edge once. */
  readonly arcsAdded: number;
  /** Entries whose two directions had different weights: the larger was taken. */
  readonly weightConflicts: number;
  /** Weakly connected components; null where they were not looked at. */
  readonly components: number | null;
  readonly nodesDropped: number;
  readonly arcsDropped: number;
  /** Ids renumbered by --relabel; null without it. */
  readonly relabelled: number | null;
  readonly isolated: number;
  readonly selfLoops: number;
}

export interface BuiltGraph {
  readonly meta: GraphMeta & { readonly self_loops: number };
  readonly tensors: NewTensor[];
  readonly report: BuildReport;
}

function checkRequest(r: BuildRequest): void {
  const contradict = (a: string, b: string) => {
    throw new GustError("usage", `${a} and ${b} contradict each other`);
  };
  if (r.directed && r.symmetrize) contradict("--directed", "--symmetrize");
  if (r.removeSelfLoops && r.selfLoops) contradict("--remove-self-loops", "--self-loops");
}

/** Refuse changes that would break what belongs together. */
function checkFits(raw: RawGraph, r: BuildRequest): void {
  const refuse = (option: string, why: string) => {
    throw new GustError("usage", `${option} does not apply: ${why}`);
  };
  if (r.largestComponent) {
    if (raw.graphs) refuse("--largest-component", "a data set of many graphs has a component per graph");
    if (raw.links) refuse("--largest-component", "the stored links would lose their nodes");
    if (raw.extra?.length) {
      refuse("--largest-component", "the input has tables of its own that count all nodes");
    }
  }
  if (r.selfLoops && hasColumns(raw.edgeColumns)) {
    refuse("--self-loops", "edges have times, types or features, and a new self-loop would have none");
  }
  if (r.symmetrize && raw.edgeColumns?.time && !raw.isUndirected) {
    refuse("--symmetrize", "edges have times, and the reverse of an event is another event");
  }
}

function numNodesOf(edges: EdgeList, raw: RawGraph, label: string): number {
  if (raw.numNodes !== null) return raw.numNodes;
  const hint = "--relabel numbers the ids that occur; --num-nodes N says that there are that many";
  checkLargestId(label, edges.maxId, edges.count, "node id", hint);
  return edges.maxId + 1;
}

/** Ids that occur become 0, 1, 2, ...; null if they are that already, or if the format says how many nodes there are. */
function relabel(edges: EdgeList, raw: RawGraph): NativeArray<"I64"> | null {
  if (raw.numNodes !== null) return null;
  const ids = edges.relabel();
  return ids.length === 0 || ids.at(ids.length - 1) === ids.length - 1 ? null : ids;
}

/** "vertex 7", or "node 2 of graph 3", as the file counts them; the second of two in a sentence is the number alone. */
function naming(raw: RawGraph, base: number): (v: number) => readonly [long: string, short: number] {
  const ptr = raw.graphs?.ptr;
  if (!ptr) return (v) => [`vertex ${v + base}`, v + base];
  return (v) => {
    let low = 0, high = ptr.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (ptr.at(middle) <= v) low = middle;
      else high = middle;
    }
    const inside = v - ptr.at(low) + base;
    return [`node ${inside} of graph ${low}`, inside];
  };
}

/** Node `col` lists `row`, but not the other way round: name both as the file does. */
function checkSymmetric(csr: Csr, raw: RawGraph, label: string): void {
  const found = findAsymmetry(csr);
  if (!found) return;
  const name = naming(raw, raw.symmetricFrom!), [from, a] = name(found.col), [to, b] = name(found.row);
  throw new GustError(
    "data",
    found.byValue
      ? `${label}: the edge between ${
        from.replace("vertex", "vertices")
      } and ${b} has two different weights in their lists`
      : `${label}: ${from} lists ${b}, but ${to} does not list ${a}`,
    "--symmetrize adds the missing direction; --directed takes the lists as arcs",
  );
}

/** Whether every arc has its reverse, with the same weight or the same type. */
function isSymmetric(raw: RawGraph, { csr, columns }: Arcs, mirrors: boolean | undefined): boolean {
  if (raw.isUndirected || raw.symmetricFrom !== undefined) return true;
  if (!columns) return mirrors === true || findAsymmetry(csr) === null;
  // Rows in the order of time have no order to look a reverse up by: such arcs are events.
  if (raw.rowOrder === "time") return false;
  const values = columns.type ? convert(columns.type, "F64") as NativeArray<"F64"> : csr.values;
  return findAsymmetry({ ...csr, values }) === null;
}

/**
 * Build the document's tensors and metadata.
 *
 * @param raw    its edges are used up.
 * @param label  of the input, for messages.
 * @throws {GustError} (usage) for contradictory changes, (data) for an asymmetric METIS file or absurd ids.
 * Cost: O(arcs log(longest row)) time; two copies of the edges, then one and the result. Same bits for any threads.
 */
export function buildGraph(raw: RawGraph, request: BuildRequest, label: string): BuiltGraph {
  checkRequest(request);
  if (raw.typed) return buildTyped({ ...raw, typed: raw.typed }, request);
  checkFits(raw, request);
  const { edges } = raw;
  if (!edges) throw new Error("a graph without edges and types");
  let nodes: NodeData = { ...raw, numNodes: 0, nodeIds: raw.nodeIds ?? null };
  const arcsRead = edges.count;
  if (request.relabel) nodes.nodeIds = relabel(edges, raw) ?? nodes.nodeIds;
  nodes.numNodes = request.relabel && raw.numNodes === null ? edges.maxId + 1 : numNodesOf(edges, raw, label);

  const rowOrder = raw.rowOrder ?? "index";
  const built = buildArcs(edges, nodes.numNodes, nodes.numNodes, raw.edgeColumns, {
    mirror: raw.isUndirected,
    symmetrize: request.symmetrize,
    removeSelfLoops: request.removeSelfLoops,
    selfLoops: request.selfLoops,
    weighted: raw.isWeighted,
    wide: request.wide,
    rowOrder,
  });
  let { csr, selfLoops, columns } = built;
  const mirrors = request.symmetrize || raw.isUndirected;
  if (raw.symmetricFrom !== undefined && !mirrors) checkSymmetric(csr, raw, label);

  let found: ReturnType<typeof components> | null = null;
  const before = { nodes: nodes.numNodes, arcs: nnz(csr) };
  if (request.largestComponent) {
    found = components(csr);
    if (found.count > 1) {
      const { rows, map } = componentRows(found.labels, found.largest, found.largestSize);
      columns = keepColumns(csr, columns, rows);
      ({ csr, nodes } = keepNodes(csr, nodes, rows, map));
      selfLoops = countSelfLoops(csr);
    }
  }
  const { numNodes, features, labels, classNames, graphs } = nodes;
  const numClasses = labels?.numClasses ?? graphs?.numClasses ?? 0;
  return {
    meta: {
      num_nodes: numNodes,
      num_edges: nnz(csr),
      directed: request.directed === true || !isSymmetric(raw, { csr, columns }, mirrors),
      num_features: features?.numFeatures ?? 0,
      num_classes: numClasses,
      row_order: rowOrder,
      ...(labels?.kind === "multi" ? { multi_label: true } : {}),
      ...(classNames && numClasses ? { class_names: classNames } : {}),
      self_loops: selfLoops,
      ...(raw.edgeTypeNames ? { edge_types: raw.edgeTypeNames } : {}),
      ...raw.meta,
    },
    tensors: [
      ...arcTensors("", { csr, columns }, request.wide),
      ...nodeTensors(nodes),
      ...graphTensors(nodes),
    ],
    report: {
      arcsRead,
      duplicatesMerged: built.duplicates,
      selfLoopsRemoved: built.selfLoopsRemoved,
      selfLoopsAdded: built.selfLoopsAdded,
      arcsAdded: built.arcsAdded,
      weightConflicts: built.weightConflicts / 2,
      components: found?.count ?? null,
      nodesDropped: before.nodes - numNodes,
      arcsDropped: before.arcs - nnz(csr),
      relabelled: request.relabel ? nodes.nodeIds === null ? 0 : before.nodes : null,
      isolated: countIsolated(csr),
      selfLoops,
    },
  };
}

const plural = (count: number, what: string) =>
  `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;

/** Every change as a line for a person, in the order in which they were made. */
export function describeChanges(report: BuildReport, wasUndirected: boolean): string[] {
  const lines: string[] = [];
  const say = (count: number | null, text: (n: string) => string, what = "arc") => {
    if (count) lines.push(text(plural(count, what)));
  };
  if (report.relabelled !== null) {
    lines.push(
      report.relabelled
        ? `renumbered ${plural(report.relabelled, "node")} (original ids kept in node_ids)`
        : "ids are 0 to n-1 already: nothing renumbered",
    );
  }
  say(report.selfLoopsRemoved, (n) => `removed ${n}`, "self-loop");
  say(report.duplicatesMerged, (n) => `merged ${n}`, "duplicate arc");
  say(
    report.arcsAdded,
    (n) =>
      `added ${n} ${wasUndirected ? "for the reverse direction of undirected edges" : "by symmetrising"}`,
  );
  say(report.weightConflicts, (n) => `took the larger weight for ${n} with two different weights`, "edge");
  say(report.selfLoopsAdded, (n) => `added ${n} of weight 1`, "self-loop");
  if (report.components !== null) {
    lines.push(
      report.nodesDropped
        ? `kept the largest of ${plural(report.components, "component")}: dropped ${
          plural(report.nodesDropped, "node")
        } and ${plural(report.arcsDropped, "arc")} (original ids kept in node_ids)`
        : `the graph has one component: nothing dropped`,
    );
  }
  return lines;
}
