// A matrix with its rows and columns in an order: row i of the result is row order[i], and every column has its node's
// new number. Parallel over rows; a row is sorted by new column, equal columns stay in their order. What belongs to the
// entries follows through the list of where each came from.
#include "../include/gust.h"
#include "order.h"

using namespace gust;

namespace {

constexpr int64_t kRows = 1024;  // rows per task

const int64_t* longs(int64_t address) { return reinterpret_cast<const int64_t*>(address); }

}  // namespace

int32_t gust_order_inverse(int64_t n, int64_t order, int64_t place) {
  return guard([&] {
    const int64_t* from = longs(order);
    auto* to = reinterpret_cast<int64_t*>(place);
    std::fill(to, to + n, int64_t{-1});
    for (int64_t i = 0; i < n; ++i) {
      if (from[i] < 0 || from[i] >= n || to[from[i]] >= 0)
        fail(GUST_EDATA, "tensor \"order\" holds %lld at position %lld, expected every number below %lld once",
             static_cast<long long>(from[i]), static_cast<long long>(i), static_cast<long long>(n));
      to[from[i]] = i;
    }
  });
}

int32_t gust_order_renumber(int64_t count, int64_t nodes, int64_t n, int64_t place, int64_t out) {
  return guard([&] {
    const int64_t *from = longs(nodes), *at = longs(place);
    auto* to = reinterpret_cast<int64_t*>(out);
    parallel_for(count, partition::kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        if (from[i] < 0 || from[i] >= n)
          fail(GUST_EDATA, "node %lld at position %lld, expected numbers below %lld", static_cast<long long>(from[i]),
               static_cast<long long>(i), static_cast<long long>(n));
        to[i] = at[from[i]];
      }
    });
  });
}

int32_t gust_order_csr(int64_t count, int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t rows,
                       int64_t place, int32_t sort, int64_t out_indptr, int64_t out_indices, int64_t out_edges) {
  return guard([&] {
    const int64_t *ptr = longs(indptr), *row = longs(rows), *at = longs(place);
    const int64_t* to = longs(out_indptr);
    auto* edges = reinterpret_cast<int64_t*>(out_edges);
    dispatch_index(dtype, [&](auto tag) {
      using I = decltype(tag);
      const I* from = reinterpret_cast<const I*>(indices);
      I* out = reinterpret_cast<I*>(out_indices);
      parallel_for(count, kRows, [&](int64_t begin, int64_t end) {
        std::vector<std::pair<int64_t, int64_t>> entries;  // new column, where it was
        for (int64_t i = begin; i < end; ++i) {
          entries.clear();
          for (int64_t e = ptr[row[i]]; e < ptr[row[i] + 1]; ++e) {
            if (from[e] < 0 || static_cast<int64_t>(from[e]) >= n)
              fail(GUST_EDATA, "tensor \"indices\" holds node %lld at position %lld, expected ids below %lld",
                   static_cast<long long>(from[e]), static_cast<long long>(e), static_cast<long long>(n));
            entries.emplace_back(at[from[e]], e);
          }
          if (sort) std::sort(entries.begin(), entries.end());
          for (size_t j = 0; j < entries.size(); ++j) {
            out[to[i] + static_cast<int64_t>(j)] = static_cast<I>(entries[j].first);
            if (edges) edges[to[i] + static_cast<int64_t>(j)] = entries[j].second;
          }
        }
      });
    });
  });
}

int32_t gust_order_spy(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t place, int64_t cells,
                       int64_t counts) {
  return guard([&] {
    const int64_t *ptr = longs(indptr), *at = longs(place);
    auto* out = reinterpret_cast<int64_t*>(counts);
    const int64_t side = cells * cells;
    // A fixed number of chunks, each with a picture of its own: few, since each is cells^2 counts.
    const int64_t grain = std::max<int64_t>(1, (n + 15) / 16), chunks = num_chunks(n, grain);
    std::vector<partition::Array<int64_t>> parts(static_cast<size_t>(chunks));
    parallel_tasks(chunks, [&](int64_t c) { parts[c] = partition::Array<int64_t>(side, 0); });
    const auto cell = [&](int64_t v) {
      return static_cast<int64_t>(static_cast<unsigned __int128>(at ? at[v] : v) * cells / n);
    };
    dispatch_index(dtype, [&](auto tag) {
      const auto* column = reinterpret_cast<const decltype(tag)*>(indices);
      parallel_tasks(chunks, [&](int64_t c) {
        for (int64_t v = c * grain; v < std::min(n, (c + 1) * grain); ++v) {
          const int64_t row = cell(v) * cells;
          for (int64_t e = ptr[v]; e < ptr[v + 1]; ++e) {
            const int64_t u = static_cast<int64_t>(column[e]);
            if (u < 0 || u >= n)
              fail(GUST_EDATA, "tensor \"indices\" holds node %lld at position %lld, expected ids below %lld",
                   static_cast<long long>(u), static_cast<long long>(e), static_cast<long long>(n));
            ++parts[c][row + cell(u)];
          }
        }
      });
    });
    std::fill(out, out + side, int64_t{0});
    for (const auto& part : parts)
      for (int64_t i = 0; i < side; ++i) out[i] += part[i];
  });
}
