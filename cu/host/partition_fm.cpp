// Refinement by single moves (Fiduccia and Mattheyses 1982, over k parts at once). A pass takes the move of highest
// gain again and again, also when it loses, every node at most once, and ends when `patience` moves in a row have not
// brought a new best state, to which it returns. Moves go to parts with room alone, so that balance is never given up.
//
// The keys of the heap are upper bounds of the gains: a move raises those of its neighbours where it must, which takes
// one comparison each, and what became worse is found out when the node is taken.
#include <algorithm>

#include "partition.h"
#include "partition_heap.h"

namespace gust::partition {
namespace {

constexpr int64_t kWorse = INT32_MIN;

/** The move of v that gains most: to the part with room that it is connected to best, of several the lightest. */
struct Move {
  int64_t gain;
  int32_t to;
};

Move best_move(const Parts& parts, int32_t v) {
  const int64_t w = parts.graph.node_weight[v];
  const int32_t own = parts.part_of(v);
  Link best{-1, 0};
  parts.each_link(v, [&](int32_t p, int32_t weight) {
    if (weight < best.weight || !parts.has_room(p, v)) return;
    if (best.part >= 0 && weight == best.weight) {
      const int64_t more = parts.weight[p] - parts.weight[best.part];
      if (more > 0 || (more == 0 && p > best.part)) return;
    }
    best = {p, weight};
  });
  if (best.part < 0) return {kWorse, -1};
  const int64_t gain = best.weight - parts.internal(v);
  // A move that gains nothing must even out the weights, or two of them could alternate.
  if (gain == 0 && parts.weight[best.part] + w > parts.weight[own]) return {-1, best.part};
  return {gain, best.part};
}

}  // namespace

int64_t climb(Parts& parts, SearchSpace& space, int64_t patience, int64_t budget) {
  const Graph& g = parts.graph;
  Heap<int64_t> heap(space.index.data());
  const uint32_t round = ++space.round;
  for (int32_t v : parts.boundary()) {
    const Move m = best_move(parts, v);
    if (m.to >= 0) heap.set(v, m.gain);
  }
  std::vector<Step> log;  // where nodes were, since the best state
  const int64_t start = parts.cut();
  int64_t best = start, work = 0;
  while (!heap.empty()) {
    const int64_t key = heap.top_key();
    const int32_t v = heap.top();
    const Move m = best_move(parts, v);
    if (m.to < 0) {
      heap.remove(v);
      continue;
    }
    if (m.gain < key) {
      heap.set(v, m.gain);
      continue;
    }
    heap.remove(v);
    space.moved[v] = round;
    const int32_t from = parts.part_of(v);
    parts.move(v, m.to, [&](int32_t u, int32_t edge, int32_t link) {
      if (space.moved[u] == round) return;
      const int32_t own = parts.part_of(u);
      if (own == m.to) return;  // its gains fell
      const int64_t gain = static_cast<int64_t>(link) - parts.internal(u);
      if (!heap.has(u)) heap.set(u, gain);
      else heap.set(u, std::max(gain, heap.key(u) + (own == from ? edge : 0)));
    });
    log.push_back({v, from});
    work += g.degree(v);
    if (parts.cut() < best || (parts.cut() == best && m.gain == 0)) {
      best = parts.cut();
      log.clear();
    } else if (static_cast<int64_t>(log.size()) >= patience || work > budget) {
      break;
    }
  }
  heap.clear();
  for (; !log.empty(); log.pop_back()) parts.move(log.back().node, log.back().to);
  return start - best;
}

}  // namespace gust::partition
