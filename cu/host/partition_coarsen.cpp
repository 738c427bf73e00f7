// Contraction: every matched pair becomes one node, parallel arcs add up, arcs inside a pair vanish. Coarse
// nodes are numbered in order of their first fine node, which keeps neighbours close in memory. Chunks of
// coarse nodes are built independently and joined in order.
#include <cstring>

#include "partition.h"

namespace gust::partition {
namespace {

constexpr double kStall = 0.96;  // a level that keeps more than this share of the nodes is not worth its memory

}  // namespace

std::vector<int32_t> Hierarchy::project(size_t i, const std::vector<int32_t>& part) const {
  const Array<int32_t>& map = coarse[i];
  std::vector<int32_t> fine(map.size());
  for (int64_t v = 0; v < map.size(); ++v) fine[v] = part[map[v]];
  return fine;
}

void Graph::weigh() {
  total_weight = 0;
  heaviest = 0;
  for (int32_t w : node_weight) {
    total_weight += w;
    heaviest = std::max(heaviest, w);
  }
}

Graph contract(const Graph& g, const Array<int32_t>& mate, Array<int32_t>& coarse) {
  coarse = Array<int32_t>(g.n);
  std::vector<int32_t> leaders;
  leaders.reserve(g.n / 2 + 1);
  for (int32_t v = 0; v < g.n; ++v) {
    if (v > mate[v]) {
      coarse[v] = coarse[mate[v]];
    } else {
      coarse[v] = static_cast<int32_t>(leaders.size());
      leaders.push_back(v);
    }
  }
  Graph out;
  out.n = static_cast<int32_t>(leaders.size());
  out.indptr = Array<int64_t>(out.n + 1);
  out.node_weight = Array<int32_t>(out.n);
  // At most 64 chunks, because each has an array of all coarse nodes.
  const int64_t grain = std::max(kGrain, num_chunks(out.n, 64));
  const int64_t chunks = num_chunks(out.n, grain);
  std::vector<Array<Arc>> built(chunks);
  parallel_for(out.n, grain, [&](int64_t begin, int64_t end) {
    int64_t most = 0;
    for (int64_t c = begin; c < end; ++c) {
      int32_t u = leaders[c], v = mate[u];
      most += g.degree(u) + (u != v ? g.degree(v) : 0);
    }
    Array<Arc>& arcs = built[begin / grain];
    arcs = Array<Arc>(most);
    // Where in `arcs` the one to a coarse node lies, if at or behind `first`: no clearing between nodes.
    Array<int64_t> position(out.n, -1);
    int64_t at = 0;
    for (int64_t c = begin; c < end; ++c) {
      const int64_t first = at;
      auto merge = [&](int32_t v) {
        for (const Arc *a = g.begin(v), *last = g.end(v); a != last; ++a) {
          const int32_t to = coarse[a->node];
          int64_t& p = position[to];
          if (p >= first) {
            arcs[p].weight += a->weight;
          } else if (to != c) {
            p = at;
            arcs[at++] = {to, a->weight};
          }
        }
      };
      const int32_t u = leaders[c], v = mate[u];
      merge(u);
      if (u != v) merge(v);
      out.node_weight[c] = g.node_weight[u] + (u != v ? g.node_weight[v] : 0);
      out.indptr[c] = at - first;
    }
  });
  exclusive_scan(out.indptr.data(), out.n);
  out.arcs = Array<Arc>(out.indptr[out.n]);
  parallel_tasks(chunks, [&](int64_t c) {
    const int64_t first = out.indptr[c * grain], last = out.indptr[std::min<int64_t>(out.n, (c + 1) * grain)];
    if (last > first) std::memcpy(out.arcs.data() + first, built[c].data(), (last - first) * sizeof(Arc));
    built[c] = Array<Arc>();
  });
  out.weigh();
  return out;
}

Hierarchy coarsen(const Graph& graph, const int32_t* part, int32_t enough, uint64_t key) {
  Hierarchy h{&graph, {}, {}};
  // As METIS: no coarse node heavier than 1.5 times the average that is aimed at.
  const int64_t max_weight = std::max<int64_t>(2, 3 * graph.total_weight / (2 * std::max(1, enough)));
  Array<int32_t> coarse_part;
  while (h.level(h.last()).n > enough) {
    const Graph& g = h.level(h.last());
    Array<int32_t> mate(g.n), coarse;
    match(g, part, max_weight, mix64(key + h.last()), mate);
    Graph next = contract(g, mate, coarse);
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
