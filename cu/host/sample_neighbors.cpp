// Neighbour sampling: for each hop, `fanout` in-neighbours of every node reached so far, uniform without replacement.
//
// Hop h draws for all nodes within h hops (not only for those that hop h - 1 found), as layer L - 1 - h of the model
// needs a neighbourhood of each of them. Nodes get their positions in the order in which they are found: seeds, then
// rows in order, then each row's neighbours by original id.
//
// Source: Hamilton et al. 2017 (arXiv:1706.02216), algorithm 2. Draws: Floyd's sampling algorithm (Bentley and Floyd,
// CACM 30(9), 1987) on unbiased bounded integers (Lemire 2019, arXiv:1805.10941).
// Cost: O(edges sampled) time where rows are in id order; else rows longer than the fanout are sorted by original id.
// Parallel over batches; a batch is a function of its seeds, (seed, epoch, step) and the graph.
//
// Every access is a cache miss, and every branch on what was drawn, or on how long a row is, a misprediction. So rows are
// taken in tiles, whose arcs are asked for while the tile before is worked on, and nothing branches on single rows:
//   a tile lists its rows by how they are drawn from, and writes the arcs of whole ones in steps, wanted or not;
//   Floyd's algorithm runs on several rows at once, one per lane of a vector, and keeps the picks of a row of at most 64
//   arcs as bits of a word; those of a longer row are compared with each other (sample_loops.h);
//   all arcs of a tile are numbered in one loop, and then the positions of each row sorted, in registers if they fit.
#include <immintrin.h>

#include <array>
#include <cstring>

#include "../include/gust.h"
#include "../common/isa.h"
#include "sample_pick.h"

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr int64_t kTileRows = 32;    // a multiple of kRowLanes
constexpr int64_t kRowLanes = 8;     // a multiple of how many are drawn from at once
static_assert(kShortRow == 64);      // arcs whose picks are bits of a word
constexpr int64_t kMostSorted = 64;  // numbers that are sorted by vectors
constexpr int64_t kStep = 16;        // arcs that are written at once, or ranked

/** kLater[kMostSorted + i] = 1 for i > 0, else 0. */
constexpr auto kLaters = [] {
  std::array<int32_t, 2 * kMostSorted + kStep> later{};
  for (size_t i = kMostSorted + 1; i < later.size(); ++i) later[i] = 1;
  return later;
}();
constexpr const int32_t* kLater = kLaters.data();

struct Loops {
  void (*pick_short)(const Random& random, const uint64_t* ids, const uint64_t* sizes, int64_t rows, int64_t count,
                     uint64_t* chosen, uint64_t* again);
  void (*pick_long)(const Random& random, const uint64_t* ids, const uint64_t* sizes, int64_t rows, int64_t count,
                    int32_t* ranks, uint64_t* again);
  void (*sort_rows)(const int64_t* counts, int64_t rows, const int32_t* keys, int32_t* sorted);
  void (*sort_rows_with)(const int64_t* counts, int64_t rows, const int32_t* keys, const int64_t* values,
                         int32_t* sorted, int64_t* sorted_values);
};

#define GUST_LOOPS "sample_loops.h"
#include "isa_loops.h"

/** Rows of a hop that are worked on together. */
template <class Row>
struct Tile {
  /** Rows of the tile that are taken alike. */
  struct List {
    int64_t count = 0;
    int32_t rows[kTileRows];

    /** Row r if `is_one`, without a branch. */
    void add(int64_t r, bool is_one) {
      rows[count] = static_cast<int32_t>(r);
      count += is_one;
    }
  };
  /** Rows that are drawn from in one of the vector loops. */
  struct Drawn : List {
    uint64_t ids[kTileRows], sizes[kTileRows], again[kTileRows];

    /** Their original ids and sizes, up to whole vectors with copies of the last row; the number of these. */
    template <class Id>
    int64_t prepare(const Row* all, Id&& id) {
      const int64_t padded = num_chunks(this->count, kRowLanes) * kRowLanes;
      for (int64_t i = 0; i < padded; ++i) {
        const int32_t r = this->rows[std::min(i, this->count - 1)];
        ids[i] = id(r);
        sizes[i] = static_cast<uint64_t>(all[r].size());
      }
      return padded;
    }
  };

