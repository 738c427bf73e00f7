// Small world on a torus: nodes r * cols + c have their places, and an edge joins a random node to another in the square
// of side 2 reach + 1 around it, or, with probability `rewired`, to any other. So neighbourhoods at different distances
// differ, as they do not in models that draw ends all over the graph.
//
// Source: Watts and Strogatz 1998 (rewired lattices), with binomial degrees. Cost per edge: one Philox block.
#include "../include/gust.h"
#include "generate.h"

namespace gust {
namespace {

class SmallWorld final : public Generator {
 public:
  SmallWorld(uint64_t seed_, int64_t rows, int64_t cols, int64_t edges, int64_t reach, int64_t rewired, bool directed_)
      : random_(seed_, stream_id("generate.small-world"), 0, 0, 0), rows_(rows), cols_(cols), reach_(reach),
        rewired_(static_cast<uint64_t>(rewired)) {
    num_nodes = rows * cols;
    items = edges;
    directed = directed_;
    seed = seed_;
  }

  int64_t draw(int64_t begin, int64_t end, Arc* out) const override {
    const int64_t side = 2 * reach_ + 1, near = side * side - 1;
    for (int64_t i = begin; i < end; ++i) {
      const EdgeBits bits(random_.block(static_cast<uint64_t>(i), 0));
      const int64_t p = bits.below(bits.first, num_nodes);
      int64_t q;
      if (bits.choice < rewired_) {
        q = bits.below(bits.second, num_nodes - 1);
        q += q >= p;
      } else {
        int64_t at = bits.below(bits.second, near);
        at += at >= near / 2;  // the middle of the square is the node itself
        q = around(p / cols_ + at / side - reach_, rows_) * cols_ + around(p % cols_ + at % side - reach_, cols_);
      }
      out[i - begin] = {p, q};
    }
    return end - begin;
  }

 private:
  static int64_t around(int64_t i, int64_t size) { return i < 0 ? i + size : i >= size ? i - size : i; }

  Random random_;
  int64_t rows_, cols_, reach_;
  uint64_t rewired_;  // of 2^32
};

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_generate_small_world(int64_t seed, int64_t rows, int64_t cols, int64_t edges, int64_t reach,
                                  int64_t rewired, int32_t directed, int64_t classes, int64_t* out) {
  return guard([&] {
    if (rows < 1 || cols < 1 || cols > (int64_t{1} << 31) / rows || edges < 0 || edges >> 40 || classes < 0 ||
        classes >> 31 || rewired < 0 || rewired > int64_t{1} << 32)
      fail(GUST_EINVAL, "small world of %lld x %lld nodes, %lld edges: out of range", static_cast<long long>(rows),
           static_cast<long long>(cols), static_cast<long long>(edges));
    if (reach < 1 || reach > 1 << 20 || 2 * reach >= rows || 2 * reach >= cols)
      fail(GUST_EINVAL, "reach %lld on %lld x %lld nodes, expected 2 reach + 1 in either direction",
           static_cast<long long>(reach), static_cast<long long>(rows), static_cast<long long>(cols));
    Generator* made =
        new SmallWorld(static_cast<uint64_t>(seed), rows, cols, edges, reach, rewired, directed != 0);
    made->num_classes = classes;
    out[0] = reinterpret_cast<int64_t>(made);
  });
}
