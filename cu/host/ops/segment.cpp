// Ranges of rows: reductions, broadcasts back, softmax inside a range.
//
// Shapes: indptr (s + 1) gives the row ranges of x (n, f); a reduction is (s, f). An empty segment gives 0.
// Owner: whole segments per task (RowGrid); segments of more than kHubEntries rows are cut into chunks whose
//   results are combined in order. segment_broadcast: runs of rows.
// Memory: x is read once (softmax: twice) in order and the result written once (softmax: twice, from the
//   cache for all but long segments).
// Determinism: fixed chunks, rows in order; sums of the softmax in float64.
// Source: softmax over the in-edges of a node, Velickovic et al. 2018, arXiv:1710.10903, eq. 2-3.
#include "aggregate.h"
#include "softmax.h"

GUST_OPS_BEGIN
namespace {

/** Rows before the first and after the last segment belong to nobody: zero. */
template <class T>
void zero_outside(const int64_t* indptr, int64_t segments, int64_t n, int64_t f, T* out) {
  const int64_t first = segments > 0 ? indptr[0] : 0, last = segments > 0 ? indptr[segments] : 0;
  std::fill(out, out + first * f, T{0});
  std::fill(out + last * f, out + n * f, T{0});
}

/**
 * Per-column numbers repeated to a tile of several rows, so that narrow matrices fill vectors: element k of a
 * run of rows meets tile[k % width].
 */
class Tile {
 public:
  static constexpr int64_t kWidth = 64;
  explicit Tile(int64_t f, int64_t least = kWidth) : f_(f), width_(std::max<int64_t>(1, least / f) * f) {}
  int64_t width() const { return width_; }

  /** Call f(at, count) for pieces of 0 .. size-1 of at most one tile. */
  template <class F>
  void for_pieces(int64_t size, F&& f) const {
    int64_t k = 0;
    for (; k + width_ <= size; k += width_) f(k, width_);
    if (k < size) f(k, size - k);
  }
  /** Combine the repeats of each column into its first one, in order. */
  template <class A, class F>
  void fold(A* tile, F&& combine) const {
    for (int64_t j = f_; j < width_; ++j) tile[j % f_] = combine(tile[j % f_], tile[j]);
  }
  template <class A>
  void repeat(A* tile) const {
    for (int64_t j = f_; j < width_; ++j) tile[j] = tile[j - f_];
  }

 private:
  int64_t f_, width_;
};

/** The three passes of a softmax over a run of rows, with tiles of its own. */
template <class T>
class ColumnSoftmax {
 public:
  explicit ColumnSoftmax(int64_t f, int64_t least = Tile::kWidth)
      : f_(f), tile_(f, least), top_(tile_.width()), sum_(tile_.width()) {}
  T* top() { return top_.data(); }
  double* sum() { return sum_.data(); }

  /** top[j] = the largest of column j. */
  void find_top(const T* x, int64_t rows) {
    std::fill(top_.begin(), top_.end(), -std::numeric_limits<T>::infinity());
    T* top = top_.data();
    tile_.for_pieces(rows * f_, [=](int64_t at, int64_t count) {
      for (int64_t j = 0; j < count; ++j) top[j] = top[j] < x[at + j] ? x[at + j] : top[j];
    });
    tile_.fold(top, [](T a, T b) { return a < b ? b : a; });
  }
  /** out = exp(x - top) and sum[j] = the sum of column j. */
  void exponentials(const T* x, int64_t rows, T* out) {
    tile_.repeat(top_.data());
    std::fill(sum_.begin(), sum_.end(), 0.0);
    const T* top = top_.data();
    double* sum = sum_.data();
    tile_.for_pieces(rows * f_, [=](int64_t at, int64_t count) {
#pragma GCC ivdep
      for (int64_t j = 0; j < count; ++j) out[at + j] = softmax_exp(x[at + j] - top[j]);
      for (int64_t j = 0; j < count; ++j) sum[j] += static_cast<double>(out[at + j]);
    });
    tile_.fold(sum, [](double a, double b) { return a + b; });
  }
  /** out /= sum */
  void normalise(int64_t rows, T* out) {
    for (int64_t j = 0; j < f_; ++j) sum_[j] = 1 / sum_[j];
    tile_.repeat(sum_.data());
    const double* inverse = sum_.data();
    tile_.for_pieces(rows * f_, [=](int64_t at, int64_t count) {
#pragma GCC ivdep
      for (int64_t j = 0; j < count; ++j)
        out[at + j] = static_cast<T>(static_cast<double>(out[at + j]) * inverse[j]);
    });
  }

