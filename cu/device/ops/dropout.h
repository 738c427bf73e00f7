// Dropout masks: a draw belongs to (row id, position in the row), as on the host, so that the same rows drop the same
// elements on every device, in any batch. One block of Philox has the draws of four neighbouring positions.
#pragma once

#include "../cuda.h"

GUST_OPS_BEGIN

/** Draws of one id (kMaxDraws of cu/common/rng_blocks.h). */
constexpr int64_t kMostDraws = int64_t{1} << 18;

inline void check_drop(double p) {
  if (!(p >= 0 && p < 1)) fail(GUST_EINVAL, "dropout probability %g, expected 0 to below 1", p);
}

/** Refuse rows that are longer than the draws of their ids. */
inline void check_draws(int64_t rows, int64_t draws) {
  if (rows > 0 && draws > kMostDraws)
    fail(GUST_EINVAL, "row %d needs %lld random draws, expected at most 2^18", 0, static_cast<long long>(draws));
}

/** What becomes of an element by its draw: x / (1 - p), or 0. */
template <class T>
struct Dropped {
  uint32_t threshold = 0;
  T scale{1};

  Dropped() = default;
  explicit Dropped(double p) : threshold(drop_threshold(p)), scale(static_cast<T>(1 / (1 - p))) {}
  __device__ T operator()(T x, uint32_t draw) const { return draw >= threshold ? x * scale : T{0}; }
};

/** Dropout of a matrix, 0 < p < 1. */
template <class T>
struct Dropout {
  Dropped<T> dropped;
  StepRandom random{};
  RowIds ids;

  Dropout() = default;
  Dropout(double p, int64_t stream, int64_t layer, const Slot& ids_, const Context& context)
      : dropped(p), random(random_of(context, stream, layer)), ids(ids_) {}

  __device__ T operator()(T x, int64_t row, int64_t col) const {
    return dropped(x, random().u32(ids(row), static_cast<uint32_t>(col)));
  }
  /** Of columns col .. col + 3, col a multiple of 4. */
  __device__ void four(T (&x)[4], int64_t row, int64_t col) const {
    const Philox4 draws = random().block(ids(row), static_cast<uint32_t>(col / 4));
    for (int k = 0; k < 4; ++k) x[k] = dropped(x[k], draws.x[k]);
  }
};

// ---- loops over fours of a row --------------------------------------------------------------------------------------

/** How many fours a row of `cols` elements has, the last of them perhaps ragged. */
GUST_HD inline int64_t fours_of(int64_t cols) { return cols / 4 + (cols % 4 != 0); }

template <class T>
struct alignas(16) Four { T x[4]; };

/** out[i, j .. j + 3] = what f.four(values, i, j) makes of x[i, j .. j + 3]; out may be x. */
template <class T, class F>
struct MapFours {
  const T* x;
  T* out;
  int64_t cols;
  bool is_aligned;  // one load and one store take all four
  F f;

  __device__ void operator()(int64_t at) const {
    const Cell cell = cell_of(at, fours_of(cols));
    const int64_t col = 4 * cell.col, place = cell.row * cols + col;
    Four<T> values;
    if (is_aligned) {
      values = *reinterpret_cast<const Four<T>*>(x + place);
      f.four(values.x, cell.row, col);
      *reinterpret_cast<Four<T>*>(out + place) = values;
      return;
    }
    for (int k = 0; k < 4; ++k) values.x[k] = col + k < cols ? x[place + k] : T{};
    f.four(values.x, cell.row, col);
    for (int k = 0; k < 4; ++k)
      if (col + k < cols) out[place + k] = values.x[k];
  }
};

template <class T, class F>
void map_fours(const T* x, T* out, int64_t rows, int64_t cols, const F& f) {
  const auto places = reinterpret_cast<uintptr_t>(x) | reinterpret_cast<uintptr_t>(out);
  const bool is_aligned = cols % 4 == 0 && places % alignof(Four<T>) == 0;
  each(rows * fours_of(cols), MapFours<T, F>{x, out, cols, is_aligned, f});
}

GUST_OPS_END
