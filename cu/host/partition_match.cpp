// Heavy-edge matching by mutual proposals. Every node proposes to its best free neighbour; pairs that propose
// to each other merge; the others look on. Since both ends of an edge rate it alike, the best edge left
// anywhere is always mutual, so the result is the greedy matching over all edges in order of rating, whatever
// the thread count.
//
// Rating: weight^2 / (node weight * node weight) ("expansion*2", Holtgrewe, Sanders, Schulz 2010, section 3),
// ties by a hash of the two ends. On graphs with hubs matching stalls, because many nodes compete for few;
// then free nodes that favour the same neighbour pair up (two hops apart; LaSalle et al. 2015), and so do
// free nodes without neighbours.
#include <algorithm>
#include <bit>

#include "partition.h"

namespace gust::partition {
namespace {

// Of proposals. More would match the last few per cent too, with neighbours that nobody wanted, which costs
// cut.
constexpr int kRounds = 4;
constexpr int64_t kMatchGrain = 4096;
// Share of nodes left free from which on pairs two hops apart are formed (as METIS).
constexpr double kTwoHopShare = 0.1;

/** What the search for a favourite reads of a node. */
struct Look {
  int32_t weight;  // INT32_MAX once the node has a mate
  float inverse;   // 1 / weight
  uint32_t hash;
};

/** The best neighbour of u that weighs at most `room` (and lies in its part); -1 if there is none. */
int32_t favourite(const Graph& g, const Array<Look>& look, const int32_t* part, int32_t u, int64_t room) {
  int32_t best = -1;
  uint64_t best_key = 0;
  const uint32_t own = look[u].hash;
  for (const Arc *a = g.begin(u), *end = g.end(u); a != end; ++a) {
    const Look& x = look[a->node];
    if (x.weight > room || (part && part[a->node] != part[u])) continue;
    // Bits of positive floats are in the order of the floats: one comparison decides, without a branch to guess.
    const float w = static_cast<float>(a->weight), rating = w * w * x.inverse;
    const uint32_t hash = (own ^ x.hash) * 0x9E3779B1u;  // the same from both ends
    const uint64_t key = static_cast<uint64_t>(std::bit_cast<uint32_t>(rating)) << 32 | hash;
    best = key >= best_key ? a->node : best;
    best_key = std::max(best_key, key);
  }
  return best;
}

/** Pair free nodes that favour the same neighbour, in order of node number, as long as the weights allow. */
void match_two_hop(const Graph& g, const Array<Look>& look, const int32_t* part, int64_t max_weight,
                   const std::vector<int32_t>& free, Array<int32_t>& mate) {
  struct Wish {
    int32_t group, node;
  };
  std::vector<Wish> wishes(free.size());
  parallel_for(static_cast<int64_t>(free.size()), kMatchGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int32_t u = free[i];
      int32_t f = favourite(g, look, part, u, INT32_MAX);
      // Without neighbours of its part: any other such node of the part will do.
      wishes[i] = {f >= 0 ? f : -1 - (part ? part[u] : 0), u};
    }
  });
  std::sort(wishes.begin(), wishes.end(), [](Wish a, Wish b) {
    return a.group != b.group ? a.group < b.group : a.node < b.node;
  });
  for (size_t i = 0; i + 1 < wishes.size(); ++i) {
    auto [group, u] = wishes[i];
    auto [other, v] = wishes[i + 1];
    if (group != other || static_cast<int64_t>(g.node_weight[u]) + g.node_weight[v] > max_weight) continue;
    mate[u] = v;
    mate[v] = u;
    ++i;
  }
}

}  // namespace

void match(const Graph& g, const int32_t* part, int64_t max_weight, uint64_t key, Array<int32_t>& mate) {
  const int32_t n = g.n;
  Array<int32_t> proposal(n, -1);
  Array<Look> look(n);
  parallel_for(n, kMatchGrain, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) {
      mate[v] = static_cast<int32_t>(v);
      const int32_t w = g.node_weight[v];
      look[v] = {w, 1 / static_cast<float>(std::max(1, w)), static_cast<uint32_t>(mix64(key + v))};
    }
  });
  std::vector<int32_t> active(n), next;
  for (int32_t v = 0; v < n; ++v) active[v] = v;
  for (int round = 0; round < kRounds && !active.empty(); ++round) {
    const int64_t count = static_cast<int64_t>(active.size());
    parallel_for(count, kMatchGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int32_t u = active[i], p = proposal[u];
        // Candidates only ever vanish: a favourite that is still free is still the favourite.
        if (p >= 0 && mate[p] == p) continue;
        proposal[u] = favourite(g, look, part, u, std::min<int64_t>(max_weight - g.node_weight[u], INT32_MAX - 1));
      }
    });
    parallel_for(count, kMatchGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int32_t u = active[i], p = proposal[u];
        if (p < 0 || proposal[p] != u) continue;
        mate[u] = p;
        look[u].weight = INT32_MAX;
      }
    });
    next.clear();
    for (int32_t u : active)
      if (mate[u] == u && proposal[u] >= 0) next.push_back(u);
    if (next.size() == active.size()) break;
    active.swap(next);
  }
  std::vector<int32_t>& free = next;
  free.clear();
  for (int32_t v = 0; v < n; ++v)
    if (mate[v] == v) free.push_back(v);
  if (static_cast<double>(free.size()) <= kTwoHopShare * n) return;
  for (int32_t v = 0; v < n; ++v) look[v].weight = g.node_weight[v];
  match_two_hop(g, look, part, max_weight, free, mate);
}

}  // namespace gust::partition
