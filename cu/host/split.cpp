// Splits of edges: which arcs train and which are held out, and the graph that is left.
//
// Thresholds are exact order statistics without a sorted copy: four passes over the items, each counting 16 bits of
// their 64-bit keys, narrow the wanted ranks down to one key each. Memory: 512 KiB per rank and worker.
#include <array>
#include <cstring>
#include <mutex>

#include "../include/gust.h"
#include "../common/dtype.h"
#include "../common/parallel.h"
#include "../common/rng.h"
#include "../common/status.h"
#include "csr_view.h"

using namespace gust;

namespace {

constexpr int64_t kRows = 4096;                  // rows per task
constexpr int64_t kTasks = 64;                   // of a counting pass, at most: each has its own bins
constexpr int kDigit = 16, kBins = 1 << kDigit;  // bits per pass
constexpr uint64_t kSign = uint64_t{1} << 63;

using Counts = std::array<int64_t, 4>;

/** Unsigned key whose order is that of the values. */
uint64_t ordered(int64_t value) { return static_cast<uint64_t>(value) ^ kSign; }
uint64_t ordered(double value) {
  uint64_t bits;
  value += 0.0;  // -0 equals 0
  std::memcpy(&bits, &value, 8);
  return bits & kSign ? ~bits : bits | kSign;
}
int64_t bits_of(int64_t, uint64_t key) { return static_cast<int64_t>(key ^ kSign); }
int64_t bits_of(double, uint64_t key) { return static_cast<int64_t>(key & kSign ? key ^ kSign : ~key); }

/** Call f(int64_t{}) or f(double{}). */
template <class F>
void dispatch_value(int32_t dtype, F&& f) {
  if (dtype == GUST_I64) return f(int64_t{});
  if (dtype == GUST_F64) return f(double{});
  fail(GUST_EINVAL, "dtype %d is not I64 or F64", dtype);
}

/**
 * The key at each rank of the sorted keys. `scan(begin, end, visit)` calls visit(key) for every key of the items
 * begin .. end-1; keys that it leaves out do not count. Ranks must be below the number of keys.
 */
template <class Scan>
std::vector<uint64_t> keys_at(int64_t items, const std::vector<int64_t>& ranks, Scan&& scan) {
  std::vector<uint64_t> prefix(ranks.size());
  std::vector<int64_t> below(ranks);  // rank among the keys that share the prefix
  for (int shift = 64 - kDigit; shift >= 0; shift -= kDigit) {
    std::vector<std::vector<int64_t>> bins(ranks.size(), std::vector<int64_t>(kBins));
    std::mutex lock;
    parallel_for(items, std::max(kRows, (items + kTasks - 1) / kTasks), [&](int64_t begin, int64_t end) {
      std::vector<std::vector<int64_t>> own(ranks.size(), std::vector<int64_t>(kBins));
      scan(begin, end, [&](uint64_t key) {
        for (size_t r = 0; r < own.size(); ++r)
          // The first pass has no prefix yet: a shift by 64 would be undefined.
          if (shift == 64 - kDigit || key >> (shift + kDigit) == prefix[r]) ++own[r][key >> shift & (kBins - 1)];
      });
      std::lock_guard<std::mutex> hold(lock);
      for (size_t r = 0; r < own.size(); ++r)
        for (int b = 0; b < kBins; ++b) bins[r][b] += own[r][b];
    });
    for (size_t r = 0; r < ranks.size(); ++r) {
      int b = 0;
      for (; b < kBins && below[r] >= bins[r][b]; ++b) below[r] -= bins[r][b];
      if (b == kBins) fail(GUST_EINVAL, "rank %lld past the last item", static_cast<long long>(ranks[r]));
      prefix[r] = prefix[r] << kDigit | static_cast<uint64_t>(b);
    }
  }
  return prefix;
}

/** f(arc, source, target) for the arcs of rows begin .. end-1. */
template <class I, class F>
void each_arc(const CsrView<I>& a, int64_t begin, int64_t end, F&& f) {
  for (int64_t v = begin; v < end; ++v)
    for (int64_t e = a.indptr[v]; e < a.indptr[v + 1]; ++e) f(e, static_cast<int64_t>(a.indices[e]), v);
}

/** f(arcs) with the index type of `dtype`. */
template <class F>
void with_arcs(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, F&& f) {
  dispatch_index(dtype, [&](auto tag) {
    f(csr_at<decltype(tag)>(n, indptr, indices));
  });
}

void put(const Counts& counts, int64_t* out) { std::copy(counts.begin(), counts.end(), out); }

/** Sum over chunks of rows of body(counts, begin, end). */
template <class Body>
Counts count_rows(int64_t n, Body&& body) {
  Counts total{};
  std::mutex lock;
  parallel_for(n, kRows, [&](int64_t begin, int64_t end) {
    Counts own{};
    body(own, begin, end);
    std::lock_guard<std::mutex> hold(lock);
    for (int p = 0; p < 4; ++p) total[p] += own[p];
  });
  return total;
}

/** Leave one direction of the held-out arcs, and count the parts. */
template <class I>
Counts one_direction(const CsrView<I>& a, uint8_t* part) {
  return count_rows(a.n, [&](Counts& counts, int64_t begin, int64_t end) {
    each_arc(a, begin, end, [&](int64_t e, int64_t u, int64_t v) {
      if (part[e] > 1 && u > v) part[e] = 0;
      ++counts[part[e]];
    });
  });
}

/** The random number of an edge: its ends are id and (step, epoch) of the key, the smaller first where it has no
 *  direction. */
struct EdgeKeys {
  uint64_t seed;
  const int64_t* ids;
  bool undirected;

