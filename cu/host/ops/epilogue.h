// What follows a product, over runs of rows: dropout(activation(x + y + bias)). The epilogue op runs it over a matrix,
// spmm and gemm over the rows of a task while they are in the cache. y may end before x: it is added to the first rows.
#pragma once

#include <vector>

#include "../../common/functions.h"
#include "dropout.h"

GUST_OPS_BEGIN

constexpr int64_t kTile = 2048;  // elements that stay in the first-level cache

using functions::kNone, functions::kRelu, functions::kElu, functions::kTanh;

inline void check_drop(double p) {
  if (!(p >= 0 && p < 1)) fail(GUST_EINVAL, "dropout probability %g, expected 0 to below 1", p);
}

/** One call; absent terms are null. Rows have f >= 1 numbers. */
template <class T>
class Epilogue {
 public:
  Epilogue(int64_t f, const Slot& y, const T* bias, int64_t kind, double slope, double p, const Random& random,
           const Slot& ids)
      : f_(f), y_(y.as<T>()), y_rows_(y.live ? y.rows : 0), kind_(kind), slope_(static_cast<T>(slope)), p_(p),
        random_(random), ids_(ids), tile_(row_grain(f, kTile)) {
    check_drop(p);
    // The bias of every element of a tile, so that narrow rows fill vectors.
    if (!bias) return;
    wide_.resize(static_cast<size_t>(tile_ * f));
    for (int64_t r = 0; r < tile_; ++r) std::copy_n(bias, f, wide_.data() + r * f);
  }

  /** Whether it changes nothing. */
  bool is_empty() const { return y_rows_ == 0 && only_adds(); }

  /** Rows begin .. end-1 of out = dropout(activation(x + y + bias)); out may be x or y. */
  void rows(const T* x, T* out, int64_t begin, int64_t end) const {
    const int64_t added = std::clamp(y_rows_, begin, end);
    functions::with_activation(kind_, slope_, [&](auto activation) {
      for (int64_t r = begin; r < added; r += tile_) tile(activation, x, y_, out, r, std::min(added, r + tile_));
      if (x == out && only_adds()) return;
      for (int64_t r = added; r < end; r += tile_) tile(activation, x, nullptr, out, r, std::min(end, r + tile_));
    });
  }

 private:
  /** Whether rows without y stay as they are. */
  bool only_adds() const { return wide_.empty() && kind_ == kNone && p_ == 0; }

  template <class Activation>
  void tile(const Activation& activation, const T* x, const T* y, T* out, int64_t begin, int64_t end) const {
    const int64_t f = f_, at = begin * f, count = (end - begin) * f;
    const T* wide = wide_.empty() ? nullptr : wide_.data();
    auto fill = [=](auto sum) {
#pragma GCC ivdep
      for (int64_t k = 0; k < count; ++k) out[at + k] = activation(sum(k));
    };
    if (y && wide) fill([=](int64_t k) { return x[at + k] + y[at + k] + wide[k]; });
    else if (y) fill([=](int64_t k) { return x[at + k] + y[at + k]; });
    else if (wide) fill([=](int64_t k) { return x[at + k] + wide[k]; });
    else fill([=](int64_t k) { return x[at + k]; });
    if (p_ > 0)
      with_ids(ids_, [&](auto id) {
        drop_run(random_, p_, begin, end, static_cast<const T*>(out), out,
                 [=](int64_t i) { return DrawRow{id(i), i * f, f}; });
      });
  }

  int64_t f_;
  const T* y_;
  int64_t y_rows_;
  int64_t kind_;
  T slope_;
  double p_;
  Random random_;
  const Slot& ids_;
  int64_t tile_;  // rows
  std::vector<T> wide_;
};

GUST_OPS_END
