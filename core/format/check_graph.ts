/** Checks of a graph document's data. */

import { MAX_WINDOW_BYTES, NativeArray } from "../../ffi/native.ts";
import {
  findAsymmetric,
  findBothSet,
  findCommon,
  findOutsideSegments,
  graphStats,
} from "../../ffi/native_checks.ts";
import type { Checker } from "./check.ts";
import { checkExtra } from "./check_extra.ts";
import { mostClasses } from "./schema.ts";

const splits = ["train", "val", "test"] as const;
const pairs = [["train", "val"], ["train", "test"], ["val", "test"]] as const;

interface Meta {
  num_nodes: number;
  num_features: number;
  num_classes: number;
  directed: boolean;
  row_order: "index" | "time";
  self_loops?: number;
  edge_types?: string[];
  node_types?: string[];
  node_counts?: number[];
  relations?: { name: string; src: string; dst: string }[];
}

/** The largest number that stands for a type of edges. */
const lastType = ({ edge_types }: Meta) => (edge_types?.length ?? 2 ** 31) - 1;

/** One CSR of arcs: pointer, columns, order of the rows, weights. @returns whether rows are sorted by index. */
function checkArcs(checker: Checker, prefix: string, numCols: number, order: Meta["row_order"]): boolean {
  const { doc } = checker;
  const [indptr, indices, time] = [`${prefix}indptr`, `${prefix}indices`, `${prefix}edge_time`];
  const sound = checker.pointer(indptr, doc.spec(indices).shape[0]!);
  const inside = checker.range(indices, 0, numCols - 1);
  const sorted = sound &&
    (order === "time" && doc.has(time)
      ? checker.sortedRows(indptr, time, false)
      : checker.sortedRows(indptr, indices, false));
  for (const name of ["edge_weight", "edge_time", "edge_feat"]) checker.finite(prefix + name);
  checker.range(`${prefix}edge_type`, 0, lastType(doc.meta as unknown as Meta));
  return sound && inside && sorted && order === "index";
}

/** Counts in the metadata agree with the arcs. */
function checkTopologyFacts(checker: Checker, meta: Meta): void {
  const { doc } = checker;
  const indptr = doc.tensor("indptr", "I64");
  const indices = doc.tensor("indices", "I32", "I64") as NativeArray<"I32">;
  const { selfLoops } = graphStats(indptr, indices);
  if (meta.self_loops !== undefined && meta.self_loops !== selfLoops) {
    checker.add(`metadata self_loops = ${meta.self_loops}, but the graph has ${selfLoops}`);
  }
  if (!meta.directed) {
    checker.none(
      findAsymmetric(indptr, indices),
      (f) =>
        `metadata directed = false, but ${f.count} arcs lack their reverse, first ${f.value} -> ${f.place}`,
    );
  }
}

function checkSplits(checker: Checker, prefix: string, numItems: number): void {
  const { doc } = checker;
  const form = splits.map((s) => doc.has(prefix + s) ? doc.spec(prefix + s).dtype : null).find((d) => d) ??
    null;
  const sound = splits.every((s) =>
    form === "BOOL"
      ? checker.range(prefix + s, 0, 1)
      : checker.range(prefix + s, 0, numItems - 1) && checker.ascending(prefix + s)
  );
  if (!sound) return;
  for (const [a, b] of pairs) {
    if (!doc.has(prefix + a) || !doc.has(prefix + b)) continue;
    if (form === "BOOL") {
      checker.none(
        findBothSet(doc.tensor(prefix + a, "BOOL"), doc.tensor(prefix + b, "BOOL")),
        (f) =>
          `"${prefix}${a}" and "${prefix}${b}" share ${f.count} items, first item ${
            f.place % numItems
          } of split ${Math.floor(f.place / numItems)}`,
      );
    } else {
      checker.none(
        findCommon(doc.tensor(prefix + a, "I64"), doc.tensor(prefix + b, "I64")),
        (f) => `"${prefix}${a}" and "${prefix}${b}" share ${f.count} items, first item ${f.value}`,
      );
    }
  }
}

/** Elements of `array` at the places that `index` holds. */
function gather(array: NativeArray<"I64">, index: NativeArray<"I64">): NativeArray<"I64"> {
  const whole = array.sizeBytes <= MAX_WINDOW_BYTES ? array.window() : null;
  const picked = index.window().map((i) => whole ? whole[Number(i)]! : BigInt(array.at(Number(i))));
  return NativeArray.from<"I64">(picked);
}

