// Dense sums and norms of rows, in an order that the shape gives (reduce.h). Sums down columns, over everything and of
// squares are taken in float64, sums along rows in the type of the rows; x is read once.
#include "reduce.h"

GUST_OPS_BEGIN
namespace {

/** out[i] = sum over j of x[i, j], times y[i, j] where there is a y. */
template <class T>
struct SumRow {
  const T *x, *y;
  T* out;
  int64_t cols;

  __device__ void operator()(const Row& row) const {
    const int64_t begin = row.index * cols, count = row.count(cols);
    T sum{};
    if (y)
      for (int64_t j = row.lane; j < count; j += row.width) sum += x[begin + j] * y[begin + j];
    else
      for (int64_t j = row.lane; j < count; j += row.width) sum += x[begin + j];
    sum = row.sum(sum);
    if (row.writes()) out[row.index] = sum;
  }
};

/** out[i] = the Euclidean norm of x[i, :], times scale[i] where there is a scale. */
template <class X, class T>
struct NormRow {
  const X* x;
  const T* scale;
  T* out;
  int64_t cols;

  __device__ void operator()(const Row& row) const {
    const X* of = x + row.index * cols;
    const int64_t count = row.count(cols);
    double sum = 0;
    for (int64_t j = row.lane; j < count; j += row.width) {
      const double value = convert<double>(of[j]);
      sum += value * value;
    }
    sum = row.sum(sum);
    if (!row.writes()) return;
    const double norm = std::sqrt(sum);
    out[row.index] = static_cast<T>(scale ? static_cast<double>(scale[row.index]) * norm : norm);
  }
};

}  // namespace

void column_sum(const column_sum_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    column_sums<double>(context, x.rows, x.cols, TakeElement<T>{x.as<T>(), x.cols}, StoreAs<T>{out.as<T>(), x.cols});
  });
}

void row_sum(const row_sum_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_row(x.rows, x.cols, SumRow<T>{x.as<T>(), nullptr, out.as<T>(), x.cols});
  });
}

void row_dot(const row_dot_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &y = context.slot(args.y), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_row(x.rows, x.cols, SumRow<T>{x.as<T>(), y.as<T>(), out.as<T>(), x.cols});
  });
}

void row_norm(const row_norm_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &scale = context.slot(args.scale), &out = context.slot(args.out);
  dispatch_float(x.dtype, [&](auto tag) {
    using X = decltype(tag);
    using T = std::conditional_t<std::is_same_v<X, double>, double, float>;
    if (out.dtype != (std::is_same_v<T, double> ? GUST_F64 : GUST_F32))
      fail(GUST_EINVAL, "result of dtype %d for x of dtype %d, expected F64 for F64, else F32", out.dtype, x.dtype);
    each_row(x.rows, x.cols, NormRow<X, T>{x.as<X>(), scale.as<T>(), out.as<T>(), x.cols});
  });
}

void total_sum(const total_sum_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    column_sums<double>(context, x.size(), 1, TakeElement<T>{x.as<T>(), 1}, StoreAs<T>{out.as<T>(), 1});
  });
}

GUST_OPS_END
