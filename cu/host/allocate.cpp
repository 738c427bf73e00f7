// How many rows each layer keeps under a budget of multiply-adds: a greedy choice for the knapsack problem.
//
//   choose k_1 .. k_L that minimise  sum over l of scale_l * (scores of layer l outside of its k_l largest)
//   subject to                       sum over l of width_l * (entries of its k_l largest rows)  <=  cap
//
// From all rows with a score that is not 0 on, a step takes the last `block` rows of the layer that loses the least by
// it, of equal ones the first. The loss of a step is what it takes off, not that per multiply-add saved. A layer with
// no more than `block` rows gives none, and others go on. Of the last step's rows as many stay as the cap has room for:
// where few rows have most of the entries, a whole block would leave much of the budget unused.
//
// Owner: one layer per task, which sorts its scores. Memory: 16 bytes per row and layer, 16 more while it is sorted.
// Determinism: rows are ordered by score, then by number; losses are differences of prefix sums in float64, taken in
//   this order; counts and costs are integers.
// Source: Liu et al. 2023, arXiv:2210.10737, algorithm 1.
#include <algorithm>
#include <bit>
#include <cmath>

#include "../include/gust.h"
#include "../common/parallel.h"
#include "partition.h"

namespace gust {
namespace {

using partition::Array;

/** The rows of one layer, best first: those with a score, and others where a layer keeps more than those. */
struct Layer {
  Array<double> score;  // score[r]: of the first r rows, scaled
  Array<int64_t> cost;  // cost[r]: their multiply-adds
  int64_t kept = 0;

