// The rows with the largest scores of each range of rows.
//
// Shapes: indptr (s + 1) gives the row ranges of x (n); out_indptr (s + 1) the ranges of out, at most as long.
// out[out_indptr[s] .. out_indptr[s + 1]) = the rows of segment s with the largest scores, ascending; of equal scores
//   the earlier row is taken, and one that is not a number is the smallest.
// Owner: whole segments per task (a fixed grid). Memory: scores read once, a list of a segment's rows per task.
// Determinism: the order of scores and rows is total, so that the selection is unique.
// Source: Gao and Ji 2019, arXiv:1905.05178, eq. 2 (idx = rank(y, k)).
#include <algorithm>
#include <vector>

#include "aggregate.h"

GUST_OPS_BEGIN
namespace {

/** The `take` best of rows begin .. end - 1, ascending, into `out`. */
template <class T>
void best_rows(const T* x, int64_t begin, int64_t end, int64_t take, std::vector<int64_t>& rows, int64_t* out) {
  rows.resize(static_cast<size_t>(end - begin));
  for (int64_t i = begin; i < end; ++i) rows[i - begin] = i;
  const auto better = [x](int64_t a, int64_t b) {
    const bool na = x[a] != x[a], nb = x[b] != x[b];
    if (na != nb) return nb;
    return !na && x[a] != x[b] ? x[a] > x[b] : a < b;
  };
  if (take < end - begin) std::nth_element(rows.begin(), rows.begin() + take, rows.end(), better);
  std::sort(rows.begin(), rows.begin() + take);
  std::copy_n(rows.begin(), take, out);
}

}  // namespace

void segment_top(const segment_top_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &indptr_slot = context.slot(args.indptr), &out_slot = context.slot(args.out);
  const auto *indptr = indptr_slot.as<int64_t>(), *to = context.slot(args.out_indptr).as<int64_t>();
  auto* out = out_slot.as<int64_t>();
  const int64_t segments = indptr_slot.size() - 1, n = x_slot.size(), taken = out_slot.size();
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t rows = indptr[s + 1] - indptr[s], take = to[s + 1] - to[s];
    if (indptr[s] < 0 || indptr[s + 1] > n || to[s] < 0 || to[s + 1] > taken || take < 0 || take > rows)
      fail(GUST_EINVAL, "segment %lld takes %lld of %lld rows", static_cast<long long>(s), static_cast<long long>(take),
           static_cast<long long>(rows));
  }
  dispatch_real(x_slot.dtype, [&](auto tag) {
    const auto* x = x_slot.as<decltype(tag)>();
    parallel_for(segments, 64, [=](int64_t begin, int64_t end) {
      std::vector<int64_t> rows;
      for (int64_t s = begin; s < end; ++s) best_rows(x, indptr[s], indptr[s + 1], to[s + 1] - to[s], rows, out + to[s]);
    });
  });
}

GUST_OPS_END
