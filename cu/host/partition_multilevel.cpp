// The whole method (Karypis and Kumar 1998, "Multilevel k-way partitioning scheme for irregular graphs"):
// coarsen, partition the smallest graph, and refine on every level of the way back. A V-cycle does the same
// again from the partition at hand, which coarsening then keeps intact, so that the cut never rises. Two partitions are
// combined by a cycle that keeps the boundaries of both and starts from the better one (Sanders and Schulz 2012,
// "Distributed evolutionary graph partitioning").
#include <algorithm>

#include "partition.h"

namespace gust::partition {

Quality uncoarsen(const Hierarchy& h, int32_t k, const int64_t* limits, const Effort& effort,
                  std::vector<int32_t>& part) {
  SearchSpace space(h.finest->n);
  Quality quality = refine(h.smallest(), k, limits, part.data(), space, effort);
  for (size_t level = h.last(); level-- > 0;) {
    part = h.project(level, part);
    quality = refine(h.level(level), k, limits, part.data(), space, effort);
  }
  return quality;
}

namespace {

constexpr int64_t kNodesPerPart = 15;  // of the smallest graph
constexpr int64_t kLeastNodes = 120;   // of the smallest graph of the first run
// First partitions are tried as long as together they have fewer arcs than this part of the whole graph.
constexpr int64_t kTryShare = 4;
// Nodes to which bisections coarsen, in turn: few suit two parts, more suit many, and either finds what the other misses.
constexpr int32_t kEnough[] = {60, 20};
constexpr int64_t kMostRuns = 16;      // from nothing
constexpr int64_t kMostCombined = 48;  // where all of them are combined

constexpr Effort kEfforts[] = {
    {0, 2, 0.005, 1, 4, 6, 1, 0, 0},
    {2000, 2, 0.005, 1.5, 4, 6, 1, 200'000, 0},
    {INT32_MAX, 8, 0.001, 4, 16, 16, 4, 4'000'000, 2},
};

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

/** The best of several first partitions: as many as cost little beside the refinement of the whole graph. */
std::vector<int32_t> first_partition(const Graph& g, int64_t arcs, int32_t k, const int64_t* most, const Effort& effort,
                                     uint64_t key) {
  const int64_t tries = std::clamp<int64_t>(arcs / (kTryShare * (g.arcs.size() + 1)), 1, effort.tries);
  const std::vector<int64_t> limits = limits_of(g, k, most);
  std::vector<std::vector<int32_t>> parts(tries);
  std::vector<Quality> quality(tries);
  parallel_tasks(tries, [&](int64_t i) {
    SearchSpace space(g.n);
    parts[i].resize(g.n);
    recursive_bisection(g, k, most, kEnough[i % 2], mix64(key + i), effort, parts[i].data());
    quality[i] = refine(g, k, limits.data(), parts[i].data(), space, effort);
  });
  return std::move(parts[std::min_element(quality.begin(), quality.end()) - quality.begin()]);
}

uint64_t key_of(uint64_t seed, int64_t step) {
  return Random(seed, stream_id("partition"), 0, 0, 0).u64(step, 0);
}

/** A partition from nothing; runs coarsen in different ways and to different sizes, because what suits a graph is hard to foresee. */
Quality run(const Graph& graph, int32_t k, const int64_t* most, const Effort& effort, uint64_t seed, int64_t i,
            std::vector<int32_t>& part) {
  const uint64_t key = key_of(seed, i);
  const int64_t enough = std::max((kNodesPerPart << (i % 5)) * k, i == 0 ? kLeastNodes : 0);
  const Hierarchy h = coarsen(graph, nullptr, enough, key, i % 2 == 1);
  part = first_partition(h.smallest(), graph.arcs.size(), k, most, effort, mix64(key));
  return uncoarsen(h, k, limits_of(graph, k, most).data(), effort, part);
}

/** Nodes that are together in both partitions, numbered in order of (a, b). */
std::vector<int32_t> overlay(const std::vector<int32_t>& a, const std::vector<int32_t>& b, int32_t k) {
  std::vector<int64_t> pairs(a.size());
  for (size_t v = 0; v < a.size(); ++v) pairs[v] = static_cast<int64_t>(a[v]) * k + b[v];
  std::vector<int64_t> different = pairs;
  std::sort(different.begin(), different.end());
  different.erase(std::unique(different.begin(), different.end()), different.end());
  std::vector<int32_t> cells(a.size());
  for (size_t v = 0; v < a.size(); ++v)
    cells[v] = static_cast<int32_t>(std::lower_bound(different.begin(), different.end(), pairs[v]) - different.begin());
  return cells;
}

}  // namespace

Quality cycle(const Graph& graph, int32_t k, const int64_t* most, const Effort& effort, int64_t enough, uint64_t key,
              const int32_t* kept, std::vector<int32_t>& part) {
  const Hierarchy h = coarsen(graph, kept, enough, key);
  part = h.restrict_parts(part.data());
  return uncoarsen(h, k, limits_of(graph, k, most).data(), effort, part);
}

const Effort& effort_of(int32_t level) {
  if (level < 0 || level > 2) fail(GUST_EINVAL, "effort %d of a partition, expected 0 to 2", level);
  return kEfforts[level];
}

int64_t part_limit(int64_t total, int32_t k, double imbalance) {
  const int64_t even = (total + k - 1) / k;
  return std::max(even, static_cast<int64_t>(static_cast<double>(even) * imbalance));
}

std::vector<int64_t> part_limits(const Graph& graph, int32_t k, double imbalance) {
  // A node heavier than that has to lie somewhere.
  std::vector<int64_t> most{std::max<int64_t>(graph.heaviest, part_limit(graph.total_weight, k, imbalance))};
  for (int32_t i = 0; i < graph.more; ++i) {
    int64_t heaviest = 0;
    for (int64_t v = 0; v < graph.n; ++v) heaviest = std::max<int64_t>(heaviest, graph.other_weight[graph.more * v + i]);
    most.push_back(std::max(heaviest, part_limit(graph.other_total[i], k, imbalance)));
  }
  return most;
}

std::vector<int64_t> limits_of(const Graph& graph, int32_t k, const int64_t* most) {
  std::vector<int64_t> limits;
  for (int32_t i = 0; i <= graph.more; ++i) limits.insert(limits.end(), k, most[i]);
  return limits;
}

void multilevel(const Graph& graph, int32_t k, const int64_t* most, const Effort& effort, uint64_t seed, int32_t* part) {
  std::fill(part, part + graph.n, 0);
  if (k <= 1) return;
  const int64_t most_runs = effort.runs > 1 ? kMostCombined : kMostRuns;
  const int64_t allowed = std::clamp<int64_t>(effort.run_arcs / (graph.arcs.size() + 1), 1, most_runs);
  const int64_t runs = std::max<int64_t>(effort.runs, allowed);
  std::vector<std::vector<int32_t>> parts(runs);
  std::vector<Quality> quality(runs);
  // The first run is that of the default effort, so that more of it never ends worse.
  const auto make = [&](int64_t i) {
    quality[i] = run(graph, k, most, i == 0 && effort.runs > 1 ? effort_of(1) : effort, seed, i, parts[i]);
  };
  if (allowed > 1) parallel_tasks(runs, make);
  else
    for (int64_t i = 0; i < runs; ++i) make(i);
  const int64_t best = std::min_element(quality.begin(), quality.end()) - quality.begin();
  if (effort.runs > 1)
    for (int64_t i = 0; i < runs; ++i) {
      if (i == best) continue;
      const std::vector<int32_t> cells = overlay(parts[best], parts[i], k);
      quality[best] = cycle(graph, k, most, effort, kNodesPerPart * k, key_of(seed, runs + i), cells.data(), parts[best]);
    }
  std::copy(parts[best].begin(), parts[best].end(), part);
  parts.clear();
  if (effort.cycles > 0) improve(graph, k, most, effort, mix64(seed), part);
  fill_empty(graph, k, part);
}

void improve(const Graph& graph, int32_t k, const int64_t* most, const Effort& effort, uint64_t seed, int32_t* part) {
  if (k <= 1) return;
  std::vector<int32_t> current(part, part + graph.n);
  for (int i = 0; i < std::max(1, effort.cycles); ++i) {
    cycle(graph, k, most, effort, kNodesPerPart * k, key_of(seed, i), part, current);
    std::copy(current.begin(), current.end(), part);
  }
  fill_empty(graph, k, part);
}

void bisection(const Graph& graph, int32_t k, const int64_t* most, const Effort& effort, uint64_t seed, int32_t* part) {
  recursive_bisection(graph, k, most, kEnough[0], key_of(seed, 0), effort, part);
  level_parts(graph, k, most, part);
}

void level_parts(const Graph& graph, int32_t k, const int64_t* most, int32_t* part) {
  fill_empty(graph, k, part);
  const std::vector<int64_t> limits = limits_of(graph, k, most);
  Parts parts(graph, k, limits.data(), part);
  std::vector<Step> log;
  rebalance(parts, log);
}

}  // namespace gust::partition