  uint64_t operator()(int64_t source, int64_t target) const {
    auto a = static_cast<uint64_t>(ids ? ids[source] : source), b = static_cast<uint64_t>(ids ? ids[target] : target);
    if (undirected && a > b) std::swap(a, b);
    return Random(seed, stream_id("split.links"), static_cast<uint32_t>(b >> 32), static_cast<uint32_t>(b), 0).u64(a, 0);
  }
};

}  // namespace

int32_t gust_split_at_ranks(int32_t dtype, int64_t values, int64_t count, const int64_t* ranks, int64_t num_ranks,
                            int64_t* out) {
  return guard([&] {
    dispatch_value(dtype, [&](auto tag) {
      const auto* from = reinterpret_cast<const decltype(tag)*>(values);
      const std::vector<int64_t> wanted(ranks, ranks + num_ranks);
      const auto keys = keys_at(count, wanted, [&](int64_t begin, int64_t end, auto&& visit) {
        for (int64_t i = begin; i < end; ++i) visit(ordered(from[i]));
      });
      for (int64_t r = 0; r < num_ranks; ++r) out[r] = bits_of(tag, keys[static_cast<size_t>(r)]);
    });
  });
}

int32_t gust_split_by_value(int32_t dtype, int64_t values, int64_t count, int64_t train_until, int64_t val_until,
                            int64_t part, int64_t* out) {
  return guard([&] {
    dispatch_value(dtype, [&](auto tag) {
      using T = decltype(tag);
      const auto* from = reinterpret_cast<const T*>(values);
      auto* parts = reinterpret_cast<uint8_t*>(part);
      T train, val;
      std::memcpy(&train, &train_until, 8);
      std::memcpy(&val, &val_until, 8);
      put(count_rows(count, [&](Counts& counts, int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
              parts[i] = from[i] <= train ? 1 : from[i] <= val ? 2 : 3;
              ++counts[parts[i]];
            }
          }), out);
    });
  });
}

