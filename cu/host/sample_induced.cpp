// Induced subgraphs: A[B, B] for each batch of nodes B, every arc between two of its nodes kept.
//
// Nodes take positions in the order of their original ids, so that rows stay ascending where the graph's are and the
// batch of all nodes is the graph itself. Cost: O(sum of degrees of B) look-ups, O(|B| + kept) memory.
// Parallel over batches. Source: Chiang et al. 2019 (arXiv:1905.07953), section 3.2 (q clusters and the links between).
#include "../include/gust.h"
#include "sample.h"

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr int64_t kAhead = 16;  // arcs whose look-up is asked for ahead

template <class I, class Positions>
void induce(const GraphView<I>& graph, bool keeps_edges, const int64_t* nodes, int64_t count, Batch& batch,
            Positions& positions) {
  std::vector<int64_t> ordered(nodes, nodes + count);
  for (int64_t v : ordered) graph.check_node(v);
  std::sort(ordered.begin(), ordered.end(), [&](int64_t a, int64_t b) {
    return graph.id(a) != graph.id(b) ? graph.id(a) < graph.id(b) : a < b;
  });
  number_nodes(graph, ordered.data(), count, batch, positions);
  batch.levels.push_back(count);

  auto&& table = positions.table();
  Block& block = batch.blocks[0];
  block.indptr.reserve(static_cast<size_t>(count + 1));
  block.indptr.push_back(0);
  std::vector<std::pair<int32_t, int64_t>> kept;
  for (int64_t v : batch.nodes) {
    const auto row = graph.row(v);
    kept.clear();
    bool ascending = true;
    for (int64_t e = row.begin; e < row.end; ++e) {
      if (e + kAhead < row.end) table.prefetch(graph.source(e + kAhead));
      const int32_t position = table.find(graph.source(e));
      if (position < 0) continue;
      ascending = ascending && (kept.empty() || kept.back().first <= position);
      kept.emplace_back(position, e);
    }
    if (!ascending) std::sort(kept.begin(), kept.end());
    for (const auto& [position, edge] : kept) {
      block.indices.push_back(position);
      if (keeps_edges) block.edges.push_back(edge);
    }
    block.indptr.push_back(static_cast<int64_t>(block.indices.size()));
  }
}

}  // namespace

int32_t gust_sample_induced(int64_t sampler, int64_t nodes, const int64_t* node_ptr, int64_t num_batches,
                            int64_t* out) {
  return guard([&] {
    auto& s = *reinterpret_cast<Sampler*>(sampler);
    const auto* all = reinterpret_cast<const int64_t*>(nodes);
    auto batches = std::make_unique<Batches>(s.pool, num_batches, 0);
    s.dispatch([&](const auto& graph) {
      parallel_tasks(num_batches, [&](int64_t b) {
        Batch& batch = batches->list[b];
        s.pool->with(batch, [&](auto& positions) {
          const int64_t count = node_ptr[b + 1] - node_ptr[b];
          check_batch_size(count);
          induce(graph, s.keeps_edges, all + node_ptr[b], count, batch, positions);
        });
      });
    });
    out[0] = reinterpret_cast<int64_t>(batches.release());
  });
}
