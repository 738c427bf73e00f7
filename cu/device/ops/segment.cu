// Ranges of rows: reductions, broadcasts back, softmax inside a range.
//
// Shapes: indptr (s + 1) gives the row ranges of x (n, f); a reduction is (s, f). An empty segment gives 0.
// Threads: reductions and softmax - a warp per segment and up to 32 columns, long segments by a block: lanes are
//   columns, and of narrow matrices several rows at once. segment_broadcast - a warp per 32 rows, whose segments are
//   looked up.
// Memory: x is read once, by the softmax three times (of all but long segments from the caches); results written once.
// Determinism: rows in an order that the segment's length and f decide; sums of the softmax in float64. Of equal
//   extrema the first is the winner, and a NaN before any number.
#include "row_teams.h"

GUST_OPS_BEGIN
namespace {

/** Lanes as columns of one part of a segment, `slots` rows at a time. */
struct Columns {
  int lanes;
  explicit Columns(int64_t f) : lanes(lanes_for(f)) {}
  int64_t parts(int64_t f) const { return num_chunks(f, lanes); }

  __device__ int64_t column(int64_t part) const { return part * lanes + lane() % lanes; }
  /** Call f(i) for the rows of this lane. */
  template <class Team, class F>
  __device__ void for_rows(const Range& range, const Team& team, F&& f) const {
    const int slots = kLanes / lanes;
    const int64_t first = range.begin + team.number() * slots + lane() / lanes, step = team.size() * slots;
    for (int64_t i = first; i < range.end; i += step) f(i);
  }
  template <class Team>
  __device__ bool writes(const Team& team) const { return team.number() == 0 && lane() < lanes; }
};

template <class T>
struct SegmentSum {
  const int64_t* indptr;
  const T* x;
  T* out;
  int64_t f;
  bool mean;
  Columns columns;

  __device__ Range range(int64_t s) const { return {indptr[s], indptr[s + 1]}; }

  template <class Team>
  __device__ void operator()(int64_t s, int64_t part, const Range& range, const Team& team) const {
    const int64_t j = columns.column(part);
    T sum = 0;
    if (j < f) columns.for_rows(range, team, [&](int64_t i) { sum += x[i * f + j]; });
    sum = team.combine(sum_across(sum, columns.lanes), Add{});
    if (!columns.writes(team) || j >= f) return;
    const int64_t length = range.end - range.begin;
    out[s * f + j] = mean && length > 1 ? sum / static_cast<T>(length) : sum;
  }
};

/** The best so far, and its row: -1 for none. */
template <class T>
struct Best {
  T value;
  int64_t row;
};
/** The better of two: what comes later has to beat the other; a NaN beats all but an earlier one. */
template <bool Largest>
struct Better {
  template <class T>
  __device__ Best<T> operator()(const Best<T>& a, const Best<T>& b) const {
    if (a.row < 0 || b.row < 0) return a.row < 0 ? b : a;
    const bool in_order = a.row < b.row;
    const T first = in_order ? a.value : b.value, later = in_order ? b.value : a.value;
    const bool stays = (Largest ? later <= first : later >= first) || first != first;
    return {stays ? first : later, stays == in_order ? a.row : b.row};
  }
};

template <class T, bool Largest>
struct SegmentExtremum {
  const int64_t* indptr;
  const T* x;
  T* out;
  int64_t* arg;  // may be null
  int64_t f;
  Columns columns;

  __device__ Range range(int64_t s) const { return {indptr[s], indptr[s + 1]}; }

  template <class Team>
  __device__ void operator()(int64_t s, int64_t part, const Range& range, const Team& team) const {
    const int64_t j = columns.column(part);
    const Better<Largest> better;
    Best<T> best{0, -1};
    if (j < f) columns.for_rows(range, team, [&](int64_t i) { best = better(best, Best<T>{x[i * f + j], i}); });
    for (int width = kLanes / 2; width >= columns.lanes; width /= 2) {
      const T value = __shfl_xor_sync(kAllLanes, best.value, width);
      const int64_t row = __shfl_xor_sync(kAllLanes, best.row, width);
      best = better(best, Best<T>{value, row});
    }
    best = team.combine(best, better);
    if (!columns.writes(team) || j >= f) return;
    out[s * f + j] = best.value;
    if (arg) arg[s * f + j] = best.row;
  }
};

/** Softmax of `segments` segments; two more are the rows before the first and behind the last one, which become 0. */
template <class T>
struct SegmentSoftmax {
  const int64_t* indptr;
  const T* x;
  T* out;
  int64_t segments, n, f;
  Columns columns;

