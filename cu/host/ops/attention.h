// What the two passes of attention.cpp share: scores of entries by the vector, in buffers that stay in the L1 cache.
#pragma once

#include <numeric>
#include <vector>

#include "dropout.h"
#include "head_sum.h"
#include "softmax.h"

GUST_OPS_BEGIN

/** Scores that are worked on at once: the buffers of a task then fill half of an L1 cache. */
constexpr int64_t kScores = 512;

template <class F>
inline F leaky(const F& x, const F& slope) {
  return x > F{} ? x : slope * x;
}

/**
 * (entries, heads) numbers as vectors: lane l of vector k is of head (k * lanes + l) % heads, which repeats after
 * `period` vectors. A tile is that many vectors, one number per lane.
 */
template <class T>
class HeadTiles {
 public:
  explicit HeadTiles(int64_t heads) : heads_(heads), period_(heads / std::gcd(heads, int64_t{kLanes<T>})) {}
  int64_t period() const { return period_; }
  /** Numbers of a tile. */
  int64_t size() const { return period_ * kLanes<T>; }
  /** Vectors that hold the numbers of `count` entries. */
  int64_t vectors(int64_t count) const { return num_chunks(count * heads_, kLanes<T>); }

  /** tile = the numbers of the heads, repeated. */
  void fill(T* tile, const T* of) const {
    for (int64_t k = 0, h = 0; k < size(); ++k, h = h + 1 == heads_ ? 0 : h + 1) tile[k] = of[h];
  }
  /** Call f(h, number) for the numbers of a tile, in order. */
  template <class F>
  void for_lanes(const T* tile, F&& f) const {
    for (int64_t k = 0, h = 0; k < size(); ++k, h = h + 1 == heads_ ? 0 : h + 1) f(h, tile[k]);
  }
  /** Call f(offset of the vector, offset in the tile) for all vectors of `count` entries. */
  template <class F>
  void for_vectors(int64_t count, F&& f) const {
    const int64_t end = vectors(count) * kLanes<T>;
    if (period_ == 1) {
      for (int64_t k = 0; k < end; k += kLanes<T>) f(k, int64_t{0});
    } else {
      for (int64_t k = 0, t = 0; k < end; k += kLanes<T>, t = t + kLanes<T> == size() ? 0 : t + kLanes<T>) f(k, t);
    }
  }
  /** sums[h] += the numbers of head h of `count` entries, whose last vector is filled up with zeros. */
  void add_up(const T* numbers, int64_t count, T* tile, double* sums) const {
    if (period_ == 1) {
      Vec<T> sum{};
      for_vectors(count, [&](int64_t k, int64_t) { sum += load(numbers + k); });
      store<T>(tile, sum);
    } else {
      std::fill_n(tile, size(), T{0});
      for_vectors(count, [&](int64_t k, int64_t t) { store<T>(tile + t, load(tile + t) + load(numbers + k)); });
    }
    for_lanes(tile, [&](int64_t h, T x) { sums[h] += static_cast<double>(x); });
  }

 private:
  int64_t heads_, period_;
};

/** Memory of a task, from which buffers are cut; a vector may be read past the end of each. */
template <class T>
class Buffers {
 public:
  /** Numbers that a buffer of `size` takes. */
  static int64_t room(int64_t size) { return (num_chunks(size, kLanes<T>) + 1) * kLanes<T>; }
  explicit Buffers(int64_t numbers) : memory_(static_cast<size_t>(numbers)) {}
  T* take(int64_t size) {
    T* from = memory_.data() + used_;
    used_ += room(size);
    return from;
  }

 private:
  std::vector<T> memory_;
  int64_t used_ = 0;
};

/** The mask of edges, keyed as in dropout_edges. */
struct EdgeMask {
  Random random;
  double p;
  const Slot& ids;

  EdgeMask(const Context& context, const Slot& ids, double p, int64_t stream, int64_t layer)
      : random(context.random(stream, layer)), p(p), ids(ids) {
    if (!(p >= 0 && p < 1)) fail(GUST_EINVAL, "dropout probability %g, expected 0 to below 1", p);
  }
  uint64_t id(int64_t v) const {
    if (!ids.live) return static_cast<uint64_t>(v);
    return static_cast<uint64_t>(ids.dtype == GUST_I64 ? ids.as<int64_t>()[v] : ids.as<int32_t>()[v]);
  }
  /**
   * Drop from the weights of the entries between node `own` and others[0 .. count-1], (count, heads) of both kinds.
   *
   * @param own_is_row  whether `own` is the row of these edges, else their column.
   */
  template <class T, class I>
  void apply(int64_t own, bool own_is_row, const I* others, int64_t count, int64_t heads, T* weights, T* sloped) const {
    const uint32_t threshold = drop_threshold(p);
    const T scale = static_cast<T>(1 / (1 - p));
    const uint64_t own_id = id(own), own_hash = mix64(own_id);
    auto draws = [&](int64_t e) {
      const uint64_t other = id(static_cast<int64_t>(others[e]));
      return DrawRow{own_is_row ? edge_id(own_hash, other) : edge_id(mix64(other), own_id), e * heads, heads};
    };
    for_draws(random, 0, count, draws, [=](int64_t at, const uint32_t* words, int64_t n) {
#pragma GCC ivdep
      for (int64_t k = 0; k < n; ++k) {
        weights[at + k] = kept(weights[at + k] * scale, words[k] >= threshold);
        sloped[at + k] = kept(sloped[at + k] * scale, words[k] >= threshold);
      }
    });
  }
};

/** Call f with the number of heads as a constant where it is common, else with 0. */
template <class F>
void with_heads(int64_t heads, F&& f) {
  switch (heads) {
    case 1: return f(std::integral_constant<int64_t, 1>{});
    case 4: return f(std::integral_constant<int64_t, 4>{});
    case 8: return f(std::integral_constant<int64_t, 8>{});
  }
  f(std::integral_constant<int64_t, 0>{});
}

GUST_OPS_END
