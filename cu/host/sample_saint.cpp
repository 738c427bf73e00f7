// Subgraphs of random walks, as GraphSAINT draws them, and the weights that make sums over them unbiased.
//
// A batch is the distinct nodes that m = `draws` independent walks of h = `length` steps visit. A root is a uniform node;
// or, for h = 0, node u with a probability in proportion to |column u of (D + I)^-1 (A + I)|^2, or to its arcs (one at
// least); a step goes along a uniform in-arc, and a walk ends where there is none.
// Source: Zeng et al. 2020 (arXiv:1907.04931), algorithm 2, and by arcs the authors' code; equations 2 and 3 are the weights:
//   node_weight(v) = 1 / P(v), arc_weight(v <- u) = P(v) / P(u and v), P of being in a batch.
// With pi the probability that one walk visits, walks being independent:
//   P(v) = 1 - (1 - pi_v)^m, P(u and v) = P(u) + P(v) - 1 + (1 - pi_u - pi_v + pi_uv)^m.
//   h = 0: pi is that of the root, pi_uv = 0. h = 1, n nodes of in-degree d: a row v picks one of its arcs, so
//   pi_v = (1 + sum over arcs w <- v of 1 / d_w) / n, pi_uv = (1 / d_v + 1 / d_u) / n for each arc between them.
// Longer walks: C_v and C_uv of N subgraphs that were drawn for it have v, and the arc. P(v) is (C_v + 1) / (N + 1) and
// P(u and v) (C_uv + 1) / (N + 1): for C of a binomial distribution E[(N + 1) / (C + 1)] = (1 - (1 - P)^(N + 1)) / P, the
// wanted 1 / P but for a term that vanishes (Chapman 1951), and no division by 0.
//
// Draws are integers keyed by (seed, stream, epoch, step, walk) that choose among nodes and arcs in the order of original
// ids; probabilities of roots are integers too, sums of 2^k / (d + 1)^2 or numbers of arcs. Cost of a batch: O(m) roots, a
// guide table saying where to look for them (Chen and Asau, 1974), O(m h) steps (of O(d) where rows are not in the order of
// ids), O(m h log(m h)) to find the distinct nodes, O(arcs kept) for their weights. Parallel over batches.
#include <immintrin.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "../include/gust.h"
#include "../common/isa.h"
#include "sample.h"

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr int64_t kGrain = int64_t{1} << 14;
constexpr int64_t kAhead = 16;  // walks whose rows are asked for ahead

/** What roots are drawn by. */
enum class Roots : int32_t { kUniform, kColumns, kDegrees };

struct Walks {
  int32_t dtype;
  GraphView<int32_t> view32;
  GraphView<int64_t> view64;
  Roots roots;
  int64_t draws, length;
  std::vector<int64_t> order;   // nodes by original id; empty: they are numbered so
  std::vector<uint64_t> cover;  // per node: pi of one walk times `total`, for length 0 and 1
  std::vector<uint64_t> ends;   // unless uniform: running sums of `cover` by original id
  std::vector<int64_t> guide;   // guide[x >> guide_shift] = first place whose sum may be above x
  int guide_shift = 0;
  uint64_t total = 0;
  int64_t num_counted = 0;
  std::vector<uint32_t> node_counts, arc_counts;

  template <class F>
  void dispatch(F&& f) const {
    if (dtype == GUST_I32) f(view32);
    else f(view64);
  }
  int64_t num_nodes() const { return view32.num_nodes; }
  /** The first place whose running sum is above x. */
  int64_t place(uint64_t x) const {
    int64_t at = guide[static_cast<size_t>(x >> guide_shift)];
    while (ends[static_cast<size_t>(at)] <= x) ++at;
    return at;
  }
  int64_t most_nodes() const { return std::min(draws * (length + 1), num_nodes()); }
};

Walks& walks_at(int64_t handle) { return *reinterpret_cast<Walks*>(handle); }

/** 2^k / d^power, 0 for d = 0. */
uint64_t share(int k, uint64_t d, int power) {
  if (d == 0 || d > uint64_t{1} << 31) return 0;
  return (uint64_t{1} << k) / (power == 2 ? d * d : d);
}

