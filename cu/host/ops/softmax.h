// exp for softmax, and softmax statistics of many rows at once.
#pragma once

#include <bit>
#include <vector>

#include "dense.h"
#include "simd.h"

GUST_OPS_BEGIN

/**
 * exp(x) for x <= 0, without branches or calls, of a number or a vector of them. Relative error below 2e-7; 0 below
 * ln(2^-126). Range reduction to |r| <= ln(2) / 2 and the polynomial are those of Cephes expf (Moshier).
 */
template <class F, class Bits>
inline F softmax_exp_of(const F& x) {
  constexpr float kLog2e = 1.44269504088896341f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  const F lowest = F{} + -87.3365447f;
  const F clamped = x < lowest ? lowest : x;
  const F shifted = clamped * kLog2e + kRound, power = shifted - kRound;
  const F r = (clamped - power * kLn2High) - power * kLn2Low;
  F p = F{} + 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const F scale = std::bit_cast<F>((std::bit_cast<Bits>(shifted) + 127u) << 23);
  return x < lowest ? F{} : p * scale;
}
/** In loops over it, which become vectors. */
inline float softmax_exp(float x) { return softmax_exp_of<float, uint32_t>(x); }
inline double softmax_exp(double x) { return std::exp(x); }
inline Vec<float> softmax_exp(const Vec<float>& x) { return softmax_exp_of<Vec<float>, Vec<uint32_t>>(x); }
inline Vec<double> softmax_exp(const Vec<double>& x) {
  Vec<double> y{};
  for (int l = 0; l < kLanes<double>; ++l) y[l] = std::exp(x[l]);
  return y;
}

/** What a softmax needs of one row: softmax[j] = exps[j] / sum. */
template <class T>
struct RowSoftmax {
  T top;          // the largest element
  double sum;     // of exps, at least 1
  const T* exps;  // exp(row[j] - top)
};

/**
 * Call use(r, row, softmax) for r = begin .. end-1 with row = row_of(r), c elements long, leaving out rows that are
 * null. Rows go through a buffer in groups, so that exp runs over long vectors however narrow the rows are.
 */
template <class T, class RowOf, class Use>
void for_softmax_rows(int64_t begin, int64_t end, int64_t c, const RowOf& row_of, const Use& use) {
  if (c == 0) return;
  const int64_t group = std::min(end - begin, std::max<int64_t>(1, 1024 / c));
  std::vector<T> exps(static_cast<size_t>(group * c));
  struct Member {
    int64_t r;
    const T* row;
    T top;
  };
  std::vector<Member> members(static_cast<size_t>(group));
  int64_t used = 0;
  auto flush = [&] {
    T* values = exps.data();
#pragma GCC ivdep
    for (int64_t k = 0; k < used * c; ++k) values[k] = softmax_exp(values[k]);
    for (int64_t m = 0; m < used; ++m) {
      const T* of = values + m * c;
      const double sum = lane_sum<double>(c, [=](int64_t j) { return of[j]; });
      use(members[m].r, members[m].row, RowSoftmax<T>{members[m].top, sum, of});
    }
    used = 0;
  };
  for (int64_t r = begin; r < end; ++r) {
    const T* row = row_of(r);
    if (!row) continue;
    T top = row[0];
    for (int64_t j = 1; j < c; ++j) top = top < row[j] ? row[j] : top;
    T* to = exps.data() + used * c;
    for (int64_t j = 0; j < c; ++j) to[j] = row[j] - top;
    members[used++] = {r, row, top};
    if (used == group) flush();
  }
  flush();
}

GUST_OPS_END
