/**
 * Edge lists: one arc per line, "source target [weight]", cut by blanks, commas, semicolons, tabs or bars, packed or
 * not. Ids are integers or names; comments begin with #, % or //.
 *
 * How the lines look is found from the first of them and said aloud; every option overrides one finding. The lines
 * themselves are parsed by the native library.
 * Source: the formats of SNAP, KONECT, NetworkX and spreadsheet exports.
 */
import { EdgeList } from "../../ffi/native_build.ts";
import type { Source } from "../../ffi/native_source.ts";
import { GustError } from "../errors.ts";
import { dialectOf, look, params } from "./edgelist_look.ts";
import { fileReader, parsing, type RawGraph, type ReadOptions } from "./reader.ts";
import { isJson, isText } from "./text.ts";

function read(source: Source, options: ReadOptions, given: Record<string, unknown>): RawGraph {
  const p = params.parse(given);
  const findings = look(source, p);
  const { dialect, notes } = findings ?? { dialect: dialectOf(0, "", 2, null, false, p), notes: [] };
  if (dialect.named && options.numNodes !== undefined) {
    throw new GustError("usage", "--num-nodes does not apply to ids that are names: every name is a node");
  }
  if (dialect.named && options.indexBase !== undefined) {
    throw new GustError("usage", "--index-base does not apply to ids that are names");
  }
  const base = options.indexBase ?? 0;
  const edges = parsing(
    source,
    [
      [/is not an integer/, "--ids string takes ids as names"],
      [/is not UTF-8/, "iconv -f latin1 -t utf-8 converts a file of another encoding"],
      [/weight ".*" is not/, "--weights none leaves the column out"],
      [/node id 0, expected ids from 1/, "the file counts from 0: leave out --index-base 1"],
      [
        /columns?, expected/,
        "--format metis reads lists of neighbours; --delimiter says what separates columns",
      ],
    ],
    () =>
      EdgeList.parse(source, {
        ...dialect,
        indexBase: base,
        limit: options.numNodes ?? null,
        heldBytes: options.heldBytes,
      }),
  );
  if (edges.count === 0 && options.numNodes === undefined) {
    throw new GustError(
      "data",
      `${source.label}: no edges, and so no nodes`,
      "--num-nodes N imports N isolated nodes",
    );
  }
  if (edges.count > 0 && !dialect.named && options.indexBase === undefined && edges.minId === 1) {
    notes.push("the smallest id is 1, so that node 0 has no edges; if ids count from 1, say --index-base 1");
  }
  return {
    edges,
    numNodes: dialect.named ? edges.numNames : options.numNodes ?? null,
    isUndirected: false,
    isWeighted: dialect.weight !== null && (!edges.hasUnitWeights || p.weights !== "auto"),
    nodeNames: dialect.named ? edges.names() : undefined,
    notes,
    found: {
      ids: dialect.named ? "string" : "integer",
      weights: dialect.weight === null ? "none" : dialect.weight + 1,
    },
  };
}

export const edgelist = fileReader({
  name: "edgelist",
  summary: "edge list: source, target and optional weight per line, blanks or CSV or TSV",
  source: "SNAP, KONECT and spreadsheet exports",
  params,
  isBounded: true,
  sniff: (source) => isText(source) && !isJson(source),
  read,
});
