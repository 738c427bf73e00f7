/**
 * The op table: every tensor operation of the native library, once.
 *
 * A row gives the fields of the op's argument block in order (op_row.ts). `build/generated/ops.h` (structs, static
 * asserts, op numbers) is generated from here by ffi/generate.ts, and ffi/engine.ts checks dtypes and shapes of every
 * call against here, so that the two sides cannot drift and kernels never validate.
 */
import {
  columnsInside,
  float,
  fromTheFirst,
  headsFit,
  input,
  int,
  oneSegment,
  type OpRow,
  optional,
  optionalFloat,
  optionalInt,
  optionalOutput,
  output,
  row,
  rowsAmong,
  step,
} from "./op_row.ts";

/** Element-wise functions of the `unary` op; `alpha` is the op's float. */
export const unaryKinds = {
  exp: 0,
  log: 1,
  tanh: 2,
  sigmoid: 3,
  sqrt: 4,
  reciprocal: 5, // 1 / x, and 0 where x = 0
  power: 6, // x ^ alpha, and 0 where x = 0 and alpha < 0
  abs: 7,
  sign: 8,
  max_scalar: 9, // max(x, alpha)
  expm1: 10, // exp(x) - 1
  softplus: 11, // log(1 + exp(x)), without overflow
  normal_cdf: 12, // the normal distribution function, (1 + erf(x / sqrt 2)) / 2
  elu: 13, // x where x > 0, else exp(x) - 1
  gelu: 14, // x * normal_cdf(x)
  silu: 15, // x * sigmoid(x)
} as const;

/** Activations of the `epilogue` op: those whose derivative is a function of their value. */
export const activationKinds = {
  none: 0,
  relu: 1, // x where x > 0, else slope * x
  elu: 2,
  tanh: 3,
} as const;

/** Reductions of `spmm` and `segment_reduce`. An empty row or segment gives 0. */
export const reductions = { sum: 0, mean: 1, max: 2, min: 3 } as const;

