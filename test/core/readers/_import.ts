/** Importing in the test's own process: from text, bytes or fixtures to a document in memory. */
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { GustError } from "../../../core/errors.ts";
import { buildDocument, type Document } from "../../../core/format/document.ts";
import type { BuildRequest } from "../../../core/graph/build.ts";
import { type Imported, importGraph } from "../../../core/readers/import.ts";
import { InputSet } from "../../../core/readers/input.ts";
import { detectReader, readers } from "../../../core/readers/mod.ts";
import type { ReadOptions } from "../../../core/readers/reader.ts";
import { freshDir, repository } from "../../helpers.ts";

export type Options = ReadOptions & BuildRequest & {
  readonly format?: string;
  readonly params?: Record<string, unknown>;
};
export type Result = Imported & { readonly document: Document; readonly format: string };

/** Import a file, a folder, or several of them. */
export function importFile(
  path: string | readonly string[],
  { format, params, ...options }: Options = {},
): Result {
  const input = InputSet.open([path].flat());
  const reader = format === undefined ? detectReader(input) : readers.get(format);
  const imported = importGraph(input, reader, options, params);
  const { meta, tensors } = imported;
  const document = buildDocument({ kind: "graph", meta: { ...meta }, tensors, provenance: [] });
  return { ...imported, document, format: reader.name };
}

let folder: string | undefined;
let count = 0;

/** A file with this content; its name says nothing about its format. */
export function fileOf(content: string | Uint8Array): string {
  folder ??= freshDir();
  const path = join(folder, `input${count++}`);
  writeFileSync(path, content);
  return path;
}

export function importContent(content: string | Uint8Array, options?: Options): Result {
  return importFile(fileOf(content), options);
}

export function fixture(name: string): string {
  return join(repository, "fixtures", name);
}

/** What import says of a file or folder of fixtures that it must refuse for what it holds. */
export function refusal(name: string, options?: Options): string {
  let caught: unknown;
  try {
    importFile(fixture(name), options);
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(GustError);
  expect((caught as GustError).code).toBe("data");
  return (caught as GustError).message;
}

/** Rows of the graph as plain numbers: row v lists the in-neighbours of v. */
export function rowsOf({ document }: { readonly document: Document }): number[][] {
  const indptr = document.tensor("indptr", "I64").toNumbers();
  const indices = document.tensor("indices").toNumbers();
  return indptr.slice(1).map((end, v) => indices.slice(indptr[v], end));
}

/** The message of what `body` throws. */
export function messageOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}
