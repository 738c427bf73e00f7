// Shared by the dense op files: the grids of element-wise and row-wise loops, and sums in fixed lanes.
#pragma once

#include "../../common/op.h"

GUST_OPS_BEGIN

/** Elements per task of a loop that streams memory: about 10 us of work, twice what it costs to start threads. */
constexpr int64_t kGrain = 32768;
/** The same for a loop that calls exp, log, tanh or pow: 3 to 10 ns each. */
constexpr int64_t kMathGrain = 8192;

/** Rows per task for rows of f elements. */
inline int64_t row_grain(int64_t f, int64_t grain = kGrain) {
  return std::max<int64_t>(1, grain / std::max<int64_t>(f, 1));
}

/** Call f(i) for i = 0 .. n-1. f may write what it reads (in place), but nothing that another i reads. */
template <class F>
void for_elements(int64_t n, int64_t grain, const F& f) {
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    const F body = f;  // pointers in registers: stores cannot alias the closure
#pragma GCC ivdep
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

/** Sum of term(k), k = 0 .. n-1, as A: from 16 terms on in 16 lanes that are added pairwise, for every instruction set. */
template <class A, class F>
A lane_sum(int64_t n, const F& term) {
  constexpr int kLanes = 16;
  if (n < kLanes) {
    A sum{};
    for (int64_t k = 0; k < n; ++k) sum += static_cast<A>(term(k));
    return sum;
  }
  A lane[kLanes] = {};
  int64_t k = 0;
  for (; k + kLanes <= n; k += kLanes)
    for (int l = 0; l < kLanes; ++l) lane[l] += static_cast<A>(term(k + l));
  for (int l = 0; k < n; ++k, ++l) lane[l] += static_cast<A>(term(k));
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
  return lane[0];
}

/** First position of the largest of n numbers; a NaN is never the largest; -1 if n = 0. */
template <class T>
int32_t first_largest(const T* x, int64_t n) {
  int64_t best = n > 0 ? 0 : -1;
  T top = -std::numeric_limits<T>::infinity();
  for (int64_t j = 0; j < n; ++j)
    if (x[j] > top) {
      top = x[j];
      best = j;
    }
  return static_cast<int32_t>(best);
}

GUST_OPS_END
