// out = A^T @ (left * x) without A's transpose:
//   out[j, :] = sum over entries e = (i, j) of values[e] * left[i] * x[i, :].
//
// Shapes: A (n, m) CSR, values absent: ones; x (n, f), left (n) or absent; out (m, f).
// For a weight gradient of sparse features: m (features) times a tile of columns fits the second-level cache, and a row
//   of x stays in registers while it is added to the rows of `out` that its entries name. The other way round (rows of
//   the transpose gather rows of x) x does not fit, and the transpose and its values have to be made.
// Owner: a task adds a range of rows of A (of about equal work) into a panel of its own, for a tile of columns; panels
//   are added in the order of the ranges. Ranges and tiles depend on the matrix and the widths alone, so the bytes do
//   not depend on threads.
// Memory: entries once per tile of columns, x once, ranges * m * f for panels.
#include "dense.h"
#include "panel.h"
#include "row_grid.h"

GUST_OPS_BEGIN
namespace {

/** Bytes of a panel that stays in the second-level cache. */
constexpr int64_t kPanelBytes = 384 << 10;
/** Panels of all tiles that are enough for any number of threads that this product feeds. */
constexpr int64_t kMostPanels = 16;

/** panel[j, 0 .. V vectors) += values[e] * left[i] * x[i, ...] for rows begin .. end-1. */
template <int V, class T, class I>
void add_rows(const int64_t* indptr, const I* indices, const T* values, const T* left, const T* x, int64_t f,
              int64_t column, int64_t count, int64_t begin, int64_t end, T* panel) {
  constexpr int lanes = kLanes<T>;
  for (int64_t i = begin; i < end; ++i) {
    if (indptr[i] == indptr[i + 1]) continue;
    const T* from = x + i * f + column;
    Vec<T> row[V];
    for (int v = 0; v < V; ++v) {
      const int64_t here = std::clamp<int64_t>(count - v * lanes, 0, lanes);
      row[v] = here == lanes ? load(from + v * lanes) : load_some(from + v * lanes, static_cast<int>(here));
    }
    if (left)
      for (int v = 0; v < V; ++v) row[v] = row[v] * left[i];
    for (int64_t e = indptr[i]; e < indptr[i + 1]; ++e) {
      T* to = panel + static_cast<int64_t>(indices[e]) * (V * lanes);
      if (values) {
        const T value = values[e];
        for (int v = 0; v < V; ++v) store<T>(to + v * lanes, load(to + v * lanes) + row[v] * value);
      } else {
        for (int v = 0; v < V; ++v) store<T>(to + v * lanes, load(to + v * lanes) + row[v]);
      }
    }
  }
}

template <class T, class I>
void product(const int64_t* indptr, const I* indices, int64_t n, const T* values, const T* left, const T* x,
             int64_t f, T* out, int64_t m, Context& context) {
  constexpr int lanes = kLanes<T>;
  const int64_t vectors = num_chunks(f, lanes), fit = kPanelBytes / std::max<int64_t>(1, m * lanes * sizeof(T));
  const int64_t per_tile = num_chunks(vectors, num_chunks(vectors, std::clamp<int64_t>(fit, 1, kPanel)));
  const int64_t tiles = num_chunks(vectors, per_tile), width = per_tile * lanes, panel = m * width;
  // More ranges are more panels to clear and to add: no more of them than an eighth of the work.
  const int64_t entries = indptr[n] - indptr[0];
  const int64_t ranges = std::clamp<int64_t>(entries / (8 * std::max<int64_t>(m, 1)), 1, num_chunks(kMostPanels, tiles));
  T* panels = context.scratch<T>(tiles * ranges * panel);
  parallel_tasks(tiles * ranges, [=](int64_t task) {
    const int64_t tile = task / ranges, range = task % ranges, total = entries + n;
    const int64_t begin = row_at(indptr, n, indptr[0] + total * range / ranges);
    const int64_t end = range + 1 == ranges ? n : row_at(indptr, n, indptr[0] + total * (range + 1) / ranges);
    T* own = panels + task * panel;
    std::fill_n(own, panel, T{0});
    const int64_t column = tile * width, count = std::min(width, f - column);
    [&]<int... V>(std::integer_sequence<int, V...>) {
      ((per_tile == V + 1
            ? add_rows<V + 1>(indptr, indices, values, left, x, f, column, count, begin, end, own)
            : void()),
       ...);
    }(std::make_integer_sequence<int, kPanel>{});
  });
  parallel_for(m, row_grain(f * ranges), [=](int64_t begin, int64_t end) {
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t column = tile * width, count = std::min(width, f - column);
      for (int64_t j = begin; j < end; ++j) {
        const T* from = panels + tile * ranges * panel + j * width;
        T* to = out + j * f + column;
        for (int64_t k = 0; k < count; ++k) {
          T sum = from[k];
          for (int64_t r = 1; r < ranges; ++r) sum += from[r * panel + k];
          to[k] = sum;
        }
      }
    }
  });
}

}  // namespace

void spmm_transposed(const spmm_transposed_args& args, Context& context) {
  const Slot &indptr = context.slot(args.indptr), &indices = context.slot(args.indices);
  const Slot &values = context.slot(args.values), &left = context.slot(args.left);
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  if (out.size() == 0) return;
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    dispatch_index(indices.dtype, [&](auto index) {
      using I = decltype(index);
      product(indptr.as<int64_t>(), indices.as<I>(), x.rows, values.as<T>(), left.as<T>(), x.as<T>(), x.cols,
              out.as<T>(), out.rows, context);
    });
  });
}

GUST_OPS_END
