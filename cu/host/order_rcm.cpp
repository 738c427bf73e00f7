// Reverse Cuthill-McKee: breadth first, neighbours by rising degree, the whole turned round. Entries of the matrix come
// close to its diagonal.
//
// Each component starts from a pseudo-peripheral node, as George and Liu find it: from the node of smallest degree,
// the node of smallest degree among the farthest ones, for as long as the farthest get farther.
// Source: Cuthill and McKee 1969; George and Liu 1979, ACM TOMS 5(3).
#include "order.h"

namespace gust::order {
namespace {

/** Looks that one component gets at most: each but the last makes the distance grow, on paths of stars by very little. */
constexpr int kMostLooks = 8;

class Cuthill {
 public:
  Cuthill(const Graph& graph, int32_t* order) : graph_(graph), order_(order), mark_(graph.n, 0) {}

  void run() {
    Array<int32_t> rising(graph_.n);
    by_degree(graph_, rising.data());
    for (int32_t i = graph_.n - 1; i >= 0; --i)
      if (mark_[rising[i]] != kPlaced) place(peripheral(rising[i]));
    std::reverse(order_, order_ + graph_.n);
  }

 private:
  static constexpr uint32_t kPlaced = UINT32_MAX;

  /** Levels of a breadth-first search from `start`, and its node of smallest degree in the last one. */
  struct Look {
    int32_t levels, last;
  };

  Look look(int32_t start) {
    ++round_;
    // The end of `order_` is free: the component of `start` is not placed yet.
    int32_t* queue = order_ + placed_;
    int32_t head = 0, tail = 0, levels = 0, level_begin = 0;
    mark_[start] = round_;
    queue[tail++] = start;
    while (head < tail) {
      level_begin = head;
      ++levels;
      for (const int32_t end = tail; head < end; ++head)
        for (const Arc *a = graph_.begin(queue[head]), *e = graph_.end(queue[head]); a != e; ++a)
          if (mark_[a->node] != round_) {
            mark_[a->node] = round_;
            queue[tail++] = a->node;
          }
    }
    const int32_t* best = std::min_element(queue + level_begin, queue + tail, [&](int32_t x, int32_t y) {
      return rank(x) < rank(y);
    });
    return {levels, *best};
  }

  int32_t peripheral(int32_t start) {
    if (graph_.degree(start) == 0) return start;
    Look now = look(start);
    for (int i = 1; i < kMostLooks; ++i) {
      const Look next = look(now.last);
      if (next.levels <= now.levels) return now.last;
      start = now.last;
      now = next;
    }
    return start;
  }

  void place(int32_t start) {
    int32_t head = placed_, tail = placed_;
    mark_[start] = kPlaced;
    order_[tail++] = start;
    for (; head < tail; ++head) {
      const int32_t first = tail;
      for (const Arc *a = graph_.begin(order_[head]), *e = graph_.end(order_[head]); a != e; ++a)
        if (mark_[a->node] != kPlaced) {
          mark_[a->node] = kPlaced;
          order_[tail++] = a->node;
        }
      std::sort(order_ + first, order_ + tail, [&](int32_t x, int32_t y) { return rank(x) < rank(y); });
    }
    placed_ = tail;
  }

  std::pair<int64_t, int32_t> rank(int32_t v) const { return {graph_.degree(v), v}; }

  const Graph& graph_;
  int32_t* order_;
  Array<uint32_t> mark_;  // round that last saw the node
  uint32_t round_ = 0;
  int32_t placed_ = 0;
};

}  // namespace

void rcm(const Graph& graph, int32_t* order) { Cuthill(graph, order).run(); }

}  // namespace gust::order
