// out = alpha * op(a) @ op(b) + beta * out in tiles of registers (tile.h), for skinny matrices.
//
// op(a) m x k, op(b) k x n, all row-major. The grid is blocks of rows of `out` and, where those are few (weight
// gradients: m and n are layer widths, k is the number of nodes), chunks of the inner dimension. Each task owns one
// block of one chunk; chunks are written apart and added in order. The grid depends on m, n and k alone, so the bits do
// not depend on the thread count.
// Memory traffic: a once, out once; b once per task, in panels that stay in the second-level cache.
//
// With m = 100,000 on one core of a Zen 4 (117 GFLOP/s), GFLOP/s of this / OpenBLAS 0.3.21 / libxsmm 1.17 /
// oneDNN 2.6: k = 64, n = 64: 110 / 74 / 110 / 94; k = 128, n = 16: 114 / 38 / 51 / 56; its weight gradient 105 / 39 /
// none / 64; k = 256, n = 256: 107 / 94 / 106 / 108. So products with a small extent are done here, the rest by the
// library.
#pragma once

#include "dense.h"
#include "ending.h"
#include "tile.h"

GUST_OPS_BEGIN

template <class T>
struct Operand {
  const T* data;
  int64_t stride;
  bool transposed;

  /** Address of element (i, j) of op(matrix). */
  const T* at(int64_t i, int64_t j) const { return transposed ? data + j * stride + i : data + i * stride + j; }
};

/** Equal pieces of at most `most`, rounded up to a multiple of `step`. */
inline int64_t piece(int64_t n, int64_t most, int64_t step) {
  const int64_t even = num_chunks(n, num_chunks(n, most));
  return std::min(n, num_chunks(even, step) * step);
}

inline int64_t round_up(int64_t n, int64_t step) { return num_chunks(n, step) * step; }

/** Rows and inner extent of what one task does. */
struct TiledGrid {
  int64_t rows, inner;
};

inline TiledGrid tiled_grid(int64_t m, int64_t n, int64_t k, bool transposed) {
  /** Multiply-adds of one task, unused lanes among them: some 10 us, several times what it costs to start threads. */
  constexpr int64_t kTask = int64_t{1} << 19;
  const int64_t columns = round_up(n, 16);
  // 96 rows: what a task reads of b is used often enough. 24 is a multiple of the rows of every large tile. Chunks of
  // 2 n: the sums that each of them writes, and that are added again, are few beside its multiply-adds.
  const int64_t rows = transposed && k >= m ? m : piece(m, std::max<int64_t>(96, kTask / (columns * k)), 24);
  const int64_t least = std::max<int64_t>({256, 2 * n, kTask / (rows * columns)});
  const int64_t chunks = std::clamp<int64_t>(k / least, 1, num_chunks(32, num_chunks(m, rows)));
  return {rows, piece(k, num_chunks(k, chunks), 16)};
}

/** op(b) as the tiles read it: rows of n numbers, one after another. */
template <class T>
struct Panels {
  const T* data;
  int64_t stride;
  bool ragged;  // rows end with the last number, not with a whole vector
};

/** op(b), copied into rows of whole vectors where it is transposed, or where `whole` vectors must be readable. */
template <class T>
Panels<T> panels_of(const Operand<T>& b, int64_t k, int64_t n, bool whole, Context& context) {
  constexpr int64_t kBlock = 16;  // numbers that a transposed row gives at a time: a cache line
  const int64_t stride = round_up(n, tile_lanes<T>(n));
  if (!b.transposed && (stride == n || !whole)) return {b.data, b.stride, stride != n};
  T* to = context.scratch<T>(k * stride);
  parallel_for(k, round_up(row_grain(stride), kBlock), [&](int64_t begin, int64_t end) {
    std::memset(to + begin * stride, 0, static_cast<size_t>((end - begin) * stride) * sizeof(T));
    if (!b.transposed) {
      for (int64_t l = begin; l < end; ++l) std::copy_n(b.at(l, 0), n, to + l * stride);
      return;
    }
    for (int64_t first = begin; first < end; first += kBlock) {
      const int64_t last = std::min(end, first + kBlock);
      for (int64_t j = 0; j < n; ++j)
        for (int64_t l = first; l < last; ++l) to[l * stride + j] = *b.at(l, j);
    }
  });
  return {to, stride, false};
}

