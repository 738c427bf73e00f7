// Grid: node r * cols + c is joined to its right and lower neighbours, with `diagonal` also to the two below on either
// side, with `torus` across the border. A border is only wrapped where it is more than two nodes long: below that the
// edge is there already, or would be a self-loop. So every edge comes once, from its upper (or left) end.
#include "../include/gust.h"
#include "generate.h"

namespace gust {
namespace {

class Grid final : public Generator {
 public:
  Grid(uint64_t seed_, int64_t rows, int64_t cols, bool diagonal, bool torus)
      : rows_(rows), cols_(cols), diagonal_(diagonal), torus_(torus) {
    num_nodes = rows * cols;
    items = num_nodes;
    per_item = diagonal ? 4 : 2;
    seed = seed_;
  }

  int64_t draw(int64_t begin, int64_t end, Arc* out) const override {
    int64_t count = 0;
    for (int64_t v = begin; v < end; ++v) {
      const int64_t r = v / cols_, c = v - r * cols_;
      const int64_t down = next(r, rows_), right = next(c, cols_);
      if (right >= 0) out[count++] = {v, r * cols_ + right};
      if (down < 0) continue;
      out[count++] = {v, down * cols_ + c};
      if (!diagonal_) continue;
      const int64_t left = c > 0 ? c - 1 : torus_ && cols_ > 2 ? cols_ - 1 : -1;
      if (right >= 0) out[count++] = {v, down * cols_ + right};
      if (left >= 0) out[count++] = {v, down * cols_ + left};
    }
    return count;
  }

 private:
  int64_t next(int64_t i, int64_t size) const { return i + 1 < size ? i + 1 : torus_ && size > 2 ? 0 : -1; }

  int64_t rows_, cols_;
  bool diagonal_, torus_;
};

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_generate_grid(int64_t seed, int64_t rows, int64_t cols, int32_t diagonal, int32_t torus, int64_t classes,
                           int64_t* out) {
  return guard([&] {
    if (rows < 0 || cols < 0 || classes < 0 || classes >> 31 || (cols > 0 && rows > (int64_t{1} << 40) / cols))
      fail(GUST_EINVAL, "grid of %lld x %lld nodes, expected at most 2^40", static_cast<long long>(rows),
           static_cast<long long>(cols));
    Generator* made = new Grid(static_cast<uint64_t>(seed), rows, cols, diagonal != 0, torus != 0);
    made->num_classes = classes;
    out[0] = reinterpret_cast<int64_t>(made);
  });
}
