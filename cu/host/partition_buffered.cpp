// Buffered streaming (after HeiStream, Faraj and Schulz 2021, arXiv:2102.09384): read a buffer of nodes, look at the graph
// of these nodes and one node per part, which stands for all that the part holds, find parts for the buffer's nodes, keep
// them, go on.
//
// A buffer's nodes are placed in several ways, each is improved by the multilevel method, and the one is kept that costs
// least: where Fennel puts them; split anew into k parts; split anew into as few parts as they fill. Each of the latter
// goes to the part that it has most links to, or an empty one. In a stream where neighbours are near each other the last
// way finds whole parts, in one without order Fennel's does best. Edges to nodes still to come have no place yet: they
// cost half, and more in parts with less room than others, where those nodes may no longer go. Later passes start from the
// parts at hand.
//
// The node of a part weighs more than all the room that parts have left: in a partition within the limits no two of them
// share a part, so that each names one, whatever number refinement gave it. Refinement begins within the limits and never
// ends outside of them.
//
// Memory: O(n + k + arcs of the largest buffer); each row is read a few times per pass, buffer by buffer.
#include <numeric>
#include <queue>

#include "../include/gust.h"
#include "partition_stream.h"

namespace gust::partition {
namespace {

constexpr int64_t kNodesPerPart = 25, kLeastNodes = 200;  // of the smallest graph of a V-cycle
constexpr double kHope = 0.5;  // that an edge to a node still to come will not be cut

using PartOf = std::vector<int32_t>;

/** Improve `part` of a buffer's nodes (within the limits) by V-cycles, which keep it intact while they coarsen. `graph` has
 *  the nodes of the parts behind those. */
void improve_buffer(const Graph& graph, int32_t k, int64_t limit, int32_t cycles, uint64_t key, PartOf& part) {
  const size_t count = part.size();
  for (int32_t p = 0; p < k; ++p) part.push_back(p);
  const int64_t enough = std::max(kLeastNodes, kNodesPerPart * k);
  for (int32_t i = 0; i < cycles; ++i)
    cycle(graph, k, &limit, effort_of(1), enough, mix64(key + static_cast<uint64_t>(i)), part.data(), part);
  PartOf name(k);
  for (int32_t p = 0; p < k; ++p) name[part[count + p]] = p;
  part.resize(count);
  for (int32_t& p : part) p = name[p];
}

/** A matrix as it streams by: order[i] is the node in place i, and at[v] the place of node v. */
template <class I, class Weight>
struct Stream {
  int64_t n;
  const int64_t* indptr;
  const I* indices;
  const Weight& weight;
  bool directed;
  const Array<int32_t>&order, &at;

  /** Call f(u, weight, place of u from `first` on, or -1 where it is not before `last`) for the arcs of the node in place i. */
  template <class F>
  void each_arc(int64_t i, int64_t first, int64_t last, F&& f) const {
    const int64_t v = order[i];
    for (int64_t e = indptr[v]; e < indptr[v + 1]; ++e) {
      const auto u = static_cast<int64_t>(indices[e]);
      f(u, weight(e), at[u] >= first && at[u] < last ? at[u] - first : -1);
    }
  }

  /** The nodes in places first .. last-1 and behind them, if k > 0, a node per part; arcs to nodes without a part are left out. */
  Graph graph(int64_t first, int64_t last, int32_t k, const int32_t* part) const {
    const int64_t count = last - first;
    std::vector<int64_t> start(count + k + 1, 0);
    std::vector<int64_t> node;
    std::vector<double> value;
    for (int64_t i = first; i < last; ++i) {
      each_arc(i, first, last, [&](int64_t u, double w, int64_t inside) {
        if (inside < 0 && (k == 0 || part[u] < 0)) return;
        node.push_back(inside >= 0 ? inside : count + part[u]);
        // Both arcs of an undirected edge inside the buffer are read, of one to a part only this.
        value.push_back(inside >= 0 || directed ? w : 2 * w);
      });
      start[i - first + 1] = static_cast<int64_t>(node.size());
    }
    for (int32_t p = 0; p < k; ++p) start[count + p + 1] = start[count + p];
    return build_graph({count + k, start.data(), node.data(), GUST_I64, value.data(), GUST_F64, true});
  }

