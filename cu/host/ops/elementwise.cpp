// Element-wise ops and broadcasts. Memory traffic is one read per input and one write; tasks own ranges of elements
// (or rows), so results do not depend on threads. Every op may run in place.
#include "../../common/functions.h"
#include "dense.h"

GUST_OPS_BEGIN
namespace {

template <class To>
void cast_to(const Slot& x, To* to, int64_t size) {
  dispatch_any(x.dtype, [&](auto tag) {
    using From = decltype(tag);
    const From* from = x.as<From>();
    for_elements(size, kGrain, [=](int64_t i) { to[i] = convert<To>(from[i]); });
  });
}

template <class T, class F>
void map(Context& context, int64_t x_slot, int64_t out_slot, int64_t grain, const F& f) {
  const T* x = context.slot(x_slot).as<T>();
  T* out = context.slot(out_slot).as<T>();
  for_elements(context.slot(out_slot).size(), grain, [=](int64_t i) { out[i] = f(x[i]); });
}

/**
 * f(at, count, tile) for runs that cover rows of width f: tile[k] = row[k % width], long enough for vectors when rows
 * are short.
 */
template <class T, class F>
void for_tiles(Context& context, const T* row, int64_t rows, int64_t width, const F& f) {
  if (rows == 0 || width == 0) return;
  const int64_t repeat = std::min(rows, std::max<int64_t>(1, 256 / width));
  const T* tile = row;
  if (repeat > 1) {
    T* copy = context.scratch<T>(repeat * width);
    for (int64_t r = 0; r < repeat; ++r) std::copy_n(row, width, copy + r * width);
    tile = copy;
  }
  parallel_for(rows, num_chunks(row_grain(width), repeat) * repeat, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r += repeat) f(r * width, std::min(repeat, end - r) * width, tile);
  });
}

}  // namespace

void fill(const fill_args& args, Context& context) {
  const Slot& out = context.slot(args.out);
  dispatch_any(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T value = convert<T>(args.value);
    T* to = out.as<T>();
    for_elements(out.size(), kGrain, [=](int64_t i) { to[i] = value; });
  });
}

void cast(const cast_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  switch (out.dtype) {
    case GUST_F64: return cast_to(x, out.as<double>(), out.size());
    case GUST_F32: return cast_to(x, out.as<float>(), out.size());
    case GUST_F16: return cast_to(x, out.as<half>(), out.size());
    case GUST_BF16: return cast_to(x, out.as<bfloat16>(), out.size());
  }
  fail(GUST_EINVAL, "dtype %d of the result, expected F64, F32, F16 or BF16", out.dtype);
}

void axpby(const axpby_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &y_slot = context.slot(args.y), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *x = x_slot.as<T>(), *y = y_slot.as<T>();
    T* out = out_slot.as<T>();
    const T alpha = static_cast<T>(args.alpha), beta = static_cast<T>(args.beta);
    if (y)
      for_elements(out_slot.size(), kGrain, [=](int64_t i) { out[i] = alpha * x[i] + beta * y[i]; });
    else
      for_elements(out_slot.size(), kGrain, [=](int64_t i) { out[i] = alpha * x[i]; });
  });
}

void mul(const mul_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &y_slot = context.slot(args.y), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *x = x_slot.as<T>(), *y = y_slot.as<T>();
    T* out = out_slot.as<T>();
    for_elements(out_slot.size(), kGrain, [=](int64_t i) { out[i] = x[i] * y[i]; });
  });
}

void unary(const unary_args& args, Context& context) {
  dispatch_real(context.slot(args.out).dtype, [&](auto tag) {
    using T = decltype(tag);
    functions::with_unary(args.kind, static_cast<T>(args.alpha), [&](auto f) {
      map<T>(context, args.x, args.out, decltype(f)::kMath ? kMathGrain : kGrain, f);
    });
  });
}

void relu(const relu_args& args, Context& context) {
  dispatch_real(context.slot(args.out).dtype, [&](auto tag) {
    using T = decltype(tag);
    functions::with_relu(static_cast<T>(args.slope), [&](auto f) { map<T>(context, args.x, args.out, kGrain, f); });
  });
}

