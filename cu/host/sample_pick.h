// Picks of a row without replacement, one row at a time.
#pragma once

#include "../common/draws.h"
#include "sample.h"

namespace gust::sampling {

/** A set of numbers 0 .. size-1 as bits, with a bit for each word that has any: read in order, and empty again. */
class RankSet {
 public:
  void reserve(int64_t size) {
    if (static_cast<int64_t>(words_.size()) * 64 >= size) return;
    words_.resize(static_cast<size_t>(num_chunks(size, 64)));
    summary_.resize(static_cast<size_t>(num_chunks(size, 4096)));
  }
  /** Whether t is new. */
  bool insert(int64_t t) {
    uint64_t& word = words_[t >> 6];
    const uint64_t bit = uint64_t{1} << (t & 63);
    if (word & bit) return false;
    word |= bit;
    summary_[t >> 12] |= uint64_t{1} << (t >> 6 & 63);
    return true;
  }
  template <class Visit>
  void drain(int64_t size, Visit&& visit) {
    for (int64_t s = 0; s < num_chunks(size, 4096); ++s)
      for (uint64_t& left = summary_[s]; left; left &= left - 1) {
        const int64_t w = s << 6 | __builtin_ctzll(left);
        for (uint64_t& word = words_[w]; word; word &= word - 1) visit(w << 6 | __builtin_ctzll(word));
      }
  }

 private:
  std::vector<uint64_t> words_, summary_;
};

/** Visit `count` of the numbers below `size`, ascending, drawn uniformly without replacement by Floyd's algorithm. */
template <class Visit>
void pick_ranks(const Random& random, uint64_t id, int64_t size, int64_t count, RankSet& set, Visit&& visit) {
  Draws draws(random, id);
  set.reserve(size);
  for (int64_t j = size - count; j < size; ++j)
    if (!set.insert(static_cast<int64_t>(draws.below(static_cast<uint64_t>(j) + 1)))) set.insert(j);
  if (draws.used_up()) fail(GUST_EINVAL, "%s", kDrawsUsedUp);
  set.drain(size, visit);
}

}  // namespace gust::sampling
