// Neighbour sampling: for each hop, `fanout` in-neighbours of every node reached so far, uniform without replacement.
//
// Hop h draws for all nodes within h hops (not only for those that hop h - 1 found), as layer L - 1 - h of the model
// needs a neighbourhood of each of them. Nodes get their positions in the order in which they are found: seeds, then
// rows in order, then each row's neighbours by original id.
//
// Source: Hamilton et al. 2017 (arXiv:1706.02216), algorithm 2. Draws: Floyd's sampling algorithm (Bentley and Floyd,
// CACM 30(9), 1987) on unbiased bounded integers (Lemire 2019, arXiv:1805.10941).
// Cost: O(edges sampled) time where rows are in id order; else rows longer than the fanout are sorted by original id.
// Rows are taken in tiles with the memory of the next step asked for ahead, since every access is a cache miss.
// Parallel over batches; a batch is a function of its seeds, (seed, epoch, step) and the graph.
#include "../include/gust.h"
#include "sample.h"

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr int64_t kTileRows = 32;
constexpr uint32_t kMaxDraws = 1u << 18;  // what the key packing has room for
constexpr int64_t kScan = 48;             // picks that are searched one by one; more go through a bit set

/** The random integers of one node. */
class Draws {
 public:
  Draws(const Random& random, uint64_t id) : random_(random), id_(id) {}

  /** Uniform in [0, bound), without bias. */
  uint64_t below(uint64_t bound) {
    if (bound > UINT32_MAX) {  // a multiply-shift of 64 bits: bias below bound / 2^64
      const uint64_t high = next();
      return static_cast<uint64_t>((static_cast<unsigned __int128>(high << 32 | next()) * bound) >> 64);
    }
    uint64_t product = static_cast<uint64_t>(next()) * bound;
    if (static_cast<uint32_t>(product) < bound) {
      const uint32_t reject = static_cast<uint32_t>(-static_cast<uint32_t>(bound)) % static_cast<uint32_t>(bound);
      while (static_cast<uint32_t>(product) < reject) product = static_cast<uint64_t>(next()) * bound;
    }
    return product >> 32;
  }

 private:
  uint32_t next() {
    if (used_ == kMaxDraws) fail(GUST_EINVAL, "fanout too large: the draws of one node are used up");
    if (used_ % 4 == 0) block_ = random_.block(id_, used_ / 4);
    return block_.x[used_++ % 4];
  }
  const Random& random_;
  uint64_t id_;
  uint32_t used_ = 0;
  Philox4 block_{};
};

/** Chooses `count` of 0 .. size-1 and appends them, ascending. */
class Chooser {
 public:
  void choose(Draws& draws, int64_t size, int64_t count, std::vector<int64_t>& chosen) {
    const size_t first = chosen.size();
    const bool marks = count > kScan;
    if (marks && static_cast<int64_t>(marked_.size()) < size) marked_.resize(static_cast<size_t>(size));
    for (int64_t j = size - count; j < size; ++j) {
      auto t = static_cast<int64_t>(draws.below(static_cast<uint64_t>(j) + 1));
      const bool taken = marks ? marked_[t] : std::find(chosen.begin() + first, chosen.end(), t) != chosen.end();
      if (taken) t = j;
      if (marks) marked_[t] = true;
      chosen.push_back(t);
    }
    if (marks)
      for (size_t i = first; i < chosen.size(); ++i) marked_[chosen[i]] = false;
    std::sort(chosen.begin() + first, chosen.end());
  }

 private:
  std::vector<bool> marked_;
};

template <class I>
class BatchSampler {
 public:
  BatchSampler(const GraphView<I>& graph, bool keeps_edges, Batch& batch, NodeMap& map)
      : graph_(graph), keeps_edges_(keeps_edges), batch_(batch), map_(map) {}

  void hop(const Random& random, int64_t fanout) {
    const auto rows = static_cast<int64_t>(batch_.nodes.size());
    Block& block = batch_.blocks.emplace_back();
    block.indptr.reserve(static_cast<size_t>(rows + 1));
    block.indptr.push_back(0);
    if (fanout >= 0) block.indices.reserve(static_cast<size_t>(rows * fanout));
    for (int64_t begin = 0; begin < rows; begin += kTileRows) {
      const int64_t end = std::min(rows, begin + kTileRows);
      pick(random, fanout, begin, end);
      number(block);
    }
    batch_.levels.push_back(static_cast<int64_t>(batch_.nodes.size()));
  }

