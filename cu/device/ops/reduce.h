// Sums along rows and down columns, in an order that the shape gives.
//
// Rows: 1 to 32 lanes of a warp share a row, so that narrow rows fill warps; lanes take every width-th element and are
// added pairwise. Columns: a block of `width` columns by as many rows as suit the segment goes down a piece of it, the
// block's rows are added pairwise, and a second pass adds the pieces in the same way.
#pragma once

#include "../cuda.h"

GUST_OPS_BEGIN

// ---- along rows -----------------------------------------------------------------------------------------------------

/** A row and the lanes that share it. Lanes without a row run along with is_real = false, and count(n) = 0 elements. */
struct Row {
  int64_t index;
  bool is_real;
  int lane, width;

  __device__ int64_t count(int64_t n) const { return is_real ? n : 0; }
  /** Whether this lane writes what the row has one of. */
  __device__ bool writes() const { return is_real && lane == 0; }

  // Every lane of the warp calls these.
  template <class T>
  __device__ T sum(T value) const {
    for (int w = width / 2; w > 0; w /= 2) value += __shfl_xor_sync(kAllLanes, value, w);
    return value;
  }
  /** The largest; a NaN is passed over by other lanes. */
  template <class T>
  __device__ T max(T value) const {
    for (int w = width / 2; w > 0; w /= 2) {
      const T other = __shfl_xor_sync(kAllLanes, value, w);
      value = other > value ? other : value;
    }
    return value;
  }
  /** The sum over the lanes up to this one. */
  template <class T>
  __device__ T sum_so_far(T value) const {
    for (int w = 1; w < width; w *= 2) {
      const T other = __shfl_up_sync(kAllLanes, value, static_cast<unsigned>(w), width);
      if (lane >= w) value += other;
    }
    return value;
  }
  /** The value that the last lane has. */
  template <class T>
  __device__ T of_last(T value) const { return __shfl_sync(kAllLanes, value, width - 1, width); }
};

template <class F>
__global__ void rows_kernel(int64_t rows, int width, F f) {
  const int per_warp = kLanes / width, own = lane() / width;
  for (int64_t begin = first_warp() * per_warp; begin < rows; begin += stride_warps() * per_warp)
    f(Row{begin + own, begin + own < rows, lane() % width, width});
}

/** Run f(row) on every row, with lanes for about `items` items in each. */
template <class F>
void each_row(int64_t rows, int64_t items, const F& f) {
  const int width = lanes_for(items);
  if (rows > 0) launch(rows_kernel<F>, grid_of(rows, kThreads / width), rows, width, f);
}

// ---- down columns ---------------------------------------------------------------------------------------------------

/** Which rows a segment has: those of indptr, or `each` apiece. */
struct Segments {
  const int64_t* indptr;
  int64_t each;

  __device__ int64_t begin(int64_t s) const { return indptr ? indptr[s] : s * each; }
  __device__ int64_t end(int64_t s) const { return indptr ? indptr[s + 1] : (s + 1) * each; }
};

/** Two sums at once. */
struct Two {
  double a, b;
  __device__ Two& operator+=(const Two& other) {
    a += other.a;
    b += other.b;
    return *this;
  }
};

/** store(part, col, sum of term(row, col, segment) over the rows of the part), part = segment * pieces + piece. */
template <class V, class Term, class Store>
__global__ void column_sums_kernel(Segments of, int64_t segments, int64_t pieces, int64_t cols, int width, Term term,
                                   Store store) {
  __shared__ V sums[kThreads];
  const int thread = static_cast<int>(threadIdx.x), height = static_cast<int>(blockDim.x) / width;
  const int x = thread % width, y = thread / width;
  const int64_t tiles = (cols + width - 1) / width;
  for (int64_t unit = blockIdx.x; unit < segments * pieces * tiles; unit += gridDim.x) {
    const int64_t part = unit / tiles, segment = part / pieces, piece = part % pieces;
    const int64_t col = unit % tiles * width + x;
    const int64_t begin = of.begin(segment), rows = of.end(segment) - begin;
    const int64_t end = begin + rows * (piece + 1) / pieces;
    V sum{};
    if (col < cols)
      for (int64_t row = begin + rows * piece / pieces + y; row < end; row += height) sum += term(row, col, segment);
    sums[thread] = sum;
    __syncthreads();
    for (int half = height / 2; half > 0; half /= 2) {
      if (y < half) sums[thread] += sums[thread + half * width];
      __syncthreads();
    }
    if (y == 0 && col < cols) store(part, col, sums[thread]);
    __syncthreads();
  }
}

