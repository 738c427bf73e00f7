// Subgraphs around seeds: each seed with the nodes within some hops of it, `fanout` drawn in-neighbours of each, or
// with the nodes of its largest personalised PageRank (sample_pagerank.h); and all arcs between these nodes.
//
// Apart, every seed has a subgraph of its own, and a batch is the disjoint union of them: a node may come several
// times. Together, the nodes of all seeds have one subgraph. Either way the seeds are the first nodes, and what
// follows (the others of the first seed, of the second, ...) is in the order of original ids.
//
// Hops draw for the nodes that the hop before found, keyed by the ids of the seed and of the node: what is around a
// seed depends neither on the other seeds of its batch nor on how nodes are numbered.
// Source: Zeng et al. 2021 (arXiv:2201.07858), section 3 and appendix (k-hop and PPR extractors), apart; Gasteiger et
// al. 2022 (arXiv:2212.09083), section 3 (node-wise influence), together.
// Cost: O(arcs of the rows that subgraphs have). Parallel over batches.
#include "../include/gust.h"
#include "sample_induced.h"
#include "sample_pagerank.h"
#include "sample_pick.h"

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr int64_t kSeeds = 16;     // per task of the scores

/** What all batches have in common. */
struct Around {
  const int64_t* fanout;
  int64_t hops;
  double teleport, epsilon;
  int64_t topk;
  bool apart;
};

template <class I, class Positions>
class AroundSampler {
 public:
  AroundSampler(const GraphView<I>& graph, const Around& around, bool keeps_edges, Batch& batch, Positions& positions)
      : graph_(graph), around_(around), batch_(batch), positions_(positions), induced_(graph, keeps_edges),
        pagerank_(around.hops > 0 ? 1 : around.teleport, around.hops > 0 ? 1 : around.epsilon) {}

  void sample(int64_t seed, int64_t epoch, int64_t step, const int64_t* seeds, int64_t count) {
    others_.clear();
    others_ptr_.assign(1, 0);
    for (int64_t i = 0; i < count; ++i) {
      graph_.check_node(seeds[i]);
      if (around_.hops > 0) hops_around(seed, epoch, step, seeds[i]);
      else pagerank_around(seeds[i]);
      others_ptr_.push_back(static_cast<int64_t>(others_.size()));
    }
    if (around_.apart) apart(seeds, count);
    else together(seeds, count);
    batch_.levels.push_back(static_cast<int64_t>(batch_.nodes.size()));
  }

 private:
  /** In the order of original ids. */
  void sort_nodes(std::vector<int64_t>& nodes, size_t begin) const {
    const auto first = nodes.begin() + static_cast<ptrdiff_t>(begin);
    if (!graph_.ids) return std::sort(first, nodes.end());
    std::sort(first, nodes.end(), [&](int64_t a, int64_t b) {
      return graph_.id(a) != graph_.id(b) ? graph_.id(a) < graph_.id(b) : a < b;
    });
  }

  void hops_around(int64_t seed, int64_t epoch, int64_t step, int64_t v) {
    const size_t begin = others_.size();
    auto&& table = positions_.table();
    table.insert(v, 0);
    int32_t next = 1;
    const uint64_t seed_id = mix64(graph_.id(v));
    const auto reach = [&](int64_t edge) {
      const int64_t u = graph_.source(edge);
      if (!table.insert(u, next).is_new) return;
      check_batch_size(++next);
      others_.push_back(u);
    };
    size_t from = begin;
    for (int64_t h = 0; h < around_.hops; ++h) {
      const Random random = hop_random("sample.around", seed, epoch, step, h);
      const size_t to = others_.size();
      if (h == 0) draw(random, seed_id, v, around_.fanout[0], reach);
      for (size_t i = from; h > 0 && i < to; ++i) {
        if (i + 1 < to) graph_.prefetch_row(others_[i + 1]);
        draw(random, seed_id, others_[i], around_.fanout[h], reach);
      }
      from = to;
    }
    positions_.forget(next);
    sort_nodes(others_, begin);
  }

  /** Visit `fanout` arcs of a row. */
  template <class Reach>
  void draw(const Random& random, uint64_t seed_id, int64_t v, int64_t fanout, Reach&& reach) {
    const auto row = graph_.row(v);
    if (fanout < 0 || row.size() <= fanout) {
      for (int64_t e = row.begin; e < row.end; ++e) reach(e);
      return;
    }
    if (fanout == 0) return;
    if (!graph_.in_id_order) {
      by_id_.clear();
      for (int64_t e = row.begin; e < row.end; ++e) by_id_.emplace_back(graph_.id(graph_.source(e)), e);
      std::sort(by_id_.begin(), by_id_.end());
    }
    pick_ranks(random, edge_id(seed_id, graph_.id(v)), row.size(), fanout, ranks_,
               [&](int64_t rank) { reach(graph_.in_id_order ? row.begin + rank : by_id_[rank].second); });
  }

