// Buffered streaming (HeiStream, Faraj and Schulz 2021, arXiv:2102.09384): read a buffer of nodes, look at the graph of
// these nodes and one node per part, which stands for all that the part holds, improve the nodes' parts by the
// multilevel method, keep them, go on.
//
// The nodes of a buffer start where Fennel puts them, or in the parts of the pass before. The node of a part weighs more
// than all the room that parts have left: in a partition within the limits no two of them share a part, so that each
// names one, whatever number refinement gave it. Refinement begins within the limits and never ends outside of them.
//
// Memory: O(n + k + arcs of the largest buffer); each row is read twice per pass, in order.
#include "../include/gust.h"
#include "partition_stream.h"

namespace gust::partition {
namespace {

constexpr int64_t kNodesPerPart = 25, kLeastNodes = 200;  // of the smallest graph, as in partition_multilevel.cpp

/** Improve `part` (within the limits) by V-cycles, which keep it intact while they coarsen. */
void improve_buffer(const Graph& graph, int32_t k, int64_t limit, int32_t cycles, uint64_t key, int32_t* part) {
  const std::vector<int64_t> limits(k, limit);
  const auto enough = static_cast<int32_t>(std::min<int64_t>(graph.n, std::max(kLeastNodes, kNodesPerPart * k)));
  for (int32_t cycle = 0; cycle < cycles; ++cycle) {
    const Hierarchy h = coarsen(graph, part, enough, mix64(key + static_cast<uint64_t>(cycle)));
    std::vector<int32_t> current = h.restrict_parts(part);
    uncoarsen(h, k, limits.data(), effort_of(1), current);
    std::copy(current.begin(), current.end(), part);
  }
}

/** The nodes first .. last-1 and, behind them, a node per part; arcs to nodes without a part are left out. */
template <class I, class Weight>
Graph buffer_graph(int64_t first, int64_t last, const int64_t* indptr, const I* indices, Weight&& weight, bool directed,
                   int32_t k, const int32_t* part) {
  const int64_t count = last - first;
  std::vector<int64_t> start(count + k + 1, 0);
  std::vector<int64_t> node;
  std::vector<double> value;
  for (int64_t v = first; v < last; ++v) {
    for (int64_t e = indptr[v]; e < indptr[v + 1]; ++e) {
      const auto u = static_cast<int64_t>(indices[e]);
      const bool inside = u >= first && u < last;
      if (!inside && part[u] < 0) continue;
      node.push_back(inside ? u - first : count + part[u]);
      // Both arcs of an undirected edge inside the buffer are read, of one to a part only this.
      value.push_back(inside || directed ? weight(e) : 2 * weight(e));
    }
    start[v - first + 1] = static_cast<int64_t>(node.size());
  }
  for (int32_t p = 0; p < k; ++p) start[count + p + 1] = start[count + p];
  return build_graph({count + k, start.data(), node.data(), GUST_I64, value.data(), GUST_F64, true});
}

template <class I, class Weight>
void buffered(int64_t n, const int64_t* indptr, const I* indices, const int64_t* ids, bool directed, int32_t k,
              const Method& method, int64_t buffer, int32_t passes, int32_t cycles, uint64_t seed, Weight&& weight,
              int32_t* part) {
  std::fill(part, part + n, -1);
  const Random random(seed, stream_id("partition"), 0, 0, 0);
  Sizes sizes(k, method.limit);
  Choice choice(k);
  const int64_t heavy = method.limit + 1;
  for (int32_t pass = 0; pass < passes; ++pass) {
    for (int64_t first = 0; first < n; first += buffer) {
      const int64_t last = std::min(n, first + buffer), count = last - first;
      for (int64_t v = first; v < last && pass == 0; ++v) {
        for (int64_t e = indptr[v]; e < indptr[v + 1]; ++e) {
          const auto u = static_cast<int64_t>(indices[e]);
          if (u != v && part[u] >= 0) choice.link(part[u], weight(e));
        }
        part[v] = choice.take(sizes, method, n - v, random.u64(static_cast<uint64_t>(ids ? ids[v] : v), 0));
        sizes.add(part[v]);
      }
      Graph graph = buffer_graph(first, last, indptr, indices, weight, directed, k, part);
      std::vector<int32_t> current(part + first, part + last);
      for (int32_t p = 0; p < k; ++p) current.push_back(p);
      for (int64_t v = first; v < last; ++v) sizes.remove(part[v]);
      for (int32_t p = 0; p < k; ++p) graph.node_weight[count + p] = static_cast<int32_t>(sizes[p] + heavy);
      graph.weigh();
      const uint64_t key = random.u64(static_cast<uint64_t>(first), 1 + static_cast<uint32_t>(pass));
      improve_buffer(graph, k, method.limit + heavy, cycles, key, current.data());
      std::vector<int32_t> name(k);
      for (int32_t p = 0; p < k; ++p) name[current[count + p]] = p;
      for (int64_t v = first; v < last; ++v) sizes.add(part[v] = name[current[v - first]]);
    }
  }
  // Refinement may have emptied a part.
  for (int64_t v = 0; v < n && sizes.empty() > 0; ++v) {
    if (sizes[part[v]] < 2) continue;
    sizes.remove(part[v]);
    part[v] = sizes.smallest(0);
    sizes.add(part[v]);
  }
}

}  // namespace
}  // namespace gust::partition

using namespace gust;
using namespace gust::partition;

int32_t gust_partition_buffered(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                int32_t value_dtype, int32_t directed, int64_t ids, int64_t k, double imbalance,
                                int64_t buffer, int32_t passes, int32_t cycles, int64_t seed, int64_t part) {
  return guard([&] {
    if (k < 1 || k > std::max<int64_t>(n, 1) || buffer < 1)
      fail(GUST_EINVAL, "%lld parts of %lld nodes in buffers of %lld", static_cast<long long>(k),
           static_cast<long long>(n), static_cast<long long>(buffer));
    const int64_t limit = part_limit(n, static_cast<int32_t>(k), imbalance);
    if (n + 2 * k * (limit + 1) >= INT32_MAX)
      fail(GUST_ENOSYS, "%lld parts of up to %lld nodes, expected fewer than 2^30 in all", static_cast<long long>(k),
           static_cast<long long>(limit));
    const auto* start = reinterpret_cast<const int64_t*>(indptr);
    dispatch_index(dtype, [&](auto index) {
      const auto* nodes = reinterpret_cast<const decltype(index)*>(indices);
      const auto run = [&](auto&& weight) {
        double total = 0;
        for (int64_t e = 0; e < start[n]; ++e) total += weight(e);
        const double alpha = Method::alpha_of(directed ? total : total / 2, n, k, 1.5);
        buffered(n, start, nodes, reinterpret_cast<const int64_t*>(ids), directed != 0, static_cast<int32_t>(k),
                 Method{true, alpha, 1.5, limit}, buffer, passes, cycles, static_cast<uint64_t>(seed), weight,
                 reinterpret_cast<int32_t*>(part));
      };
      if (!values) return run([](int64_t) { return 1.0; });
      dispatch_real(value_dtype, [&](auto real) {
        const auto* value = reinterpret_cast<const decltype(real)*>(values);
        run([=](int64_t e) { return static_cast<double>(value[e]); });
      });
    });
  });
}