int32_t gust_split_links(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t ids, int32_t undirected,
                         int64_t seed, int64_t val, int64_t test, int64_t part, int64_t* out) {
  return guard([&] {
    with_arcs(n, indptr, indices, dtype, [&](auto a) {
      auto* parts = reinterpret_cast<uint8_t*>(part);
      const EdgeKeys key{static_cast<uint64_t>(seed), reinterpret_cast<const int64_t*>(ids), undirected != 0};
      const auto is_edge = [&](int64_t u, int64_t v) { return undirected ? u < v : u != v; };
      const int64_t edges = parallel_sum<int64_t>(n, kRows, [&](int64_t begin, int64_t end) {
        int64_t count = 0;
        each_arc(a, begin, end, [&](int64_t, int64_t u, int64_t v) { count += is_edge(u, v); });
        return count;
      });
      if (val < 0 || test < 0 || val + test > edges)
        fail(GUST_EDATA, "%lld edges to hold out, expected at most the %lld that are there",
             static_cast<long long>(val + test), static_cast<long long>(edges));
      std::vector<int64_t> ranks;
      if (val > 0) ranks.push_back(val - 1);
      if (test > 0) ranks.push_back(val + test - 1);
      const auto last = keys_at(n, ranks, [&](int64_t begin, int64_t end, auto&& visit) {
        each_arc(a, begin, end, [&](int64_t, int64_t u, int64_t v) {
          if (is_edge(u, v)) visit(key(u, v));
        });
      });
      parallel_for(n, kRows, [&](int64_t begin, int64_t end) {
        each_arc(a, begin, end, [&](int64_t e, int64_t u, int64_t v) {
          parts[e] = 1;
          if (u == v || last.empty()) return;
          const uint64_t k = key(u, v);
          if (val > 0 && k <= last.front()) parts[e] = 2;
          else if (test > 0 && k <= last.back()) parts[e] = 3;
        });
      });
      if (undirected) return put(one_direction(a, parts), out);
      put(count_rows(n, [&](Counts& counts, int64_t begin, int64_t end) {
            for (int64_t e = a.indptr[begin]; e < a.indptr[end]; ++e) ++counts[parts[e]];
          }), out);
    });
  });
}

int32_t gust_split_one_direction(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t part, int64_t* out) {
  return guard([&] {
    with_arcs(n, indptr, indices, dtype, [&](auto a) { put(one_direction(a, reinterpret_cast<uint8_t*>(part)), out); });
  });
}

int32_t gust_split_indptr(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t part, int32_t which,
                          int64_t out_indptr, int64_t* out) {
  return guard([&] {
    with_arcs(n, indptr, indices, dtype, [&](auto a) {
      const auto* parts = reinterpret_cast<const uint8_t*>(part);
      auto* starts = reinterpret_cast<int64_t*>(out_indptr);
      out[0] = parallel_sum<int64_t>(n, kRows, [&](int64_t begin, int64_t end) {
        int64_t loops = 0;
        std::fill(starts + begin, starts + end, 0);
        each_arc(a, begin, end, [&](int64_t e, int64_t u, int64_t v) {
          starts[v] += parts[e] == which;
          loops += parts[e] == which && u == v;
        });
        return loops;
      });
      exclusive_scan(starts, n);
    });
  });
}

int32_t gust_split_pairs(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t part, int32_t which,
                         int64_t room, int64_t pairs) {
  return guard([&] {
    with_arcs(n, indptr, indices, dtype, [&](auto a) {
      const auto* parts = reinterpret_cast<const uint8_t*>(part);
      auto* to = reinterpret_cast<int64_t*>(pairs);
      int64_t count = 0;
      each_arc(a, 0, n, [&](int64_t e, int64_t u, int64_t v) {
        if (parts[e] != which) return;
        if (count == room) fail(GUST_EINVAL, "more pairs than the %lld announced", static_cast<long long>(room));
        to[2 * count] = u;
        to[2 * count++ + 1] = v;
      });
      if (count != room) fail(GUST_EINVAL, "%lld pairs, expected %lld", static_cast<long long>(count), static_cast<long long>(room));
    });
  });
}

int32_t gust_split_select(int64_t count, int64_t part, int32_t which, int64_t row_bytes, int64_t from, int64_t to,
                          int64_t* out) {
  return guard([&] {
    const auto* parts = reinterpret_cast<const uint8_t*>(part);
    const auto* source = reinterpret_cast<const char*>(from);
    auto* target = reinterpret_cast<char*>(to);
    int64_t kept = 0;
    const auto copy = [&](auto size) {
      for (int64_t i = 0; i < count; ++i)
        if (parts[i] == which) std::memcpy(target + kept++ * size, source + i * size, static_cast<size_t>(size));
    };
    // Elements of a constant size are copied by one instruction.
    if (row_bytes == 4) copy(std::integral_constant<int64_t, 4>{});
    else if (row_bytes == 8) copy(std::integral_constant<int64_t, 8>{});
    else copy(row_bytes);
    out[0] = kept;
  });
}
