/** What npz files tell of the nodes: features, labels, splits. */
import { NativeArray } from "../../ffi/native.ts";
import { findOutside, findRowDescent } from "../../ffi/native_checks.ts";
import { EdgeList } from "../../ffi/native_build.ts";
import { transpose } from "../../ffi/native_source.ts";
import type { Csr } from "../graph/csr.ts";
import { type SplitName, splitNames } from "../graph/graph.ts";
import type { Arrays, Shaped } from "./npz_arrays.ts";
import { every, type RawFeatures, type RawLabels, type RawSplit } from "./reader.ts";

const CSR_FEATURES = ["attr_", "attr_matrix.", "attr_matrix_"];
const DENSE_FEATURES = ["node_features", "attr", "attr_matrix", "features", "x", "feat"];
const LABELS = ["labels", "node_labels", "y", "label"];

/** Features as the file stores them: CSR stays CSR, dense stays dense. */
export function readFeatures(arrays: Arrays, numNodes: number, notes: string[]): RawFeatures | undefined {
  const sparse = CSR_FEATURES.find((prefix) => arrays.has(`${prefix}indptr`));
  if (sparse) return readSparse(arrays, sparse, numNodes, notes);
  const name = DENSE_FEATURES.find((known) => arrays.has(known));
  if (name === undefined) return undefined;
  const stored = arrays.numbers(name);
  if (stored.shape.length !== 2) {
    throw arrays.error(`${name} has shape (${stored.shape.join(", ")}), expected (nodes, features)`);
  }
  if (stored.shape[0] !== numNodes) {
    throw arrays.error(`${name} has ${stored.shape[0]} rows, expected one per node (${numNodes})`);
  }
  const numFeatures = stored.shape[1]!;
  if (stored.data.dtype === "F16") {
    arrays.checkFinite(name, stored);
    return { kind: "dense", numFeatures, array: stored.data as NativeArray<"F16"> };
  }
  if (stored.data.dtype === "F64") notes.push(`${name}: float64 is stored as float32`);
  return { kind: "dense", numFeatures, array: arrays.float32(name, stored).data };
}

function readSparse(arrays: Arrays, prefix: string, numNodes: number, notes: string[]): RawFeatures {
  let csr = arrays.csr(prefix);
  const { numRows, numCols } = csr;
  if (numRows !== numNodes) {
    throw arrays.error(`${prefix}shape is (${numRows}, ${numCols}), expected one row per node (${numNodes})`);
  }
  if (csr.indices.dtype !== "I32" || findRowDescent(csr.indptr, csr.indices, true).count > 0) {
    const built = EdgeList.fromCsr(csr).build(numRows, numCols, { rowIsSource: true, weighted: true });
    if (built.duplicates) {
      notes.push(`${built.duplicates} features given twice for the same node were added up`);
    }
    csr = built.csr;
  }
  const values = csr.values && every(csr.values as NativeArray<"F32">, (x) => x === 1) ? null : csr.values;
  if (values?.dtype === "F64") {
    const narrow = arrays.float32(`${prefix}data`, { data: values, shape: [values.length] });
    notes.push(`${prefix}data: float64 is stored as float32`);
    return { kind: "csr", numFeatures: numCols, csr: { ...csr, values: narrow.data } };
  }
  return { kind: "csr", numFeatures: numCols, csr: { ...csr, values } };
}

/** One class per node (-1 = none), or several. */
export function readLabels(arrays: Arrays, numNodes: number, numClassNames = 0): RawLabels | undefined {
  if (arrays.has("label_indptr")) return multiLabels(arrays, arrays.csr("label_"), numNodes);
  const name = LABELS.find((known) => arrays.has(known));
  if (name === undefined) return undefined;
  const stored = arrays.numbers(name);
  if (stored.shape[0] !== numNodes) {
    throw arrays.error(`${name} holds ${stored.shape[0] ?? 0} labels, expected one per node (${numNodes})`);
  }
  if (stored.shape.length === 2 && stored.shape[1] !== 1) return labelMatrix(arrays, name, stored);
  const labels = arrays.as(name, stored, "I32");
  arrays.checkRange(name, labels, 2 ** 31 - 1, -1);
  let most = -1;
  every(labels.data, (x) => (most = Math.max(most, x), true));
  return { kind: "single", numClasses: Math.max(most + 1, numClassNames), array: labels.data };
}

/** (n, C) zeros and ones. */
function labelMatrix(arrays: Arrays, name: string, stored: Shaped): RawLabels {
  const labels = arrays.as(name, stored, "I32");
  arrays.checkRange(name, labels, 2);
  const array = NativeArray.allocate("U8", labels.data.length);
  for (let at = 0; at < array.length;) {
    const from = labels.data.window(at), to = array.window(at, from.length);
    from.forEach((x, i) => to[i] = x);
    at += from.length;
  }
  return { kind: "multi", numClasses: stored.shape[1]!, array };
}

