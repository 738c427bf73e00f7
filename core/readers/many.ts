/** What readers of many-graph data sets share: classes, one-hot tags, folds, and arcs that stay in their graph. */
import { NativeArray } from "../../ffi/native.ts";
import type { SplitName } from "../graph/graph.ts";
import type { InputFile } from "./input.ts";
import { readMatrix, rowError } from "./matrix.ts";
import { dataError, type RawFeatures, type RawGraphs } from "./reader.ts";

/** Values as numbers 0, 1, ... in ascending order of the values, which `names` keeps. */
export interface Classes {
  readonly array: NativeArray<"I32">;
  readonly names: readonly string[];
}

/** The classes that the values of a file stand for; -1 stays "none" where `noClass` is the value -1. */
export function classesOf(values: Int32Array, noClass?: number): Classes {
  const found = [...new Set(values)].filter((value) => value !== noClass).sort((a, b) => a - b);
  const number = new Map(found.map((value, i) => [value, i]));
  const array = NativeArray.allocate("I32", values.length, false);
  const to = array.window(0, values.length);
  for (let i = 0; i < values.length; i++) to[i] = number.get(values[i]!) ?? -1;
  return { array, names: found.map(String) };
}

/**
 * Node features of what the files give: tags alone one-hot and sparse; attributes alone as they are; both as dense rows,
 * attributes first, then a one-hot block per column of tags.
 */
export function featuresOf(
  numNodes: number,
  tags: readonly Classes[],
  attributes: { readonly columns: number; readonly array: NativeArray<"F32"> } | null,
): RawFeatures | undefined {
  const starts = tags.map((_, t) => tags.slice(0, t).reduce((sum, { names }) => sum + names.length, 0));
  const width = tags.reduce((sum, { names }) => sum + names.length, 0);
  if (!attributes) {
    if (tags.length === 0) return undefined;
    const indptr = NativeArray.allocate("I64", numNodes + 1, false);
    const ends = indptr.window(0, numNodes + 1);
    for (let v = 0; v <= numNodes; v++) ends[v] = BigInt(v * tags.length);
    const indices = NativeArray.allocate("I32", numNodes * tags.length, false);
    const to = indices.window(0, indices.length);
    tags.forEach(({ array }, t) => {
      const from = array.window(0, numNodes);
      for (let v = 0; v < numNodes; v++) to[v * tags.length + t] = starts[t]! + from[v]!;
    });
    const csr = { numRows: numNodes, numCols: width, indptr, indices, values: null };
    return { kind: "csr", numFeatures: width, csr };
  }
  const { columns, array } = attributes;
  if (tags.length === 0) return { kind: "dense", numFeatures: columns, array };
  const all = columns + width;
  const dense = NativeArray.allocate("F32", numNodes * all);
  const to = dense.window(0, dense.length), from = array.window(0, array.length);
  for (let v = 0; v < numNodes; v++) to.set(from.subarray(v * columns, (v + 1) * columns), v * all);
  tags.forEach((tag, t) => {
    const numbers = tag.array.window(0, numNodes);
    for (let v = 0; v < numNodes; v++) to[v * all + columns + starts[t]! + numbers[v]!] = 1;
  });
  return { kind: "dense", numFeatures: all, array: dense };
}

/** A mask of graphs from a file that lists their numbers, one per line. */
function maskOf(file: InputFile, numGraphs: number): Uint8Array {
  const list = readMatrix(file, "I32", { title: "graph number", columns: 1, low: 0, high: numGraphs - 1 });
  const mask = new Uint8Array(numGraphs);
  list.array.window(0, list.rows).forEach((graph, row) => {
    if (mask[graph]) throw rowError(list, row, `graph ${graph} is listed twice, expected different numbers`);
    mask[graph] = 1;
  });
  return mask;
}

/** Masks (count, graphs) of files in the order of folds; a graph in two parts of a fold is refused. */
export function foldMasks(
  parts: Partial<Record<SplitName, readonly InputFile[]>>,
  numGraphs: number,
): NonNullable<RawGraphs["folds"]> {
  const seen: (string | undefined)[][] = [];
  const entries = Object.entries(parts).map(([name, files]) => {
    const array = NativeArray.allocate("BOOL", files.length * numGraphs);
    files.forEach((file, fold) => {
      const mask = maskOf(file, numGraphs), others = seen[fold] ??= [];
      mask.forEach((on, graph) => {
        if (!on) return;
        if (others[graph] !== undefined) {
          throw dataError(
            file.source,
            `graph ${graph} is listed in ${others[graph]} too, expected disjoint parts`,
          );
        }
        others[graph] = file.name;
      });
      array.window(fold * numGraphs, numGraphs).set(mask);
    });
    return [name, { count: files.length, array }] as const;
  });
  return Object.fromEntries(entries);
}

/** `10fold_idx/train_idx-3.txt` */
const FOLD = /(^|\/)\d*fold_idx\/(train|test)_idx-(\d+)\.txt$/;

/** The folds of `train_idx-K.txt` and `test_idx-K.txt`, K = 1, 2, ...; undefined without such files. */
export function foldsOf(files: readonly InputFile[], numGraphs: number): RawGraphs["folds"] {
  const parts = { train: [] as InputFile[], test: [] as InputFile[] };
  for (const file of files) {
    const match = FOLD.exec(file.name);
    if (match) parts[match[2] as "train" | "test"][Number(match[3]) - 1] = file;
  }
  const { train, test } = parts;
  if (train.length === 0 && test.length === 0) return undefined;
  for (let fold = 0; fold < Math.max(train.length, test.length); fold++) {
    if (train[fold] && test[fold]) continue;
    const other = (train[fold] ?? test[fold] ?? train.find((file) => file) ?? test.find((file) => file))!;
    throw dataError(
      other.source,
      `fold ${fold + 1} has no ${train[fold] ? "test" : "train"}_idx-${
        fold + 1
      }.txt, expected both files of every fold`,
    );
  }
  return foldMasks(parts, numGraphs);
}

/** Whether a file is one of a fold. */
export const isFold = (file: InputFile) => FOLD.test(file.name);

/** Make the row pointer of graphs from their sizes. */
export function pointerOf(sizes: ArrayLike<number>): NativeArray<"I64"> {
  const ptr = new BigInt64Array(sizes.length + 1);
  for (let g = 0; g < sizes.length; g++) ptr[g + 1] = ptr[g]! + BigInt(sizes[g]!);
  return NativeArray.from<"I64">(ptr);
}
