// Sampled dense x dense product: out[e] = left[i] * right[j] * <x[i], y[j]> for each stored entry e = (i, j).
//
// Threads: a subwarp has as many neighbouring entries as it has lanes: each lane finds the row of one, all of them
//   multiply the rows of kAhead entries at once, a pack of columns per lane and turn, and the lanes of these entries
//   keep the sums. As many lanes as the packs of a row need.
// Memory: nnz * f reads of y at random rows; a row of x stays in the cache over its entries; indices and out once.
// Determinism: entries are independent; a dot product is added up in lanes whose number follows from f.
#include "pieces.h"
#include "vectors.h"

GUST_OPS_BEGIN
namespace {

constexpr int kAhead = 4;  // entries

template <class T>
struct Sddmm {
  const int64_t* indptr;
  int64_t n, entries, f;
  Index indices;
  const T *left, *right, *x, *y;
  T* out;
  bool is_aligned;  // packs of x and y can be loaded as such; the sums are the same
};

template <class T, int V>
__device__ Pack<T, V> load_any(const T* from, bool is_aligned) {
  if (is_aligned) return load_pack<T, V>(from);
  Pack<T, V> pack;
  for (int v = 0; v < V; ++v) pack.at[v] = from[v];
  return pack;
}

/** Entries begin .. begin + count - 1. */
template <int V, class T>
__device__ void multiply(const Sddmm<T>& a, const Subwarp& group, int64_t begin, int count, int64_t& last_row) {
  const int64_t e = begin + group.lane, i = row_of_lane(group, a.indptr, a.n, begin, count, last_row);
  const bool is_entry = group.lane < count && i >= 0 && i < a.n;
  const int64_t j = is_entry ? a.indices(e) : 0, x_place = is_entry ? i * a.f : -1, y_place = j * a.f;
  T product{};
  for (int first = 0; first < count; first += kAhead) {
    const T *x[kAhead], *y[kAhead];
    T sum[kAhead] = {};
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      const int64_t at = group.from(x_place, first + k);
      x[k] = first + k < count && at >= 0 ? a.x + at : nullptr;
      y[k] = a.y + group.from(y_place, first + k);
    }
    for (int64_t c = group.lane * V; c < a.f; c += group.lanes * V) {
      Pack<T, V> from_x[kAhead], from_y[kAhead];
#pragma unroll
      for (int k = 0; k < kAhead; ++k)
        if (x[k]) {
          from_x[k] = load_any<T, V>(x[k] + c, a.is_aligned);
          from_y[k] = load_any<T, V>(y[k] + c, a.is_aligned);
        }
#pragma unroll
      for (int k = 0; k < kAhead; ++k)
        if (x[k])
          for (int v = 0; v < V; ++v) sum[k] += from_x[k].at[v] * from_y[k].at[v];
    }
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      const T total = group.sum(sum[k]);
      if (group.lane == first + k) product = total;
    }
  }
  if (!is_entry) return;
  if (a.left) product *= a.left[i];
  a.out[e] = a.right ? a.right[j] * product : product;
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads) sddmm_kernel(Sddmm<T> a, int lanes, int64_t share) {
  const Subwarp group(lanes);
  for (int64_t first = first_subwarp(lanes) * share; first < a.entries; first += stride_subwarps(lanes) * share) {
    const int64_t end = std::min(a.entries, first + share);
    int64_t row = -1;
    for (int64_t begin = first; begin < end; begin += lanes)
      multiply<V>(a, group, begin, static_cast<int>(std::min<int64_t>(lanes, end - begin)), row);
  }
}

template <int V, class T>
void run(const Sddmm<T>& a) {
  const int lanes = subwarp_lanes(a.f / V);
  const int64_t share = runs_of(a.entries) * lanes;
  launch(sddmm_kernel<T, V>, grid_of(num_chunks(a.entries, share), kThreads / lanes), a, lanes, share);
}

}  // namespace

void sddmm(const sddmm_args& args, Context& context) {
  const Slot &indices = context.slot(args.indices), &out = context.slot(args.out);
  const Slot &x_slot = context.slot(args.x), &y_slot = context.slot(args.y);
  const int64_t n = x_slot.rows, f = x_slot.cols, entries = indices.size();
  if (n == 0 || entries == 0) return;
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    constexpr int kWidest = 16 / sizeof(T);
    const T *x = x_slot.as<T>(), *y = y_slot.as<T>();
    Sddmm<T> a{context.slot(args.indptr).as<int64_t>(), n, entries, f, Index(indices), context.slot(args.left).as<T>(),
               context.slot(args.right).as<T>(), x, y, out.as<T>(), false};
    auto start = [&](auto width) {
      a.is_aligned = fits_packs(x, f, width()) && fits_packs(y, f, width());
      run<width()>(a);
    };
    if (f % kWidest == 0) start(std::integral_constant<int, kWidest>{});
    else if (f % 2 == 0) start(std::integral_constant<int, 2>{});
    else start(std::integral_constant<int, 1>{});
  });
}

GUST_OPS_END
