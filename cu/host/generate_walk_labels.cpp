// Several labels per node that depend on its neighbourhood at known distances: with distances 0 .. H, label l is whether
// the mean of feature column l / (H + 1) over the ends of walks of l mod (H + 1) steps from the node is among the
// highest `share` of all nodes' means. So a model of H layers can tell all labels, one of fewer layers some, and a model
// without the graph those of distance 0 alone.
//
// Columns are taken kColumns at a time: memory is two floats per node and column. Rows are means over stored arcs in
// their order, so that the numbers are the same for any thread count.
#include <algorithm>
#include <cmath>

#include "../include/gust.h"
#include "../common/dtype.h"
#include "../common/parallel.h"
#include "generate.h"

namespace gust {
namespace {

constexpr int64_t kColumns = 8;
constexpr int64_t kNodes = int64_t{1} << 12;  // per task

/** x[v * width + j] = feature column first + j of node v. */
void take_columns(const NodeFeatures& features, int64_t n, int64_t first, int64_t width, float* x) {
  parallel_for(n, kNodes, [&](int64_t begin, int64_t end) {
    std::vector<float> rows(static_cast<size_t>((end - begin) * features.cols));
    features.rows(begin, end, rows.data());
    for (int64_t v = begin; v < end; ++v)
      for (int64_t j = 0; j < width; ++j) x[v * width + j] = rows[(v - begin) * features.cols + first + j];
  });
}

/** One step of every walk: y[v] = mean of x over the in-neighbours of v, 0 without any. */
template <class Id>
void step(int64_t n, const int64_t* indptr, const Id* indices, int64_t width, const float* x, float* y) {
  parallel_for(n, kNodes, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) {
      float sum[kColumns] = {};
      for (int64_t e = indptr[v]; e < indptr[v + 1]; ++e)
        for (int64_t j = 0; j < width; ++j) sum[j] += x[indices[e] * width + j];
      const float degree = static_cast<float>(std::max<int64_t>(1, indptr[v + 1] - indptr[v]));
      for (int64_t j = 0; j < width; ++j) y[v * width + j] = sum[j] / degree;
    }
  });
}

/** Label `label` of every node: whether its number in column j is above that of all but `most` nodes. */
void put_label(int64_t n, const float* x, int64_t width, int64_t j, int64_t most, int64_t count, int64_t label,
               uint8_t* out) {
  std::vector<float> sorted(static_cast<size_t>(n));
  for (int64_t v = 0; v < n; ++v) sorted[v] = x[v * width + j];
  float bound = INFINITY;
  if (most > 0) {
    // The largest number that is not among the highest, where there is one.
    auto at = sorted.begin() + std::max<int64_t>(0, n - most - 1);
    std::nth_element(sorted.begin(), at, sorted.end());
    bound = most < n ? *at : -INFINITY;
  }
  for (int64_t v = 0; v < n; ++v) out[v * count + label] = x[v * width + j] > bound;
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_generate_walk_labels(int64_t generator, int64_t indptr, int64_t indices, int32_t dtype, int64_t cols,
                                  double noise, int64_t count, int64_t hops, int64_t share, int64_t labels) {
  return guard([&] {
    const Generator& g = generator_of(generator);
    const int64_t n = g.num_nodes, distances = hops + 1, used = count < 0 ? 0 : (count + hops) / distances;
    if (count < 0 || count > 65536 || hops < 0 || hops > 255 || share < 0 || share > int64_t{1} << 32 || used > cols)
      fail(GUST_EINVAL, "%lld labels at distances 0 to %lld of %lld features: out of range",
           static_cast<long long>(count), static_cast<long long>(hops), static_cast<long long>(cols));
    const auto* ptr = reinterpret_cast<const int64_t*>(indptr);
    auto* out = reinterpret_cast<uint8_t*>(labels);
    const NodeFeatures features(g, cols, noise);
    const auto most = static_cast<int64_t>(static_cast<unsigned __int128>(n) * static_cast<uint64_t>(share) >> 32);
    std::vector<float> from(static_cast<size_t>(n * std::min(used, kColumns))), to(from.size());
    for (int64_t first = 0; first < used; first += kColumns) {
      const int64_t width = std::min(kColumns, used - first);
      take_columns(features, n, first, width, from.data());
      for (int64_t r = 0; r < distances; ++r) {
        if (r > 0) {
          dispatch_index(dtype, [&](auto zero) {
            step(n, ptr, reinterpret_cast<const decltype(zero)*>(indices), width, from.data(), to.data());
          });
          from.swap(to);
        }
        parallel_tasks(width, [&](int64_t j) {
          const int64_t label = (first + j) * distances + r;
          if (label < count) put_label(n, from.data(), width, j, most, count, label, out);
        });
      }
    }
  });
}
