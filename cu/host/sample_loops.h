// The inner loops of sample_neighbors.cpp that vectors speed up, for one instruction set: included once per set, inside
// a namespace and under its `#pragma GCC target`, with GUST_LOOP_BYTES = bytes of a vector. Integers only: every set
// gives the same numbers.

#include "draw_loops.h"

typedef int64_t Signed __attribute__((vector_size(GUST_LOOP_BYTES)));
typedef int32_t Lanes __attribute__((vector_size(4 * kRankLanes)));

/**
 * Floyd's algorithm on rows of at most 64 arcs, a row per lane: chosen[i] = the picks of row i as bits. again[i] is set
 * where a word may have to be drawn again. `rows` is a multiple of kRowLanes.
 */
static void pick_short(const Random& random, const uint64_t* ids, const uint64_t* sizes, int64_t rows, int64_t count,
                       uint64_t* chosen, uint64_t* again) {
  const Wide one = Wide{} + 1, low_half = Wide{} + 0xffffffffu;
  for (int64_t i = 0; i < rows; i += kWide) {
    const Wide id = read_wide(ids + i);
    Wide bound = read_wide(sizes + i) - static_cast<uint64_t>(count), picks = {}, doubt = {};
    for (int64_t k = 0; k < count;) {
      Wide words[4];
      draw_block(random, id, k / 4, words);
      for (int w = 0; w < 4 && k < count; ++w, ++k) {
        const Wide last = one << bound;
        bound += 1;
        const Wide scaled = product(words[w], bound), bit = one << (scaled >> 32);
        doubt |= (Wide)((scaled & low_half) < bound);
        picks |= (picks & bit) == 0 ? bit : last;
      }
    }
    std::memcpy(chosen + i, &picks, sizeof picks);
    std::memcpy(again + i, &doubt, sizeof doubt);
  }
}

/**
 * The same on longer rows, below 2^31 arcs, and at most kMostRanked picks: ranks[stride * i ..] = those of row i,
 * ascending. Every pick is compared with all before it: count^2 / 2 comparisons, of a row per lane.
 */
static void pick_long(const Random& random, const uint64_t* ids, const uint64_t* sizes, int64_t rows, int64_t count,
                      int64_t stride, int32_t* ranks, uint64_t* again) {
  const Wide low_half = Wide{} + 0xffffffffu;
  Signed picks[kMostRanked], places[kMostRanked];
  for (int64_t i = 0; i < rows; i += kWide) {
    const Wide id = read_wide(ids + i);
    Wide bound = read_wide(sizes + i) - static_cast<uint64_t>(count), doubt = {};
    for (int64_t k = 0; k < count;) {
      Wide words[4];
      draw_block(random, id, k / 4, words);
      for (int w = 0; w < 4 && k < count; ++w, ++k) {
        const Signed last = (Signed)bound;
        bound += 1;
        const Wide scaled = product(words[w], bound);
        doubt |= (Wide)((scaled & low_half) < bound);
        const Signed pick = (Signed)(scaled >> 32);
        Signed same = {};
        for (int64_t j = 0; j < k; ++j) same |= picks[j] == pick;
        picks[k] = same ? last : pick;
      }
    }
    std::memcpy(again + i, &doubt, sizeof doubt);
    for (int64_t k = 0; k < count; ++k) {
      Signed place = {};
      for (int64_t j = 0; j < k; ++j) {
        const Signed below = picks[j] < picks[k];  // -1 or 0
        place -= below;
        places[j] += below + 1;
      }
      places[k] = place;
    }
    for (int64_t k = 0; k < count; ++k) {
      alignas(64) int64_t pick[kWide], place[kWide];
      std::memcpy(pick, &picks[k], sizeof pick);
      std::memcpy(place, &places[k], sizeof place);
      for (int64_t l = 0; l < kWide; ++l) ranks[(i + l) * stride + place[l]] = static_cast<int32_t>(pick[l]);
    }
  }
}

/**
 * place[l] = how many of `count` keys are below key[first + l], for kRankLanes keys; equal ones count where they come
 * before.
 */
static inline void rank_keys(const int32_t* key, int64_t count, int64_t first, int32_t* place) {
  Lanes keys, rank = {};
  std::memcpy(&keys, key + first, sizeof keys);
  for (int64_t j = 0; j < count; ++j) {
    Lanes later;  // 1 where the lane's number is above j
    std::memcpy(&later, kStep + kMostRanked + first - j, sizeof later);
    rank -= key[j] < keys + later;
  }
  std::memcpy(place, &rank, sizeof rank);
}

/** Sort at most kMostRanked numbers from `key` to `out`: each goes to the place that is the number of smaller ones. */
static inline void order(const int32_t* key, int64_t count, int32_t* out) {
  alignas(64) int32_t place[kRankLanes];
  for (int64_t first = 0; first < count; first += kRankLanes) {
    rank_keys(key, count, first, place);
    const int64_t lanes = std::min(count - first, kRankLanes);
    for (int64_t l = 0; l < lanes; ++l) out[place[l]] = key[first + l];
  }
}

/**
 * Sort the first `heads[r]` positions of each row, at most kMostRanked (others are left alone), with their arcs where
 * there are any. Reads up to kRankLanes positions past the last row.
 */
static void order_heads(const int64_t* starts, const int32_t* heads, int64_t rows, int32_t* indices, int64_t* edges) {
  alignas(64) int32_t key[kMostRanked + kRankLanes];
  int64_t arc[kMostRanked];
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t count = heads[r];
    if (count < 2 || count > kMostRanked) continue;
    int32_t* row = indices + starts[r];
    Lanes head;  // a vector: g++ would copy words with "rep movs", which takes as long as all the rest
    std::memcpy(&head, row, sizeof head);
    std::memcpy(key, &head, sizeof head);
    if (count > kRankLanes) std::copy(row + kRankLanes, row + count, key + kRankLanes);
    if (!edges) {
      order(key, count, row);
      continue;
    }
    std::memcpy(arc, edges + starts[r], static_cast<size_t>(count) * sizeof *arc);
    alignas(64) int32_t place[kRankLanes];
    for (int64_t first = 0; first < count; first += kRankLanes) {
      rank_keys(key, count, first, place);
      for (int64_t l = 0; l < std::min(count - first, kRankLanes); ++l) {
        row[place[l]] = key[first + l];
        edges[starts[r] + place[l]] = arc[first + l];
      }
    }
  }
}

constexpr Loops loops{pick_short, pick_long, order_heads};
