// Rows of induced subgraphs: what stays of a node's arcs where the nodes of the subgraph have positions.
#pragma once

#include <tuple>
#include <utility>

#include "sample.h"

namespace gust::sampling {

/** Sort the arcs of a block from `begin` on by position, their numbers with them. */
inline void sort_row(Block& block, size_t begin, bool keeps_edges) {
  auto& indices = block.indices;
  if (!keeps_edges) return std::sort(indices.begin() + static_cast<ptrdiff_t>(begin), indices.end());
  std::vector<std::pair<int32_t, int64_t>> arcs;
  for (size_t k = begin; k < indices.size(); ++k) arcs.emplace_back(indices[k], block.edges[k]);
  std::sort(arcs.begin(), arcs.end());
  for (size_t k = begin; k < indices.size(); ++k) std::tie(indices[k], block.edges[k]) = arcs[k - begin];
}

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

  /** Append to a block the arcs of row v from nodes that were added, by their positions in the table, its columns. */
  template <class Table>
  void append(int64_t v, const Table& table, Block& block) {
    const auto row = graph_.row(v);
    const uint32_t* bits = bits_.data();
    const int64_t count = graph_.select(row, places_, [&](int64_t, auto u) { return bits[u >> 5] >> (u & 31) & 1; });
    const size_t begin = block.indices.size(), end = begin + static_cast<size_t>(count);
    const I* sources = graph_.indices + row.begin;
    block.indices.resize(end);
    int32_t* to = block.indices.data() + begin;
    int32_t last = -1;
    bool ascending = true;
    for (int64_t k = 0; k < count; ++k) {
      const int32_t position = table.at(sources[places_[k]]);
      to[k] = position;
      ascending &= position >= last;
      last = position;
    }
    if (keeps_edges_) {
      block.edges.resize(end);
      for (int64_t k = 0; k < count; ++k) block.edges[begin + static_cast<size_t>(k)] = row.begin + places_[k];
    }
    if (!ascending) sort_row(block, begin, keeps_edges_);
    block.indptr.push_back(static_cast<int64_t>(end));
  }

 private:
  const GraphView<I>& graph_;
  bool keeps_edges_;
  std::vector<uint32_t> bits_;
  Array<int32_t> places_;
};

}  // namespace gust::sampling
