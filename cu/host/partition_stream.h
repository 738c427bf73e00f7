// What the streaming partitioners share: the order of nodes, parts sorted by size, and what a part is worth to a node.
#pragma once

#include <cmath>
#include <numeric>

#include "order.h"
#include "partition.h"

namespace gust::partition {

enum StreamOrder { kNatural = 0, kDrawn = 1, kBreadthFirst = 2 };

/** Nodes in the order in which they come; node(e) is the end of arc e. */
template <class Node>
Array<int32_t> stream_order(int64_t n, const int64_t* indptr, const int64_t* ids, int32_t kind, const Random& random,
                            Node&& node) {
  if (kind < kNatural || kind > kBreadthFirst) fail(GUST_EINVAL, "order %d of a stream, expected 0 to 2", kind);
  Array<int32_t> order(n);
  if (kind == kBreadthFirst) {
    const auto each = [&](int32_t v, auto&& reach) {
      for (int64_t e = indptr[v]; e < indptr[v + 1]; ++e) reach(static_cast<int32_t>(node(e)));
    };
    order::breadth_first(static_cast<int32_t>(n), each, order.data());
    return order;
  }
  std::iota(order.begin(), order.end(), 0);
  if (kind == kNatural) return order;
  Array<uint64_t> key(n);
  for (int64_t v = 0; v < n; ++v) key[v] = random.u64(ids ? ids[v] : v, 1);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    if (key[a] != key[b]) return key[a] < key[b];
    return ids ? ids[a] < ids[b] : a < b;
  });
  return order;
}

/** The sum of `count` weights. Throws GUST_EDATA naming the position of one that is negative or not finite. */
template <class Weight>
double total_weight(int64_t count, Weight&& weight) {
  double total = 0;
  for (int64_t e = 0; e < count; ++e) {
    const double w = weight(e);
    if (!(w >= 0 && std::isfinite(w)))
      fail(GUST_EDATA, "tensor \"edge_weight\" holds %g at position %lld, expected finite weights of at least 0", w,
           static_cast<long long>(e));
    total += w;
  }
  return total;
}

/** Parts sorted by size; a size changes by one in O(1). */
class Sizes {
 public:
  Sizes(int32_t k, int64_t limit) : start_(limit + 2, k), parts_(k), at_(k), size_(k, 0) {
    std::iota(parts_.begin(), parts_.end(), 0);
    std::iota(at_.begin(), at_.end(), 0);
    start_[0] = 0;
  }
  int64_t operator[](int32_t p) const { return size_[p]; }
  /** One of the smallest parts, by `draw`. */
  int32_t smallest(uint64_t draw) const {
    const int64_t size = size_[parts_[0]];
    return parts_[draw % static_cast<uint64_t>(start_[size + 1])];
  }
  /** Parts without nodes. */
  int64_t empty() const { return size_[parts_[0]] == 0 ? start_[1] : 0; }
  void add(int32_t p) {
    // p trades places with the last part of its size, which then belongs to the next size.
    swap(p, parts_[--start_[++size_[p]]]);
  }
  void remove(int32_t p) { swap(p, parts_[start_[size_[p]--]++]); }

 private:
  void swap(int32_t p, int32_t q) {
    std::swap(parts_[at_[p]], parts_[at_[q]]);
    std::swap(at_[p], at_[q]);
  }

  Array<int64_t> start_;  // start_[s] = first place of a part of size s or more
  Array<int32_t> parts_, at_;
  Array<int64_t> size_;
};

/** What a part is worth to a node: linear deterministic greedy, or Fennel. */
struct Method {
  bool fennel;
  double alpha, gamma;
  int64_t limit;

  double score(double links, int64_t size) const {
    const auto s = static_cast<double>(size);
    if (!fennel) return links * (1 - s / static_cast<double>(limit));
    // sqrt is exact everywhere, pow is not.
    return links - alpha * gamma * (gamma == 1.5 ? std::sqrt(s) : std::pow(s, gamma - 1));
  }
  /** Fennel's alpha for edges of this total weight. */
  static double alpha_of(double total, int64_t n, int64_t k, double gamma) {
    const double nd = static_cast<double>(std::max<int64_t>(n, 1)), kd = static_cast<double>(k);
    return gamma == 1.5 ? std::sqrt(kd) * total / (nd * std::sqrt(nd))
                        : total * std::pow(kd, gamma - 1) / std::pow(nd, gamma);
  }
};

/** Of the parts with links and the smallest part, the one that is worth most to a node. */
class Choice {
 public:
  explicit Choice(int32_t k) : links_(k, 0) {}
  void link(int32_t p, double weight) {
    if (!(weight > 0)) return;
    if (links_[p] == 0) near_.push_back(p);
    links_[p] += weight;
  }
  /** The best part with fewer than `limit` nodes; forgets the links. `left` nodes have no part yet, this one among them. */
  int32_t take(const Sizes& sizes, const Method& method, int64_t left, uint64_t draw) {
    const auto is_ahead = [&](int32_t p, int32_t q) {
      if (sizes[p] != sizes[q]) return sizes[p] < sizes[q];
      return mix64(draw ^ static_cast<uint64_t>(p)) < mix64(draw ^ static_cast<uint64_t>(q));
    };
    int32_t best = sizes.smallest(draw);
    double top = method.score(links_[best], sizes[best]);
    // The last nodes belong to the parts that have none yet.
    const int64_t most = sizes.empty() < left ? method.limit : 1;
    for (const int32_t p : near_) {
      if (p == best || sizes[p] >= most) continue;
      const double score = method.score(links_[p], sizes[p]);
      if (score > top || (score == top && is_ahead(p, best))) {
        best = p;
        top = score;
      }
    }
    for (const int32_t p : near_) links_[p] = 0;
    near_.clear();
    return best;
  }

 private:
  Array<double> links_;
  std::vector<int32_t> near_;
};

}  // namespace gust::partition