export const ops = {
  // ---- dense, element-wise ----
  fill: row("out = value", { out: output("any", "n", "f"), value: float }),
  cast: row("out = x, converted (stored to stored)", {
    x: input("any", "n", "f"),
    out: output("any", "n", "f"),
  }),
  axpby: row("out = alpha * x + beta * y (y may be absent; out may be x or y)", {
    x: input("real", "n", "f"),
    y: optional("real", "n", "f"),
    out: output("real", "n", "f"),
    alpha: float,
    beta: float,
  }),
  mul: row("out = x * y, element by element", {
    x: input("real", "n", "f"),
    y: input("real", "n", "f"),
    out: output("real", "n", "f"),
  }),
  unary: row("out = function(x); `kind` is one of unaryKinds", {
    x: input("real", "n", "f"),
    out: output("real", "n", "f"),
    kind: int,
    alpha: float,
  }),
  relu: row("out = x where x > 0, else slope * x", {
    x: input("real", "n", "f"),
    out: output("real", "n", "f"),
    slope: float,
  }),
  relu_backward: row("out = g where x > 0, else slope * g", {
    g: input("real", "n", "f"),
    x: input("real", "n", "f"),
    out: output("real", "n", "f"),
    slope: float,
  }),
  add_bias: row("out[i, j] = x[i, j] + bias[j] (out may be x)", {
    x: input("real", "n", "f"),
    bias: input("real", "f"),
    out: output("real", "n", "f"),
  }),
  column_affine: row(
    "out[i, j] = scale[j] * x[i, j] + shift[j]; scale or shift may be absent (out may be x)",
    {
      x: input("real", "n", "f"),
      scale: optional("real", "f"),
      shift: optional("real", "f"),
      out: output("real", "n", "f"),
    },
  ),
  row_scale: row("out[i, j] = scale[i] * x[i, j] (out may be x)", {
    x: input("real", "n", "f"),
    scale: input("real", "n"),
    out: output("real", "n", "f"),
  }),
  column_sum: row("out[j] = sum over i of x[i, j], in fixed chunks", {
    x: input("real", "n", "f"),
    out: output("real", "f"),
  }),
  row_sum: row("out[i] = sum over j of x[i, j]", { x: input("real", "n", "f"), out: output("real", "n") }),
  row_dot: row("out[i] = sum over j of x[i, j] * y[i, j]", {
    x: input("real", "n", "f"),
    y: input("real", "n", "f"),
    out: output("real", "n"),
  }),
  row_norm: row(
    "out[i] = scale[i] * the Euclidean norm of x[i, :] (scale may be absent), accumulated in float64",
    {
      x: input("stored", "n", "f"),
      scale: optional("real", "n"),
      out: output("real", "n"),
    },
  ),
  total_sum: row("out[0] = sum of x, in fixed chunks, accumulated in float64", {
    x: input("real", "n", "f"),
    out: output("real", "1"),
  }),
  broadcast_rows: row("out[i, j] = x[j]", { x: input("real", "f"), out: output("real", "n", "f") }),
  broadcast_columns: row("out[i, j] = x[i]", { x: input("real", "n"), out: output("real", "n", "f") }),
  broadcast_scalar: row("out[i, j] = x[0]", { x: input("real", "1"), out: output("real", "n", "f") }),
  dropout: row("out = x / (1 - p) where kept, else 0; draw j of row id (ids absent: the row number)", {
    x: input("real", "n", "f"),
    ids: optional("index", "n"),
    out: output("real", "n", "f"),
    p: float,
    stream: int,
    layer: int,
  }),
  epilogue: row(
    "out = dropout(activation(x + y + bias)): y, which may end before x, bias and dropout (p = 0) may be absent, `kind` " +
      "is one of activationKinds; the mask is that of dropout (out may be x or y)",
    {
      x: input("real", "n", "f"),
      y: optional("real", "l", "f"),
      bias: optional("real", "f"),
      ids: optional("index", "n"),
      out: output("real", "n", "f"),
      kind: int,
      slope: float,
      p: float,
      stream: int,
      layer: int,
    },
    { verify: ({ y, out }) => fromTheFirst("y", y, out!.rows) },
  ),
  epilogue_backward: row(
    "out = gradient of epilogue to x, which is that to y, from the value of epilogue (slope at least 0); d_bias = the " +
      "column sums of out",
    {
      g: input("real", "n", "f"),
      value: input("real", "n", "f"),
      ids: optional("index", "n"),
      out: output("real", "n", "f"),
      d_bias: optionalOutput("real", "f"),
      kind: int,
      slope: float,
      p: float,
      stream: int,
      layer: int,
    },
  ),
  dropout_csr: row("the same on CSR values: draw number = position inside the row", {
    indptr: input("I64", "n+1"),
    values: optional("real", "e"),
    ids: optional("index", "n"),
    out: output("real", "e"),
    p: float,
    stream: int,
    layer: int,
  }),
  csr_dropout: row(
    "the CSR matrix of the entries that dropout_csr keeps, values / (1 - p); the outputs have room for all entries",
    {
      indptr: input("I64", "n+1"),
      indices: input("index", "e"),
      values: optional("real", "e"),
      ids: optional("index", "n"),
      out_indptr: output("I64", "n+1"),
      out_indices: output("index", "e"),
      out_values: optionalOutput("real", "e"),
      p: float,
      stream: int,
      layer: int,
    },
  ),
  uniform: row("out = low + (high - low) * u; draw j of row i, step and epoch from the step block", {
    out: output("real", "n", "f"),
    low: float,
    high: float,
    stream: int,
    layer: int,
  }),
  put_columns: row("out[:, at .. at + columns of x) = x; the other columns stay", {
    x: input("real", "n", "f"),
    out: output("real", "n", "m"),
    at: int,
  }, { verify: ({ x, out, at }) => columnsInside(at!, x!.cols, out!.cols) }),
  take_columns: row("out = x[:, at .. at + columns of out)", {
    x: input("real", "n", "m"),
    out: output("real", "n", "f"),
    at: int,
  }, { verify: ({ x, out, at }) => columnsInside(at!, out!.cols, x!.cols) }),
  row_normalize: row(
    "out[i, :] = (x[i, :] - mean of the row) * inverse[i], inverse = 1 / sqrt(variance + eps)",
    {
      x: input("real", "n", "f"),
      out: output("real", "n", "f"),
      inverse: output("real", "n"),
      eps: float,
    },
  ),
  row_normalize_backward: row(
    "out[i, :] = inverse[i] * (g - mean of g - y * mean of g * y), y = row_normalize(x)",
    {
      g: input("real", "n", "f"),
      y: input("real", "n", "f"),
      inverse: input("real", "n"),
      out: output("real", "n", "f"),
    },
  ),
  log_softmax: row("out[i, :] = x[i, :] - logsumexp(x[i, :])", {
    x: input("real", "n", "f"),
    out: output("real", "n", "f"),
  }),
  argmax: row("out[i] = first j with the largest x[i, j]", {
    x: input("real", "n", "f"),
    out: output("I32", "n"),
  }),

  // ---- dense products ----
  gemm: row(
    "out = alpha * op(a) @ op(b) + beta * out; op transposes where trans_* = 1; then out = epilogue of it with " +
      "y = addend, or with y = alpha * op(a2) @ op(b2)",
    {
      a: input("real", "ar", "ac"),
      b: input("real", "br", "bc"),
      out: output("real", "m", "n"),
      trans_a: int,
      trans_b: int,
      alpha: float,
      beta: float,
      addend: optional("real", "l", "n"),
      bias: optional("real", "n"),
      ids: optional("index", "m"),
      kind: optionalInt,
      slope: optionalFloat,
      p: optionalFloat,
      stream: optionalInt,
      layer: optionalInt,
      a2: optional("real", "cr", "cc"),
      b2: optional("real", "dr", "dc"),
    },
    {
      verify({ a, b, out, trans_a, trans_b, addend, a2, b2 }) {
        if (!a2 !== !b2 || (a2 && addend)) return "one of addend and both of a2 and b2, or none of them";
        for (const [x, y] of a2 ? [[a!, b!], [a2, b2!]] as const : [[a!, b!]] as const) {
          const [m, k] = trans_a ? [x.cols, x.rows] : [x.rows, x.cols];
          const [k2, n] = trans_b ? [y.cols, y.rows] : [y.rows, y.cols];
          if (k !== k2) return `inner dimensions are ${k} and ${k2}`;
          if (out!.rows !== m || out!.cols !== n) {
            return `out: [${out!.rows}, ${out!.cols}], expected [${m}, ${n}]`;
          }
        }
        return fromTheFirst("addend", addend, out!.rows);
      },
    },
  ),

  // ---- rows by index ----
  gather: row(
    "out[i, :] = x[j, :], j = index[i] (0 where it is negative), or hot[place[j], :] where place[j] is not negative; " +
      "stored x is converted",
    {
      x: input("any", "m", "f"),
      index: input("index", "n"),
      out: output("any", "n", "f"),
      hot: optional("any", "h", "f"),
      place: optional("I32", "m"),
    },
    {
      verify: ({ hot, place }) => !hot === !place ? null : "one of hot and place, expected both or none",
    },
  ),
  scatter_add: row(
    "out[index[i], :] += x[i, :], in order of i (index < 0 is left out); out is zeroed first",
    {
      x: input("real", "n", "f"),
      index: input("index", "n"),
      out: output("real", "m", "f"),
    },
  ),

  // ---- sparse ----
  spmm: row(
    "out[i] = left[i] * reduce over e in row i of values[v(e)] * right[j] * x[j] + diagonal[i] * x[o(i)], " +
      "j = indices[e], v(e) = order[e] or e, o(i) = own[i] or i; " +
      "max and min write the number of the winning edge, the first of equals, to arg (-1: none); " +
      "then out = epilogue of it with y = addend",
    {
      indptr: input("I64", "n+1"),
      indices: input("index", "e"),
      values: optional("real", "e"),
      order: optional("I64", "e"),
      left: optional("real", "n"),
      right: optional("real", "m"),
      diagonal: optional("real", "n"),
      own: optional("I64", "n"),
      x: input("stored", "m", "f"),
      out: output("real", "n", "f"),
      arg: optionalOutput("I64", "n", "f"),
      reduce: int,
      addend: optional("real", "l", "f"),
      bias: optional("real", "f"),
      ids: optional("index", "n"),
      kind: optionalInt,
      slope: optionalFloat,
      p: optionalFloat,
      stream: optionalInt,
      layer: optionalInt,
    },
    {
      verify({ x, out, diagonal, own, addend }) {
        return diagonal && !own && out!.rows > x!.rows
          ? `diagonal: x has ${x!.rows} rows, expected ${out!.rows} or more`
          : fromTheFirst("addend", addend, out!.rows);
      },
    },
  ),
  spmm_transposed: row(
    "out[j] = sum over entries e = (i, j) of values[e] * left[i] * x[i]: the product with the transpose of the matrix",
    {
      indptr: input("I64", "n+1"),
      indices: input("index", "e"),
      values: optional("real", "e"),
      left: optional("real", "n"),
      x: input("real", "n", "f"),
      out: output("real", "m", "f"),
    },
  ),
  spmm_arg_backward: row(
    "out[j, c] = sum over i with arg[i, c] an edge to j of values[e] * g[i, c]; indices absent: edge e leads to row e",
    {
      arg: input("I64", "n", "f"),
      indices: optional("index", "e"),
      values: optional("real", "e"),
      g: input("real", "n", "f"),
      out: output("real", "m", "f"),
    },
  ),
  spmm_arg_gather: row(
    "out[i, c] = values[e] * x[indices[e], c] with e = arg[i, c], 0 where it is -1; the adjoint of spmm_arg_backward",
    {
      arg: input("I64", "n", "f"),
      indices: optional("index", "e"),
      values: optional("real", "e"),
      x: input("real", "m", "f"),
      out: output("real", "n", "f"),
    },
  ),
  sddmm: row("out[e] = left[i] * right[j] * <x[i], y[j]> for edge e = (i, j)", {
    indptr: input("I64", "n+1"),
    indices: input("index", "e"),
    left: optional("real", "n"),
    right: optional("real", "m"),
    x: input("real", "n", "f"),
    y: input("real", "m", "f"),
    out: output("real", "e"),
  }),
  edge_sum: row("out[e, :] = x[i, :] + y[j, :] for edge e = (i, j)", {
    indptr: input("I64", "n+1"),
    indices: input("index", "e"),
    x: input("real", "n", "f"),
    y: input("real", "m", "f"),
    out: output("real", "e", "f"),
  }),
  spmm_heads: row(
    "out[i, k] = sum over e in row i of values[e, h] * x[indices[e], k], where columns k are cut into h equal heads",
    {
      indptr: input("I64", "n+1"),
      indices: input("index", "e"),
      values: input("real", "e", "h"),
      x: input("real", "m", "f"),
      out: output("real", "n", "f"),
    },
    { verify: ({ values, x }) => headsFit(values!.cols, x!.cols) },
  ),
  sddmm_heads: row("out[e, h] = <x[i], y[j]> over the columns of head h, for edge e = (i, j)", {
    indptr: input("I64", "n+1"),
    indices: input("index", "e"),
    x: input("real", "n", "f"),
    y: input("real", "m", "f"),
    out: output("real", "e", "h"),
  }, { verify: ({ x, out }) => headsFit(out!.cols, x!.cols) }),
  head_dots: row(
    "out[i, h] = <x[i], a> over the columns of head h; where b is given, out_b is the same with b",
    {
      x: input("real", "n", "f"),
      a: input("real", "f"),
      b: optional("real", "f"),
      out: output("real", "n", "h"),
      out_b: optionalOutput("real", "n", "h"),
    },
    { verify: ({ x, out }) => headsFit(out!.cols, x!.cols) },
  ),
  head_scale: row("out[i, k] = g[i, h] * a[k], column k being of head h", {
    g: input("real", "n", "h"),
    a: input("real", "f"),
    out: output("real", "n", "f"),
  }, { verify: ({ g, out }) => headsFit(g!.cols, out!.cols) }),
  head_sums: row(
    "out[k] = sum over i of g[i, h] * x[i, k], column k being of head h, in fixed chunks; where g_b is given, out_b is " +
      "the same with g_b",
    {
      g: input("real", "n", "h"),
      g_b: optional("real", "n", "h"),
      x: input("real", "n", "f"),
      out: output("real", "f"),
      out_b: optionalOutput("real", "f"),
    },
    { verify: ({ g, x }) => headsFit(g!.cols, x!.cols) },
  ),
  attention: row(
    "out[i, k] = sum over e in row i of mask * alpha[e, h] * x[j, k], alpha = softmax over the row of leaky(row[i, h] + " +
      "column[j, h]), column k being of head h, j = indices[e]; mask as in dropout_edges. For the gradient: sloped, the " +
      "same sum with the slope of leaky as a further factor, top and total of the softmax, and mean_slope, the sum of " +
      "alpha * slope",
    {
      indptr: input("I64", "n+1"),
      indices: input("index", "e"),
      row: input("real", "n", "h"),
      column: input("real", "m", "h"),
      x: input("real", "m", "f"),
      ids: optional("index", "m"),
      out: output("real", "n", "f"),
      sloped: optionalOutput("real", "n", "f"),
      top: optionalOutput("real", "n", "h"),
      total: optionalOutput("real", "n", "h"),
      mean_slope: optionalOutput("real", "n", "h"),
      slope: float,
      p: float,
      stream: int,
      layer: int,
    },
    { verify: ({ row, x }) => headsFit(row!.cols, x!.cols) ?? rowsAmong(row!.rows, x!.rows) },
  ),
  attention_backward: row(
    "gradients of attention where row = head_dots(x, left) and column = head_dots(x, right): dx to x through all three, " +
      "d_row and d_column to the scores of every row of x; indptr and indices are of the transpose",
    {
      indptr: input("I64", "m+1"),
      indices: input("index", "e"),
      row: input("real", "n", "h"),
      column: input("real", "m", "h"),
      x: input("real", "m", "f"),
      left: input("real", "f"),
      right: input("real", "f"),
      ids: optional("index", "m"),
      g: input("real", "n", "f"),
      out: input("real", "n", "f"),
      sloped: input("real", "n", "f"),
      top: input("real", "n", "h"),
      total: input("real", "n", "h"),
      mean_slope: input("real", "n", "h"),
      dx: output("real", "m", "f"),
      d_row: output("real", "m", "h"),
      d_column: output("real", "m", "h"),
      slope: float,
      p: float,
      stream: int,
      layer: int,
    },
    { verify: ({ row, x }) => headsFit(row!.cols, x!.cols) ?? rowsAmong(row!.rows, x!.rows) },
  ),
  dropout_edges: row(
    "out[e, h] = x[e, h] / (1 - p) where kept, else 0; draw h of an id that is a hash of the edge's original nodes " +
      "(ids[i], ids[j]; ids absent: the numbers themselves)",
    {
      indptr: input("I64", "n+1"),
      indices: input("index", "e"),
      x: input("real", "e", "h"),
      ids: optional("index", "m"),
      out: output("real", "e", "h"),
      p: float,
      stream: int,
      layer: int,
    },
  ),
  csr_transpose: row("CSR of the transpose, rows in order of the old rows; order[e'] = old edge number", {
    indptr: input("I64", "n+1"),
    indices: input("index", "e"),
    out_indptr: output("I64", "m+1"),
    out_indices: output("index", "e"),
    order: output("I64", "e"),
  }),
  csr_slice_transposed: row(
    "CSR of the transpose of the rows that `rows` lists (ascending): row j holds the listed rows i with an entry (i, j), " +
      "ascending and numbered as in the matrix; order[e'] = old entry number; s = entries of the listed rows",
    {
      indptr: input("I64", "n+1"),
      indices: input("index", "e"),
      rows: input("I64", "k"),
      out_indptr: output("I64", "m+1"),
      out_indices: output("index", "s"),
      order: optionalOutput("I64", "s"),
    },
  ),
  csr_row_sum: row("out[i] = sum of |values[e]|^power over row i (values absent: ones; power 0 counts)", {
    indptr: input("I64", "n+1"),
    values: optional("real", "e"),
    out: output("real", "n"),
    power: float,
  }),
  csr_scale: row("out[e] = left[i] * values[e] * right[j]; any factor may be absent", {
    indptr: input("I64", "n+1"),
    indices: input("index", "e"),
    values: optional("real", "e"),
    left: optional("real", "n"),
    right: optional("real", "m"),
    out: output("real", "e"),
  }),
  csr_to_dense: row("out = the dense matrix; duplicates add up", {
    indptr: input("I64", "n+1"),
    indices: input("index", "e"),
    values: optional("real", "e"),
    out: output("real", "n", "f"),
  }),
  segment_reduce: row("out[s, :] = reduce of x[indptr[s] .. indptr[s+1], :]; arg as in spmm", {
    indptr: input("I64", "s+1"),
    x: input("real", "n", "f"),
    out: output("real", "s", "f"),
    arg: optionalOutput("I64", "s", "f"),
    reduce: int,
  }),
  segment_broadcast: row("out[i, :] = x[s, :] for i in segment s; mean = 1 divides by the segment's length", {
    indptr: input("I64", "s+1"),
    x: input("real", "s", "f"),
    out: output("real", "n", "f"),
    mean: int,
  }),
  segment_softmax: row("out = softmax of x inside each segment, column by column", {
    indptr: input("I64", "s+1"),
    x: input("real", "n", "f"),
    out: output("real", "n", "f"),
  }),
  segment_top: row(
    "out = the rows of each segment with the largest scores x, ascending; as many as out_indptr has room for",
    {
      indptr: input("I64", "s+1"),
      x: input("real", "n"),
      out_indptr: input("I64", "s+1"),
      out: output("I64", "k"),
    },
  ),

  segment_norm: row(
    "out = gamma * c / sqrt(moment + eps) + beta with c = x - alpha * mean, mean and moment (of c^2) over the rows of " +
      "each segment; indptr absent: one segment of all rows; alpha, gamma absent: 1, beta: 0",
    {
      indptr: optional("I64", "s+1"),
      x: input("real", "n", "f"),
      alpha: optional("real", "f"),
      gamma: optional("real", "f"),
      beta: optional("real", "f"),
      mean: output("real", "s", "f"),
      moment: output("real", "s", "f"),
      out: output("real", "n", "f"),
      eps: float,
    },
    { verify: ({ indptr, mean }) => oneSegment(indptr, mean!.rows) },
  ),
  segment_norm_backward: row(
    "gradients of segment_norm to x, and per segment to alpha, gamma and beta (their sums over segments are the " +
      "parameters' gradients)",
    {
      indptr: optional("I64", "s+1"),
      x: input("real", "n", "f"),
      alpha: optional("real", "f"),
      gamma: optional("real", "f"),
      mean: input("real", "s", "f"),
      moment: input("real", "s", "f"),
      g: input("real", "n", "f"),
      out: output("real", "n", "f"),
      d_alpha: output("real", "s", "f"),
      d_gamma: output("real", "s", "f"),
      d_beta: output("real", "s", "f"),
      eps: float,
    },
    { verify: ({ indptr, mean }) => oneSegment(indptr, mean!.rows) },
  ),

  // ---- losses and scores ----
  softmax_cross_entropy: row(
    "out[0] = sum over r of weight[r] * -log softmax(x[index[r]])[label[index[r]]] / total; total = sum of weight " +
      "(absent: ones), or 1 for sum = 1; negative labels are left out; index absent: every row",
    {
      x: input("real", "n", "c"),
      label: input("I32", "n"),
      index: optional("index", "r"),
      weight: optional("real", "r"),
      out: output("real", "1"),
      sum: int,
    },
  ),
  softmax_cross_entropy_backward: row("out = g[0] * gradient of the loss; rows not in index are 0", {
    x: input("real", "n", "c"),
    label: input("I32", "n"),
    index: optional("index", "r"),
    weight: optional("real", "r"),
    g: input("real", "1"),
    out: output("real", "n", "c"),
    sum: int,
  }),
  label_weights: row("out[i, label[i]] = weight / total of row i in the loss above, 0 elsewhere", {
    label: input("I32", "n"),
    index: optional("index", "r"),
    weight: optional("real", "r"),
    out: output("real", "n", "c"),
    sum: int,
  }),
  count_correct: row("out[0] = rows of index whose argmax is their label, out[1] = rows with a label", {
    x: input("real", "n", "c"),
    label: input("I32", "n"),
    index: optional("index", "r"),
    out: output("I64", "2"),
  }),

  // ---- optimizers (in place; rates and bias corrections come from the step block) ----
  sgd: row(
    "v = momentum * v + g; param -= lr * (v, or g + momentum * v for nesterov); g includes weight_decay * param",
    {
      param: output("real", "n", "f"),
      grad: input("real", "n", "f"),
      velocity: optionalOutput("real", "n", "f"),
      lr: step,
      momentum: float,
      nesterov: int,
      weight_decay: float,
    },
  ),
  adam: row(
    "Kingma and Ba 2015, bias-corrected by step words 1 - beta^t; weight_decay goes into g, or, decoupled = 1 " +
      "(AdamW), shrinks param by lr * weight_decay first",
    {
      param: output("real", "n", "f"),
      grad: input("real", "n", "f"),
      m: output("real", "n", "f"),
      v: output("real", "n", "f"),
      lr: step,
      correction1: step,
      correction2: step,
      beta1: float,
      beta2: float,
      eps: float,
      weight_decay: float,
      decoupled: int,
    },
  ),
} as const satisfies Record<string, OpRow>;

export type OpName = keyof typeof ops;
export const opNames = Object.keys(ops) as OpName[];
