// Gathered rows whose columns are cut into heads, added up with a weight per row and head; see attention.cu, heads.cu.
//
// A part of a row is a warp's: as many whole heads as fit kPartColumns columns and the lanes of a warp, one at least.
// A round takes as many entries as have a lane for each of the part's heads: first each lane makes one weight, then the
// lanes are the columns, entry after entry, and find their weights by shuffles. Few columns: several entries at once.
#pragma once

#include "row_teams.h"

namespace gust::cuda {

constexpr int kPartColumns = 4 * kLanes;

/** Columns cut into heads, and these into parts. */
struct HeadParts {
  int64_t f, heads, width, parts;
  int per_part;      // heads of a part; the last may have fewer
  int head_lanes;    // lanes that the weights of an entry take
  int column_lanes;  // lanes that its columns take

  /** f is at least 1. */
  HeadParts(int64_t columns, int64_t of_heads) : f(columns), heads(of_heads), width(columns / of_heads) {
    const int64_t most = std::clamp<int64_t>(kPartColumns / width, 1, kLanes);
    parts = num_chunks(heads, most);
    per_part = static_cast<int>(num_chunks(heads, parts));
    parts = num_chunks(heads, per_part);
    head_lanes = lanes_for(per_part);
    column_lanes = lanes_for(per_part * width);
  }
  /** Columns of a lane. */
  int panels() const {
    return static_cast<int>(std::min<int64_t>(num_chunks(per_part * width, kLanes), kPartColumns / kLanes));
  }
};

/** Call f with the number of columns that a lane has, rounded up, as a constant. */
template <class F>
void with_panels(const HeadParts& cut, F&& f) {
  if (cut.panels() == 1) return f(std::integral_constant<int, 1>{});
  if (cut.panels() == 2) return f(std::integral_constant<int, 2>{});
  f(std::integral_constant<int, kPartColumns / kLanes>{});
}

/** This lane where lanes are weights: the `slot`-th entry of the round, and a head. */
struct HeadLane {
  int slots, slot, local;  // entries of a round; head as counted in the part
  int64_t first, head;     // of the part, of this lane
  int count;               // heads of the part
  bool live;               // whether it has this head

  __device__ HeadLane(const HeadParts& cut, int64_t part)
      : slots(kLanes / cut.head_lanes), slot(lane() / cut.head_lanes), local(lane() % cut.head_lanes),
        first(part * cut.per_part), head(first + local) {
    const int64_t rest = cut.heads - first;
    count = rest < cut.per_part ? static_cast<int>(rest) : cut.per_part;
    live = local < count;
  }
  /** Columns of the part. */
  __device__ int64_t columns(const HeadParts& cut) const { return count * cut.width; }
};

/** This lane where lanes are columns: column `first` + kLanes * k of the row for k = 0 .. K-1, where live[k]. */
template <int K>
struct ColumnLanes {
  int64_t first;
  int head[K];  // as counted in the part
  bool live[K];

  /** @param panel  first column, counted from the part's. */
  __device__ ColumnLanes(const HeadParts& cut, const HeadLane& part, int64_t panel) {
    const int own = lane() % cut.column_lanes;
    first = part.first * cut.width + panel + own;
    for (int k = 0; k < K; ++k) {
      const int64_t column = panel + own + kLanes * k;
      live[k] = column < part.columns(cut);
      head[k] = live[k] ? static_cast<int>(cell_of(column, cut.width).row) : 0;
    }
  }
};

/** Sums of this lane's columns, with one weight per row and head or with two. */
template <class T, int K, bool Two>
struct HeadSums {
  T sum[K] = {}, other[Two ? K : 1] = {};

  /**
   * Add the rows of a round.
   *
   * @param x       of ColumnLanes::first.
   * @param j       row, of the entry that this lane is at in HeadLane; weight, second: of its head.
   * @param count   entries of the round.
   */
  template <class I>
  __device__ void add(const HeadParts& cut, const ColumnLanes<K>& at, const T* x, I j, T weight, T second, int count) {
    const int at_once = kLanes / cut.column_lanes, mine = lane() / cut.column_lanes;
#pragma unroll 8 / K  // eight loads under way, whatever K is
    for (int begin = 0; begin < count; begin += at_once) {
      const int slot = begin + mine, from = slot * cut.head_lanes;
      const T* row = x + static_cast<int64_t>(__shfl_sync(kAllLanes, j, from)) * cut.f;
      T first_of[K], second_of[K];
      for (int k = 0; k < K; ++k) first_of[k] = __shfl_sync(kAllLanes, weight, from + at.head[k]);
      if constexpr (Two)
        for (int k = 0; k < K; ++k) second_of[k] = __shfl_sync(kAllLanes, second, from + at.head[k]);
      if (slot >= count) continue;
      for (int k = 0; k < K; ++k) {
        if (!at.live[k]) continue;
        const T value = row[kLanes * k];
        sum[k] += first_of[k] * value;
        if constexpr (Two) other[k] += second_of[k] * value;
      }
    }
  }

  /** What all lanes of a column have, and all warps, in each of them. */
  template <class Team>
  __device__ void finish(const HeadParts& cut, const Team& team) {
    for (int k = 0; k < K; ++k) {
      sum[k] = team.combine(sum_across(sum[k], cut.column_lanes), Add{});
      if constexpr (Two) other[k] = team.combine(sum_across(other[k], cut.column_lanes), Add{});
    }
  }
};

/** Whether this lane writes what the lanes of a column have in common. */
template <class Team>
__device__ bool writes_columns(const HeadParts& cut, const Team& team) {
  return team.number() == 0 && lane() < cut.column_lanes;
}

}  // namespace gust::cuda
