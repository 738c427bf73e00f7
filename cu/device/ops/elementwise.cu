// Element-wise ops and broadcasts: one thread per element, one read per input and one write. Every op may run in place.
#include "../../common/functions.h"
#include "../cuda.h"

GUST_OPS_BEGIN
namespace {

template <class T>
struct Fill {
  T* out;
  T value;
  __device__ void operator()(int64_t i) const { out[i] = value; }
};

template <class To, class From>
struct Cast {
  const From* x;
  To* out;
  __device__ void operator()(int64_t i) const { out[i] = convert<To>(x[i]); }
};

/** out = f(x). */
template <class T, class F>
struct Map {
  const T* x;
  T* out;
  F f;
  __device__ void operator()(int64_t i) const { out[i] = f(x[i]); }
};
/** out = f(x, y). */
template <class T, class F>
struct Map2 {
  const T *x, *y;
  T* out;
  F f;
  __device__ void operator()(int64_t i) const { out[i] = f(x[i], y[i]); }
};
/** out[i, j] = f(x[i, j], i, j); x may be absent. */
template <class T, class F>
struct MapCells {
  const T* x;
  T* out;
  int64_t cols;
  F f;
  __device__ void operator()(int64_t at) const {
    const Cell cell = cell_of(at, cols);
    out[at] = f(x ? x[at] : T{}, cell.row, cell.col);
  }
};

template <class T>
struct Combine {
  T alpha, beta;
  __device__ T operator()(T x, T y) const { return alpha * x + beta * y; }
};
template <class T>
struct Scale {
  T alpha;
  __device__ T operator()(T x) const { return alpha * x; }
};
template <class T>
struct Multiply {
  __device__ T operator()(T x, T y) const { return x * y; }
};
template <class T>
struct ReluBackward {
  T slope;
  // Slope 0 writes zeros outright: 0 * g would turn infinities into NaN.
  __device__ T operator()(T g, T x) const { return x > 0 ? g : slope == 0 ? T{0} : slope * g; }
};
template <class T>
struct ColumnAffine {
  const T *scale, *shift;
  __device__ T operator()(T x, int64_t, int64_t j) const {
    if (scale) x *= scale[j];
    return shift ? x + shift[j] : x;
  }
};
template <class T>
struct RowScale {
  const T* scale;
  __device__ T operator()(T x, int64_t i, int64_t) const { return scale[i] * x; }
};
template <class T>
struct FromRow {
  const T* row;
  __device__ T operator()(T, int64_t, int64_t j) const { return row[j]; }
};
template <class T>
struct FromColumn {
  const T* column;
  __device__ T operator()(T, int64_t i, int64_t) const { return column[i]; }
};
template <class T>
struct FromScalar {
  const T* value;
  __device__ T operator()(T, int64_t, int64_t) const { return value[0]; }
};

/** Columns at .. at + cols of rows of `from_cols` numbers to those of rows of `to_cols`. */
template <class T>
struct CopyColumns {
  const T* from;
  T* to;
  int64_t cols, from_cols, to_cols;
  __device__ void operator()(int64_t at) const {
    const auto [i, j] = cell_of(at, cols);
    to[i * to_cols + j] = from[i * from_cols + j];
  }
};

template <class To>
void cast_to(const Slot& x, const Slot& out) {
  dispatch_any(x.dtype, [&](auto tag) {
    using From = decltype(tag);
    each(out.size(), Cast<To, From>{x.as<From>(), out.as<To>()});
  });
}

template <class T, class F>
void map(Context& context, int64_t x, int64_t out, const F& f) {
  const Slot& to = context.slot(out);
  each(to.size(), Map<T, F>{context.slot(x).as<T>(), to.as<T>(), f});
}
template <class T, class F>
void map2(Context& context, int64_t x, int64_t y, int64_t out, const F& f) {
  const Slot& to = context.slot(out);
  each(to.size(), Map2<T, F>{context.slot(x).as<T>(), context.slot(y).as<T>(), to.as<T>(), f});
}
/** `x` as a slot number, or -1: absent. */
template <class T, class F>
void map_cells(Context& context, int64_t x, int64_t out, const F& f) {
  const Slot& to = context.slot(out);
  each(to.size(), MapCells<T, F>{context.slot(x).as<T>(), to.as<T>(), to.cols, f});
}

}  // namespace

