// Communities of high modularity; their number comes out.
//
//   Q = sum over communities c of  inside(c) / 2m - resolution * (strength(c) / 2m)^2
//
// with inside(c) the weight of the arcs inside, strength(c) that of all arcs of its nodes, 2m that of all arcs.
//
//   Louvain   move nodes to the neighbouring community that gains most until none gains, make every community a
//             node, repeat                                              Blondel et al. 2008, J. Stat. Mech. P10008
//   Leiden    before communities become nodes, each is built anew out of single nodes by merges that gain, and these
//             pieces become the nodes: communities end connected      Traag, Waltman, van Eck 2019, Sci. Rep. 9:5233
//
// Nodes wait in a queue, as in Leiden's fast local moves: a node is looked at again when a neighbour has left. Where
// Leiden draws a merge by its gain, the best one is taken; the seed decides the order of the nodes. One thread, and sums
// of integers: the same communities on any machine. O(n + arcs) memory.
#include <numeric>

#include "../include/gust.h"
#include "partition.h"

namespace gust::partition {
namespace {

// A move that gains less, in units of the node's strength, is rounding.
constexpr double kLeastGain = 1e-10;

/** A graph whose nodes stand for groups of nodes; arcs inside a group are gone from it, not from its strength. */
struct Level {
  Graph graph;
  std::vector<int64_t> strength;
  std::vector<int32_t> order;  // in which nodes are looked at
};

/** Weights of one node's arcs by community. */
class Links {
 public:
  explicit Links(int32_t n) : weight_(n, 0) {}
  void collect(const Graph& graph, int32_t v, const std::vector<int32_t>& community) {
    for (const int32_t c : near_) weight_[c] = 0;
    near_.clear();
    for (const Arc* a = graph.begin(v); a != graph.end(v); ++a) {
      const int32_t c = community[a->node];
      if (weight_[c] == 0) near_.push_back(c);
      weight_[c] += a->weight;
    }
  }
  const std::vector<int32_t>& near() const { return near_; }
  int64_t operator[](int32_t c) const { return weight_[c]; }

 private:
  std::vector<int64_t> weight_;
  std::vector<int32_t> near_;
};

/** Number values 0 .. count-1 by their first appearance; returns count. */
int32_t renumber(std::vector<int32_t>& values) {
  std::vector<int32_t> number(values.size(), -1);
  int32_t count = 0;
  for (int32_t& value : values) {
    if (number[value] < 0) number[value] = count++;
    value = number[value];
  }
  return count;
}

class Search {
 public:
  Search(double resolution, int64_t total, uint64_t key)
      : price_(resolution / static_cast<double>(total)), key_(key) {}

  /** Shuffle the nodes of a level by `id(v)`. */
  template <class Id>
  void shuffle(Level& level, Id&& id) const {
    level.order.resize(level.graph.n);
    std::iota(level.order.begin(), level.order.end(), 0);
    std::vector<uint64_t> hash(level.graph.n);
    for (int32_t v = 0; v < level.graph.n; ++v) hash[v] = mix64(key_ ^ static_cast<uint64_t>(id(v)));
    std::sort(level.order.begin(), level.order.end(),
              [&](int32_t a, int32_t b) { return hash[a] != hash[b] ? hash[a] < hash[b] : a < b; });
  }

  /** Move nodes while it gains. */
  void move(const Level& level, std::vector<int32_t>& community) const {
    const int32_t n = level.graph.n;
    std::vector<int64_t> strength(n, 0);
    std::vector<int32_t> size(n, 0), free;
    for (int32_t v = 0; v < n; ++v) {
      strength[community[v]] += level.strength[v];
      ++size[community[v]];
    }
    for (int32_t c = n; c-- > 0;)
      if (size[c] == 0) free.push_back(c);
    std::vector<int32_t> queue(level.order);
    std::vector<uint8_t> waits(n, 1);
    Links links(n);
    // A ring of n places: no node waits twice.
    for (int64_t head = 0, count = n; count > 0; head = (head + 1) % n, --count) {
      const int32_t v = queue[head], own = community[v];
      waits[v] = 0;
      links.collect(level.graph, v, community);
      const int64_t d = level.strength[v];
      strength[own] -= d;
      int32_t best = own;
      double top = gain(links[own], d, strength[own]) + kLeastGain * static_cast<double>(d);
      for (const int32_t c : links.near()) {
        const double g = gain(links[c], d, strength[c]);
        if (g > top || (g == top && best != own && c < best)) {
          best = c;
          top = g;
        }
      }
      if (top < 0 && size[own] > 1) {
        best = free.back();
        free.pop_back();
      }
      strength[best] += d;
      if (best == own) continue;
      if (--size[own] == 0) free.push_back(own);
      ++size[best];
      community[v] = best;
      for (const Arc* a = level.graph.begin(v); a != level.graph.end(v); ++a) {
        if (waits[a->node] || community[a->node] == best) continue;
        waits[a->node] = 1;
        queue[(head + count) % n] = a->node;
        ++count;
      }
    }
  }

