// Softmax cross entropy, its gradient, and the count of correct rows. Lanes of a warp share a row of scores
// (softmax.h); terms are added in float64 in an order that the size of the index gives (reduce.h).
//
// The gradient of row i is g / total * weight * (softmax(x[i]) - onehot(label[i])), weight being the sum of weight[r]
// over the places r of the index that name the row. So that a row named twice needs no atomics on floats, these sums
// are made first: counted (whole numbers) where there are no weights, else along the index sorted by row, equal rows in
// order.
//
// Kernels cannot refuse what they find: an index outside of the rows and a label past the classes make the loss NaN,
// and NaN the gradient of the row with that label; no memory is touched outside of the tensors.
#include "../algorithms.h"
#include "softmax.h"

GUST_OPS_BEGIN
namespace {

/** The rows a loss looks at. */
template <class T, class I>
struct Rows {
  const int32_t* label;
  const I* index;   // absent: every row
  const T* weight;  // absent: ones
  int64_t n, c, count;

  /** The row that place r of the index names, or -1: outside. */
  __device__ int64_t row(int64_t r) const {
    if (!index) return r;
    const int64_t i = static_cast<int64_t>(index[r]);
    return i >= 0 && i < n ? i : -1;
  }
  __device__ double weight_at(int64_t r) const { return weight ? static_cast<double>(weight[r]) : 1.0; }
};

/** Call f(rows) with the element and index types of a call; `real` and n, c are those of `x`. */
template <class F>
void with_rows(Context& context, int64_t x_id, int64_t label_id, int64_t index_id, int64_t weight_id, F&& f) {
  const Slot &x = context.slot(x_id), &label = context.slot(label_id), &index = context.slot(index_id);
  const Slot& weight = context.slot(weight_id);
  dispatch_real(x.dtype, [&](auto real) {
    using T = decltype(real);
    dispatch_index(index.live ? index.dtype : GUST_I32, [&](auto tag) {
      using I = decltype(tag);
      f(real, Rows<T, I>{label.as<int32_t>(), index.live ? index.as<I>() : nullptr,
                         weight.live ? weight.as<T>() : nullptr, x.rows, x.cols, index.live ? index.size() : x.rows});
    });
  });
}

// ---- the loss -------------------------------------------------------------------------------------------------------

/** terms[r] = weight * -log softmax(x)[label], and weight; -log softmax = log(sum exp(x - max)) - (x[label] - max). */
template <class T, class I>
struct LossTerms {
  Rows<T, I> rows;
  const T* x;
  Two* terms;

  __device__ void operator()(const Row& row) const {
    const int64_t r = row.index, i = row.is_real ? rows.row(r) : -1;
    const int32_t label = i >= 0 ? rows.label[i] : -1;
    const bool is_in = label >= 0 && label < rows.c;
    const RowSoftmax<T> softmax = softmax_of(row, x + (is_in ? i * rows.c : 0), is_in ? rows.c : 0);
    if (!row.writes()) return;
    Two term{0, 0};
    if (is_in) {
      const double weight = rows.weight_at(r);
      const T score = x[i * rows.c + label];
      term = {weight * (std::log(softmax.sum) - static_cast<double>(score - softmax.top)), weight};
    } else if (i < 0 || label >= 0) {
      term.a = term.b = std::numeric_limits<double>::quiet_NaN();
    }
    terms[r] = term;
  }
};
struct TakeTerm {
  const Two* terms;
  __device__ Two operator()(int64_t r, int64_t, int64_t) const { return terms[r]; }
};
template <class T>
struct StoreLoss {
  T* out;
  bool is_sum;
  __device__ void operator()(int64_t, int64_t, const Two& sum) const {
    const double total = is_sum ? 1.0 : sum.b;
    *out = static_cast<T>(total == 0 ? 0.0 : sum.a / total);
  }
};

// ---- what rows weigh ------------------------------------------------------------------------------------------------

/** The weight of place r, 0 where it names no row with a label. */
template <class T, class I>
struct WeightTerm {
  Rows<T, I> rows;
  __device__ double operator()(int64_t r, int64_t, int64_t) const {
    const int64_t i = rows.row(r);
    return i >= 0 && rows.label[i] >= 0 ? rows.weight_at(r) : 0.0;
  }
};

template <class T, class I>
struct CountRows {
  Rows<T, I> rows;
  uint32_t* counts;
  __device__ void operator()(int64_t r) const {
    const int64_t i = rows.row(r);
    if (i >= 0) atomicAdd(counts + i, 1u);
  }
};
template <class T, class I, class Key>
struct SortKeys {
  Rows<T, I> rows;
  Key* keys;
  int64_t* places;
  __device__ void operator()(int64_t r) const {
    const int64_t i = rows.row(r);
    keys[r] = static_cast<Key>(i >= 0 ? i : rows.n);  // outside: behind all
    places[r] = r;
  }
};
/** At the first of equal keys: the sum of their weights. */
template <class T, class I, class Key>
struct SumRuns {
  Rows<T, I> rows;
  const Key* keys;
  const int64_t* places;
  double* sums;
  __device__ void operator()(int64_t at) const {
    const Key key = keys[at];
    if ((at > 0 && keys[at - 1] == key) || static_cast<int64_t>(key) >= rows.n) return;
    double sum = 0;
    for (int64_t k = at; k < rows.count && keys[k] == key; ++k) sum += rows.weight_at(places[k]);
    sums[static_cast<int64_t>(key)] = sum;
  }
};

/** What a row of the loss weighs, over all places that name it. */
template <class T>
struct RowWeights {
  const T* direct = nullptr;         // without an index: its weights
  const uint32_t* counts = nullptr;  // an index without weights
  const double* sums = nullptr;      // both

