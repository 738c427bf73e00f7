// Work on rows of a pattern and on runs of its entries: how warps share it, for the ops that go by rows or by entries.
//
// A row of up to kLongRow entries is a warp's; longer ones are shared by the warps of a block, which then combine what
// each of them has in the order of the warps. So the order of a sum depends on the pattern and the shapes alone.
#pragma once

#include "../cuda.h"

namespace gust::cuda {

struct Add {
  template <class T>
  __device__ T operator()(T a, T b) const { return a + b; }
};
/** The larger; a number that is none never is. */
struct Larger {
  template <class T>
  __device__ T operator()(T a, T b) const { return a < b ? b : a; }
};

/** Sum over each run of `lanes` adjacent lanes, a power of two, in all of them. */
template <class T>
__device__ T sum_inside(T value, int lanes) {
  for (int width = lanes / 2; width > 0; width /= 2) value += __shfl_xor_sync(kAllLanes, value, width);
  return value;
}
/** f() over the lanes whose numbers differ by multiples of `lanes`, a power of two, in all of them. */
template <class T, class F>
__device__ T combine_across(T value, int lanes, const F& f) {
  for (int width = kLanes / 2; width >= lanes; width /= 2) value = f(value, __shfl_xor_sync(kAllLanes, value, width));
  return value;
}
template <class T>
__device__ T sum_across(T value, int lanes) { return combine_across(value, lanes, Add{}); }

/** A warp that has a row for itself. */
struct Alone {
  __device__ static constexpr int number() { return 0; }
  __device__ static constexpr int size() { return 1; }
  template <class T, class F>
  __device__ T combine(T value, const F&) const { return value; }
};
/** All warps of a block at one row. What they call combine() for is then the same in every warp. */
struct Together {
  __device__ static int number() { return static_cast<int>(threadIdx.x) / kLanes; }
  __device__ static constexpr int size() { return kWarps; }
  template <class T, class F>
  __device__ T combine(T value, const F& f) const {
    __shared__ T of[kWarps][kLanes];
    of[number()][lane()] = value;
    __syncthreads();
    value = of[0][lane()];
    for (int w = 1; w < kWarps; ++w) value = f(value, of[w][lane()]);
    __syncthreads();
    return value;
  }
};

constexpr int64_t kLongRow = 512;

struct Range { int64_t begin, end; };

// Two kernels: what a block shares takes registers that would keep other warps from running.
template <class Pass>
__global__ void __launch_bounds__(kThreads) short_rows_kernel(Pass pass, int64_t rows, int64_t parts) {
  for (int64_t item = first_warp(); item < rows * parts; item += stride_warps()) {
    const Cell at = cell_of(item, parts);
    const Range range = pass.range(at.row);
    if (range.end - range.begin <= kLongRow) pass(at.row, at.col, range, Alone{});
  }
}
/** A block looks at a row per lane, far apart, so that long rows that are neighbours go to different blocks. */
template <class Pass>
__global__ void __launch_bounds__(kThreads) long_rows_kernel(Pass pass, int64_t rows, int64_t parts) {
  const int64_t items = rows * parts, blocks = gridDim.x;
  for (int64_t base = blockIdx.x; base < items; base += blocks * kLanes) {
    const int64_t mine = base + lane() * blocks;
    bool is_long = false;
    if (mine < items) {
      const Range range = pass.range(cell_of(mine, parts).row);
      is_long = range.end - range.begin > kLongRow;
    }
    for (unsigned left = __ballot_sync(kAllLanes, is_long); left != 0; left &= left - 1) {
      const Cell at = cell_of(base + (__ffs(static_cast<int>(left)) - 1) * blocks, parts);
      pass(at.row, at.col, pass.range(at.row), Together{});
    }
  }
}
/** Call pass(row, part, range, team) for every row and each of its parts, pass.range(row) being its entries. */
template <class Pass>
void for_rows(int64_t rows, int64_t parts, int64_t entries, const Pass& pass) {
  if (rows == 0 || parts == 0) return;
  launch(short_rows_kernel<Pass>, grid_of(rows * parts, kWarps), pass, rows, parts);
  constexpr int64_t kMostBlocksOfLong = 2048;
  Grid grid = grid_of(rows * parts, kLanes);
  grid.blocks.x = std::min<unsigned>(grid.blocks.x, kMostBlocksOfLong);
  if (entries > kLongRow) launch(long_rows_kernel<Pass>, grid, pass, rows, parts);
}

/** The row that entry e is in: the last i with indptr[i] <= e; -1 before the first, n behind the last row. */
__device__ inline int64_t row_of_entry(const int64_t* indptr, int64_t n, int64_t e) {
  int64_t low = 0, high = n + 1;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (indptr[middle] <= e) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** As many adjacent entries as a warp has lanes. */
struct Run {
  int64_t first;  // entry
  int count;
  int64_t row;  // of entry first + lane(); outside 0 .. n-1: none
};

/** Call pass(run) for all runs of 0 .. entries-1, however long rows are; all lanes call it. */
template <class Pass>
__global__ void __launch_bounds__(kThreads) runs_kernel(Pass pass, const int64_t* indptr, int64_t n, int64_t entries) {
  for (int64_t at = first_warp() * kLanes; at < entries; at += stride_warps() * kLanes) {
    const int count = static_cast<int>(entries - at < kLanes ? entries - at : kLanes);
    pass(Run{at, count, lane() < count ? row_of_entry(indptr, n, at + lane()) : -1});
  }
}
template <class Pass>
void for_runs(const int64_t* indptr, int64_t n, int64_t entries, const Pass& pass) {
  if (entries > 0) launch(runs_kernel<Pass>, grid_of(entries), pass, indptr, n, entries);
}

/** Some adjacent lanes at one item. All lanes of a warp have an item or none: `live` says whether there is one. */
struct Group {
  int lane, lanes;
  bool live;
};

/** Call pass(item, group) for 0 .. items-1. */
template <class Pass>
__global__ void __launch_bounds__(kThreads) groups_kernel(Pass pass, int64_t items, int lanes) {
  const int64_t per_warp = kLanes / lanes;
  for (int64_t at = first_warp() * per_warp; at < items; at += stride_warps() * per_warp) {
    const int64_t item = at + lane() / lanes;
    pass(item, Group{lane() % lanes, lanes, item < items});
  }
}
template <class Pass>
void for_groups(int64_t items, int lanes, const Pass& pass) {
  if (items > 0) launch(groups_kernel<Pass>, grid_of(items, kThreads / lanes), pass, items, lanes);
}

}  // namespace gust::cuda
