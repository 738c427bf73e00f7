/** Checks of a sample document's data: every batch is a sound set of nodes and blocks. */
import { NativeArray } from "../../ffi/native.ts";
import { findOutsideSegments, findRowDescent } from "../../ffi/native_checks.ts";
import { hashOf } from "../../ffi/native_files.ts";
import { countRows, type Indices } from "../../ffi/native_rows.ts";
import type { Checker } from "./check.ts";

interface Meta {
  num_nodes: number;
  num_batches: number;
  hops: number;
}

const native = (values: number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));

/** `level_size` rises along a batch and ends at its number of nodes. @returns it as rows, or null if it is unsound. */
function checkLevels(checker: Checker, { num_batches: batches, hops }: Meta): number[][] | null {
  const ptr = checker.doc.tensor("node_ptr", "I64").toNumbers();
  const flat = checker.doc.tensor("level_size", "I64").toNumbers();
  const levels: number[][] = [];
  for (let b = 0; b < batches; b++) {
    const sizes = flat.slice(b * (hops + 1), (b + 1) * (hops + 1));
    const size = ptr[b + 1]! - ptr[b]!;
    if (sizes[0]! < 0 || sizes.some((x, h) => h > 0 && x < sizes[h - 1]!) || sizes.at(-1) !== size) {
      checker.add(
        `tensor "level_size": batch ${b} has levels ${
          sizes.join(", ")
        }, expected them to rise to its ${size} nodes`,
      );
      return null;
    }
    levels.push(sizes);
  }
  return levels;
}

/** Seeds are the first nodes of a batch. */
function checkSeedCounts(checker: Checker, levels: readonly (readonly number[])[]): void {
  checker.doc.tensor("seed_count", "I64").toNumbers().forEach((count, b) => {
    const most = levels[b]![0]!;
    if (count < 0 || count > most) {
      checker.add(`tensor "seed_count": batch ${b} has ${count} seeds, expected 0 to ${most}`);
    }
  });
}

/** One block of all batches. `rows[b]` rows over `columns[b]` nodes are expected. */
function checkBlock(checker: Checker, h: number, rows: readonly number[], columns: readonly number[]): void {
  const { doc } = checker;
  const name = (part: string) => `block${h}.${part}`;
  const batches = rows.length;
  const numEdges = doc.spec(name("indices")).shape[0]!;
  const numRows = rows.reduce((a, b) => a + b, 0);
  checker.finite(name("edge_weight"));
  checker.finite(name("arc_weight"));
  checker.range(name("edges"), 0, Number.MAX_SAFE_INTEGER);
  const hasRows = checker.pointer(name("row_ptr"), numRows);
  if (!hasRows || !checker.pointer(name("edge_ptr"), numEdges)) return;
  const rowPtr = doc.tensor(name("row_ptr"), "I64").toNumbers();
  const edgePtr = doc.tensor(name("edge_ptr"), "I64");
  for (let b = 0; b < batches; b++) {
    if (rowPtr[b + 1]! - rowPtr[b]! !== rows[b]) {
      checker.add(
        `tensor "${name("row_ptr")}": batch ${b} has ${rowPtr[b + 1]! - rowPtr[b]!} rows, expected ${
          rows[b]
        } by level_size`,
      );
      return;
    }
  }
  const indptr = doc.tensor(name("indptr"), "I64");
  if (indptr.length !== numRows + batches) {
    checker.add(
      `tensor "${
        name("indptr")
      }" has ${indptr.length} elements, expected ${numRows} rows + ${batches} batches`,
    );
    return;
  }
  // Batch b's pointer is rows[b] + 1 elements from rowPtr[b] + b on.
  const segments = native(rowPtr.map((at, b) => at + b));
  const rising = checker.none(
    findRowDescent(segments, indptr, false),
    (f) =>
      `tensor "${
        name("indptr")
      }": falls at ${f.count} places, first in batch ${f.place} at position ${f.value}`,
  );
  const edges = edgePtr.toNumbers();
  for (let b = 0; rising && b < batches; b++) {
    const [first, last] = [indptr.at(rowPtr[b]! + b), indptr.at(rowPtr[b + 1]! + b)];
    const wanted = edges[b + 1]! - edges[b]!;
    if (first !== 0 || last !== wanted) {
      checker.add(
        `tensor "${name("indptr")}": batch ${b} goes from ${first} to ${last}, expected 0 to ${wanted}`,
      );
      return;
    }
  }
  checker.none(
    findOutsideSegments(
      edgePtr,
      doc.tensor(name("indices"), "I32"),
      native(columns.map(() => 0)),
      native([...columns]),
    ),
    (f) =>
      `tensor "${
        name("indices")
      }": ${f.count} values are no positions in their batch's nodes, first ${f.value} at position ${f.place}`,
  );
}

/** Popularities, where there are some, count the nodes of the batches. These lead to nodes that there are. */
function checkPopularity(checker: Checker): void {
  const { doc } = checker;
  if (!doc.has("popularity")) return;
  const stored = doc.tensor("popularity", "I64"), counts = NativeArray.allocate("I64", stored.length);
  countRows(doc.tensor("nodes", "I32", "I64") as Indices, counts);
  const counted = hashOf(counts);
  if (hashOf(stored).some((byte, i) => byte !== counted[i])) {
    checker.add('tensor "popularity": not how often batches have each node');
  }
}

/** Every problem of a sample's data goes to `checker`. */
export function checkSample(checker: Checker): void {
  const { doc } = checker;
  const meta = doc.meta as unknown as Meta;
  checker.pointer("epoch_ptr", meta.num_batches);
  if (checker.range("nodes", 0, meta.num_nodes - 1)) checkPopularity(checker);
  checker.finite("node_weight");
  if (!checker.pointer("node_ptr", doc.spec("nodes").shape[0]!)) return;
  const levels = checkLevels(checker, meta);
  if (!levels) return;
  if (doc.has("seed_count")) checkSeedCounts(checker, levels);
  for (let h = 0; h < Math.max(meta.hops, 1); h++) {
    const square = meta.hops === 0;
    checkBlock(
      checker,
      h,
      levels.map((sizes) => square ? sizes.at(-1)! : sizes[h]!),
      levels.map((sizes) => square ? sizes.at(-1)! : sizes[h + 1]!),
    );
  }
}
