/** What a reader of a foreign format is, and what it gives. */
import type { DType } from "../../ffi/dtype.ts";
import { type NativeArray, NativeError } from "../../ffi/native.ts";
import type { EdgeList } from "../../ffi/native_build.ts";
import type { Source } from "../../ffi/native_source.ts";
import { GustError } from "../errors.ts";
import type { NewTensor } from "../format/document.ts";
import type { Csr } from "../graph/csr.ts";
import type { SplitName } from "../graph/graph.ts";
import type { Entry } from "../registry.ts";
import type { InputSet } from "./input.ts";

/** What the user said about the input. */
export interface ReadOptions {
  /** What the file calls node 0; undefined: as the format says, else 0. */
  readonly indexBase?: 0 | 1;
  readonly numNodes?: number;
  /** Take arcs as they are listed, even where the format stands for undirected edges. */
  readonly directed?: boolean;
  /** Bytes that native buffers may hold before edges go to temporary files. @default {no bound} */
  readonly heldBytes?: number;
}

export type RawFeatures =
  | {
    readonly kind: "dense";
    readonly numFeatures: number;
    readonly array: NativeArray<"F32"> | NativeArray<"F16">;
  }
  | { readonly kind: "csr"; readonly numFeatures: number; readonly csr: Csr };

/** One class per node (-1 = none), or 0/1 per node and class (row-major). */
export type RawLabels =
  | { readonly kind: "single"; readonly numClasses: number; readonly array: NativeArray<"I32"> }
  | { readonly kind: "multi"; readonly numClasses: number; readonly array: NativeArray<"U8"> };

/** Masks (splits, n), row-major, or one ascending node list. */
export type RawSplit =
  | { readonly kind: "masks"; readonly count: number; readonly array: NativeArray<"BOOL"> }
  | { readonly kind: "list"; readonly nodes: BigInt64Array };

/** Columns of listed edges, in their order: finite, one row per edge. */
export interface EdgeColumns {
  readonly time?: NativeArray<"I64"> | NativeArray<"F64">;
  /** From 0. */
  readonly type?: NativeArray<"I32">;
  /** Row-major. */
  readonly feat?: { readonly columns: number; readonly array: NativeArray<"F32"> };
  /** What the file calls them, or their rows in tables of their own: becomes edge_ids. */
  readonly id?: NativeArray<"I64">;
}

/** Real numbers to predict, row-major. */
export interface RawTarget {
  readonly columns: number;
  readonly array: NativeArray<"F32"> | NativeArray<"F64">;
}

/** A data set of many graphs, joined without arcs between them: the nodes of a graph are consecutive. */
export interface RawGraphs {
  /** (graphs + 1) */
  readonly ptr: NativeArray<"I64">;
  /** A class per graph, -1 = none. */
  readonly label?: NativeArray<"I32">;
  readonly numClasses?: number;
  readonly target?: RawTarget;
  /** (graphs, 3, 3) row-major: the vectors that a periodic cell repeats along. */
  readonly cell?: NativeArray<"F32"> | NativeArray<"F64">;
  /** (count, graphs) row-major. */
  readonly folds?: Partial<
    Record<SplitName, { readonly count: number; readonly array: NativeArray<"BOOL"> }>
  >;
}

/** Pairs of nodes to predict links for: (m, 2) source, target. */
export interface RawLinks {
  readonly pairs: NativeArray<"I64">;
  readonly types?: NativeArray<"I32">;
}

/** Edges between nodes of two types; ids count inside their type. */
export interface RawRelation {
  readonly name: string;
  readonly src: string;
  readonly dst: string;
  readonly edges: EdgeList;
  readonly isWeighted?: boolean;
  readonly columns?: EdgeColumns;
}

/** Typed nodes and relations. Nodes of a type are consecutive, in the order of the types. */
export interface RawTyped {
  readonly nodeTypes: readonly string[];
  readonly nodeCounts: readonly number[];
  readonly relations: readonly RawRelation[];
  /** By node type. */
  readonly features?: Readonly<Record<string, RawFeatures>>;
  readonly labels?: Readonly<Record<string, RawLabels & { readonly kind: "single" }>>;
}