function multiLabels(arrays: Arrays, csr: Csr, numNodes: number): RawLabels {
  if (csr.numRows !== numNodes) {
    throw arrays.error(
      `label_shape is (${csr.numRows}, ${csr.numCols}), expected one row per node (${numNodes})`,
    );
  }
  const { values } = csr;
  if (values) {
    every(values as NativeArray<"F32">, (x, i) => {
      if (x === 0 || x === 1) return true;
      throw arrays.error(`label_data[${i}] is ${x}, expected 0 or 1`);
    });
  }
  const numClasses = csr.numCols;
  const array = NativeArray.allocate("U8", numNodes * numClasses);
  const starts = csr.indptr.window(0, numNodes + 1);
  for (let v = 0; v < numNodes; v++) {
    const begin = Number(starts[v]), count = Number(starts[v + 1]) - begin;
    if (count === 0) continue;
    const row = array.window(v * numClasses, numClasses);
    const columns = csr.indices.window(begin, count), given = values?.window(begin, count);
    for (let i = 0; i < count; i++) row[Number(columns[i])] = given ? given[i]! : 1;
  }
  return { kind: "multi", numClasses, array };
}

/** `<split>_idx` lists or `<split>_masks` (one mask or one per row). */
export function readSplits(
  arrays: Arrays,
  numNodes: number,
  notes: string[],
): Partial<Record<SplitName, RawSplit>> | undefined {
  const splits: Partial<Record<SplitName, RawSplit>> = {};
  for (const split of splitNames) {
    const list = [`${split}_idx`, `idx_${split}`].find((name) => arrays.has(name));
    const masks = [`${split}_masks`, `${split}_mask`].find((name) => arrays.has(name));
    if (list !== undefined) splits[split] = readList(arrays, list, numNodes, notes);
    else if (masks !== undefined) splits[split] = readMasks(arrays, masks, numNodes);
  }
  const counts = new Set(
    Object.values(splits).map((s) => s.kind === "list" ? "one list" : `${s.count} masks`),
  );
  if (counts.size > 1) {
    throw arrays.error(
      `the splits disagree: ${[...counts].join(" and ")}, expected the same number for each`,
    );
  }
  checkDisjoint(splits, numNodes, notes);
  return counts.size ? splits : undefined;
}

function readList(arrays: Arrays, name: string, numNodes: number, notes: string[]): RawSplit {
  const stored = arrays.vector(name, arrays.indices(name));
  arrays.checkRange(name, stored, numNodes);
  const sorted = BigInt64Array.from(stored.data.toNumbers(), BigInt).sort();
  const nodes = sorted.filter((v, i) => i === 0 || v !== sorted[i - 1]);
  if (nodes.length < sorted.length) {
    notes.push(`${name}: ${sorted.length - nodes.length} nodes listed twice were merged`);
  }
  return { kind: "list", nodes };
}

function readMasks(arrays: Arrays, name: string, numNodes: number): RawSplit {
  const stored = arrays.numbers(name);
  const [first, second] = stored.shape;
  if (stored.data.dtype !== "BOOL" && stored.data.dtype !== "U8") {
    throw arrays.error(`${name} holds ${stored.data.dtype} elements, expected booleans`);
  }
  const found = findOutside(NativeArray.at("U8", stored.data.length, stored.data.address, stored.data), 0, 1);
  if (found.count > 0) {
    throw arrays.error(`${name}: element ${found.place} is ${found.value}, expected 0 or 1`);
  }
  let bytes = NativeArray.at("BOOL", stored.data.length, stored.data.address, stored.data);
  if (stored.shape.length === 1 && first === numNodes) return { kind: "masks", count: 1, array: bytes };
  if (stored.shape.length !== 2 || (second !== numNodes && first !== numNodes)) {
    throw arrays.error(`${name} has shape (${stored.shape.join(", ")}), expected (splits, ${numNodes})`);
  }
  if (second === numNodes) return { kind: "masks", count: first!, array: bytes };
  bytes = transpose(bytes, first!, second!);
  return { kind: "masks", count: second!, array: bytes };
}

/** Nodes in two splits leak: said aloud, since files like that are published. */
function checkDisjoint(
  splits: Partial<Record<SplitName, RawSplit>>,
  numNodes: number,
  notes: string[],
): void {
  const has = (split: RawSplit): (i: number) => boolean => {
    if (split.kind === "masks") {
      const window = split.array.window(0, split.array.length);
      return (i) => window[i] === 1;
    }
    const nodes = new Set(Array.from(split.nodes, Number));
    return (i) => nodes.has(i);
  };
  const present = splitNames.filter((name) => splits[name] !== undefined).map((name) =>
    [name, has(splits[name]!)] as const
  );
  const count = Math.max(
    0,
    ...Object.values(splits).map((s) => s.kind === "masks" ? s.count * numNodes : numNodes),
  );
  for (const [i, [a, inA]] of present.entries()) {
    for (const [b, inB] of present.slice(i + 1)) {
      let shared = 0;
      for (let at = 0; at < count; at++) if (inA(at) && inB(at)) shared++;
      if (shared) notes.push(`${shared} nodes are both in ${a} and in ${b}`);
    }
  }
}
