// The rows with the largest scores of each range of rows.
//
// Shapes: indptr (s + 1) gives the row ranges of x (n); out_indptr (s + 1) the ranges of out, at most as long.
// out[out_indptr[s] .. out_indptr[s + 1]) = the rows of segment s with the largest scores, ascending; of equal scores
//   the earlier row is taken, and one that is not a number is the smallest.
// How: rows are sorted by score and then by segment; in the stable order of both, the first rows of a segment are those
//   to take. They are marked, and a prefix sum of the marks is where each goes.
// A segment that is to give more rows than it has cannot be refused from here: what it lacks is -1.
// Threads: one per row in all steps. Memory: two radix sorts of n pairs.
// Determinism: the order of scores and rows is total, so that the selection is unique.
#include "../algorithms.h"
#include "row_teams.h"

GUST_OPS_BEGIN
namespace {

template <class T>
using KeyOf = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

/** Scores as integers that ascend as scores descend, and rows by number. */
template <class T>
struct ScoreKeys {
  using Key = KeyOf<T>;
  const T* x;
  Key* keys;
  int64_t* rows;

  __device__ void operator()(int64_t i) const {
    rows[i] = i;
    const T score = x[i];
    if (score != score) {
      keys[i] = ~Key{0};
      return;
    }
    const T value = score == 0 ? T{0} : score;  // -0 is 0
    Key bits;
    std::memcpy(&bits, &value, sizeof bits);
    constexpr Key kSign = Key{1} << (8 * sizeof(Key) - 1);
    keys[i] = bits & kSign ? bits : ~(bits | kSign);
  }
};

/** The segment of each row of a list, counted from 1: 0 is before the first. */
template <class Key>
struct SegmentKeys {
  const int64_t *indptr, *rows;
  Key* keys;
  int64_t segments;
  __device__ void operator()(int64_t q) const {
    keys[q] = static_cast<Key>(row_of_entry(indptr, segments, rows[q]) + 1);
  }
};

/** Mark the rows to take: the first ones of each segment. As many rows are before a segment as indptr says. */
template <class Key>
struct Mark {
  const int64_t *indptr, *out_indptr, *rows;
  const Key* keys;
  int32_t* marks;
  int64_t segments;
  __device__ void operator()(int64_t q) const {
    const int64_t s = static_cast<int64_t>(keys[q]) - 1;
    marks[rows[q]] = s >= 0 && s < segments && q - indptr[s] < out_indptr[s + 1] - out_indptr[s];
  }
};

struct Minus {
  int64_t* out;
  __device__ void operator()(int64_t i) const { out[i] = -1; }
};

/** Put marked rows where they go. */
struct Place {
  const int64_t *indptr, *out_indptr, *before;
  const int32_t* marks;
  int64_t* out;
  int64_t segments, size;
  __device__ void operator()(int64_t i) const {
    if (!marks[i]) return;
    const int64_t s = row_of_entry(indptr, segments, i), to = out_indptr[s] + before[i] - before[indptr[s]];
    if (to >= 0 && to < size) out[to] = i;
  }
};

}  // namespace

void segment_top(const segment_top_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &indptr = context.slot(args.indptr), &out = context.slot(args.out);
  const auto *starts = indptr.as<int64_t>(), *to = context.slot(args.out_indptr).as<int64_t>();
  const int64_t segments = indptr.size() - 1, n = x.size();
  each(out.size(), Minus{out.as<int64_t>()});
  if (n == 0 || out.size() == 0) return;
  auto* rows = context.scratch<int64_t>(n);
  auto* by_score = context.scratch<int64_t>(n);
  dispatch_real(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    auto* keys = context.scratch<KeyOf<T>>(n);
    each(n, ScoreKeys<T>{x.as<T>(), keys, rows});
    sort_pairs(context, keys, context.scratch<KeyOf<T>>(n), rows, by_score, n);
  });
  const int bits = bits_for(segments + 2);
  auto mark = [&](auto tag) {
    using Key = decltype(tag);
    Key *keys = context.scratch<Key>(n), *sorted = context.scratch<Key>(n);
    each(n, SegmentKeys<Key>{starts, by_score, keys, segments});
    sort_pairs(context, keys, sorted, by_score, rows, n, bits);
    auto* marks = context.scratch<int32_t>(n);
    auto* before = context.scratch<int64_t>(n);
    each(n, Mark<Key>{starts, to, rows, sorted, marks, segments});
    exclusive_sum(context, marks, before, n);
    each(n, Place{starts, to, before, marks, out.as<int64_t>(), segments, out.size()});
  };
  if (bits <= 32) mark(uint32_t{});
  else mark(uint64_t{});
}

GUST_OPS_END
