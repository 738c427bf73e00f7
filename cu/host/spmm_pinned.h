// A square CSR pattern prepared for products that keep rows of the right operand in a buffer, cluster by cluster.
//
//   spmm_pinned_layout.cpp  which rows each cluster pins, and where every column finds its row
//   spmm_pinned.cpp         the product
//   spmm_pinned_loops.h     its inner loops, per instruction set
//   cache_misses.cpp        what it misses in a cache of a given size
#pragma once

#include <mutex>
#include <vector>

#include "partition.h"

namespace gust::pinned {

using partition::Array;

/** Rows that one thread computes with one copy of what their cluster pins. */
struct Task {
  int64_t cluster, begin, end;
};

struct Layout {
  int64_t n = 0;
  const int64_t* indptr = nullptr;  // of the caller, who keeps it
  /** Per entry: its place among the rows that its cluster pins, or ~column. */
  Array<int32_t> slots;
  /** Rows pinned by cluster c, ascending: ids[ptr[c] .. ptr[c + 1]). */
  Array<int32_t> ids;
  std::vector<int64_t> ptr;
  int64_t hits = 0, most = 0;  // entries that find their row pinned; rows that a cluster pins at most
  std::vector<Task> tasks;

  int64_t pinned(int64_t c) const { return ptr[c + 1] - ptr[c]; }

  /** Buffers that no task uses now. */
  std::mutex lock;
  std::vector<Array<float>> buffers;
};

/** One call. Arrays are of float32; absent factors are null. */
struct Product {
  const Layout* layout;
  const float* x;  // (n, f)
  int64_t f;
  float* out;  // (n, f)
  const float *values, *left, *right, *diagonal;
  int64_t ahead;  // entries whose rows are on their way
  bool to_l2;     // into the second-level cache
};

}  // namespace gust::pinned
