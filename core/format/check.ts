/**
 * Checks of a document's data: checksums, pointers, index ranges, order, finite values. What the schema says of names,
 * dtypes and shapes was checked when it was opened. Reads everything once or twice.
 */
import { type NativeArray, NativeError } from "../../ffi/native.ts";
import {
  findDescent,
  findMisgrouped,
  findNotFinite,
  findNotPermuted,
  findOutside,
  findRowDescent,
  type Found,
  type Ordered,
} from "../../ffi/native_checks.ts";
import { rangeOf } from "../../ffi/native_statistics.ts";
import { checkGraph } from "./check_graph.ts";
import { checkOperators } from "./check_operators.ts";
import { checkSample } from "./check_sample.ts";
import { checkTiers } from "./check_tiers.ts";
import type { Document } from "./document.ts";
import { damage } from "./verify.ts";

const FLOATS = ["F32", "F64", "F16", "BF16"] as const;
type Ints = "I32" | "I64" | "U8" | "BOOL";

/** Collects the problems of one document. */
export class Checker {
  readonly problems: string[] = [];
  constructor(readonly doc: Document) {}

  add(problem: string): false {
    this.problems.push(problem);
    return false;
  }

  /** Report what a search found. @returns true if nothing. */
  none(found: Found, text: (f: Found) => string): boolean {
    return found.count === 0 || this.add(text(found));
  }

  /** Values of an integer tensor, if it is there, lie in low .. high. */
  range(name: string, low: number, high: number): boolean {
    if (!this.doc.has(name)) return true;
    const array = this.doc.tensor(name, "I32", "I64", "U8", "BOOL") as NativeArray<Ints>;
    return this.none(
      findOutside(array as NativeArray<"I64">, low, high),
      (f) =>
        `tensor "${name}": ${f.count} of ${array.length} values are outside ${low} .. ${high}, first ${f.value} at position ${f.place}`,
    );
  }

  /** A floating-point tensor, if it is there, has finite values only. Others pass. */
  finite(name: string): boolean {
    if (!this.doc.has(name) || !(FLOATS as readonly string[]).includes(this.doc.spec(name).dtype)) {
      return true;
    }
    const { shape } = this.doc.spec(name);
    const array = this.doc.tensor(name, ...FLOATS);
    const at = (place: number) =>
      shape.length === 2
        ? `row ${Math.floor(place / shape[1]!)}, column ${place % shape[1]!}`
        : `position ${place}`;
    return this.none(
      findNotFinite(array as NativeArray<"F32">),
      (f) => `tensor "${name}": ${f.count} of ${array.length} values are not finite, first at ${at(f.place)}`,
    );
  }

  /** Numbers, if they are there, or NaN where they are not known: targets, columns beside a graph. */
  noInfinity(name: string): boolean {
    if (!this.doc.has(name)) return true;
    const range = rangeOf(this.doc.tensor(name, "F32", "F64") as NativeArray<"F64">);
    const bad = range && [range.least, range.greatest].find((x) => !Number.isFinite(x));
    return bad === null || bad === undefined ||
      this.add(`tensor "${name}": holds ${bad}, expected finite numbers or NaN`);
  }

  /** A pointer array, if it is there, rises from 0 to `total`. */
  pointer(name: string, total: number): boolean {
    if (!this.doc.has(name)) return true;
    const ptr = this.doc.tensor(name, "I64");
    if (ptr.at(0) !== 0) return this.add(`tensor "${name}": begins with ${ptr.at(0)}, expected 0`);
    const last = ptr.at(ptr.length - 1);
    if (last !== total) return this.add(`tensor "${name}": ends with ${last}, expected ${total}`);
    return this.none(
      findDescent(ptr, false),
      (f) => `tensor "${name}": falls at ${f.count} places, first at position ${f.place}`,
    );
  }