  /** Pieces of every community: single nodes merged with the piece that gains most, where both hold on to the rest. */
  std::vector<int32_t> pieces(const Level& level, const std::vector<int32_t>& community) const {
    const int32_t n = level.graph.n;
    std::vector<int64_t> whole(n, 0), strength(level.strength), outside(n, 0);
    std::vector<int32_t> piece(n), size(n, 1);
    for (int32_t v = 0; v < n; ++v) {
      piece[v] = v;
      whole[community[v]] += level.strength[v];
      for (const Arc* a = level.graph.begin(v); a != level.graph.end(v); ++a)
        if (community[a->node] == community[v]) outside[v] += a->weight;
    }
    const auto holds = [&](int32_t p, int32_t c) {
      return gain(outside[p], strength[p], whole[c] - strength[p]) >= -kLeastGain * static_cast<double>(strength[p]);
    };
    Links links(n);
    for (const int32_t v : level.order) {
      const int32_t c = community[v];
      if (piece[v] != v || size[v] != 1 || !holds(v, c)) continue;
      links.collect(level.graph, v, piece);
      int32_t best = v;
      double top = 0;
      for (const int32_t p : links.near()) {
        // A piece bears the number of one of its nodes.
        if (p == v || community[p] != c || !holds(p, c)) continue;
        const double g = gain(links[p], strength[v], strength[p]);
        if (g > top || (g == top && (best == v || p < best))) {
          best = p;
          top = g;
        }
      }
      if (best == v) continue;
      piece[v] = best;
      ++size[best];
      size[v] = 0;
      outside[best] += outside[v] - 2 * links[best];
      strength[best] += strength[v];
    }
    return piece;
  }

 private:
  /** Gain (times m) of joining a node or piece of this strength and links to a community of that strength. */
  double gain(int64_t links, int64_t strength, int64_t other) const {
    return static_cast<double>(links) - price_ * static_cast<double>(strength) * static_cast<double>(other);
  }
  double price_;
  uint64_t key_;
};

/** The graph of `count` groups. */
Level aggregate(const Level& level, const std::vector<int32_t>& group, int32_t count) {
  const Graph& graph = level.graph;
  std::vector<int64_t> start(count + 1, 0);
  std::vector<int32_t> members(graph.n);
  for (int32_t v = 0; v < graph.n; ++v) ++start[group[v] + 1];
  std::partial_sum(start.begin(), start.end(), start.begin());
  std::vector<int64_t> next(start.begin(), start.end() - 1);
  for (int32_t v = 0; v < graph.n; ++v) members[next[group[v]]++] = v;

  Level out;
  out.graph.n = count;
  out.graph.indptr = Array<int64_t>(count + 1, 0);
  out.strength.assign(count, 0);
  std::vector<int32_t> weight(count, 0), near;
  std::vector<Arc> arcs;
  for (int32_t c = 0; c < count; ++c) {
    for (int64_t i = start[c]; i < start[c + 1]; ++i) {
      out.strength[c] += level.strength[members[i]];
      for (const Arc* a = graph.begin(members[i]); a != graph.end(members[i]); ++a) {
        const int32_t to = group[a->node];
        if (to == c) continue;
        if (weight[to] == 0) near.push_back(to);
        weight[to] += a->weight;
      }
    }
    for (const int32_t to : near) {
      arcs.push_back({to, weight[to]});
      weight[to] = 0;
    }
    near.clear();
    out.graph.indptr[c + 1] = static_cast<int64_t>(arcs.size());
  }
  out.graph.arcs = Array<Arc>(static_cast<int64_t>(arcs.size()));
  std::copy(arcs.begin(), arcs.end(), out.graph.arcs.begin());
  return out;
}

/** Improve `part`, [n] communities. */
void improve(const Level& finest, const Search& search, bool leiden, std::vector<int32_t>& part) {
  std::vector<int32_t> node(finest.graph.n), community(part);  // node of the level that v is in; of a node of the level
  std::iota(node.begin(), node.end(), 0);
  Level coarse;
  for (const Level* level = &finest;; level = &coarse) {
    search.move(*level, community);
    const int32_t communities = renumber(community);
    std::vector<int32_t> group = leiden ? search.pieces(*level, community) : community;
    const int32_t groups = renumber(group);
    const bool done = communities == level->graph.n || groups == level->graph.n;
    if (!done) {
      std::vector<int32_t> above(groups);
      for (int32_t v = 0; v < level->graph.n; ++v) above[group[v]] = leiden ? community[v] : group[v];
      for (int32_t& v : node) v = group[v];
      community.swap(above);
      coarse = aggregate(*level, group, groups);
      search.shuffle(coarse, [](int32_t v) { return v; });
      continue;
    }
    for (size_t v = 0; v < node.size(); ++v) part[v] = community[node[v]];
    return;
  }
}

Level finest_level(Graph graph) {
  Level level;
  level.strength.assign(graph.n, 0);
  for (int32_t v = 0; v < graph.n; ++v)
    for (const Arc* a = graph.begin(v); a != graph.end(v); ++a) level.strength[v] += a->weight;
  level.graph = std::move(graph);
  return level;
}

}  // namespace
}  // namespace gust::partition

