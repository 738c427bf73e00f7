/** Node features as dense float32, a few columns at a time: sparse ones are never made dense at once. */
import { type Arena, Engine, hostArray, type TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { csrColumns, sliceColumns } from "../../ffi/native_rows.ts";
import type { Csr } from "../graph/csr.ts";
import { columnStats, type FeatNorm, type FeatStats, prepareFeatures, rowScale } from "../graph/features.ts";
import type { Features } from "../graph/graph.ts";
import { SparseOperator } from "../tensor/operator.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface Columns {
  readonly numRows: number;
  readonly numCols: number;
  /** Columns first .. first + count as an F32 [numRows, count] tensor, in `arena` or in place. */
  take(arena: Arena, first: number, count: number): TensorHandle;
}

/** Columns of features that were prepared before. */
export function columnsOf(input: Tensor | SparseOperator): Columns {
  if (input instanceof SparseOperator) return sparseColumns(input);
  const { handle } = input;
  return {
    numRows: handle.rows,
    numCols: handle.cols,
    take(arena, first, count) {
      if (count === handle.cols) return handle;
      const out = arena.array("F32", handle.rows * count);
      sliceColumns(hostArray(handle), handle.cols, first, count, out);
      return arena.bind(out, [handle.rows, count]);
    },
  };
}

function sparseColumns({ pattern, scales, numRows, numCols }: SparseOperator): Columns {
  const csr: Csr = {
    ...pattern.hostCsr(),
    values: scales.values ? hostArray(scales.values.handle, "F32") : null,
  };
  return {
    numRows,
    numCols,
    take(arena, first, count) {
      const out = arena.array("F32", numRows * count);
      csrColumns(csr, first, count, out);
      return arena.bind(out, [numRows, count]);
    },
  };
}

/** Rows whose norm is taken at once. */
const ROW_BYTES = 16 * 2 ** 20;

/** Columns of stored features, normalised as asked; and the statistics of "standard". */
export interface PreparedColumns extends Columns {
  readonly stats: FeatStats | null;
}

/**
 * The same numbers as core/graph/features.ts gives for all columns at once.
 *
 * @param arena  holds what all columns share: sparse values, row scales.
 * @param trainNodes  what "standard" takes its statistics from.
 * @throws {GustError} (usage) for "standard" on sparse features.
 */
export function preparedColumns(
  engine: Engine,
  arena: Arena,
  features: Features,
  norm: FeatNorm,
  trainNodes: BigInt64Array | null,
): PreparedColumns {
  const { numFeatures } = features;
  if (features.kind === "csr") {
    const { input } = prepareFeatures(engine, arena, features, norm, trainNodes);
    return { ...sparseColumns(input as SparseOperator), stats: null };
  }
  const { array, scale: columnScale } = features;
  const numRows = numFeatures === 0 ? 0 : array.length / numFeatures;
  const scale = norm === "row" || norm === "l2" ? scales(engine, arena, features, numRows, norm) : null;
  const stats = norm === "standard" ? columnStats(engine, features, trainNodes) : null;
  return {
    numRows,
    numCols: numFeatures,
    stats,
    take(to, first, count) {
      let stored: NativeArray = array;
      if (count < numFeatures) {
        const chunk = to.array(array.dtype, numRows * count);
        sliceColumns(array, numFeatures, first, count, chunk);
        stored = chunk;
      }
      const part = {
        kind: "dense",
        numFeatures: count,
        array: stored,
        scale: columnScale && columnScale.slice(first, count),
      } as const;
      const own = stats &&
        { mean: to.rows(stats.mean, first, count), inverseStd: to.rows(stats.inverseStd, first, count) };
      const x = (prepareFeatures(engine, to, part, scale ? "none" : norm, null, own).input as Tensor).handle;
      if (!scale) return x;
      const out = to.tensor("F32", [numRows, count]);
      engine.run("row_scale", { x, scale, out });
      return out;
    },
  };
}

/** What each row is multiplied by, taken over all columns in blocks of rows. */
function scales(
  engine: Engine,
  arena: Arena,
  { array, numFeatures: numCols, scale: columnScale }: Features & { kind: "dense" },
  numRows: number,
  norm: "row" | "l2",
): TensorHandle {
  const scale = arena.tensor("F32", [numRows]);
  const block = engine.arena();
  const step = Math.max(1, Math.floor(ROW_BYTES / (4 * Math.max(1, numCols))));
  for (let row = 0; row < numRows; row += step) {
    const count = Math.min(step, numRows - row);
    const part = {
      kind: "dense",
      numFeatures: numCols,
      array: array.slice(row * numCols, count * numCols),
      scale: columnScale,
    } as const;
    const x = (prepareFeatures(engine, block, part, "none", null).input as Tensor).handle;
    rowScale(engine, x, norm, block.tensor("F32", [count, numCols]), block.rows(scale, row, count));
    block.reset();
  }
  block.destroy();
  return scale;
}
