// Philox blocks by the dozen: the same words as Random::block(), in a plain loop over blocks that the compiler turns into
// vectors. Kernels that draw for whole rows (dropout, uniform) go through for_draws().
#pragma once

#include <algorithm>
#include <cstdint>

#include "rng.h"
#include "status.h"

namespace gust {

/** Draws of one id: the key packing gives a block number 16 bits. */
constexpr int64_t kMaxDraws = int64_t{1} << 18;

/** Rounds `Round` to 9 of Philox, unrolled: the loop over blocks stays the innermost one and becomes vectors. */
template <int Round>
inline __attribute__((always_inline)) void philox_rounds(uint32_t& x0, uint32_t& x1, uint32_t& x2, uint32_t& x3,
                                                         uint32_t k0, uint32_t k1) {
  if constexpr (Round < 10) {
    const uint64_t p0 = 0xD2511F53ull * x0, p1 = 0xCD9E8D57ull * x2;
    x0 = static_cast<uint32_t>(p1 >> 32) ^ x1 ^ (k0 + Round * 0x9E3779B9u);
    x2 = static_cast<uint32_t>(p0 >> 32) ^ x3 ^ (k1 + Round * 0xBB67AE85u);
    x1 = static_cast<uint32_t>(p1);
    x3 = static_cast<uint32_t>(p0);
    philox_rounds<Round + 1>(x0, x1, x2, x3, k0, k1);
  }
}

/** words[4 * i + w] = word w of the block with counters c0[i], c1[i], for i = 0 .. count - 1. */
inline void philox_blocks(const Random& random, const uint32_t* __restrict c0, const uint32_t* __restrict c1,
                          int count, uint32_t* __restrict words) {
  const uint32_t k0 = random.k0, k1 = random.k1, step = random.step, epoch = random.epoch;
  for (int i = 0; i < count; ++i) {
    uint32_t x0 = c0[i], x1 = c1[i], x2 = step, x3 = epoch;
    philox_rounds<0>(x0, x1, x2, x3, k0, k1);
    words[4 * i] = x0;
    words[4 * i + 1] = x1;
    words[4 * i + 2] = x2;
    words[4 * i + 3] = x3;
  }
}

/**
 * Draws for rows begin .. end-1. row(i) gives {id, start, count}: draws 0 .. count-1 of `id` belong to elements
 * start .. start+count-1. apply(at, words, n) is called for runs of neighbouring elements: words[k] is the draw of
 * element at + k, and 15 more words can be read. A run starts at a multiple of four draws of its row and may join several
 * rows.
 */
struct DrawRow {
  uint64_t id;
  int64_t start, count;
};

template <class Row, class Apply>
void for_draws(const Random& random, int64_t begin, int64_t end, Row&& row, Apply&& apply) {
  constexpr int kTile = 128;  // blocks in flight: 4 KiB of counters, words and runs
  struct Run {
    int64_t at;
    int32_t word, count;
  };
  constexpr int kSpare = 16;  // what a vector may read past the last draw
  alignas(64) uint32_t c0[kTile], c1[kTile], words[4 * kTile + kSpare];
  Run runs[kTile];
  int used = 0, num_runs = 0;
  auto flush = [&] {
    philox_blocks(random, c0, c1, used, words);
    for (int r = 0; r < num_runs; ++r) apply(runs[r].at, words + runs[r].word, static_cast<int64_t>(runs[r].count));
    used = num_runs = 0;
  };
  for (int64_t i = begin; i < end; ++i) {
    const DrawRow draws = row(i);
    if (draws.count > kMaxDraws)
      fail(GUST_EINVAL, "row %lld needs %lld random draws, expected at most 2^18", static_cast<long long>(i),
           static_cast<long long>(draws.count));
    const uint32_t low = static_cast<uint32_t>(draws.id);
    const uint32_t high = (static_cast<uint32_t>(draws.id >> 32) & 0xffu) | random.c1;
    for (int64_t done = 0; done < draws.count;) {
      const int blocks = static_cast<int>(std::min<int64_t>((draws.count - done + 3) / 4, kTile - used));
      const int32_t count = static_cast<int32_t>(std::min<int64_t>(draws.count - done, 4 * blocks));
      for (int b = 0; b < blocks; ++b) {
        c0[used + b] = low;
        c1[used + b] = high | static_cast<uint32_t>(done / 4 + b) << 16;
      }
      const int64_t at = draws.start + done;
      Run* last = num_runs > 0 ? &runs[num_runs - 1] : nullptr;
      if (last && last->at + last->count == at && last->word + last->count == 4 * used)
        last->count += count;
      else
        runs[num_runs++] = {at, 4 * used, count};
      used += blocks;
      done += count;
      if (used == kTile) flush();
    }
  }
  if (used > 0) flush();
}

}  // namespace gust
