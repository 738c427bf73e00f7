/** What a writer of a foreign format is. */
import type { NativeArray } from "../../ffi/native.ts";
import type { Graph } from "../graph/graph.ts";
import type { Entry } from "../registry.ts";

/** Bytes of a file, in order; a native piece is valid until the next one is asked for. */
export type Piece = NativeArray | Uint8Array;

export interface OutputFile {
  /** Inside the output folder; null: the output is this one file. */
  readonly name: string | null;
  readonly pieces: Iterable<Piece>;
}

export interface Export {
  readonly files: readonly OutputFile[];
  /** What the format cannot carry, and how the file is read back: lines for a person. */
  readonly notes: readonly string[];
}

export interface Writer extends Entry {
  /** Whether the output is a folder of files. */
  readonly isFolder: boolean;
  /** Whether the output is text, which may be shown on a terminal. */
  readonly isText: boolean;
  /**
   * Plan the files; their bytes are made as they are asked for, in bounded memory.
   * @throws {GustError} (unsupported) with the reason for a graph that the format cannot hold.
   */
  write(graph: Graph, params: Record<string, unknown>): Export;
}

const encoder = new TextEncoder();
export const utf8 = (text: string) => encoder.encode(text);

/** A line that names the tensors of the graph that are not among the carried ones; none if all are. */
export function leftOut(graph: Graph, carried: readonly string[], format: string): string[] {
  const belongs = (name: string, known: string) => name === known || name.startsWith(`${known}.`);
  const left = graph.document.names.filter((name) =>
    !["indptr", "indices", ...carried].some((known) => belongs(name, known))
  );
  const names = [...new Set(left.map((name) => name.replace(/\.(indptr|indices|values|scale)$/, "")))];
  return names.length ? [`left out, since ${format} cannot hold it: ${names.join(", ")}`] : [];
}
