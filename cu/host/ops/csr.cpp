// CSR matrices: transpose, of some rows too, row sums, scaling, conversion to dense.
//
// Shapes: pattern (n, m) with nnz entries; values (nnz), absent: ones.
// Owner: transposes - runs of entries, see grouping.h; row_sum and to_dense - rows (RowGrid); scale - runs of
//   entries.
// Memory: each array once, the transpose twice plus its counters and one random write per entry and output; that of
//   some rows reads those alone, O(entries of the rows + their number + m).
// Determinism: a transpose is a stable sort; row sums are taken in fixed lanes, in float64.
#include "dense.h"
#include "grouping.h"

GUST_OPS_BEGIN

void csr_transpose(const csr_transpose_args& args, Context& context) {
  const Slot &indptr_slot = context.slot(args.indptr), &indices_slot = context.slot(args.indices);
  const Slot &out_indptr = context.slot(args.out_indptr), &out_indices_slot = context.slot(args.out_indices);
  const int64_t n = indptr_slot.size() - 1, m = out_indptr.size() - 1;
  const int64_t* indptr = indptr_slot.as<int64_t>();
  int64_t* order = context.slot(args.order).as<int64_t>();
  dispatch_index(indices_slot.dtype, [&](auto tag) {
    using I = decltype(tag);
    const I* indices = indices_slot.as<I>();
    dispatch_index(out_indices_slot.dtype, [&](auto out_tag) {
      using O = decltype(out_tag);
      O* out_indices = out_indices_slot.as<O>();
      group_stable(
          indices_slot.size(), m, out_indptr.as<int64_t>(), context,
          [=](int64_t begin, int64_t end, int64_t* counts) {
            for (int64_t e = begin; e < end; ++e) ++counts[indices[e]];
          },
          [=](int64_t begin, int64_t end, int64_t* next) {
            int64_t row = begin < end ? row_of_entry(indptr, n, begin) : 0;
            for (int64_t e = begin; e < end; ++e) {
              while (e >= indptr[row + 1]) ++row;
              const int64_t at = next[indices[e]]++;
              out_indices[at] = static_cast<O>(row);
              order[at] = e;
            }
          });
    });
  });
}

namespace {

/** starts[t] = entries of the listed rows before the t-th, starts[k] of all; `rows` are checked. */
void start_listed_rows(const int64_t* indptr, int64_t n, const int64_t* rows, int64_t k, int64_t* starts) {
  parallel_for(k, kGrain, [=](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t row = rows[t];
      if (row < 0 || row >= n || (t > 0 && row < rows[t - 1]))
        fail(GUST_EINVAL, "row %lld at place %lld of the listed rows, expected ascending ones of 0 .. %lld",
             static_cast<long long>(row), static_cast<long long>(t), static_cast<long long>(n - 1));
      starts[t] = indptr[row + 1] - indptr[row];
    }
  });
  exclusive_scan(starts, k);
}

}  // namespace

void csr_slice_transposed(const csr_slice_transposed_args& args, Context& context) {
  const Slot &indptr_slot = context.slot(args.indptr), &indices_slot = context.slot(args.indices);
  const Slot &out_indptr = context.slot(args.out_indptr), &out_indices_slot = context.slot(args.out_indices);
  const Slot& rows_slot = context.slot(args.rows);
  const int64_t *indptr = indptr_slot.as<int64_t>(), *rows = rows_slot.as<int64_t>();
  const int64_t k = rows_slot.size(), kept = out_indices_slot.size();
  int64_t* starts = context.scratch<int64_t>(k + 1);
  start_listed_rows(indptr, indptr_slot.size() - 1, rows, k, starts);
  if (starts[k] != kept)
    fail(GUST_EINVAL, "room for %lld entries, expected the %lld of the listed rows", static_cast<long long>(kept),
         static_cast<long long>(starts[k]));
  int64_t* order = context.slot(args.order).as<int64_t>();
  /** Call body(row, begin, end) with the old numbers of entries that the kept ones from `first` to `last` are. */
  auto for_kept = [=](int64_t first, int64_t last, auto&& body) {
    int64_t t = first < last ? row_of_entry(starts, k, first) : 0;
    for (int64_t at = first; at < last; ++t) {
      const int64_t stop = std::min(last, starts[t + 1]), shift = indptr[rows[t]] - starts[t];
      body(rows[t], at + shift, stop + shift);
      at = stop;
    }
  };
  dispatch_index(indices_slot.dtype, [&](auto tag) {
    using I = decltype(tag);
    const I* indices = indices_slot.as<I>();
    dispatch_index(out_indices_slot.dtype, [&](auto out_tag) {
      using O = decltype(out_tag);
      O* out_indices = out_indices_slot.as<O>();
      // Entries between the prefetch of a place and its write: what one core has on the way from memory.
      constexpr int64_t kAhead = 16;
      const int64_t entries = indices_slot.size();
      group_stable(
          kept, out_indptr.size() - 1, out_indptr.as<int64_t>(), context,
          [=](int64_t first, int64_t last, int64_t* counts) {
            for_kept(first, last, [=](int64_t, int64_t begin, int64_t end) {
              for (int64_t e = begin; e < end; ++e) ++counts[indices[e]];
            });
          },
          [=](int64_t first, int64_t last, int64_t* next) {
            for_kept(first, last, [=](int64_t row, int64_t begin, int64_t end) {
              for (int64_t e = begin; e < end; ++e) {
                if (e + kAhead < entries) {
                  const int64_t soon = next[indices[e + kAhead]];
                  __builtin_prefetch(out_indices + soon, 1);
                  if (order) __builtin_prefetch(order + soon, 1);
                }
                const int64_t at = next[indices[e]]++;
                out_indices[at] = static_cast<O>(row);
                if (order) order[at] = e;
              }
            });
          });
    });
  });
}

