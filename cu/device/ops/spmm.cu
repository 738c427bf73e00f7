// Sparse x dense: out = left * (A @ (right * x)) + diagonal * x with A in CSR, or the row-wise mean, maximum, minimum,
// and then the epilogue; x may be stored as float16 or bfloat16, which are added up in float32. Formula: aggregate.h.
//
// Threads: a subwarp has a row and a panel of columns. Its lanes read the columns and weights of as many entries as
//   they are, next to each other, and pass them round by shuffles; each holds one or two packs of the panel's columns
//   in registers, and loads those of kAhead entries before it adds the first. As many lanes as the packs of a row need:
//   several narrow rows share a warp, wide ones are cut into panels, all rows of the first before those of the second.
// Skew: rows of more than Pieces::length entries are cut into pieces (pieces.h) that the first subwarps of the grid
//   reduce; a second kernel combines them. Both are launched whatever the matrix: the host reads nothing of it.
// Memory: nnz * f reads of x, whose rows lie anywhere: that is what the product costs. Besides, n * f writes; indices,
//   values and right once per panel; a partial row per piece of a long one.
// Determinism: a number is added up in the order of the row's entries, inside a piece and from piece to piece. Pieces
//   follow from the number of entries and indptr: the bits depend on neither f nor the layout of lanes.
// Source: row-split and merge-based schedules, Yang, Buluc and Owens 2018, arXiv:1803.08601.
#include "aggregate.h"
#include "vectors.h"

GUST_OPS_BEGIN
namespace {

constexpr int kAhead = 4;  // entries whose rows of x are on their way at once

/** What x is added up in. */
template <class X>
using Sum = std::conditional_t<std::is_same_v<X, double>, double, float>;

/** Results of pieces, f numbers per slot. */
template <class T>
struct Partial {
  T* value;
  int64_t* arg;  // null where no winners are wanted
};

/** Whether a term takes the place of the best so far: the first of equals stays, as does the first NaN. */
template <class T>
__device__ bool beats(T term, T best, bool is_largest) {
  return !(is_largest ? term <= best : term >= best) && best == best;
}

/** a * b as a number of its own: what is added to it does not make it a fused multiply-add. */
__device__ inline float rounded_product(float a, float b) {
#ifdef GUST_EMULATED
  return a * b;
#else
  return __fmul_rn(a, b);
#endif
}
__device__ inline double rounded_product(double a, double b) {
#ifdef GUST_EMULATED
  return a * b;
#else
  return __dmul_rn(a, b);
#endif
}

/** The result of row i, of `count` entries, without what follows: mean, left, diagonal. */
template <class X, class T>
__device__ T finished(const Aggregate<T>& a, int64_t i, int64_t count, int64_t column, T result) {
  if (a.reduce == Reduce::kMean && count > 0) result /= static_cast<T>(count);
  if (a.left) result = rounded_product(result, a.left[i]);
  if (!a.diagonal) return result;
  const int64_t own = a.own ? a.own[i] : i;
  return result + a.diagonal[i] * static_cast<T>(to_float(static_cast<const X*>(a.x)[own * a.f + column]));
}

/** What a lane has of a row: P packs of V columns. */
template <class X, int V, int P, bool kExtremum>
struct Panel {
  using T = Sum<X>;
  int64_t column[P];  // first of a pack; f or more: none
  T value[P][V];
  int64_t winner[P][V];

  __device__ Panel(const Subwarp& group, int64_t panel) {
    for (int p = 0; p < P; ++p) column[p] = ((panel * P + p) * group.lanes + group.lane) * V;
  }

  /** Entries begin .. end-1, end > begin for extrema. */
  __device__ void reduce(const Aggregate<T>& a, const Subwarp& group, int64_t begin, int64_t end) {
    // Lanes without columns read the last pack: no branches, and no lines that others do not read.
    const X* from[P];
#pragma unroll
    for (int p = 0; p < P; ++p) {
      from[p] = static_cast<const X*>(a.x) + (column[p] < a.f ? column[p] : a.f - V);
#pragma unroll
      for (int v = 0; v < V; ++v) {
        value[p][v] = T{};
        winner[p][v] = -1;
      }
    }
    const bool is_largest = a.reduce == Reduce::kMax;
    for (int64_t e = begin; e < end; e += group.lanes) {
      const int count = static_cast<int>(std::min<int64_t>(group.lanes, end - e));
      int64_t place = 0;
      T weight{};
      if (group.lane < count) {
        const int64_t j = a.columns(e + group.lane);
        weight = a.weight(e + group.lane, j);
        place = j * a.f;
      }
      for (int first = 0; first < count; first += kAhead) {
        Pack<X, V> packs[kAhead][P];
#pragma unroll
        for (int k = 0; k < kAhead; ++k)
          if (first + k < count) {
            const int64_t row = group.from(place, first + k);
#pragma unroll
            for (int p = 0; p < P; ++p) packs[k][p] = load_pack<X, V>(from[p] + row);
          }
#pragma unroll
        for (int k = 0; k < kAhead; ++k)
          if (first + k < count) {
            const int64_t number = e + first + k;
            add(packs[k], group.from(weight, first + k), number, number == begin, is_largest);
          }
      }
    }
  }

