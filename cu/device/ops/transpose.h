// The entries of a CSR matrix in the order of its transpose.
#pragma once

#include "grouping.h"
#include "pieces.h"

GUST_OPS_BEGIN

struct PutRow {
  int64_t* rows;
  __device__ void operator()(int64_t i, int64_t e) const { rows[e] = i; }
};

/** What lies outside of all rows belongs to no column: its index may be anything. */
struct ItemOfEntry {
  const int64_t* indptr;
  int64_t n;
  Index indices;
  __device__ Item operator()(int64_t e) const { return {e >= indptr[0] && e < indptr[n] ? indices(e) : -1, e}; }
};

template <class O>
struct TakeRows {
  const int64_t *rows, *order, *starts;
  int64_t m;
  O* out;
  __device__ void operator()(int64_t k) const {
    if (k < starts[m]) out[k] = static_cast<O>(rows[order[k]]);
  }
};

/**
 * The transpose of a pattern (n, m): starts (m + 1), the rows of the entries by column, and their numbers in that
 * order. Where the tensors have more room than the matrix has entries, so have the results.
 */
template <class O>
void transpose(Context& context, const int64_t* indptr, int64_t n, const Index& indices, int64_t entries, int64_t m,
               int64_t* starts, O* out_rows, int64_t* order) {
  int64_t* rows = context.scratch<int64_t>(entries);
  each_entry(indptr, n, entries, PutRow{rows});
  group_stable(context, entries, m, ItemOfEntry{indptr, n, indices}, starts, order);
  each(entries, TakeRows<O>{rows, order, starts, m, out_rows});
}

GUST_OPS_END
