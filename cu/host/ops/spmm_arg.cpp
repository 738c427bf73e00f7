// Gradient of the row-wise maximum or minimum: out[indices[arg[i, c]], c] += values[arg[i, c]] * g[i, c].
//
// Shapes: arg, g (n, f); out (m, f); negative arg is left out.
// Owner: a task owns a block of columns and walks all rows, because winners of different rows may meet in one
//   output row; so at most f / 8 tasks.
// Memory: n * f reads of arg and g (a cache line of arg per row and task), n * f read-modify-writes at random
//   rows.
// Determinism: each number is added up in order of i.
#include "row_grid.h"

GUST_OPS_BEGIN

namespace {
constexpr int64_t kLineColumns = 8;  // of int64 in a cache line
}

void spmm_arg_backward(const spmm_arg_backward_args& args, Context& context) {
  const Slot &arg_slot = context.slot(args.arg), &indices_slot = context.slot(args.indices);
  const Slot &g_slot = context.slot(args.g), &out_slot = context.slot(args.out);
  const int64_t n = arg_slot.rows, f = arg_slot.cols, m = out_slot.rows;
  const int64_t lines = num_chunks(kTaskWork, std::max<int64_t>(n + m, 1) * kLineColumns);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    dispatch_index(indices_slot.live ? indices_slot.dtype : GUST_I32, [&](auto index) {
      using I = decltype(index);
      const int64_t* arg = arg_slot.as<int64_t>();
      const I* indices = indices_slot.as<I>();
      const T *values = context.slot(args.values).as<T>(), *g = g_slot.as<T>();
      T* out = out_slot.as<T>();
      parallel_for(f, lines * kLineColumns, [=](int64_t begin, int64_t end) {
        for (int64_t j = 0; j < m; ++j) std::fill(out + j * f + begin, out + j * f + end, T{0});
        for (int64_t i = 0; i < n; ++i)
          for (int64_t c = begin; c < end; ++c) {
            const int64_t e = arg[i * f + c];
            if (e < 0) continue;
            T& sum = out[(indices ? static_cast<int64_t>(indices[e]) : e) * f + c];
            sum += values ? values[e] * g[i * f + c] : g[i * f + c];
          }
      });
    });
  });
}

// The adjoint: every output has one source, so that tasks own rows.
void spmm_arg_gather(const spmm_arg_gather_args& args, Context& context) {
  const Slot &arg_slot = context.slot(args.arg), &indices_slot = context.slot(args.indices);
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  const int64_t n = arg_slot.rows, f = arg_slot.cols;
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    dispatch_index(indices_slot.live ? indices_slot.dtype : GUST_I32, [&](auto index) {
      using I = decltype(index);
      const int64_t* arg = arg_slot.as<int64_t>();
      const I* indices = indices_slot.as<I>();
      const T *values = context.slot(args.values).as<T>(), *x = x_slot.as<T>();
      T* out = out_slot.as<T>();
      parallel_for(n, num_chunks(kTaskWork, std::max<int64_t>(f, 1)), [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          for (int64_t c = 0; c < f; ++c) {
            const int64_t e = arg[i * f + c];
            T value = 0;
            if (e >= 0) {
              value = x[(indices ? static_cast<int64_t>(indices[e]) : e) * f + c];
              if (values) value *= values[e];
            }
            out[i * f + c] = value;
          }
      });
    });
  });
}

GUST_OPS_END
