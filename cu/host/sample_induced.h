// Rows of induced subgraphs: what stays of a node's arcs where the nodes of the subgraph have positions.
#pragma once

#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#include "sample.h"

namespace gust::sampling {

/**
 * What makes the rows of a batch's subgraphs. The nodes of the present one have a bit among those of the graph: most arcs
 * end there, and bits stay nearer to the processor than positions.
 */
template <class I>
class InducedRows {
 public:
  InducedRows(const GraphView<I>& graph, bool keeps_edges)
      : graph_(graph), keeps_edges_(keeps_edges), bits_(static_cast<size_t>(num_chunks(graph.num_nodes, 32)), 0) {}

  void add(int64_t v) { bits_[static_cast<size_t>(v >> 5)] |= 1u << (v & 31); }
  void remove(int64_t v) { bits_[static_cast<size_t>(v >> 5)] &= ~(1u << (v & 31)); }

  /**
   * Append to a block the rows of `count` nodes: of each its arcs from nodes that were added, by their positions in the
   * table, the block's columns. Short rows are copied side by side first, many at once: loops as long as one row end
   * where no processor expects it.
   */
  template <class Table>
  void append(const int64_t* nodes, int64_t count, const Table& table, Block& block) {
    for (int64_t i = 0; i < count;) {
      num_rows_ = num_arcs_ = 0;
      for (; i < count && num_rows_ < kTile; ++i) {
        if (i + 2 * kRowsAhead < count) prefetch(graph_.indptr + nodes[i + 2 * kRowsAhead]);
        if (i + kRowsAhead < count) graph_.prefetch_row(nodes[i + kRowsAhead]);
        const auto row = graph_.row(nodes[i]);
        if (row.size() > kShortRow) break;
        copy(row);
      }
      append_tile(table, block);
      if (i < count && num_rows_ < kTile) append_long(graph_.row(nodes[i++]), table, block);
    }
  }

 private:
  static constexpr int64_t kRowsAhead = 8;  // rows whose arcs are asked for
  static constexpr int64_t kTile = 32;      // rows
  static constexpr int64_t kCopied = 16;    // arcs at once

  /** Put a short row behind the others of the tile. */
  void copy(typename GraphView<I>::Row row) {
    const I* from = graph_.indices + row.begin;
    I* to = sources_ + num_arcs_;
    if (row.begin + kShortRow <= graph_.num_edges) {
      for (int64_t k = 0; k < row.size(); k += kCopied) std::memcpy(to + k, from + k, kCopied * sizeof(I));
    } else {
      std::copy_n(from, row.size(), to);
    }
    num_arcs_ += row.size();
    begins_[num_rows_] = row.begin;
    ends_[++num_rows_] = static_cast<int32_t>(num_arcs_);
  }

  template <class Table>
  void append_tile(const Table& table, Block& block) {
    if (!graph_.are_nodes(sources_, num_arcs_)) [[unlikely]]
      for (int64_t r = 0; r < num_rows_; ++r)
        for (int64_t k = ends_[r]; k < ends_[r + 1]; ++k) graph_.source(begins_[r] + k - ends_[r]);  // says which
    const uint32_t* bits = bits_.data();
    int32_t kept = 0;
    for (int64_t k = 0; k < num_arcs_; ++k) {
      const auto u = static_cast<std::make_unsigned_t<I>>(sources_[k]);
      kept_[kept] = static_cast<int32_t>(k);
      before_[k] = kept;
      kept += static_cast<int32_t>(bits[u >> 5] >> (u & 31) & 1);
    }
    before_[num_arcs_] = kept;

    const size_t begin = block.indices.size();
    block.indices.resize(begin + static_cast<size_t>(kept));
    int32_t* to = block.indices.data() + begin;
    for (int32_t k = 0; k < kept; ++k) to[k] = table.at(sources_[kept_[k]]);
    if (keeps_edges_) block.edges.resize(begin + static_cast<size_t>(kept));
    for (int64_t r = 0; r < num_rows_; ++r) {
      const int32_t first = before_[ends_[r]], last = before_[ends_[r + 1]];
      if (keeps_edges_)
        for (int32_t k = first; k < last; ++k)
          block.edges[begin + static_cast<size_t>(k)] = begins_[r] + kept_[k] - ends_[r];
      block.indptr.push_back(static_cast<int64_t>(begin) + last);
    }
    // Positions fall only where a row begins, unless a row is to be sorted.
    int32_t falls = 0, begun = 0;
    for (int32_t k = 1; k < kept; ++k) falls += to[k] < to[k - 1];
    for (int64_t r = 1; r < num_rows_; ++r) {
      const int32_t first = before_[ends_[r]];
      begun += first > 0 && first < before_[ends_[r + 1]] && to[first] < to[first - 1];
    }
    if (falls == begun) return;
    const auto place = [&](int64_t r) { return begin + static_cast<size_t>(before_[ends_[r]]); };
    for (int64_t r = 0; r < num_rows_; ++r) sort_row(block, place(r), place(r + 1));
  }

  template <class Table>
  void append_long(typename GraphView<I>::Row row, const Table& table, Block& block) {
    const uint32_t* bits = bits_.data();
    const auto is_here = [&](int64_t, auto u) { return bits[u >> 5] >> (u & 31) & 1; };
    const int64_t count = graph_.select(row, places_, false, is_here);
    const size_t begin = block.indices.size(), end = begin + static_cast<size_t>(count);
    const I* sources = graph_.indices + row.begin;
    block.indices.resize(end);
    int32_t* to = block.indices.data() + begin;
    for (int64_t k = 0; k < count; ++k) to[k] = table.at(sources[places_[k]]);
    if (keeps_edges_) {
      block.edges.resize(end);
      for (int64_t k = 0; k < count; ++k) block.edges[begin + static_cast<size_t>(k)] = row.begin + places_[k];
    }
    sort_row(block, begin, end);
    block.indptr.push_back(static_cast<int64_t>(end));
  }

  /** Sort the arcs of a row by position, their numbers with them. */
  void sort_row(Block& block, size_t begin, size_t end) {
    auto& indices = block.indices;
    const auto from = indices.begin() + static_cast<ptrdiff_t>(begin);
    const auto to = indices.begin() + static_cast<ptrdiff_t>(end);
    if (std::is_sorted(from, to)) return;
    if (!keeps_edges_) return std::sort(from, to);
    std::vector<std::pair<int32_t, int64_t>> arcs;
    for (size_t k = begin; k < end; ++k) arcs.emplace_back(indices[k], block.edges[k]);
    std::sort(arcs.begin(), arcs.end());
    for (size_t k = begin; k < end; ++k) std::tie(indices[k], block.edges[k]) = arcs[k - begin];
  }

  const GraphView<I>& graph_;
  bool keeps_edges_;
  std::vector<uint32_t> bits_;
  Array<int32_t> places_;  // in a long row, of the arcs that stay

  // Rows that are worked on together, side by side: r is ends_[r] .. ends_[r + 1], and begins at arc begins_[r].
  int64_t num_rows_ = 0, num_arcs_ = 0;
  int64_t begins_[kTile];
  int32_t ends_[kTile + 1] = {};
  I sources_[kTile * kShortRow + kCopied];
  int32_t kept_[kTile * kShortRow];        // which of the arcs stay
  int32_t before_[kTile * kShortRow + 1];  // how many stay of those before each
};

}  // namespace gust::sampling
