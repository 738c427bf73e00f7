// Induced subgraphs: A[B, B] for each batch of nodes B, every arc between two of its nodes kept.
//
// Nodes take positions in the order of their original ids, so that rows stay ascending where the graph's are and the
// batch of all nodes is the graph itself. Cost: O(sum of degrees of B) time, O(|B| + kept) memory and a bit per node.
// Parallel over batches. Source: Chiang et al. 2019 (arXiv:1905.07953), section 3.2 (q clusters and the links between).
#include <functional>

#include "../include/gust.h"
#include "sample_induced.h"

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr size_t kLongRun = 16;  // mean length of ascending runs from which merging them beats sorting

/** Sort what is made of ascending runs, as the nodes of a few parts are. */
template <class Less>
void sort_runs(std::vector<int64_t>& x, Less less) {
  std::vector<size_t> bounds{0};
  for (size_t i = 1; i < x.size(); ++i)
    if (less(x[i], x[i - 1])) bounds.push_back(i);
  bounds.push_back(x.size());
  if ((bounds.size() - 1) * kLongRun > x.size()) return std::sort(x.begin(), x.end(), less);
  while (bounds.size() > 2) {
    std::vector<size_t> merged{0};
    for (size_t r = 2; r < bounds.size(); r += 2) {
      std::inplace_merge(x.begin() + static_cast<ptrdiff_t>(bounds[r - 2]),
                         x.begin() + static_cast<ptrdiff_t>(bounds[r - 1]),
                         x.begin() + static_cast<ptrdiff_t>(bounds[r]), less);
      merged.push_back(bounds[r]);
    }
    if (bounds.size() % 2 == 0) merged.push_back(bounds.back());
    bounds = std::move(merged);
  }
}

template <class I, class Positions>
void induce(const GraphView<I>& graph, bool keeps_edges, const int64_t* nodes, int64_t count, Batch& batch,
            Positions& positions) {
  std::vector<int64_t> ordered(nodes, nodes + count);
  for (int64_t v : ordered) graph.check_node(v);
  if (graph.ids) {
    sort_runs(ordered, [&](int64_t a, int64_t b) {
      return graph.id(a) != graph.id(b) ? graph.id(a) < graph.id(b) : a < b;
    });
  } else {
    sort_runs(ordered, std::less<int64_t>());
  }
  number_nodes(graph, ordered.data(), count, batch, positions);
  batch.levels.push_back(count);

  auto&& table = positions.table();
  InducedRows<I> induced(graph, keeps_edges);
  for (int64_t v : ordered) induced.add(v);
  Block& block = batch.blocks[0];
  block.indptr.reserve(static_cast<size_t>(count + 1));
  block.indptr.push_back(0);
  induced.append(ordered.data(), count, table, block);
}

}  // namespace

int32_t gust_sample_induced(int64_t sampler, int64_t nodes, const int64_t* node_ptr, int64_t num_batches,
                            int64_t* out) {
  return guard([&] {
    make_batches(sampler, nodes, node_ptr, num_batches, 0, out,
                 [](const auto& graph, Sampler& s, Batch& batch, auto& positions, const int64_t* all, int64_t count,
                    int64_t) { induce(graph, s.keeps_edges, all, count, batch, positions); });
  });
}