 private:
  __device__ void add(const Pack<X, V> (&packs)[P], T weight, int64_t e, bool is_first, bool is_largest) {
#pragma unroll
    for (int p = 0; p < P; ++p)
#pragma unroll
      for (int v = 0; v < V; ++v) {
        const T term = static_cast<T>(to_float(packs[p].at[v]));
        if constexpr (!kExtremum) {
          value[p][v] += weight * term;
        } else if (is_first || beats(weight * term, value[p][v], is_largest)) {
          value[p][v] = weight * term;
          winner[p][v] = e;
        }
      }
  }
};

/** Pieces of long rows, then the other rows; panel by panel. */
template <class X, int V, int P, bool kExtremum>
__global__ void __launch_bounds__(kThreads)
    aggregate_kernel(Aggregate<Sum<X>> a, Pieces pieces, Partial<Sum<X>> partial, int lanes, int64_t panels) {
  using T = Sum<X>;
  const Subwarp group(lanes);
  const int64_t tasks = pieces.count + a.n;
  for (int64_t task = first_subwarp(lanes); task < panels * tasks; task += stride_subwarps(lanes)) {
    const Cell cell = cell_of(task, tasks);
    Panel<X, V, P, kExtremum> panel(group, cell.row);
    if (cell.col < pieces.count) {
      auto reduce = [&](int64_t begin, int64_t end, int64_t slot) {
        panel.reduce(a, group, begin, end);
        for (int p = 0; p < P; ++p) {
          if (panel.column[p] >= a.f) continue;
          const int64_t at = slot * a.f + panel.column[p];
          for (int v = 0; v < V; ++v) partial.value[at + v] = panel.value[p][v];
          if (kExtremum && partial.arg)
            for (int v = 0; v < V; ++v) partial.arg[at + v] = panel.winner[p][v];
        }
      };
      pieces.reduce(group, a.indptr, a.n, a.entries, cell.col, cell.row == 0, reduce);
      continue;
    }
    const int64_t i = cell.col - pieces.count, begin = a.indptr[i], count = a.indptr[i + 1] - begin;
    if (pieces.is_long(count)) continue;
    panel.reduce(a, group, begin, begin + count);
#pragma unroll
    for (int p = 0; p < P; ++p) {
      const int64_t column = panel.column[p], at = i * a.f + column;
      if (column >= a.f) continue;
      Pack<T, V> result;
      for (int v = 0; v < V; ++v) result.at[v] = finished<X>(a, i, count, column + v, panel.value[p][v]);
      if (a.is_followed) {
        if constexpr (V == 4) a.rest.four(result.at, i, column);
        else for (int v = 0; v < V; ++v) result.at[v] = a.rest(result.at[v], i, column + v);
      }
      store_pack(a.out + at, result);
      if (kExtremum && a.arg)
        for (int v = 0; v < V; ++v) a.arg[at + v] = panel.winner[p][v];
    }
  }
}

/** The pieces of a long row, in order, into its row: one thread per column of the piece where it begins. */
template <class X, bool kExtremum>
struct CombinePieces {
  using T = Sum<X>;
  Aggregate<T> a;
  Pieces pieces;
  Partial<T> partial;