namespace {

/** out[i] = sum of term(e) over row i */
template <class T, class Term>
void sum_terms(const int64_t* indptr, int64_t n, T* out, const Term& term) {
  auto sum_row = [=](int64_t i) {
    const int64_t first = indptr[i];
    const double sum = lane_sum<double>(indptr[i + 1] - first, [=](int64_t k) { return term(first + k); });
    out[i] = static_cast<T>(sum);
  };
  const std::vector<int64_t> hubs = RowGrid(indptr, n, 8).for_rows([=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sum_row(i);
  });
  // One thread adds some billions of entries per second: no need to cut a hub.
  parallel_for(static_cast<int64_t>(hubs.size()), 1, [&](int64_t h, int64_t) { sum_row(hubs[h]); });
}

}  // namespace

void csr_row_sum(const csr_row_sum_args& args, Context& context) {
  const Slot& out_slot = context.slot(args.out);
  const int64_t n = out_slot.size();
  const int64_t* indptr = context.slot(args.indptr).as<int64_t>();
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* values = context.slot(args.values).as<T>();
    T* out = out_slot.as<T>();
    const double power = args.power;
    auto magnitude = [=](int64_t e) { return std::fabs(static_cast<double>(values[e])); };
    if (!values || power == 0)
      parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) out[i] = static_cast<T>(indptr[i + 1] - indptr[i]);
      });
    else if (power == 1) sum_terms(indptr, n, out, magnitude);
    else if (power == 2) sum_terms(indptr, n, out, [=](int64_t e) { return magnitude(e) * magnitude(e); });
    else sum_terms(indptr, n, out, [=](int64_t e) { return std::pow(magnitude(e), power); });
  });
}

void csr_scale(const csr_scale_args& args, Context& context) {
  const Slot &indices_slot = context.slot(args.indices), &out_slot = context.slot(args.out);
  const Slot& indptr_slot = context.slot(args.indptr);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *values = context.slot(args.values).as<T>(), *left = context.slot(args.left).as<T>();
    const T* right = context.slot(args.right).as<T>();
    T* out = out_slot.as<T>();
    dispatch_index(indices_slot.dtype, [&](auto index) {
      using I = decltype(index);
      const I* indices = indices_slot.as<I>();
      const int64_t n = indptr_slot.size() - 1;
      for_entries(indptr_slot.as<int64_t>(), n, kGrain, [=](int64_t i, int64_t begin, int64_t end) {
        const T scale = left ? left[i] : T{1};
        for (int64_t e = begin; e < end; ++e) {
          const T value = values ? scale * values[e] : scale;
          out[e] = right ? value * right[indices[e]] : value;
        }
      });
    });
  });
}

void csr_to_dense(const csr_to_dense_args& args, Context& context) {
  const Slot &indices_slot = context.slot(args.indices), &out_slot = context.slot(args.out);
  const int64_t* indptr = context.slot(args.indptr).as<int64_t>();
  const int64_t f = out_slot.cols;
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* values = context.slot(args.values).as<T>();
    T* out = out_slot.as<T>();
    dispatch_index(indices_slot.dtype, [&](auto index) {
      using I = decltype(index);
      const I* indices = indices_slot.as<I>();
      parallel_for(out_slot.rows, row_grain(f), [=](int64_t begin, int64_t end) {
        std::fill(out + begin * f, out + end * f, T{0});
        for (int64_t i = begin; i < end; ++i)
          for (int64_t e = indptr[i]; e < indptr[i + 1]; ++e)
            out[i * f + indices[e]] += values ? values[e] : T{1};
      });
    });
  });
}

GUST_OPS_END
