/**
 * Matrix Market coordinate files: entry (i, j) of a square matrix is the arc i -> j.
 *
 * Real, integer and pattern matrices, general and symmetric (where an entry stands for both
 * directions, unless --directed takes it as one arc). Dense arrays,
 * complex values and the antisymmetric kinds hold no graph that gust could train on, and are refused with the reason.
 * Source: Boisvert, Pozo, Remington 1996, "The Matrix Market Exchange Formats", NISTIR 5935.
 */
import { EdgeList } from "../../ffi/native_build.ts";
import type { Source } from "../../ffi/native_source.ts";
import { fileReader, parsing, type RawGraph, type ReadOptions, textError } from "./reader.ts";
import { headLines, integer, type Line, words } from "./text.ts";

const BANNER = "%%MatrixMarket";

interface Banner {
  readonly hasValues: boolean;
  readonly isSymmetric: boolean;
}

function readBanner(source: Source, line: Line): Banner {
  const given = words(line.text);
  const [, object, layout, field, symmetry] = given.map((word) => word.toLowerCase());
  const refuse = (index: number, why: string) =>
    textError(source, line.number, line.text.indexOf(given[index] ?? "") + 1, why);
  if (given.length !== 5) {
    throw refuse(0, `banner of ${given.length} words, expected "${BANNER} matrix coordinate FIELD SYMMETRY"`);
  }
  if (object !== "matrix") throw refuse(1, `object "${object}", expected a matrix`);
  if (layout === "array") throw refuse(2, `a dense array lists no edges, expected a coordinate matrix`);
  if (layout !== "coordinate") throw refuse(2, `layout "${layout}", expected coordinate`);
  if (field === "complex") {
    throw refuse(3, `complex values are no edge weights, expected real, integer or pattern`);
  }
  if (!["real", "double", "integer", "pattern"].includes(field!)) {
    throw refuse(3, `field "${field}", expected real, integer or pattern`);
  }
  if (symmetry === "skew-symmetric" || symmetry === "hermitian") {
    throw refuse(
      4,
      `a ${symmetry} matrix gives the two directions of an edge different values, expected general or symmetric`,
    );
  }
  if (symmetry !== "general" && symmetry !== "symmetric") {
    throw refuse(4, `symmetry "${symmetry}", expected general or symmetric`);
  }
  return { hasValues: field !== "pattern", isSymmetric: symmetry === "symmetric" };
}

function read(source: Source, options: ReadOptions): RawGraph {
  const lines = headLines(source);
  const first = lines.next().value as Line | undefined;
  if (!first) {
    throw textError(source, 1, 1, `no banner, expected "${BANNER} matrix coordinate FIELD SYMMETRY"`);
  }
  const banner = readBanner(source, first);
  let size: Line | undefined;
  for (const line of lines) {
    if (line.text.trim() === "" || line.text.startsWith("%")) continue;
    size = line;
    break;
  }
  if (!size) throw textError(source, 2, 1, "the size line is missing, expected ROWS COLUMNS ENTRIES");
  const numbers = words(size.text).map(integer);
  const [rows, cols, entries] = numbers;
  if (numbers.length !== 3 || numbers.some((x) => !Number.isSafeInteger(x) || x < 0)) {
    throw textError(source, size.number, 1, `size line "${size.text.trim()}", expected ROWS COLUMNS ENTRIES`);
  }
  if (rows !== cols) {
    throw textError(
      source,
      size.number,
      1,
      `a ${rows} x ${cols} matrix is no graph, expected as many rows as columns`,
    );
  }
  const edges = parsing(
    source,
    [[
      /node id 0, expected ids from 1/,
      "entries count from 1 in this format; --index-base 0 reads a file that counts from 0",
    ]],
    () =>
      EdgeList.parse(source, {
        begin: size.end,
        delimiter: "",
        columns: banner.hasValues ? 3 : 2,
        source: 0,
        target: 1,
        weight: banner.hasValues ? 2 : null,
        indexBase: options.indexBase ?? 1,
        limit: rows!,
        heldBytes: options.heldBytes,
        named: false,
        comment: "%",
      }),
  );
  if (edges.count !== entries) {
    throw textError(
      source,
      size.number,
      1,
      `the size line says ${entries} entries, but ${edges.count} lines follow`,
    );
  }
  const mirrors = banner.isSymmetric && !options.directed;
  return {
    edges,
    numNodes: rows!,
    isUndirected: mirrors,
    isWeighted: !edges.hasUnitWeights,
    notes: mirrors ? ["symmetric matrix: every entry stands for both directions"] : [],
  };
}

export const mtx = fileReader({
  name: "mtx",
  summary: "Matrix Market coordinate file (real, integer or pattern; general or symmetric)",
  source: "Boisvert, Pozo, Remington 1996, NISTIR 5935",
  isBounded: true,
  sniff: (source) => {
    const head = new TextDecoder().decode(source.head(BANNER.length + 3));
    return head.slice(0, BANNER.length).toLowerCase() === BANNER.toLowerCase();
  },
  read,
});