/** Rows [i, i + rows), inner dimension [l, l + inner) of a product. */
struct Region {
  int64_t i, rows, l, inner;
};

/**
 * The part of op(a) @ b that `region` names, for all n columns; `out` is its first row. past: store past the caches,
 * where `out` is not added to.
 */
template <class T, bool Transposed>
void tiled_region(const Operand<T>& a, const Panels<T>& b, const Region& region, int64_t n, T* out, T alpha, T beta,
                  bool past) {
  const int64_t lanes = tile_lanes<T>(n);
  /** Numbers of a and b that the second-level cache keeps while the tiles pass over them. */
  constexpr int64_t kKept = 32768;
  /** Least distance of what is prefetched: the time in which memory answers. */
  constexpr int64_t kAhead = 1024;
  /** The same in rows where a is transposed: each tile fetches the lines of its own columns that no tile before had. */
  constexpr int64_t kRowsAhead = 128;
  /** Numbers of a tile from which on the next one would crowd the first-level cache. */
  constexpr int64_t kFar = 1024;
  const int64_t vectors = num_chunks(n, lanes), panels = num_chunks(vectors, kTileVectors);
  const int64_t used = Transposed ? region.rows + n : std::min(n, kTileVectors * lanes);
  const int64_t depth = std::clamp<int64_t>(kKept / used, 64, 2048);
  // What a later tile reads follows in memory only where whole rows are read.
  const bool whole = a.stride == std::min(depth, region.inner);
  const auto& table = Transposed && b.ragged ? tile_table<T, true, true> : tile_table<T, Transposed, false>;
  const auto& full = tile_table<T, Transposed, false>;
  for (int64_t l = region.l; l < region.l + region.inner; l += depth) {
    const int64_t inner = std::min(depth, region.l + region.inner - l);
    for (int64_t p = 0; p < panels; ++p) {
      const int64_t first = p * vectors / panels, width = (p + 1) * vectors / panels - first, j = first * lanes;
      // Rows that lie a multiple of 4096 bytes apart share a set of the first-level cache: eight lines or more.
      const bool crowded = !Transposed && a.stride * static_cast<int64_t>(sizeof(T)) % 4096 == 0;
      const int64_t most = std::min(crowded ? 6 : 16, tile_rows(static_cast<int>(width), Transposed));
      const int64_t count = std::min(lanes, n - j - (width - 1) * lanes);
      const auto& functions = (count < lanes ? table : full)[lanes < kLanes<T> ? 0 : static_cast<size_t>(width)];
      // Tiles of two heights, as even as can be: `rows`, of which the first `taller` have one more.
      const int64_t tiles = num_chunks(region.rows, most), rows = region.rows / tiles, taller = region.rows % tiles;
      auto run = [&](int64_t i, int64_t height, int64_t many) {
        if (many == 0) return;
        const T* from = a.at(region.i + i, l);
        const bool far = height * inner >= kFar;
        int64_t distance = 0;  // what has been read for another panel is near, and one tile of whole rows needs no help
        if (Transposed && p == 0 && tiles > 1) distance = kRowsAhead * a.stride;
        if (!Transposed && p == 0 && whole) distance = std::max(far ? 4 * kAhead : kAhead, height * inner);
        functions[static_cast<size_t>(height)]({from, a.stride, b.data + l * b.stride + j, b.stride, inner,
                                                out + i * n + j, n, static_cast<int>(count), alpha,
                                                l == region.l ? beta : T{1}, many, from + distance, far,
                                                past && inner == region.inner});
      };
      run(0, rows + 1, taller);
      run(taller * (rows + 1), rows, tiles - taller);
    }
  }
}

/** Bytes of a last-level cache, or more. */
constexpr int64_t kLargeCache = int64_t{32} << 20;