 private:
  /** Arcs of the tile's rows into edges_, their counts into counts_. */
  void pick(const Random& random, int64_t fanout, int64_t begin, int64_t end) {
    edges_.clear();
    counts_.clear();
    for (int64_t r = begin; r < end; ++r) __builtin_prefetch(graph_.indptr + batch_.nodes[r]);
    for (int64_t r = begin; r < end; ++r) {
      const int64_t v = batch_.nodes[r];
      const auto row = graph_.row(v);
      const size_t first = edges_.size();
      if (fanout < 0 || row.size() <= fanout) {
        for (int64_t e = row.begin; e < row.end; ++e) edges_.push_back(e);
        if (!graph_.in_id_order) by_id(first);
      } else if (fanout > 0) {
        Draws draws(random, graph_.id(v));
        chooser_.choose(draws, row.size(), fanout, edges_);
        if (graph_.in_id_order) {
          for (size_t i = first; i < edges_.size(); ++i) edges_[i] += row.begin;
        } else {
          ranked(row, first);
        }
      }
      for (size_t i = first; i < edges_.size(); ++i) __builtin_prefetch(graph_.indices + edges_[i]);
      counts_.push_back(static_cast<int64_t>(edges_.size() - first));
    }
  }

  /** Put edges_[first ..] in the order of their sources' original ids. */
  void by_id(size_t first) {
    keyed_.clear();
    for (size_t i = first; i < edges_.size(); ++i) keyed_.emplace_back(graph_.id(graph_.source(edges_[i])), edges_[i]);
    std::sort(keyed_.begin(), keyed_.end());
    for (size_t i = first; i < edges_.size(); ++i) edges_[i] = keyed_[i - first].second;
  }

  /** edges_[first ..] are ranks by original id in the row: make them arcs. */
  void ranked(typename GraphView<I>::Row row, size_t first) {
    keyed_.clear();
    for (int64_t e = row.begin; e < row.end; ++e) keyed_.emplace_back(graph_.id(graph_.source(e)), e);
    std::sort(keyed_.begin(), keyed_.end());
    for (size_t i = first; i < edges_.size(); ++i) edges_[i] = keyed_[static_cast<size_t>(edges_[i])].second;
  }

  /** The tile's arcs as rows of the block; sources that are new to the batch get the next positions. */
  void number(Block& block) {
    sources_.clear();
    for (int64_t e : edges_) {
      sources_.push_back(graph_.source(e));
      map_.prefetch(sources_.back());
    }
    check_batch_size(static_cast<int64_t>(batch_.nodes.size() + sources_.size()));
    size_t at = 0;
    for (int64_t count : counts_) {
      row_.clear();
      bool ascending = true;
      for (const size_t end = at + static_cast<size_t>(count); at < end; ++at) {
        const auto next = static_cast<int32_t>(batch_.nodes.size());
        const int32_t position = map_.insert(sources_[at], next);
        if (position == next) batch_.nodes.push_back(sources_[at]);
        ascending = ascending && (row_.empty() || row_.back().first <= position);
        row_.emplace_back(position, edges_[at]);
      }
      if (!ascending) std::sort(row_.begin(), row_.end());
      for (const auto& [position, edge] : row_) {
        block.indices.push_back(position);
        if (keeps_edges_) block.edges.push_back(edge);
      }
      block.indptr.push_back(static_cast<int64_t>(block.indices.size()));
    }
  }

  const GraphView<I>& graph_;
  bool keeps_edges_;
  Batch& batch_;
  NodeMap& map_;
  Chooser chooser_;
  std::vector<int64_t> edges_, counts_, sources_;
  std::vector<std::pair<uint64_t, int64_t>> keyed_;
  std::vector<std::pair<int32_t, int64_t>> row_;
};

}  // namespace

int32_t gust_sample_neighbors(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                              const int64_t* fanout, int64_t hops, int64_t seed, int64_t epoch, int64_t first_step,
                              int64_t* out) {
  return guard([&] {
    auto& s = *reinterpret_cast<Sampler*>(sampler);
    const auto* nodes = reinterpret_cast<const int64_t*>(seeds);
    auto batches = std::make_unique<Batches>();
    batches->hops = hops;
    batches->list.resize(static_cast<size_t>(num_batches));
    s.dispatch([&](const auto& graph) {
      parallel_tasks(num_batches, [&](int64_t b) {
        Batch& batch = batches->list[b];
        s.maps.with(batch, [&](NodeMap& map) {
          const int64_t count = seed_ptr[b + 1] - seed_ptr[b];
          check_batch_size(count);
          number_nodes(graph, nodes + seed_ptr[b], count, batch, map);
          batch.levels.push_back(count);
          BatchSampler work(graph, s.keeps_edges, batch, map);
          for (int64_t h = 0; h < hops; ++h)
            work.hop(Random(static_cast<uint64_t>(seed), stream_id("sample"), static_cast<uint32_t>(epoch),
                            static_cast<uint32_t>(first_step + b), static_cast<uint32_t>(h)),
                     fanout[h]);
        });
      });
    });
    out[0] = reinterpret_cast<int64_t>(batches.release());
  });
}
