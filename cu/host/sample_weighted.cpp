// Neighbour sampling with arc weights: with replacement, in proportion to the weights of the arcs, or both.
//
// Without replacement the arcs with the `fanout` smallest keys -log(U) / weight are drawn: of those that are left,
// each next one in proportion to its weight. Given the next key tau, an arc is in with probability 1 - exp(-weight
// tau), and the inverse of that as its arc weight makes row sums exactly unbiased. Arcs of weight 0 are never drawn.
// With replacement, fanout draws of probability p (weight over the row's sum, or 1 / d) are searched for in running
// sums; an arc drawn m times is stored once, with arc weight m / (fanout p): row sums are unbiased.
//
// Source: Efraimidis and Spirakis 2006, Inf. Process. Lett. 97(5) (keys); Cohen and Kaplan 2007, PODC (their weights).
// Cost: O(arcs of the rows reached). Parallel over batches. Draws are keyed by the ids of the arc's nodes, with
// replacement by the row's alone, whose arcs then stand in the order of their sources' ids.
#include "../include/gust.h"
#include "../common/draws.h"
#include "sample_weighted.h"

using namespace gust;
using namespace gust::sampling;

namespace {

/** log(x) of x in (0, 1] by sums and products alone, so that every machine gives the same bits; relative error 1e-15. */
double natural_log(double x) {
  int exponent;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752) m *= 2, --exponent;
  // log m = 2 atanh z, z = (m - 1) / (m + 1), |z| < 0.1716: the terms fall by a factor 34.
  const double z = (m - 1) / (m + 1), z2 = z * z;
  double sum = 0;
  for (int k = 21; k >= 1; k -= 2) sum = sum * z2 + 1.0 / k;
  return exponent * 0.69314718055994531 + 2 * z * sum;
}

constexpr uint32_t kMostPairs = 1 << 17;  // of 64-bit draws of one id

struct Key {
  double key;
  uint64_t id;
  int64_t edge;
  double weight;
  bool operator<(const Key& other) const {
    return key != other.key ? key < other.key : id != other.id ? id < other.id : edge < other.edge;
  }
};

/** The arcs of a row in the order of their sources' ids, as they are drawn from. */
template <class I>
void arcs_by_id(const GraphView<I>& graph, typename GraphView<I>::Row row, std::vector<std::pair<uint64_t, int64_t>>& arcs) {
  arcs.clear();
  for (int64_t e = row.begin; e < row.end; ++e) arcs.emplace_back(graph.id(graph.source(e)), e);
  if (!graph.in_id_order) std::sort(arcs.begin(), arcs.end());
}

constexpr double kMostWeight = 1e300;  // sums of them are finite

double weight_at(const ArcValues& values, int64_t edge) {
  const double w = values.at(edge);
  if (!(w >= 0) || w > kMostWeight) [[unlikely]]
    fail(GUST_EINVAL, "tensor \"edge_weight\" holds %g at position %lld, expected weights of 0 to %g to draw by", w, ll(edge),
         kMostWeight);
  return w;
}

}  // namespace

int32_t gust_sample_weighted(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                             const int64_t* fanout, int64_t hops, int64_t weights, int32_t weights_dtype,
                             int32_t replace, int64_t seed, int64_t epoch, int64_t first_step, int64_t* out) {
  return guard([&] {
    const ArcValues values(weights, weights_dtype);
    sample_batches(
        sampler, seeds, seed_ptr, num_batches, hops, first_step, out,
        [&](const auto& graph, Sampler&, Batch& batch, auto& writer, int64_t rows, int64_t step, int64_t hop) {
          const Random random = hop_random(replace ? "sample.replace" : "sample.weighted", seed, epoch, step, hop);
          const int64_t k = fanout[hop];
          std::vector<Drawn> arcs;
          std::vector<std::pair<uint64_t, int64_t>> row_arcs;
          std::vector<Key> keys;
          std::vector<double> sums;
          std::vector<int64_t> picks;
          for (int64_t r = 0; r < rows; ++r) {
            const int64_t v = batch.nodes[r];
            const auto row = graph.row(v);
            const int64_t d = row.size();
            arcs.clear();
            if (k < 0) {
              for (int64_t e = row.begin; e < row.end; ++e) arcs.push_back({e, 1});
            } else if (k > 0 && d > 0) {
              arcs_by_id(graph, row, row_arcs);
              Draws draws(random, graph.id(v));
              if (replace) {
                sums.clear();
                picks.clear();
                double total = static_cast<double>(d);
                if (values.values) {
                  total = 0;
                  for (const auto& [id, e] : row_arcs) sums.push_back(total += weight_at(values, e));
                }
                for (int64_t i = 0; i < k && total > 0; ++i) {
                  if (!values.values) {
                    picks.push_back(static_cast<int64_t>(draws.below(static_cast<uint64_t>(d))));
                    continue;
                  }
                  const double at = static_cast<double>(draws.below(uint64_t{1} << 53)) * 0x1p-53 * total;
                  const auto place = std::upper_bound(sums.begin(), sums.end(), at) - sums.begin();
                  picks.push_back(std::min<int64_t>(place, d - 1));
                }
                if (draws.used_up()) fail(GUST_EINVAL, "%s", kDrawsUsedUp);
                std::sort(picks.begin(), picks.end());
                for (size_t i = 0; i < picks.size();) {
                  size_t same = i;
                  while (same < picks.size() && picks[same] == picks[i]) ++same;
                  const int64_t e = row_arcs[picks[i]].second;
                  const double p = (values.values ? values.at(e) : 1) / total;
                  arcs.push_back({e, static_cast<float>(static_cast<double>(same - i) / (static_cast<double>(k) * p))});
                  i = same;
                }
              } else {
                keys.clear();
                const uint64_t row_id = mix64(graph.id(v));
                uint32_t again = 0;
                for (int64_t i = 0; i < d; ++i) {
                  const auto [id, e] = row_arcs[i];
                  again = i > 0 && row_arcs[i - 1].first == id ? again + 1 : 0;
                  const double u = random.f64(edge_id(row_id, id), again % kMostPairs) + 0x1p-54;
                  if (const double w = weight_at(values, e); w > 0) keys.push_back({-natural_log(u) / w, id, e, w});
                }
                if (static_cast<int64_t>(keys.size()) <= k) {
                  for (const Key& key : keys) arcs.push_back({key.edge, 1});
                } else {
                  std::nth_element(keys.begin(), keys.begin() + k, keys.end());
                  const double tau = keys[k].key;
                  for (int64_t i = 0; i < k; ++i)
                    arcs.push_back({keys[i].edge, static_cast<float>(-1 / std::expm1(-keys[i].weight * tau))});
                }
                std::sort(arcs.begin(), arcs.end(), [](const Drawn& a, const Drawn& b) { return a.edge < b.edge; });
              }
            }
            writer.row(arcs);
          }
        });
  });
}
