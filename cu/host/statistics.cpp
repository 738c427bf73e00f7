// Exact counts of whole arrays for `gust inspect`. One pass over memory each, chunks of a fixed grid in parallel; the
// counts are integers, so their sums do not depend on threads, and the one sum of fractions adds up chunk by chunk.
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "../include/gust.h"
#include "../common/dtype.h"
#include "../common/parallel.h"

namespace gust {
namespace {

constexpr int64_t kGrain = int64_t{1} << 16;
/** Bin 0 counts zeros, bin b values 2^(b-1) .. 2^b - 1. */
constexpr int kLogBins = 65;

template <class T>
T* at(int64_t address) { return reinterpret_cast<T*>(address); }

void need_size(int64_t n) {
  if (n < 0) fail(GUST_EINVAL, "array of %lld elements", static_cast<long long>(n));
}

[[noreturn]] void bad_value(const char* what, int64_t place, int64_t value, int64_t limit) {
  fail(GUST_EDATA, "%s %lld is %lld, expected 0 to %lld", what, static_cast<long long>(place),
       static_cast<long long>(value), static_cast<long long>(limit - 1));
}

/** Row r of a row pointer; every row is checked where it is used, so that nothing outside `items` is read. */
struct Rows {
  const int64_t* ptr;
  int64_t items;
  int64_t begin(int64_t r) const {
    int64_t from = ptr[r], to = ptr[r + 1];
    if (from < 0 || to < from || to > items)
      fail(GUST_EDATA, "row %lld spans %lld to %lld, expected an ascending pointer into %lld items",
           static_cast<long long>(r), static_cast<long long>(from), static_cast<long long>(to),
           static_cast<long long>(items));
    return from;
  }
  int64_t end(int64_t r) const { return ptr[r + 1]; }
};

/** Least, greatest and log histogram of non-negative integers. */
struct Distribution {
  int64_t least = std::numeric_limits<int64_t>::max(), greatest = 0;
  std::array<int64_t, kLogBins> bins{};
  void add(int64_t value) {
    least = std::min(least, value);
    greatest = std::max(greatest, value);
    ++bins[static_cast<size_t>(std::bit_width(static_cast<uint64_t>(value)))];
  }
  Distribution& operator+=(const Distribution& other) {
    least = std::min(least, other.least);
    greatest = std::max(greatest, other.greatest);
    for (int b = 0; b < kLogBins; ++b) bins[b] += other.bins[b];
    return *this;
  }
  void write(int64_t n, int64_t* out) const {
    out[0] = n == 0 ? 0 : least;
    out[1] = greatest;
    std::copy(bins.begin(), bins.end(), out + 2);
  }
};

template <class Value>
Distribution distribution(int64_t n, Value&& value) {
  return parallel_sum<Distribution>(n, kGrain, [&](int64_t begin, int64_t end) {
    Distribution d;
    for (int64_t i = begin; i < end; ++i) d.add(value(i));
    return d;
  });
}

void add_one(int64_t& counter) { std::atomic_ref<int64_t>(counter).fetch_add(1, std::memory_order_relaxed); }

// ---- union-find ----------------------------------------------------------------------------------------------------
// A parent is never greater than its child, so the root of a component is its least node whatever the order of the
// unions (Jayanti and Tarjan 2016, "A randomized concurrent algorithm for disjoint set union", with ids as priorities).

int64_t root_of(int64_t* parent, int64_t v) {
  for (;;) {
    int64_t p = std::atomic_ref<int64_t>(parent[v]).load(std::memory_order_relaxed);
    if (p == v) return v;
    int64_t grand = std::atomic_ref<int64_t>(parent[p]).load(std::memory_order_relaxed);
    if (grand == p) return p;
    std::atomic_ref<int64_t>(parent[v]).compare_exchange_weak(p, grand, std::memory_order_relaxed);
    v = grand;
  }
}

void join(int64_t* parent, int64_t a, int64_t b) {
  for (;;) {
    a = root_of(parent, a);
    b = root_of(parent, b);
    if (a == b) return;
    if (a < b) std::swap(a, b);
    int64_t expected = a;
    if (std::atomic_ref<int64_t>(parent[a]).compare_exchange_strong(expected, b, std::memory_order_relaxed)) return;
  }
}

/** Arcs of labelled ends by class, and the sum of each node's share of neighbours of its class. */
struct Homophily {
  std::vector<int64_t> into, from, inside;
  double shares = 0;
  int64_t nodes = 0;
};

/** Add up each chunk's counts into `counts` (`size` of them); body(begin, end, partial). Few chunks: each has its own. */
template <class Body>
void count_chunks(int64_t n, int64_t size, int64_t* counts, Body&& body) {
  int64_t grain = std::max(kGrain, (n + 63) / 64);
  std::vector<std::vector<int64_t>> partial(static_cast<size_t>(num_chunks(n, grain)));
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    auto& own = partial[static_cast<size_t>(begin / grain)];
    own.assign(static_cast<size_t>(size), 0);
    body(begin, end, own.data());
  });
  std::fill(counts, counts + size, 0);
  for (const auto& own : partial)
    for (int64_t c = 0; c < size; ++c) counts[c] += own[static_cast<size_t>(c)];
}

