// Random order of nodes or parts: sort by a 64-bit random number of each item's original id.
//
// The order is a function of seed, epoch and ids alone. Items are thrown into buckets by the leading bits of their
// numbers (a fixed grid of chunks counts and scatters them), then each bucket is sorted: O(n log(bucket)) time, 32 bytes
// per item, buckets in parallel.
#include <bit>

#include "../include/gust.h"
#include "sample.h"

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr int64_t kGrain = int64_t{1} << 16;
constexpr int64_t kBucket = 2048;  // items per bucket, about: 32 KiB of keys

struct Keyed {
  uint64_t key, id;
  int64_t item;
  bool operator<(const Keyed& other) const {
    return key != other.key ? key < other.key : id != other.id ? id < other.id : item < other.item;
  }
};

void shuffle(int64_t count, int64_t* items, int64_t num_ids, const int64_t* ids, const Random& random) {
  const int bits = count <= kBucket ? 0 : std::min(16, static_cast<int>(std::bit_width(static_cast<uint64_t>(count / kBucket))));
  const int64_t buckets = int64_t{1} << bits, chunks = num_chunks(count, kGrain);
  const auto bucket_of = [&](uint64_t key) { return bits == 0 ? 0 : static_cast<int64_t>(key >> (64 - bits)); };
  const auto key_of = [&](int64_t item) -> Keyed {
    if (item < 0 || item >= num_ids) fail(GUST_EDATA, "item %lld, expected numbers below %lld", ll(item), ll(num_ids));
    const auto id = static_cast<uint64_t>(ids ? ids[item] : item);
    return {random.u64(id, 0), id, item};
  };
  // starts[bucket * chunks + chunk]: where the chunk's items of the bucket go.
  std::vector<int64_t> starts(static_cast<size_t>(buckets * chunks + 1));
  std::vector<Keyed> keyed(static_cast<size_t>(count)), sorted(static_cast<size_t>(count));
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      keyed[i] = key_of(items[i]);
      ++starts[bucket_of(keyed[i].key) * chunks + begin / kGrain];
    }
  });
  exclusive_scan(starts.data(), buckets * chunks);
  std::vector<int64_t> bounds(static_cast<size_t>(buckets + 1));
  for (int64_t b = 0; b <= buckets; ++b) bounds[b] = starts[b * chunks];
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      sorted[starts[bucket_of(keyed[i].key) * chunks + begin / kGrain]++] = keyed[i];
  });
  parallel_tasks(buckets, [&](int64_t b) {
    std::sort(sorted.begin() + bounds[b], sorted.begin() + bounds[b + 1]);
    for (int64_t i = bounds[b]; i < bounds[b + 1]; ++i) items[i] = sorted[i].item;
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
