// Orders by degree alone: what everybody reads comes close together.
// Source of hub-cluster: Balaji and Lucia 2018, IISWC (hubs are nodes of more than the mean degree).
#include "order.h"

namespace gust::order {

void by_degree(const Graph& graph, int32_t* order) {
  int64_t most = 0;
  for (int32_t v = 0; v < graph.n; ++v) most = std::max(most, graph.degree(v));
  Array<int32_t> begin(most + 2, 0);
  for (int32_t v = 0; v < graph.n; ++v) ++begin[most - graph.degree(v)];
  exclusive_scan(begin.data(), most + 1);
  for (int32_t v = 0; v < graph.n; ++v) order[begin[most - graph.degree(v)]++] = v;
}

void hub_cluster(const Graph& graph, int32_t* order) {
  const int64_t arcs = graph.indptr[graph.n];
  // degree > arcs / n without a rounded quotient; the product of fewer than 2^31 nodes and 2^31 arcs fits.
  const auto is_hub = [&](int32_t v) { return graph.degree(v) * graph.n > arcs; };
  int32_t at = 0;
  for (int32_t v = 0; v < graph.n; ++v)
    if (is_hub(v)) order[at++] = v;
  for (int32_t v = 0; v < graph.n; ++v)
    if (!is_hub(v)) order[at++] = v;
}

}  // namespace gust::order
