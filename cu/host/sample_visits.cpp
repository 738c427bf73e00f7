// Importance neighbours: for each hop and every node v reached so far the nodes that random walks from v visit most.
//
// `walks` walks of up to `length` steps to in-neighbours; before each step but the first a walk ends with probability
// `stop`, and it ends at a node without in-neighbours. A step goes to a uniform in-neighbour x of the node, or with
// return_p and inout_q other than 1 in proportion to 1 / return_p where x is the node that the walk came from, 1 where
// x is an in-neighbour of that, and 1 / inout_q elsewhere: x is drawn uniformly and accepted with its share of the
// largest. v itself does not count. Of the n(u) visits to those nodes u that are kept (the `fanout` largest n, ties by
// original id), an arc v <- u has the weight w n(u) / sum of n, w the sum of the weights of v's arcs without
// self-loops.
//
// Expectation: with walks of one step and all nodes kept n(u) / walks is unbiased for the share of u among the arcs of
// v, so that row sums are those of the graph where arcs have one weight, up to the visits to v itself; with more it is the visits' share of its
// own.
// Source: Ying et al. 2018 (arXiv:1806.01973), section 3.1; Grover and Leskovec 2016 (arXiv:1607.00653), section 3.2.
// Cost: O(walks length) steps a row, of O(d) where rows are not in the order of ids; a biased step is tried max / mean
// of its weights times, and searches a row each time. Parallel over batches.
//
// Draws are integers keyed by the id of the row and the walk. Walks of a row take a step together, so that their cache
// misses overlap.
#include <numeric>

#include "../include/gust.h"
#include "../common/draws.h"
#include "sample_weighted.h"

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr double kCertain = 0x1p31;  // of probabilities

/** `walks` walks from each node. */
struct Walks {
  int64_t walks, length;
  uint64_t stop;               // probabilities as integers of 2^-31
  uint64_t back, near, far;    // to be accepted, the largest of them certain
  bool is_biased() const { return back != near || near != far; }

  Walks(int64_t walks_, int64_t length_, double stop_, double return_p, double inout_q)
      : walks(walks_), length(length_), stop(static_cast<uint64_t>(stop_ * kCertain)) {
    if (walks < 1 || length < 1 || walks > INT32_MAX / length || !(stop_ >= 0 && stop_ < 1))
      fail(GUST_EINVAL, "%lld walks of %lld steps that end with probability %g", ll(walks), ll(length), stop_);
    if (!(return_p >= 1e-3 && return_p <= 1e3) || !(inout_q >= 1e-3 && inout_q <= 1e3))
      fail(GUST_EINVAL, "walks with p = %g, q = %g, expected 0.001 to 1000", return_p, inout_q);
    const double most = std::max({1 / return_p, 1.0, 1 / inout_q});
    back = static_cast<uint64_t>(kCertain / (return_p * most));
    near = static_cast<uint64_t>(kCertain / most);
    far = static_cast<uint64_t>(kCertain / (inout_q * most));
  }
};

template <class I>
class Walker {
 public:
  Walker(const GraphView<I>& graph, const Walks& walks, bool rows_ascend)
      : graph_(graph), walks_(walks), rows_ascend_(rows_ascend) {}

  /** The nodes that walks from v visit besides v, once for each visit, in any order. */
  const std::vector<int64_t>& visits(const Random& random, int64_t v) {
    visited_.clear();
    const uint64_t own = mix64(graph_.id(v));
    walkers_.clear();
    for (int64_t w = 0; w < walks_.walks; ++w)
      walkers_.push_back({Draws(random, edge_id(own, static_cast<uint64_t>(w))), v, -1});
    alive_.resize(walkers_.size());
    std::iota(alive_.begin(), alive_.end(), 0);
    for (int64_t step = 0; step < walks_.length && !alive_.empty(); ++step) {
      size_t left = 0;
      for (int32_t w : alive_) {
        State& walker = walkers_[static_cast<size_t>(w)];
        if (step > 0 && walks_.stop > 0 && walker.draws.below(kWhole) < walks_.stop) continue;
        const auto row = graph_.row(walker.at);
        if (row.size() == 0) continue;
        const int64_t to = next(walker, row);
        prefetch(graph_.indptr + to);
        walker.from = walker.at;
        walker.at = to;
        if (to != v) visited_.push_back(to);
        if (walker.draws.used_up()) fail(GUST_EINVAL, "%s", kDrawsUsedUp);
        alive_[left++] = w;
      }
      alive_.resize(left);
      if (step + 1 < walks_.length)
        for (int32_t w : alive_) graph_.prefetch_row(walkers_[static_cast<size_t>(w)].at);
    }
    return visited_;
  }

 private:
  using Row = typename GraphView<I>::Row;
  static constexpr uint64_t kWhole = uint64_t{1} << 31;
  struct State {
    Draws draws;
    int64_t at, from;
  };

