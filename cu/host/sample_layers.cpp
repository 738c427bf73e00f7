// Layer-wise sampling: for every hop, a number of nodes for all rows reached so far together (LADIES, FastGCN).
//
// With P = D^-1/2 A D^-1/2, D = weighted in-degree + 1, a node's importance is the sum of P_vu^2 over rows v: over
// those reached so far (LADIES: nodes without an arc to them are never drawn), or over all nodes (FastGCN).
//
// LADIES draws s distinct nodes: those with the s smallest keys U_u / importance_u (sequential Poisson or priority
// sampling). Given the next key tau, node u is in with probability min(1, importance_u tau), and the inverse of that
// as the weight of its arcs makes row sums exactly unbiased. The reference draws without replacement as well, but
// weights by 1 / (s p_u), which is not unbiased then. Keys need no logarithm: the same bits everywhere.
// FastGCN draws s nodes with replacement; a node drawn m times has weight m / (s q_u), and row sums are unbiased.
// `normalize` scales each row so that its weighted arcs add up to what all its arcs do, as LADIES does: of lower
// variance, unbiased but for O(1 / s).
//
// Source: Zou et al. 2019 (arXiv:1911.07323), section 4.1, algorithm 1; Chen et al. 2018 (arXiv:1801.10247), section
// 3.2; Ohlsson 1998, J. Official Statistics 14(2); Duffield, Lund and Thorup 2007, J. ACM 54(6).
// Cost: O(arcs of the rows reached) per batch and hop; once per graph O(nodes + arcs). Parallel over batches.
#include <numeric>

#include "../include/gust.h"
#include "sample_weighted.h"

namespace gust::sampling {

/** What layer-wise samplers know of a graph. */
struct LayerImportance {
  std::vector<double> scale;       // per node: 1 / D
  std::vector<double> row_weight;  // per node: sum of |weight| of its arcs
  std::vector<double> cumulative;  // of FastGCN's importance, nodes in `order`; empty until it is asked for
  std::vector<int64_t> order;      // nodes by original id
};

}  // namespace gust::sampling

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr int64_t kGrain = int64_t{1} << 14;
constexpr int64_t kAhead = 4;  // rows whose arcs are asked for ahead

template <class I>
std::shared_ptr<LayerImportance> importance_of(const GraphView<I>& graph, const ArcValues& values) {
  auto made = std::make_shared<LayerImportance>();
  const auto n = static_cast<size_t>(graph.num_nodes);
  made->scale.resize(n);
  made->row_weight.resize(n);
  parallel_for(graph.num_nodes, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) {
      const auto row = graph.row(v);
      double sum = 0;
      for (int64_t e = row.begin; e < row.end; ++e) sum += std::fabs(values.at(e));
      made->row_weight[v] = sum;
      made->scale[v] = 1 / (sum + 1);
    }
  });
  return made;
}

/** FastGCN's importance of all nodes: their columns of P, squared and added up. */
template <class I>
void add_columns(const GraphView<I>& graph, const ArcValues& values, LayerImportance& made) {
  const auto n = static_cast<size_t>(graph.num_nodes);
  made.order.resize(n);
  std::iota(made.order.begin(), made.order.end(), 0);
  if (graph.ids)
    std::sort(made.order.begin(), made.order.end(), [&](int64_t a, int64_t b) {
      return graph.id(a) != graph.id(b) ? graph.id(a) < graph.id(b) : a < b;
    });
  std::vector<double> column(n, 0);
  for (int64_t v : made.order) {
    const auto row = graph.row(v);
    for (int64_t e = row.begin; e < row.end; ++e) {
      const int64_t u = graph.source(e);
      const double a = values.at(e);
      column[u] += a * a * made.scale[v] * made.scale[u];
    }
  }
  made.cumulative.resize(n);
  double sum = 0;
  for (size_t i = 0; i < n; ++i) made.cumulative[i] = sum += column[made.order[i]];
}

/** The nodes that a hop draws, and the weight of their arcs. */
struct Layer {
  Batch found;                    // its nodes: the candidates
  std::vector<int32_t> of_arc;    // candidate of each arc of the rows, one row after another; -1: of none
  std::vector<double> importance;
  std::vector<float> weight;      // 0: not drawn
};

struct Key {
  double key;
  uint64_t id;
  int32_t at;
  bool operator<(const Key& other) const { return key != other.key ? key < other.key : id < other.id; }
};

/** LADIES: `size` candidates without replacement. */
template <class I>
void draw_candidates(const GraphView<I>& graph, const Random& random, int64_t size, Layer& layer) {
  const auto& nodes = layer.found.nodes;
  std::vector<Key> keys;
  for (size_t i = 0; i < nodes.size(); ++i)
    if (layer.importance[i] > 0) {
      const uint64_t id = graph.id(nodes[i]);
      keys.push_back({random.f64(id, 0) / layer.importance[i], id, static_cast<int32_t>(i)});
    }
  layer.weight.assign(nodes.size(), 0);
  const auto count = static_cast<int64_t>(keys.size());
  if (size < 0 || count <= size) {
    for (const Key& key : keys) layer.weight[key.at] = 1;
    return;
  }
  std::nth_element(keys.begin(), keys.begin() + size, keys.end());
  const double tau = keys[size].key;
  for (int64_t i = 0; i < size; ++i)
    layer.weight[keys[i].at] = static_cast<float>(1 / std::min(1.0, layer.importance[keys[i].at] * tau));
}

