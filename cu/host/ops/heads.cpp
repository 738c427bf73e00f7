// Attention over stored edges: products whose columns are cut into heads, each with a weight of its own per edge.
//
//   spmm_heads:  out[i, k] = sum over e in row i of values[e, head(k)] * x[j, k]      e = (i, j), head(k) = k / (f / h)
//   sddmm_heads: out[e, h] = sum over the columns k of head h of x[i, k] * y[j, k]
//   edge_sum:    out[e, k] = x[i, k] + y[j, k]
//
// Shapes: pattern (n, m) with nnz entries, values and out of sddmm (nnz, h), x (m, f) or (n, f), y (m, f).
// Owner: spmm_heads - whole rows (RowGrid), long ones by one thread each; the others - runs of entries.
// Memory: nnz * f reads at random rows, prefetched, plus nnz * h of weights: all heads in one pass.
// Determinism: a number is added up in the order of the row's entries; a dot product in the order of its columns.
// Source: Velickovic et al. 2018, arXiv:1710.10903, eq. 4-5.
#include "dense.h"
#include "head_width.h"
#include "prefetch.h"
#include "row_grid.h"

GUST_OPS_BEGIN
void spmm_heads(const spmm_heads_args& args, Context& context) {
  const Slot &indptr_slot = context.slot(args.indptr), &indices_slot = context.slot(args.indices);
  const Slot &values_slot = context.slot(args.values), &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  const int64_t* indptr = indptr_slot.as<int64_t>();
  const int64_t n = out_slot.rows, f = out_slot.cols, heads = values_slot.cols, nnz = indices_slot.size();
  if (n == 0 || f == 0) return;
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *values = values_slot.as<T>(), *x = x_slot.as<T>();
    T* out = out_slot.as<T>();
    const RowPrefetch prefetch(f * static_cast<int64_t>(sizeof(T)));
    dispatch_index(indices_slot.dtype, [&](auto index) {
      const auto* indices = indices_slot.as<decltype(index)>();
      with_width(f / heads, [&](auto fixed) {
        auto rows = [=](int64_t begin, int64_t end) {
          const int64_t width = fixed() ? fixed() : f / heads;
          for (int64_t i = begin; i < end; ++i) {
            T* sum = out + i * f;
            std::fill_n(sum, f, T{0});
            for (int64_t e = indptr[i]; e < indptr[i + 1]; ++e) {
              prefetch(x, static_cast<int64_t>(indices[std::min(e + prefetch.ahead, nnz - 1)]));
              const T* from = x + static_cast<int64_t>(indices[e]) * f;
              for (int64_t h = 0; h < heads; ++h) {
                const T weight = values[e * heads + h];
#pragma GCC ivdep
                for (int64_t k = h * width; k < h * width + width; ++k) sum[k] += weight * from[k];
              }
            }
          }
        };
        const std::vector<int64_t> hubs = RowGrid(indptr, n, f).for_rows(rows);
        parallel_for(static_cast<int64_t>(hubs.size()), 1, [&](int64_t h, int64_t) { rows(hubs[h], hubs[h] + 1); });
      });
    });
  });
}

void sddmm_heads(const sddmm_heads_args& args, Context& context) {
  const Slot &indptr_slot = context.slot(args.indptr), &indices_slot = context.slot(args.indices);
  const Slot &x_slot = context.slot(args.x), &y_slot = context.slot(args.y), &out_slot = context.slot(args.out);
  const int64_t* indptr = indptr_slot.as<int64_t>();
  const int64_t n = x_slot.rows, f = x_slot.cols, heads = out_slot.cols, nnz = indices_slot.size();
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *x = x_slot.as<T>(), *y = y_slot.as<T>();
    T* out = out_slot.as<T>();
    const RowPrefetch prefetch(f * static_cast<int64_t>(sizeof(T)));
    dispatch_index(indices_slot.dtype, [&](auto index) {
      const auto* indices = indices_slot.as<decltype(index)>();
      for_entries(indptr, n, row_grain(f), [=](int64_t i, int64_t begin, int64_t end) {
        const int64_t width = f / heads;
        for (int64_t e = begin; e < end; ++e) {
          prefetch(y, static_cast<int64_t>(indices[std::min(e + prefetch.ahead, nnz - 1)]));
          const T *a = x + i * f, *b = y + static_cast<int64_t>(indices[e]) * f;
          for (int64_t h = 0; h < heads; ++h)
            out[e * heads + h] = lane_sum<T>(width, [=](int64_t k) { return a[h * width + k] * b[h * width + k]; });
        }
      });
    });
  });
}

void edge_sum(const edge_sum_args& args, Context& context) {
  const Slot &indptr_slot = context.slot(args.indptr), &indices_slot = context.slot(args.indices);
  const Slot &x_slot = context.slot(args.x), &y_slot = context.slot(args.y), &out_slot = context.slot(args.out);
  const int64_t* indptr = indptr_slot.as<int64_t>();
  const int64_t n = x_slot.rows, f = x_slot.cols, nnz = indices_slot.size();
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *x = x_slot.as<T>(), *y = y_slot.as<T>();
    T* out = out_slot.as<T>();
    const RowPrefetch prefetch(f * static_cast<int64_t>(sizeof(T)));
    dispatch_index(indices_slot.dtype, [&](auto index) {
      const auto* indices = indices_slot.as<decltype(index)>();
      for_entries(indptr, n, row_grain(f), [=](int64_t i, int64_t begin, int64_t end) {
        const T* a = x + i * f;
        for (int64_t e = begin; e < end; ++e) {
          prefetch(y, static_cast<int64_t>(indices[std::min(e + prefetch.ahead, nnz - 1)]));
          const T* b = y + static_cast<int64_t>(indices[e]) * f;
          T* to = out + e * f;
#pragma GCC ivdep
          for (int64_t k = 0; k < f; ++k) to[k] = a[k] + b[k];
        }
      });
    });
  });
}

GUST_OPS_END