/** Per node what one walk's visit to it weighs. Sums of integers are the same in any order. */
template <class I>
void cover_nodes(Walks& walks, const GraphView<I>& graph) {
  const int64_t n = graph.num_nodes;
  const bool by_columns = walks.roots == Roots::kColumns, by_degrees = walks.roots == Roots::kDegrees;
  // All rows together stay below 2^63: none gives away more than 2^k, and an element at least 1.
  const int k = 61 - std::bit_width(static_cast<uint64_t>(n));
  auto& cover = walks.cover;
  cover.resize(static_cast<size_t>(n));
  parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) {
      const auto d = static_cast<uint64_t>(graph.row(v).size());
      cover[v] = by_columns   ? std::max<uint64_t>(1, share(k, d + 1, 2))
                 : by_degrees ? std::max<uint64_t>(1, d)
                              : uint64_t{1} << k;
    }
  });
  if (by_columns || walks.length == 1) {
    parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t v = begin; v < end; ++v) {
        const auto row = graph.row(v);
        const auto d = static_cast<uint64_t>(row.size());
        const uint64_t part = by_columns ? share(k, d + 1, 2) : share(k, d, 1);
        for (int64_t e = row.begin; e < row.end; ++e) {
          const int64_t u = graph.source(e);
          if (by_columns || u != v) __atomic_fetch_add(&cover[u], part, __ATOMIC_RELAXED);
        }
      }
    });
  }
  if (walks.roots == Roots::kUniform) {
    walks.total = static_cast<uint64_t>(n) << k;
    return;
  }
  walks.ends.resize(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    walks.ends[i] = walks.total += cover[walks.order.empty() ? i : walks.order[i]];
  // About as many entries as places: whatever the probabilities, a draw then looks at two of them on average.
  walks.guide_shift = std::max(0, static_cast<int>(std::bit_width(walks.total)) - static_cast<int>(std::bit_width(static_cast<uint64_t>(n))));
  for (int64_t at = 0; at < n; ++at)
    while (walks.guide.size() <= walks.ends[at] >> walks.guide_shift) walks.guide.push_back(at);
}

/** Arc number k of row v in the order of original ids. */
template <class I>
int64_t neighbour(const GraphView<I>& graph, typename GraphView<I>::Row row, int64_t k, std::vector<int64_t>& scratch) {
  if (graph.in_id_order) return graph.source(row.begin + k);
  scratch.clear();
  for (int64_t e = row.begin; e < row.end; ++e) scratch.push_back(graph.source(e));
  std::nth_element(scratch.begin(), scratch.begin() + k, scratch.end(),
                   [&](int64_t a, int64_t b) { return graph.id(a) < graph.id(b); });
  return scratch[static_cast<size_t>(k)];
}

/** The distinct nodes that a batch's walks visit, ascending. Walks take a step together, so that cache misses overlap. */
template <class I>
void walk(const Walks& walks, const GraphView<I>& graph, const Random& random, std::vector<int64_t>& visited) {
  const int64_t m = walks.draws, n = graph.num_nodes;
  visited.clear();
  if (n == 0) return;
  std::vector<int64_t> at(static_cast<size_t>(m)), scratch;
  for (int64_t i = 0; i < m; ++i) {
    const auto walk_id = static_cast<uint64_t>(i);
    int64_t place;
    if (walks.roots == Roots::kUniform) place = static_cast<int64_t>(random.below(walk_id, 0, static_cast<uint64_t>(n)));
    else place = walks.place(random.below(walk_id, 0, walks.total));
    at[i] = walks.order.empty() ? place : walks.order[place];
    visited.push_back(at[i]);
  }
  for (int64_t step = 1; step <= walks.length; ++step) {
    for (int64_t i = 0; i < m; ++i) {
      if (at[i] < 0) continue;
      if (i + kAhead < m && at[i + kAhead] >= 0) prefetch(graph.indptr + at[i + kAhead]);
      const auto row = graph.row(at[i]);
      if (row.size() == 0) {
        at[i] = -1;
        continue;
      }
      const uint64_t k = random.below(static_cast<uint64_t>(i), static_cast<uint32_t>(step),
                                      static_cast<uint64_t>(row.size()));
      at[i] = neighbour(graph, row, static_cast<int64_t>(k), scratch);
      visited.push_back(at[i]);
    }
  }
  std::sort(visited.begin(), visited.end());
  visited.erase(std::unique(visited.begin(), visited.end()), visited.end());
}

