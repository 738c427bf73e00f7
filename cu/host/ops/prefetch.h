// Rows to come, brought near before they are read: gathers from memory cost what their prefetches leave of its latency.
// How far ahead, and into which cache, is a setting of the machine (cu/common/tuning.h).
#pragma once

#include <algorithm>

#include "../../common/op.h"
#include "../../common/tuning.h"

GUST_OPS_BEGIN

/** Bring `bytes` from `from` on into the second-level cache, or the first. */
inline void prefetch_bytes(const void* from, int64_t bytes, bool to_l2) {
  const char* line = static_cast<const char*>(from);
  if (to_l2)
    for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(line + b, 0, 2);
  else
    for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(line + b, 0, 3);
}

/** Entries ahead whose rows of `bytes` fill the cache lines that may be on their way. */
inline int64_t rows_ahead(const Tuning& tuned, int64_t bytes) {
  return std::max<int64_t>(1, tuned.lines_ahead * 64 / std::max<int64_t>(bytes, 64));
}

/** Prefetches of whole rows of `bytes`. */
struct RowPrefetch {
  int64_t bytes, ahead;
  bool to_l2;
  explicit RowPrefetch(int64_t row_bytes)
      : bytes(row_bytes), ahead(rows_ahead(tuning(), row_bytes)), to_l2(tuning().prefetch_l2) {}
  template <class T>
  void operator()(const T* matrix, int64_t row) const {
    prefetch_bytes(reinterpret_cast<const char*>(matrix) + row * bytes, bytes, to_l2);
  }
};

GUST_OPS_END