/** A dataset of many graphs: nodes of a graph are consecutive and no arc leaves its graph. */
function checkManyGraphs(checker: Checker, meta: Meta, arcsAreSound: boolean): void {
  const { doc } = checker;
  const graphPtr = doc.tensor("graph_ptr", "I64");
  const sound = checker.pointer("graph_ptr", meta.num_nodes);
  checker.range("graph_label", -1, Math.max(0, meta.num_classes - 1));
  checker.noInfinity("graph_target");
  for (const name of ["graph_feat", "graph_cell"]) checker.finite(name);
  checkSplits(checker, "fold.", graphPtr.length - 1);
  if (!sound || !arcsAreSound) return;
  const graphs = graphPtr.length - 1;
  const arcPtr = gather(doc.tensor("indptr", "I64"), graphPtr);
  checker.none(
    findOutsideSegments(
      arcPtr,
      doc.tensor("indices", "I32", "I64") as NativeArray<"I32">,
      graphPtr.slice(0, graphs),
      graphPtr.slice(1, graphs),
    ),
    (f) =>
      `tensor "indices": ${f.count} arcs lead out of their graph, first at position ${f.place} to node ${f.value}`,
  );
}

function checkTypes(checker: Checker, meta: Meta): void {
  const { doc } = checker;
  const types = meta.node_types!;
  const counts = meta.node_counts!;
  const countOfType = new Map(types.map((type, i) => [type, counts[i]!]));
  for (const { name, src } of meta.relations ?? []) {
    checkArcs(checker, `rel/${name}/`, countOfType.get(src)!, meta.row_order);
  }
  for (const type of types) {
    checker.finite(`feat/${type}`);
    if (doc.has(`feat/${type}.indices`)) checker.sparse(`feat/${type}`, 2 ** 31);
    checker.range(`label/${type}`, -1, Math.max(0, meta.num_classes - 1));
  }
  if (!doc.has("node_type")) return;
  const starts = counts.map((_, i) => counts.slice(0, i).reduce((a, b) => a + b, 0));
  const ptr = NativeArray.from<"I64">(BigInt64Array.from([...starts, meta.num_nodes], BigInt));
  const low = NativeArray.from<"I64">(BigInt64Array.from(counts.keys(), BigInt));
  const high = NativeArray.from<"I64">(BigInt64Array.from(counts.keys(), (i) => BigInt(i + 1)));
  checker.none(
    findOutsideSegments(ptr, doc.tensor("node_type", "I32"), low, high),
    (f) =>
      `tensor "node_type": ${f.count} nodes have another type than their place says, first node ${f.place}: ${f.value}`,
  );
}

/** Every problem of a graph's data goes to `checker`. */
export function checkGraph(checker: Checker): void {
  const { doc } = checker;
  const meta = doc.meta as unknown as Meta;
  const n = meta.num_nodes;
  let sorted = false;
  const before = checker.problems.length;
  if (doc.has("indices")) {
    sorted = checkArcs(checker, "", n, meta.row_order);
    if (sorted) checkTopologyFacts(checker, meta);
  }
  const arcsAreSound = doc.has("indices") && (sorted || checker.problems.length === before);
  if (meta.num_classes > mostClasses(n)) {
    checker.add(
      `metadata num_classes: ${meta.num_classes} classes of ${n} nodes, expected at most ${mostClasses(n)}`,
    );
  }
  checker.noInfinity("target");
  for (const name of ["feat", "feat.scale", "pos", "node_time", "node_weight"]) {
    checker.finite(name);
  }
  checker.sparse("feat", meta.num_features);
  if (doc.has("label")) {
    if (doc.spec("label").dtype === "U8") checker.range("label", 0, 1);
    else checker.range("label", -1, meta.num_classes - 1);
  }
  checkSplits(checker, "split.", n);
  if (doc.has("node_names")) checker.pointer("node_names.indptr", doc.spec("node_names").shape[0]!);
  checker.pointer("part_ptr", n);
  if (meta.node_types) checkTypes(checker, meta);
  if (doc.has("graph_ptr")) checkManyGraphs(checker, meta, arcsAreSound);
  for (const s of splits) {
    checker.range(`link.${s}`, 0, n - 1);
    checker.range(`link_type.${s}`, 0, lastType(meta));
    for (const column of ["link_time", "link_weight", "link_feat"]) checker.finite(`${column}.${s}`);
  }
  checkExtra(checker);
}
