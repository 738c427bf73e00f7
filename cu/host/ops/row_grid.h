// How sparse kernels share work out: tasks of about equal numbers of rows plus entries, whatever the degrees,
// and rows too long for one task cut into chunks. Both depend on indptr and the width alone, so the order of
// additions is the same for any thread count.
#pragma once

#include <algorithm>
#include <vector>

#include "../../common/op.h"

GUST_OPS_BEGIN

/** Entries of a row that are added by one thread in one go; longer rows ("hubs") are added chunk by chunk. */
constexpr int64_t kHubEntries = 4096;
/** Multiply-adds per task: some 5 us from the cache, about what it costs to wake a thread. */
constexpr int64_t kTaskWork = 32768;
/** Most tasks of a call: a task begins without what the one before it prefetched, so large problems get large tasks. */
constexpr int64_t kMostTasks = 512;

/** Items per task that add up to kTaskWork multiply-adds, `width` each; more where that makes too many tasks. */
inline int64_t task_grain(int64_t items, int64_t width) {
  return std::max<int64_t>({64, kTaskWork / std::max<int64_t>(width, 1), num_chunks(items, kMostTasks)});
}

/** First row r in [0, n] with indptr[r] + r >= position. */
inline int64_t row_at(const int64_t* indptr, int64_t n, int64_t position) {
  int64_t low = 0, high = n;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (indptr[middle] + middle >= position) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The row of entry e < indptr[n]. */
inline int64_t row_of_entry(const int64_t* indptr, int64_t n, int64_t e) {
  return std::upper_bound(indptr, indptr + n + 1, e) - indptr - 1;
}

/** Rows in tasks of about equal work. */
class RowGrid {
 public:
  /** `width`: multiply-adds per entry. */
  RowGrid(const int64_t* indptr, int64_t n, int64_t width)
      : indptr_(indptr), n_(n), grain_(task_grain(n > 0 ? indptr[n] - indptr[0] + n : 0, width)) {}

  int64_t tasks() const { return num_chunks(indptr_[n_] - indptr_[0] + n_, grain_); }

  struct Range { int64_t begin, end; };
  /** Rows of a task. */
  Range rows(int64_t task) const {
    const int64_t first = indptr_[0] + task * grain_;
    return {row_at(indptr_, n_, first), task + 1 == tasks() ? n_ : row_at(indptr_, n_, first + grain_)};
  }
  bool is_hub(int64_t row) const { return indptr_[row + 1] - indptr_[row] > kHubEntries; }

  /** Run body(begin, end) on all rows but the hubs; returns the hubs in order. */
  template <class Body>
  std::vector<int64_t> for_rows(Body&& body) const {
    if (n_ == 0) return {};
    std::vector<std::vector<int64_t>> found(static_cast<size_t>(tasks()));
    parallel_tasks(tasks(), [&](int64_t t) {
      Range range = rows(t);
      for (int64_t begin = range.begin; begin < range.end;) {
        int64_t end = begin;
        while (end < range.end && !is_hub(end)) ++end;
        if (begin < end) body(begin, end);
        if (end < range.end) found[t].push_back(end);
        begin = end + 1;
      }
    });
    std::vector<int64_t> hubs;
    for (const std::vector<int64_t>& some : found) hubs.insert(hubs.end(), some.begin(), some.end());
    return hubs;
  }

 private:
  const int64_t* indptr_;
  int64_t n_, grain_;
};

/** A run of entries of one hub. */
struct HubChunk { int64_t row, begin, end; };

inline std::vector<HubChunk> hub_chunks(const int64_t* indptr, const std::vector<int64_t>& hubs) {
  std::vector<HubChunk> chunks;
  for (int64_t row : hubs)
    for (int64_t e = indptr[row]; e < indptr[row + 1]; e += kHubEntries)
      chunks.push_back({row, e, std::min(indptr[row + 1], e + kHubEntries)});
  return chunks;
}

/** Run body(row, begin, end) on runs of entries that cover indptr, in tasks of `grain` entries. */
template <class Body>
void for_entries(const int64_t* indptr, int64_t n, int64_t grain, Body&& body) {
  const int64_t start = n > 0 ? indptr[0] : 0;
  parallel_for(n > 0 ? indptr[n] - start : 0, grain, [&](int64_t begin, int64_t end) {
    int64_t e = begin + start;
    for (int64_t row = row_of_entry(indptr, n, e); e < end + start; ++row) {
      const int64_t stop = std::min(indptr[row + 1], end + start);
      if (e < stop) body(row, e, stop);
      e = std::max(e, stop);
    }
  });
}

GUST_OPS_END
