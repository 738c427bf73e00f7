// Row-wise softmax and argmax: up to 32 lanes of a warp share a row (reduce.h). log_softmax() goes over a row three
// times, from the first-level cache after the first.
#include "softmax.h"

GUST_OPS_BEGIN
namespace {

// out[i, :] = x[i, :] - max - log(sum exp(x[i, :] - max)); the sum is taken in float64.
template <class T>
struct LogSoftmax {
  const T* x;
  T* out;
  int64_t cols;

  __device__ void operator()(const Row& row) const {
    const int64_t begin = row.index * cols, count = row.count(cols);
    const RowSoftmax<T> softmax = softmax_of(row, x + begin, count);
    const T shift = static_cast<T>(std::log(softmax.sum));
    for (int64_t j = row.lane; j < count; j += row.width) out[begin + j] = (x[begin + j] - softmax.top) - shift;
  }
};

template <class T>
struct Argmax {
  const T* x;
  int32_t* out;
  int64_t cols;

  __device__ void operator()(const Row& row) const {
    const int32_t best = first_largest(row, x + row.index * cols, row.count(cols));
    if (row.writes()) out[row.index] = best;
  }
};

}  // namespace

void log_softmax(const log_softmax_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_row(x.rows, x.cols, LogSoftmax<T>{x.as<T>(), out.as<T>(), x.cols});
  });
}

void argmax(const argmax_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  dispatch_real(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_row(x.rows, x.cols, Argmax<T>{x.as<T>(), out.as<int32_t>(), x.cols});
  });
}

GUST_OPS_END
