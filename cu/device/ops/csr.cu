// CSR matrices: transpose, of some rows too, row sums, scaling, conversion to dense.
//
// Threads: csr_transpose - a stable sort of the entries by column (transpose.h), whose rows are found beside it;
//   csr_slice_transposed - the same of the entries of the listed rows, one thread each.
//   csr_row_sum - a group of lanes per row, more for rows that are long on average; rows that are much longer in pieces
//   (pieces.h). csr_scale - one thread per entry. csr_to_dense - a warp per row.
// Memory: each array once; the transpose besides the sort two random reads per entry.
// Determinism: the transpose is a stable sort; row sums are taken in fixed lanes, in float64; equal columns of a row
//   are added in order.
#include "transpose.h"

GUST_OPS_BEGIN
namespace {

/** |value|^power as a term of a sum. */
template <class T>
struct Magnitude {
  const T* values;
  double power;
  __device__ double operator()(int64_t e) const {
    const double value = std::fabs(static_cast<double>(values[e]));
    return power == 1 ? value : power == 2 ? value * value : std::pow(value, power);
  }
};

template <class T>
struct CountRows {
  const int64_t* indptr;
  T* out;
  __device__ void operator()(int64_t i) const { out[i] = static_cast<T>(indptr[i + 1] - indptr[i]); }
};

/** The sum of term(e) for entries begin .. end-1, in every lane. */
template <class Term>
__device__ double sum_of(const Subwarp& group, const Term& term, int64_t begin, int64_t end) {
  double sum = 0;
#pragma unroll 4
  for (int64_t e = begin + group.lane; e < end; e += group.lanes) sum += term(e);
  return group.sum(sum);
}

/** Pieces of long rows, then the other rows. */
template <class T>
__global__ void row_sum_kernel(const int64_t* indptr, int64_t n, int64_t entries, Magnitude<T> term, Pieces pieces,
                               double* partial, T* out, int lanes) {
  const Subwarp group(lanes);
  for (int64_t task = first_subwarp(lanes); task < pieces.count + n; task += stride_subwarps(lanes)) {
    if (task < pieces.count) {
      pieces.reduce(group, indptr, n, entries, task, true, [&](int64_t begin, int64_t end, int64_t slot) {
        const double sum = sum_of(group, term, begin, end);
        if (group.lane == 0) partial[slot] = sum;
      });
      continue;
    }
    const int64_t i = task - pieces.count, begin = indptr[i], end = indptr[i + 1];
    if (pieces.is_long(end - begin)) continue;
    const double sum = sum_of(group, term, begin, end);
    if (group.lane == 0) out[i] = static_cast<T>(sum);
  }
}

template <class T>
struct AddPieces {
  const int64_t* indptr;
  Pieces pieces;
  const double* partial;
  T* out;
  __device__ void operator()(int64_t q) const {
    if (pieces.heads[q] < 0) return;
    double sum = 0;
    pieces.for_slots(indptr, q, [&](int64_t slot) { sum += partial[slot]; });
    out[pieces.heads[q]] = static_cast<T>(sum);
  }
};

/** left, right may be absent, values too. */
template <class T>
struct ScaleEntry {
  Index indices;
  const T *values, *left, *right;
  T* out;
  __device__ void operator()(int64_t i, int64_t e) const {
    T value = left ? left[i] : T{1};
    if (values) value *= values[e];
    out[e] = right ? value * right[indices(e)] : value;
  }
};

/** Rows of out, which is zero, a warp each: the first of the lanes with one column adds what these have. */
template <class T>
__global__ void to_dense_kernel(const int64_t* indptr, int64_t n, Index indices, const T* values, int64_t f, T* out) {
  for (int64_t i = first_warp(); i < n; i += stride_warps()) {
    const int64_t end = indptr[i + 1];
    for (int64_t begin = indptr[i]; begin < end; begin += kLanes) {
      const int64_t e = begin + lane();
      // A lane behind the end has a column of its own.
      const int64_t column = e < end ? indices(e) : -1 - lane();
      const T value = e >= end ? T{0} : values ? values[e] : T{1};
      const unsigned same = __match_any_sync(kAllLanes, column);
      const bool adds = e < end && __ffs(static_cast<int>(same)) - 1 == lane();
      T sum = adds ? out[i * f + column] : T{0};
      if (__any_sync(kAllLanes, __popc(same) > 1)) {
        for (int k = 0; k < kLanes; ++k) {
          const T other = __shfl_sync(kAllLanes, value, k);
          if (same >> k & 1) sum += other;
        }
      } else {
        sum += value;
      }
      if (adds) out[i * f + column] = sum;
      __syncwarp();
    }
  }
}

/** Entries of the t-th listed row, 0 for rows that there are not; at t = k nothing, for the sum. */
struct ListedLength {
  const int64_t *indptr, *rows;
  int64_t n, k;
  int64_t* lengths;
  __device__ void operator()(int64_t t) const {
    const bool is_real = t < k && rows[t] >= 0 && rows[t] < n;
    lengths[t] = is_real ? indptr[rows[t] + 1] - indptr[rows[t]] : 0;
  }
};

/** The old number of kept entry `at` of the t-th listed row. */
struct OldEntry {
  const int64_t *indptr, *rows, *starts;
  int64_t* old;
  int64_t* row_of;
  __device__ void operator()(int64_t t, int64_t at) const {
    old[at] = indptr[rows[t]] + at - starts[t];
    row_of[at] = rows[t];
  }
};

/** A kept entry by its column; what there is too much room for belongs to none. */
struct KeptEntry {
  const int64_t *starts, *old;
  int64_t k;
  Index indices;
  __device__ Item operator()(int64_t at) const { return {at < starts[k] ? indices(old[at]) : -1, at}; }
};

/** Kept entries in their new order: their rows, and their old numbers where these are wanted. */
template <class O>
struct TakeKept {
  const int64_t *names, *row_of, *old, *starts;
  int64_t m;
  O* out;
  int64_t* order;
  __device__ void operator()(int64_t p) const {
    if (p >= starts[m]) return;
    out[p] = static_cast<O>(row_of[names[p]]);
    if (order) order[p] = old[names[p]];
  }
};

template <class T>
struct Zero {
  T* out;
  __device__ void operator()(int64_t i) const { out[i] = T{0}; }
};

}  // namespace

