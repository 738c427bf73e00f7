// What follows a product, in one pass: out = dropout(activation(x + y + bias)), (n, f), and its gradient
//   dx = g * mask / (1 - p) * d(value * (1 - p)),   d_bias = column sums of dx
// with d the derivative as a function of the value. A relu's value is 0 wherever its gradient is, dropped or not, so
// its mask need not be drawn again; the others draw it.
//
// A thread owns four neighbours of a row forward: one block of draws, one load and one store where rows are aligned.
// Backward a thread owns an element; with d_bias it owns every few rows of a column (reduce.h), whose numbers are added
// on the way, in float64 and in an order that the shape gives.
#include "epilogue.h"
#include "reduce.h"

GUST_OPS_BEGIN
namespace {

/** Element (i, j) of the gradient, written as well. */
template <class T, class Derivative>
struct EpilogueGradient {
  const T *g, *value;
  T* out;
  int64_t cols;
  Derivative derivative;
  bool draws;
  T kept, scale;  // 1 - p and its inverse
  Dropout<T> dropout;

  __device__ T at(int64_t row, int64_t col) const {
    const int64_t k = row * cols + col;
    const T dx = draws ? derivative(dropout(g[k], row, col), value[k] * kept) : derivative(g[k] * scale, value[k]);
    out[k] = dx;
    return dx;
  }
  __device__ void operator()(int64_t k) const {
    const Cell cell = cell_of(k, cols);
    at(cell.row, cell.col);
  }
  __device__ double operator()(int64_t row, int64_t col, int64_t) const { return static_cast<double>(at(row, col)); }
};

}  // namespace

void epilogue(const epilogue_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    const Epilogue<T> of(out.rows, out.cols, context.slot(args.y), context.slot(args.bias).as<T>(), args.kind,
                         args.slope, args.p, args.stream, args.layer, context.slot(args.ids), context);
    map_fours(x.as<T>(), out.as<T>(), out.rows, out.cols, of);
  });
}

void epilogue_backward(const epilogue_backward_args& args, Context& context) {
  const Slot &g = context.slot(args.g), &value = context.slot(args.value), &out = context.slot(args.out);
  const Slot& d_bias = context.slot(args.d_bias);
  const double p = args.p;
  check_drop(p);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T slope = static_cast<T>(args.slope);
    const bool draws = p > 0 && !(args.kind == functions::kRelu && slope == 0);
    if (draws) check_draws(out.rows, out.cols);
    functions::with_derivative(args.kind, slope, [&](auto derivative) {
      const EpilogueGradient<T, decltype(derivative)> gradient{
          g.as<T>(), value.as<T>(), out.as<T>(), out.cols, derivative, draws, static_cast<T>(1 - p),
          static_cast<T>(1 / (1 - p)),
          draws ? Dropout<T>(p, args.stream, args.layer, context.slot(args.ids), context) : Dropout<T>()};
      if (d_bias.live) column_sums<double>(context, out.rows, out.cols, gradient, StoreAs<T>{d_bias.as<T>(), out.cols});
      else each(out.size(), gradient);
    });
  });
}

GUST_OPS_END