/** A graph as a file tells it: checked, ids from 0, nothing changed yet. */
export interface RawGraph {
  /** Absent where `typed` holds them. */
  readonly edges?: EdgeList;
  /** A graph with any of them keeps parallel arcs. */
  readonly edgeColumns?: EdgeColumns;
  /** What the numbers of edgeColumns.type mean. */
  readonly edgeTypeNames?: readonly string[];
  /** time: rows sorted by edgeColumns.time, equal times in the order of the list. @default {"index"} */
  readonly rowOrder?: "index" | "time";
  readonly graphs?: RawGraphs;
  readonly links?: Partial<Record<SplitName, RawLinks>>;
  readonly typed?: RawTyped;
  /** As the file states it; null: largest id + 1. */
  readonly numNodes: number | null;
  /** Each edge stands for both directions. */
  readonly isUndirected: boolean;
  /** Both directions must be there already (METIS): the file's index base, to name the nodes in a message. */
  readonly symmetricFrom?: number;
  /** Whether the weights of the edges are to be kept. */
  readonly isWeighted: boolean;
  readonly features?: RawFeatures;
  readonly labels?: RawLabels;
  readonly classNames?: readonly string[];
  readonly splits?: Partial<Record<SplitName, RawSplit>>;
  /** What the nodes were numbered in a graph that this one was made of. */
  readonly nodeIds?: NativeArray<"I64">;
  /** UTF-8 and where each name begins. */
  readonly nodeNames?: { readonly bytes: NativeArray<"U8">; readonly indptr: NativeArray<"I64"> };
  /** (n, columns) row-major. */
  readonly nodeWeight?: { readonly columns: number; readonly array: NativeArray<"I64"> };
  readonly nodeSize?: NativeArray<"I64">;
  /** Per node. */
  readonly target?: RawTarget;
  /** (n, 3) row-major. */
  readonly pos?: NativeArray<"F32"> | NativeArray<"F64">;
  readonly nodeTime?: NativeArray<"I64"> | NativeArray<"F64">;
  /** From 0, of a graph whose types are told apart by nothing else. */
  readonly nodeType?: NativeArray<"I32">;
  /** Tensors to keep as they are, named extra/... */
  readonly extra?: readonly NewTensor[];
  /** More metadata of the graph. */
  readonly meta?: Readonly<Record<string, unknown>>;
  /** What was found out or left out: lines for a person. */
  readonly notes: readonly string[];
  /** What was found out and matters to the result: for the provenance. */
  readonly found?: Readonly<Record<string, unknown>>;
}

export interface Reader extends Entry {
  /** Whether it keeps to ReadOptions.heldBytes. */
  readonly isBounded?: boolean;
  /** Whether the input looks like this format: by content; of a folder, by the names and first lines of its files. */
  sniff(input: InputSet): boolean;
  /** @throws {GustError} (data) naming the place in the input. */
  read(input: InputSet, options: ReadOptions, params: Record<string, unknown>): RawGraph;
}

/** A format that is one file. */
export interface FileFormat extends Entry {
  readonly isBounded?: boolean;
  /** Whether the file looks like this format, by its content alone. */
  sniff(source: Source): boolean;
  /** @throws {GustError} (data) naming the place in the file. */
  read(source: Source, options: ReadOptions, params: Record<string, unknown>): RawGraph;
}

/** The reader of a format that is one file; a folder or several files are refused. */
export function fileReader(format: FileFormat): Reader {
  const { sniff, read, ...entry } = format;
  return {
    ...entry,
    sniff: ({ single }) => single !== null && sniff(single.source),
    read({ single, label, files }, options, params) {
      if (single) return read(single.source, options, params);
      const got = `${files.length} file${files.length === 1 ? "" : "s"}`;
      throw new GustError(
        "usage",
        `Format "${entry.name}" is one file, but ${label} gives ${got} of a folder or list, expected one file`,
      );
    },
  };
}

/** What is wrong with a number that is finite, but not as float32. */
export const PAST_FLOAT32 = "past float32, expected -3.4e38 to 3.4e38";

/** What native parsers say of a carriage return in place of a newline, and its fix. */
export const LONE_RETURN = "a carriage return ends the line by itself, expected newlines";
export const RETURN_HINT = "tr '\\r' '\\n' < FILE makes newlines of them";

/** A mistake in a text: `label:line:column: what`. */
export function textError(
  source: Source,
  line: number,
  column: number,
  what: string,
  hint?: string,
): GustError {
  return new GustError("data", `${source.label}:${line}:${column}: ${what}`, hint);
}

/** A mistake in a binary file: `label: what`. */
export function dataError(source: Source, what: string, hint?: string): GustError {
  return new GustError("data", `${source.label}: ${what}`, hint);
}

/** Run a native parser; its "LINE:COLUMN: what" becomes an error with the name of the input, and a fitting hint. */
export function parsing<T>(source: Source, hints: readonly (readonly [RegExp, string])[], body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof NativeError) || error.code !== "data") throw error;
    const hint = error.message.endsWith(LONE_RETURN)
      ? RETURN_HINT
      : hints.find(([pattern]) => pattern.test(error.message))?.[1];
    throw new GustError("data", `${source.label}:${error.message}`, hint);
  }
}

/** The elements of a native array, window by window: f(value, index) until it returns false. */
export function every<D extends DType>(
  array: NativeArray<D>,
  f: (value: number, index: number) => boolean,
): boolean {
  for (let at = 0; at < array.length;) {
    const window = array.window(at);
    for (let i = 0; i < window.length; i++) if (!f(Number(window[i]), at + i)) return false;
    at += window.length;
  }
  return true;
}