void relu_backward(const relu_backward_args& args, Context& context) {
  const Slot &g_slot = context.slot(args.g), &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *g = g_slot.as<T>(), *x = x_slot.as<T>();
    T* out = out_slot.as<T>();
    const T slope = static_cast<T>(args.slope);
    if (slope == 0)
      for_elements(out_slot.size(), kGrain, [=](int64_t i) { out[i] = x[i] > 0 ? g[i] : T{0}; });
    else
      for_elements(out_slot.size(), kGrain, [=](int64_t i) { out[i] = x[i] > 0 ? g[i] : slope * g[i]; });
  });
}

void add_bias(const add_bias_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &bias = context.slot(args.bias), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = x_slot.as<T>();
    T* out = out_slot.as<T>();
    for_tiles(context, bias.as<T>(), out_slot.rows, out_slot.cols, [=](int64_t at, int64_t count, const T* tile) {
#pragma GCC ivdep
      for (int64_t k = 0; k < count; ++k) out[at + k] = x[at + k] + tile[k];
    });
  });
}

void column_affine(const column_affine_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  const Slot &scale_slot = context.slot(args.scale), &shift_slot = context.slot(args.shift);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *x = x_slot.as<T>(), *scale = scale_slot.as<T>(), *shift = shift_slot.as<T>();
    T* out = out_slot.as<T>();
    const int64_t f = out_slot.cols;
    parallel_for(out_slot.rows, row_grain(f), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T* from = x + i * f;
        T* to = out + i * f;
        if (scale && shift)
#pragma GCC ivdep
          for (int64_t j = 0; j < f; ++j) to[j] = scale[j] * from[j] + shift[j];
        else if (scale)
#pragma GCC ivdep
          for (int64_t j = 0; j < f; ++j) to[j] = scale[j] * from[j];
        else
#pragma GCC ivdep
          for (int64_t j = 0; j < f; ++j) to[j] = shift ? from[j] + shift[j] : from[j];
      }
    });
  });
}

void put_columns(const put_columns_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = x_slot.as<T>();
    T* out = out_slot.as<T>() + args.at;
    const int64_t f = x_slot.cols, m = out_slot.cols;
    parallel_for(out_slot.rows, row_grain(f), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) std::copy_n(x + i * f, f, out + i * m);
    });
  });
}

void take_columns(const take_columns_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = x_slot.as<T>() + args.at;
    T* out = out_slot.as<T>();
    const int64_t f = out_slot.cols, m = x_slot.cols;
    parallel_for(out_slot.rows, row_grain(f), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) std::copy_n(x + i * m, f, out + i * f);
    });
  });
}

void row_scale(const row_scale_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &scale_slot = context.slot(args.scale), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *x = x_slot.as<T>(), *scale = scale_slot.as<T>();
    T* out = out_slot.as<T>();
    const int64_t f = out_slot.cols;
    parallel_for(out_slot.rows, row_grain(f), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T factor = scale[i];
#pragma GCC ivdep
        for (int64_t k = i * f; k < (i + 1) * f; ++k) out[k] = factor * x[k];
      }
    });
  });
}

void broadcast_rows(const broadcast_rows_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    T* out = out_slot.as<T>();
    for_tiles(context, x_slot.as<T>(), out_slot.rows, out_slot.cols,
              [=](int64_t at, int64_t count, const T* tile) { std::copy_n(tile, count, out + at); });
  });
}

void broadcast_columns(const broadcast_columns_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = x_slot.as<T>();
    T* out = out_slot.as<T>();
    const int64_t f = out_slot.cols;
    parallel_for(out_slot.rows, row_grain(f), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) std::fill_n(out + i * f, f, x[i]);
    });
  });
}

void broadcast_scalar(const broadcast_scalar_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T value = *x_slot.as<T>();
    T* out = out_slot.as<T>();
    for_elements(out_slot.size(), kGrain, [=](int64_t i) { out[i] = value; });
  });
}

GUST_OPS_END
