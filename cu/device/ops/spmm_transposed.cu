// out = A^T @ (left * x) without A's transpose:
//   out[j, :] = sum over entries e = (i, j) of values[e] * left[i] * x[i, :].
//
// Threads: the entries are sorted by column (transpose.h), and the columns are then the rows of a sparse product
//   (spmm.cu) that takes its values in the order of the sort.
// Memory: the sort, 40 bytes per entry and pass or so, and nnz * f reads of rows of x, in order inside a column.
// Determinism: the sort is stable: a number is added up in order of the rows of A.
#include "aggregate.h"
#include "transpose.h"

GUST_OPS_BEGIN

void spmm_transposed(const spmm_transposed_args& args, Context& context) {
  const Slot &indices = context.slot(args.indices), &x = context.slot(args.x), &out = context.slot(args.out);
  if (out.size() == 0) return;
  const int64_t entries = indices.size(), m = out.rows;
  int64_t *starts = context.scratch<int64_t>(m + 1), *rows = context.scratch<int64_t>(entries);
  int64_t* order = context.scratch<int64_t>(entries);
  transpose(context, context.slot(args.indptr).as<int64_t>(), x.rows, Index(indices), entries, m, starts, rows, order);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    Aggregate<T> a{starts, m, entries, out.cols, Index(rows),
                   x.data, x.dtype, out.as<T>(), nothing_follows<T>(context)};
    a.values = context.slot(args.values).as<T>();
    a.order = order;
    a.right = context.slot(args.left).as<T>();
    aggregate(a, context);
  });
}

GUST_OPS_END