/** Count value v as v, a negative one as `classes`. */
void count_class(int64_t place, int64_t value, int64_t classes, int64_t* counts) {
  if (value >= classes) bad_value("value", place, value, classes);
  ++counts[value < 0 ? classes : value];
}

template <class T>
bool is_zero(T value) {
  if constexpr (std::is_arithmetic_v<T>) return value == 0;
  else return (value.bits & 0x7fff) == 0;
}

/** f(T{}) for every type of times and targets. */
template <class F>
void dispatch_number(int32_t dtype, F&& f) {
  switch (dtype) {
    case GUST_F64: return f(double{});
    case GUST_F32: return f(float{});
    case GUST_I64: return f(int64_t{});
    case GUST_I32: return f(int32_t{});
  }
  fail(GUST_EINVAL, "dtype %d, expected F64, F32, I64 or I32", dtype);
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_stats_lengths(int64_t ptr, int64_t n, int64_t items, int64_t* out) {
  return guard([&] {
    need_size(n);
    Rows rows{at<const int64_t>(ptr), items};
    distribution(n, [&](int64_t r) {
      int64_t from = rows.begin(r);
      return rows.end(r) - from;
    }).write(n, out);
  });
}

int32_t gust_stats_occurrences(int64_t n, int64_t items, int32_t dtype, int64_t values, int64_t* out) {
  return guard([&] {
    need_size(n);
    need_size(items);
    std::vector<int64_t> counts(static_cast<size_t>(n));
    dispatch_index(dtype, [&](auto type) {
      auto v = at<const decltype(type)>(values);
      parallel_for(items, kGrain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          if (v[i] < 0 || v[i] >= n) bad_value("index", i, v[i], n);
          add_one(counts[static_cast<size_t>(v[i])]);
        }
      });
    });
    distribution(n, [&](int64_t v) { return counts[static_cast<size_t>(v)]; }).write(n, out);
  });
}

int32_t gust_components_begin(int64_t parent, int64_t n) {
  return guard([&] {
    need_size(n);
    auto p = at<int64_t>(parent);
    parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t v = begin; v < end; ++v) p[v] = v;
    });
  });
}

int32_t gust_components_join(int64_t parent, int64_t n, int64_t first_row, int64_t num_rows, int64_t first_column,
                             int64_t num_columns, int64_t indptr, int64_t items, int32_t dtype, int64_t indices) {
  return guard([&] {
    need_size(num_rows);
    need_size(num_columns);
    if (first_row < 0 || first_row + num_rows > n || first_column < 0 || first_column + num_columns > n)
      fail(GUST_EINVAL, "rows or columns outside of %lld nodes", static_cast<long long>(n));
    auto p = at<int64_t>(parent);
    Rows rows{at<const int64_t>(indptr), items};
    dispatch_index(dtype, [&](auto type) {
      auto columns = at<const decltype(type)>(indices);
      parallel_for(num_rows, 1 << 12, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r)
          for (int64_t i = rows.begin(r); i < rows.end(r); ++i) {
            if (columns[i] < 0 || columns[i] >= num_columns) bad_value("index", i, columns[i], num_columns);
            join(p, first_row + r, first_column + columns[i]);
          }
      });
    });
  });
}

int32_t gust_components_count(int64_t parent, int64_t n, int64_t* out) {
  return guard([&] {
    need_size(n);
    auto p = at<int64_t>(parent);
    std::vector<int64_t> sizes(static_cast<size_t>(n));
    parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t v = begin; v < end; ++v) add_one(sizes[static_cast<size_t>(root_of(p, v))]);
    });
    // Nodes that are no root have size 0: they are taken out of the distribution again.
    Distribution d = distribution(n, [&](int64_t v) { return sizes[static_cast<size_t>(v)]; });
    int64_t count = n - d.bins[0];
    d.bins[0] = 0;
    out[0] = count;
    out[1] = d.greatest;
    out[2] = d.bins[1];
    std::copy(d.bins.begin(), d.bins.end(), out + 3);
  });
}

