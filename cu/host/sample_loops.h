// The inner loops of sample_neighbors.cpp that vectors speed up, for one instruction set: included once per set, inside
// a namespace and under its `#pragma GCC target`, with GUST_LOOP_BYTES = bytes of a vector. Integers only: every set
// gives the same numbers.

#include "draw_loops.h"

typedef int64_t Signed __attribute__((vector_size(GUST_LOOP_BYTES)));
typedef int32_t Lanes __attribute__((vector_size(4 * kStep)));
typedef int32_t Keys __attribute__((vector_size(GUST_LOOP_BYTES)));
constexpr int kKeys = GUST_LOOP_BYTES / 4;

/** For each lane l, its partner l ^ apart. */
template <int apart>
constexpr auto kPartners = [] {
  std::array<int32_t, kMostSorted> partner{};
  for (int l = 0; l < kMostSorted; ++l) partner[l] = l ^ apart;
  return partner;
}();
/** -1 for each lane that keeps the smaller of the two, where runs of `run` lanes rise and fall in turn; else 0. */
template <int run, int apart>
constexpr auto kKeepsLow = [] {
  std::array<int32_t, kMostSorted> keeps{};
  for (int l = 0; l < kMostSorted; ++l) keeps[l] = ((l & apart) == 0) == ((l & run) == 0) ? -1 : 0;
  return keeps;
}();

/** Merge runs of run / 2 lanes to runs of `run`, lanes `apart` from each other and nearer ones (Batcher, AFIPS 1968). */
template <int lanes, int run, int apart>
[[gnu::always_inline]] static inline void merge(Keys (&v)[lanes / kKeys]) {
  if constexpr (apart > 0) {
    for (int a = 0; a < lanes / kKeys; ++a) {
      if constexpr (apart >= kKeys) {
        constexpr int next = apart / kKeys;
        if (a & next) continue;
        const Keys x = v[a], y = v[a + next], low = x < y ? x : y, high = x < y ? y : x;
        const bool rises = (a * kKeys & run) == 0;
        v[a] = rises ? low : high;
        v[a + next] = rises ? high : low;
      } else {
        Keys partner, keeps_low;
        std::memcpy(&partner, kPartners<apart>.data(), sizeof partner);
        std::memcpy(&keeps_low, kKeepsLow<run, apart>.data() + a * kKeys, sizeof keeps_low);
        const Keys x = v[a], y = __builtin_shuffle(x, partner), low = x < y ? x : y, high = x < y ? y : x;
        v[a] = keeps_low ? low : high;
      }
    }
    merge<lanes, run, apart / 2>(v);
  }
}

/** Sort at most `lanes` numbers from `keys` to `sorted`, in registers. Reads and writes `lanes` of them. */
template <int lanes>
[[gnu::always_inline]] static inline void sort_lanes(const int32_t* keys, int64_t count, int32_t* sorted) {
  Keys v[lanes / kKeys];
  for (int a = 0; a < lanes / kKeys; ++a) {
    Keys lane;
    std::memcpy(&lane, kPartners<0>.data() + a * kKeys, sizeof lane);
    std::memcpy(&v[a], keys + a * kKeys, sizeof v[a]);
    v[a] = lane < static_cast<int32_t>(count) ? v[a] : Keys{} + INT32_MAX;
  }
  merge<lanes, 2, 1>(v);
  merge<lanes, 4, 2>(v);
  merge<lanes, 8, 4>(v);
  merge<lanes, 16, 8>(v);
  if constexpr (lanes >= 32) merge<lanes, 32, 16>(v);
  if constexpr (lanes >= 64) merge<lanes, 64, 32>(v);
  for (int a = 0; a < lanes / kKeys; ++a) std::memcpy(sorted + a * kKeys, &v[a], sizeof v[a]);
}

/** Sort at most kMostSorted numbers from `keys` to `sorted`. Reads and writes up to kMostSorted of them. */
[[gnu::always_inline]] static inline void sort_row(const int32_t* keys, int64_t count, int32_t* sorted) {
  if (count <= 16) [[likely]] sort_lanes<16>(keys, count, sorted);
  else if (count <= 32) sort_lanes<32>(keys, count, sorted);
  else sort_lanes<kMostSorted>(keys, count, sorted);
}

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
 * The same on longer rows, below 2^31 arcs, and at most kMostSorted picks: ranks[kMostSorted * i ..] = those of row i,
 * ascending. Every pick is compared with all before it: count^2 / 2 comparisons, of a row per lane.
 */
static void pick_long(const Random& random, const uint64_t* ids, const uint64_t* sizes, int64_t rows, int64_t count,
                      int32_t* ranks, uint64_t* again) {
  const Wide low_half = Wide{} + 0xffffffffu;
  Signed picks[kMostSorted];
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
    for (int64_t k = 0; k < count; ++k)
      for (int64_t l = 0; l < kWide; ++l) ranks[(i + l) * kMostSorted + k] = static_cast<int32_t>(picks[k][l]);
    for (int64_t l = 0; l < kWide; ++l) sort_row(ranks + (i + l) * kMostSorted, count, ranks + (i + l) * kMostSorted);
  }
}

/** place(l, p) for each of `count` keys, at most kMostSorted: p keys are below key l, or equal and before it. */
template <class Place>
[[gnu::always_inline]] static inline void rank_keys(const int32_t* keys, int64_t count, Place&& place) {
  for (int64_t first = 0; first < count; first += kStep) {
    Lanes key, rank = {};
    std::memcpy(&key, keys + first, sizeof key);
    for (int64_t j = 0; j < count; ++j) {
      Lanes later;  // 1 where the lane's number is above j
      std::memcpy(&later, kLater + kMostSorted + first - j, sizeof later);
      rank -= keys[j] < key + later;
    }
    alignas(64) int32_t ranks[kStep];
    std::memcpy(ranks, &rank, sizeof rank);
    for (int64_t l = 0; l < std::min(count - first, kStep); ++l) place(first + l, ranks[l]);
  }
}

/**
 * Sort each row's keys, which are copied only where they are more than kMostSorted. Reads and writes up to kMostSorted
 * keys past the last row.
 */
static void sort_rows(const int64_t* counts, int64_t rows, const int32_t* keys, int32_t* sorted) {
  for (int64_t r = 0, at = 0; r < rows; at += counts[r++]) {
    const int64_t count = counts[r];
    if (count <= kMostSorted) [[likely]] sort_row(keys + at, count, sorted + at);
    else std::memcpy(sorted + at, keys + at, static_cast<size_t>(count) * sizeof *keys);
  }
}

/** The same with a value for each key. Reads up to kStep keys past the last row. */
static void sort_rows_with(const int64_t* counts, int64_t rows, const int32_t* keys, const int64_t* values,
                           int32_t* sorted, int64_t* sorted_values) {
  for (int64_t r = 0, at = 0; r < rows; at += counts[r++]) {
    const int64_t count = counts[r];
    if (count <= kMostSorted) {
      rank_keys(keys + at, count, [&](int64_t l, int32_t place) {
        sorted[at + place] = keys[at + l];
        sorted_values[at + place] = values[at + l];
      });
    } else {
      std::memcpy(sorted + at, keys + at, static_cast<size_t>(count) * sizeof *keys);
      std::memcpy(sorted_values + at, values + at, static_cast<size_t>(count) * sizeof *values);
    }
  }
}

constexpr Loops loops{pick_short, pick_long, sort_rows, sort_rows_with};
