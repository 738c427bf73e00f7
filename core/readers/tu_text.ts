/**
 * Many graphs in one text, as DGCNN and GIN read them: the number of graphs; per graph a line "n label" and n lines
 * "tag degree neighbour ...", neighbours counted from 0 inside their graph, each edge at both of its ends. Further
 * columns of a line are attributes of its node. Folds are looked for in 10fold_idx/, in the folder or beside the file.
 *
 * Tags become one-hot sparse features; attributes are dense ones. Label values keep their names (meta.class_names).
 * Source: Zhang et al. 2018, "An End-to-End Deep Learning Architecture for Graph Classification", AAAI (DGCNN's data).
 */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import { EdgeList } from "../../ffi/native_build.ts";
import type { Source } from "../../ffi/native_source.ts";
import { GustError } from "../errors.ts";
import type { InputFile, InputSet } from "./input.ts";
import { type Classes, classesOf, featuresOf, foldsOf, isFold, pointerOf } from "./many.ts";
import { refuseNumbering } from "./parts.ts";
import type { RawGraph, Reader, ReadOptions } from "./reader.ts";
import { Growing, Scanner } from "./scan.ts";
import { refuseReturns } from "./table.ts";
import { headLines, integer, isText, words } from "./text.ts";

const params = z.object({
  nodeTags: z.enum(["file", "degree"]).default("file").describe(
    "one-hot node features from the tags of the file, or from the nodes' degrees",
  ),
}).strict();

const LARGEST = 2 ** 31 - 2;

interface Parsed {
  readonly sizes: Int32Array;
  readonly labels: Int32Array;
  readonly tags: Int32Array;
  readonly degrees: Int32Array;
  readonly sources: Int32Array;
  readonly targets: Int32Array;
  readonly attributes: { readonly columns: number; readonly array: Float32Array } | null;
}

/** All graphs. @throws {GustError} (data) with line, column, what was found and what was expected. */
function parse(source: Source): Parsed {
  const scan = new Scanner(source);
  refuseReturns(source);
  const ints = () => new Growing((length) => new Int32Array(length));
  const [sizes, labels, tags, degrees] = [ints(), ints(), ints(), ints()];
  const [sources, targets] = [ints(), ints()];
  const values = new Growing((length) => new Float32Array(length));
  let columns = -1, first = 0;
  const numGraphs = scan.integer("number of graphs", 0, LARGEST);
  scan.endLine("the number of graphs alone");
  for (let graph = 0; graph < numGraphs; graph++) {
    if (scan.isOver) throw scan.error(`the file ends after ${graph} graphs, expected ${numGraphs}`);
    const size = scan.integer("number of nodes", 0, LARGEST - first);
    labels.push(scan.integer("graph label", -LARGEST, LARGEST));
    scan.endLine('"nodes label" alone');
    sizes.push(size);
    for (let v = 0; v < size; v++) {
      if (scan.isOver) {
        throw scan.error(`the file ends at node ${v} of graph ${graph}, expected ${size} nodes`);
      }
      tags.push(scan.integer("node tag", -LARGEST, LARGEST));
      const degree = scan.integer("degree", 0, LARGEST);
      degrees.push(degree);
      for (let i = 0; i < degree; i++) {
        const u = scan.integer("neighbour", 0, size - 1);
        sources.push(first + v);
        targets.push(first + u);
      }
      let found = 0;
      for (; !scan.isLineOver(); found++) values.push(scan.number("node attribute"));
      if (columns < 0) columns = found;
      else if (found !== columns) {
        throw scan.error(
          `${found} columns behind the neighbours, expected ${columns} as in the first node's line`,
          columns === 0 ? "a degree smaller than the number of neighbours looks like this" : undefined,
        );
      }
      scan.endLine("the end of the line");
    }
    first += size;
  }
  scan.skipSpace();
  if (!scan.isOver) throw scan.error(`${scan.shown()} behind the last of ${numGraphs} graphs`);
  return {
    sizes: sizes.take(),
    labels: labels.take(),
    tags: tags.take(),
    degrees: degrees.take(),
    sources: sources.take(),
    targets: targets.take(),
    attributes: columns > 0 ? { columns, array: values.take() } : null,
  };
}

