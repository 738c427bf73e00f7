// Sampling with arc weights: rows of a block that are drawn one after another, each arc with how many of its row's arcs
// it stands for, so that a sum over the row's drawn arcs, each times its weight, estimates the sum over all of them.
#pragma once

#include <cmath>

#include "sample.h"

namespace gust::sampling {

/** An arc that was drawn. */
struct Drawn {
  int64_t edge;
  float weight;
};

/** Weights of a graph's arcs: F32, F64, or 1 each. */
struct ArcValues {
  const void* values;
  int32_t dtype;

  ArcValues(int64_t address, int32_t dtype_) : values(reinterpret_cast<const void*>(address)), dtype(dtype_) {
    if (values) dispatch_real(dtype, [](auto) {});
  }
  double at(int64_t edge) const {
    if (!values) return 1;
    return dtype == GUST_F32 ? static_cast<const float*>(values)[edge] : static_cast<const double*>(values)[edge];
  }
};

/** Appends rows to a block. Nodes that are new to the batch get the next positions, by row and then by original id. */
template <class I, class Positions>
class RowWriter {
 public:
  RowWriter(const GraphView<I>& graph, bool keeps_edges, Batch& batch, Positions& positions)
      : graph_(graph), keeps_edges_(keeps_edges), batch_(batch), positions_(positions) {}

  void begin(Block& block, int64_t rows) {
    block_ = &block;
    block.indptr.reserve(static_cast<size_t>(rows + 1));
    block.indptr.push_back(0);
  }

  /**
   * The drawn arcs of the next row, in the order in which the row stores them; `arcs` is reordered.
   * @param space  added to nodes where they are looked up: those of one row are found again by the same.
   */
  void row(std::vector<Drawn>& arcs, int64_t space = 0) {
    if (!graph_.in_id_order)
      std::sort(arcs.begin(), arcs.end(), [&](const Drawn& a, const Drawn& b) {
        const uint64_t x = graph_.id(graph_.source(a.edge)), y = graph_.id(graph_.source(b.edge));
        return x != y ? x < y : a.edge < b.edge;
      });
    sources_.resize(arcs.size());
    for (size_t i = 0; i < arcs.size(); ++i) sources_[i] = graph_.source(arcs[i].edge);
    append(arcs, space);
  }

  /** The next row, whose columns are nodes in the order of original ids, each in the place of an arc. */
  void row_of_nodes(const std::vector<Drawn>& nodes) {
    sources_.resize(nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i) sources_[i] = nodes[i].edge;
    append(nodes, 0);
  }

  /** After the last row of a hop. */
  void end() { batch_.levels.push_back(static_cast<int64_t>(batch_.nodes.size())); }

 private:
  void append(const std::vector<Drawn>& arcs, int64_t space) {
    const auto count = static_cast<int64_t>(arcs.size());
    check_batch_size(static_cast<int64_t>(batch_.nodes.size()) + count);
    auto&& table = positions_.table();
    for (int64_t source : sources_) table.prefetch(source + space);
    places_.resize(arcs.size());
    for (size_t i = 0; i < arcs.size(); ++i) {
      const auto [position, is_new] = table.insert(sources_[i] + space, static_cast<int32_t>(batch_.nodes.size()));
      if (is_new) batch_.nodes.push_back(sources_[i]);
      places_[i] = static_cast<uint64_t>(position) << 32 | i;
    }
    sort(places_.data(), count);
    const size_t begin = block_->indices.size();
    block_->indices.resize(begin + arcs.size());
    block_->arc_weight.resize(begin + arcs.size());
    if (keeps_edges_) block_->edges.resize(begin + arcs.size());
    for (size_t i = 0; i < arcs.size(); ++i) {
      const Drawn& arc = arcs[places_[i] & 0xffffffffu];
      block_->indices[begin + i] = static_cast<int32_t>(places_[i] >> 32);
      block_->arc_weight[begin + i] = arc.weight;
      if (keeps_edges_) block_->edges[begin + i] = arc.edge;
    }
    block_->indptr.push_back(static_cast<int64_t>(block_->indices.size()));
  }

  /** Most rows are short, and their last places rise. */
  static void sort(uint64_t* places, int64_t count) {
    if (count > 32) return std::sort(places, places + count);
    for (int64_t i = 1; i < count; ++i) {
      const uint64_t place = places[i];
      int64_t j = i;
      for (; j > 0 && places[j - 1] > place; --j) places[j] = places[j - 1];
      places[j] = place;
    }
  }

  const GraphView<I>& graph_;
  bool keeps_edges_;
  Batch& batch_;
  Positions& positions_;
  Block* block_ = nullptr;
  std::vector<int64_t> sources_;
  std::vector<uint64_t> places_;  // position << 32 | number in the row
};

/** Scale the weights of arcs so that they add up to `total`. */
inline void scale_to(std::vector<Drawn>& arcs, double total) {
  double sum = 0;
  for (const Drawn& arc : arcs) sum += arc.weight;
  if (sum > 0)
    for (Drawn& arc : arcs) arc.weight = static_cast<float>(arc.weight * (total / sum));
}

/** Batches whose hops draw(graph, batch, positions, writer, step, hop) makes, in parallel. out[0] = batches. */
template <class Draw>
void sample_batches(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches, int64_t hops,
                    int64_t first_step, int64_t* out, Draw&& draw) {
  grow_batches(sampler, seeds, seed_ptr, num_batches, hops, out,
               [&](const auto& graph, Sampler& s, Batch& batch, auto& positions, int64_t b) {
                 RowWriter writer(graph, s.keeps_edges, batch, positions);
                 for (int64_t h = 0; h < hops; ++h) {
                   const auto rows = static_cast<int64_t>(batch.nodes.size());
                   writer.begin(batch.blocks[h], rows);
                   draw(graph, s, batch, writer, rows, first_step + b, h);
                   writer.end();
                 }
               });
}

}  // namespace gust::sampling
