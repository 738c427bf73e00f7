// Questions about a finished CSR graph (is it symmetric, what are its components, who is isolated) and the part of it
// that a set of rows makes.
#include <atomic>

#include "../include/gust.h"
#include "../common/dtype.h"
#include "../common/parallel.h"
#include "build.h"
#include "csr_view.h"

namespace gust {
namespace {

constexpr int64_t kRows = int64_t{1} << 14;  // rows per task

/**
 * Walk the entries row by row. If the matrix is symmetric, the rows that hold column c come in ascending order, and so
 * do the entries of row c: one cursor per row checks everything in one pass, and the first entry out of step names
 * the pair. Returns false with `pair` = (row, column) of a stored entry whose mirror image is missing or has another
 * value.
 * Cost: O(n + nnz), one thread (a directed graph is usually found out within a few rows).
 */
template <class Index, class V>
bool is_symmetric(const CsrView<Index>& a, const V* values, int64_t* pair, bool* by_value) {
  Buffer cursors(a.n * 8);
  auto* cursor = cursors.as<int64_t>();
  std::copy(a.indptr, a.indptr + a.n, cursor);
  *by_value = false;
  for (int64_t v = 0; v < a.n; ++v) {
    for (int64_t i = a.indptr[v]; i < a.indptr[v + 1]; ++i) {
      int64_t u = a.indices[i], at = cursor[u];
      bool ended = at == a.indptr[u + 1];
      if (!ended && a.indices[at] == v) {
        ++cursor[u];
        if (!values || values[i] == values[at]) continue;
        *by_value = true;
        pair[0] = v, pair[1] = u;
        return false;
      }
      if (!ended && a.indices[at] < v) pair[0] = u, pair[1] = a.indices[at];
      else pair[0] = v, pair[1] = u;
      return false;
    }
  }
  return true;
}

/**
 * Weakly connected components by lock-free union: a root is only ever linked to a smaller one, so every node ends at
 * the smallest node of its component whatever the threads did (after Jayanti and Tarjan, PODC 2016).
 */
template <class Index>
void components(const CsrView<Index>& a, int64_t* labels) {
  auto* parent = reinterpret_cast<std::atomic<int64_t>*>(labels);
  static_assert(sizeof(std::atomic<int64_t>) == 8 && std::atomic<int64_t>::is_always_lock_free);
  for (int64_t v = 0; v < a.n; ++v) labels[v] = v;
  auto find = [&](int64_t v) {
    for (;;) {
      int64_t p = parent[v].load(std::memory_order_relaxed), g = parent[p].load(std::memory_order_relaxed);
      if (p == g) return p;
      parent[v].compare_exchange_weak(p, g, std::memory_order_relaxed);
      v = g;
    }
  };
  parallel_for(a.n, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v)
      for (int64_t i = a.indptr[v]; i < a.indptr[v + 1]; ++i) {
        int64_t x = find(v), y = find(a.indices[i]);
        while (x != y) {
          if (x < y) std::swap(x, y);
          int64_t expected = x;
          if (parent[x].compare_exchange_strong(expected, y)) break;
          x = find(x);
          y = find(y);
        }
      }
  });
  parallel_for(a.n, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) parent[v].store(find(v), std::memory_order_relaxed);
  });
}