/** One induced subgraph: nodes[0 .. count) and its arcs, ascending in each row. */
template <class Node>
struct Subgraph {
  int64_t count;
  const Node* nodes;
  const int64_t* indptr;
  const int32_t* indices;
};

/** Probabilities by the closed form, of walks of at most one step, for the nodes of a subgraph. */
struct Visits {
  double m;                   // walks of a batch
  std::vector<double> one;    // that one walk visits: pi
  std::vector<double> odds;   // pi / (1 - pi)
  std::vector<double> batch;  // that one of the m does: P

  template <class Node>
  Visits(const Walks& walks, const Subgraph<Node>& sub) : m(static_cast<double>(walks.draws)) {
    const auto total = static_cast<double>(walks.total);
    for (auto* list : {&one, &odds, &batch}) list->resize(static_cast<size_t>(sub.count));
    for (int64_t i = 0; i < sub.count; ++i) {
      one[i] = std::min(1.0, static_cast<double>(walks.cover[sub.nodes[i]]) / total);
      odds[i] = one[i] / (1 - one[i]);
      batch[i] = -std::expm1(m * std::log1p(-one[i]));
    }
  }

  /** P(v) / P(u and v), where one walk visits both with probability `joint`, without cancellation. */
  double weight(int64_t v, int64_t u, double joint) const {
    const double product = batch[v] * batch[u], missing = (1 - one[v]) * (1 - one[u]);
    if (missing <= 0) return batch[v] / product;
    const double apart = std::exp(m * std::log1p(-one[v])) * std::exp(m * std::log1p(-one[u]));
    return batch[v] / (product + apart * std::expm1(m * std::log1p((joint - one[v] * one[u]) / missing)));
  }
};

struct Loops {
  int64_t (*weigh_row)(const Visits& visits, int64_t v, int64_t count, const int32_t* columns, const double* joint,
                       float* weight);
};

#define GUST_LOOPS "sample_saint_loops.h"
#include "isa_loops.h"

/** That one walk of one step visits both ends of an arc, for all arcs of one row after another. */
template <class I, class Node>
class JointVisits {
 public:
  JointVisits(const GraphView<I>& graph, const Subgraph<Node>& sub)
      : sub_(sub), pick_(static_cast<size_t>(sub.count)), seen_(sub.indptr, sub.indptr + sub.count) {
    for (int64_t i = 0; i < sub.count; ++i) {
      const auto d = static_cast<double>(graph.row(sub.nodes[i]).size());
      pick_[i] = d > 0 ? 1 / (d * static_cast<double>(graph.num_nodes)) : 0;
    }
  }

  /** Of row i, into joint[0 ..]; rows are asked for in order. */
  void row(int64_t i, double* joint) {
    const int32_t* columns = sub_.indices;
    const int64_t begin = sub_.indptr[i], end = sub_.indptr[i + 1];
    for (int64_t e = begin; e < end;) {
      const int32_t j = columns[e];
      int64_t next = e, back = 0;
      while (next < end && columns[next] == j) ++next;
      // Row j's arcs from i: rows ascend, so they are behind those that earlier rows looked for.
      int64_t& at = seen_[j];
      const int64_t stop = sub_.indptr[j + 1];
      while (at < stop && columns[at] < i) ++at;
      while (at + back < stop && columns[at + back] == i) ++back;
      const double both = static_cast<double>(next - e) * pick_[i] + static_cast<double>(back) * pick_[j];
      for (; e < next; ++e) joint[e - begin] = both;
    }
  }

 private:
  const Subgraph<Node>& sub_;
  std::vector<double> pick_;   // that a walk begins at a node and takes one arc of its row
  std::vector<int64_t> seen_;  // per row, where its arcs from the present row are, or will be
};

