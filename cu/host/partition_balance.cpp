// Balance: nodes leave parts that are too heavy in order of what the move costs per unit of weight, for the
// neighbouring part with room where they cost least, or the part with most room where no neighbouring one has
// any. Nodes of weight 1 always end in balance, because some part is below the average.
#include <algorithm>

#include "partition.h"
#include "partition_heap.h"

namespace gust::partition {
namespace {

/** Parts by the room they have, most first. */
class Room {
 public:
  explicit Room(const Parts& parts) : position_(parts.k, -1), heap_(position_.data()) {
    for (int32_t p = 0; p < parts.k; ++p) changed(parts, p);
  }
  int32_t most() const { return heap_.top(); }
  void changed(const Parts& parts, int32_t p) { heap_.set(p, parts.limits[p] - parts.weight[p]); }

 private:
  std::vector<int32_t> position_;
  Heap<int64_t> heap_;
};

struct Exit {
  double key;  // higher is better: gain, or loss per unit of weight
  int32_t node, to;
  bool operator<(const Exit& other) const { return key != other.key ? key < other.key : node > other.node; }
};

Exit best_exit(const Parts& parts, const Room& room, int32_t v) {
  const int64_t w = parts.relief(v);
  if (w == 0) return {0, v, -1};
  Link best{-1, 0};
  parts.each_link(v, [&](int32_t p, int32_t weight) {
    if (weight < best.weight || !parts.has_room(p, v)) return;
    const bool is_tie = best.part >= 0 && weight == best.weight;
    const int64_t more = is_tie ? parts.weight[p] - parts.weight[best.part] : -1;
    if (more < 0 || (more == 0 && p < best.part)) best = {p, weight};
  });
  if (best.part < 0) {
    int32_t p = room.most();
    // With several weights the part with most room by the first may have none by another.
    if (parts.graph.more > 0 && !parts.has_room(p, v))
      for (int32_t q = 0; q < parts.k && !parts.has_room(p, v); ++q) p = q;
    if (p == parts.part_of(v) || !parts.has_room(p, v)) return {0, v, -1};
    best = {p, 0};
  }
  const double gain = best.weight - parts.internal(v);
  return {gain > 0 ? gain * static_cast<double>(w) : gain / static_cast<double>(w), v, best.part};
}

}  // namespace

void rebalance(Parts& parts, std::vector<Step>& log) {
  int32_t heavy = 0;  // parts that still are
  for (int32_t p = 0; p < parts.k; ++p) heavy += parts.is_too_heavy(p);
  if (heavy == 0) return;
  Room room(parts);
  std::vector<Exit> heap;
  // Nodes at the boundary first, twice because the boundary moves; all nodes where those do not suffice.
  for (const bool boundary : {true, true, false}) {
    const int64_t count = boundary ? static_cast<int64_t>(parts.boundary().size()) : parts.graph.n;
    heap.clear();
    for (int64_t i = 0; i < count; ++i) {
      const int32_t v = boundary ? parts.boundary()[i] : static_cast<int32_t>(i);
      if (!parts.is_too_heavy(parts.part_of(v))) continue;
      const Exit exit = best_exit(parts, room, v);
      if (exit.to >= 0) heap.push_back(exit);
    }
    std::make_heap(heap.begin(), heap.end());
    while (!heap.empty() && heavy > 0) {
      std::pop_heap(heap.begin(), heap.end());
      const Exit top = heap.back();
      heap.pop_back();
      const int32_t from = parts.part_of(top.node);
      if (!parts.is_too_heavy(from)) continue;
      const Exit now = best_exit(parts, room, top.node);
      if (now.to < 0) continue;
      if (now.key < top.key) {  // its neighbours moved, or its part of choice filled up
        heap.push_back(now);
        std::push_heap(heap.begin(), heap.end());
        continue;
      }
      log.push_back({now.node, from});
      parts.move(now.node, now.to);
      heavy -= !parts.is_too_heavy(from);
      room.changed(parts, from);
      room.changed(parts, now.to);
    }
    if (heavy == 0) return;
  }
}

}  // namespace gust::partition
