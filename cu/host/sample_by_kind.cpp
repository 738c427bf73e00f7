// Neighbour sampling by kinds of arcs and by time: for each hop, `fanout` in-neighbours of each kind of every node
// reached so far, uniform without replacement, or the latest of them, among the arcs of before the time of the seed.
//
// Hop h draws for all nodes within h hops, as neighbour sampling does (sample_neighbors.cpp). Every arc that is taken,
// in any hop, has a time below that of the seed it was reached from. A node of a batch is a node together with a time,
// so that what one seed may not see does not reach it by way of another one: seeds with the same time share what they
// reach.
// Arc weights are d / k of the d arcs that could be drawn and the k that were, of each kind by itself.
//
// Expectation: with uniform draws row sums with arc weights are those over all arcs of before that time. The latest
// ones are no estimate of that.
// Source: Rossi et al. 2020 (arXiv:2006.10637), section 3.1 (latest and uniform neighbours, strictly before the
// event); Schlichtkrull et al. 2018 (arXiv:1703.06103), section 2 (relations by themselves).
// Cost: O(arcs of the rows reached); O(log d + arcs drawn) where rows ascend by time and arcs have one kind. Parallel
// over batches. Draws are keyed by the ids of the row's node, the kind and the time.
#include <bit>
#include <unordered_map>

#include "../include/gust.h"
#include "sample_pick.h"
#include "sample_weighted.h"

using namespace gust;
using namespace gust::sampling;

namespace {

/** Times of arcs and seeds; T is int64_t or double. Without times every arc is before the seed. */
template <class T>
struct Times {
  const T* of_arcs;
  const T* of_seeds;
  bool operator()(int64_t edge, T before) const { return !of_arcs || of_arcs[edge] < before; }
};

/** What all batches have in common. */
struct Kinds {
  const int64_t* fanout;  // [count, hops]
  int64_t hops, count;
  const int32_t* of_arcs;
  bool recent, rows_by_time;
};

template <class I, class T, class Positions>
class KindSampler {
 public:
  KindSampler(const GraphView<I>& graph, const Kinds& kinds, const Times<T>& times, bool keeps_edges, Batch& batch,
              Positions& positions)
      : graph_(graph), kinds_(kinds), times_(times), batch_(batch), positions_(positions),
        writer_(graph, keeps_edges, batch, positions), arcs_(static_cast<size_t>(kinds.count)) {}

  /** Seeds of group g have the time before[g]; `group` of each seed. */
  void sample(const int64_t* seeds, const std::vector<int32_t>& group, const std::vector<T>& before, int64_t seed,
              int64_t epoch, int64_t step) {
    group_ = group;
    auto&& table = positions_.table();
    for (size_t i = 0; i < group.size(); ++i) {
      graph_.check_node(seeds[i]);
      if (!table.insert(seeds[i] + space(group[i]), static_cast<int32_t>(i)).is_new)
        fail(GUST_EDATA, "node %lld is twice in one batch", ll(seeds[i]));
      batch_.nodes.push_back(seeds[i]);
    }
    batch_.levels.push_back(static_cast<int64_t>(group.size()));
    for (int64_t h = 0; h < kinds_.hops; ++h) {
      const Random random = hop_random("sample.kinds", seed, epoch, step, h);
      const auto rows = static_cast<int64_t>(batch_.nodes.size());
      writer_.begin(batch_.blocks[h], rows);
      for (int64_t r = 0; r < rows; ++r) {
        if (r + 1 < rows) graph_.prefetch_row(batch_.nodes[r + 1]);
        const int32_t own = group_[static_cast<size_t>(r)];
        draw(random, h, batch_.nodes[r], before[static_cast<size_t>(own)]);
        writer_.row(drawn_, space(own));
        group_.resize(batch_.nodes.size(), own);
      }
      writer_.end();
    }
  }

 private:
  int64_t space(int32_t group) const { return group * graph_.num_nodes; }

  void draw(const Random& random, int64_t hop, int64_t v, T before) {
    drawn_.clear();
    auto row = graph_.row(v);
    if (kinds_.count == 1 && (!times_.of_arcs || kinds_.rows_by_time)) {
      if (times_.of_arcs) {
        const T* all = times_.of_arcs;
        row.end = std::lower_bound(all + row.begin, all + row.end, before) - all;
      }
      const int64_t k = kinds_.fanout[hop], d = row.size();
      if (k >= 0 && k < d && graph_.in_id_order) {
        const auto weight = static_cast<float>(static_cast<double>(d) / static_cast<double>(k));
        if (kinds_.recent) {
          for (int64_t e = row.end - k; e < row.end; ++e) drawn_.push_back({e, weight});
        } else {
          pick_ranks(random, draw_id(v, 0, before), d, k, ranks_,
                     [&](int64_t rank) { drawn_.push_back({row.begin + rank, weight}); });
        }
        return check_times(v, before);
      }
    }
    for (auto& arcs : arcs_) arcs.clear();
    for (int64_t e = row.begin; e < row.end; ++e) {
      if (!times_(e, before)) continue;
      const int32_t kind = kinds_.of_arcs ? kinds_.of_arcs[e] : 0;
      if (kind < 0 || kind >= kinds_.count) [[unlikely]]
        fail(GUST_EDATA, "tensor \"edge_type\" holds %d at position %lld, expected numbers below %lld", kind, ll(e),
             ll(kinds_.count));
      arcs_[static_cast<size_t>(kind)].push_back(e);
    }
    for (int64_t kind = 0; kind < kinds_.count; ++kind)
      draw_from(random, arcs_[static_cast<size_t>(kind)], kinds_.fanout[kind * kinds_.hops + hop], v, kind, before);
    if (kinds_.count > 1)
      std::sort(drawn_.begin(), drawn_.end(), [](const Drawn& a, const Drawn& b) { return a.edge < b.edge; });
  }

