// Sampled dense x dense product: out[e] = left[i] * right[j] * <x[i], y[j]> for each stored entry e = (i, j).
//
// Shapes: pattern (n, m) with nnz entries, x (n, f), y (m, f), out (nnz).
// Owner: a task owns a run of entries, of any rows.
// Memory: nnz * f reads of y at random rows, prefetched; a row of x stays in the L1 cache over its entries;
//   indices and out once.
// Determinism: entries are independent; a dot product is added up in lanes whose number the instruction set
//   fixes.
// Source: the gradient of A @ y to the values of A; Nisa et al. 2018, "Sampled Dense Matrix Multiplication
//   for High-Performance Machine Learning".
#include "prefetch.h"
#include "row_grid.h"
#include "simd.h"

GUST_OPS_BEGIN
namespace {

constexpr int kChains = 4;  // independent sums, as many as hide the latency of an addition

template <class T>
inline T dot(const T* x, const T* y, int64_t f) {
  constexpr int lanes = kLanes<T>;
  Vec<T> sum[kChains] = {};
  int64_t c = 0;
  for (; c + kChains * lanes <= f; c += kChains * lanes)
    for (int k = 0; k < kChains; ++k) sum[k] += load(x + c + k * lanes) * load(y + c + k * lanes);
  for (; c + lanes <= f; c += lanes) sum[0] += load(x + c) * load(y + c);
  if (c < f) sum[1] += load_some(x + c, static_cast<int>(f - c)) * load_some(y + c, static_cast<int>(f - c));
  return add_lanes<T>((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

}  // namespace

void sddmm(const sddmm_args& args, Context& context) {
  const Slot &indptr_slot = context.slot(args.indptr), &indices_slot = context.slot(args.indices);
  const Slot &x_slot = context.slot(args.x), &y_slot = context.slot(args.y);
  const Slot& out_slot = context.slot(args.out);
  const int64_t n = x_slot.rows, f = x_slot.cols, nnz = indices_slot.size();
  const int64_t* indptr = indptr_slot.as<int64_t>();
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *x = x_slot.as<T>(), *y = y_slot.as<T>();
    const T *left = context.slot(args.left).as<T>(), *right = context.slot(args.right).as<T>();
    T* out = out_slot.as<T>();
    const RowPrefetch prefetch(f * static_cast<int64_t>(sizeof(T)));
    dispatch_index(indices_slot.dtype, [&](auto index) {
      using I = decltype(index);
      const I* indices = indices_slot.as<I>();
      for_entries(indptr, n, task_grain(nnz, f), [=](int64_t i, int64_t begin, int64_t end) {
        const T scale = left ? left[i] : T{1};
        for (int64_t e = begin; e < end; ++e) {
          prefetch(y, static_cast<int64_t>(indices[std::min(e + prefetch.ahead, nnz - 1)]));
          const int64_t j = static_cast<int64_t>(indices[e]);
          const T product = scale * dot(x + i * f, y + j * f, f);
          out[e] = right ? right[j] * product : product;
        }
      });
    });
  });
}

GUST_OPS_END
