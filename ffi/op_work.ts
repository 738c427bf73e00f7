/**
 * What ops move and compute, by their arguments: the other half of a profile, whose native half is times.
 *
 * Streamed bytes are arrays that are gone through once, in order. Gathered bytes are rows of a table that are read where
 * an index array leads: memory is slower at that, and caches may serve the same row again. An op without an entry here
 * streams every input and every output once. Bytes are the least that the op has to move, so that a limit made of them
 * is never below what is possible.
 */
import { dtypes } from "./dtype.ts";
import type { TensorHandle } from "./engine.ts";
import { type OpName, ops } from "./ops.ts";
import type { OpRow } from "./op_row.ts";

export interface Work {
  readonly streamedBytes: number;
  readonly gathered: Gathered | null;
  /** Multiplications and additions of products; 0 where memory alone sets the pace. */
  readonly flops: number;
}

/** Rows read (or, by scatters, written) by index. */
export interface Gathered {
  readonly indices: TensorHandle;
  readonly tableRows: number;
  readonly rowBytes: number;
  readonly bytes: number;
}

/** The arguments of an op as its function reads them: what a row declares is there, or absent where it is optional. */
export type OpOperands = Readonly<Record<string, TensorHandle & number>>;
type WorkFunction = (args: OpOperands) => Partial<Work>;

const bytesOf = ({ dtype, rows, cols }: TensorHandle) => rows * cols * dtypes[dtype].size;
const sum = (...tensors: readonly (TensorHandle | null | undefined)[]) =>
  tensors.reduce((bytes, t) => bytes + (t ? bytesOf(t) : 0), 0);

/** Rows of `table`, one for each of `indices`. */
function rowsOf(table: TensorHandle, indices: TensorHandle): Gathered {
  const rowBytes = table.cols * dtypes[table.dtype].size;
  return { indices, tableRows: table.rows, rowBytes, bytes: indices.rows * rowBytes };
}

/** Elements of CSR arrays that a winner per output element is looked up in: at most all of them. */
const lookedUp = (count: number, ...arrays: readonly (TensorHandle | null | undefined)[]) =>
  arrays.reduce((bytes, t) => bytes + (t ? Math.min(count, t.rows) * dtypes[t.dtype].size : 0), 0);

/** Rows of the logits that count: those of `index`, or all of them. */
function scoredRows({ x, label, index }: OpOperands): Partial<Work> {
  if (!index) return {};
  return { streamedBytes: index.rows * dtypes[label!.dtype].size + sum(index), gathered: rowsOf(x!, index) };
}

