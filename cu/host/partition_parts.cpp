// The parts under improvement. Every node knows the weight of its edges inside its part and into each other
// part next to it, so that gains are read off without a look at the neighbours. Nodes of degree k and more
// have a row of k weights, the others a list of (part, weight) pairs with room for their degree: O(n + arcs)
// memory whatever k is. A move updates its neighbours.
#include "partition.h"

namespace gust::partition {
namespace {

constexpr int64_t kPartsGrain = 4096;
// Moves that touch more than this part of the arcs are cheaper done by looking at all arcs, in order and in parallel,
// than one after the other, where every arc leads to some far place.
constexpr int64_t kAnew = 8;

}  // namespace

Parts::Parts(const Graph& g, int32_t k_, const int64_t* limits_, int32_t* part)
    : graph(g), k(k_), limits(limits_), weight(k_, 0), other(int64_t{k_} * g.more, 0), nodes_(g.n), part_(part) {
  int64_t room = 0;
  for (int32_t v = 0; v < g.n; ++v) {
    Node& x = nodes_[v];
    const int64_t degree = g.degree(v);
    x.is_dense = degree >= k;
    x.begin = room;
    x.part = part[v];
    room += x.is_dense ? (k + int64_t{1}) & ~int64_t{1} : 2 * degree;
    weight[x.part] += g.node_weight[v];
    for (int32_t i = 0; i < g.more; ++i) other[k * int64_t{i} + x.part] += g.other_weight[g.more * int64_t{v} + i];
  }
  links_ = Array<int32_t>(room);
  connect_all();
}

void Parts::connect_all() {
  const Graph& g = graph;
  cut_ = parallel_sum<int64_t>(g.n, kPartsGrain, [&](int64_t begin, int64_t end) {
    int64_t outside = 0;
    for (int64_t v = begin; v < end; ++v) {
      Node& x = nodes_[v];
      x.part = part_[v];
      x.internal = 0;
      x.count = 0;
      if (x.is_dense) std::fill_n(links_.data() + x.begin, k, 0);
      const Arc *first = g.arcs.data() + g.indptr[v], *last = g.arcs.data() + g.indptr[v + 1];
      for (const Arc* a = first; a != last; ++a) {
        const int32_t p = part_[a->node];
        if (p == x.part) {
          x.internal += a->weight;
        } else {
          connect(x, p, a->weight);
          outside += a->weight;
        }
      }
    }
    return outside;
  }) / 2;
  boundary_.clear();
  for (int32_t v = 0; v < g.n; ++v)
    if (nodes_[v].count > 0) enter_boundary(v);
}

void Parts::move_all(const Step* steps, int64_t count) {
  int64_t arcs = 0;
  for (int64_t i = 0; i < count; ++i) arcs += graph.degree(steps[i].node);
  if (arcs < graph.arcs.size() / kAnew) {
    for (int64_t i = 0; i < count; ++i) move(steps[i].node, steps[i].to);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    const auto [v, to] = steps[i];
    weigh_move(v, part_[v], to);
    part_[v] = to;
  }
  connect_all();
}

Link Parts::best_link(int32_t v) const {
  const Node& x = nodes_[v];
  const int32_t* row = links_.data() + x.begin;
  if (x.is_dense) {
    int32_t most = 0;
    for (int32_t p = 0; p < k; ++p) most = std::max(most, row[p]);
    return {static_cast<int32_t>(std::find(row, row + k, most) - row), most};
  }
  Link best{-1, -1};
  each_link(v, [&](int32_t p, int32_t w) {
    if (w > best.weight || (w == best.weight && p < best.part)) best = {p, w};
  });
  return best;
}

void Parts::enter_boundary(int32_t v) {
  nodes_[v].at = static_cast<int32_t>(boundary_.size());
  boundary_.push_back(v);
}

void Parts::leave_boundary(int32_t v) {
  const int32_t last = boundary_.back();
  boundary_[nodes_[v].at] = last;
  nodes_[last].at = nodes_[v].at;
  boundary_.pop_back();
}

void Parts::leave(int32_t v, int32_t to) {
  Node& x = nodes_[v];
  const int32_t from = x.part;
  weigh_move(v, from, to);
  int32_t inside = 0;
  each_link(v, [&](int32_t p, int32_t weight) {
    if (p == to) inside = weight;
  });
  const bool was_boundary = x.count > 0;
  if (inside > 0) disconnect(x, to, inside);
  if (x.internal > 0) connect(x, from, x.internal);
  cut_ += x.internal - inside;
  x.internal = inside;
  x.part = part_[v] = to;
  if (was_boundary != (x.count > 0)) was_boundary ? leave_boundary(v) : enter_boundary(v);
}

int64_t Parts::overload() const {
  int64_t sum = 0;
  for (int32_t p = 0; p < k; ++p) sum += std::max<int64_t>(0, weight[p] - limits[p]);
  for (int64_t i = 0; i < int64_t{k} * graph.more; ++i) sum += std::max<int64_t>(0, other[i] - limits[k + i]);
  return sum;
}

void Parts::weigh_move(int32_t v, int32_t from, int32_t to) {
  weight[from] -= graph.node_weight[v];
  weight[to] += graph.node_weight[v];
  for (int32_t i = 0; i < graph.more; ++i) {
    const int32_t w = graph.other_weight[graph.more * int64_t{v} + i];
    other[k * int64_t{i} + from] -= w;
    other[k * int64_t{i} + to] += w;
  }
}

int32_t Parts::relief(int32_t v) const {
  const int32_t p = part_of(v);
  double most = static_cast<double>(weight[p]) / static_cast<double>(std::max<int64_t>(1, limits[p]));
  int32_t relief = weight[p] > limits[p] ? graph.node_weight[v] : 0;
  for (int32_t i = 0; i < graph.more; ++i) {
    const int64_t have = other[k * int64_t{i} + p], limit = limits[k * (1 + int64_t{i}) + p];
    const double share = static_cast<double>(have) / static_cast<double>(std::max<int64_t>(1, limit));
    if (have <= limit || share <= most) continue;
    most = share;
    relief = graph.other_weight[graph.more * int64_t{v} + i];
  }
  return relief;
}

}  // namespace gust::partition
