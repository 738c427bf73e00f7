// Loops over heads of a width that is known where it is common.
#pragma once

#include <type_traits>

#include "../../common/op.h"

GUST_OPS_BEGIN

/** Call f(integral_constant width) with the width of a head where it is common, else with 0. */
template <class F>
void with_width(int64_t width, F&& f) {
  switch (width) {
    case 1: return f(std::integral_constant<int64_t, 1>{});
    case 8: return f(std::integral_constant<int64_t, 8>{});
    case 16: return f(std::integral_constant<int64_t, 16>{});
    case 32: return f(std::integral_constant<int64_t, 32>{});
    case 64: return f(std::integral_constant<int64_t, 64>{});
  }
  f(std::integral_constant<int64_t, 0>{});
}

/** Sum of term(k) over the columns of a head, as A: in eight lanes that are added pairwise. */
template <class A, class F>
inline A width_sum(int64_t width, const F& term) {
  A lane[8] = {};
  const int64_t whole = width / 8;
  for (int64_t b = 0; b < whole; ++b)
    for (int64_t l = 0; l < 8; ++l) lane[l] += term(8 * b + l);
  for (int64_t l = 0; l < width % 8; ++l) lane[l] += term(8 * whole + l);
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

GUST_OPS_END