  double loss(int64_t block) const { return score[kept] - score[kept - block]; }
  int64_t saved(int64_t block) const { return cost[kept] - cost[kept - block]; }
};

/** Keys ascending by their upper 32 bits, equal ones in place: a counting sort digit by digit. */
void sort_keys(Array<uint64_t>& keys, int64_t count) {
  constexpr int kDigitBits = 11;
  constexpr uint64_t kDigits = uint64_t{1} << kDigitBits;
  Array<uint64_t> other(keys.size());
  Array<int64_t> starts(static_cast<int64_t>(kDigits) + 1);
  for (int shift = 32; shift < 64; shift += kDigitBits) {
    starts.fill(0);
    for (int64_t i = 0; i < count; ++i) ++starts[static_cast<int64_t>(keys[i] >> shift & (kDigits - 1))];
    exclusive_scan(starts.data(), static_cast<int64_t>(kDigits));
    for (int64_t i = 0; i < count; ++i)
      other[starts[static_cast<int64_t>(keys[i] >> shift & (kDigits - 1))]++] = keys[i];
    std::swap(keys, other);
  }
}

/** Sort the rows of layer `l`: scores descend as the complements of their bits ascend, and rows break ties. */
void sort_rows(Layer& layer, int64_t l, int64_t n, const float* scores, const int64_t* counts, int64_t width,
               double scale, int64_t least) {
  Array<uint64_t> keys(n);
  for (int64_t i = 0; i < n; ++i) {
    if (!(scores[i] >= 0) || std::isinf(scores[i]))
      fail(GUST_EDATA, "score %g of row %lld in layer %lld, expected a finite number that is not negative",
           static_cast<double>(scores[i]), static_cast<long long>(i), static_cast<long long>(l));
    const uint32_t bits = scores[i] == 0 ? 0 : std::bit_cast<uint32_t>(scores[i]);
    if (bits != 0) keys[layer.kept++] = uint64_t{~bits} << 32 | static_cast<uint64_t>(i);
  }
  sort_keys(keys, layer.kept);
  const int64_t listed = std::max(layer.kept, least);
  for (int64_t i = 0, r = layer.kept; r < listed; ++i)
    if (scores[i] == 0) keys[r++] = static_cast<uint64_t>(i);
  layer.score = Array<double>(listed + 1);
  layer.cost = Array<int64_t>(listed + 1);
  layer.score[0] = 0;
  layer.cost[0] = 0;
  for (int64_t r = 0; r < listed; ++r) {
    const auto row = static_cast<int64_t>(keys[r] & 0xffffffffu);
    layer.score[r + 1] = layer.score[r] + static_cast<double>(scores[row]) * scale;
    layer.cost[r + 1] = layer.cost[r] + counts[row] * width;
  }
}

/** The multiply-adds of all layers with every row; refuses what an int64 cannot count. */
void check_costs(int64_t layers, int64_t n, const int64_t* counts, const int64_t* widths, const double* scale) {
  int64_t entries = 0, total = 0, part = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (counts[i] < 0)
      fail(GUST_EDATA, "row %lld has %lld entries", static_cast<long long>(i), static_cast<long long>(counts[i]));
    if (__builtin_add_overflow(entries, counts[i], &entries))
      fail(GUST_EINVAL, "the entries of %lld rows, expected fewer than 2^63", static_cast<long long>(n));
  }
  for (int64_t l = 0; l < layers; ++l) {
    if (widths[l] < 0 || !(scale[l] >= 0) || std::isinf(scale[l]))
      fail(GUST_EINVAL, "layer %lld of width %lld and scale %g, expected finite ones that are not negative",
           static_cast<long long>(l), static_cast<long long>(widths[l]), scale[l]);
    if (__builtin_mul_overflow(entries, widths[l], &part) || __builtin_add_overflow(total, part, &total))
      fail(GUST_EINVAL, "%lld entries in %lld layers cost 2^63 multiply-adds or more", static_cast<long long>(entries),
           static_cast<long long>(layers));
  }
}

/** Take rows off until the rest costs at most `cap`, or no layer has more than `block`; returns its cost. */
int64_t fit(std::vector<Layer>& layers, int64_t cap, int64_t block) {
  int64_t cost = 0;
  for (const Layer& layer : layers) cost += layer.cost[layer.kept];
  Layer* least = nullptr;
  while (cost > cap) {
    least = nullptr;
    for (Layer& layer : layers)
      if (layer.kept > block && (!least || layer.loss(block) < least->loss(block))) least = &layer;
    if (!least) break;
    cost -= least->saved(block);
    least->kept -= block;
  }
  if (!least) return cost;
  const int64_t* first = least->cost.data() + least->kept;
  const int64_t room = std::upper_bound(first, first + block, *first + (cap - cost)) - first - 1;
  least->kept += room;
  return cost + first[room] - first[0];
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_allocate_rows(int64_t layers, int64_t n, int64_t scores, int64_t counts, int64_t widths, int64_t scale,
                           int64_t cap, int64_t block, int64_t least, int64_t kept, int64_t used) {
  return guard([&] {
    if (layers < 0 || n < 0 || n > INT32_MAX || cap < 0 || block < 1 || least < 0)
      fail(GUST_EINVAL, "%lld layers of %lld rows, %lld at a time, at least %lld, cap %lld: expected at least 0 "
           "(1 at a time), and fewer than 2^31 rows",
           static_cast<long long>(layers), static_cast<long long>(n), static_cast<long long>(block),
           static_cast<long long>(least), static_cast<long long>(cap));
    const auto* s = reinterpret_cast<const float*>(scores);
    const auto *c = reinterpret_cast<const int64_t*>(counts), *w = reinterpret_cast<const int64_t*>(widths);
    const auto* factors = reinterpret_cast<const double*>(scale);
    check_costs(layers, n, c, w, factors);
    std::vector<Layer> of(static_cast<size_t>(layers));
    const int64_t at_least = std::min(least, n);
    parallel_tasks(layers, [&](int64_t l) { sort_rows(of[l], l, n, s + l * n, c, w[l], factors[l], at_least); });
    auto *to = reinterpret_cast<int64_t*>(kept), *spent = reinterpret_cast<int64_t*>(used);
    spent[0] = fit(of, cap, block);
    spent[1] = 0;
    for (int64_t l = 0; l < layers; ++l) {
      to[l] = std::max(at_least, of[l].kept);
      spent[1] += of[l].cost[to[l]];
    }
  });
}
