// The whole method (Karypis and Kumar 1998, "Multilevel k-way partitioning scheme for irregular graphs"):
// coarsen, partition the smallest graph, and refine on every level of the way back. A V-cycle does the same
// again from the partition at hand, which coarsening then keeps intact, so that the cut never rises.
#include <algorithm>

#include "partition.h"

namespace gust::partition {
namespace {

constexpr int64_t kNodesPerPart = 25, kLeastNodes = 200;  // of the smallest graph

/** Give every empty part a node of low degree, out of parts that have several. */
void fill_empty(const Graph& graph, int32_t k, int32_t* part) {
  std::vector<int64_t> size(k, 0);
  for (int32_t v = 0; v < graph.n; ++v) ++size[part[v]];
  std::vector<int32_t> empty;
  for (int32_t p = 0; p < k; ++p)
    if (size[p] == 0) empty.push_back(p);
  if (empty.empty()) return;
  std::vector<int32_t> nodes(graph.n);
  for (int32_t v = 0; v < graph.n; ++v) nodes[v] = v;
  std::stable_sort(nodes.begin(), nodes.end(),
                   [&](int32_t a, int32_t b) { return graph.degree(a) < graph.degree(b); });
  for (int32_t v : nodes) {
    if (empty.empty()) return;
    if (size[part[v]] < 2) continue;
    --size[part[v]];
    part[v] = empty.back();
    empty.pop_back();
  }
}

}  // namespace

int64_t part_limit(int64_t total, int32_t k, double imbalance) {
  const int64_t even = (total + k - 1) / k;
  return std::max(even, static_cast<int64_t>(static_cast<double>(even) * imbalance));
}

void multilevel(const Graph& graph, int32_t k, int64_t max_part, int32_t cycles, uint64_t seed, int32_t* part) {
  std::fill(part, part + graph.n, 0);
  if (k <= 1) return;
  const std::vector<int64_t> limits(k, max_part);
  const int64_t wanted = std::max(kLeastNodes, kNodesPerPart * k);
  const auto enough = static_cast<int32_t>(std::min<int64_t>(graph.n, wanted));
  SearchSpace space(graph.n);
  std::vector<int32_t> current(graph.n);
  for (int32_t cycle = 0; cycle <= cycles; ++cycle) {
    const uint64_t key = Random(seed, stream_id("partition"), 0, 0, 0).u64(cycle, 0);
    Hierarchy h = coarsen(graph, cycle == 0 ? nullptr : part, enough, key);
    if (cycle == 0) {
      current.resize(h.smallest().n);
      recursive_bisection(h.smallest(), k, max_part, mix64(key), current.data());
    } else {
      current.assign(part, part + graph.n);
      for (size_t level = 0; level < h.last(); ++level) {
        std::vector<int32_t> smaller(h.level(level + 1).n);
        for (int32_t v = 0; v < h.level(level).n; ++v) smaller[h.coarse[level][v]] = current[v];
        current.swap(smaller);
      }
    }
    refine(h.smallest(), k, limits.data(), current.data(), space);
    for (size_t level = h.last(); level-- > 0;) {
      current = h.project(level, current);
      refine(h.level(level), k, limits.data(), current.data(), space);
    }
    std::copy(current.begin(), current.end(), part);
  }
  fill_empty(graph, k, part);
}

void level_parts(const Graph& graph, int32_t k, int64_t max_part, int32_t* part) {
  fill_empty(graph, k, part);
  const std::vector<int64_t> limits(k, max_part);
  Parts parts(graph, k, limits.data(), part);
  std::vector<Step> log;
  rebalance(parts, log);
}

}  // namespace gust::partition
