// Dropout masks: a draw belongs to (row id, position in the row), never to a thread or a memory place, so the same rows
// drop the same elements in any batch.
#pragma once

#include <bit>

#include "../../common/rng_blocks.h"
#include "dense.h"

GUST_OPS_BEGIN

/** x if `keep`, else 0, without a branch: the outcome is random, so half of the predictions would miss. */
template <class T>
inline T kept(T x, bool keep) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  return std::bit_cast<T>(std::bit_cast<Bits>(x) & -static_cast<Bits>(keep));
}

/** out = keep ? x / (1 - p) : 0 over rows begin .. end-1 of draws; `row` as in for_draws. x absent: ones. */
template <class T, class Row>
void drop_run(const Random& random, double p, int64_t begin, int64_t end, const T* x, T* out, const Row& row) {
  const uint32_t threshold = drop_threshold(p);
  const T scale = static_cast<T>(1 / (1 - p));
  if (x)
    for_draws(random, begin, end, row, [=](int64_t at, const uint32_t* words, int64_t count) {
#pragma GCC ivdep
      for (int64_t k = 0; k < count; ++k) out[at + k] = kept(x[at + k] * scale, words[k] >= threshold);
    });
  else
    for_draws(random, begin, end, row, [=](int64_t at, const uint32_t* words, int64_t count) {
#pragma GCC ivdep
      for (int64_t k = 0; k < count; ++k) out[at + k] = kept(scale, words[k] >= threshold);
    });
}

/** Call f with a function i -> random id of row i. */
template <class F>
void with_ids(const Slot& ids, F&& f) {
  if (!ids.live) return f([](int64_t i) { return static_cast<uint64_t>(i); });
  dispatch_index(ids.dtype, [&](auto tag) {
    const auto* id = ids.as<decltype(tag)>();
    f([=](int64_t i) { return static_cast<uint64_t>(id[i]); });
  });
}

/** Elements per task of a loop that draws: a draw costs as much as part of an exp. */
constexpr int64_t kDrawGrain = kMathGrain;

GUST_OPS_END