 private:
  int64_t f_;
  Tile tile_;
  std::vector<T> top_;
  std::vector<double> sum_;
};

/** Softmax of one long segment: its chunks in parallel, what they share combined in order. */
template <class T>
void softmax_hub(const T* x, int64_t rows, int64_t f, T* out) {
  const int64_t chunks = num_chunks(rows, kHubEntries);
  std::vector<T> tops(static_cast<size_t>(chunks * f));
  std::vector<double> sums(static_cast<size_t>(chunks * f));
  auto for_chunks = [&](auto&& body) {
    parallel_tasks(chunks, [&](int64_t c) {
      ColumnSoftmax<T> part(f);
      const int64_t begin = c * kHubEntries, count = std::min(rows - begin, kHubEntries);
      body(c, part, x + begin * f, out + begin * f, count);
    });
  };
  for_chunks([&](int64_t c, ColumnSoftmax<T>& part, const T* from, T*, int64_t count) {
    part.find_top(from, count);
    std::copy_n(part.top(), f, tops.data() + c * f);
  });
  for (int64_t k = f; k < chunks * f; ++k) tops[k % f] = std::max(tops[k % f], tops[k]);
  for_chunks([&](int64_t c, ColumnSoftmax<T>& part, const T* from, T* to, int64_t count) {
    std::copy_n(tops.data(), f, part.top());
    part.exponentials(from, count, to);
    std::copy_n(part.sum(), f, sums.data() + c * f);
  });
  for (int64_t k = f; k < chunks * f; ++k) sums[k % f] += sums[k];
  for_chunks([&](int64_t, ColumnSoftmax<T>& part, const T*, T* to, int64_t count) {
    std::copy_n(sums.data(), f, part.sum());
    part.normalise(count, to);
  });
}

}  // namespace

void segment_reduce(const segment_reduce_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  if (args.reduce < 0 || args.reduce > static_cast<int64_t>(Reduce::kMin))
    fail(GUST_EINVAL, "reduction %lld, expected 0 (sum) to 3 (min)", static_cast<long long>(args.reduce));
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    Aggregate<T, InPlace> a{context.slot(args.indptr).as<int64_t>(), out.rows, x.rows, x.rows, x.cols, {}, x.as<T>(),
                            out.as<T>()};
    a.reduce = static_cast<Reduce>(args.reduce);
    a.arg = context.slot(args.arg).as<int64_t>();
    aggregate_weighted(a, UnitWeight{}, context);
  });
}

void segment_broadcast(const segment_broadcast_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  const int64_t* indptr = context.slot(args.indptr).as<int64_t>();
  const int64_t segments = x_slot.rows, f = x_slot.cols;
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = x_slot.as<T>();
    T* out = out_slot.as<T>();
    const bool mean = args.mean != 0;
    zero_outside(indptr, segments, out_slot.rows, f, out);
    for_entries(indptr, segments, row_grain(f), [=](int64_t s, int64_t begin, int64_t end) {
      const T* row = x + s * f;
      if (!mean) {
        for (int64_t i = begin; i < end; ++i) std::copy_n(row, f, out + i * f);
        return;
      }
      const T length = static_cast<T>(indptr[s + 1] - indptr[s]);
      T* first = out + begin * f;
      for (int64_t j = 0; j < f; ++j) first[j] = row[j] / length;
      for (int64_t i = begin + 1; i < end; ++i) std::copy_n(first, f, out + i * f);
    });
  });
}

void segment_softmax(const segment_softmax_args& args, Context& context) {
  const Slot &indptr_slot = context.slot(args.indptr), &x_slot = context.slot(args.x);
  const Slot& out_slot = context.slot(args.out);
  const int64_t* indptr = indptr_slot.as<int64_t>();
  const int64_t segments = indptr_slot.size() - 1, f = x_slot.cols;
  if (f == 0) return;
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = x_slot.as<T>();
    T* out = out_slot.as<T>();
    zero_outside(indptr, segments, x_slot.rows, f, out);
    const RowGrid grid(indptr, segments, 8 * f);  // exp costs about eight multiply-adds
    const std::vector<int64_t> hubs = grid.for_rows([=](int64_t begin, int64_t end) {
      // Setting a tile up costs more than a short segment itself: those go row by row.
      ColumnSoftmax<T> tiled(f), by_row(f, 1);
      for (int64_t s = begin; s < end; ++s) {
        const int64_t at = indptr[s] * f, rows = indptr[s + 1] - indptr[s];
        if (rows == 0) continue;
        ColumnSoftmax<T>& part = rows * f < 4 * Tile::kWidth ? by_row : tiled;
        part.find_top(x + at, rows);
        part.exponentials(x + at, rows, out + at);
        part.normalise(rows, out + at);
      }
    });
    for (int64_t s : hubs) softmax_hub(x + indptr[s] * f, indptr[s + 1] - indptr[s], f, out + indptr[s] * f);
  });
}

GUST_OPS_END