  /** Values rise (strictly, if `strict`) inside every row. The pointer must be sound. */
  sortedRows(ptr: string, name: string, strict: boolean): boolean {
    return this.none(
      findRowDescent(
        this.doc.tensor(ptr, "I64"),
        this.doc.tensor(name, "I32", "I64", "F32", "F64") as Ordered,
        strict,
      ),
      (f) =>
        `tensor "${name}": not ascending at ${f.count} places, first in row ${f.place} at position ${f.value}`,
    );
  }

  /** A list, if it is there, rises strictly. */
  ascending(name: string): boolean {
    if (!this.doc.has(name)) return true;
    return this.none(
      findDescent(this.doc.tensor(name, "I64"), true),
      (f) => `tensor "${name}": not ascending at ${f.count} places, first at position ${f.place}`,
    );
  }

  /** Features in CSR form: pointer, columns below `width`, sorted rows, finite values. */
  sparse(name: string, width: number): void {
    const indices = `${name}.indices`;
    if (!this.doc.has(indices)) return;
    const sound = this.pointer(`${name}.indptr`, this.doc.spec(indices).shape[0]!);
    this.range(indices, 0, width - 1);
    if (sound) this.sortedRows(`${name}.indptr`, indices, true);
    this.finite(`${name}.values`);
  }
}

function checkPartition(checker: Checker): void {
  const { doc } = checker;
  const { k, num_nodes: n } = doc.meta as { k: number; num_nodes: number };
  if (doc.meta["of"] === "edges") {
    checker.range("edge_part", 0, k - 1);
    return;
  }
  checker.range("part", 0, k - 1);
  const order = doc.tensor("order", "I64");
  const permuted = checker.none(
    findNotPermuted(order),
    (f) =>
      `tensor "order": ${f.count} of ${n} values are outside 0 .. ${
        n - 1
      } or there twice, first ${f.value} at position ${f.place}`,
  );
  if (!checker.pointer("part_ptr", n)) return;
  if (permuted) {
    checker.none(
      findMisgrouped(doc.tensor("part_ptr", "I64"), order, doc.tensor("part", "I32")),
      (f) =>
        `tensor "order": ${f.count} nodes stand in another part than tensor "part" says, first node ${f.value} at position ${f.place}`,
    );
  }
}

function checkCache(checker: Checker): void {
  const { doc } = checker;
  if (doc.meta["layout"] === "operators") {
    checkOperators(checker);
    return;
  }
  if (doc.meta["tiers"]) {
    checkTiers(checker);
    return;
  }
  for (const name of ["feat", "feat.scale", "feat.row_scale"]) checker.finite(name);
  checker.sparse("feat", doc.meta["num_features"] as number);
  const rows = doc.has("feat") ? doc.spec("feat").shape[0]! : doc.spec("feat.indptr").shape[0]! - 1;
  checker.pointer("node_ptr", rows);
}

function checkSplitLists(checker: Checker): void {
  for (const name of ["split.train", "split.val", "split.test"]) checker.ascending(name);
}

const byKind: Partial<Record<Document["kind"], (checker: Checker) => void>> = {
  graph: checkGraph,
  partition: checkPartition,
  sample: checkSample,
  cache: checkCache,
  model: (checker) => {
    for (const name of checker.doc.names) checker.finite(name);
    checkSplitLists(checker);
  },
  embedding: (checker) => checker.finite("vectors"),
  prediction: (checker) => {
    checker.finite("scores");
    checker.range("label", -1, Math.max(0, (checker.doc.meta["num_classes"] as number) - 1));
    checkSplitLists(checker);
  },
};

/** Every problem of a document's data; empty for a sound one. */
export function checkDocument(doc: Document): string[] {
  const checker = new Checker(doc);
  checker.problems.push(...damage(doc));
  try {
    byKind[doc.kind]?.(checker);
  } catch (error) {
    // A check that needs sound pointers met unsound ones, which were reported where they are.
    if (!(error instanceof NativeError && error.code === "data")) throw error;
    if (checker.problems.length === 0) checker.add(error.message);
  }
  return checker.problems;
}
