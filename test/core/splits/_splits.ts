/** Splits of graphs in memory, as plain numbers. */
import { expect } from "bun:test";
import { buildDocument, type Document } from "../../../core/format/document.ts";
import { checkDocument } from "../../../core/format/check.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { splitDocument, type SplitGraph } from "../../../core/splits/document.ts";
import { splitters } from "../../../core/splits/mod.ts";
import type { Over } from "../../../core/splits/splitter.ts";
import { setThreads } from "../../../ffi/engine.ts";

export interface Options {
  readonly seed?: number;
  readonly over?: Over;
  readonly threads?: number;
  readonly params?: Record<string, unknown>;
}

export interface Made {
  readonly document: Document;
  readonly counts: SplitGraph["counts"];
}

/** Split as the command does; what is written is sound. */
export function split({ document }: Graph, method: string, o: Options = {}): Made {
  const entry = splitters.get(method);
  setThreads(o.threads ?? 0);
  const request = { document, over: o.over ?? "auto", seed: o.seed ?? 0 };
  const parts = entry.split(request, entry.params.parse(o.params ?? {}));
  const { document: made, counts } = splitDocument(document, parts, []);
  const built = buildDocument(made);
  setThreads(0);
  expect(checkDocument(built)).toEqual([]);
  return { document: built, counts };
}

/** Items of a mask row. */
export function itemsOfMask({ document }: Made, name: string, row = 0): number[] {
  if (!document.has(name)) return [];
  const count = document.spec(name).shape[1]!;
  return [...document.tensor(name, "BOOL").window(row * count, count)].flatMap((on, i) => on ? [i] : []);
}

/** [training, validation, test] items of a split. */
export const parts = (made: Made, row = 0, prefix = "split"): [number[], number[], number[]] =>
  ["train", "val", "test"].map((s) => itemsOfMask(made, `${prefix}.${s}`, row)) as [
    number[],
    number[],
    number[],
  ];

/** A tensor's elements as numbers. */
export const numbers = (document: Document, name: string): number[] => document.tensor(name).toNumbers();

/** Pairs of a tensor [m, 2]. */
export function pairs(document: Document, name: string): [number, number][] {
  const flat = numbers(document, name);
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]);
}
