// R-MAT (Chakrabarti, Zhan, Faloutsos, SDM 2004), without noise: an edge walks down `scale` levels of the adjacency
// matrix, choosing the quadrant (0,0), (0,1), (1,0) or (1,1) with probabilities a, b, c, d at each.
//
// Four levels make one choice among 256 outcomes: one 32-bit draw and one look-up by Walker's alias method (ACM TOMS
// 1977, table after Vose, IEEE TSE 1991), all in integers; probabilities are rounded to multiples of 2^-32. A scale
// that is no multiple of four leaves bits of the last choice unused, which is sound as levels are independent.
#include <cmath>

#include "../include/gust.h"
#include "../common/rng_blocks.h"
#include "generate.h"

namespace gust {
namespace {

constexpr int64_t kMaxScale = 32;
constexpr int kLevels = 4;                          // per draw
constexpr uint32_t kOutcomes = 1u << (2 * kLevels);
constexpr uint64_t kColumn = uint64_t{1} << 24;     // weight of one column: 2^32 / 256

/** Alias table over the outcomes of four levels; an outcome is the row's four bits, then the column's. */
class Table {
 public:
  explicit Table(const double (&p)[4]) {
    int64_t weight[kOutcomes], rest = int64_t{1} << 32;
    for (uint32_t k = 0; k < kOutcomes; ++k) {
      double q = 1;
      for (int level = 0; level < kLevels; ++level) q *= p[(k >> (4 + level) & 1) * 2 + (k >> level & 1)];
      rest -= weight[k] = static_cast<int64_t>(std::floor(q * 0x1p32));
    }
    // What rounding down has left goes to the likeliest outcome.
    *std::max_element(weight, weight + kOutcomes) += rest;
    uint32_t small[kOutcomes], large[kOutcomes];
    int smalls = 0, larges = 0;
    for (uint32_t k = 0; k < kOutcomes; ++k) {
      if (weight[k] < static_cast<int64_t>(kColumn)) small[smalls++] = k;
      else large[larges++] = k;
    }
    // Each small outcome's column is filled up by a large one. Integers: the columns come out exactly full.
    while (smalls > 0) {
      const uint32_t s = small[--smalls], l = large[larges - 1];
      columns_[s] = {static_cast<uint32_t>(weight[s]), static_cast<uint8_t>(s), static_cast<uint8_t>(l)};
      weight[l] -= static_cast<int64_t>(kColumn) - weight[s];
      if (weight[l] < static_cast<int64_t>(kColumn)) {
        --larges;
        small[smalls++] = l;
      }
    }
    while (larges > 0) {
      const uint32_t l = large[--larges];
      columns_[l] = {static_cast<uint32_t>(kColumn), static_cast<uint8_t>(l), static_cast<uint8_t>(l)};
    }
  }

  uint32_t pick(uint32_t draw) const {
    const Column& c = columns_[draw >> 24];
    return (draw & (kColumn - 1)) < c.threshold ? c.own : c.alias;
  }

 private:
  struct Column {
    uint32_t threshold;
    uint8_t own, alias;
  } columns_[kOutcomes];
};

class Rmat final : public Generator {
 public:
  Rmat(uint64_t seed_, int64_t scale, int64_t edges, const double (&p)[4], bool permute, bool directed_)
      : random_(seed_, stream_id("generate.rmat"), 0, 0, 0), scale_(static_cast<int>(scale)), table_(p),
        permute_(permute) {
    num_nodes = int64_t{1} << scale;
    items = edges;
    directed = directed_;
    seed = seed_;
    if (permute) ids_ = Permutation(num_nodes, seed_, stream_id("generate.permute"));
  }

  int64_t draw(int64_t begin, int64_t end, Arc* out) const override {
    constexpr int kMostDraws = kMaxScale / kLevels, kMostBlocks = kMostDraws / 4;
    const int draws = (scale_ + kLevels - 1) / kLevels, blocks = (draws + 3) / 4;
    const int unused = draws * kLevels - scale_;
    uint32_t c0[kItems * kMostBlocks], c1[kItems * kMostBlocks], words[kItems * kMostBlocks * 4];
    for (int64_t i = begin; i < end; ++i) {
      for (int b = 0; b < blocks; ++b) {
        const int64_t at = (i - begin) * blocks + b;
        c0[at] = static_cast<uint32_t>(i);
        c1[at] = (static_cast<uint32_t>(i >> 32) & 0xffu) | random_.c1 | static_cast<uint32_t>(b) << 16;
      }
    }
    philox_blocks(random_, c0, c1, static_cast<int>((end - begin) * blocks), words);
    int64_t count = 0;
    for (int64_t i = 0; i < end - begin; ++i) {
      const uint32_t* word = words + i * blocks * 4;
      uint64_t from = 0, to = 0;
      for (int d = 0; d < draws; ++d) {
        const uint32_t k = table_.pick(word[d]);
        from = from << kLevels | k >> kLevels;
        to = to << kLevels | (k & ((1u << kLevels) - 1));
      }
      from >>= unused;
      to >>= unused;
      out[count] = {static_cast<int64_t>(from), static_cast<int64_t>(to)};
      count += from != to;
    }
    if (permute_)
      for (int64_t i = 0; i < count; ++i) out[i] = {ids_.forward(out[i].from), ids_.forward(out[i].to)};
    return count;
  }

  int64_t left_out(int64_t drawn, int64_t edges) const override { return drawn - edges; }

 private:
  Random random_;
  int scale_;
  Table table_;
  bool permute_;
  Permutation ids_;
};

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_generate_rmat(int64_t seed, int64_t scale, int64_t edges, double a, double b, double c, int32_t permute,
                           int32_t directed, int64_t classes, int64_t* out) {
  return guard([&] {
    if (scale < 1 || scale > kMaxScale || edges < 0 || edges >> 40 || classes < 0 || classes >> 31)
      fail(GUST_EINVAL, "R-MAT of scale %lld with %lld edges, expected a scale of 1 .. %lld and edges below 2^40",
           static_cast<long long>(scale), static_cast<long long>(edges), static_cast<long long>(kMaxScale));
    const double p[4] = {a, b, c, 1 - (a + b + c)};
    // The last one is a difference and may come out as a tiny negative number where it should be zero.
    if (!(a >= 0 && b >= 0 && c >= 0 && p[3] >= -1e-12))
      fail(GUST_EINVAL, "R-MAT probabilities %g, %g, %g: expected none negative and a sum of at most 1", a, b, c);
    Generator* made = new Rmat(static_cast<uint64_t>(seed), scale, edges, {a, b, c, std::max(0.0, p[3])}, permute != 0,
                               directed != 0);
    made->num_classes = classes;
    out[0] = reinterpret_cast<int64_t>(made);
  });
}