using namespace gust;
using namespace gust::partition;

int32_t gust_partition_communities(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                   int32_t value_dtype, int32_t directed, int64_t ids, int32_t leiden,
                                   double resolution, int32_t rounds, int64_t seed, int64_t part) {
  return guard([&] {
    const Source source{n, reinterpret_cast<const int64_t*>(indptr), reinterpret_cast<const void*>(indices), dtype,
                        reinterpret_cast<const void*>(values), value_dtype, directed != 0};
    const auto* id = reinterpret_cast<const int64_t*>(ids);
    Level level = finest_level(build_graph(source));
    std::vector<int32_t> community(n);
    std::iota(community.begin(), community.end(), 0);
    const int64_t total = std::accumulate(level.strength.begin(), level.strength.end(), int64_t{0});
    for (int32_t round = 0; round < rounds && total > 0; ++round) {
      const Random random(static_cast<uint64_t>(seed), stream_id("partition"), 0, 0, 0);
      const Search search(resolution, total, random.u64(static_cast<uint64_t>(round), 0));
      search.shuffle(level, [&](int32_t v) { return id ? id[v] : v; });
      const std::vector<int32_t> before(community);
      improve(level, search, leiden != 0, community);
      renumber(community);
      if (community == before) break;
    }
    renumber(community);
    std::copy(community.begin(), community.end(), reinterpret_cast<int32_t*>(part));
  });
}

int32_t gust_partition_modularity(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                  int32_t value_dtype, int32_t directed, int64_t part, int64_t k, double resolution,
                                  double* out) {
  return guard([&] {
    const Source source{n, reinterpret_cast<const int64_t*>(indptr), reinterpret_cast<const void*>(indices), dtype,
                        reinterpret_cast<const void*>(values), value_dtype, directed != 0};
    const int32_t* p = checked_parts("part", part, n, k);
    const Graph graph = build_graph(source);
    std::vector<int64_t> strength(k, 0);
    int64_t inside = 0, total = 0;
    for (int32_t v = 0; v < graph.n; ++v)
      for (const Arc* a = graph.begin(v); a != graph.end(v); ++a) {
        strength[p[v]] += a->weight;
        total += a->weight;
        if (p[a->node] == p[v]) inside += a->weight;
      }
    out[0] = 0;
    if (total == 0) return;
    double expected = 0;
    for (const int64_t s : strength) {
      const double share = static_cast<double>(s) / static_cast<double>(total);
      expected += share * share;
    }
    out[0] = static_cast<double>(inside) / static_cast<double>(total) - resolution * expected;
  });
}
