// Rows of CSR matrices: lanes that share a row, the row of an entry, long rows cut into pieces.
#pragma once

#include "../cuda.h"

GUST_OPS_BEGIN

/** Numbers of rows or columns: a tensor of either index type; absent: each place holds its own number. */
class Index {
 public:
  Index() = default;
  explicit Index(const Slot& slot) : list_(slot) {}
  explicit Index(const int64_t* list) { list_.ids64 = list; }
  __device__ int64_t operator()(int64_t i) const { return static_cast<int64_t>(list_(i)); }

 private:
  RowIds list_;
};

/** 1, 2, 4 .. 32 lanes of a warp that do one thing together; each function is called by all of them. */
struct Subwarp {
  int lanes, lane;
  unsigned mask;

  __device__ explicit Subwarp(int lanes_)
      : lanes(lanes_), lane(cuda::lane() % lanes_),
        mask(kAllLanes >> (kLanes - lanes_) << (cuda::lane() / lanes_ * lanes_)) {}

  /** What lane `source` of the group has. */
  template <class T>
  __device__ T from(T value, int source) const { return __shfl_sync(mask, value, source, lanes); }
  /** The sum, pairwise, in every lane. */
  template <class T>
  __device__ T sum(T value) const {
    for (int width = lanes / 2; width > 0; width /= 2) value += __shfl_xor_sync(mask, value, width, lanes);
    return value;
  }
  /** How many lanes say so. */
  __device__ int count(bool says) const { return __popc(__ballot_sync(mask, says)); }
};
/** Number of this group among all of the grid, and of all. */
__device__ inline int64_t first_subwarp(int lanes) { return first() / lanes; }
__device__ inline int64_t stride_subwarps(int lanes) { return stride() / lanes; }

/** Lanes, 4 at least, for rows of `width` things. */
inline int subwarp_lanes(int64_t width) { return lanes_for(width, 4); }

/** First k in low .. high - 1 with indptr[k] > e, else high; each step looks at as many places as there are lanes. */
__device__ inline int64_t first_above(const Subwarp& group, const int64_t* indptr, int64_t low, int64_t high,
                                      int64_t e) {
  while (low < high) {
    const int64_t step = (high - low + group.lanes - 1) / group.lanes, place = low + group.lane * step;
    const int passed = group.count(place < high && indptr[place] <= e);
    if (passed == 0) return low;
    high = std::min(high, low + passed * step);
    low += (passed - 1) * step + 1;
  }
  return low;
}
/** The row of entry e: -1 before the first row, n behind the last. */
__device__ inline int64_t row_of_entry(const Subwarp& group, const int64_t* indptr, int64_t n, int64_t e) {
  return first_above(group, indptr, 0, n + 1, e) - 1;
}

/**
 * The row of entry begin + lane for the lanes below `count` >= 1, which is at most the lanes of the group. `row` is
 * that of an entry before, or -1, and becomes that of the last of these.
 */
__device__ inline int64_t row_of_lane(const Subwarp& group, const int64_t* indptr, int64_t n, int64_t begin, int count,
                                      int64_t& row) {
  auto above = [&](int64_t low, int64_t e) {
    // Most of the time it is one of the next rows.
    const int64_t place = low + group.lane;
    const int passed = group.count(place <= n && indptr[place] <= e);
    return passed < group.lanes ? low + passed : first_above(group, indptr, low + passed, n + 1, e);
  };
  int64_t low = above(row + 1, begin), high = above(low, begin + count - 1);
  row = high - 1;
  const int64_t e = begin + std::min(group.lane, count - 1);
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (indptr[middle] > e) high = middle;
    else low = middle + 1;
  }
  return low - 1;
}

/** Runs of as many entries as a group has lanes that it takes one after the other, having to find its place once. */
inline int64_t runs_of(int64_t entries) { return entries < (int64_t{1} << 20) ? 1 : 8; }

/** f(row, e) for the entries of all rows, one per lane of a warp; entries outside of rows are left out. */
template <class F>
__global__ void each_entry_kernel(const int64_t* indptr, int64_t n, int64_t entries, int64_t share, F f) {
  const Subwarp group(kLanes);
  for (int64_t first = first_warp() * share; first < entries; first += stride_warps() * share) {
    int64_t last_row = -1;
    for (int64_t begin = first; begin < std::min(entries, first + share); begin += kLanes) {
      const int count = static_cast<int>(std::min<int64_t>(kLanes, entries - begin));
      const int64_t row = row_of_lane(group, indptr, n, begin, count, last_row);
      if (group.lane < count && row >= 0 && row < n) f(row, begin + group.lane);
    }
  }
}
template <class F>
void each_entry(const int64_t* indptr, int64_t n, int64_t entries, const F& f) {
  const int64_t share = runs_of(entries) * kLanes;
  if (n > 0 && entries > 0)
    launch(each_entry_kernel<F>, grid_of(entries, share * kWarps), indptr, n, entries, share, f);
}

/**
 * Rows too long for one group of lanes are cut where the number of an entry is a multiple of `length`, so that piece q
 * holds entries q * length .. (q + 1) * length - 1 of at most two long rows: of one that began before or at its first
 * entry, whose result goes to slot 2 q, and of one that begins behind, to slot 2 q + 1. The results of a row are then
 * combined in order. No list of long rows has to be made, and both follow from shapes and matrix alone.
 */
struct Pieces {
  static constexpr int64_t kLength = 128, kMost = 4096;

  int64_t length, count;     // count 0: no row can be long
  int64_t* heads = nullptr;  // per piece: the long row whose first entry it holds, or -1

  explicit Pieces(int64_t entries)
      : length(std::max(kLength, num_chunks(entries, kMost))),
        count(entries > length ? num_chunks(entries, length) : 0) {}

  __device__ bool is_long(int64_t entries) const { return count > 0 && entries > length; }

  /** reduce(begin, end, slot) for the long rows of piece q of n rows. `tells`: heads[q] is written. */
  template <class F>
  __device__ void reduce(const Subwarp& group, const int64_t* indptr, int64_t n, int64_t entries, int64_t q, bool tells,
                         F&& reduce) const {
    const int64_t begin = q * length, end = std::min(entries, begin + length);
    int64_t head = -1, row = row_of_entry(group, indptr, n, begin), stop = begin;
    if (row >= 0 && row < n) {
      const int64_t start = indptr[row];
      stop = indptr[row + 1];
      if (is_long(stop - start)) {
        reduce(begin, std::min(end, stop), 2 * q);
        if (start == begin) head = row;
      }
    }
    if (row < n && stop < end) {
      // Only the row of the last entry can be long and begin here.
      row = first_above(group, indptr, row + 1, n + 1, end - 1) - 1;
      if (row >= 0 && row < n && is_long(indptr[row + 1] - indptr[row])) {
        reduce(indptr[row], end, 2 * q + 1);
        head = row;
      }
    }
    if (tells && group.lane == 0) heads[q] = head;
  }

  /** combine(slot) for the slots of the row that begins in piece q, in order. */
  template <class F>
  __device__ void for_slots(const int64_t* indptr, int64_t q, F&& combine) const {
    const int64_t start = indptr[heads[q]], last = (indptr[heads[q] + 1] - 1) / length;
    combine(start == q * length ? 2 * q : 2 * q + 1);
#pragma unroll 4
    for (int64_t piece = q + 1; piece <= last; ++piece) combine(2 * piece);
  }
};

GUST_OPS_END