/** Whether the beginning is a count, "n label", and n lines of which most are as long as their degrees say. */
function looksRight(source: Source): boolean {
  if (!isText(source)) return false;
  const lines = headLines(source);
  const next = () => words(lines.next().value?.text ?? "");
  const [count, header] = [next().map(integer), next().map(integer)];
  if (count.length !== 1 || !(count[0]! >= 1) || header.length !== 2) return false;
  const [size, label] = header as [number, number];
  if (!(size >= 1) || Number.isNaN(label)) return false;
  const looked = Math.min(size, 64);
  let fitting = 0;
  for (let v = 0; v < looked; v++) {
    const row = next(), degree = integer(row[1]);
    const neighbours = row.slice(2, 2 + degree).map(integer);
    fitting += Number(
      !Number.isNaN(integer(row[0])) && neighbours.length === degree && neighbours.every((u) => u < size),
    );
  }
  return 2 * fitting > looked;
}

/** The texts of a folder that could hold the graphs. */
const textsOf = (input: InputSet) => input.find(/\.txt(\.gz|\.zst)?$/).filter((file) => !isFold(file));

/** The file with the graphs: the one operand, or the one text of the folder that looks like it. */
function mainFile(input: InputSet): InputFile | null {
  if (input.single) return looksRight(input.single.source) ? input.single : null;
  const candidates = textsOf(input);
  // A folder of many texts is another kind of data set.
  if (candidates.length > 8) return null;
  const right = candidates.filter(({ source }) => looksRight(source));
  return right.length === 1 ? right[0]! : null;
}

function read(input: InputSet, options: ReadOptions, given: Record<string, unknown>): RawGraph {
  const { nodeTags } = params.parse(given);
  refuseNumbering(options, "data sets of many graphs: nodes count from 0 inside their graph");
  const only = textsOf(input);
  const file = input.single ?? mainFile(input) ?? (only.length === 1 ? only[0] : null);
  if (!file) {
    throw new GustError(
      "data",
      `${input.label}: no file with a line "number of graphs" and then a line "nodes label" per graph, expected one`,
    );
  }
  input.forget();
  const p = parse(file.source);
  const numNodes = p.tags.length;
  const labels = classesOf(p.labels);
  const tags: Classes = classesOf(nodeTags === "degree" ? p.degrees : p.tags);
  const attributes = p.attributes &&
    { columns: p.attributes.columns, array: NativeArray.from<"F32">(p.attributes.array) };
  const notes = [
    `labels ${labels.names.join(", ")} are classes 0 to ${labels.names.length - 1}`,
  ];
  const folds = foldsOf(input.single ? input.beside("10fold_idx") : input.files, p.sizes.length);
  return {
    edges: EdgeList.fromArrays(NativeArray.from<"I32">(p.sources), NativeArray.from<"I32">(p.targets)),
    numNodes,
    isUndirected: false,
    symmetricFrom: options.directed ? undefined : 0,
    isWeighted: false,
    features: featuresOf(numNodes, [tags], attributes),
    classNames: labels.names,
    graphs: {
      ptr: pointerOf(p.sizes),
      label: labels.array,
      numClasses: labels.names.length,
      folds,
    },
    meta: { node_tags: tags.names },
    notes,
    found: nodeTags === "degree" ? { node_tags: nodeTags } : {},
  };
}

export const tuText: Reader = {
  name: "tu-text",
  summary: 'many graphs in one text: "n label", then "tag degree neighbours" per node, with 10fold_idx/',
  source: "Zhang et al. 2018, AAAI; Xu et al. 2019, arXiv:1810.00826",
  params,
  sniff: (input) => mainFile(input) !== null,
  read,
};