const workFunctions: Partial<Record<OpName, WorkFunction>> = {
  gemm: ({ a, b, out, trans_a, beta, addend, a2, b2 }) => ({
    streamedBytes: sum(a, b, a2, b2, out, addend) + (beta === 0 ? 0 : sum(out)),
    flops: 2 * out!.rows * out!.cols *
      [a!, ...(a2 ? [a2] : [])].reduce((k, x) => k + (trans_a ? x.rows : x.cols), 0),
  }),
  put_columns: ({ x }) => ({ streamedBytes: 2 * sum(x) }),
  take_columns: ({ out }) => ({ streamedBytes: 2 * sum(out) }),
  gather: ({ x, index, out }) => ({ streamedBytes: sum(index, out), gathered: rowsOf(x!, index!) }),
  scatter_add: ({ x, index, out }) => ({ streamedBytes: sum(x, index, out), gathered: rowsOf(out!, index!) }),
  spmm: ({ indptr, indices, values, order, left, right, diagonal, x, out, arg, addend }) => ({
    streamedBytes: sum(indptr, indices, values, order, left, right, diagonal, out, arg, addend),
    gathered: rowsOf(x!, indices!),
    flops: 2 * indices!.rows * x!.cols,
  }),
  spmm_transposed: ({ indptr, indices, values, left, x, out }) => ({
    streamedBytes: sum(indptr, indices, values, left, x),
    gathered: rowsOf(out!, indices!),
    flops: 2 * indices!.rows * x!.cols,
  }),
  spmm_heads: ({ indptr, indices, values, x, out }) => ({
    streamedBytes: sum(indptr, indices, values, out),
    gathered: rowsOf(x!, indices!),
    flops: 2 * indices!.rows * x!.cols,
  }),
  spmm_arg_backward: ({ arg, indices, values, g, out }) => ({
    streamedBytes: sum(arg, g, out) + lookedUp(arg!.rows * arg!.cols, indices, values),
  }),
  spmm_arg_gather: ({ arg, indices, values, out }) => ({
    streamedBytes: sum(arg, out) + lookedUp(arg!.rows * arg!.cols, indices, values),
  }),
  sddmm: ({ indptr, indices, left, right, x, y, out }) => ({
    streamedBytes: sum(indptr, indices, left, right, x, out),
    gathered: rowsOf(y!, indices!),
    flops: 2 * indices!.rows * x!.cols,
  }),
  sddmm_heads: ({ indptr, indices, x, y, out }) => ({
    streamedBytes: sum(indptr, indices, x, out),
    gathered: rowsOf(y!, indices!),
    flops: 2 * indices!.rows * x!.cols,
  }),
  // Sums of rows of x weighted by alpha, and by alpha times the slope where the gradient will want them.
  attention: ({ indptr, indices, row, column, x, out, sloped, top, total, mean_slope }) => ({
    streamedBytes: sum(indptr, indices, row, column, out, sloped, top, total, mean_slope),
    gathered: rowsOf(x!, indices!),
    flops: (sloped ? 4 : 2) * indices!.rows * x!.cols,
  }),
  attention_backward: ({ indptr, indices, g, ids: _, ...rest }) => ({
    streamedBytes: sum(indptr, indices, g, ...Object.values(rest).filter((t) => typeof t === "object")),
    gathered: rowsOf(g!, indices!),
    flops: 4 * indices!.rows * g!.cols,
  }),
  edge_sum: ({ indptr, indices, x, y, out }) => ({
    streamedBytes: sum(indptr, indices, x, out),
    gathered: rowsOf(y!, indices!),
  }),
  softmax_cross_entropy: scoredRows,
  softmax_cross_entropy_backward: (args) => {
    const { streamedBytes = sum(args["x"], args["label"]), ...rest } = scoredRows(args);
    return { ...rest, streamedBytes: streamedBytes + sum(args["out"]) };
  },
  label_weights: ({ label, index, out }) => ({
    streamedBytes: (index ?? label)!.rows * dtypes[label!.dtype].size + sum(index, out),
  }),
  count_correct: scoredRows,
  // Of the matrix the listed rows alone are read, their columns twice: to count and to place.
  csr_slice_transposed: ({ indices, rows, out_indptr, out_indices, order }) => ({
    streamedBytes: 3 * sum(rows) + 2 * out_indices!.rows * dtypes[indices!.dtype].size +
      sum(out_indptr, out_indices, order),
  }),
  // In place: what is updated is read as well.
  sgd: ({ param, grad, velocity }) => ({ streamedBytes: 2 * sum(param, velocity) + sum(grad) }),
  adam: ({ param, grad, m, v }) => ({ streamedBytes: 2 * sum(param, m, v) + sum(grad) }),
};

/** Bytes of all tensors among the arguments. */
function allBytes(op: OpName, args: OpOperands): number {
  const slots = Object.entries((ops[op] as OpRow).fields).filter(([, { kind }]) => kind === "slot");
  return sum(...slots.map(([name]) => args[name]));
}

/** What a call of an op moves and computes. */
export function workOf(op: OpName, args: OpOperands): Work {
  const work = workFunctions[op]?.(args) ?? {};
  return {
    streamedBytes: work.streamedBytes ?? allBytes(op, args),
    gathered: work.gathered ?? null,
    flops: work.flops ?? 0,
  };
}
