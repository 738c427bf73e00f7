// What generated nodes carry: labels, features and a split. Everything is a function of the seed and the node.
//
// A normal deviate is the sum of eight 16-bit uniforms of one Philox block, centred and scaled to variance 1 (an
// Irwin-Hall variable: kurtosis 3 - 6 / 40, bounded by 4.9): integers and one product, so the same bits on every
// machine. Features of node v: centre of its class + noise * deviates, one block per entry.
#include "../include/gust.h"
#include "../common/parallel.h"
#include "../common/rng_blocks.h"
#include "generate.h"

namespace gust {
namespace {

constexpr int64_t kNodes = int64_t{1} << 16;   // per task
constexpr int64_t kEntries = int64_t{1} << 15; // feature entries per task

constexpr int32_t kSumMean = 8 * 65535 / 2;
/** 1 / sqrt(8 (2^32 - 1) / 12): a 16-bit uniform has variance (2^32 - 1) / 12. */
constexpr float kSumScale = 1.86881237e-05f;

/** Rows of `cols` normal deviates; row r belongs to id first + r. */
void put_normals(const Random& random, int64_t first, int64_t rows, int64_t cols, float* out) {
  auto row = [&](int64_t r) { return DrawRow{static_cast<uint64_t>(first + r), r * cols * 4, cols * 4}; };
  for_draws(random, 0, rows, row, [&](int64_t at, const uint32_t* words, int64_t count) {
    for (int64_t k = 0; k < count; k += 4) {
      int32_t sum = -kSumMean;
      for (int w = 0; w < 4; ++w) sum += static_cast<int32_t>((words[k + w] & 0xffff) + (words[k + w] >> 16));
      out[(at + k) / 4] = static_cast<float>(sum) * kSumScale;
    }
  });
}

}  // namespace

int32_t Generator::class_of(int64_t node) const {
  const Random random(seed, stream_id("generate.labels"), 0, 0, 0);
  return static_cast<int32_t>(random.below(static_cast<uint64_t>(node), 0, static_cast<uint64_t>(num_classes)));
}

NodeFeatures::NodeFeatures(const Generator& g, int64_t cols_, double noise)
    : cols(cols_), generator_(g), noise_(static_cast<float>(noise)) {
  if (!g.has_centres()) return;
  centres_.resize(static_cast<size_t>(g.num_classes * cols));
  put_normals(Random(g.seed, stream_id("generate.centres"), 0, 0, 0), 0, g.num_classes, cols, centres_.data());
}

void NodeFeatures::rows(int64_t begin, int64_t end, float* out) const {
  put_normals(Random(generator_.seed, stream_id("generate.features"), 0, 0, 0), begin, end - begin, cols, out);
  if (centres_.empty()) return;
  for (int64_t v = begin; v < end; ++v) {
    const float* centre = centres_.data() + generator_.class_of(v) * cols;
    float* row = out + (v - begin) * cols;
    for (int64_t f = 0; f < cols; ++f) row[f] = centre[f] + noise_ * row[f];
  }
}

}  // namespace gust

using namespace gust;

int32_t gust_generate_labels(int64_t generator, int64_t unlabelled, int64_t wrong, int64_t labels) {
  return guard([&] {
    const Generator& g = generator_of(generator);
    if (g.num_classes < 1) fail(GUST_EINVAL, "labels of a graph without classes");
    const Random random(g.seed, stream_id("generate.unlabelled"), 0, 0, 0);
    const Random noise(g.seed, stream_id("generate.label_noise"), 0, 0, 0);
    auto seen = [&](uint64_t v, int32_t own) {
      if (g.num_classes < 2 || noise.u32(2 * v, 0) >= wrong) return own;
      const auto other = static_cast<int32_t>(noise.below(2 * v + 1, 0, static_cast<uint64_t>(g.num_classes - 1)));
      return other + (other >= own);
    };
    auto* out = reinterpret_cast<int32_t*>(labels);
    parallel_for(g.num_nodes, kNodes, [&](int64_t begin, int64_t end) {
      for (int64_t v = begin; v < end; ++v)
        out[v] = random.u32(static_cast<uint64_t>(v), 0) < unlabelled ? -1 : seen(static_cast<uint64_t>(v), g.class_of(v));
    });
  });
}

int32_t gust_generate_features(int64_t generator, int64_t begin, int64_t end, int64_t cols, double noise,
                               int64_t address) {
  return guard([&] {
    const Generator& g = generator_of(generator);
    auto* out = reinterpret_cast<float*>(address);
    const NodeFeatures features(g, cols, noise);
    parallel_for(end - begin, std::max<int64_t>(1, kEntries / std::max<int64_t>(1, cols)),
                 [&](int64_t from, int64_t to) { features.rows(begin + from, begin + to, out + from * cols); });
  });
}

int32_t gust_generate_split(int64_t generator, int64_t labels, int64_t train, int64_t val, int64_t part, int64_t* out) {
  return guard([&] {
    const Generator& g = generator_of(generator);
    const auto* label = reinterpret_cast<const int32_t*>(labels);
    auto* parts = reinterpret_cast<uint8_t*>(part);
    for (int i = 0; i < 4; ++i) out[i] = 0;
    for (int64_t v = 0; v < g.num_nodes; ++v) {
      parts[v] = label[v] < 0 ? 0 : 3;
      ++out[parts[v]];
    }
    // Nodes in random order fill the classes' quotas.
    const Permutation order(g.num_nodes, g.seed, stream_id("generate.split"));
    std::vector<int64_t> taken(static_cast<size_t>(g.num_classes));
    int64_t missing = g.num_classes * (train + val);
    for (int64_t i = 0; i < g.num_nodes && missing > 0; ++i) {
      const int64_t v = order.forward(i);
      if (label[v] < 0 || taken[label[v]] == train + val) continue;
      parts[v] = taken[label[v]]++ < train ? 1 : 2;
      ++out[parts[v]];
      --out[3];
      --missing;
    }
    for (int64_t c = 0; missing > 0 && c < g.num_classes; ++c)
      if (taken[c] < train + val)
        fail(GUST_EDATA, "class %lld has %lld labelled nodes, expected at least %lld + %lld for training and validation",
             static_cast<long long>(c), static_cast<long long>(taken[c]), static_cast<long long>(train),
             static_cast<long long>(val));
  });
}

int32_t gust_generate_split_nodes(int64_t part, int64_t begin, int64_t end, int32_t which, int64_t nodes, int64_t* out) {
  return guard([&] {
    const auto* parts = reinterpret_cast<const uint8_t*>(part);
    auto* to = reinterpret_cast<int64_t*>(nodes);
    int64_t count = 0;
    for (int64_t v = begin; v < end; ++v) {
      to[count] = v;  // `nodes` has room for end - begin
      count += parts[v] == which;
    }
    out[0] = count;
  });
}