template <class F>
void with_csr(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, F&& f) {
  if (n < 0) fail(GUST_EINVAL, "CSR of %lld rows", static_cast<long long>(n));
  dispatch_index(dtype, [&](auto zero) {
    f(csr_at<decltype(zero)>(n, indptr, indices));
  });
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_csr_asymmetry(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                           int32_t values_dtype, int64_t* out) {
  return guard([&] {
    with_csr(n, indptr, indices, dtype, [&](auto csr) {
      dispatch_real(values_dtype, [&](auto zero) {
        bool by_value = false;
        out[0] = is_symmetric(csr, reinterpret_cast<const decltype(zero)*>(values), out + 1, &by_value);
        out[3] = by_value;
      });
    });
  });
}

int32_t gust_csr_components(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t labels, int64_t* out) {
  return guard([&] {
    auto* label = reinterpret_cast<int64_t*>(labels);
    with_csr(n, indptr, indices, dtype, [&](auto csr) { components(csr, label); });
    Buffer counters(n * 8, true);
    auto* sizes = counters.as<int64_t>();
    for (int64_t v = 0; v < n; ++v) ++sizes[label[v]];
    out[0] = 0;
    out[1] = -1;
    out[2] = 0;
    for (int64_t v = 0; v < n; ++v) {
      out[0] += sizes[v] > 0;
      if (sizes[v] > out[2]) {
        out[1] = v;
        out[2] = sizes[v];
      }
    }
  });
}

int32_t gust_rows_of_label(int64_t labels, int64_t n, int64_t wanted, int64_t rows, int64_t map) {
  return guard([&] {
    const auto* label = reinterpret_cast<const int64_t*>(labels);
    auto *row = reinterpret_cast<int64_t*>(rows), *number = reinterpret_cast<int64_t*>(map);
    int64_t count = 0;
    for (int64_t v = 0; v < n; ++v) {
      bool kept = label[v] == wanted;
      number[v] = kept ? count : -1;
      if (kept) row[count++] = v;
    }
  });
}

int32_t gust_csr_isolated(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t* out) {
  return guard([&] {
    with_csr(n, indptr, indices, dtype, [&](const auto& csr) {
      // Self-loops are no neighbours. A byte per node: storing the same 1 from several threads needs relaxed atomics.
      std::vector<std::atomic<uint8_t>> linked(static_cast<size_t>(n));
      parallel_for(n, kRows, [&](int64_t begin, int64_t end) {
        for (int64_t v = begin; v < end; ++v)
          for (int64_t i = csr.indptr[v]; i < csr.indptr[v + 1]; ++i) {
            int64_t u = csr.indices[i];
            if (u == v) continue;
            linked[v].store(1, std::memory_order_relaxed);
            linked[u].store(1, std::memory_order_relaxed);
          }
      });
      out[0] = std::count_if(linked.begin(), linked.end(), [](const auto& x) { return x == 0; });
    });
  });
}

int32_t gust_csr_select_sizes(int64_t indptr, int64_t rows, int64_t count, int64_t out_indptr) {
  return guard([&] {
    const auto *from = reinterpret_cast<const int64_t*>(indptr), *row = reinterpret_cast<const int64_t*>(rows);
    auto* to = reinterpret_cast<int64_t*>(out_indptr);
    to[0] = 0;
    for (int64_t i = 0; i < count; ++i) to[i + 1] = to[i] + from[row[i] + 1] - from[row[i]];
  });
}

int32_t gust_csr_select(int64_t indptr, int64_t indices, int32_t dtype, int64_t values, int32_t values_size,
                        int64_t rows, int64_t count, int64_t column_map, int64_t out_indptr, int64_t out_indices,
                        int64_t out_values) {
  return guard([&] {
    const auto *from = reinterpret_cast<const int64_t*>(indptr), *row = reinterpret_cast<const int64_t*>(rows);
    const auto *to = reinterpret_cast<const int64_t*>(out_indptr), *map = reinterpret_cast<const int64_t*>(column_map);
    dispatch_index(dtype, [&](auto zero) {
      using Index = decltype(zero);
      const auto* columns = reinterpret_cast<const Index*>(indices);
      auto* out = reinterpret_cast<Index*>(out_indices);
      parallel_for(count, kRows, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
          int64_t start = from[row[r]], size = from[row[r] + 1] - start;
          for (int64_t i = 0; i < size; ++i) {
            int64_t column = columns[start + i];
            out[to[r] + i] = static_cast<Index>(map ? map[column] : column);
          }
          if (values)
            std::memcpy(reinterpret_cast<char*>(out_values) + to[r] * values_size,
                        reinterpret_cast<const char*>(values) + start * values_size,
                        static_cast<size_t>(size * values_size));
        }
      });
    });
  });
}

int32_t gust_rows_select(int64_t from, int64_t row_bytes, int64_t rows, int64_t count, int64_t to) {
  return guard([&] {
    const auto* row = reinterpret_cast<const int64_t*>(rows);
    parallel_for(count, kRows, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r)
        std::memcpy(reinterpret_cast<char*>(to) + r * row_bytes,
                    reinterpret_cast<const char*>(from) + row[r] * row_bytes, static_cast<size_t>(row_bytes));
    });
  });
}
