// Random order of nodes or parts: sort by a 64-bit random number of each item's original id.
//
// The order is a function of seed, epoch and ids alone. Items are thrown into buckets by the leading bits of their
// numbers (a grid of chunks counts and scatters them), then each bucket is sorted. Numbers are uniform: up to 2^21 items
// have buckets of a few dozen, so that it takes O(n) time, more of them O(n log(bucket)). 24 bytes per item.
#include <immintrin.h>

#include <bit>
#include <cstring>
#include <utility>

#include "../include/gust.h"
#include "../common/isa.h"
#include "sample.h"

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr int64_t kBucket = 32;               // items per bucket, about
constexpr int kMostBits = 16;                 // buckets at most: 2 to this power
constexpr int64_t kGrain = int64_t{1} << 16;  // items of a chunk
constexpr int64_t kMostChunks = 64;           // each has a place in every bucket
constexpr int64_t kBucketGrain = 1 << 8;      // buckets that are sorted in one task
constexpr int64_t kDrawn = 512;               // numbers that are drawn together, a multiple of kKeyLanes
constexpr int64_t kKeyLanes = 8;              // a multiple of how many are drawn at once

struct Loops {
  void (*draw_keys)(const Random& random, const uint64_t* ids, int64_t count, uint64_t* keys);
};

#define GUST_LOOPS "sample_shuffle_loops.h"
#include "isa_loops.h"

struct Keyed {
  uint64_t key;
  int64_t item;
};

void shuffle(int64_t count, int64_t* items, int64_t num_ids, const int64_t* ids, const Random& random) {
  const Loops& vectors = loops();
  const int bits = std::min(kMostBits, static_cast<int>(std::bit_width(static_cast<uint64_t>(count / kBucket))));
  const int64_t buckets = int64_t{1} << bits, grain = std::max(kGrain, num_chunks(count, kMostChunks));
  const int64_t chunks = num_chunks(count, grain);
  const auto bucket_of = [&](uint64_t key) { return bits == 0 ? 0 : static_cast<int64_t>(key >> (64 - bits)); };
  const auto id_of = [&](int64_t item) { return static_cast<uint64_t>(ids ? ids[item] : item); };
  const auto checked = [&](int64_t item) {
    if (item < 0 || item >= num_ids) fail(GUST_EDATA, "item %lld, expected numbers below %lld", ll(item), ll(num_ids));
    return item;
  };
  Array<uint64_t> keys(static_cast<size_t>(count));
  // places[chunk * buckets + bucket]: how many items of the chunk are in the bucket, then where the next of them goes.
  std::vector<int64_t> places(static_cast<size_t>(chunks * buckets));
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    int64_t* counts = places.data() + begin / grain * buckets;
    for (int64_t first = begin; first < end; first += kDrawn) {
      const int64_t drawn = std::min(end - first, kDrawn);
      uint64_t id[kDrawn] = {}, key[kDrawn];
      for (int64_t i = 0; i < drawn; ++i) id[i] = id_of(checked(items[first + i]));
      vectors.draw_keys(random, id, num_chunks(drawn, kKeyLanes) * kKeyLanes, key);
      for (int64_t i = 0; i < drawn; ++i) {
        keys[first + i] = key[i];
        ++counts[bucket_of(key[i])];
      }
    }
  });
  std::vector<int64_t> starts(static_cast<size_t>(buckets + 1));
  for (int64_t b = 0; b < buckets; ++b) {
    starts[b + 1] = starts[b];
    for (int64_t c = 0; c < chunks; ++c) starts[b + 1] += std::exchange(places[c * buckets + b], starts[b + 1]);
  }
  Array<Keyed> sorted(static_cast<size_t>(count));
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    int64_t* place = places.data() + begin / grain * buckets;
    for (int64_t i = begin; i < end; ++i) sorted[place[bucket_of(keys[i])]++] = {keys[i], items[i]};
  });
  const auto less = [&](const Keyed& a, const Keyed& b) {
    if (a.key != b.key) [[likely]] return a.key < b.key;
    return id_of(a.item) != id_of(b.item) ? id_of(a.item) < id_of(b.item) : a.item < b.item;
  };
  parallel_for(buckets, kBucketGrain, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) std::sort(sorted.data() + starts[b], sorted.data() + starts[b + 1], less);
    for (int64_t i = starts[begin]; i < starts[end]; ++i) items[i] = sorted[i].item;
  });
}

}  // namespace

int32_t gust_sample_shuffle(int64_t count, int64_t items, int64_t num_ids, int64_t ids, int64_t seed, int64_t stream,
                            int64_t epoch) {
  return guard([&] {
    const Random random(static_cast<uint64_t>(seed), static_cast<uint32_t>(stream), static_cast<uint32_t>(epoch), 0, 0);
    shuffle(count, reinterpret_cast<int64_t*>(items), num_ids, reinterpret_cast<const int64_t*>(ids), random);
  });
}
