// Which nodes to merge: clusters by size-constrained label propagation (Meyerhenke, Sanders, Schulz 2014). They shrink
// a graph faster than a matching, which halves it at best and stalls where there are hubs: a hub can take one of its many
// neighbours, a cluster as many as its weight allows.
//
// Every node starts alone. In each of a few rounds, which share the nodes among them by a hash, the nodes that are
// still alone look for the cluster that they are connected to best for its weight, all against the same state, and then
// join one after the other in order of node number as long as the weight allows: the result does not depend on the
// thread count.
#include <algorithm>

#include "partition.h"

namespace gust::partition {
namespace {

constexpr int kRounds = 5;
// Mean degree at the end of an arc over the mean degree, from which on a graph has hubs; meshes have 1.
constexpr double kHubs = 3;
constexpr int64_t kClusterGrain = 8192;
// Of a node are looked at: beyond it a hub's neighbourhood says no more, and its neighbours come to it.
constexpr int64_t kMostArcs = 1000;

/** Sums of arc weights by cluster, cleared in the time that filling took. */
class Tally {
 public:
  explicit Tally(int32_t n) : sum_(n, 0) {}
  void add(int32_t cluster, int32_t weight) {
    if (sum_[cluster] == 0) seen_.push_back(cluster);
    sum_[cluster] += weight;
  }
  template <class F>
  void drain(F&& f) {
    for (int32_t c : seen_) {
      f(c, sum_[c]);
      sum_[c] = 0;
    }
    seen_.clear();
  }

 private:
  Array<int32_t> sum_;
  std::vector<int32_t> seen_;
};

}  // namespace

int32_t cluster(const Graph& g, const int32_t* part, int64_t max_weight, uint64_t key, Array<int32_t>& leader) {
  const int32_t n = g.n;
  Array<int64_t> weight(n);  // of the cluster that the node leads
  Array<int32_t> wish(n), size(n, 1);
  for (int32_t v = 0; v < n; ++v) {
    leader[v] = v;
    weight[v] = g.node_weight[v];
  }
  // Few chunks of nodes, because each has an array of all nodes.
  const int64_t grain = std::max(kClusterGrain, num_chunks(n, 8));
  std::vector<Tally> tallies;
  for (int64_t c = 0; c < num_chunks(n, grain); ++c) tallies.emplace_back(n);
  for (int round = 0; round < kRounds; ++round) {
    parallel_for(n, grain, [&](int64_t begin, int64_t end) {
      Tally& tally = tallies[begin / grain];
      for (int64_t i = begin; i < end; ++i) {
        const auto v = static_cast<int32_t>(i);
        wish[v] = -1;
        const uint64_t own = mix64(key + v);
        if (static_cast<int>(own % kRounds) != round || leader[v] != v || size[v] > 1) continue;
        const Arc *first = g.begin(v), *last = g.end(v);
        if (last - first > kMostArcs) last = first + kMostArcs;
        for (const Arc* a = first; a != last; ++a)
          if (!part || part[a->node] == part[v]) tally.add(leader[a->node], a->weight);
        const int64_t room = max_weight - g.node_weight[v];
        double best = 0;
        uint64_t best_hash = 0;
        tally.drain([&](int32_t c, int32_t sum) {
          if (c == v || weight[c] > room) return;
          const double rating = static_cast<double>(sum) * sum / static_cast<double>(std::max<int64_t>(1, weight[c]));
          const uint64_t hash = mix64(own ^ static_cast<uint64_t>(c));
          if (rating < best || (rating == best && hash <= best_hash)) return;
          best = rating;
          best_hash = hash;
          wish[v] = c;
        });
      }
    });
    for (int32_t v = 0; v < n; ++v) {
      if (wish[v] < 0 || size[v] > 1) continue;  // or others joined it meanwhile
      const int32_t c = leader[wish[v]];
      if (c == v || weight[c] + weight[v] > max_weight) continue;
      leader[v] = c;
      weight[c] += weight[v];
      ++size[c];
    }
  }
  int32_t count = 0;
  for (int32_t v = 0; v < n; ++v) count += leader[v] == v;
  return count;
}

bool has_hubs(const Graph& g) {
  double squares = 0;
  for (int32_t v = 0; v < g.n; ++v) squares += static_cast<double>(g.degree(v)) * static_cast<double>(g.degree(v));
  const double arcs = static_cast<double>(g.arcs.size());
  return squares * g.n > kHubs * arcs * arcs;
}

}  // namespace gust::partition
