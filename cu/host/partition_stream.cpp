// Streaming partitioners: nodes are placed one after the other, each by the parts of its neighbours that are placed.
//
//   linear deterministic greedy   links(p) * (1 - size(p) / limit)              Stanton and Kliot 2012, KDD
//   Fennel                        links(p) - alpha * gamma * size(p)^(gamma-1)  Tsourakakis et al. 2014, WSDM;
//                                 alpha = m * k^(gamma-1) / n^gamma
//
// links(p) is the weight of the node's edges into part p. Only parts that it has links into and the smallest part can be
// best, so that a node costs O(degree), whatever k is. Ties go to the smaller part, then by a hash of the node's id.
// A part that holds `limit` nodes takes no more. A further pass starts from empty parts but knows, for every node, the
// part of the pass before (Nishimura and Ugander 2013, KDD).
//
// Nodes come by number, in a drawn order, or breadth first along the rows as they are stored.
//
// Memory: O(n + k) beyond the matrix; each row is read once per pass. One thread: the order decides.
#include "../include/gust.h"
#include "partition_stream.h"

namespace gust::partition {
namespace {

template <class Node, class Weight>
void stream(int64_t n, const int64_t* indptr, const int64_t* ids, int32_t k, const Method& method, int32_t passes,
            const Array<int32_t>& order, const Random& random, Node&& node, Weight&& weight, int32_t* part) {
  std::fill(part, part + n, -1);
  Choice choice(k);
  for (int32_t pass = 0; pass < passes; ++pass) {
    Sizes sizes(k, method.limit);
    for (int64_t i = 0; i < n; ++i) {
      const int32_t v = order[i];
      for (int64_t e = indptr[v]; e < indptr[v + 1]; ++e) {
        const int64_t u = node(e);
        if (u != v && part[u] >= 0) choice.link(part[u], weight(e));
      }
      part[v] = choice.take(sizes, method, n - i, random.u64(ids ? ids[v] : v, 0));
      sizes.add(part[v]);
    }
  }
}

}  // namespace
}  // namespace gust::partition

using namespace gust;
using namespace gust::partition;

int32_t gust_partition_stream(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                              int32_t value_dtype, int32_t directed, int64_t ids, int64_t k, double imbalance,
                              int32_t fennel, double gamma, int32_t passes, int32_t order, int64_t seed,
                              int64_t part) {
  return guard([&] {
    if (k < 1 || k > std::max<int64_t>(n, 1) || n >= INT32_MAX)
      fail(GUST_EINVAL, "%lld parts of %lld nodes", static_cast<long long>(k), static_cast<long long>(n));
    const auto* start = reinterpret_cast<const int64_t*>(indptr);
    const auto* id = reinterpret_cast<const int64_t*>(ids);
    const Random random(static_cast<uint64_t>(seed), stream_id("partition"), 0, 0, 0);
    dispatch_index(dtype, [&](auto index) {
      const auto* nodes = reinterpret_cast<const decltype(index)*>(indices);
      const auto node = [&](int64_t e) { return static_cast<int64_t>(nodes[e]); };
      const Array<int32_t> come = stream_order(n, start, id, order, random, node);
      with_weights(values, value_dtype, [&](auto&& weight) {
        double total = total_weight(start[n], weight);
        if (!directed) total /= 2;
        const Method method{fennel != 0, Method::alpha_of(total, n, k, gamma), gamma,
                            part_limit(n, static_cast<int32_t>(k), imbalance)};
        stream(n, start, id, static_cast<int32_t>(k), method, passes, come, random, node, weight,
               reinterpret_cast<int32_t*>(part));
      });
    });
  });
}