void fill(const fill_args& args, Context& context) {
  const Slot& out = context.slot(args.out);
  dispatch_any(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    each(out.size(), Fill<T>{out.as<T>(), convert<T>(args.value)});
  });
}

void cast(const cast_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  switch (out.dtype) {
    case GUST_F64: return cast_to<double>(x, out);
    case GUST_F32: return cast_to<float>(x, out);
    case GUST_F16: return cast_to<half>(x, out);
    case GUST_BF16: return cast_to<bfloat16>(x, out);
  }
  fail(GUST_EINVAL, "dtype %d of the result, expected F64, F32, F16 or BF16", out.dtype);
}

void axpby(const axpby_args& args, Context& context) {
  dispatch_real(context.slot(args.out).dtype, [&](auto tag) {
    using T = decltype(tag);
    const T alpha = static_cast<T>(args.alpha), beta = static_cast<T>(args.beta);
    if (context.slot(args.y).live) map2<T>(context, args.x, args.y, args.out, Combine<T>{alpha, beta});
    else map<T>(context, args.x, args.out, Scale<T>{alpha});
  });
}

void mul(const mul_args& args, Context& context) {
  dispatch_real(context.slot(args.out).dtype, [&](auto tag) {
    using T = decltype(tag);
    map2<T>(context, args.x, args.y, args.out, Multiply<T>{});
  });
}

void unary(const unary_args& args, Context& context) {
  dispatch_real(context.slot(args.out).dtype, [&](auto tag) {
    using T = decltype(tag);
    functions::with_unary(args.kind, static_cast<T>(args.alpha),
                          [&](auto f) { map<T>(context, args.x, args.out, f); });
  });
}

void relu(const relu_args& args, Context& context) {
  dispatch_real(context.slot(args.out).dtype, [&](auto tag) {
    using T = decltype(tag);
    functions::with_relu(static_cast<T>(args.slope), [&](auto f) { map<T>(context, args.x, args.out, f); });
  });
}

void relu_backward(const relu_backward_args& args, Context& context) {
  dispatch_real(context.slot(args.out).dtype, [&](auto tag) {
    using T = decltype(tag);
    map2<T>(context, args.g, args.x, args.out, ReluBackward<T>{static_cast<T>(args.slope)});
  });
}

void add_bias(const add_bias_args& args, Context& context) {
  dispatch_real(context.slot(args.out).dtype, [&](auto tag) {
    using T = decltype(tag);
    map_cells<T>(context, args.x, args.out, ColumnAffine<T>{nullptr, context.slot(args.bias).as<T>()});
  });
}

void column_affine(const column_affine_args& args, Context& context) {
  dispatch_real(context.slot(args.out).dtype, [&](auto tag) {
    using T = decltype(tag);
    map_cells<T>(context, args.x, args.out,
                 ColumnAffine<T>{context.slot(args.scale).as<T>(), context.slot(args.shift).as<T>()});
  });
}

void put_columns(const put_columns_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    each(x.size(), CopyColumns<T>{x.as<T>(), out.as<T>() + args.at, x.cols, x.cols, out.cols});
  });
}

void take_columns(const take_columns_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    each(out.size(), CopyColumns<T>{x.as<T>() + args.at, out.as<T>(), out.cols, x.cols, out.cols});
  });
}

void row_scale(const row_scale_args& args, Context& context) {
  dispatch_real(context.slot(args.out).dtype, [&](auto tag) {
    using T = decltype(tag);
    map_cells<T>(context, args.x, args.out, RowScale<T>{context.slot(args.scale).as<T>()});
  });
}

void broadcast_rows(const broadcast_rows_args& args, Context& context) {
  dispatch_real(context.slot(args.out).dtype, [&](auto tag) {
    using T = decltype(tag);
    map_cells<T>(context, -1, args.out, FromRow<T>{context.slot(args.x).as<T>()});
  });
}

void broadcast_columns(const broadcast_columns_args& args, Context& context) {
  dispatch_real(context.slot(args.out).dtype, [&](auto tag) {
    using T = decltype(tag);
    map_cells<T>(context, -1, args.out, FromColumn<T>{context.slot(args.x).as<T>()});
  });
}

void broadcast_scalar(const broadcast_scalar_args& args, Context& context) {
  dispatch_real(context.slot(args.out).dtype, [&](auto tag) {
    using T = decltype(tag);
    map_cells<T>(context, -1, args.out, FromScalar<T>{context.slot(args.x).as<T>()});
  });
}

GUST_OPS_END
