/** Reading a foreign file and building the graph document it stands for. */
import { NativeArray, NativeError } from "../../ffi/native.ts";
import { hashOf } from "../../ffi/native_files.ts";
import { GustError } from "../errors.ts";
import {
  buildGraph,
  type BuildReport,
  type BuildRequest,
  type BuiltGraph,
  describeChanges,
} from "../graph/build.ts";
import { mostClasses } from "../format/schema.ts";
import type { GraphMeta } from "../graph/graph.ts";
import { asHomogeneous } from "../graph/homogeneous.ts";
import { isSparse } from "../graph/node_count.ts";
import type { InputFile, InputSet } from "./input.ts";
import { MemoryBound } from "./memory.ts";
import type { RawGraph, Reader, ReadOptions } from "./reader.ts";

export interface Imported extends BuiltGraph {
  /** Lines for a person: what was found out or left out on reading. */
  readonly notes: readonly string[];
  /** What was changed, a line each. */
  readonly changes: readonly string[];
  /** What was found out and matters to the result: for the provenance. */
  readonly found: Readonly<Record<string, unknown>>;
  /** The files that were read, sorted by name. */
  readonly files: readonly InputFile[];
}

/** What was said about the input, and what to make of it. */
export interface ImportRequest extends Omit<ReadOptions, "heldBytes">, BuildRequest {
  /** Bytes that the process may take (memory.ts). */
  readonly memory?: number;
  /** Make one type of the nodes of a typed graph. */
  readonly homogeneous?: boolean;
}

/**
 * Read an input by a reader and build the graph.
 *
 * @param params  the reader's own options.
 * @throws {GustError} (data) naming the place in the input, (usage) for options that do not fit it.
 */
export function importGraph(
  input: InputSet,
  reader: Reader,
  options: ImportRequest,
  params: Record<string, unknown> = {},
): Imported {
  if (options.relabel && options.numNodes !== undefined) {
    throw new GustError(
      "usage",
      "--relabel and --num-nodes contradict each other: the ids that occur are the nodes",
    );
  }
  if (options.memory !== undefined && !reader.isBounded) {
    throw new GustError("usage", `--memory does not apply to format "${reader.name}", only to lines of text`);
  }
  const bound = options.memory === undefined ? null : new MemoryBound(options.memory);
  input.forget();
  const raw = reader.read(input, { ...options, heldBytes: bound?.heldBytes }, params);
  if (options.numNodes !== undefined && raw.numNodes !== options.numNodes) {
    throw new GustError(
      "data",
      `${input.label} has ${raw.numNodes} nodes, but --num-nodes says ${options.numNodes}`,
    );
  }
  if (raw.numNodes !== null && options.numNodes === undefined) checkStated(raw, raw.numNodes, input);
  if (bound && !options.relabel) {
    const numNodes = raw.numNodes ?? raw.edges!.maxId + 1;
    raw.edges!.setHeldBytes(bound.forNodes(numNodes, options.largestComponent === true));
  }
  const graph = options.homogeneous ? asHomogeneous(raw, input.label) : raw;
  const built = buildNamed(graph, options, input.label);
  checkClasses(built.meta, input.label);
  const lists = [raw.edges, ...raw.typed?.relations.map(({ edges }) => edges) ?? []];
  const total = (of: "comments" | "blanks") => lists.reduce((sum, edges) => sum + (edges?.[of] ?? 0), 0);
  const left = [[total("comments"), "comment"], [total("blanks"), "blank"]] as const;
  const lines = left.filter(([count]) => count > 0).map(([count, what]) =>
    `left out ${count} ${what} line${count === 1 ? "" : "s"}`
  );
  return {
    ...built,
    notes: [...graph.notes, ...lines],
    changes: describeChanges(built.report, graph.isUndirected),
    found: raw.found ?? {},
    files: input.used,
  };
}

/** buildGraph() with the name of the input in front of what the library finds wrong with its edges. */
function buildNamed(graph: RawGraph, options: BuildRequest, label: string): BuiltGraph {
  try {
    return buildGraph(graph, options, label);
  } catch (error) {
    if (!(error instanceof NativeError) || error.code !== "data") throw error;
    throw new GustError("data", `${label}: ${error.message}`);
  }
}

/** @throws {GustError} (data) if labels are no numbers of classes: a graph of them would not be sound. */
function checkClasses({ num_classes: classes, num_nodes: nodes }: GraphMeta, label: string): void {
  const most = mostClasses(nodes);
  if (classes <= most) return;
  throw new GustError("data", `${label} has ${classes} classes of ${nodes} nodes, expected at most ${most}`);
}

/** @throws {GustError} (data) if a file states more nodes than it has bytes, and edges are few: no line tells of them. */
function checkStated(raw: RawGraph, numNodes: number, input: InputSet): void {
  const lists = raw.edges ? [raw.edges] : raw.typed?.relations.map(({ edges }) => edges) ?? [];
  if (!isSparse(numNodes, lists.reduce((sum, { count }) => sum + count, 0))) return;
  const bytes = input.used.reduce((sum, { source }) => sum + source.sizeBytes, 0);
  if (numNodes <= bytes) return;
  throw new GustError(
    "data",
    `${input.label} states ${numNodes} nodes, more than it has bytes (${bytes}), and few edges`,
    `--num-nodes ${numNodes} says that there are that many`,
  );
}

/**
 * What was read, for the provenance: the hash of the unpacked bytes of one file; of several, the hash of their names
 * and hashes in the order of the names. 32 hexadecimal digits.
 */
export function sourceDigest(files: readonly InputFile[]): string {
  const hex = (hash: Uint8Array) => Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const hashes = files.map(({ source }) => hex(hashOf(source.bytes())));
  if (hashes.length === 1) return hashes[0]!;
  const list = files.map(({ name }, i) => `${name}\0${hashes[i]}\n`).join("");
  return hex(hashOf(NativeArray.from<"U8">(new TextEncoder().encode(list))));
}

/** What can be asked for besides the reader's own options. */
export const importOptions = [
  "numNodes",
  "indexBase",
  "directed",
  "symmetrize",
  "removeSelfLoops",
  "selfLoops",
  "largestComponent",
  "relabel",
  "homogeneous",
] as const satisfies readonly (keyof ImportRequest)[];

/** For the provenance: what was asked for, what was found out, and what was read. */
export function importRecord(
  format: string,
  request: Readonly<Record<string, unknown>>,
  { found, files }: Imported,
): Record<string, unknown> {
  const asked = importOptions.filter((key) => request[key] !== undefined && request[key] !== false);
  return {
    format,
    ...Object.fromEntries(asked.map((key) => [key, request[key]])),
    ...found,
    source: sourceDigest(files),
  };
}

/** The report in the spelling of JSON results. */
export function reportJson(r: BuildReport): Record<string, number | null> {
  return {
    arcs_read: r.arcsRead,
    duplicates_merged: r.duplicatesMerged,
    self_loops_removed: r.selfLoopsRemoved,
    self_loops_added: r.selfLoopsAdded,
    arcs_added: r.arcsAdded,
    weight_conflicts: r.weightConflicts,
    components: r.components,
    nodes_dropped: r.nodesDropped,
    arcs_dropped: r.arcsDropped,
    nodes_relabelled: r.relabelled,
    isolated: r.isolated,
    self_loops: r.selfLoops,
  };
}
