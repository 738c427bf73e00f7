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
// Every access is a cache miss, and every branch on what was drawn a misprediction. So rows are taken in tiles, whose
// arcs are asked for while the tile before is worked on, and nothing branches on draws:
//   Floyd's algorithm runs on several rows at once, one per lane of a vector, and keeps the picks of a row of at most 64
//   arcs as bits of a word; those of a longer row are compared with each other (sample_loops.h);
//   new nodes of a row get rising positions above all others, so that only those it shares with rows before are sorted,
//   each by counting the smaller ones.
#include <immintrin.h>

#include <array>
#include <cstring>

#include "../include/gust.h"
#include "../common/isa.h"
#include "sample_pick.h"

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr int64_t kTileRows = 32;       // a multiple of kRowLanes
constexpr int64_t kRowLanes = 8;        // a multiple of how many are drawn from at once
static_assert(kShortRow == 64);         // arcs whose picks are bits of a word
constexpr int64_t kMostRanked = 64;     // numbers that are sorted by counting
constexpr int64_t kRankLanes = 16;      // of them at once

/** kStep[kMostRanked + i] = 1 for i > 0, else 0. */
constexpr auto kSteps = [] {
  std::array<int32_t, 2 * kMostRanked + kRankLanes> step{};
  for (size_t i = kMostRanked + 1; i < step.size(); ++i) step[i] = 1;
  return step;
}();
constexpr const int32_t* kStep = kSteps.data();

struct Loops {
  void (*pick_short)(const Random& random, const uint64_t* ids, const uint64_t* sizes, int64_t rows, int64_t count,
                     uint64_t* chosen, uint64_t* again);
  void (*pick_long)(const Random& random, const uint64_t* ids, const uint64_t* sizes, int64_t rows, int64_t count,
                    int64_t stride, int32_t* ranks, uint64_t* again);
  void (*order_heads)(const int64_t* starts, const int32_t* heads, int64_t rows, int32_t* indices, int64_t* edges);
};

#define GUST_LOOPS "sample_loops.h"
#include "isa_loops.h"

/** Rows of a hop that are worked on together. */
template <class Row>
struct Tile {
  enum class Kind : uint8_t { kWhole, kShort, kLong, kOneByOne };
  /** Rows that are drawn from in one of the vector loops. */
  struct Drawn {
    int64_t count = 0;
    uint64_t ids[kTileRows], sizes[kTileRows], again[kTileRows];

    void add(uint64_t id, int64_t size) {
      ids[count] = id;
      sizes[count++] = static_cast<uint64_t>(size);
    }
    /** Fill up to whole vectors with copies of the last row; the new number of rows. */
    int64_t pad() {
      const int64_t padded = num_chunks(count, kRowLanes) * kRowLanes;
      for (int64_t i = count; i < padded; ++i) {
        ids[i] = ids[count - 1];
        sizes[i] = sizes[count - 1];
      }
      return padded;
    }
  };

  int64_t begin = 0, num_rows = 0, num_arcs = 0;
  Row rows[kTileRows];
  int64_t counts[kTileRows];   // arcs that are taken
  Kind kinds[kTileRows];
  int32_t places[kTileRows];   // in the list of its kind
  Drawn short_rows, long_rows;
  uint64_t chosen[kTileRows];  // of short rows
  Array<int32_t> ranks;        // of long rows, `stride` each
  int64_t stride = 0;
};

template <class I, class Positions>
class BatchSampler {
 public:
  BatchSampler(const GraphView<I>& graph, const Loops& loops, bool keeps_edges, Batch& batch, Positions& positions)
      : graph_(graph), loops_(loops), keeps_edges_(keeps_edges), batch_(batch), positions_(positions) {}

  void hop(const Random& random, int64_t fanout, Block& block) {
    const auto rows = static_cast<int64_t>(batch_.nodes.size());
    block.indptr.resize(static_cast<size_t>(rows + 1));
    block.indptr[0] = 0;
    Tile<Row> tiles[2], *tile = &tiles[0], *next = &tiles[1];
    ask_for_rows(0, rows);
    begin_tile(*tile, random, fanout, 0, rows);
    for (int64_t r = 0; r < tile->num_rows; ++r) ask_for_arcs(*tile, r);
    while (tile->num_rows > 0) {
      draw(*tile, random);
      begin_tile(*next, random, fanout, tile->begin + tile->num_rows, rows);
      number(block, *tile, *next);
      std::swap(tile, next);
    }
    batch_.levels.push_back(static_cast<int64_t>(batch_.nodes.size()));
  }

 private:
  using Row = typename GraphView<I>::Row;
  using Kind = typename Tile<Row>::Kind;

  /** The row pointers of a tile that is far ahead. */
  [[gnu::always_inline]] void ask_for_rows(int64_t begin, int64_t end) const {
    for (int64_t r = begin; r < std::min(end, begin + kTileRows); ++r)
      prefetch(graph_.indptr + batch_.nodes[r]);
  }

