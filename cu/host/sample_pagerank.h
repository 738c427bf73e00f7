// Approximate personalised PageRank by forward push.
//
// ppr_s(u) is the probability that a walk from s, which ends in each step with probability `teleport` and at a node
// without in-neighbours, and else goes to a uniform in-neighbour, ends at u. Push keeps an estimate p and a residual r
// of every node that it meets, with ppr_s(u) = p(u) + sum over w of r(w) ppr_w(u), and begins with r(s) = 1: it moves
// the share `teleport` of r(w) to p(w) and the rest to the in-neighbours, for every w with r(w) >= epsilon max(1,
// d_w), until there is none.
// So p <= ppr, and on an undirected graph, where d_w ppr_w(u) = d_u ppr_u(w), ppr - p < epsilon d_u.
//
// Mass is integers of 2^-62, so that sums do not depend on their order: all nodes of a round are pushed as they were
// when it began, and the result is the same however nodes are numbered. What a division leaves over stays with its
// node.
//
// Source: Andersen, Chung and Lang 2006 (FOCS), section 3; without lazy steps, as in Bojchevski et al. 2020
// (arXiv:2007.01570), section 4. Cost: at most 1 / (teleport epsilon) arcs.
#pragma once

#include <cmath>
#include <utility>

#include "sample.h"

namespace gust::sampling {

class PageRank {
 public:
  struct Score {
    int64_t node;
    uint64_t mass;
    uint64_t id;
    /** Larger ones first, equal ones by original id. */
    bool operator<(const Score& other) const {
      return mass != other.mass ? mass > other.mass : id != other.id ? id < other.id : node < other.node;
    }
  };
  static constexpr double kUnit = 0x1p-62;

  PageRank(double teleport, double epsilon) {
    if (!(teleport > 0 && teleport <= 1) || !(epsilon >= 1e-12 && epsilon <= 1))
      fail(GUST_EINVAL, "teleport %g, epsilon %g: expected a probability above 0, and 1e-12 to 1", teleport, epsilon);
    teleport_ = static_cast<uint64_t>(teleport * 0x1p32);
    threshold_ = static_cast<uint64_t>(std::ceil(epsilon / kUnit));
  }

  /** The nodes with an estimate above 0, in any order; `positions` is empty before and after it. */
  template <class I, class Positions>
  const std::vector<Score>& around(const GraphView<I>& graph, int64_t seed, Positions& positions) {
    nodes_.clear();
    graph.check_node(seed);
    auto&& table = positions.table();
    table.insert(seed, 0);
    meet(graph, seed);
    nodes_[0].residual = uint64_t{1} << 62;
    frontier_.assign(nodes_[0].residual >= nodes_[0].threshold, 0);
    while (!frontier_.empty()) {
      taken_.clear();
      for (int32_t at : frontier_) taken_.push_back(std::exchange(nodes_[at].residual, 0));
      next_.clear();
      for (size_t i = 0; i < frontier_.size(); ++i) {
        if (i + 1 < frontier_.size()) graph.prefetch_row(nodes_[frontier_[i + 1]].node);
        push(graph, table, frontier_[i], taken_[i]);
      }
      frontier_.swap(next_);
    }
    positions.forget(static_cast<int64_t>(nodes_.size()));
    scores_.clear();
    for (const Node& node : nodes_)
      if (node.estimate > 0) scores_.push_back({node.node, node.estimate, graph.id(node.node)});
    return scores_;
  }

  /** The `count` largest of the scores except that of `seed` (-1: none is left out), in order. */
  const std::vector<Score>& top(int64_t count, int64_t seed) {
    std::erase_if(scores_, [&](const Score& score) { return score.node == seed; });
    if (static_cast<int64_t>(scores_.size()) > count) {
      std::nth_element(scores_.begin(), scores_.begin() + count, scores_.end());
      scores_.resize(static_cast<size_t>(count));
    }
    std::sort(scores_.begin(), scores_.end());
    return scores_;
  }

 private:
  struct Node {
    int64_t node;
    uint64_t estimate, residual, threshold;
  };

  template <class I>
  void meet(const GraphView<I>& graph, int64_t v) {
    check_batch_size(static_cast<int64_t>(nodes_.size()) + 1);
    const auto degree = static_cast<uint64_t>(std::max<int64_t>(1, graph.row(v).size()));
    const unsigned __int128 threshold = static_cast<unsigned __int128>(threshold_) * degree;
    nodes_.push_back({v, 0, 0, threshold >> 63 ? uint64_t{1} << 63 : static_cast<uint64_t>(threshold)});
  }

  template <class I, class Table>
  void push(const GraphView<I>& graph, Table& table, int32_t at, uint64_t mass) {
    const auto row = graph.row(nodes_[at].node);
    const auto degree = static_cast<uint64_t>(row.size());
    const auto ends = static_cast<uint64_t>(static_cast<unsigned __int128>(mass) * teleport_ >> 32);
    const uint64_t each = degree == 0 ? 0 : (mass - ends) / degree;
    nodes_[at].estimate += mass - each * degree;
    if (each == 0) return;
    for (int64_t e = row.begin; e < row.end; ++e) {
      if (e + kAhead < row.end) table.prefetch(graph.source(e + kAhead));
      const int64_t u = graph.source(e);
      const auto [position, is_new] = table.insert(u, static_cast<int32_t>(nodes_.size()));
      if (is_new) meet(graph, u);
      Node& node = nodes_[position];
      const uint64_t before = node.residual;
      node.residual += each;
      if (before < node.threshold && node.residual >= node.threshold) next_.push_back(position);
    }
  }

  static constexpr int64_t kAhead = 16;  // arcs whose look-up is asked for ahead

  uint64_t teleport_, threshold_;
  std::vector<Node> nodes_;
  std::vector<int32_t> frontier_, next_;
  std::vector<uint64_t> taken_;
  std::vector<Score> scores_;
};

}  // namespace gust::sampling