template <class I, class Node>
void weigh(const Walks& walks, const GraphView<I>& graph, const Subgraph<Node>& sub, float* node_weight, float* arc_weight) {
  const Visits visits(walks, sub);
  const Loops& vectors = loops();
  JointVisits<I, Node> joint_visits(graph, sub);
  std::vector<double> joint;
  for (int64_t i = 0; i < sub.count; ++i) {
    node_weight[i] = static_cast<float>(1 / visits.batch[i]);
    const int64_t begin = sub.indptr[i], count = sub.indptr[i + 1] - begin;
    if (count > static_cast<int64_t>(joint.size())) joint.resize(static_cast<size_t>(2 * count));
    if (walks.length == 1) joint_visits.row(i, joint.data());
    const int32_t* columns = sub.indices + begin;
    float* weight = arc_weight + begin;
    int64_t beyond = vectors.weigh_row(visits, i, count, columns, joint.data(), weight);
    for (int64_t e = 0; beyond > 0; ++e) {
      if (weight[e] >= 0) continue;
      weight[e] = static_cast<float>(visits.weight(i, columns[e], joint[e]));
      --beyond;
    }
    const auto [first, last] = std::equal_range(columns, columns + count, static_cast<int32_t>(i));
    std::fill(weight + (first - columns), weight + (last - columns), 1.0f);  // a loop: v itself
  }
}

template <class Node>
void weigh_by_counts(const Walks& walks, const Subgraph<Node>& sub, const int64_t* edges, float* node_weight,
                     float* arc_weight) {
  const auto all = static_cast<double>(walks.num_counted) + 1;
  const auto num_edges = static_cast<int64_t>(walks.arc_counts.size());
  for (int64_t i = 0; i < sub.count; ++i) {
    const double own = static_cast<double>(walks.node_counts[sub.nodes[i]]) + 1;
    node_weight[i] = static_cast<float>(all / own);
    for (int64_t e = sub.indptr[i]; e < sub.indptr[i + 1]; ++e) {
      if (edges[e] < 0 || edges[e] >= num_edges) fail(GUST_EINVAL, "arc %lld of %lld", ll(edges[e]), ll(num_edges));
      arc_weight[e] = static_cast<float>(own / (static_cast<double>(walks.arc_counts[edges[e]]) + 1));
    }
  }
}

/** Add 1 to the counter of each item. */
void count_items(int64_t count, const int64_t* items, std::vector<uint32_t>& counts) {
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (items[i] < 0 || items[i] >= static_cast<int64_t>(counts.size()))
        fail(GUST_EINVAL, "item %lld of %lld", ll(items[i]), ll(static_cast<int64_t>(counts.size())));
      __atomic_fetch_add(&counts[items[i]], 1u, __ATOMIC_RELAXED);
    }
  });
}

}  // namespace

int32_t gust_walks_create(int64_t num_nodes, int64_t indptr, int64_t num_edges, int64_t indices, int32_t dtype,
                          int64_t ids, int32_t by_position, int32_t roots, int64_t draws, int64_t length,
                          int64_t* out) {
  return guard([&] {
    if (num_nodes < 0 || num_edges < 0) fail(GUST_EINVAL, "a graph of %lld nodes, %lld edges", ll(num_nodes), ll(num_edges));
    // A step is a pair of a walk's draws, of which there are 2^17.
    if (draws < 1 || length < 0 || length >= 1 << 17 || draws > INT32_MAX / (length + 1))
      fail(GUST_EINVAL, "%lld walks of %lld steps, expected at least 1 and at most %d nodes to visit", ll(draws), ll(length),
           INT32_MAX);
    if (roots < 0 || roots > static_cast<int32_t>(Roots::kDegrees)) fail(GUST_EINVAL, "roots of kind %d", roots);
    if (roots != 0 && length > 0) fail(GUST_EINVAL, "roots that are not uniform, of walks of %lld steps, expected 0", ll(length));
    dispatch_index(dtype, [](auto) {});
    const auto* ptr = reinterpret_cast<const int64_t*>(indptr);
    const auto* id = reinterpret_cast<const int64_t*>(ids);
    const bool rise = !id || ids_rise(num_nodes, id), in_id_order = by_position != 0 || rise;
    auto walks = std::make_unique<Walks>(
        Walks{dtype,
              {num_nodes, num_edges, ptr, reinterpret_cast<const int32_t*>(indices), id, in_id_order},
              {num_nodes, num_edges, ptr, reinterpret_cast<const int64_t*>(indices), id, in_id_order},
              static_cast<Roots>(roots),
              draws,
              length,
              {}, {}, {}, {}, 0, 0, 0, {}, {}});
    if (!rise) {
      walks->order.resize(static_cast<size_t>(num_nodes));
      std::iota(walks->order.begin(), walks->order.end(), int64_t{0});
      std::sort(walks->order.begin(), walks->order.end(), [&](int64_t a, int64_t b) { return id[a] < id[b]; });
    }
    if (length <= 1) {
      walks->dispatch([&](const auto& graph) { cover_nodes(*walks, graph); });
    } else {
      walks->node_counts.resize(static_cast<size_t>(num_nodes));
      walks->arc_counts.resize(static_cast<size_t>(num_edges));
    }
    out[0] = reinterpret_cast<int64_t>(walks.release());
  });
}