  /** Read the rows from `begin` on and draw for them. */
  void begin_tile(Tile<Row>& tile, const Random& random, int64_t fanout, int64_t begin, int64_t end) {
    ask_for_rows(begin + kTileRows, end);
    tile.begin = begin;
    tile.num_rows = std::min(end - begin, kTileRows);
    tile.num_arcs = tile.short_rows.count = tile.long_rows.count = 0;
    for (int64_t r = 0; r < tile.num_rows; ++r) {
      const int64_t v = batch_.nodes[begin + r];
      const Row row = graph_.row(v);
      tile.rows[r] = row;
      if (fanout < 0 || row.size() <= fanout) {
        tile.kinds[r] = Kind::kWhole;
        tile.counts[r] = row.size();
        tile.places[r] = 0;
      } else {
        const bool is_short = row.size() <= kShortRow;
        auto& list = is_short ? tile.short_rows : tile.long_rows;
        tile.kinds[r] = is_short                                            ? Kind::kShort
                        : fanout <= kMostRanked && row.size() <= INT32_MAX ? Kind::kLong
                                                                            : Kind::kOneByOne;
        tile.counts[r] = fanout;
        tile.places[r] = static_cast<int32_t>(list.count);
        if (tile.kinds[r] != Kind::kOneByOne) list.add(graph_.id(v), row.size());
      }
      tile.num_arcs += tile.counts[r];
    }
    if (auto& list = tile.short_rows; list.count > 0)
      loops_.pick_short(random, list.ids, list.sizes, list.pad(), fanout, tile.chosen, list.again);
    if (auto& list = tile.long_rows; list.count > 0) {
      tile.stride = fanout;
      const int64_t padded = list.pad();
      tile.ranks.resize(static_cast<size_t>(padded * fanout));
      loops_.pick_long(random, list.ids, list.sizes, padded, fanout, fanout, tile.ranks.data(), list.again);
    }
  }

  /** The memory that draw() will read of row r. */
  [[gnu::always_inline]] void ask_for_arcs(const Tile<Row>& tile, int64_t r) const {
    const Row row = tile.rows[r];
    if (tile.kinds[r] == Kind::kLong) {
      const I* first = graph_.indices + row.begin;
      const int32_t* rank = tile.ranks.data() + tile.places[r] * tile.stride;
      for (int64_t i = 0; i < tile.stride; ++i) prefetch(first + rank[i]);
    } else {
      graph_.prefetch_arcs(row);
    }
  }

  /** The nodes that the tile's arcs come from, row after row, each row in the order of original ids. */
  void draw(const Tile<Row>& tile, const Random& random) {
    sources_.resize(static_cast<size_t>(tile.num_arcs));
    I* source = sources_.data();
    if (graph_.in_id_order && !keeps_edges_) {
      pick(tile, random, [&](int64_t at, int64_t edge) { source[at] = graph_.indices[edge]; });
    } else {
      edges_.resize(static_cast<size_t>(tile.num_arcs));
      int64_t* edges = edges_.data();
      pick(tile, random, [&](int64_t at, int64_t edge) { edges[at] = edge; });
      if (!graph_.in_id_order) order_by_id(tile);
      for (int64_t i = 0; i < tile.num_arcs; ++i) source[i] = graph_.indices[edges[i]];
    }
    if (!graph_.are_nodes(source, tile.num_arcs)) [[unlikely]]
      for (int64_t r = 0; r < tile.num_rows; ++r)
        for (int64_t e = tile.rows[r].begin; e < tile.rows[r].end; ++e) graph_.source(e);  // says which
    auto&& table = positions_.table();
    for (int64_t i = 0; i < tile.num_arcs; ++i) table.prefetch(source[i]);
  }

  /** take(i, arc) for each arc of the tile; of rows that are drawn from out of order of ids, its rank instead. */
  template <class Take>
  void pick(const Tile<Row>& tile, const Random& random, Take&& take) {
    for (int64_t r = 0, at = 0; r < tile.num_rows; at += tile.counts[r++]) {
      const int64_t count = tile.counts[r], place = tile.places[r];
      const bool is_whole = tile.kinds[r] == Kind::kWhole;
      const int64_t first = is_whole || graph_.in_id_order ? tile.rows[r].begin : 0;
      if (is_whole) {
        for (int64_t i = 0; i < count; ++i) take(at + i, first + i);
      } else if (tile.kinds[r] == Kind::kShort && !tile.short_rows.again[place]) {
        uint64_t chosen = tile.chosen[place];
        for (int64_t i = 0; i < count; ++i, chosen &= chosen - 1) take(at + i, first + __builtin_ctzll(chosen));
      } else if (tile.kinds[r] == Kind::kLong && !tile.long_rows.again[place]) {
        const int32_t* rank = tile.ranks.data() + place * tile.stride;
        for (int64_t i = 0; i < count; ++i) take(at + i, first + rank[i]);
      } else {
        int64_t next = at;
        pick_ranks(random, graph_.id(batch_.nodes[tile.begin + r]), tile.rows[r].size(), count, set_,
                   [&](int64_t rank) { take(next++, first + rank); });
      }
    }
  }