  /** Arc number k of a row in the order of original ids. */
  int64_t arc(Row row, int64_t k) {
    if (graph_.in_id_order) return row.begin + k;
    by_id_.clear();
    for (int64_t e = row.begin; e < row.end; ++e) by_id_.emplace_back(graph_.id(graph_.source(e)), e);
    std::nth_element(by_id_.begin(), by_id_.begin() + k, by_id_.end());
    return by_id_[static_cast<size_t>(k)].second;
  }

  bool has_arc(int64_t v, int64_t u) const {
    const auto row = graph_.row(v);
    const I* begin = graph_.indices + row.begin;
    const I* end = graph_.indices + row.end;
    const I wanted = static_cast<I>(u);
    return rows_ascend_ ? std::binary_search(begin, end, wanted) : std::find(begin, end, wanted) != end;
  }

  int64_t next(State& walker, Row row) {
    const auto degree = static_cast<uint64_t>(row.size());
    for (;;) {
      const int64_t to = graph_.source(arc(row, static_cast<int64_t>(walker.draws.below(degree))));
      if (walker.from < 0 || !walks_.is_biased() || walker.draws.used_up()) return to;
      const uint64_t share = to == walker.from ? walks_.back : has_arc(walker.from, to) ? walks_.near : walks_.far;
      if (walker.draws.below(kWhole) < share) return to;
    }
  }

  const GraphView<I>& graph_;
  const Walks& walks_;
  bool rows_ascend_;
  std::vector<State> walkers_;
  std::vector<int32_t> alive_;
  std::vector<int64_t> visited_;
  std::vector<std::pair<uint64_t, int64_t>> by_id_;
};

struct Visited {
  int64_t count;
  uint64_t id;
  int64_t node;
  /** More visits first, then by original id. */
  bool operator<(const Visited& other) const {
    return count != other.count ? count > other.count : id != other.id ? id < other.id : node < other.node;
  }
};

/** Sum of the weights of a row's arcs, but for self-loops. */
template <class I>
double total_weight(const GraphView<I>& graph, const ArcValues& values, bool rows_ascend, int64_t v) {
  const auto row = graph.row(v);
  if (!values.values && rows_ascend) {
    const I* begin = graph.indices + row.begin;
    const auto [first, last] = std::equal_range(begin, begin + row.size(), static_cast<I>(v));
    return static_cast<double>(row.size() - (last - first));
  }
  double sum = 0;
  for (int64_t e = row.begin; e < row.end; ++e)
    if (graph.source(e) != v) sum += values.at(e);
  return sum;
}

}  // namespace

int32_t gust_sample_visits(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                           const int64_t* fanout, int64_t hops, int64_t weights, int32_t weights_dtype, int64_t walks,
                           int64_t length, double stop, double return_p, double inout_q, int64_t seed, int64_t epoch,
                           int64_t first_step, int64_t* out) {
  return guard([&] {
    const ArcValues values(weights, weights_dtype);
    const Walks all(walks, length, stop, return_p, inout_q);
    sample_batches(
        sampler, seeds, seed_ptr, num_batches, hops, first_step, out,
        [&](const auto& graph, Sampler& s, Batch& batch, auto& writer, int64_t rows, int64_t step, int64_t hop) {
          const Random random = hop_random("sample.visits", seed, epoch, step, hop);
          const bool rows_ascend = !s.by_position;
          Walker walker(graph, all, rows_ascend);
          std::vector<int64_t> nodes;
          std::vector<Visited> found;
          std::vector<Drawn> kept;
          for (int64_t r = 0; r < rows; ++r) {
            const int64_t v = batch.nodes[r];
            nodes = walker.visits(random, v);
            std::sort(nodes.begin(), nodes.end());
            found.clear();
            for (size_t i = 0; i < nodes.size();) {
              size_t same = i;
              while (same < nodes.size() && nodes[same] == nodes[i]) ++same;
              found.push_back({static_cast<int64_t>(same - i), graph.id(nodes[i]), nodes[i]});
              i = same;
            }
            if (fanout[hop] >= 0 && static_cast<int64_t>(found.size()) > fanout[hop]) {
              std::nth_element(found.begin(), found.begin() + fanout[hop], found.end());
              found.resize(static_cast<size_t>(fanout[hop]));
            }
            std::sort(found.begin(), found.end(), [](const Visited& a, const Visited& b) {
              return a.id != b.id ? a.id < b.id : a.node < b.node;
            });
            kept.clear();
            for (const Visited& u : found) kept.push_back({u.node, static_cast<float>(u.count)});
            scale_to(kept, total_weight(graph, values, rows_ascend, v));
            writer.row_of_nodes(kept);
          }
        });
  });
}