  int64_t begin = 0, num_rows = 0, num_arcs = 0;
  Row rows[kTileRows];
  int64_t counts[kTileRows], starts[kTileRows];  // arcs that are taken, and their place among those of the tile
  List whole_rows, other_rows;                   // of which all arcs are taken; that are drawn from one by one
  Drawn short_rows, long_rows;
  uint64_t chosen[kTileRows];                    // of short rows
  Array<int32_t> ranks;                          // of long rows, kMostSorted places each
};

template <class I, class Positions>
class BatchSampler {
 public:
  BatchSampler(const GraphView<I>& graph, const Loops& loops, bool keeps_edges, Batch& batch, Positions& positions)
      : graph_(graph), loops_(loops), keeps_edges_(keeps_edges), batch_(batch), positions_(positions) {}

  void hop(const Random& random, int64_t fanout, Block& block) {
    const auto rows = static_cast<int64_t>(batch_.nodes.size());
    const int64_t most = fanout < 0 ? INT64_MAX : fanout;
    block.indptr.resize(static_cast<size_t>(rows + 1));
    block.indptr[0] = 0;
    Tile<Row> tiles[2], *tile = &tiles[0], *next = &tiles[1];
    ask_for_rows(0, rows);
    begin_tile(*tile, random, most, 0, rows);
    while (tile->num_rows > 0) {
      draw(*tile, random, most);
      begin_tile(*next, random, most, tile->begin + tile->num_rows, rows);
      number(block, *tile);
      std::swap(tile, next);
    }
    batch_.levels.push_back(static_cast<int64_t>(batch_.nodes.size()));
  }

 private:
  using Row = typename GraphView<I>::Row;

  /** The row pointers of a tile that is far ahead. */
  [[gnu::always_inline]] void ask_for_rows(int64_t begin, int64_t end) const {
    for (int64_t r = begin; r < std::min(end, begin + kTileRows); ++r)
      prefetch(graph_.indptr + batch_.nodes[r]);
  }

  /** Read the rows from `begin` on, draw for them, and ask for what was drawn. */
  void begin_tile(Tile<Row>& tile, const Random& random, int64_t most, int64_t begin, int64_t end) {
    ask_for_rows(begin + kTileRows, end);
    tile.begin = begin;
    tile.num_rows = std::min(end - begin, kTileRows);
    tile.num_arcs = tile.whole_rows.count = tile.other_rows.count = tile.short_rows.count = tile.long_rows.count = 0;
    for (int64_t r = 0; r < tile.num_rows; ++r) {
      const Row row = graph_.row(batch_.nodes[begin + r]);
      const int64_t size = row.size();
      const bool is_whole = size <= most, is_short = size <= kShortRow;
      const bool is_long = !is_short & (most <= kMostSorted) & (size <= INT32_MAX);
      tile.rows[r] = row;
      tile.starts[r] = tile.num_arcs;
      tile.num_arcs += tile.counts[r] = std::min(size, most);
      tile.whole_rows.add(r, is_whole);
      tile.short_rows.add(r, !is_whole & is_short);
      tile.long_rows.add(r, !is_whole & is_long);
      tile.other_rows.add(r, !is_whole & !is_short & !is_long);
    }
    const auto id = [&](int32_t r) { return graph_.id(batch_.nodes[begin + r]); };
    if (auto& list = tile.short_rows; list.count > 0) {
      const int64_t padded = list.prepare(tile.rows, id);
      loops_.pick_short(random, list.ids, list.sizes, padded, most, tile.chosen, list.again);
    }
    if (auto& list = tile.long_rows; list.count > 0) {
      const int64_t padded = list.prepare(tile.rows, id);
      tile.ranks.resize(static_cast<size_t>(padded * kMostSorted));
      loops_.pick_long(random, list.ids, list.sizes, padded, most, tile.ranks.data(), list.again);
    }
    ask_for_arcs(tile, most);
  }

