// The undirected simple graph that is partitioned, out of any CSR matrix.
#include <algorithm>
#include <cmath>

#include "partition.h"

namespace gust::partition {
namespace {

constexpr int64_t kMaxTotal = (int64_t{1} << 30) - 1;  // of the edge weights, with room for sums

double value_at(const Source& s, int64_t e) {
  if (!s.values) return 1;
  return s.value_dtype == GUST_F64 ? static_cast<const double*>(s.values)[e]
                                   : static_cast<double>(static_cast<const float*>(s.values)[e]);
}

/** What weights are multiplied by to become integers whose sum stays in range: a power of two. */
double weight_scale(const Source& s) {
  if (!s.values) return 1;
  const int64_t arcs = s.indptr[s.n];
  double total = 0;
  bool whole = true;
  for (int64_t e = 0; e < arcs; ++e) {
    double w = value_at(s, e);
    if (!(w >= 0) || std::isinf(w))
      fail(GUST_EDATA, "tensor \"edge_weight\" holds %g at position %lld, expected finite weights of at least 0", w,
           static_cast<long long>(e));
    whole &= w == std::floor(w) && w >= 1;
    total += w;
  }
  if (total == 0 || (whole && total <= kMaxTotal)) return 1;
  return std::exp2(std::floor(std::log2(kMaxTotal / total)));
}

template <class I>
Graph build(const Source& s) {
  const I* indices = static_cast<const I*>(s.indices);
  const double scale = weight_scale(s);
  auto weight_of = [&](int64_t e) {
    return s.values ? static_cast<int32_t>(std::max(1.0, std::nearbyint(value_at(s, e) * scale))) : 1;
  };
  Graph g;
  g.n = static_cast<int32_t>(s.n);
  Array<int64_t> start(s.n + 1, 0);
  for (int64_t v = 0; v < s.n; ++v)
    for (int64_t e = s.indptr[v]; e < s.indptr[v + 1]; ++e) {
      int64_t u = indices[e];
      if (u < 0 || u >= s.n)
        fail(GUST_EDATA, "tensor \"indices\" holds node %lld at position %lld, expected ids below %lld",
             static_cast<long long>(u), static_cast<long long>(e), static_cast<long long>(s.n));
      if (u == v) continue;
      ++start[v];
      if (s.directed) ++start[u];
    }
  exclusive_scan(start.data(), s.n);
  Array<Arc> all(start[s.n]);
  Array<int64_t> next(s.n);
  std::copy(start.begin(), start.begin() + s.n, next.begin());
  for (int64_t v = 0; v < s.n; ++v)
    for (int64_t e = s.indptr[v]; e < s.indptr[v + 1]; ++e) {
      int32_t u = static_cast<int32_t>(indices[e]);
      if (u == v) continue;
      all[next[v]++] = {u, weight_of(e)};
      if (s.directed) all[next[u]++] = {static_cast<int32_t>(v), weight_of(e)};
    }
  // Sort each row and merge duplicates: their weights add up, edges without weights count once.
  Array<int64_t> kept(s.n + 1, 0);
  parallel_for(s.n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) {
      Arc *first = all.data() + start[v], *last = all.data() + start[v + 1], *out = first;
      std::sort(first, last, [](const Arc& a, const Arc& b) { return a.node < b.node; });
      for (Arc* a = first; a < last; ++a) {
        if (out > first && out[-1].node == a->node)
          out[-1].weight += s.values ? a->weight : 0;
        else
          *out++ = *a;
      }
      kept[v] = out - first;
    }
  });
  exclusive_scan(kept.data(), s.n);
  g.arcs = Array<Arc>(kept[s.n]);
  parallel_for(s.n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v)
      std::copy_n(all.data() + start[v], kept[v + 1] - kept[v], g.arcs.data() + kept[v]);
  });
  g.indptr = std::move(kept);
  g.node_weight = Array<int32_t>(s.n, 1);
  g.weigh();
  return g;
}

}  // namespace

Graph build_graph(const Source& source) {
  if (source.n > (int64_t{1} << 31) - 2)
    fail(GUST_ENOSYS, "%lld nodes, expected fewer than 2^31 - 1", static_cast<long long>(source.n));
  Graph graph;
  dispatch_index(source.index_dtype, [&](auto tag) { graph = build<decltype(tag)>(source); });
  return graph;
}

}  // namespace gust::partition
