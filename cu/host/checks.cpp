// Checks of whole arrays for `gust inspect --check`: each counts what breaks a rule and finds the first place.
// One pass over memory per check, chunks of a fixed grid in parallel; the first place is that of the lowest chunk, so
// the answer does not depend on the thread count.
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "../include/gust.h"
#include "../common/context.h"
#include "../common/parallel.h"

namespace gust {
namespace {

constexpr int64_t kGrain = int64_t{1} << 16;

/** How often a rule is broken, where first, and by which value. */
struct Found {
  int64_t count = 0, place = -1, value = 0;
  void add(int64_t where, int64_t what) {
    if (count++ == 0) {
      place = where;
      value = what;
    }
  }
};

/** body(begin, end, found) over the chunks of [0, n), results joined in chunk order. */
template <class Body>
void search(int64_t n, int64_t grain, int64_t* out, Body&& body) {
  std::vector<Found> partial(static_cast<size_t>(num_chunks(n, grain)));
  parallel_for(n, grain, [&](int64_t begin, int64_t end) { body(begin, end, partial[begin / grain]); });
  Found total;
  for (const Found& f : partial) {
    if (f.count == 0) continue;
    if (total.count == 0) {
      total.place = f.place;
      total.value = f.value;
    }
    total.count += f.count;
  }
  out[0] = total.count;
  out[1] = total.place;
  out[2] = total.value;
}

template <class T>
const T* at(int64_t address) { return reinterpret_cast<const T*>(address); }

void need_size(int64_t n) {
  if (n < 0) fail(GUST_EINVAL, "array of %lld elements", static_cast<long long>(n));
}

/** f(T{}) for every integer type that documents hold. */
template <class F>
void dispatch_integer(int32_t dtype, F&& f) {
  switch (dtype) {
    case GUST_I64: return f(int64_t{});
    case GUST_I32: return f(int32_t{});
    case GUST_U8: case GUST_BOOL: return f(uint8_t{});
  }
  fail(GUST_EINVAL, "dtype %d, expected I64, I32, U8 or BOOL", dtype);
}

/** f(T{}) for every type that has an order. */
template <class F>
void dispatch_ordered(int32_t dtype, F&& f) {
  switch (dtype) {
    case GUST_F64: return f(double{});
    case GUST_F32: return f(float{});
    case GUST_I64: return f(int64_t{});
    case GUST_I32: return f(int32_t{});
  }
  fail(GUST_EINVAL, "dtype %d, expected I64, I32, F64 or F32", dtype);
}

/** Exponent bits all ones: infinite or not a number. Mostly there are none, which a loop without branches says soonest. */
template <class Word>
void find_not_finite(int64_t address, int64_t n, Word exponent, int64_t* out) {
  const char* data = at<char>(address);
  const auto breaks = [&](int64_t i) {
    Word bits;
    std::memcpy(&bits, data + i * static_cast<int64_t>(sizeof bits), sizeof bits);
    return (bits & exponent) == exponent;
  };
  search(n, kGrain, out, [&](int64_t begin, int64_t end, Found& found) {
    Word any = 0;
    for (int64_t i = begin; i < end; ++i) any |= static_cast<Word>(breaks(i) ? 1 : 0);
    if (any == 0) return;
    for (int64_t i = begin; i < end; ++i) {
      if (breaks(i)) found.add(i, 0);
    }
  });
}

/** Segment of item i: the last s with ptr[s] <= i, skipping empty ones. */
int64_t segment_of(const int64_t* ptr, int64_t segments, int64_t i) {
  return std::upper_bound(ptr, ptr + segments + 1, i) - ptr - 1;
}

/** Segments are only walked after their pointer was found sound; this keeps memory safe in any case. */
void need_pointer(const int64_t* ptr, int64_t segments, int64_t items) {
  need_size(segments);
  int64_t last = 0;
  for (int64_t s = 0; s <= segments; ++s) {
    if (ptr[s] < last || ptr[s] > items || (s == 0 && ptr[0] != 0))
      fail(GUST_EDATA, "pointer %lld is %lld, expected %lld to %lld", static_cast<long long>(s),
           static_cast<long long>(ptr[s]), static_cast<long long>(last), static_cast<long long>(items));
    last = ptr[s];
  }
  if (last != items)
    fail(GUST_EDATA, "pointer ends at %lld, expected %lld", static_cast<long long>(last), static_cast<long long>(items));
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_check_finite(int32_t dtype, int64_t address, int64_t n, int64_t* out) {
  return guard([&] {
    need_size(n);
    switch (dtype) {
      case GUST_F64: return find_not_finite<uint64_t>(address, n, 0x7ff0000000000000ull, out);
      case GUST_F32: return find_not_finite<uint32_t>(address, n, 0x7f800000u, out);
      case GUST_F16: return find_not_finite<uint16_t>(address, n, 0x7c00u, out);
      case GUST_BF16: return find_not_finite<uint16_t>(address, n, 0x7f80u, out);
    }
    fail(GUST_EINVAL, "dtype %d, expected F64, F32, F16 or BF16", dtype);
  });
}

int32_t gust_check_range(int32_t dtype, int64_t address, int64_t n, int64_t low, int64_t high, int64_t* out) {
  return guard([&] {
    need_size(n);
    dispatch_integer(dtype, [&](auto type) {
      auto values = at<decltype(type)>(address);
      search(n, kGrain, out, [&](int64_t begin, int64_t end, Found& found) {
        for (int64_t i = begin; i < end; ++i)
          if (int64_t v = values[i]; v < low || v > high) found.add(i, v);
      });
    });
  });
}

int32_t gust_check_ascending(int32_t dtype, int64_t address, int64_t n, int32_t strict, int64_t* out) {
  return guard([&] {
    need_size(n);
    dispatch_ordered(dtype, [&](auto type) {
      auto values = at<decltype(type)>(address);
      search(std::max<int64_t>(n - 1, 0), kGrain, out, [&](int64_t begin, int64_t end, Found& found) {
        for (int64_t i = begin; i < end; ++i)
          if (strict ? !(values[i] < values[i + 1]) : !(values[i] <= values[i + 1])) found.add(i + 1, 0);
      });
    });
  });
}

int32_t gust_check_rows(int64_t ptr, int64_t rows, int64_t items, int32_t dtype, int64_t values, int32_t strict,
                        int64_t* out) {
  return guard([&] {
    auto starts = at<int64_t>(ptr);
    need_pointer(starts, rows, items);
    dispatch_ordered(dtype, [&](auto type) {
      auto v = at<decltype(type)>(values);
      search(std::max<int64_t>(items - 1, 0), kGrain, out, [&](int64_t begin, int64_t end, Found& found) {
        int64_t row = segment_of(starts, rows, begin);
        for (int64_t i = begin; i < end; ++i) {
          while (starts[row + 1] <= i) ++row;
          if (i + 1 >= starts[row + 1]) continue;  // the next item begins another row
          if (strict ? !(v[i] < v[i + 1]) : !(v[i] <= v[i + 1])) found.add(row, i);
        }
      });
    });
  });
}

int32_t gust_check_bounded(int64_t ptr, int64_t segments, int64_t items, int32_t dtype, int64_t values, int64_t low,
                           int64_t high, int64_t* out) {
  return guard([&] {
    auto starts = at<int64_t>(ptr), lows = at<int64_t>(low), highs = at<int64_t>(high);
    need_pointer(starts, segments, items);
    dispatch_integer(dtype, [&](auto type) {
      auto v = at<decltype(type)>(values);
      search(items, kGrain, out, [&](int64_t begin, int64_t end, Found& found) {
        int64_t s = segment_of(starts, segments, begin);
        for (int64_t i = begin; i < end; ++i) {
          while (starts[s + 1] <= i) ++s;
          if (int64_t x = v[i]; x < lows[s] || x >= highs[s]) found.add(i, x);
        }
      });
    });
  });
}

int32_t gust_check_permutation(int64_t values, int64_t n, int64_t* out) {
  return guard([&] {
    need_size(n);
    auto v = at<int64_t>(values);
    std::vector<bool> seen(static_cast<size_t>(n));
    Found found;
    for (int64_t i = 0; i < n; ++i) {
      bool fresh = v[i] >= 0 && v[i] < n && !seen[v[i]];
      if (fresh) seen[v[i]] = true;
      else found.add(i, v[i]);
    }
    out[0] = found.count;
    out[1] = found.place;
    out[2] = found.value;
  });
}

int32_t gust_check_grouped(int64_t ptr, int64_t groups, int64_t order, int64_t group, int64_t n, int64_t* out) {
  return guard([&] {
    auto starts = at<int64_t>(ptr), nodes = at<int64_t>(order);
    auto of = at<int32_t>(group);
    need_pointer(starts, groups, n);
    search(n, kGrain, out, [&](int64_t begin, int64_t end, Found& found) {
      int64_t s = segment_of(starts, groups, begin);
      for (int64_t i = begin; i < end; ++i) {
        while (starts[s + 1] <= i) ++s;
        if (nodes[i] < 0 || nodes[i] >= n || of[nodes[i]] != s) found.add(i, nodes[i]);
      }
    });
  });
}

int32_t gust_check_disjoint(int64_t a, int64_t b, int64_t n, int64_t* out) {
  return guard([&] {
    need_size(n);
    auto x = at<uint8_t>(a), y = at<uint8_t>(b);
    search(n, kGrain, out, [&](int64_t begin, int64_t end, Found& found) {
      for (int64_t i = begin; i < end; ++i)
        if (x[i] && y[i]) found.add(i, 0);
    });
  });
}

int32_t gust_check_no_common(int64_t a, int64_t a_size, int64_t b, int64_t b_size, int64_t* out) {
  return guard([&] {
    need_size(a_size);
    need_size(b_size);
    auto x = at<int64_t>(a), y = at<int64_t>(b);
    search(a_size, kGrain, out, [&](int64_t begin, int64_t end, Found& found) {
      const int64_t* from = std::lower_bound(y, y + b_size, x[begin]);
      for (int64_t i = begin; i < end; ++i) {
        while (from < y + b_size && *from < x[i]) ++from;
        if (from < y + b_size && *from == x[i]) found.add(i, x[i]);
      }
    });
  });
}

int32_t gust_check_symmetric(int64_t indptr, int64_t n, int64_t items, int32_t dtype, int64_t indices, int64_t* out) {
  return guard([&] {
    auto starts = at<int64_t>(indptr);
    need_pointer(starts, n, items);
    dispatch_index(dtype, [&](auto type) {
      using Index = decltype(type);
      auto columns = at<Index>(indices);
      search(n, 256, out, [&](int64_t begin, int64_t end, Found& found) {
        for (int64_t v = begin; v < end; ++v)
          for (int64_t i = starts[v]; i < starts[v + 1]; ++i) {
            int64_t u = columns[i];
            if (u < 0 || u >= n) fail(GUST_EDATA, "index %lld", static_cast<long long>(u));
            if (!std::binary_search(columns + starts[u], columns + starts[u + 1], static_cast<Index>(v))) found.add(v, u);
          }
      });
    });
  });
}

int32_t gust_graph_stats(int64_t indptr, int64_t n, int64_t items, int32_t dtype, int64_t indices, int64_t* out) {
  return guard([&] {
    auto starts = at<int64_t>(indptr);
    need_pointer(starts, n, items);
    struct Stats {
      int64_t loops = 0, duplicates = 0, empty = 0, least = std::numeric_limits<int64_t>::max(), most = 0;
    };
    std::vector<Stats> partial(static_cast<size_t>(num_chunks(n, kGrain)));
    dispatch_index(dtype, [&](auto type) {
      auto columns = at<decltype(type)>(indices);
      parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
        Stats& s = partial[begin / kGrain];
        std::vector<decltype(type)> sorted;
        for (int64_t v = begin; v < end; ++v) {
          int64_t degree = starts[v + 1] - starts[v];
          s.empty += degree == 0;
          s.least = std::min(s.least, degree);
          s.most = std::max(s.most, degree);
          auto row = columns + starts[v];
          if (!std::is_sorted(row, row + degree)) {
            sorted.assign(row, row + degree);
            std::sort(sorted.begin(), sorted.end());
            row = sorted.data();
          }
          for (int64_t i = 0; i < degree; ++i) {
            s.loops += row[i] == v;
            s.duplicates += i > 0 && row[i] == row[i - 1];
          }
        }
      });
    });
    Stats total;
    for (const Stats& s : partial) {
      total.loops += s.loops;
      total.duplicates += s.duplicates;
      total.empty += s.empty;
      total.least = std::min(total.least, s.least);
      total.most = std::max(total.most, s.most);
    }
    out[0] = total.loops;
    out[1] = total.duplicates;
    out[2] = total.empty;
    out[3] = n == 0 ? 0 : total.least;
    out[4] = total.most;
  });
}
