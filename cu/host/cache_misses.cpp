// Lines that a sparse product misses in a last-level cache: its loads and stores, in the order in which one thread
// makes them, against sets of a few lines of which the least recently used one goes. For machines that count no misses
// themselves, as most virtual ones.
//
// The arrays lie one behind the other. The caches above are left out: what they keep is used again here as well, so
// that a line that is hot there stays here. Prefetches are too: they bring the lines that are missed earlier, no
// others.
// O(lines of x that are read * ways) time, by one thread: what a cache holds depends on everything before.
// Source: the cache model of cachegrind, Nethercote and Seward 2007, PLDI, section 3.
#include <cstring>

#include "../common/dtype.h"
#include "../include/gust.h"
#include "pinning.h"
#include "spmm_pinned.h"

namespace gust {
namespace {

using partition::Array;

constexpr int64_t kLine = 64;

class Cache {
 public:
  Cache(int64_t bytes, int64_t ways) : ways_(ways), sets_(bytes / kLine / ways), lines_(sets_ * ways, -1) {}

  /** Whether `line` was held; it is the most recent one of its set then. */
  bool use(int64_t line) {
    int64_t* set = lines_.data() + line % sets_ * ways_;  // the most recent first
    int64_t at = 0;
    while (at < ways_ - 1 && set[at] != line) ++at;
    const bool hit = set[at] == line;
    std::memmove(set + 1, set, static_cast<size_t>(at) * sizeof(int64_t));
    set[0] = line;
    return hit;
  }

 private:
  int64_t ways_, sets_;
  Array<int64_t> lines_;
};

/** Where arrays begin, one behind the other at a line each. */
class Places {
 public:
  int64_t add(int64_t bytes) { return std::exchange(next_, next_ + num_chunks(bytes, kLine) * kLine); }

 private:
  int64_t next_ = 0;
};

/** The accesses of a product with rows of `row_bytes`. */
class Accesses {
 public:
  Accesses(int64_t row_bytes, int64_t cache_bytes, int64_t ways) : row_(row_bytes), cache_(cache_bytes, ways) {}

  /** Misses of the lines of row j of a dense matrix. */
  int64_t dense(int64_t base, int64_t j) { return range(base + j * row_, row_); }
  /** Misses of `count` items of a few bytes from `first` on. */
  int64_t items(int64_t base, int64_t first, int64_t count, int64_t size) {
    return count > 0 ? range(base + first * size, count * size) : 0;
  }

 private:
  int64_t range(int64_t from, int64_t bytes) {
    int64_t misses = 0;
    if (bytes > 0)
      for (int64_t line = from / kLine; line <= (from + bytes - 1) / kLine; ++line) misses += !cache_.use(line);
    return misses;
  }
  int64_t row_;
  Cache cache_;
};

void check_cache(int64_t row_bytes, int64_t bytes, int64_t ways) {
  if (row_bytes < 0 || ways < 1 || bytes < kLine * ways)
    fail(GUST_EINVAL, "rows of %lld bytes, a cache of %lld in %lld ways: expected a line of %lld per way at least",
         static_cast<long long>(row_bytes), static_cast<long long>(bytes), static_cast<long long>(ways),
         static_cast<long long>(kLine));
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_misses_rowwise(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t row_bytes,
                            int64_t cache_bytes, int64_t ways, int64_t* out) {
  return guard([&] {
    check_cache(row_bytes, cache_bytes, ways);
    dispatch_index(dtype, [&](auto tag) {
      using I = decltype(tag);
      const auto* ptr = pinning::at<const int64_t>(indptr);
      const auto* columns = pinning::at<const I>(indices);
      Places places;
      const int64_t x = places.add(n * row_bytes), result = places.add(n * row_bytes);
      const int64_t pointers = places.add(8 * (n + 1)), list = places.add(ptr[n] * static_cast<int64_t>(sizeof(I)));
      Accesses of(row_bytes, cache_bytes, ways);
      out[0] = out[1] = 0;
      for (int64_t i = 0; i < n; ++i) {
        out[1] += of.items(pointers, i, 2, 8);
        out[1] += of.items(list, ptr[i], ptr[i + 1] - ptr[i], sizeof(I));
        for (int64_t e = ptr[i]; e < ptr[i + 1]; ++e) out[0] += of.dense(x, columns[e]);
        out[1] += of.dense(result, i);
      }
    });
  });
}

int32_t gust_misses_pinned(int64_t layout, int64_t row_bytes, int64_t cache_bytes, int64_t ways, int64_t* out) {
  return guard([&] {
    check_cache(row_bytes, cache_bytes, ways);
    const auto& l = *pinning::at<const pinned::Layout>(layout);
    const int64_t n = l.n;
    Places places;
    const int64_t x = places.add(n * row_bytes), result = places.add(n * row_bytes);
    const int64_t pointers = places.add(8 * (n + 1)), slots = places.add(4 * l.slots.size());
    const int64_t ids = places.add(4 * l.ids.size()), buffer = places.add(l.most * row_bytes);
    Accesses of(row_bytes, cache_bytes, ways);
    out[0] = out[1] = 0;
    for (const pinned::Task& task : l.tasks) {
      const int64_t first = l.ptr[task.cluster], count = l.pinned(task.cluster);
      out[1] += of.items(ids, first, count, 4);
      for (int64_t s = 0; s < count; ++s) out[0] += of.dense(x, l.ids[first + s]) + of.dense(buffer, s);
      for (int64_t i = task.begin; i < task.end; ++i) {
        const int64_t begin = l.indptr[i], end = l.indptr[i + 1];
        out[1] += of.items(pointers, i, 2, 8);
        out[1] += of.items(slots, begin, end - begin, 4);
        for (int64_t e = begin; e < end; ++e)
          out[0] += l.slots[e] >= 0 ? of.dense(buffer, l.slots[e]) : of.dense(x, ~l.slots[e]);
        out[1] += of.dense(result, i);
      }
    }
  });
}
