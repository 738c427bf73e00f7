// out = alpha * op(a) @ b + beta * out for an out of R rows x V vectors, all of which stay in registers over the whole
// inner dimension: the one loop that the products of skinny matrices are made of.
//
// op(a) is R x k, b k x V vectors; out is read only for beta != 0. A step of the inner dimension loads V vectors of b
// and multiplies each by R single numbers of a, so that loads are fewer than multiply-adds from R = 4, V = 2 on, and
// with R * V >= 8 chains no addition waits for the one before. Nothing of a is copied: as it is, rows of a are R
// streams; transposed, the R numbers of a step lie side by side. Each tile also brings a stretch of a that a later one
// reads into the cache, because short streams that start anew every few hundred bytes defeat the prefetchers of the
// hardware: 38 to 114 GFLOP/s at k = 128, n = 16 on one core of a Zen 4. One call does all tiles of a column: with
// k = 16 they have but 128 vector multiply-adds each, and a call for each made that 30 % slower.
// One thread owns the tile; every number is added in the order of the inner dimension.
//
// Source: register tiles as in Goto and van de Geijn 2008, ACM TOMS 34(3), section 6, without the packing of a, which
// does not pay where n is small (Heinecke et al. 2016, libxsmm, SC16).
#pragma once

#include <array>

#include "simd.h"

GUST_OPS_BEGIN

#if defined(__AVX512F__)
constexpr int kTileVectors = 4;
/**
 * Most rows of a tile of V vectors: accumulators, V vectors of b and something to spare fit 32 registers. Rows of an a
 * that is not transposed also take an address each.
 */
constexpr int tile_rows(int vectors, bool transposed) {
  if (!transposed) return vectors == 4 ? 6 : 8;
  return std::array{16, 12, 8, 6}[static_cast<size_t>(vectors - 1)];
}
/** Most steps of a tile that keeps b in registers, too. */
constexpr int kShort = 16;
#else
constexpr int kTileVectors = 2;
/** The same for 16 registers. */
constexpr int tile_rows(int vectors, bool) { return vectors == 2 ? 6 : 8; }
constexpr int kShort = 4;
#endif

/**
 * What holds a row of the tile where one of it is enough: half a vector. It takes half the time of a whole one where
 * AVX-512 is two halves (Zen 4), and the same time elsewhere.
 */
template <class T>
struct HalfOf {
#if defined(__AVX512F__)
  typedef T type __attribute__((vector_size(kVectorBytes / 2)));
#else
  using type = Vec<T>;
#endif
};
template <class T>
using Half = typename HalfOf<T>::type;

/** Columns of a vector in tiles of n columns. */
template <class T>
constexpr int64_t tile_lanes(int64_t n) {
  constexpr int64_t half = sizeof(Half<T>) / sizeof(T);
  return n <= half ? half : kLanes<T>;
}

template <class W, class T>
W read(const T* from) {
  W w;
  std::memcpy(&w, from, sizeof w);
  return w;
}
template <class W, class T>
W read_some(const T* from, int count) {
  [[maybe_unused]] const auto mask = static_cast<__mmask8>((1u << count) - 1);
  if constexpr (sizeof(W) == kVectorBytes) return load_some(from, count);
  else if constexpr (sizeof(T) == 4) return std::bit_cast<W>(_mm256_maskz_loadu_ps(mask, from));
  else return std::bit_cast<W>(_mm256_maskz_loadu_pd(mask, from));
}
template <class W, class T>
void write_some(T* to, const W& w, int count) {
  [[maybe_unused]] const auto mask = static_cast<__mmask8>((1u << count) - 1);
  if constexpr (sizeof(W) == kVectorBytes) store_some(to, w, count);
  else if constexpr (sizeof(T) == 4) _mm256_mask_storeu_ps(to, mask, std::bit_cast<__m256>(w));
  else _mm256_mask_storeu_pd(to, mask, std::bit_cast<__m256d>(w));
}

template <class T>
struct Tile {
  const T* a;
  int64_t a_stride;  // between rows of the stored matrix
  const T* b;
  int64_t b_stride;
  int64_t inner;
  T* out;
  int64_t out_stride;
  int count;  // lanes of the last vector that are columns of out
  T alpha, beta;
  int64_t tiles;   // one below the other
  // What tiles bring into the cache. Transposed: each step R numbers, a_stride after those before; otherwise the
  // first tile inner * R numbers, the next one the next.
  const T* ahead;
  bool far;        // into the second-level cache, which has more room and waits for more lines at a time
  bool past;       // store past the caches: rows of out are aligned to cache lines, beta = 0
};

/** Steps of a tile of R rows that use up a cache line of `ahead`. */
template <class T, int R>
constexpr auto kLineSteps = static_cast<int64_t>(std::bit_floor(std::max<size_t>(1, 64 / (R * sizeof(T)))));

/** beta = 0, whole vectors, through the caches: known before the first store, which could change what `t` refers to. */
template <class T, class W>
bool is_plain(const Tile<T>& t) {
  return t.beta == 0 && t.count >= static_cast<int>(sizeof(W) / sizeof(T)) && !t.past;
}