  void pagerank_around(int64_t v) {
    const size_t begin = others_.size();
    pagerank_.around(graph_, v, positions_);
    for (const PageRank::Score& score : pagerank_.top(around_.topk, v)) others_.push_back(score.node);
    sort_nodes(others_, begin);
  }

  void apart(const int64_t* seeds, int64_t count) {
    const auto total = count + static_cast<int64_t>(others_.size());
    check_batch_size(total);
    batch_.nodes.assign(seeds, seeds + count);
    batch_.nodes.insert(batch_.nodes.end(), others_.begin(), others_.end());
    // The seeds' rows come first, and those of all other nodes after them.
    Block& block = batch_.blocks[0];
    block.indptr.push_back(0);
    Block rest;
    for (int64_t i = 0; i < count; ++i) {
      auto&& table = positions_.table();
      table.insert(seeds[i], static_cast<int32_t>(i));
      const int64_t begin = others_ptr_[i], end = others_ptr_[i + 1];
      induced_.add(seeds[i]);
      for (int64_t j = begin; j < end; ++j) {
        table.insert(others_[j], static_cast<int32_t>(count + j));
        induced_.add(others_[j]);
      }
      induced_.append(seeds + i, 1, table, block);
      induced_.append(others_.data() + begin, end - begin, table, rest);
      positions_.forget(total);
      induced_.remove(seeds[i]);
      for (int64_t j = begin; j < end; ++j) induced_.remove(others_[j]);
    }
    const auto own = static_cast<int64_t>(block.indices.size());
    block.indices.insert(block.indices.end(), rest.indices.begin(), rest.indices.end());
    block.edges.insert(block.edges.end(), rest.edges.begin(), rest.edges.end());
    for (int64_t end : rest.indptr) block.indptr.push_back(own + end);
  }

  void together(const int64_t* seeds, int64_t count) {
    number_nodes(graph_, seeds, count, batch_, positions_);
    sort_nodes(others_, 0);
    auto&& table = positions_.table();
    for (int64_t u : others_) {
      check_batch_size(static_cast<int64_t>(batch_.nodes.size()) + 1);
      if (table.insert(u, static_cast<int32_t>(batch_.nodes.size())).is_new) batch_.nodes.push_back(u);
    }
    Block& block = batch_.blocks[0];
    block.indptr.push_back(0);
    for (int64_t v : batch_.nodes) induced_.add(v);
    induced_.append(batch_.nodes.data(), static_cast<int64_t>(batch_.nodes.size()), table, block);
  }

  const GraphView<I>& graph_;
  const Around& around_;
  Batch& batch_;
  Positions& positions_;
  InducedRows<I> induced_;
  PageRank pagerank_;
  RankSet ranks_;
  std::vector<std::pair<uint64_t, int64_t>> by_id_;
  // What is around the seeds, of seed i others_[others_ptr_[i] .. others_ptr_[i+1]).
  std::vector<int64_t> others_, others_ptr_;
};

}  // namespace

int32_t gust_sample_around(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                           const int64_t* fanout, int64_t hops, double teleport, double epsilon, int64_t topk,
                           int32_t apart, int64_t seed, int64_t epoch, int64_t first_step, int64_t* out) {
  return guard([&] {
    const Around around{fanout, hops, teleport, epsilon, topk, apart != 0};
    if (topk < 0) fail(GUST_EINVAL, "the %lld largest scores", ll(topk));
    make_batches(sampler, seeds, seed_ptr, num_batches, 0, out,
                 [&](const auto& graph, Sampler& s, Batch& batch, auto& positions, const int64_t* nodes, int64_t count,
                     int64_t b) {
                   AroundSampler work(graph, around, s.keeps_edges, batch, positions);
                   work.sample(seed, epoch, first_step + b, nodes, count);
                 });
  });
}

int32_t gust_sample_pagerank(int64_t sampler, int64_t count, int64_t seeds, double teleport, double epsilon,
                             int64_t topk, int64_t nodes, int64_t scores, int64_t counts) {
  return guard([&] {
    auto& s = *reinterpret_cast<Sampler*>(sampler);
    const auto* all = reinterpret_cast<const int64_t*>(seeds);
    auto* to = reinterpret_cast<int64_t*>(nodes);
    auto* score = reinterpret_cast<double*>(scores);
    if (topk < 0) fail(GUST_EINVAL, "the %lld largest scores", ll(topk));
    s.dispatch([&](const auto& graph) {
      parallel_for(count, kSeeds, [&](int64_t begin, int64_t end) {
        PageRank pagerank(teleport, epsilon);
        s.pool->with(Batch{}, [&](auto& positions) {
          for (int64_t i = begin; i < end; ++i) {
            pagerank.around(graph, all[i], positions);
            int64_t at = i * topk;
            for (const PageRank::Score& found : pagerank.top(topk, -1)) {
              to[at] = found.node;
              score[at++] = static_cast<double>(found.mass) * PageRank::kUnit;
            }
            reinterpret_cast<int64_t*>(counts)[i] = at - i * topk;
          }
        });
      });
    });
  });
}