  /** The memory that draw() will read. */
  [[gnu::always_inline]] void ask_for_arcs(const Tile<Row>& tile, int64_t most) const {
    for (int64_t i = 0; i < tile.whole_rows.count; ++i) {
      const Row row = tile.rows[tile.whole_rows.rows[i]];
      const int64_t end = std::min(row.end, row.begin + kShortRow);
      int64_t e = row.begin;
      do prefetch(graph_.indices + e);
      while ((e += kStep) < end);
      prefetch(graph_.indices + std::max(row.begin, end - 1));  // rows begin anywhere in a line
    }
    for (int64_t i = 0; i < tile.short_rows.count; ++i) {
      const Row row = tile.rows[tile.short_rows.rows[i]];
      for (int64_t e = 0; e < kShortRow; e += kStep) prefetch(graph_.indices + std::min(row.begin + e, row.end - 1));
      prefetch(graph_.indices + row.end - 1);
    }
    for (int64_t i = 0; i < tile.long_rows.count; ++i) {
      const I* first = graph_.indices + tile.rows[tile.long_rows.rows[i]].begin;
      const int32_t* rank = tile.ranks.data() + i * kMostSorted;
      for (int64_t k = 0; k < most; ++k) prefetch(first + rank[k]);
    }
  }

  /** The arcs of a tile, and the nodes they come from: row after row, each row in the order of original ids. */
  void draw(const Tile<Row>& tile, const Random& random, int64_t most) {
    edges_.resize(static_cast<size_t>(tile.num_arcs + kStep));
    sources_.resize(static_cast<size_t>(tile.num_arcs));
    int64_t* edges = edges_.data();
    I* source = sources_.data();
    for (int64_t i = 0; i < tile.whole_rows.count; ++i) {
      const int64_t r = tile.whole_rows.rows[i], begin = tile.rows[r].begin, count = tile.counts[r];
      int64_t* to = edges + tile.starts[r];
      int64_t done = 0;
      do
        for (int64_t j = 0; j < kStep; ++j, ++done) to[done] = begin + done;
      while (done < count);
    }
    // Of rows out of order of ids, ranks in that order.
    const auto first_of = [&](int64_t r) { return graph_.in_id_order ? tile.rows[r].begin : 0; };
    const auto pick_alone = [&](int64_t r) {
      int64_t *to = edges + tile.starts[r], first = first_of(r);
      pick_ranks(random, graph_.id(batch_.nodes[tile.begin + r]), tile.rows[r].size(), most, set_,
                 [&](int64_t rank) { *to++ = first + rank; });
    };
    for (int64_t i = 0; i < tile.short_rows.count; ++i) {
      const int64_t r = tile.short_rows.rows[i], first = first_of(r);
      int64_t* to = edges + tile.starts[r];
      uint64_t chosen = tile.chosen[i];
      if (tile.short_rows.again[i]) [[unlikely]] pick_alone(r);
      else
        for (int64_t k = 0; k < most; ++k, chosen &= chosen - 1) to[k] = first + __builtin_ctzll(chosen);
    }
    for (int64_t i = 0; i < tile.long_rows.count; ++i) {
      const int64_t r = tile.long_rows.rows[i], first = first_of(r);
      int64_t* to = edges + tile.starts[r];
      const int32_t* rank = tile.ranks.data() + i * kMostSorted;
      if (tile.long_rows.again[i]) [[unlikely]] pick_alone(r);
      else
        for (int64_t k = 0; k < most; ++k) to[k] = first + rank[k];
    }
    for (int64_t i = 0; i < tile.other_rows.count; ++i) pick_alone(tile.other_rows.rows[i]);
    if (!graph_.in_id_order) order_by_id(tile);
    for (int64_t i = 0; i < tile.num_arcs; ++i) source[i] = graph_.indices[edges[i]];
    if (!graph_.are_nodes(source, tile.num_arcs)) [[unlikely]]
      for (int64_t r = 0; r < tile.num_rows; ++r)
        for (int64_t e = tile.rows[r].begin; e < tile.rows[r].end; ++e) graph_.source(e);  // says which
    auto&& table = positions_.table();
    for (int64_t i = 0; i < tile.num_arcs; ++i) table.prefetch(source[i]);
  }

