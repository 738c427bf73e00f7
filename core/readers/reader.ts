/** What a reader of a foreign format is, and what it gives. */
import type { DType } from "../../ffi/dtype.ts";
import { type NativeArray, NativeError } from "../../ffi/native.ts";
import type { EdgeList } from "../../ffi/native_build.ts";
import type { Source } from "../../ffi/native_source.ts";
import { GustError } from "../errors.ts";
import type { Csr } from "../graph/csr.ts";
import type { SplitName } from "../graph/graph.ts";
import type { Entry } from "../registry.ts";

/** What the user said about the input. */
export interface ReadOptions {
  /** What the file calls node 0; undefined: as the format says, else 0. */
  readonly indexBase?: 0 | 1;
  readonly numNodes?: number;
  /** Take arcs as they are listed, even where the format stands for undirected edges. */
  readonly directed?: boolean;
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

/** A graph as a file tells it: checked, ids from 0, nothing changed yet. */
export interface RawGraph {
  readonly edges: EdgeList;
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
  /** UTF-8 and where each name begins. */
  readonly nodeNames?: { readonly bytes: NativeArray<"U8">; readonly indptr: NativeArray<"I64"> };
  /** (n, columns) row-major. */
  readonly nodeWeight?: { readonly columns: number; readonly array: NativeArray<"I64"> };
  readonly nodeSize?: NativeArray<"I64">;
  /** What was found out or left out: lines for a person. */
  readonly notes: readonly string[];
  /** What was found out and matters to the result: for the provenance. */
  readonly found?: Readonly<Record<string, unknown>>;
}

export interface Reader extends Entry {
  /** Whether the input looks like this format, by its content alone. */
  sniff(source: Source): boolean;
  /** @throws {GustError} (data) naming the place in the input. */
  read(source: Source, options: ReadOptions, params: Record<string, unknown>): RawGraph;
}

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
    const hint = hints.find(([pattern]) => pattern.test(error.message))?.[1];
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