  /** What it costs that the nodes of these places lie in `own`, the others in `part`, and that parts have this many nodes. */
  double cost(int64_t first, int64_t last, const PartOf& own, const int32_t* part, const std::vector<int64_t>& size,
              int64_t limit) const {
    const auto k = static_cast<double>(size.size());
    const int64_t held = std::accumulate(size.begin(), size.end(), int64_t{0});
    const double left = std::max(0.0, static_cast<double>(limit) * k - static_cast<double>(held));
    double cost = 0;
    for (int64_t i = first; i < last; ++i) {
      const int32_t p = own[i - first];
      const double room = static_cast<double>(limit - size[p]) * k;
      const double open = 1 - kHope * (room < left ? room / left : 1);
      each_arc(i, first, last, [&](int64_t u, double w, int64_t inside) {
        const int32_t q = inside >= 0 ? own[inside] : part[u];
        // Edges inside are seen from both ends.
        if (q != p) cost += (q < 0 ? open : inside >= 0 && !directed ? 0.5 : 1) * w;
      });
    }
    return cost;
  }
};

/** Name each of the groups by a part with room for it: the one with most links to it, else the emptiest. Returns false
 *  where there is none. `graph` has the nodes of the groups and behind them one node per part. */
bool name_groups(const Graph& graph, int32_t groups, std::vector<int64_t> size, int64_t limit, PartOf& group) {
  struct Wish {
    int32_t group, part;
    int64_t weight;
  };
  const auto count = static_cast<int64_t>(group.size());
  std::vector<int64_t> heavy(groups, 0);
  std::vector<Wish> links, wishes;
  for (int32_t v = 0; v < count; ++v) {
    ++heavy[group[v]];
    for (const Arc* a = graph.begin(v); a != graph.end(v); ++a)
      if (a->node >= count) links.push_back({group[v], static_cast<int32_t>(a->node - count), a->weight});
  }
  std::sort(links.begin(), links.end(), [](const Wish& a, const Wish& b) {
    return a.group != b.group ? a.group < b.group : a.part < b.part;
  });
  for (const Wish& w : links) {
    if (wishes.empty() || wishes.back().group != w.group || wishes.back().part != w.part) wishes.push_back(w);
    else wishes.back().weight += w.weight;
  }
  std::stable_sort(wishes.begin(), wishes.end(), [](const Wish& a, const Wish& b) { return a.weight > b.weight; });
  PartOf name(groups, -1);
  const auto give = [&](int32_t g, int32_t p) {
    if (name[g] >= 0 || size[p] + heavy[g] > limit) return;
    name[g] = p;
    size[p] += heavy[g];
  };
  for (const Wish& w : wishes) give(w.group, w.part);
  using Entry = std::pair<int64_t, int32_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> emptiest;
  for (size_t p = 0; p < size.size(); ++p) emptiest.push({size[p], static_cast<int32_t>(p)});
  for (int32_t g = 0; g < groups; ++g) {
    if (name[g] >= 0) continue;
    const int32_t p = emptiest.top().second;
    give(g, p);
    if (name[g] < 0) return false;
    emptiest.pop();
    emptiest.push({size[p], p});
  }
  for (int32_t& g : group) g = name[g];
  return true;
}

/** Groups of about the same size that cut little; none where there are fewer nodes than groups. */
PartOf split(const Graph& graph, int32_t groups, double imbalance, uint64_t key) {
  if (groups > graph.n) return {};
  PartOf group(graph.n);
  const int64_t most = part_limit(graph.n, groups, imbalance);
  multilevel(graph, groups, &most, effort_of(1), key, group.data());
  return group;
}

template <class I, class Weight>
void buffered(const Stream<I, Weight>& stream, const int64_t* ids, int32_t k, const Method& method, double imbalance,
              int64_t buffer, int32_t passes, int32_t cycles, uint64_t seed, int32_t* part) {
  const int64_t n = stream.n;
  std::fill(part, part + n, -1);
  const Random random(seed, stream_id("partition"), 0, 0, 0);
  Sizes sizes(k, method.limit);
  Choice choice(k);
  const int64_t heavy = method.limit + 1;
  for (int32_t pass = 0; pass < passes; ++pass) {
    for (int64_t first = 0; first < n; first += buffer) {
      const int64_t last = std::min(n, first + buffer), count = last - first;
      std::vector<PartOf> ways(1);
      for (int64_t i = first; i < last; ++i) {
        const int32_t v = stream.order[i];
        if (pass == 0) {
          stream.each_arc(i, first, last, [&](int64_t u, double w, int64_t) {
            if (u != v && part[u] >= 0) choice.link(part[u], w);
          });
          part[v] = choice.take(sizes, method, n - i, random.u64(static_cast<uint64_t>(ids ? ids[v] : v), 0));
          sizes.add(part[v]);
        }
        ways[0].push_back(part[v]);
      }
      for (const int32_t p : ways[0]) sizes.remove(p);
      std::vector<int64_t> size(k);
      for (int32_t p = 0; p < k; ++p) size[p] = sizes[p];
      Graph graph = stream.graph(first, last, k, part);
      const uint64_t key = random.u64(static_cast<uint64_t>(first), 1 + static_cast<uint32_t>(pass));
      if (pass == 0 && cycles > 0) {
        const Graph inside = stream.graph(first, last, 0, part);
        const auto few = static_cast<int32_t>(std::max<int64_t>(1, (count * k + n / 2) / n));
        for (const int32_t groups : {k, few}) {
          PartOf way = split(inside, groups, imbalance, key);
          if (!way.empty() && name_groups(graph, groups, size, method.limit, way)) ways.push_back(std::move(way));
          if (few == k) break;
        }
      }
      for (int32_t p = 0; p < k; ++p) graph.node_weight[count + p] = static_cast<int32_t>(size[p] + heavy);
      graph.weigh();
      double least = 0;
      for (size_t i = 0; i < ways.size(); ++i) {
        PartOf& way = ways[i];
        improve_buffer(graph, k, method.limit + heavy, cycles, key, way);
        std::vector<int64_t> filled = size;
        for (const int32_t p : way) ++filled[p];
        const double cost = stream.cost(first, last, way, part, filled, method.limit);
        if (i > 0 && cost >= least) continue;
        least = cost;
        for (int64_t j = 0; j < count; ++j) part[stream.order[first + j]] = way[j];
      }
      for (int64_t i = first; i < last; ++i) sizes.add(part[stream.order[i]]);
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
                                int64_t buffer, int32_t passes, int32_t order, int32_t cycles, int64_t seed,
                                int64_t part) {
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
      const auto* id = reinterpret_cast<const int64_t*>(ids);
      const Array<int32_t> come = stream_order(n, start, id, order, Random(seed, stream_id("partition"), 0, 0, 0),
                                               [&](int64_t e) { return static_cast<int64_t>(nodes[e]); });
      Array<int32_t> at(n);
      for (int64_t i = 0; i < n; ++i) at[come[i]] = static_cast<int32_t>(i);
      with_weights(values, value_dtype, [&](auto&& weight) {
        double total = total_weight(start[n], weight);
        const double alpha = Method::alpha_of(directed ? total : total / 2, n, k, 1.5);
        const Stream<std::remove_cvref_t<decltype(nodes[0])>, std::remove_cvref_t<decltype(weight)>> stream{
            n, start, nodes, weight, directed != 0, come, at};
        buffered(stream, id, static_cast<int32_t>(k), Method{true, alpha, 1.5, limit},
                 imbalance, buffer, passes, cycles, static_cast<uint64_t>(seed), reinterpret_cast<int32_t*>(part));
      });
    });
  });
}
