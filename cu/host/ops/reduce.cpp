// Dense sums and norms of rows. The order of additions is fixed by the shape alone: sixteen lanes inside a row or chunk, chunks of rows
// or elements added in order, so the result is the same for any thread count.
#include "dense.h"
#include "simd.h"

GUST_OPS_BEGIN

void column_sum(const column_sum_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = x_slot.as<T>();
    T* out = out_slot.as<T>();
    const int64_t n = x_slot.rows, f = x_slot.cols;
    if (f == 0) return;
    // `group` rows are added as one long vector, so that narrow matrices fill vectors too.
    const int64_t group = std::max<int64_t>(1, 64 / f), width = group * f;
    const int64_t grain = num_chunks(row_grain(f), group) * group, chunks = num_chunks(n, grain);
    T* partial = context.scratch<T>(chunks * width);
    parallel_tasks(chunks, [=](int64_t c) {
      T* sum = partial + c * width;
      std::fill_n(sum, width, T{0});
      const int64_t end = std::min(n, (c + 1) * grain) * f;
      int64_t k = c * grain * f;
      for (; k + width <= end; k += width)
#pragma GCC ivdep
        for (int64_t j = 0; j < width; ++j) sum[j] += x[k + j];
      for (int64_t j = 0; k < end; ++j, ++k) sum[j] += x[k];
    });
    for (int64_t j = 0; j < f; ++j) {
      double total = 0;
      for (int64_t r = 0; r < chunks * group; ++r) total += static_cast<double>(partial[r * f + j]);
      out[j] = static_cast<T>(total);
    }
  });
}

void row_sum(const row_sum_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = x_slot.as<T>();
    T* out = out_slot.as<T>();
    const int64_t f = x_slot.cols;
    parallel_for(x_slot.rows, row_grain(f), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T* row = x + i * f;
        out[i] = lane_sum<T>(f, [=](int64_t k) { return row[k]; });
      }
    });
  });
}

void row_dot(const row_dot_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &y_slot = context.slot(args.y), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *x = x_slot.as<T>(), *y = y_slot.as<T>();
    T* out = out_slot.as<T>();
    const int64_t f = x_slot.cols;
    parallel_for(x_slot.rows, row_grain(f), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T *a = x + i * f, *b = y + i * f;
        out[i] = lane_sum<T>(f, [=](int64_t k) { return a[k] * b[k]; });
      }
    });
  });
}

namespace {

/** The sum of the squares of f numbers, in float64: squares of float32 numbers neither overflow nor vanish there. */
template <class X>
double sum_of_squares(const X* row, int64_t f) {
  if constexpr (std::is_floating_point_v<X>) {
    return lane_sum<double>(f, [=](int64_t k) { return static_cast<double>(row[k]) * static_cast<double>(row[k]); });
  } else {
    // Numbers of 16 bits are widened in vectors, a piece at a time.
    constexpr int64_t kPiece = 512;
    float wide[kPiece];
    double sum = 0;
    for (int64_t begin = 0; begin < f; begin += kPiece) {
      const int64_t count = std::min(kPiece, f - begin);
      for (int64_t k = 0; k < count; k += kLanes<float>) {
        const int64_t left = count - k;
        store<float>(wide + k, left >= kLanes<float> ? load(row + begin + k)
                                                     : load_some(row + begin + k, static_cast<int>(left)));
      }
      sum += sum_of_squares(wide, count);
    }
    return sum;
  }
}

}  // namespace

void row_norm(const row_norm_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &scale_slot = context.slot(args.scale), &out_slot = context.slot(args.out);
  dispatch_float(x_slot.dtype, [&](auto tag) {
    using X = decltype(tag);
    using T = Sum<X>;
    constexpr int32_t kResult = std::is_same_v<T, double> ? GUST_F64 : GUST_F32;
    if (out_slot.dtype != kResult)
      fail(GUST_EINVAL, "result of dtype %d for x of dtype %d, expected F64 for F64, else F32", out_slot.dtype,
           x_slot.dtype);
    const X* x = x_slot.as<X>();
    const T* scale = scale_slot.as<T>();
    T* out = out_slot.as<T>();
    const int64_t f = x_slot.cols;
    parallel_for(x_slot.rows, row_grain(f), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const double norm = std::sqrt(sum_of_squares(x + i * f, f));
        out[i] = static_cast<T>(scale ? static_cast<double>(scale[i]) * norm : norm);
      }
    });
  });
}

void total_sum(const total_sum_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = x_slot.as<T>();
    *out_slot.as<T>() = static_cast<T>(parallel_sum<double>(x_slot.size(), kGrain, [=](int64_t begin, int64_t end) {
      const T* from = x + begin;
      return lane_sum<double>(end - begin, [=](int64_t k) { return from[k]; });
    }));
  });
}

GUST_OPS_END