  __device__ Range range(int64_t s) const {
    if (s < segments) return {indptr[s], indptr[s + 1]};
    if (s == segments) return {0, segments > 0 ? indptr[0] : 0};
    return {segments > 0 ? indptr[segments] : 0, n};
  }

  template <class Team>
  __device__ void operator()(int64_t s, int64_t part, const Range& range, const Team& team) const {
    const int64_t j = columns.column(part);
    const bool live = j < f;
    if (s >= segments) {
      if (live) columns.for_rows(range, team, [&](int64_t i) { out[i * f + j] = 0; });
      return;
    }
    T top = -std::numeric_limits<T>::infinity();
    if (live) columns.for_rows(range, team, [&](int64_t i) { top = Larger{}(top, x[i * f + j]); });
    top = team.combine(combine_across(top, columns.lanes, Larger{}), Larger{});
    auto part_of = [&](int64_t i) { return static_cast<double>(std::exp(x[i * f + j] - top)); };
    double sum = 0;
    if (live) columns.for_rows(range, team, [&](int64_t i) { sum += part_of(i); });
    sum = team.combine(sum_across(sum, columns.lanes), Add{});
    const double inverse = 1 / sum;
    if (live) columns.for_rows(range, team, [&](int64_t i) { out[i * f + j] = static_cast<T>(part_of(i) * inverse); });
  }
};

template <class T>
struct SegmentBroadcast {
  const int64_t* indptr;
  const T* x;
  T* out;
  int64_t segments, f;
  bool mean;
  int lanes;

  __device__ void operator()(const Run& run) const {
    for (int base = 0; base < run.count; base += kLanes / lanes) {
      const int at = base + lane() / lanes;
      const int64_t s = __shfl_sync(kAllLanes, run.row, at);
      if (at >= run.count) continue;
      T* to = out + (run.first + at) * f;
      const bool inside = s >= 0 && s < segments;
      const T length = inside && mean ? static_cast<T>(indptr[s + 1] - indptr[s]) : T{1};
      for (int64_t k = lane() % lanes; k < f; k += lanes) to[k] = inside ? x[s * f + k] / length : T{0};
    }
  }
};

}  // namespace

void segment_reduce(const segment_reduce_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  if (args.reduce < 0 || args.reduce > 3)
    fail(GUST_EINVAL, "reduction %lld, expected 0 (sum) to 3 (min)", static_cast<long long>(args.reduce));
  const auto* indptr = context.slot(args.indptr).as<int64_t>();
  auto* arg = context.slot(args.arg).as<int64_t>();
  const int64_t f = x.cols;
  const Columns columns(f);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    auto run = [&](const auto& pass) { for_rows(out.rows, columns.parts(f), x.rows, pass); };
    if (args.reduce < 2) run(SegmentSum<T>{indptr, x.as<T>(), out.as<T>(), f, args.reduce == 1, columns});
    else if (args.reduce == 2) run(SegmentExtremum<T, true>{indptr, x.as<T>(), out.as<T>(), arg, f, columns});
    else run(SegmentExtremum<T, false>{indptr, x.as<T>(), out.as<T>(), arg, f, columns});
  });
}

void segment_broadcast(const segment_broadcast_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  const auto* indptr = context.slot(args.indptr).as<int64_t>();
  if (out.cols == 0) return;
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    for_runs(indptr, x.rows, out.rows,
             SegmentBroadcast<T>{indptr, x.as<T>(), out.as<T>(), x.rows, x.cols, args.mean != 0, lanes_for(x.cols)});
  });
}

void segment_softmax(const segment_softmax_args& args, Context& context) {
  const Slot &indptr = context.slot(args.indptr), &x = context.slot(args.x), &out = context.slot(args.out);
  const int64_t segments = indptr.size() - 1, f = x.cols;
  const Columns columns(f);
  if (x.rows == 0) return;
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    for_rows(segments + 2, columns.parts(f), x.rows,
             SegmentSoftmax<T>{indptr.as<int64_t>(), x.as<T>(), out.as<T>(), segments, x.rows, f, columns});
  });
}

GUST_OPS_END