  /** Some of the arcs of a kind. */
  void draw_from(const Random& random, std::vector<int64_t>& arcs, int64_t k, int64_t v, int64_t kind, T before) {
    const auto d = static_cast<int64_t>(arcs.size());
    if (k < 0 || k >= d) {
      for (int64_t e : arcs) drawn_.push_back({e, 1});
      return;
    }
    const auto weight = k == 0 ? 0.0f : static_cast<float>(static_cast<double>(d) / static_cast<double>(k));
    if (!graph_.in_id_order)
      std::sort(arcs.begin(), arcs.end(), [&](int64_t a, int64_t b) {
        const uint64_t x = graph_.id(graph_.source(a)), y = graph_.id(graph_.source(b));
        return x != y ? x < y : a < b;
      });
    const size_t begin = drawn_.size();
    if (kinds_.recent) {
      // Of equal times those of larger ids, which are the later ones of a row that ascends.
      order_.clear();
      for (int64_t i = 0; i < d; ++i) order_.emplace_back(times_.of_arcs ? times_.of_arcs[arcs[i]] : T{}, i);
      std::nth_element(order_.begin(), order_.begin() + (d - k), order_.end());
      for (int64_t i = d - k; i < d; ++i) drawn_.push_back({arcs[order_[i].second], weight});
    } else {
      pick_ranks(random, draw_id(v, kind, before), d, k, ranks_,
                 [&](int64_t rank) { drawn_.push_back({arcs[rank], weight}); });
    }
    std::sort(drawn_.begin() + static_cast<ptrdiff_t>(begin), drawn_.end(),
              [](const Drawn& a, const Drawn& b) { return a.edge < b.edge; });
  }

  uint64_t draw_id(int64_t v, int64_t kind, T before) const {
    const uint64_t time = times_.of_arcs ? mix64(std::bit_cast<uint64_t>(before)) : 0;
    return edge_id(mix64(graph_.id(v)), mix64(time + static_cast<uint64_t>(kind)));
  }

  /** Rows that do not ascend by time were not searched well. */
  void check_times(int64_t v, T before) const {
    for (const Drawn& arc : drawn_)
      if (!times_(arc.edge, before)) [[unlikely]]
        fail(GUST_EDATA, "tensor \"edge_time\": row %lld does not ascend at position %lld", ll(v), ll(arc.edge));
  }

  const GraphView<I>& graph_;
  const Kinds& kinds_;
  const Times<T>& times_;
  Batch& batch_;
  Positions& positions_;
  RowWriter<I, Positions> writer_;
  std::vector<int32_t> group_;              // of each node of the batch
  std::vector<std::vector<int64_t>> arcs_;  // of each kind
  std::vector<std::pair<T, int64_t>> order_;
  std::vector<Drawn> drawn_;
  RankSet ranks_;
};

}  // namespace

int32_t gust_sample_by_kind(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                            const int64_t* fanout, int64_t hops, int64_t num_types, int64_t types, int64_t times,
                            int32_t times_dtype, int64_t before, int32_t recent, int64_t seed, int64_t epoch,
                            int64_t first_step, int64_t* out) {
  return guard([&] {
    auto& s = *reinterpret_cast<Sampler*>(sampler);
    const auto* nodes = reinterpret_cast<const int64_t*>(seeds);
    if (num_types < 1 || num_types > 65536) fail(GUST_EINVAL, "%lld kinds of arcs, expected 1 to 65536", ll(num_types));
    if (recent && !times) fail(GUST_EINVAL, "the latest arcs of a graph without times");
    const Kinds kinds{fanout, hops, num_types, reinterpret_cast<const int32_t*>(types), recent != 0, s.by_position};
    auto batches = std::make_unique<Batches>(s.pool, num_batches, hops);
    const auto sample = [&](auto zero) {
      using T = decltype(zero);
      const Times<T> all{reinterpret_cast<const T*>(times), reinterpret_cast<const T*>(before)};
      s.dispatch([&](const auto& graph) {
        parallel_tasks(num_batches, [&](int64_t b) {
          Batch& batch = batches->list[b];
          const int64_t begin = seed_ptr[b], count = seed_ptr[b + 1] - begin;
          check_batch_size(count);
          std::vector<int32_t> group(static_cast<size_t>(count), 0);
          std::vector<T> groups(1);
          if (all.of_arcs) {
            groups.clear();
            std::unordered_map<uint64_t, int32_t> known;
            for (int64_t i = 0; i < count; ++i) {
              const T time = all.of_seeds[begin + i];
              const auto next = static_cast<int32_t>(groups.size());
              const auto [at, is_new] = known.try_emplace(std::bit_cast<uint64_t>(time), next);
              if (is_new) groups.push_back(time);
              group[i] = at->second;
            }
          }
          const auto grow = [&](auto& positions) {
            KindSampler work(graph, kinds, all, s.keeps_edges, batch, positions);
            work.sample(nodes + begin, group, groups, seed, epoch, first_step + b);
          };
          if (groups.size() <= 1) return s.pool->with(batch, grow);
          HashedPositions positions;
          grow(positions);
        });
      });
    };
    if (times_dtype == GUST_F64) sample(double{});
    else sample(int64_t{});
    out[0] = reinterpret_cast<int64_t>(batches.release());
  });
}