  __device__ double operator()(int64_t i) const {
    return sums ? sums[i] : counts ? static_cast<double>(counts[i]) : direct ? static_cast<double>(direct[i]) : 1.0;
  }
};

template <class V>
void clear(V* numbers, int64_t count) {
  device::clear(reinterpret_cast<char*>(numbers), count * static_cast<int64_t>(sizeof(V)));
}

template <class T, class I, class Key>
const double* sum_weights(Context& context, const Rows<T, I>& rows) {
  double* sums = context.scratch<double>(rows.n);
  clear(sums, rows.n);
  Key *keys = context.scratch<Key>(rows.count), *sorted = context.scratch<Key>(rows.count);
  int64_t *places = context.scratch<int64_t>(rows.count), *permuted = context.scratch<int64_t>(rows.count);
  if (rows.count == 0) return sums;
  each(rows.count, SortKeys<T, I, Key>{rows, keys, places});
  sort_pairs(context, keys, sorted, places, permuted, rows.count, bits_for(rows.n + 1));
  each(rows.count, SumRuns<T, I, Key>{rows, sorted, permuted, sums});
  return sums;
}

template <class T, class I>
RowWeights<T> row_weights(Context& context, const Rows<T, I>& rows) {
  RowWeights<T> weights;
  if (!rows.index) {
    weights.direct = rows.weight;
  } else if (rows.weight) {
    weights.sums = rows.n <= std::numeric_limits<uint32_t>::max() ? sum_weights<T, I, uint32_t>(context, rows)
                                                                  : sum_weights<T, I, uint64_t>(context, rows);
  } else {
    uint32_t* counts = context.scratch<uint32_t>(rows.n);
    clear(counts, rows.n);
    each(rows.count, CountRows<T, I>{rows, counts});
    weights.counts = counts;
  }
  return weights;
}

/** A number in device memory that others are divided by; 1 where absent. */
template <class T, class I>
const double* total_weight(Context& context, const Rows<T, I>& rows, bool is_sum) {
  if (is_sum) return nullptr;
  double* total = context.scratch<double>(1);
  column_sums<double>(context, rows.count, 1, WeightTerm<T, I>{rows}, StoreAs<double>{total, 1});
  return total;
}

/** weight / total of row i; 0 where it is not part of the loss. */
template <class T>
struct Share {
  const int32_t* label;
  RowWeights<T> weights;
  const double* total;
  __device__ double operator()(int64_t i) const {
    const double all = total ? *total : 1.0;
    return label[i] < 0 || all == 0 ? 0.0 : weights(i) / all;
  }
};
template <class T, class I>
Share<T> shares(Context& context, const Rows<T, I>& rows, bool is_sum) {
  return {rows.label, row_weights(context, rows), total_weight(context, rows, is_sum)};
}

template <class T>
struct LossGradient {
  const T *x, *g;
  T* out;
  int64_t c;
  Share<T> share;