/** Sums of pieces: the first pass stores them, the second takes them as its terms. */
template <class V>
struct StorePiece {
  V* sums;
  int64_t cols;
  __device__ void operator()(int64_t part, int64_t col, const V& sum) const { sums[part * cols + col] = sum; }
};
template <class V>
struct TakePiece {
  const V* sums;
  int64_t cols;
  __device__ V operator()(int64_t part, int64_t col, int64_t) const { return sums[part * cols + col]; }
};

/** What most sums are of: the elements of a matrix; and what they become. */
template <class T>
struct TakeElement {
  const T* x;
  int64_t cols;
  __device__ double operator()(int64_t row, int64_t col, int64_t) const {
    return static_cast<double>(x[row * cols + col]);
  }
};
template <class T>
struct StoreAs {
  T* out;
  int64_t cols;
  __device__ void operator()(int64_t segment, int64_t col, double sum) const {
    out[segment * cols + col] = static_cast<T>(sum);
  }
};

/**
 * store(s, col, sum) with the sum of term(row, col, s) over the rows of segment s, for every segment and column; V is
 * double or Two. `rows`: of all segments, about, from which the number of pieces follows.
 */
template <class V, class Term, class Store>
void segment_sums(Context& context, const Segments& of, int64_t segments, int64_t rows, int64_t cols, const Term& term,
                  const Store& store) {
  if (segments == 0 || cols == 0) return;
  constexpr int64_t kSteps = 16;  // rows that a thread adds up before there are more threads for a column
  constexpr int64_t kEnoughBlocks = 1024;
  const int width = lanes_for(cols);
  // A power of two from a warp on; in short segments a thread adds up to four rows.
  auto threads_for = [=](int64_t mean_rows) {
    int threads = kLanes;
    while (threads < kThreads && threads / width * 4 < mean_rows) threads *= 2;
    return threads;
  };
  const int64_t mean_rows = rows / segments, tiles = num_chunks(cols, width), units = segments * tiles;
  const int threads = threads_for(mean_rows);
  const int64_t most = std::max<int64_t>(1, std::max<int64_t>(64, kEnoughBlocks / tiles) / segments);
  const int64_t pieces = std::clamp<int64_t>(mean_rows / (threads / width * kSteps), 1, most);
  if (pieces == 1) {
    launch(column_sums_kernel<V, Term, Store>, grid_of(units, 1, threads), of, segments, 1, cols, width, term, store);
    return;
  }
  V* partial = context.scratch<V>(segments * pieces * cols);
  launch(column_sums_kernel<V, Term, StorePiece<V>>, grid_of(units * pieces, 1, threads), of, segments, pieces, cols,
         width, term, StorePiece<V>{partial, cols});
  launch(column_sums_kernel<V, TakePiece<V>, Store>, grid_of(units, 1, threads_for(pieces)), Segments{nullptr, pieces},
         segments, 1, cols, width, TakePiece<V>{partial, cols}, store);
}

/** The same over all rows: store(0, col, sum of term(row, col, 0)). */
template <class V, class Term, class Store>
void column_sums(Context& context, int64_t rows, int64_t cols, const Term& term, const Store& store) {
  segment_sums<V>(context, Segments{nullptr, rows}, 1, rows, cols, term, store);
}

GUST_OPS_END
