// Element-wise ops and broadcasts. Memory traffic is one read per input and one write; tasks own ranges of elements
// (or rows), so results do not depend on threads. Every op may run in place.
#include "dense.h"

GUST_OPS_BEGIN
namespace {

/** Call f(T{}) with the element type of any dtype. */
template <class F>
void dispatch_any(int32_t dtype, F&& f) {
  switch (dtype) {
    case GUST_F64: return f(double{});
    case GUST_F32: return f(float{});
    case GUST_F16: return f(half{});
    case GUST_BF16: return f(bfloat16{});
    case GUST_I64: return f(int64_t{});
    case GUST_I32: return f(int32_t{});
    case GUST_I16: return f(int16_t{});
    case GUST_I8: return f(int8_t{});
    case GUST_U64: return f(uint64_t{});
    case GUST_U32: return f(uint32_t{});
    case GUST_U16: return f(uint16_t{});
    case GUST_U8: case GUST_BOOL: return f(uint8_t{});
  }
  fail(GUST_EINVAL, "unknown dtype %d", dtype);
}

template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<From, half> || std::is_same_v<From, bfloat16>) return convert<To>(to_float(x));
  else if constexpr (std::is_same_v<To, half>) return to_half(static_cast<float>(x));
  else if constexpr (std::is_same_v<To, bfloat16>) return to_bfloat16(static_cast<float>(x));
  else return static_cast<To>(x);
}

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

/** erfc keeps the digits of the left tail. */
template <class T>
T normal_cdf(T x) {
  return T{0.5} * std::erfc(x * static_cast<T>(-0.70710678118654752440));
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
    const T alpha = static_cast<T>(args.alpha);
    auto light = [&](auto f) { map<T>(context, args.x, args.out, kGrain, f); };
    auto heavy = [&](auto f) { map<T>(context, args.x, args.out, kMathGrain, f); };
    switch (args.kind) {  // unaryKinds of ffi/ops.ts
      case 0: return heavy([](T x) { return std::exp(x); });
      case 1: return heavy([](T x) { return std::log(x); });
      case 2: return heavy([](T x) { return std::tanh(x); });
      case 3: return heavy([](T x) { return T{1} / (T{1} + std::exp(-x)); });
      case 4: return light([](T x) { return std::sqrt(x); });
      case 5: return light([](T x) { return x == 0 ? T{0} : T{1} / x; });
      case 6: return heavy([=](T x) { return x == 0 && alpha < 0 ? T{0} : std::pow(x, alpha); });
      case 7: return light([](T x) { return std::fabs(x); });
      case 8: return light([](T x) { return x > 0 ? T{1} : x < 0 ? T{-1} : x; });
      case 9: return light([=](T x) { return x < alpha ? alpha : x; });
      case 10: return heavy([](T x) { return std::expm1(x); });
      case 11: return heavy([](T x) { return (x > 0 ? x : T{0}) + std::log1p(std::exp(-std::fabs(x))); });
      case 12: return heavy([](T x) { return normal_cdf(x); });
      case 13: return heavy([](T x) { return x > 0 ? x : std::expm1(x); });
      case 14: return heavy([](T x) { return x * normal_cdf(x); });
      case 15: return heavy([](T x) { return x / (T{1} + std::exp(-x)); });
    }
    fail(GUST_EINVAL, "unknown function %lld", static_cast<long long>(args.kind));
  });
}

// Slope 0 writes zeros outright: 0 * x would turn infinities into NaN and negative numbers into -0. A NaN passes.
void relu(const relu_args& args, Context& context) {
  dispatch_real(context.slot(args.out).dtype, [&](auto tag) {
    using T = decltype(tag);
    const T slope = static_cast<T>(args.slope);
    if (slope == 0)
      map<T>(context, args.x, args.out, kGrain, [](T x) { return x < 0 ? T{0} : x; });
    else
      map<T>(context, args.x, args.out, kGrain, [=](T x) { return x < 0 ? slope * x : x; });
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
