// Dense sums, in an order that the shape gives (reduce.h). Sums down columns and over everything are taken in float64,
// sums along rows in the type of the rows; x is read once.
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

void total_sum(const total_sum_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    column_sums<double>(context, x.size(), 1, TakeElement<T>{x.as<T>(), 1}, StoreAs<T>{out.as<T>(), 1});
  });
}

GUST_OPS_END
