// What the two passes of attention.cpp share: scores of entries by the vector, in buffers that stay in the L1 cache.
#pragma once

#include <memory>
#include <numeric>

#include "dropout.h"
#include "head_sum.h"
#include "softmax.h"

GUST_OPS_BEGIN

/** Scores that are worked on at once: a buffer of them is 4 KiB of float32, and a row rarely needs a second round. */
constexpr int64_t kScores = 1024;

template <class F>
inline F larger(const F& a, const F& b) {
  return a < b ? b : a;
}
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
  /** tile[h] = combine() of all numbers of head h. */
  template <class F>
  void fold(T* tile, F&& combine) const {
    if (period_ == 1) {  // heads divide the lanes: a power of two
      for (int64_t half = kLanes<T> / 2; half >= heads_; half /= 2)
        for (int64_t l = 0; l < half; ++l) tile[l] = combine(tile[l], tile[l + half]);
    } else {
      for (int64_t k = heads_, h = 0; k < size(); ++k, h = h + 1 == heads_ ? 0 : h + 1) tile[h] = combine(tile[h], tile[k]);
    }
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
    fold(tile, [](T a, T b) { return a + b; });
    for (int64_t h = 0; h < heads_; ++h) sums[h] += static_cast<double>(tile[h]);
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
  explicit Buffers(int64_t numbers) : memory_(std::make_unique_for_overwrite<T[]>(static_cast<size_t>(numbers))) {}
  T* take(int64_t size) {
    T* from = memory_.get() + used_;
    used_ += room(size);
    return from;
  }

 private:
  std::unique_ptr<T[]> memory_;
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

/** Entries whose scores are on their way into the cache. */
constexpr int64_t kScoresAhead = 32;

/** `Fixed` numbers as one vector; 0: as many as the call says. */
template <class T, int64_t Fixed>
struct Numbers {
  typedef T type __attribute__((vector_size(Fixed * sizeof(T))));
};

template <int64_t Fixed, class T>
inline void prefetch_numbers(const T* from, int64_t count) {
  const int64_t bytes = (Fixed ? Fixed : count) * static_cast<int64_t>(sizeof(T));
  for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(reinterpret_cast<const char*>(from) + b);
}

template <int64_t Fixed, class T>
inline void copy_numbers(const T* from, int64_t count, T* to) {
  if constexpr (Fixed > 0) std::memcpy(to, from, Fixed * sizeof(T));
  else std::copy_n(from, count, to);
}

/** to = a + b */
template <int64_t Fixed, class T>
inline void add_numbers(const T* a, const T* b, int64_t count, T* to) {
  if constexpr (Fixed > 1) {
    typename Numbers<T, Fixed>::type x, y;
    std::memcpy(&x, a, sizeof x);
    std::memcpy(&y, b, sizeof y);
    x += y;
    std::memcpy(to, &x, sizeof x);
  } else {
    for (int64_t h = 0; h < (Fixed ? Fixed : count); ++h) to[h] = a[h] + b[h];
  }
}

GUST_OPS_END
