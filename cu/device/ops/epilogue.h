// What follows a product: dropout(activation(x + y + bias)), for one element or four neighbours of a row. The epilogue
// op runs it over a matrix, spmm and gemm over what they have computed. y may end before x: it is added to the first
// rows.
#pragma once

#include "../../common/functions.h"
#include "dropout.h"

GUST_OPS_BEGIN

/** One call, built on the host and passed to a kernel; absent terms are null. */
template <class T>
struct Epilogue {
  const T* y = nullptr;
  const T* bias = nullptr;
  int64_t y_rows = 0, cols = 0;
  int64_t kind = functions::kNone;
  T slope{};
  bool drops = false;
  Dropout<T> dropout;

  /** For an output of rows x cols. Refuses probabilities, activations and widths that are none. */
  Epilogue(int64_t rows, int64_t cols_, const Slot& y_, const T* bias_, int64_t kind_, double slope_, double p,
           int64_t stream, int64_t layer, const Slot& ids, const Context& context)
      : y(y_.as<T>()), bias(bias_), y_rows(y_.live ? y_.rows : 0), cols(cols_), kind(kind_),
        slope(static_cast<T>(slope_)), drops(p > 0) {
    check_drop(p);
    functions::with_activation(kind, slope, [](auto) {});
    if (!drops) return;
    check_draws(rows, cols);
    dropout = Dropout<T>(p, stream, layer, ids, context);
  }

  /** Whether it changes nothing. */
  bool is_empty() const { return y_rows == 0 && !bias && kind == functions::kNone && !drops; }

  /** What becomes of element (row, col) of the product. */
  __device__ T operator()(T x, int64_t row, int64_t col) const {
    x = before_dropout(x, row, col);
    return drops ? dropout(x, row, col) : x;
  }
  /** The same for columns col .. col + 3 of a row, col a multiple of 4; those past the last do not matter. */
  __device__ void four(T (&x)[4], int64_t row, int64_t col) const {
    for (int k = 0; k < 4; ++k)
      if (col + k < cols) x[k] = before_dropout(x[k], row, col + k);
    if (drops) dropout.four(x, row, col);
  }

  __device__ T before_dropout(T x, int64_t row, int64_t col) const {
    if (row < y_rows) x += y[row * cols + col];
    if (bias) x += bias[col];
    switch (kind) {
      case functions::kRelu: return slope == 0 ? functions::Relu<T>{}(x) : functions::LeakyRelu<T>{slope}(x);
      case functions::kElu: return functions::Elu<T>{}(x);
      case functions::kTanh: return functions::Tanh<T>{}(x);
      default: return x;
    }
  }
};

GUST_OPS_END
