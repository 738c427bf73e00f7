// Products over stored edges whose columns are cut into heads, each with a weight of its own per edge.
//
//   spmm_heads:  out[i, k] = sum over e in row i of values[e, head(k)] * x[j, k]      e = (i, j), head(k) = k / (f / h)
//   sddmm_heads: out[e, h] = sum over the columns k of head h of x[i, k] * y[j, k]
//   edge_sum:    out[e, k] = x[i, k] + y[j, k]
//
// Threads: spmm_heads - a warp per row and part of its heads (head_rows.h), long rows by a block; the others - a warp
//   per 32 entries, whose rows are looked up in indptr: a power of two of its lanes per entry and head in sddmm_heads,
//   a lane per column in edge_sum.
// Determinism: a row is added up in an order that its length and the shapes decide; a dot product by lanes, pairwise.
#include "head_rows.h"

GUST_OPS_BEGIN
namespace {

template <class T, class I, int K>
struct SpmmHeads {
  const int64_t* indptr;
  const I* indices;
  const T *values, *x;
  T* out;
  HeadParts cut;

  __device__ Range range(int64_t i) const { return {indptr[i], indptr[i + 1]}; }

  template <class Team>
  __device__ void operator()(int64_t i, int64_t part, const Range& range, const Team& team) const {
    const HeadLane of(cut, part);
    for (int64_t panel = 0; panel < of.columns(cut); panel += kLanes * K) {
      const ColumnLanes<K> at(cut, of, panel);
      HeadSums<T, K, false> sums;
      for (int64_t e = range.begin + team.number() * of.slots; e < range.end; e += team.size() * of.slots) {
        const int64_t rest = range.end - e, own = e + of.slot;
        const int count = rest < of.slots ? static_cast<int>(rest) : of.slots;
        I j = 0;
        T weight = 0;
        if (of.slot < count) {
          j = indices[own];
          if (of.live) weight = values[own * cut.heads + of.head];
        }
        sums.add(cut, at, x + at.first, j, weight, T{0}, count);
      }
      sums.finish(cut, team);
      if (!writes_columns(cut, team)) continue;
      for (int k = 0; k < K; ++k)
        if (at.live[k]) out[i * cut.f + at.first + kLanes * k] = sums.sum[k];
    }
  }
};

/** `lanes` of the warp per entry and head. */
template <class T, class I>
struct SddmmHeads {
  const I* indices;
  const T *x, *y;
  T* out;
  int64_t n, f, heads, width;
  int lanes;

  __device__ void operator()(const Run& run) const {
    const I column = lane() < run.count ? indices[run.first + lane()] : 0;
    const int64_t items = run.count * heads, at_once = kLanes / lanes;
    const int own = lane() % lanes;
    for (int64_t base = 0; base < items; base += at_once) {
      const int64_t item = base + lane() / lanes;
      const bool live = item < items;
      const Cell at = cell_of(live ? item : 0, heads);  // entry of the run, head
      const int64_t i = __shfl_sync(kAllLanes, run.row, static_cast<int>(at.row));
      const auto j = static_cast<int64_t>(__shfl_sync(kAllLanes, column, static_cast<int>(at.row)));
      const bool inside = live && i >= 0 && i < n;
      T sum = 0;
      if (inside) {
        const T *a = x + i * f + at.col * width, *b = y + j * f + at.col * width;
        for (int64_t k = own; k < width; k += lanes) sum += a[k] * b[k];
      }
      sum = sum_inside(sum, lanes);
      if (inside && own == 0) out[run.first * heads + item] = sum;
    }
  }
};

/** `lanes` of the warp per entry, one per column. */
template <class T, class I>
struct EdgeSum {
  const I* indices;
  const T *x, *y;
  T* out;
  int64_t n, f;
  int lanes;

  __device__ void operator()(const Run& run) const {
    const I column = lane() < run.count ? indices[run.first + lane()] : 0;
    for (int base = 0; base < run.count; base += kLanes / lanes) {
      const int at = base + lane() / lanes;
      const int64_t i = __shfl_sync(kAllLanes, run.row, at);
      const auto j = static_cast<int64_t>(__shfl_sync(kAllLanes, column, at));
      if (at >= run.count || i < 0 || i >= n) continue;
      const T *a = x + i * f, *b = y + j * f;
      T* to = out + (run.first + at) * f;
      for (int64_t k = lane() % lanes; k < f; k += lanes) to[k] = a[k] + b[k];
    }
  }
};

}  // namespace

void spmm_heads(const spmm_heads_args& args, Context& context) {
  const Slot &indices = context.slot(args.indices), &values = context.slot(args.values), &out = context.slot(args.out);
  if (out.rows == 0 || out.cols == 0) return;
  const HeadParts cut(out.cols, values.cols);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    dispatch_index(indices.dtype, [&](auto index) {
      using I = decltype(index);
      with_panels(cut, [&](auto panels) {
        for_rows(out.rows, cut.parts, indices.size(),
                 SpmmHeads<T, I, panels()>{context.slot(args.indptr).as<int64_t>(), indices.as<I>(), values.as<T>(),
                                           context.slot(args.x).as<T>(), out.as<T>(), cut});
      });
    });
  });
}

void sddmm_heads(const sddmm_heads_args& args, Context& context) {
  const Slot &indices = context.slot(args.indices), &x = context.slot(args.x), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    dispatch_index(indices.dtype, [&](auto index) {
      using I = decltype(index);
      const int64_t width = x.cols / out.cols;
      for_runs(context.slot(args.indptr).as<int64_t>(), x.rows, indices.size(),
               SddmmHeads<T, I>{indices.as<I>(), x.as<T>(), context.slot(args.y).as<T>(), out.as<T>(), x.rows, x.cols,
                                out.cols, width, lanes_for(width)});
    });
  });
}

void edge_sum(const edge_sum_args& args, Context& context) {
  const Slot &indices = context.slot(args.indices), &x = context.slot(args.x), &out = context.slot(args.out);
  if (out.cols == 0) return;
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    dispatch_index(indices.dtype, [&](auto index) {
      using I = decltype(index);
      for_runs(context.slot(args.indptr).as<int64_t>(), x.rows, indices.size(),
               EdgeSum<T, I>{indices.as<I>(), x.as<T>(), context.slot(args.y).as<T>(), out.as<T>(), x.rows, x.cols,
                             lanes_for(x.cols)});
    });
  });
}

GUST_OPS_END
