// The C function of orders: a method on the whole graph, or inside each part of a partition.
#include "../include/gust.h"
#include "order.h"

using namespace gust;
using namespace gust::order;

int32_t gust_order_nodes(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int32_t directed, int32_t kind,
                         int64_t window, int64_t most, int64_t part, int64_t k, int64_t out) {
  return guard([&] {
    const int32_t* p = part ? partition::checked_parts("part", part, n, k) : nullptr;
    Array<int32_t> order(n);
    if (kind == GUST_ORDER_PARTITION) {
      for (int64_t v = 0; v < n; ++v) order[v] = static_cast<int32_t>(v);
    } else {
      Graph graph = partition::build_graph({n, reinterpret_cast<const int64_t*>(indptr),
                                            reinterpret_cast<const void*>(indices), dtype, nullptr, 0, directed != 0});
      const bool walks = kind == GUST_ORDER_BFS || kind == GUST_ORDER_RCM || kind == GUST_ORDER_GORDER;
      if (walks && p && k > 1) graph = inside(graph, p);
      switch (kind) {
        case GUST_ORDER_BFS: bfs(graph, order.data()); break;
        case GUST_ORDER_RCM: rcm(graph, order.data()); break;
        case GUST_ORDER_DEGREE: by_degree(graph, order.data()); break;
        case GUST_ORDER_HUB_CLUSTER: hub_cluster(graph, order.data()); break;
        case GUST_ORDER_GORDER: gorder(graph, static_cast<int32_t>(window), most, order.data()); break;
        default: fail(GUST_EINVAL, "order %d", kind);
      }
    }
    // Grouped by part; inside each part the order stays.
    Array<int64_t> begin(k + 1, 0);
    for (int64_t v = 0; v < n; ++v) ++begin[p ? p[v] : 0];
    exclusive_scan(begin.data(), k);
    auto* to = reinterpret_cast<int64_t*>(out);
    for (int64_t i = 0; i < n; ++i) to[begin[p ? p[order[i]] : 0]++] = order[i];
  });
}
