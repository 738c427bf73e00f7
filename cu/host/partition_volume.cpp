// Refinement by communication volume: the sum over nodes of the other parts that have neighbours of theirs, which is
// how many rows parts send each other when every node needs those of its neighbours. Passes of single moves as in
// partition_fm.cpp, with the exact change: when v goes from a to b,
//
//   v itself       no longer counts b, and counts a if it has neighbours there
//   neighbours     no longer count a where v was their last neighbour in it, and count b where v is their first
//
// so that a move also changes what it is worth to move the neighbours of a neighbour that now has one neighbour more or
// less in a or b. Volume before cut: of two moves of the same gain the one that lowers the cut more is taken.
//
// One thread moves, and the first gains are counted by all: the same parts for any number of threads. Weights of edges
// do not count. Memory: O(n + arcs) for the parts, O(k) per chunk.
#include "partition.h"
#include "partition_heap.h"

namespace gust::partition {
namespace {

// A pass ends after so many moves without a new best state.
constexpr int64_t kPatience = 300;
// Passes are cheap beside the levels that found the cut: so small a share of what counts as progress there counts here.
constexpr double kShare = 0.2;
// Where nodes have many neighbours in many parts, a move is dear: so many parts of neighbours are counted per arc at
// most, times the effort's budget.
constexpr double kBudget = 150;
constexpr int64_t kSmallWork = 1 << 16;  // counted neighbours up to which passes go on until one changes nothing
constexpr int64_t kChunk = 1024;

/** By how much a move lowers volume and cut. Ordered by volume, then cut. */
struct Gain {
  int64_t volume = 0, cut = 0;
  bool operator<(const Gain& o) const { return volume != o.volume ? volume < o.volume : cut < o.cut; }
  bool operator>(const Gain& o) const { return o < *this; }
  bool operator<=(const Gain& o) const { return !(o < *this); }
};

struct Move {
  Gain gain;
  int32_t to = -1;
};

/** Counts by part that are all zero between uses. */
class Counts {
 public:
  explicit Counts(int32_t k) : count_(k, 0) {}
  int32_t operator[](int32_t p) const { return count_[p]; }
  void add(int32_t p) {
    ++added_;
    if (count_[p]++ == 0) used_.push_back(p);
  }
  /** Calls of add() so far. */
  int64_t added() const { return added_; }
  void clear() {
    for (const int32_t p : used_) count_[p] = 0;
    used_.clear();
  }

 private:
  Array<int32_t> count_;
  std::vector<int32_t> used_;
  int64_t added_ = 0;
};

class VolumeRefinement {
 public:
  VolumeRefinement(const Graph& graph, int32_t k, const int64_t* limits, int32_t* part)
      : graph_(graph), parts_(graph, k, limits, part), near_(k), size_(k, 0), index_(graph.n, -1), moved_(graph.n, 0) {
    for (int32_t v = 0; v < graph.n; ++v) {
      ++size_[parts_.part_of(v)];
      parts_.each_link(v, [&](int32_t, int32_t) { ++volume_; });
    }
  }

  int64_t volume() const { return volume_; }
  int64_t overload() const { return parts_.overload(); }
  int64_t cut() const { return parts_.cut(); }

  /** Parts of neighbours that were counted for moves so far. */
  int64_t work() const { return near_.added(); }

  /** Returns by how much the volume fell; ends early once work() is beyond `budget`. */
  int64_t pass(int64_t budget) {
    Heap<Gain> heap(index_.data());
    ++round_;
    fill(heap);
    const int64_t start = volume_;
    int64_t best = start, best_cut = parts_.cut();
    std::vector<Step> log;  // where nodes were, since the best state
    while (!heap.empty() && static_cast<int64_t>(log.size()) < kPatience && work() <= budget) {
      const int32_t v = heap.top();
      const Move m = best_move(v, near_);
      if (m.to < 0) {
        heap.remove(v);
        continue;
      }
      if (m.gain < heap.top_key()) {
        heap.set(v, m.gain);
        continue;
      }
      heap.remove(v);
      moved_[v] = round_;
      log.push_back({v, parts_.part_of(v)});
      move(v, m.to);
      volume_ -= m.gain.volume;
      look_again(v, log.back().to, m.to, heap);
      if (volume_ < best || (volume_ == best && parts_.cut() < best_cut)) {
        best = volume_;
        best_cut = parts_.cut();
        log.clear();
      }
    }
    heap.clear();
    for (; !log.empty(); log.pop_back()) move(log.back().node, log.back().to);
    volume_ = best;
    return start - best;
  }