  __device__ void operator()(int64_t task) const {
    const auto [q, column] = cell_of(task, a.f);
    const int64_t i = pieces.heads[q];
    if (i < 0) return;
    bool is_first = true;
    T result{};
    int64_t winner = -1;
    pieces.for_slots(a.indptr, q, [&](int64_t slot) {
      const int64_t at = slot * a.f + column;
      const T term = partial.value[at];
      if (is_first || (kExtremum && beats(term, result, a.reduce == Reduce::kMax))) {
        result = term;
        if (kExtremum && partial.arg) winner = partial.arg[at];
      } else if (!kExtremum) {
        result += term;
      }
      is_first = false;
    });
    result = finished<X>(a, i, a.indptr[i + 1] - a.indptr[i], column, result);
    a.out[i * a.f + column] = a.is_followed ? a.rest(result, i, column) : result;
    if (kExtremum && a.arg) a.arg[i * a.f + column] = winner;
  }
};

template <class X, int V, bool kExtremum>
void run(const Aggregate<Sum<X>>& a, const Pieces& pieces, const Partial<Sum<X>>& partial) {
  const int64_t packs = a.f / V;
  const int lanes = subwarp_lanes(packs);
  auto start = [&](auto kernel, int held) {
    const int64_t panels = num_chunks(packs, held * lanes), groups = panels * (pieces.count + a.n);
    launch(kernel, grid_of(groups, kThreads / lanes), a, pieces, partial, lanes, panels);
  };
  if (packs <= kLanes) start(aggregate_kernel<X, V, 1, kExtremum>, 1);
  else start(aggregate_kernel<X, V, 2, kExtremum>, 2);
  if (pieces.count > 0) each(pieces.count * a.f, CombinePieces<X, kExtremum>{a, pieces, partial});
}

template <class X, bool kExtremum>
void run_stored(const Aggregate<Sum<X>>& a, Context& context) {
  Pieces pieces(a.entries);
  Partial<Sum<X>> partial{};
  if (pieces.count > 0) {
    pieces.heads = context.scratch<int64_t>(pieces.count);
    partial.value = context.scratch<Sum<X>>(2 * pieces.count * a.f);
    if (a.arg) partial.arg = context.scratch<int64_t>(2 * pieces.count * a.f);
  }
  auto fits = [&](int V) { return fits_packs(static_cast<const X*>(a.x), a.f, V) && fits_packs(a.out, a.f, V); };
  if constexpr (sizeof(X) < 8)
    if (fits(4)) return run<X, 4, kExtremum>(a, pieces, partial);
  if (fits(2)) return run<X, 2, kExtremum>(a, pieces, partial);
  run<X, 1, kExtremum>(a, pieces, partial);
}

template <class X>
void reduce_stored(const Aggregate<Sum<X>>& a, Context& context) {
  if (a.reduce == Reduce::kMax || a.reduce == Reduce::kMin) run_stored<X, true>(a, context);
  else run_stored<X, false>(a, context);
}

}  // namespace

template <class T>
void aggregate(const Aggregate<T>& a, Context& context) {
  if (a.n == 0 || a.f == 0) return;
  if constexpr (std::is_same_v<T, double>) {
    reduce_stored<double>(a, context);
  } else {
    switch (a.x_dtype) {
      case GUST_F16: return reduce_stored<half>(a, context);
      case GUST_BF16: return reduce_stored<bfloat16>(a, context);
      default: return reduce_stored<float>(a, context);
    }
  }
}
template void aggregate(const Aggregate<float>&, Context&);
template void aggregate(const Aggregate<double>&, Context&);

void spmm(const spmm_args& args, Context& context) {
  const Slot &indices = context.slot(args.indices), &x = context.slot(args.x), &out = context.slot(args.out);
  if (args.reduce < 0 || args.reduce > static_cast<int64_t>(Reduce::kMin))
    fail(GUST_EINVAL, "reduction %lld, expected 0 (sum) to 3 (min)", static_cast<long long>(args.reduce));
  if (x.dtype != GUST_F64 && x.dtype != GUST_F32 && x.dtype != GUST_F16 && x.dtype != GUST_BF16)
    fail(GUST_EINVAL, "x of dtype %d, expected F32, F64, F16 or BF16", x.dtype);
  if (out.dtype != (x.dtype == GUST_F64 ? GUST_F64 : GUST_F32))
    fail(GUST_EINVAL, "result of dtype %d for x of dtype %d, expected F64 for F64, else F32", out.dtype, x.dtype);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    // Without columns there is no bias.
    const T* bias = x.cols > 0 ? context.slot(args.bias).as<T>() : nullptr;
    const Epilogue<T> rest(out.rows, x.cols, context.slot(args.addend), bias, args.kind, args.slope, args.p,
                           args.stream, args.layer, context.slot(args.ids), context);
    const int64_t* indptr = context.slot(args.indptr).as<int64_t>();
    Aggregate<T> a{indptr, out.rows, indices.size(), x.cols, Index(indices), x.data, x.dtype, out.as<T>(), rest};
    a.values = context.slot(args.values).as<T>();
    a.left = context.slot(args.left).as<T>();
    a.right = context.slot(args.right).as<T>();
    a.diagonal = context.slot(args.diagonal).as<T>();
    a.order = context.slot(args.order).as<int64_t>();
    a.own = context.slot(args.own).as<int64_t>();
    a.reduce = static_cast<Reduce>(args.reduce);
    a.arg = context.slot(args.arg).as<int64_t>();
    a.is_followed = !rest.is_empty();
    aggregate(a, context);
  });
}

GUST_OPS_END
