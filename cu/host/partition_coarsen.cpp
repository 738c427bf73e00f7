// Contraction: every group becomes one node, parallel arcs add up, arcs inside a group vanish. Coarse nodes
// are numbered in order of the nodes that lead the groups, which keeps neighbours close in memory. Chunks of
// coarse nodes are built independently and joined in order.
#include <algorithm>

#include "partition.h"

namespace gust::partition {
namespace {

// Clusters that leave more than this share of the nodes are given up for a matching, which pairs the nodes around full ones.
constexpr double kFewClusters = 0.6;
// Clusters of one level weigh at most so many average nodes. Larger ones make fewer levels; with hubs they swallow at once
// what should stay apart.
constexpr int64_t kGrowth = 6, kGrowthWithHubs = 3;
constexpr double kStall = 0.96;  // a level that keeps more than this share of the nodes is not worth its memory

int64_t growth_limit(const Graph& g, int64_t max_weight) {
  return std::min(max_weight, (has_hubs(g) ? kGrowthWithHubs : kGrowth) * g.total_weight / g.n + 1);
}

}  // namespace

std::vector<int32_t> Hierarchy::project(size_t i, const std::vector<int32_t>& part) const {
  const Array<int32_t>& map = coarse[i];
  std::vector<int32_t> fine(map.size());
  for (int64_t v = 0; v < map.size(); ++v) fine[v] = part[map[v]];
  return fine;
}

std::vector<int32_t> Hierarchy::restrict_parts(const int32_t* part) const {
  std::vector<int32_t> parts(part, part + finest->n);
  for (size_t i = 0; i < last(); ++i) {
    std::vector<int32_t> smaller(level(i + 1).n);
    for (int32_t v = 0; v < level(i).n; ++v) smaller[coarse[i][v]] = parts[v];
    parts.swap(smaller);
  }
  return parts;
}

void Graph::weigh() {
  total_weight = 0;
  heaviest = 0;
  for (int32_t w : node_weight) {
    total_weight += w;
    heaviest = std::max(heaviest, w);
  }
  std::fill(std::begin(other_total), std::end(other_total), 0);
  for (int32_t i = 0; i < more; ++i)
    for (int64_t v = 0; v < n; ++v) other_total[i] += other_weight[more * v + i];
}

Graph contract(const Graph& g, const Array<int32_t>& leader, Array<int32_t>& coarse) {
  coarse = Array<int32_t>(g.n);
  // Members of a coarse node: its leader, then next[leader], next[next[leader]], ... up to -1.
  Array<int32_t> leaders(g.n), next(g.n);
  int32_t count = 0;
  for (int32_t v = 0; v < g.n; ++v) {
    next[v] = -1;
    if (leader[v] != v) continue;
    coarse[v] = count;
    leaders[count++] = v;
  }
  for (int32_t v = g.n; v-- > 0;) {
    const int32_t l = leader[v];
    if (l == v) continue;
    coarse[v] = coarse[l];
    next[v] = next[l];
    next[l] = v;
  }
  Graph out;
  out.n = count;
  out.indptr = Array<int64_t>(out.n + 1);
  out.node_weight = Array<int32_t>(out.n);
  out.more = g.more;
  out.other_weight = Array<int32_t>(int64_t{g.more} * out.n, 0);
  // Few chunks, because each has an array of all coarse nodes.
  const int64_t grain = std::max<int64_t>(4096, num_chunks(out.n, 8));
  const int64_t chunks = num_chunks(out.n, grain);
  std::vector<Array<Arc>> built(chunks);
  parallel_for(out.n, grain, [&](int64_t begin, int64_t end) {
    int64_t most = 0;
    for (int64_t c = begin; c < end; ++c)
      for (int32_t v = leaders[c]; v >= 0; v = next[v]) most += g.degree(v);
    Array<Arc>& arcs = built[begin / grain];
    arcs = Array<Arc>(most);
    // Where in `arcs` the one to a coarse node lies, if at or behind `first`: no clearing between nodes.
    Array<int32_t> position(out.n, -1);
    int32_t at = 0;
    for (int64_t c = begin; c < end; ++c) {
      const int32_t first = at;
      int32_t weight = 0;
      for (int32_t v = leaders[c]; v >= 0; v = next[v]) {
        weight += g.node_weight[v];
        for (int32_t j = 0; j < g.more; ++j) out.other_weight[g.more * c + j] += g.other_weight[g.more * int64_t{v} + j];
        for (const Arc *a = g.begin(v), *last = g.end(v); a != last; ++a) {
          const int32_t to = coarse[a->node];
          int32_t& p = position[to];
          if (p >= first) {
            arcs[p].weight += a->weight;
          } else if (to != c) {
            p = at;
            arcs[at++] = {to, a->weight};
          }
        }
      }
      out.node_weight[c] = weight;
      out.indptr[c] = at - first;
    }
    arcs.shrink(at);
  });
  exclusive_scan(out.indptr.data(), out.n);
  if (chunks == 1) {
    out.arcs = std::move(built[0]);
  } else {
    out.arcs = Array<Arc>(out.indptr[out.n]);
    parallel_tasks(chunks, [&](int64_t c) {
      std::copy(built[c].begin(), built[c].end(), out.arcs.data() + out.indptr[c * grain]);
      built[c] = Array<Arc>();
    });
  }
  out.weigh();
  return out;
}

Hierarchy coarsen(const Graph& graph, const int32_t* part, int64_t enough, uint64_t key, bool by_matching) {
  Hierarchy h{&graph, {}, {}};
  enough = std::min<int64_t>(enough, graph.n);
  // As METIS: no coarse node heavier than 1.5 times the average that is aimed at.
  const int64_t max_weight = std::max<int64_t>(2, 3 * graph.total_weight / (2 * std::max<int64_t>(1, enough)));
  Array<int32_t> coarse_part;
  while (h.level(h.last()).n > enough) {
    const Graph& g = h.level(h.last());
    Array<int32_t> leader(g.n), coarse;
    const uint64_t level_key = mix64(key + h.last());
    if (by_matching || cluster(g, part, growth_limit(g, max_weight), level_key, leader) > kFewClusters * g.n) {
      match(g, part, max_weight, level_key, leader);
      for (int32_t v = 0; v < g.n; ++v) leader[v] = std::min(v, leader[v]);
    }
    Graph next = contract(g, leader, coarse);
    if (next.n > kStall * g.n) break;
    if (part) {
      Array<int32_t> projected(next.n);
      for (int32_t v = 0; v < g.n; ++v) projected[coarse[v]] = part[v];
      coarse_part = std::move(projected);
      part = coarse_part.data();
    }
    h.graphs.push_back(std::move(next));
    h.coarse.push_back(std::move(coarse));
  }
  return h;
}

}  // namespace gust::partition
