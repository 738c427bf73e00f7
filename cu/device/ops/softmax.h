// What a softmax needs of one row, by the lanes that share the row.
#pragma once

#include "reduce.h"

GUST_OPS_BEGIN

/** softmax[j] = exp(x[j] - top) / sum. */
template <class T>
struct RowSoftmax {
  T top;       // the largest element
  double sum;  // of exp(x[j] - top), at least 1; NaN where the row has a NaN
};

/** Of x[0 .. count), which is none for lanes without a row; every lane of the warp calls it. */
template <class T>
__device__ RowSoftmax<T> softmax_of(const Row& row, const T* x, int64_t count) {
  T top = -std::numeric_limits<T>::infinity();
  for (int64_t j = row.lane; j < count; j += row.width) top = top < x[j] ? x[j] : top;
  top = row.max(top);
  double sum = 0;
  for (int64_t j = row.lane; j < count; j += row.width) sum += static_cast<double>(std::exp(x[j] - top));
  return {top, row.sum(sum)};
}

/** First position of the largest of count numbers; a NaN is never the largest; -1 if there are none. */
template <class T>
__device__ int32_t first_largest(const Row& row, const T* x, int64_t count) {
  constexpr int64_t kNowhere = std::numeric_limits<int64_t>::max();
  T top = -std::numeric_limits<T>::infinity();
  int64_t best = kNowhere;
  for (int64_t j = row.lane; j < count; j += row.width)
    if (x[j] > top) {
      top = x[j];
      best = j;
    }
  for (int w = row.width / 2; w > 0; w /= 2) {
    const T other = __shfl_xor_sync(kAllLanes, top, w);
    const int64_t place = __shfl_xor_sync(kAllLanes, best, w);
    if (other > top || (other == top && place < best)) {
      top = other;
      best = place;
    }
  }
  return static_cast<int32_t>(best != kNowhere ? best : count > 0 ? 0 : -1);
}

GUST_OPS_END
