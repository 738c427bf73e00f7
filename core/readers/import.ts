/** Reading a foreign file and building the graph document it stands for. */
import { NativeError } from "../../ffi/native.ts";
import { Source } from "../../ffi/native_source.ts";
import { GustError } from "../errors.ts";
import {
  buildGraph,
  type BuildReport,
  type BuildRequest,
  type BuiltGraph,
  describeChanges,
} from "../graph/build.ts";
import type { Reader, ReadOptions } from "./reader.ts";

/** Open a file, or standard input for null. @throws {GustError} (io, data) naming it. */
export function openSource(path: string | null): Source {
  const label = path === null ? "standard input" : `"${path}"`;
  try {
    return Source.open(path);
  } catch (error) {
    if (!(error instanceof NativeError)) throw error;
    throw new GustError(error.code === "data" ? "data" : "io", `Cannot read ${label}: ${error.message}`);
  }
}

export interface Imported extends BuiltGraph {
  /** Lines for a person: what was found out or left out on reading. */
  readonly notes: readonly string[];
  /** What was changed, a line each. */
  readonly changes: readonly string[];
  /** What was found out and matters to the result: for the provenance. */
  readonly found: Readonly<Record<string, unknown>>;
}

/**
 * Read a source by a reader and build the graph.
 *
 * @param params  the reader's own options.
 * @throws {GustError} (data) naming the place in the input, (usage) for options that do not fit it.
 */
export function importGraph(
  source: Source,
  reader: Reader,
  options: ReadOptions & BuildRequest,
  params: Record<string, unknown> = {},
): Imported {
  if (options.relabel && options.numNodes !== undefined) {
    throw new GustError(
      "usage",
      "--relabel and --num-nodes contradict each other: the ids that occur are the nodes",
    );
  }
  const raw = reader.read(source, options, params);
  if (options.numNodes !== undefined && raw.numNodes !== options.numNodes) {
    throw new GustError(
      "data",
      `${source.label} has ${raw.numNodes} nodes, but --num-nodes says ${options.numNodes}`,
    );
  }
  const built = buildGraph(raw, options, source.label);
  const { edges } = raw;
  const left = [[edges.comments, "comment"], [edges.blanks, "blank"]] as const;
  const lines = left.filter(([count]) => count > 0).map(([count, what]) =>
    `left out ${count} ${what} line${count === 1 ? "" : "s"}`
  );
  return {
    ...built,
    notes: [...raw.notes, ...lines],
    changes: describeChanges(built.report, raw.isUndirected),
    found: raw.found ?? {},
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
