// The entries of a CSR matrix that dropout keeps, as a matrix of its own: products with it cost what is left.
//
// Shapes: pattern (n, m) with nnz entries; values (nnz), absent: ones; the result has room for nnz entries.
// Mask: draw number j of row id decides about entry j of the row, as in dropout_csr.
// Steps: count what each row keeps, add the counts up, move the entries. Lanes of a warp share a row and take four
//   entries each, in order, so that the places follow from sums over lanes; the draws are made twice, which costs less
//   than to write them down.
// Memory: indptr twice, indices (and values) once, what is kept written once.
#include "../algorithms.h"
#include "dropout.h"
#include "reduce.h"

GUST_OPS_BEGIN
namespace {

/** Which entries of a row stay. */
struct Mask {
  const int64_t* indptr;
  uint32_t threshold;
  StepRandom random;
  RowIds ids;

  /** Bit k: entry 4 * four + k of `count` stays. */
  __device__ unsigned four(const Random& draw, uint64_t id, int64_t four, int64_t count) const {
    unsigned bits = 0;
    if (4 * four >= count) return bits;
    const Philox4 draws = draw.block(id, static_cast<uint32_t>(four));
    for (int k = 0; k < 4; ++k) bits |= static_cast<unsigned>(4 * four + k < count && draws.x[k] >= threshold) << k;
    return bits;
  }
};

/** counts[i] = how many entries row i keeps. */
struct CountKept {
  Mask mask;
  int64_t* counts;

  __device__ void operator()(const Row& row) const {
    int64_t kept = 0;
    if (row.is_real) {
      const int64_t count = mask.indptr[row.index + 1] - mask.indptr[row.index];
      const uint64_t id = mask.ids(row.index);
      const Random draw = mask.random();
      for (int64_t four = row.lane; four < fours_of(count); four += row.width)
        kept += __popc(mask.four(draw, id, four, count));
    }
    kept = row.sum(kept);
    if (row.writes()) counts[row.index] = kept;
  }
};

template <class T, class I>
struct MoveKept {
  Mask mask;
  const I* indices;
  const T* values;
  const int64_t* starts;
  I* out_indices;
  T* out_values;
  T scale;

  __device__ void operator()(const Row& row) const {
    const int64_t begin = row.is_real ? mask.indptr[row.index] : 0;
    const int64_t count = row.is_real ? mask.indptr[row.index + 1] - begin : 0;
    const uint64_t id = row.is_real ? mask.ids(row.index) : 0;
    const Random draw = mask.random();
    int64_t at = row.is_real ? starts[row.index] : 0;
    // Rows of one warp go on until its longest ends.
    const int64_t steps = warp_max(fours_of(count));
    for (int64_t first = 0; first < steps; first += row.width) {
      const int64_t four = first + row.lane;
      const unsigned bits = mask.four(draw, id, four, count);
      const int kept = __popc(bits), so_far = row.sum_so_far(kept);
      int64_t to = at + so_far - kept;
      for (int k = 0; k < 4; ++k) {
        if (!(bits >> k & 1)) continue;
        out_indices[to] = indices[begin + 4 * four + k];
        if (values) out_values[to] = values[begin + 4 * four + k] * scale;
        ++to;
      }
      at += row.of_last(so_far);
    }
  }
};

struct ZeroLast {
  int64_t* counts;
  __device__ void operator()(int64_t) const { *counts = 0; }
};

}  // namespace

void csr_dropout(const csr_dropout_args& args, Context& context) {
  const Slot &indptr = context.slot(args.indptr), &indices = context.slot(args.indices);
  const Slot &values = context.slot(args.values), &out_values = context.slot(args.out_values);
  const Slot& out_indices = context.slot(args.out_indices);
  const int64_t n = indptr.size() - 1;
  const double p = args.p;
  check_drop(p);
  if (values.live != out_values.live) fail(GUST_EINVAL, "values go in and come out, or neither");
  if (indices.dtype != out_indices.dtype) fail(GUST_EINVAL, "indices of one type go in, of another come out");

  const Mask mask{indptr.as<int64_t>(), drop_threshold(p), random_of(context, args.stream, args.layer),
                  RowIds(context.slot(args.ids))};
  const int64_t fours = fours_of(num_chunks(indices.size(), std::max<int64_t>(n, 1)));
  int64_t* counts = context.scratch<int64_t>(n + 1);
  auto* starts = context.slot(args.out_indptr).as<int64_t>();
  each(1, ZeroLast{counts + n});
  each_row(n, fours, CountKept{mask, counts});
  exclusive_sum(context, counts, starts, n + 1);
  dispatch_index(indices.dtype, [&](auto index) {
    using I = decltype(index);
    dispatch_real(values.live ? values.dtype : GUST_F32, [&](auto real) {
      using T = decltype(real);
      each_row(n, fours,
               MoveKept<T, I>{mask, indices.as<I>(), values.live ? values.as<T>() : nullptr, starts,
                              out_indices.as<I>(), out_values.as<T>(), static_cast<T>(1 / (1 - p))});
    });
  });
}

GUST_OPS_END
