// Breadth first: nodes at the same distance from the start come together.
#include "order.h"

namespace gust::order {

Graph inside(const Graph& graph, const int32_t* part) {
  Graph out;
  out.n = graph.n;
  out.indptr = Array<int64_t>(static_cast<int64_t>(graph.n) + 1, 0);
  parallel_for(graph.n, partition::kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v)
      for (const Arc *a = graph.begin(static_cast<int32_t>(v)), *e = graph.end(static_cast<int32_t>(v)); a != e; ++a)
        out.indptr[v] += part[a->node] == part[v];
  });
  exclusive_scan(out.indptr.data(), graph.n);
  out.arcs = Array<Arc>(out.indptr[graph.n]);
  parallel_for(graph.n, partition::kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) {
      int64_t at = out.indptr[v];
      for (const Arc *a = graph.begin(static_cast<int32_t>(v)), *e = graph.end(static_cast<int32_t>(v)); a != e; ++a)
        if (part[a->node] == part[v]) out.arcs[at++] = *a;
    }
  });
  return out;
}

void bfs(const Graph& graph, int32_t* order) {
  breadth_first(
      graph.n,
      [&](int32_t v, auto&& reach) {
        for (const Arc *a = graph.begin(v), *e = graph.end(v); a != e; ++a) reach(a->node);
      },
      order);
}

}  // namespace gust::order