  /** The arcs of each row in the order of their sources' original ids. */
  void order_by_id(const Tile<Row>& tile) {
    for (int64_t r = 0; r < tile.num_rows; ++r) {
      int64_t* edges = edges_.data() + tile.starts[r];
      const Row row = tile.rows[r];
      keyed_.clear();
      for (int64_t e = row.begin; e < row.end; ++e) keyed_.emplace_back(graph_.id(graph_.source(e)), e);
      std::sort(keyed_.begin(), keyed_.end());
      const bool is_whole = tile.counts[r] == row.size();
      for (int64_t i = 0; i < tile.counts[r]; ++i) edges[i] = keyed_[is_whole ? i : edges[i]].second;
    }
  }

  /** The tile's arcs as rows of the block; sources that are new to the batch get the next positions. */
  void number(Block& block, const Tile<Row>& tile) {
    const auto size = static_cast<int64_t>(batch_.nodes.size());
    check_batch_size(size + tile.num_arcs);
    batch_.nodes.resize(static_cast<size_t>(size + tile.num_arcs + 1));  // the place after the last is written, too
    int64_t* nodes = batch_.nodes.data();
    found_.resize(static_cast<size_t>(tile.num_arcs + kMostSorted));
    int32_t* found = found_.data();
    const I* source = sources_.data();
    auto next = static_cast<int32_t>(size);
    auto&& table = positions_.table();
    for (int64_t i = 0; i < tile.num_arcs; ++i) {
      const auto [position, is_new] = table.insert(source[i], next);
      nodes[next] = source[i];
      found[i] = position;
      next += is_new;
    }
    batch_.nodes.resize(static_cast<size_t>(next));

    int64_t* starts = block.indptr.data() + tile.begin;
    for (int64_t r = 0; r < tile.num_rows; ++r) starts[r + 1] = starts[r] + tile.counts[r];
    const auto arcs = static_cast<size_t>(starts[tile.num_rows]);
    block.indices.resize(arcs + kMostSorted);  // sort_rows() writes past the end
    int32_t* indices = block.indices.data() + starts[0];
    if (keeps_edges_) {
      block.edges.resize(arcs);
      loops_.sort_rows_with(tile.counts, tile.num_rows, found, edges_.data(), indices, block.edges.data() + starts[0]);
    } else {
      loops_.sort_rows(tile.counts, tile.num_rows, found, indices);
    }
    for (int64_t r = 0; r < tile.num_rows; ++r)
      if (tile.counts[r] > kMostSorted) [[unlikely]] sort_long_row(block, starts[r], starts[r + 1]);
    block.indices.resize(arcs);
  }

  void sort_long_row(Block& block, int64_t begin, int64_t end) {
    int32_t* indices = block.indices.data();
    if (!keeps_edges_) return std::sort(indices + begin, indices + end);
    keyed_.clear();
    for (int64_t i = begin; i < end; ++i) keyed_.emplace_back(indices[i], block.edges[i]);
    std::sort(keyed_.begin(), keyed_.end());
    for (int64_t i = begin; i < end; ++i) {
      indices[i] = static_cast<int32_t>(keyed_[i - begin].first);
      block.edges[i] = keyed_[i - begin].second;
    }
  }

  const GraphView<I>& graph_;
  const Loops& loops_;
  bool keeps_edges_;
  Batch& batch_;
  Positions& positions_;
  RankSet set_;
  Array<int64_t> edges_;
  Array<I> sources_;
  Array<int32_t> found_;  // positions of the sources
  std::vector<std::pair<uint64_t, int64_t>> keyed_;
};

}  // namespace

int32_t gust_sample_neighbors(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                              const int64_t* fanout, int64_t hops, int64_t seed, int64_t epoch, int64_t first_step,
                              int64_t* out) {
  return guard([&] {
    const Loops& vectors = loops();
    grow_batches(sampler, seeds, seed_ptr, num_batches, hops, out,
                 [&](const auto& graph, Sampler& s, Batch& batch, auto& positions, int64_t b) {
                   BatchSampler work(graph, vectors, s.keeps_edges, batch, positions);
                   for (int64_t h = 0; h < hops; ++h)
                     work.hop(hop_random("sample", seed, epoch, first_step + b, h), fanout[h], batch.blocks[h]);
                 });
  });
}