/** Share of the lanes of n columns that are columns. */
template <class T>
double lanes_used(int64_t n) {
  return static_cast<double>(n) / static_cast<double>(round_up(n, kLanes<T>));
}

/** The factors of a product, op(a) m x k and op(b) k x n. */
template <class T>
struct Factors {
  Operand<T> a, b;
  int64_t k;
};

/** Inner dimension that tiles of a plain matrix take in one pass, or less. */
constexpr int64_t kOnePass = 512;

/** Whether tiled_product() can add such a product to one of inner dimension k, with the bits of their sum. */
template <class T>
bool can_add(const Factors<T>& more, int64_t m, int64_t n, int64_t k) {
  auto is_whole = [=](int64_t inner) { return tiled_grid(m, n, inner, false).inner == inner; };
  return !more.a.transposed && more.k > 0 && more.k <= kOnePass && is_whole(k) && is_whole(more.k);
}

/**
 * `ending` is called for runs of rows of `out` that are complete, while they are in the cache. more: factors of a
 * product that is added, or null; see can_add().
 */
template <class T>
void tiled_product(Operand<T> a, Operand<T> b, T* out, int64_t m, int64_t n, int64_t k, T alpha, T beta,
                   const Factors<T>* more, const Ending& ending, Context& context) {
  // Of two tall matrices the one that fills the vectors better gives the columns: then the result is made transposed.
  const bool swapped = a.transposed && !b.transposed && k >= m && lanes_used<T>(m) > lanes_used<T>(n);
  if (swapped) {
    std::swap(a, b);
    std::swap(m, n);
    std::swap(a.transposed, b.transposed);
  }
  const TiledGrid grid = tiled_grid(m, n, k, a.transposed);
  const int64_t blocks = num_chunks(m, grid.rows), chunks = num_chunks(k, grid.inner), size = m * n;
  const bool apart = chunks > 1 || swapped;
  // What no cache can keep need not be read from memory before it is written: 114 to 189 GFLOP/s at k = 16, n = 128.
  const bool past = !apart && !more && !ending && beta == 0 && size * static_cast<int64_t>(sizeof(T)) > kLargeCache &&
                    n * sizeof(T) % 64 == 0 && reinterpret_cast<uintptr_t>(out) % 64 == 0;
  const Panels<T> panels = panels_of(b, k, n, !a.transposed, context);
  const Panels<T> panels2 = more ? panels_of(more->b, more->k, n, true, context) : Panels<T>{};
  T* partial = apart ? context.scratch<T>(chunks * size) : nullptr;
  parallel_tasks(blocks * chunks, [&](int64_t task) {
    const int64_t chunk = task / blocks, i = task % blocks * grid.rows, l = chunk * grid.inner;
    const Region region{i, std::min(grid.rows, m - i), l, std::min(grid.inner, k - l)};
    T* to = (apart ? partial + chunk * size : out) + i * n;
    if (a.transposed) tiled_region<T, true>(a, panels, region, n, to, alpha, apart ? T{0} : beta, past);
    else tiled_region<T, false>(a, panels, region, n, to, alpha, apart ? T{0} : beta, past);
    if (past) _mm_sfence();
    if (more) tiled_region<T, false>(more->a, panels2, {i, region.rows, 0, more->k}, n, to, alpha, T{1}, false);
    if (ending && !apart) ending(i, i + region.rows);
  });
  if (!apart) return;
  const int64_t row = swapped ? 1 : n, column = swapped ? m : 1;
  parallel_for(m, row_grain(n * chunks), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T* sum = partial + i * n;
      for (int64_t c = 1; c < chunks; ++c) {
        const T* more = sum + c * size;
        for (int64_t j = 0; j < n; ++j) sum[j] += more[j];
      }
      for (int64_t j = 0; j < n; ++j) {
        T& to = out[i * row + j * column];
        to = beta == 0 ? sum[j] : sum[j] + beta * to;
      }
    }
    if (ending && !swapped) ending(begin, end);
  });
  if (ending && swapped) parallel_for(n, row_grain(m), ending);
}

GUST_OPS_END
