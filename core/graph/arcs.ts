/** Documents from files, checked as far as kernels rely on them. */
import type { NativeArray } from "../../ffi/native.ts";
import { findDescent, findNotFinite, findOutside } from "../../ffi/native_checks.ts";
import { rangeOf } from "../../ffi/native_statistics.ts";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import type { Graph } from "./graph.ts";

/**
 * Refuse a graph whose arcs lead outside or whose rows overlap, or whose weights are not finite: kernels do not look.
 * O(nodes + arcs).
 * @throws {GustError} (data) naming tensor and place.
 */
export function checkArcs(graph: Graph): void {
  const { indices } = graph.csr;
  const { count, place, value } = findOutside(indices, 0, graph.numNodes - 1);
  if (count > 0) {
    throw new GustError(
      "data",
      `Cannot read ${graph.document.label}: tensor "indices" holds node ${value} at position ${place}, expected numbers below num_nodes = ${graph.numNodes}`,
      "gust inspect --check lists every problem",
    );
  }
  checkPointer(graph.document, "indptr", indices.length);
  if (graph.document.has("edge_weight")) checkFloat32(graph.document, "edge_weight");
}

/**
 * Refuse row pointers that do not rise from 0 to `end`.
 * @throws {GustError} (data) naming the tensor.
 */
export function checkPointer(document: Document, name: string, end: number): void {
  const pointer = document.tensor(name, "I64");
  if (
    pointer.at(0) === 0 && pointer.at(pointer.length - 1) === end && findDescent(pointer, false).count === 0
  ) {
    return;
  }
  throw new GustError(
    "data",
    `Cannot read ${document.label}: tensor "${name}" does not rise from 0 to ${end}`,
    "gust inspect --check lists every problem",
  );
}

/**
 * Refuse numbers outside low .. high.
 * @throws {GustError} (data) naming tensor and position.
 */
export function checkInside(document: Document, name: string, low: number, high: number): void {
  const { count, place, value } = findOutside(
    document.tensor(name, "I32", "I64") as NativeArray<"I32">,
    low,
    high,
  );
  if (count === 0) return;
  throw new GustError(
    "data",
    `Cannot read ${document.label}: tensor "${name}" holds ${value} at position ${place}, expected ${low} to ${high}`,
    "gust inspect --check lists every problem",
  );
}

/**
 * Refuse infinite and not-a-number elements of a tensor of floating-point numbers; integers pass.
 * @throws {GustError} (data) naming tensor and position.
 */
export function checkFinite(document: Document, name: string): void {
  const array = document.tensor(name);
  if (!isFloat(array)) return;
  const { count, place } = findNotFinite(array);
  if (count > 0) {
    throw refused(document, name, `${count} infinite or not-a-number elements, the first`, place);
  }
}

/** The error that a tensor's number at a place is. */
function refused(document: Document, name: string, what: string, place: number): GustError {
  const [, width] = document.spec(name).shape;
  const where = width ? `row ${Math.floor(place / width)}, column ${place % width}` : `position ${place}`;
  return new GustError(
    "data",
    `Cannot read ${document.label}: tensor "${name}" holds ${what} in ${where}`,
    "gust inspect --check lists every problem",
  );
}

/** Half a step above the largest float32: from here on, float64 rounds to infinity. */
const BEYOND_FLOAT32 = 2 ** 128 - 2 ** 103;

/**
 * Refuse numbers of a float32 or float64 tensor that are infinite, or would be as float32, which models compute in.
 * @throws {GustError} (data) naming tensor and position.
 */
export function checkInfinite(document: Document, name: string): void {
  const array = document.tensor(name, "F32", "F64") as NativeArray<"F64">, range = rangeOf(array);
  const isBeyond = (x: number) => Math.abs(x) >= BEYOND_FLOAT32;
  if (range === null || !(isBeyond(range.least) || isBeyond(range.greatest))) return;
  for (let at = 0; at < array.length;) {
    const window = array.window(at), i = window.findIndex(isBeyond);
    if (i >= 0) throw refused(document, name, `${window[i]}, beyond the numbers of float32,`, at + i);
    at += window.length;
  }
}

/** Refuse whatever is not a finite float32 number. @throws {GustError} (data) naming tensor and position. */
export function checkFloat32(document: Document, name: string): void {
  checkFinite(document, name);
  if (document.spec(name).dtype === "F64") checkInfinite(document, name);
}

/**
 * Refuse features whose numbers lead outside of arrays, or are not finite. Reads all of them.
 * @throws {GustError} (data) naming tensor and position.
 */
export function checkFeatures(graph: Graph): void {
  const { document } = graph, features = graph.features();
  if (features?.kind === "csr") {
    checkPointer(document, "feat.indptr", features.csr.indices.length);
    checkInside(document, "feat.indices", 0, features.numFeatures - 1);
  }
  for (const name of ["feat", "feat.values"]) if (document.has(name)) checkFloat32(document, name);
}

/**
 * Refuse rows that were copied out of a graph's features if they hold what is not finite.
 * @throws {GustError} (data) naming tensor and position in the graph.
 */
export function checkCopied(graph: Graph, rows: NativeArray): void {
  if (isFloat(rows) && findNotFinite(rows).count > 0) checkFeatures(graph);
}

type Floats = Parameters<typeof findNotFinite>[0];
const isFloat = (array: NativeArray): array is Floats => ["F64", "F32", "F16", "BF16"].includes(array.dtype);