void csr_transpose(const csr_transpose_args& args, Context& context) {
  const Slot &indptr = context.slot(args.indptr), &indices = context.slot(args.indices);
  const Slot &out_indptr = context.slot(args.out_indptr), &out_indices = context.slot(args.out_indices);
  dispatch_index(out_indices.dtype, [&](auto tag) {
    using O = decltype(tag);
    transpose(context, indptr.as<int64_t>(), indptr.size() - 1, Index(indices), indices.size(), out_indptr.size() - 1,
              out_indptr.as<int64_t>(), out_indices.as<O>(), context.slot(args.order).as<int64_t>());
  });
}

// Neither rows that there are not nor a wrong number of kept entries can be refused from here: such rows have no entries.
void csr_slice_transposed(const csr_slice_transposed_args& args, Context& context) {
  const Slot &indptr = context.slot(args.indptr), &indices = context.slot(args.indices), &rows = context.slot(args.rows);
  const Slot &out_indptr = context.slot(args.out_indptr), &out_indices = context.slot(args.out_indices);
  const int64_t n = indptr.size() - 1, k = rows.size(), kept = out_indices.size(), m = out_indptr.size() - 1;
  const int64_t *of = indptr.as<int64_t>(), *listed = rows.as<int64_t>();
  int64_t *starts = context.scratch<int64_t>(k + 1), *old = context.scratch<int64_t>(kept);
  int64_t *row_of = context.scratch<int64_t>(kept), *names = context.scratch<int64_t>(kept);
  each(k + 1, ListedLength{of, listed, n, k, starts});
  exclusive_sum(context, starts, starts, k + 1);
  each_entry(starts, k, kept, OldEntry{of, listed, starts, old, row_of});
  group_stable(context, kept, m, KeptEntry{starts, old, k, Index(indices)}, out_indptr.as<int64_t>(), names);
  dispatch_index(out_indices.dtype, [&](auto tag) {
    using O = decltype(tag);
    each(kept, TakeKept<O>{names, row_of, old, out_indptr.as<int64_t>(), m, out_indices.as<O>(),
                           context.slot(args.order).as<int64_t>()});
  });
}

void csr_row_sum(const csr_row_sum_args& args, Context& context) {
  const Slot &out = context.slot(args.out), &values = context.slot(args.values);
  const int64_t* indptr = context.slot(args.indptr).as<int64_t>();
  const int64_t n = out.size();
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    if (!values.live || args.power == 0) return each(n, CountRows<T>{indptr, out.as<T>()});
    const int64_t entries = values.size();
    if (n == 0) return;
    Pieces pieces(entries);
    double* partial = nullptr;
    if (pieces.count > 0) {
      pieces.heads = context.scratch<int64_t>(pieces.count);
      partial = context.scratch<double>(2 * pieces.count);
    }
    const int lanes = subwarp_lanes(entries / n);
    launch(row_sum_kernel<T>, grid_of(pieces.count + n, kThreads / lanes), indptr, n, entries,
           Magnitude<T>{values.as<T>(), args.power}, pieces, partial, out.as<T>(), lanes);
    each(pieces.count, AddPieces<T>{indptr, pieces, partial, out.as<T>()});
  });
}

void csr_scale(const csr_scale_args& args, Context& context) {
  const Slot &indptr = context.slot(args.indptr), &indices = context.slot(args.indices), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_entry(indptr.as<int64_t>(), indptr.size() - 1, indices.size(),
               ScaleEntry<T>{Index(indices), context.slot(args.values).as<T>(), context.slot(args.left).as<T>(),
                             context.slot(args.right).as<T>(), out.as<T>()});
  });
}

void csr_to_dense(const csr_to_dense_args& args, Context& context) {
  const Slot &indices = context.slot(args.indices), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    each(out.size(), Zero<T>{out.as<T>()});
    if (out.size() > 0)
      launch(to_dense_kernel<T>, grid_of(out.rows, kWarps), context.slot(args.indptr).as<int64_t>(), out.rows,
             Index(indices), context.slot(args.values).as<T>(), out.cols, out.as<T>());
  });
}

GUST_OPS_END