  __device__ void operator()(const Row& row) const {
    const int64_t i = row.index, begin = i * c, count = row.count(c);
    const double own = row.is_real ? share(i) : 0.0;
    const int32_t label = row.is_real ? share.label[i] : -1;
    const RowSoftmax<T> softmax = softmax_of(row, x + begin, own != 0 ? count : 0);
    const double factor = static_cast<double>(*g) * own;
    const T per_exp = static_cast<T>(factor / softmax.sum), at_label = static_cast<T>(factor);
    for (int64_t j = row.lane; j < count; j += row.width) {
      T value{};
      if (own != 0) value = per_exp * std::exp(x[begin + j] - softmax.top);
      if (own != 0 && j == label) value -= at_label;
      if (own != 0 && label >= c) value = std::numeric_limits<T>::quiet_NaN();
      out[begin + j] = value;
    }
  }
};

template <class T>
struct LabelWeights {
  T* out;
  int64_t c;
  Share<T> share;
  __device__ void operator()(int64_t at) const {
    const Cell cell = cell_of(at, c);
    const int32_t label = share.label[cell.row];
    T value{};
    if (label == cell.col) value = static_cast<T>(share(cell.row));
    else if (label >= c && share(cell.row) != 0) value = std::numeric_limits<T>::quiet_NaN();
    out[at] = value;
  }
};

// ---- scores ---------------------------------------------------------------------------------------------------------

/** hits[r]: 0 without a label, 1 with one, 2 where it is the largest score. */
template <class T, class I>
struct Hits {
  Rows<T, I> rows;
  const T* x;
  uint8_t* hits;

  __device__ void operator()(const Row& row) const {
    const int64_t i = row.is_real ? rows.row(row.index) : -1;
    const int32_t label = i >= 0 ? rows.label[i] : -1;
    const int32_t best = first_largest(row, x + (label >= 0 ? i * rows.c : 0), label >= 0 ? rows.c : 0);
    if (row.writes()) hits[row.index] = label < 0 ? 0 : best == label ? 2 : 1;
  }
};
/** Whole numbers below 2^53: exact in float64. */
struct HitTerm {
  const uint8_t* hits;
  __device__ Two operator()(int64_t r, int64_t, int64_t) const {
    return {hits[r] == 2 ? 1.0 : 0.0, hits[r] > 0 ? 1.0 : 0.0};
  }
};
struct StoreCounts {
  int64_t* out;
  __device__ void operator()(int64_t, int64_t, const Two& sum) const {
    out[0] = static_cast<int64_t>(sum.a);
    out[1] = static_cast<int64_t>(sum.b);
  }
};

}  // namespace

void softmax_cross_entropy(const softmax_cross_entropy_args& args, Context& context) {
  with_rows(context, args.x, args.label, args.index, args.weight, [&](auto real, const auto& rows) {
    using T = decltype(real);
    Two* terms = context.scratch<Two>(rows.count);
    each_row(rows.count, rows.c, LossTerms{rows, context.slot(args.x).as<const T>(), terms});
    column_sums<Two>(context, rows.count, 1, TakeTerm{terms},
                     StoreLoss<T>{context.slot(args.out).as<T>(), args.sum != 0});
  });
}

void softmax_cross_entropy_backward(const softmax_cross_entropy_backward_args& args, Context& context) {
  with_rows(context, args.x, args.label, args.index, args.weight, [&](auto real, const auto& rows) {
    using T = decltype(real);
    each_row(rows.n, rows.c,
             LossGradient<T>{context.slot(args.x).as<T>(), context.slot(args.g).as<T>(), context.slot(args.out).as<T>(),
                             rows.c, shares(context, rows, args.sum != 0)});
  });
}

// What the loss multiplies -log softmax by: zero but at the labels of the rows that count.
void label_weights(const label_weights_args& args, Context& context) {
  with_rows(context, args.out, args.label, args.index, args.weight, [&](auto real, const auto& rows) {
    using T = decltype(real);
    each(rows.n * rows.c,
         LabelWeights<T>{context.slot(args.out).as<T>(), rows.c, shares(context, rows, args.sum != 0)});
  });
}

void count_correct(const count_correct_args& args, Context& context) {
  with_rows(context, args.x, args.label, args.index, -1, [&](auto real, const auto& rows) {
    using T = decltype(real);
    auto* hits = context.scratch<uint8_t>(rows.count);
    each_row(rows.count, rows.c, Hits{rows, context.slot(args.x).as<const T>(), hits});
    column_sums<Two>(context, rows.count, 1, HitTerm{hits}, StoreCounts{context.slot(args.out).as<int64_t>()});
  });
}

GUST_OPS_END
