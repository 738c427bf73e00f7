/** What readers of data sets in several files share: which file is which part, first lines, links of a part. */
import type { NativeArray } from "../../ffi/native.ts";
import type { Source } from "../../ffi/native_source.ts";
import { GustError } from "../errors.ts";
import type { SplitName } from "../graph/graph.ts";
import type { InputFile, InputSet } from "./input.ts";
import type { RawLinks, ReadOptions } from "./reader.ts";
import { integersOf } from "./table.ts";
import { headLines, type Line } from "./text.ts";

/** A file per part that is there. @throws {GustError} (usage) if two files could be the same part. */
export function partFiles(
  input: InputSet,
  patterns: Record<SplitName, RegExp>,
): Partial<Record<SplitName, InputFile>> {
  if (input.single) return { train: input.single };
  const parts: Partial<Record<SplitName, InputFile>> = {};
  for (const [part, pattern] of Object.entries(patterns) as [SplitName, RegExp][]) {
    const found = input.find(pattern);
    if (found.length > 1) {
      throw new GustError(
        "usage",
        `${input.label}: "${found[0]!.name}" and "${
          found[1]!.name
        }" could both be the ${part} part, expected one`,
        "name the folder of one data set",
      );
    }
    if (found[0]) parts[part] = found[0];
  }
  return parts;
}

/** The first lines that are not blank. */
export function firstLines(source: Source, most: number): Line[] {
  const lines: Line[] = [];
  for (const line of headLines(source)) {
    if (line.text.trim() === "") continue;
    lines.push(line);
    if (lines.length === most) break;
  }
  return lines;
}

/** Triples of a part, as numbers. */
export interface Triples {
  readonly heads: NativeArray<"I32">;
  readonly relations: NativeArray<"I32">;
  readonly tails: NativeArray<"I32">;
}

/** The pairs of triples as links. */
export function linksOf({ heads, relations, tails }: Triples): RawLinks {
  const pairs = new Int32Array(2 * heads.length);
  const head = heads.window(0, heads.length), tail = tails.window(0, tails.length);
  for (let i = 0; i < head.length; i++) {
    pairs[2 * i] = head[i]!;
    pairs[2 * i + 1] = tail[i]!;
  }
  return { pairs: integersOf(pairs), types: relations };
}

/** Formats whose nodes are not numbers of the user's. @throws {GustError} (usage) for options that number nodes. */
export function refuseNumbering(options: ReadOptions, what: string): void {
  for (const [key, flag] of [["numNodes", "--num-nodes"], ["indexBase", "--index-base"]] as const) {
    if (options[key] !== undefined) throw new GustError("usage", `${flag} does not apply to ${what}`);
  }
}