  /** What pick() gave, where rows are not in the order of original ids, as arcs in that order. */
  void order_by_id(const Tile<Row>& tile) {
    int64_t* edges = edges_.data();
    for (int64_t r = 0; r < tile.num_rows; edges += tile.counts[r++]) {
      if (tile.kinds[r] == Kind::kWhole) by_id(edges, tile.counts[r]);
      else ranked(tile.rows[r], edges, tile.counts[r]);
    }
  }

  /** Put arcs in the order of their sources' original ids. */
  void by_id(int64_t* edges, int64_t count) {
    keyed_.clear();
    for (int64_t i = 0; i < count; ++i) keyed_.emplace_back(graph_.id(graph_.source(edges[i])), edges[i]);
    std::sort(keyed_.begin(), keyed_.end());
    for (int64_t i = 0; i < count; ++i) edges[i] = keyed_[i].second;
  }

  /** `edges` are ranks by original id in the row: make them arcs. */
  void ranked(Row row, int64_t* edges, int64_t count) {
    keyed_.clear();
    for (int64_t e = row.begin; e < row.end; ++e) keyed_.emplace_back(graph_.id(graph_.source(e)), e);
    std::sort(keyed_.begin(), keyed_.end());
    for (int64_t i = 0; i < count; ++i) edges[i] = keyed_[edges[i]].second;
  }

  /** The tile's arcs as rows of the block; sources that are new to the batch get the next positions. */
  void number(Block& block, const Tile<Row>& tile, const Tile<Row>& next_tile) {
    const auto size = static_cast<int64_t>(batch_.nodes.size());
    check_batch_size(size + tile.num_arcs);
    batch_.nodes.resize(static_cast<size_t>(size + tile.num_arcs + 1));  // the place after the last is written, too
    int64_t* starts = block.indptr.data() + tile.begin;
    const auto arcs = static_cast<size_t>(starts[0] + tile.num_arcs);
    block.indices.resize(arcs + kRankLanes);  // order_heads() reads past the end
    if (keeps_edges_) block.edges.resize(arcs);
    int64_t* nodes = batch_.nodes.data();
    const I* source = sources_.data();
    const int64_t* edge = edges_.data();
    auto next = static_cast<int32_t>(size);
    auto&& table = positions_.table();
    int32_t heads_of[kTileRows], first_of[kTileRows];
    for (int64_t r = 0; r < tile.num_rows; ++r) {
      if (r < next_tile.num_rows) ask_for_arcs(next_tile, r);
      const int64_t count = tile.counts[r];
      int32_t* row = block.indices.data() + starts[r];
      const int32_t first = next;
      int32_t heads = 0;
      if (keeps_edges_) {
        int64_t* row_edges = block.edges.data() + starts[r];
        found_.resize(static_cast<size_t>(count + 1));
        for (int64_t i = 0; i < count; ++i) {
          const auto [position, is_new] = table.insert(source[i], next);
          nodes[next] = source[i];
          row[heads] = position;
          row_edges[heads] = found_[next - first] = edge[i];
          next += is_new;
          heads += !is_new;
        }
        std::copy_n(found_.data(), next - first, row_edges + heads);
      } else {
        for (int64_t i = 0; i < count; ++i) {
          const auto [position, is_new] = table.insert(source[i], next);
          nodes[next] = source[i];
          row[heads] = position;
          next += is_new;
          heads += !is_new;
        }
      }
      for (int32_t p = first; p < next; ++p) row[heads + p - first] = p;
      heads_of[r] = heads;
      first_of[r] = first;
      starts[r + 1] = starts[r] + count;
      source += count;
      edge += count;
    }
    batch_.nodes.resize(static_cast<size_t>(next));
    loops_.order_heads(starts, heads_of, tile.num_rows, block.indices.data(),
                       keeps_edges_ ? block.edges.data() : nullptr);
    for (int64_t r = 0; r < tile.num_rows; ++r) {
      // A long head, or a new node that the row has twice: it is in the head as well.
      const int32_t* row = block.indices.data() + starts[r];
      if (heads_of[r] > kMostRanked || (heads_of[r] > 0 && row[heads_of[r] - 1] >= first_of[r]))
        order_row(block, starts[r], starts[r + 1]);
    }
    block.indices.resize(arcs);
  }

  void order_row(Block& block, int64_t begin, int64_t end) {
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
  Array<int64_t> edges_, found_;
  Array<I> sources_;
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