int32_t gust_walks_destroy(int64_t walks) {
  return guard([&] { delete reinterpret_cast<Walks*>(walks); });
}

int32_t gust_walks_draw(int64_t walks, int64_t num_batches, int64_t seed, int64_t stream, int64_t epoch,
                        int64_t first_step, int64_t nodes, int64_t* node_ptr) {
  return guard([&] {
    const Walks& w = walks_at(walks);
    const int64_t room = w.most_nodes();
    auto* all = reinterpret_cast<int64_t*>(nodes);
    node_ptr[0] = 0;
    w.dispatch([&](const auto& graph) {
      parallel_tasks(num_batches, [&](int64_t b) {
        const Random random(static_cast<uint64_t>(seed), static_cast<uint32_t>(stream), static_cast<uint32_t>(epoch),
                            static_cast<uint32_t>(first_step + b), 0);
        std::vector<int64_t> visited;
        walk(w, graph, random, visited);
        std::copy(visited.begin(), visited.end(), all + b * room);
        node_ptr[b + 1] = static_cast<int64_t>(visited.size());
      });
    });
    for (int64_t b = 0; b < num_batches; ++b) {
      std::copy(all + b * room, all + b * room + node_ptr[b + 1], all + node_ptr[b]);
      node_ptr[b + 1] += node_ptr[b];
    }
  });
}

int32_t gust_walks_count(int64_t walks, int64_t num_batches, int64_t num_nodes, int64_t nodes, int64_t num_arcs,
                         int64_t edges) {
  return guard([&] {
    Walks& w = walks_at(walks);
    if (w.length <= 1) fail(GUST_EINVAL, "counts of walks of %lld steps, whose probabilities are known", ll(w.length));
    count_items(num_nodes, reinterpret_cast<const int64_t*>(nodes), w.node_counts);
    count_items(num_arcs, reinterpret_cast<const int64_t*>(edges), w.arc_counts);
    w.num_counted += num_batches;
  });
}

int32_t gust_walks_weights(int64_t walks, int64_t num_batches, const int64_t* node_ptr, int64_t nodes, int32_t dtype,
                           const int64_t* edge_ptr, int64_t indptr, int64_t indices, int64_t edges,
                           int64_t node_weight, int64_t arc_weight) {
  return guard([&] {
    const Walks& w = walks_at(walks);
    if (w.length > 1 && !edges) fail(GUST_EINVAL, "weights by counts without arc numbers");
    dispatch_index(dtype, [&](auto tag) {
      using Node = decltype(tag);
      w.dispatch([&](const auto& graph) {
        parallel_tasks(num_batches, [&](int64_t b) {
          const int64_t first = node_ptr[b], arc = edge_ptr[b];
          const Subgraph<Node> sub{node_ptr[b + 1] - first, reinterpret_cast<const Node*>(nodes) + first,
                                   reinterpret_cast<const int64_t*>(indptr) + first + b,
                                   reinterpret_cast<const int32_t*>(indices) + arc};
          for (int64_t i = 0; i < sub.count; ++i) graph.check_node(sub.nodes[i]);
          auto* of_nodes = reinterpret_cast<float*>(node_weight) + first;
          auto* of_arcs = reinterpret_cast<float*>(arc_weight) + arc;
          if (w.length <= 1) weigh(w, graph, sub, of_nodes, of_arcs);
          else weigh_by_counts(w, sub, reinterpret_cast<const int64_t*>(edges) + arc, of_nodes, of_arcs);
        });
      });
    });
  });
}
