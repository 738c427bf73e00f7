// A score per row and head: the trilinear form sum over i, k of g[i, head(k)] * x[i, k] * a[k] by its three derivatives.
//
//   head_dots:  out[i, h] = sum over the columns k of head h of x[i, k] * a[k]
//   head_scale: out[i, k] = g[i, head(k)] * a[k]
//   head_sums:  out[k] = sum over i of g[i, head(k)] * x[i, k]
//
// Shapes: x (n, f), g (n, h), a [f]; head(k) = k / (f / h).
// Owner: runs of rows; head_sums adds chunks of rows up in order.
// Memory: x is read once, for one vector or for two (dots) or one g or two (sums); scale writes n * f.
// Determinism: a dot product in the order of its columns or in fixed lanes; sums in chunks that n and f decide.
#include "dense.h"
#include "head_width.h"

GUST_OPS_BEGIN

void head_dots(const head_dots_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  const int64_t n = x_slot.rows, f = x_slot.cols, heads = out_slot.cols;
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *x = x_slot.as<T>(), *a = context.slot(args.a).as<T>(), *b = context.slot(args.b).as<T>();
    T *out = out_slot.as<T>(), *out_b = context.slot(args.out_b).as<T>();
    with_width(f / heads, [&](auto fixed) {
      parallel_for(n, row_grain(f), [=](int64_t begin, int64_t end) {
        const int64_t width = fixed() ? fixed() : f / heads;
        for (int64_t i = begin; i < end; ++i)
          for (int64_t h = 0; h < heads; ++h) {
            const T *row = x + i * f + h * width, *first = a + h * width, *second = b + h * width;
            out[i * heads + h] = width_sum<T>(width, [=](int64_t k) { return row[k] * first[k]; });
            if (out_b) out_b[i * heads + h] = width_sum<T>(width, [=](int64_t k) { return row[k] * second[k]; });
          }
      });
    });
  });
}

void head_scale(const head_scale_args& args, Context& context) {
  const Slot &g_slot = context.slot(args.g), &out_slot = context.slot(args.out);
  const int64_t n = out_slot.rows, f = out_slot.cols, heads = g_slot.cols;
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *g = g_slot.as<T>(), *a = context.slot(args.a).as<T>();
    T* out = out_slot.as<T>();
    with_width(f / heads, [&](auto fixed) {
      parallel_for(n, row_grain(f), [=](int64_t begin, int64_t end) {
        const int64_t width = fixed() ? fixed() : f / heads;
        for (int64_t i = begin; i < end; ++i)
          for (int64_t h = 0; h < heads; ++h) {
            const T factor = g[i * heads + h];
            T* to = out + i * f + h * width;
#pragma GCC ivdep
            for (int64_t k = 0; k < width; ++k) to[k] = factor * a[h * width + k];
          }
      });
    });
  });
}

void head_sums(const head_sums_args& args, Context& context) {
  const Slot &g_slot = context.slot(args.g), &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  const int64_t n = x_slot.rows, f = x_slot.cols, heads = g_slot.cols;
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *x = x_slot.as<T>(), *of[2] = {g_slot.as<T>(), context.slot(args.g_b).as<T>()};
    T* out[2] = {out_slot.as<T>(), context.slot(args.out_b).as<T>()};
    const int64_t grain = row_grain(f), chunks = num_chunks(n, grain), both = of[1] && out[1] ? 2 : 1;
    T* partial = context.scratch<T>(chunks * both * f);
    with_width(f / heads, [&](auto fixed) {
      parallel_for(n, grain, [=](int64_t begin, int64_t end) {
        const int64_t width = fixed() ? fixed() : f / heads;
        for (int64_t s = 0; s < both; ++s) {
          const T* g = of[s];
          T* sum = partial + (begin / grain * both + s) * f;
          std::fill_n(sum, f, T{0});
          for (int64_t i = begin; i < end; ++i)
            for (int64_t h = 0; h < heads; ++h) {
              const T factor = g[i * heads + h];
              const T* row = x + i * f + h * width;
              T* to = sum + h * width;
#pragma GCC ivdep
              for (int64_t k = 0; k < width; ++k) to[k] += factor * row[k];
            }
        }
      });
    });
    for (int64_t s = 0; s < both; ++s)
      for (int64_t k = 0; k < f; ++k) {
        double total = 0;
        for (int64_t c = 0; c < chunks; ++c) total += static_cast<double>(partial[(c * both + s) * f + k]);
        out[s][k] = static_cast<T>(total);
      }
  });
}

GUST_OPS_END
