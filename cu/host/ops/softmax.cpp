// Row-wise softmax and argmax: a task owns whole rows.
#include "softmax.h"

GUST_OPS_BEGIN

// out[i, :] = x[i, :] - max - log(sum exp(x[i, :] - max)); the sum is taken in float64.
void log_softmax(const log_softmax_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = x_slot.as<T>();
    T* out = out_slot.as<T>();
    const int64_t f = x_slot.cols;
    parallel_for(x_slot.rows, row_grain(f, kMathGrain), [=](int64_t begin, int64_t end) {
      for_softmax_rows<T>(
          begin, end, f, [=](int64_t i) { return x + i * f; },
          [=](int64_t i, const T* row, const RowSoftmax<T>& softmax) {
            const T shift = static_cast<T>(std::log(softmax.sum));
            T* to = out + i * f;
#pragma GCC ivdep
            for (int64_t j = 0; j < f; ++j) to[j] = (row[j] - softmax.top) - shift;
          });
    });
  });
}

void argmax(const argmax_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  dispatch_real(x_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = x_slot.as<T>();
    int32_t* out = out_slot.as<int32_t>();
    const int64_t f = x_slot.cols;
    parallel_for(x_slot.rows, row_grain(f), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = first_largest(x + i * f, f);
    });
  });
}

GUST_OPS_END
