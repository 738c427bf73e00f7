// Rows of induced subgraphs: what stays of a node's arcs where the nodes of the subgraph have positions.
#pragma once

#include <tuple>
#include <utility>

#include "sample.h"

namespace gust::sampling {

constexpr int64_t kInducedAhead = 16;  // arcs whose look-up is asked for ahead

/** Sort the arcs of a block from `begin` on by position, their numbers with them. */
inline void sort_row(Block& block, size_t begin, bool keeps_edges) {
  auto& indices = block.indices;
  if (!keeps_edges) return std::sort(indices.begin() + static_cast<ptrdiff_t>(begin), indices.end());
  std::vector<std::pair<int32_t, int64_t>> arcs;
  for (size_t k = begin; k < indices.size(); ++k) arcs.emplace_back(indices[k], block.edges[k]);
  std::sort(arcs.begin(), arcs.end());
  for (size_t k = begin; k < indices.size(); ++k) std::tie(indices[k], block.edges[k]) = arcs[k - begin];
}

/** Append to a block the arcs of row v whose other end has a position, which is their column. */
template <class I, class Table>
[[gnu::always_inline]] inline void append_induced_row(const GraphView<I>& graph, const Table& table, int64_t v,
                                                        bool keeps_edges, Block& block) {
  const auto row = graph.row(v);
  const size_t begin = block.indices.size(), most = begin + static_cast<size_t>(row.size());
  block.indices.resize(most);
  if (keeps_edges) block.edges.resize(most);
  // About as many arcs stay as are left out: all are written, and the next is written over those that are not kept.
  int32_t* to = block.indices.data() + begin;
  int64_t* edges = keeps_edges ? block.edges.data() + begin : nullptr;
  int32_t last = -1;
  bool ascending = true;
  for (int64_t e = row.begin; e < row.end; ++e) {
    if (e + kInducedAhead < row.end) table.prefetch(graph.source(e + kInducedAhead));
    const int32_t position = table.find(graph.source(e));
    const bool is_kept = position >= 0;
    *to = position;
    to += is_kept;
    if (keeps_edges) {
      *edges = e;
      edges += is_kept;
    }
    ascending &= !is_kept | (position >= last);
    last = is_kept ? position : last;
  }
  const auto end = static_cast<size_t>(to - block.indices.data());
  block.indices.resize(end);
  if (keeps_edges) block.edges.resize(end);
  if (!ascending) sort_row(block, begin, keeps_edges);
  block.indptr.push_back(static_cast<int64_t>(end));
}

}  // namespace gust::sampling
