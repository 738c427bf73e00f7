// Counts for gust inspect on several threads: the union-find changes one array from all of them.
#include <algorithm>
#include <array>
#include <numeric>

#include "check.h"

using namespace gust;
using namespace gust::test;

namespace {

/** Arcs of a random CSR on n nodes whose components are many and of every size: ends are near each other. */
struct Graph {
  std::vector<int64_t> indptr{0};
  std::vector<int32_t> indices;
};
Graph graph(int64_t n) {
  Graph g;
  for (int64_t v = 0; v < n; ++v) {
    for (uint64_t d = mix64(v) % 3; d > 0; --d)
      g.indices.push_back(static_cast<int32_t>(std::min<int64_t>(n - 1, v + mix64(v * 3 + d) % 40)));
    g.indptr.push_back(static_cast<int64_t>(g.indices.size()));
  }
  return g;
}
int64_t address(const void* data) { return reinterpret_cast<int64_t>(data); }

}  // namespace

GUST_TEST(components_are_those_of_a_plain_union_find) {
  const int64_t n = 60'000;
  Graph g = graph(n);
  std::vector<int64_t> plain(n);
  std::iota(plain.begin(), plain.end(), 0);
  auto root = [&](int64_t v) {
    while (plain[v] != v) v = plain[v] = plain[plain[v]];
    return v;
  };
  for (int64_t v = 0; v < n; ++v)
    for (int64_t i = g.indptr[v]; i < g.indptr[v + 1]; ++i) plain[root(v)] = root(g.indices[i]);
  std::vector<int64_t> sizes(n);
  for (int64_t v = 0; v < n; ++v) ++sizes[root(v)];
  std::array<int64_t, 68> out{};
  same_on_threads(
      [&] {
        std::vector<int64_t> parent(n);
        succeed(gust_components_begin(address(parent.data()), n));
        succeed(gust_components_join(address(parent.data()), n, 0, n, 0, n, address(g.indptr.data()),
                                     static_cast<int64_t>(g.indices.size()), GUST_I32, address(g.indices.data())));
        succeed(gust_components_count(address(parent.data()), n, out.data()));
      },
      [&] { return out; });
  GUST_CHECK(out[0] == n - std::count(sizes.begin(), sizes.end(), 0));
  GUST_CHECK(out[1] == *std::max_element(sizes.begin(), sizes.end()));
  GUST_CHECK(out[2] == std::count(sizes.begin(), sizes.end(), 1));
}

GUST_TEST(occurrences_are_counted_by_all_threads_at_once) {
  const int64_t n = 1000, items = 300'000;
  std::vector<int32_t> values(items);
  for (int64_t i = 0; i < items; ++i) values[i] = static_cast<int32_t>(mix64(i) % 7 ? mix64(i) % n : 3);
  std::vector<int64_t> counts(n);
  for (int32_t v : values) ++counts[v];
  std::array<int64_t, 67> out{};
  same_on_threads([&] { succeed(gust_stats_occurrences(n, items, GUST_I32, address(values.data()), out.data())); },
                  [&] { return out; });
  GUST_CHECK(out[0] == *std::min_element(counts.begin(), counts.end()));
  GUST_CHECK(out[1] == counts[3]);
}
