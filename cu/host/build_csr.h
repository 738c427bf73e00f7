// The CSR that build makes of an edge list, and the choices it takes.
#pragma once

#include <memory>

#include "build.h"

namespace gust {

struct BuildOptions {
  int64_t num_rows, num_columns;
  bool row_is_source;      // plain matrices (features): entry (source, target), no transposition
  bool symmetrize;         // add the missing reverse of every edge
  bool remove_self_loops;
  bool self_loops;         // add the missing ones, weight 1
  bool weighted;           // keep the list's weights, where it has any
  bool wide;               // 64-bit indices even where 32 would do
  // Listed builds (build_listed): nothing is merged, and the values are the numbers of the listed edges.
  bool mirror = false;             // add the reverse of every edge, whether or not it is listed too
  const void* times = nullptr;     // per listed edge; rows are sorted by it
  int32_t times_dtype = GUST_I64;  // or GUST_F64
};

/** Rows [first_row, end_row) and the place of their entries. */
struct Bucket {
  int64_t first_row, end_row;
  int64_t start, count;  // entries
  int64_t room;          // entries there is room for
};

struct Built {
  Buffer indptr, indices, values;
  int64_t nnz = 0;
  int32_t indices_dtype = GUST_I32, values_dtype = GUST_F32;
  int64_t duplicates = 0;    // merged away
  int64_t added = 0;         // by symmetrising
  int64_t self_removed = 0, self_added = 0;
  int64_t self_loops = 0;    // in the result
  int64_t conflicts = 0;     // stored entries whose two directions had different weights
};

void build_csr(EdgeList& edges, const BuildOptions& options, Built& built);
/** Every listed edge stays an entry of its own; values are I64 numbers of listed edges. */
void build_listed(EdgeList& edges, const BuildOptions& options, Built& built);

}  // namespace gust
