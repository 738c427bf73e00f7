// Rows of x reduced by a CSR pattern: the kernels of spmm.cu, which scatter_add, spmm_transposed and spmm_arg_backward
// use as well.
//
//   out[i, :] = left[i] * reduce over e in row i of weight(e) * x[column(e), :] + diagonal[i] * x[own(i), :]
#pragma once

#include "epilogue.h"
#include "pieces.h"

GUST_OPS_BEGIN

/** `reductions` of ffi/ops.ts. */
enum class Reduce : int64_t { kSum = 0, kMean = 1, kMax = 2, kMin = 3 };

/** One call: pattern (n, m) with room for `entries`, x (m, f), out (n, f); absent factors are null. */
template <class T>
struct Aggregate {
  const int64_t* indptr;
  int64_t n, entries, f;
  Index columns;  // absent: column e
  const void* x;
  int32_t x_dtype;  // F64 for T = double; F32, F16 or BF16 for T = float
  T* out;
  Epilogue<T> rest;
  const T *values = nullptr, *left = nullptr, *right = nullptr, *diagonal = nullptr;
  const int64_t* order = nullptr;  // where the value of an entry is; null: values are in the order of entries
  const int64_t* own = nullptr;    // the row of x that diagonal[i] multiplies; null: row i
  Reduce reduce = Reduce::kSum;
  int64_t* arg = nullptr;  // of max and min: the winning entry, -1 for none
  bool is_followed = false;  // by what `rest` does

  __device__ T weight(int64_t e, int64_t column) const {
    const T value = values ? values[order ? order[e] : e] : T{1};
    return right ? value * right[column] : value;
  }
};

/** The end of a product that nothing follows. */
template <class T>
Epilogue<T> nothing_follows(const Context& context) {
  const Slot& absent = context.slot(-1);
  return Epilogue<T>(0, 0, absent, nullptr, functions::kNone, 0, 0, 0, 0, absent, context);
}

/** T = float or double (spmm.cu). */
template <class T>
void aggregate(const Aggregate<T>& a, Context& context);

GUST_OPS_END
