// The parts under improvement. Every node knows the weight of its edges inside its part and, in a list with room for
// min(degree, k) entries, into each other part next to it; so gains are read off without a look at the neighbours,
// in O(n + arcs) memory whatever k is. A move updates the lists of the neighbours.
#include "partition.h"

namespace gust::partition {

Parts::Parts(const Graph& g, int32_t k_, const int64_t* limits_, int32_t* part)
    : graph(g), k(k_), limits(limits_), weight(k_, 0), nodes_(g.n), part_(part) {
  int64_t room = 0;
  for (int32_t v = 0; v < g.n; ++v) {
    nodes_[v].begin = room;
    nodes_[v].part = part[v];
    room += std::min<int64_t>(g.degree(v), k);
    weight[part[v]] += g.node_weight[v];
  }
  links_ = Array<Link>(room);
  parallel_for(g.n, kGrain, [&](int64_t begin, int64_t end) {
    std::vector<int32_t> position(k, -1);  // of a part in the list of the node at hand
    for (int64_t v = begin; v < end; ++v) {
      Node& x = nodes_[v];
      Link* list = links_.data() + x.begin;
      x.internal = 0;
      x.count = 0;
      for (const Arc* a = g.begin(static_cast<int32_t>(v)); a != g.end(static_cast<int32_t>(v)); ++a) {
        int32_t p = part[a->node];
        if (p == x.part) {
          x.internal += a->weight;
        } else if (position[p] >= 0) {
          list[position[p]].weight += a->weight;
        } else {
          position[p] = x.count;
          list[x.count++] = {p, a->weight};
        }
      }
      for (int32_t i = 0; i < x.count; ++i) position[list[i].part] = -1;
    }
  });
  for (int32_t v = 0; v < g.n; ++v)
    if (nodes_[v].count) {
      enter_boundary(v);
      for (const Link* l = links_begin(v); l != links_end(v); ++l) cut_ += l->weight;
    }
  cut_ /= 2;
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

void Parts::move(int32_t v, int32_t to) {
  Node& x = nodes_[v];
  const int32_t from = x.part, w = graph.node_weight[v];
  weight[from] -= w;
  weight[to] += w;
  Link* list = links_.data() + x.begin;
  const bool was = x.count > 0;
  int32_t i = 0;
  while (i < x.count && list[i].part != to) ++i;
  const int32_t inside = i < x.count ? list[i].weight : 0;
  cut_ += x.internal - inside;
  if (i < x.count) list[i] = list[--x.count];
  if (x.internal > 0) list[x.count++] = {from, x.internal};
  x.internal = inside;
  x.part = part_[v] = to;
  if (was != (x.count > 0)) was ? leave_boundary(v) : enter_boundary(v);
  for (const Arc* a = graph.begin(v); a != graph.end(v); ++a) {
    Node& y = nodes_[a->node];
    Link* links = links_.data() + y.begin;
    const int32_t before = y.count;
    if (y.part == from) {
      y.internal -= a->weight;
    } else {
      Link* l = links;
      while (l->part != from) ++l;
      if ((l->weight -= a->weight) == 0) *l = links[--y.count];
    }
    if (y.part == to) {
      y.internal += a->weight;
    } else {
      Link *l = links, *end = links + y.count;
      while (l != end && l->part != to) ++l;
      if (l != end) {
        l->weight += a->weight;
      } else {
        *l = {to, a->weight};
        ++y.count;
      }
    }
    if (!before != !y.count) before ? leave_boundary(a->node) : enter_boundary(a->node);
  }
}

int64_t Parts::overload() const {
  int64_t sum = 0;
  for (int32_t p = 0; p < k; ++p) sum += std::max<int64_t>(0, weight[p] - limits[p]);
  return sum;
}

}  // namespace gust::partition