 private:
  /** The best move of v to a part next to it that has room; none out of a part that would be empty. */
  Move best_move(int32_t v, Counts& near) const {
    const int32_t own = parts_.part_of(v);
    Move best;
    if (size_[own] == 1) return best;
    bool can_move = false;
    parts_.each_link(v, [&](int32_t p, int32_t) { can_move = can_move || parts_.has_room(p, v); });
    if (!can_move) return best;
    // What leaving brings; and how many neighbours are in each part or count it already.
    int64_t leave = parts_.internal(v) > 0 ? -1 : 0;
    for (const Arc* a = graph_.begin(v); a != graph_.end(v); ++a) {
      const int32_t u = a->node, of = parts_.part_of(u);
      near.add(of);
      if (of != own && parts_.link(u, own) == 1) ++leave;
      parts_.each_link(u, [&](int32_t p, int32_t) { near.add(p); });
    }
    parts_.each_link(v, [&](int32_t p, int32_t links) {
      if (!parts_.has_room(p, v)) return;
      const Gain gain{leave + 1 - (graph_.degree(v) - near[p]), int64_t{links} - parts_.internal(v)};
      if (best.to >= 0) {
        if (gain < best.gain) return;
        const int64_t more = parts_.weight[p] - parts_.weight[best.to];
        if (!(gain > best.gain) && (more > 0 || (more == 0 && p > best.to))) return;
      }
      best = {gain, p};
    });
    near.clear();
    return best;
  }

  void fill(Heap<Gain>& heap) {
    const std::vector<int32_t>& boundary = parts_.boundary();
    const auto count = static_cast<int64_t>(boundary.size());
    std::vector<Move> moves(boundary.size());
    parallel_for(count, kChunk, [&](int64_t begin, int64_t end) {
      Counts near(parts_.k);
      for (int64_t i = begin; i < end; ++i) moves[i] = best_move(boundary[i], near);
    });
    for (int64_t i = 0; i < count; ++i)
      if (moves[i].to >= 0) heap.set(boundary[i], moves[i].gain);
  }

  void move(int32_t v, int32_t to) {
    --size_[parts_.part_of(v)];
    ++size_[to];
    parts_.move(v, to);
  }

  /** Raise the keys that the move of v between two parts may have raised, to upper bounds: those of its neighbours, and
   *  of nodes in or next to a part that a neighbour of theirs has just lost or found. */
  void look_again(int32_t v, int32_t from, int32_t to, Heap<Gain>& heap) {
    for (const Arc* a = graph_.begin(v); a != graph_.end(v); ++a) {
      const int32_t u = a->node, of = parts_.part_of(u);
      const bool is_last = of != from && parts_.link(u, from) == 1, is_first = of != to && parts_.link(u, to) == 1;
      if (of != to) {
        // Beside v none may be left in `from`, and v may count it for u alone; where `to` is new to u, anything goes.
        if (is_first) renew(u, heap);
        else raise(u, of == from ? Gain{2, 2} : Gain{0, 1}, heap);
      }
      if (!is_last && !is_first) continue;
      for (const Arc* b = graph_.begin(u); b != graph_.end(u); ++b) {
        const int32_t w = b->node, lies = parts_.part_of(w);
        // The one node of `from` left next to u now gains by leaving; u counts `to` now, whoever else goes there.
        if ((is_last && lies == from) || (is_first && lies != to && parts_.link(w, to) > 0)) raise(w, {1, 0}, heap);
      }
    }
  }

  void raise(int32_t v, Gain by, Heap<Gain>& heap) {
    if (!heap.has(v)) return renew(v, heap);
    const Gain key = heap.key(v);
    heap.set(v, {key.volume + by.volume, key.cut + by.cut});
  }
  void renew(int32_t v, Heap<Gain>& heap) {
    if (moved_[v] == round_) return;
    const Move m = best_move(v, near_);
    if (m.to >= 0) heap.set(v, m.gain);
    else if (heap.has(v)) heap.remove(v);
  }

  const Graph& graph_;
  Parts parts_;
  Counts near_;
  std::vector<int64_t> size_;  // nodes of each part
  Array<int32_t> index_;       // of the heap
  Array<uint32_t> moved_;      // pass in which the node was last moved
  uint32_t round_ = 0;
  int64_t volume_ = 0;
};

}  // namespace

VolumeQuality refine_volume(Graph& graph, int32_t k, const int64_t* most, const Effort& effort, int32_t* part) {
  // Links then count neighbours.
  for (Arc& a : graph.arcs) a.weight = 1;
  const std::vector<int64_t> limits = limits_of(graph, k, most);
  VolumeRefinement refinement(graph, k, limits.data(), part);
  const auto budget = static_cast<int64_t>(effort.budget * kBudget * static_cast<double>(graph.arcs.size()));
  for (int since = 0; since < effort.patience && refinement.work() <= budget; ++since) {
    const auto before = static_cast<double>(refinement.volume());
    const int64_t cut = refinement.cut(), fell = refinement.pass(budget);
    // A pass that lowers the cut alone leads to other moves.
    if (fell == 0 && refinement.cut() == cut) break;
    const bool is_small = refinement.work() <= kSmallWork;
    if (is_small || static_cast<double>(fell) >= before * effort.least_gain * kShare) since = -1;
  }
  return {refinement.overload(), refinement.volume()};
}

}  // namespace gust::partition
