// Gorder: a greedy order in which nodes that are read together come close together.
//
// The score of a node is the number of edges and shared neighbours it has with the last `window` nodes. It goes up by
// one for every such meeting when a node enters the window and down when that node leaves it, so that the nodes lie in
// lists by score, with the best found at the top ("unit heap"). The first of equals is the one that got its score last,
// at the start the one of largest degree.
// Source: Wei et al. 2016, SIGMOD, algorithm 2; hubs are left out as in the authors' program.
#include "order.h"

namespace gust::order {
namespace {

/** Nodes in doubly linked lists by score. */
class UnitHeap {
 public:
  explicit UnitHeap(int32_t n) : next_(n), prev_(n), score_(n, 0), head_(1, -1) {}

  void push(int32_t v) { link(v); }
  void up(int32_t v) {
    if (score_[v] < 0) return;
    unlink(v);
    ++score_[v];
    link(v);
  }
  void down(int32_t v) {
    if (score_[v] < 0) return;
    unlink(v);
    --score_[v];
    link(v);
  }
  /** Take the best out, for good. */
  int32_t pop() {
    while (head_[top_] < 0) --top_;
    const int32_t v = head_[top_];
    unlink(v);
    score_[v] = -1;
    return v;
  }

 private:
  void link(int32_t v) {
    const int32_t s = score_[v];
    if (s >= static_cast<int32_t>(head_.size())) head_.resize(static_cast<size_t>(s) + 1, -1);
    prev_[v] = -1;
    next_[v] = head_[s];
    if (head_[s] >= 0) prev_[head_[s]] = v;
    head_[s] = v;
    top_ = std::max(top_, s);
  }
  void unlink(int32_t v) {
    if (prev_[v] >= 0) next_[prev_[v]] = next_[v];
    else head_[score_[v]] = next_[v];
    if (next_[v] >= 0) prev_[next_[v]] = prev_[v];
  }

  Array<int32_t> next_, prev_, score_;  // score -1: taken out
  std::vector<int32_t> head_;           // by score
  int32_t top_ = 0;                     // no score is larger
};

}  // namespace

void gorder(const Graph& graph, int32_t window, int64_t most, int32_t* order) {
  const int32_t n = graph.n;
  UnitHeap heap(n);
  by_degree(graph, order);
  for (int32_t i = n - 1; i >= 0; --i) heap.push(order[i]);
  const auto meet = [&](int32_t v, auto&& change) {
    for (const Arc *a = graph.begin(v), *e = graph.end(v); a != e; ++a) {
      change(a->node);
      if (graph.degree(a->node) > most) continue;
      for (const Arc *b = graph.begin(a->node), *f = graph.end(a->node); b != f; ++b)
        if (b->node != v) change(b->node);
    }
  };
  for (int32_t i = 0; i < n; ++i) {
    order[i] = heap.pop();
    meet(order[i], [&](int32_t u) { heap.up(u); });
    if (i >= window) meet(order[i - window], [&](int32_t u) { heap.down(u); });
  }
}

}  // namespace gust::order