int32_t gust_stats_homophily(int64_t n, int64_t indptr, int64_t items, int32_t dtype, int64_t indices, int64_t label,
                             int64_t classes, int64_t counts, double* out) {
  return guard([&] {
    need_size(n);
    need_size(classes);
    Rows rows{at<const int64_t>(indptr), items};
    auto of = at<const int32_t>(label);
    int64_t grain = std::max(int64_t{1} << 12, (n + 63) / 64);
    std::vector<Homophily> partial(static_cast<size_t>(num_chunks(n, grain)));
    dispatch_index(dtype, [&](auto type) {
      auto columns = at<const decltype(type)>(indices);
      parallel_for(n, grain, [&](int64_t begin, int64_t end) {
        Homophily& h = partial[static_cast<size_t>(begin / grain)];
        for (auto* list : {&h.into, &h.from, &h.inside}) list->assign(static_cast<size_t>(classes), 0);
        for (int64_t v = begin; v < end; ++v) {
          if (of[v] >= classes) bad_value("label", v, of[v], classes);
          int64_t all = 0, same = 0;
          for (int64_t i = rows.begin(v); i < rows.end(v); ++i) {
            int64_t u = columns[i];
            if (u < 0 || u >= n) bad_value("index", i, u, n);
            if (of[u] >= classes) bad_value("label", u, of[u], classes);
            if (u == v || of[v] < 0 || of[u] < 0) continue;
            ++all;
            same += of[u] == of[v];
            ++h.from[static_cast<size_t>(of[u])];
          }
          if (all == 0) continue;
          h.into[static_cast<size_t>(of[v])] += all;
          h.inside[static_cast<size_t>(of[v])] += same;
          h.shares += static_cast<double>(same) / static_cast<double>(all);
          ++h.nodes;
        }
      });
    });
    auto sums = at<int64_t>(counts);
    std::fill(sums, sums + 3 * classes, 0);
    out[0] = out[1] = 0;
    for (const Homophily& h : partial) {
      for (int64_t c = 0; c < classes; ++c) {
        sums[c] += h.into[static_cast<size_t>(c)];
        sums[classes + c] += h.from[static_cast<size_t>(c)];
        sums[2 * classes + c] += h.inside[static_cast<size_t>(c)];
      }
      out[0] += h.shares;
      out[1] += static_cast<double>(h.nodes);
    }
  });
}

int32_t gust_stats_values(int64_t n, int64_t values, int64_t mask, int64_t classes, int64_t counts) {
  return guard([&] {
    need_size(n);
    need_size(classes);
    auto v = at<const int32_t>(values);
    auto chosen = at<const uint8_t>(mask);
    count_chunks(n, classes + 1, at<int64_t>(counts), [&](int64_t begin, int64_t end, int64_t* own) {
      for (int64_t i = begin; i < end; ++i)
        if (!chosen || chosen[i]) count_class(i, v[i], classes, own);
    });
  });
}

int32_t gust_stats_columns(int64_t rows, int64_t columns, int64_t values, int64_t mask, int64_t counts) {
  return guard([&] {
    need_size(rows);
    need_size(columns);
    auto v = at<const uint8_t>(values);
    auto chosen = at<const uint8_t>(mask);
    count_chunks(rows, columns, at<int64_t>(counts), [&](int64_t begin, int64_t end, int64_t* own) {
      for (int64_t r = begin; r < end; ++r) {
        if (chosen && !chosen[r]) continue;
        for (int64_t c = 0; c < columns; ++c) own[c] += v[r * columns + c] != 0;
      }
    });
  });
}

int32_t gust_stats_zeros(int32_t dtype, int64_t address, int64_t n, int64_t* out) {
  return guard([&] {
    need_size(n);
    dispatch_any(dtype, [&](auto type) {
      auto v = at<const decltype(type)>(address);
      out[0] = parallel_sum<int64_t>(n, kGrain, [&](int64_t begin, int64_t end) {
        int64_t zeros = 0;
        for (int64_t i = begin; i < end; ++i) zeros += is_zero(v[i]);
        return zeros;
      });
    });
  });
}

int32_t gust_stats_range(int32_t dtype, int64_t address, int64_t n, double* out) {
  return guard([&] {
    need_size(n);
    dispatch_number(dtype, [&](auto type) {
      using T = decltype(type);
      auto v = at<const T>(address);
      struct Range {
        T least = std::numeric_limits<T>::max(), greatest = std::numeric_limits<T>::lowest();
        Range& operator+=(const Range& other) {
          least = std::min(least, other.least);
          greatest = std::max(greatest, other.greatest);
          return *this;
        }
      };
      Range range = parallel_sum<Range>(n, kGrain, [&](int64_t begin, int64_t end) {
        Range own;
        for (int64_t i = begin; i < end; ++i) {
          if (v[i] < own.least) own.least = v[i];
          if (v[i] > own.greatest) own.greatest = v[i];
        }
        return own;
      });
      out[0] = static_cast<double>(range.least);
      out[1] = static_cast<double>(range.greatest);
    });
  });
}

int32_t gust_stats_histogram(int32_t dtype, int64_t address, int64_t n, double low, double high, int64_t bins,
                             int64_t counts) {
  return guard([&] {
    need_size(n);
    if (bins < 1 || !(low <= high)) fail(GUST_EINVAL, "%lld bins from %g to %g", static_cast<long long>(bins), low, high);
    double scale = high > low ? static_cast<double>(bins) / (high - low) : 0;
    dispatch_number(dtype, [&](auto type) {
      auto v = at<const decltype(type)>(address);
      count_chunks(n, bins, at<int64_t>(counts), [&](int64_t begin, int64_t end, int64_t* own) {
        for (int64_t i = begin; i < end; ++i) {
          auto x = static_cast<double>(v[i]);
          if (x >= low && x <= high) ++own[std::min(bins - 1, static_cast<int64_t>((x - low) * scale))];
        }
      });
    });
  });
}