/** out = alpha * sum + beta * out. */
template <class T, class W, int R, int V>
[[gnu::always_inline]] inline void finish(const Tile<T>& t, const W (&sum)[R][V], T* out, int64_t stride, T alpha,
                                          bool plain) {
  constexpr int lanes = sizeof(W) / sizeof(T);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    T* to = out + r * stride;
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v, to += lanes) {
      W result = alpha * sum[r][v];
      if (plain) {
        std::memcpy(to, &result, sizeof result);
      } else if (v + 1 == V && t.count < lanes) {
        if (t.beta != 0) result += t.beta * read_some<W>(to, t.count);
        write_some(to, result, t.count);
      } else if (t.past) {
        if constexpr (sizeof(W) == kVectorBytes) store_past<T>(to, result);
      } else {
        if (t.beta != 0) result += t.beta * read<W>(to);
        std::memcpy(to, &result, sizeof result);
      }
    }
  }
}

/**
 * Tiles of one vector, of op(a) as it is, with an inner dimension so short, at most `Most`, that all of b stays in
 * registers, too. k = 8, n = 8 on one core of a Zen 4: 60 to 100 GFLOP/s; k = 16, n = 16: 99 to 112.
 */
template <class T, class W, int R, int Most>
void short_tile(const Tile<T>& t) {
  const int64_t a_stride = t.a_stride, inner = t.inner, tiles = t.tiles, stride = t.out_stride;
  const bool plain = is_plain<T, W>(t);
  W w[Most];
#pragma GCC unroll 16
  for (int l = 0; l < Most; ++l) w[l] = l < inner ? t.alpha * read<W>(t.b + l * t.b_stride) : W{};
  const T *a = t.a, *ahead = t.ahead;
  T* out = t.out;
  for (int64_t i = 0; i < tiles; ++i) {
    W sum[R][1] = {};
    // `x` and `to` are hidden from g++ 12, which would prepare the addresses of all rows, and keep those in memory.
    const T* x = a;
#pragma GCC unroll 16
    for (int l = 0; l < Most; ++l, ++x) {
      if (l >= inner) break;
      asm("" : "+r"(x));
      if (l % kLineSteps<T, R> == 0) __builtin_prefetch(ahead + l * R);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) sum[r][0] += x[r * a_stride] * w[l];
    }
    T* to = out;
    asm("" : "+r"(to));
    finish(t, sum, to, stride, T{1}, plain);
    a += R * a_stride;
    out += R * stride;
    ahead += R * inner;
  }
}

/**
 * Transposed: element (r, l) of op(a) is a[l * a_stride + r]. Ragged: rows of b end with `count` lanes; otherwise the
 * last vector can be read whole.
 */
template <class T, class W, int R, int V, bool Transposed, bool Ragged>
void tile(const Tile<T>& t) {
  constexpr int lanes = sizeof(W) / sizeof(T);
  constexpr int kLine = 64 / sizeof(T);
  if constexpr (V == 1 && !Transposed) {
    if (t.inner <= kShort / 2) return short_tile<T, W, R, kShort / 2>(t);  // 5 % faster at k = 8
    if (t.inner <= kShort) return short_tile<T, W, R, kShort>(t);
  }
  const int64_t a_stride = t.a_stride, b_stride = t.b_stride, inner = t.inner;
  const int count = t.count;
  const T *first = t.a, *ahead = t.ahead;
  T* out = t.out;
  for (int64_t i = 0; i < t.tiles; ++i) {
    const T *a = first, *b = t.b;
    W sum[R][V] = {};
    for (int64_t l = 0; l < inner; ++l) {
      if (Transposed) {
#pragma GCC unroll 2
        for (int r = R; r > 0; r -= kLine) __builtin_prefetch(ahead + l * a_stride + r - 1, 0, 2);
      } else if (l % kLineSteps<T, R> == 0) {
        if (t.far) __builtin_prefetch(ahead + l * R, 0, 2);
        else __builtin_prefetch(ahead + l * R);
      }
      W w[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
        w[v] = Ragged && v + 1 == V ? read_some<W>(b + v * lanes, count) : read<W>(b + v * lanes);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const T x = Transposed ? a[r] : a[r * a_stride];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) sum[r][v] += x * w[v];
      }
      a += Transposed ? a_stride : 1;
      b += b_stride;
    }
    finish(t, sum, out, t.out_stride, t.alpha, is_plain<T, W>(t));
    first += Transposed ? R : R * a_stride;
    out += R * t.out_stride;
    ahead += Transposed ? R : R * inner;
  }
}

template <class T>
using TileFunction = void (*)(const Tile<T>&);

template <class T, class W, int V, bool Transposed, bool Ragged>
constexpr auto tiles_of() {
  return []<int... R>(std::integer_sequence<int, R...>) {
    std::array<TileFunction<T>, 17> row{};
    ((row[R + 1] = tile<T, W, R + 1, V, Transposed, Ragged>), ...);
    return row;
  }(std::make_integer_sequence<int, tile_rows(V, Transposed)>{});
}

/** tile_table<...>[vectors][rows]; 0 vectors are half of one. */
template <class T, bool Transposed, bool Ragged>
constexpr auto tile_table = []<int... V>(std::integer_sequence<int, V...>) {
  return std::array<std::array<TileFunction<T>, 17>, kTileVectors + 1>{
      tiles_of<T, Half<T>, 1, Transposed, Ragged>(), tiles_of<T, Vec<T>, V + 1, Transposed, Ragged>()...};
}(std::make_integer_sequence<int, kTileVectors>{});

GUST_OPS_END