/** FastGCN: `size` nodes with replacement. Candidates are the nodes that were drawn, with their weights. */
template <class Positions>
void draw_nodes(const LayerImportance& known, const Random& random, int64_t size, Layer& layer, Positions& positions) {
  const auto& sums = known.cumulative;
  const double total = sums.empty() ? 0 : sums.back();
  if (total <= 0) return;
  auto&& table = positions.table();
  for (int64_t i = 0; i < size; ++i) {
    const double at = random.f64(static_cast<uint64_t>(i), 0) * total;
    const auto place = std::min(static_cast<int64_t>(std::upper_bound(sums.begin(), sums.end(), at) - sums.begin()),
                                static_cast<int64_t>(sums.size()) - 1);
    const double q = (sums[place] - (place == 0 ? 0 : sums[place - 1])) / total;
    const auto [found, is_new] = table.insert(known.order[place], static_cast<int32_t>(layer.found.nodes.size()));
    if (is_new) {
      layer.found.nodes.push_back(known.order[place]);
      layer.weight.push_back(0);
    }
    layer.weight[found] += static_cast<float>(1 / (static_cast<double>(size) * q));
  }
}

}  // namespace

int32_t gust_sample_layers(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                           const int64_t* sizes, int64_t hops, int64_t weights, int32_t weights_dtype,
                           int32_t whole_graph, int32_t normalize, int64_t seed, int64_t epoch, int64_t first_step,
                           int64_t* out) {
  return guard([&] {
    const ArcValues values(weights, weights_dtype);
    auto& shared = *reinterpret_cast<Sampler*>(sampler);
    shared.dispatch([&](const auto& graph) {
      std::lock_guard<std::mutex> hold(shared.importance_lock);
      if (!shared.importance) shared.importance = importance_of(graph, values);
      if (whole_graph && shared.importance->cumulative.empty()) add_columns(graph, values, *shared.importance);
    });
    const LayerImportance& known = *shared.importance;
    sample_batches(
        sampler, seeds, seed_ptr, num_batches, hops, first_step, out,
        [&](const auto& graph, Sampler& s, Batch& batch, auto& writer, int64_t rows, int64_t step, int64_t hop) {
          const Random random = hop_random("sample.layers", seed, epoch, step, hop);
          const int64_t size = sizes[hop];
          Layer layer;
          s.pool->with(layer.found, [&](auto& positions) {
            auto&& table = positions.table();
            auto& nodes = layer.found.nodes;
            if (whole_graph && size >= 0) draw_nodes(known, random, size, layer, positions);
            for (int64_t r = 0; r < rows; ++r) {
              if (r + kAhead < rows) graph.prefetch_row(batch.nodes[r + kAhead]);
              const int64_t v = batch.nodes[r];
              const auto row = graph.row(v);
              for (int64_t e = row.begin; e < row.end; ++e) table.prefetch(graph.source(e));
              for (int64_t e = row.begin; e < row.end; ++e) {
                const int64_t u = graph.source(e);
                if (whole_graph && size >= 0) {
                  layer.of_arc.push_back(table.find(u));
                  continue;
                }
                check_batch_size(static_cast<int64_t>(nodes.size()) + 1);
                const auto [place, is_new] = table.insert(u, static_cast<int32_t>(nodes.size()));
                if (is_new) {
                  nodes.push_back(u);
                  layer.importance.push_back(0);
                }
                const double a = values.at(e);
                layer.importance[place] += a * a * known.scale[v] * known.scale[u];
                layer.of_arc.push_back(place);
              }
            }
          });
          if (!(whole_graph && size >= 0)) draw_candidates(graph, random, size, layer);
          const int32_t* of = layer.of_arc.data();
          std::vector<Drawn> arcs;
          for (int64_t r = 0; r < rows; ++r) {
            const auto row = graph.row(batch.nodes[r]);
            arcs.clear();
            double sum = 0;
            for (int64_t e = row.begin; e < row.end; ++e, ++of) {
              if (*of < 0 || layer.weight[*of] == 0) continue;
              arcs.push_back({e, layer.weight[*of]});
              sum += std::fabs(values.at(e)) * layer.weight[*of];
            }
            if (normalize && sum > 0) {
              const double factor = known.row_weight[batch.nodes[r]] / sum;
              for (Drawn& arc : arcs) arc.weight = static_cast<float>(arc.weight * factor);
            }
            writer.row(arcs);
          }
        });
  });
}
