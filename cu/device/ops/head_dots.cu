// A score per row and head: the three derivatives of the form sum over i, k of g[i, head(k)] * x[i, k] * a[k].
//
//   head_dots:  out[i, h] = sum over the columns k of head h of x[i, k] * a[k]
//   head_scale: out[i, k] = g[i, head(k)] * a[k]
//   head_sums:  out[k] = sum over i of g[i, head(k)] * x[i, k]
//
// Threads: head_dots - a power of two of lanes per row and head; head_scale - one per element; head_sums - a block per
//   chunk of rows and up to 32 columns, then one per 32 columns over all chunks.
// Determinism: a dot product by lanes, pairwise; chunks of rows that n and f decide, their totals in float64.
#include "row_teams.h"

GUST_OPS_BEGIN
namespace {

template <class T>
struct HeadDots {
  const T *x, *a, *b;  // b: null where it is not asked for
  T *out, *out_b;
  int64_t heads, width;

  __device__ void operator()(int64_t item, const Group& group) const {
    T first = 0, second = 0;
    if (group.live) {
      const int64_t column = cell_of(item, heads).col * width;
      for (int64_t k = group.lane; k < width; k += group.lanes) {
        const T value = x[item * width + k];
        first += value * a[column + k];
        if (b) second += value * b[column + k];
      }
    }
    first = sum_inside(first, group.lanes);
    if (b) second = sum_inside(second, group.lanes);
    if (!group.live || group.lane > 0) return;
    out[item] = first;
    if (b) out_b[item] = second;
  }
};

template <class T>
struct HeadScale {
  const T *g, *a;
  T* out;
  int64_t f, heads, width;
  __device__ void operator()(int64_t at) const {
    const auto [i, k] = cell_of(at, f);
    out[at] = g[i * heads + cell_of(k, width).row] * a[k];
  }
};

/** Two sums that are taken at once. */
template <class A>
struct Pair {
  A first, second;
  __device__ void operator+=(const Pair& other) {
    first += other.first;
    second += other.second;
  }
};

/** Rows weighted by head, to a sum per chunk. */
template <class T>
struct WeightedRows {
  using Sum = T;
  const T *x, *g, *g_b;
  Pair<T>* out;
  int64_t f, heads, width;
  __device__ Pair<T> operator()(int64_t i, int64_t k) const {
    const int64_t head = i * heads + cell_of(k, width).row;
    const T value = x[i * f + k];
    return {g[head] * value, g_b ? g_b[head] * value : T{0}};
  }
  __device__ void write(int64_t chunk, int64_t k, const Pair<T>& sum) const { out[chunk * f + k] = sum; }
};
/** The sums of chunks, to the results. */
template <class T>
struct ChunkRows {
  using Sum = double;
  const Pair<T>* x;
  T *out, *out_b;
  int64_t f;
  __device__ Pair<double> operator()(int64_t i, int64_t k) const {
    const Pair<T> of = x[i * f + k];
    return {static_cast<double>(of.first), static_cast<double>(of.second)};
  }
  __device__ void write(int64_t, int64_t k, const Pair<double>& sum) const {
    out[k] = static_cast<T>(sum.first);
    if (out_b) out_b[k] = static_cast<T>(sum.second);
  }
};

/** Sums over the rows of each chunk: `lanes` columns and kThreads / lanes rows at a time. */
template <class Rows>
__global__ void __launch_bounds__(kThreads)
    column_sums_kernel(Rows rows, int64_t n, int64_t f, int64_t chunk_rows, int64_t chunks, int lanes) {
  using Sums = Pair<typename Rows::Sum>;
  __shared__ Sums shared[kThreads];
  const int thread = static_cast<int>(threadIdx.x), at_once = kThreads / lanes, own = thread / lanes;
  const int64_t tiles = (f + lanes - 1) / lanes;
  for (int64_t item = blockIdx.x; item < chunks * tiles; item += gridDim.x) {
    const Cell at = cell_of(item, tiles);
    const int64_t k = at.col * lanes + thread % lanes;
    const int64_t begin = at.row * chunk_rows, end = n - begin < chunk_rows ? n : begin + chunk_rows;
    Sums sum{};
    if (k < f)
      for (int64_t i = begin + own; i < end; i += at_once) sum += rows(i, k);
    shared[thread] = sum;
    for (int half = at_once / 2; half > 0; half /= 2) {
      __syncthreads();
      if (own < half) shared[thread] += shared[thread + half * lanes];
    }
    if (own == 0 && k < f) rows.write(at.row, k, shared[thread]);
    __syncthreads();
  }
}

}  // namespace

void head_dots(const head_dots_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &b = context.slot(args.b), &out = context.slot(args.out);
  const Slot& out_b = context.slot(args.out_b);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    const int64_t width = x.cols / out.cols;
    for_groups(out.size(), lanes_for(width),
               HeadDots<T>{x.as<T>(), context.slot(args.a).as<T>(), out_b.live ? b.as<T>() : nullptr, out.as<T>(),
                           out_b.as<T>(), out.cols, width});
  });
}

void head_scale(const head_scale_args& args, Context& context) {
  const Slot &g = context.slot(args.g), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    each(out.size(), HeadScale<T>{g.as<T>(), context.slot(args.a).as<T>(), out.as<T>(), out.cols, g.cols,
                                  out.cols / g.cols});
  });
}

void head_sums(const head_sums_args& args, Context& context) {
  const Slot &g = context.slot(args.g), &g_b = context.slot(args.g_b), &x = context.slot(args.x);
  const Slot& out_b = context.slot(args.out_b);
  const int64_t n = x.rows, f = x.cols;
  if (f == 0) return;
  // Enough chunks to fill a GPU, and few enough to be added up by one block per 32 columns.
  constexpr int64_t kMostChunks = 512;
  const int lanes = lanes_for(f);
  const int64_t tiles = num_chunks(f, lanes);
  const int64_t chunk_rows = std::max<int64_t>(4 * kThreads / lanes, num_chunks(n, kMostChunks));
  const int64_t chunks = num_chunks(n, chunk_rows);
  dispatch_real(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    const bool both = g_b.live && out_b.live;
    auto* partial = context.scratch<Pair<T>>(chunks * f);
    if (chunks > 0)
      launch(column_sums_kernel<WeightedRows<T>>, grid_of(chunks * tiles, 1),
             WeightedRows<T>{x.as<T>(), g.as<T>(), both ? g_b.as<T>() : nullptr, partial, f, g.cols, f / g.cols}, n, f,
             chunk_rows, chunks, lanes);
    launch(column_sums_kernel<ChunkRows<T>>, grid_of(tiles, 1),
           ChunkRows<T>{partial, context.slot(args.out).as<T>(), both ? out_b.as<T>() : nullptr, f}, chunks, f,
           std::max<int64_t>(chunks, 1), int64_t{1}, lanes);
  });
}

GUST_OPS_END
