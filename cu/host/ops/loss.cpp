// Softmax cross entropy, its gradient, and the count of correct rows. Terms are added in float64 in fixed chunks of
// the index. A task owns a range of the index (forward) or of rows (backward).
#include "softmax.h"

GUST_OPS_BEGIN
namespace {

/** The rows a loss looks at: position r of the index -> row of x, refused when outside. */
template <class T, class I>
struct Rows {
  const T* x;
  const int32_t* label;
  const I* index;  // absent: every row
  const T* weight;  // absent: ones
  int64_t n, c, count;

  int64_t row(int64_t r) const {
    if (!index) return r;
    const int64_t i = index[r];
    if (i < 0 || i >= n)
      fail(GUST_EINVAL, "index[%lld] = %lld, expected rows 0 to %lld", static_cast<long long>(r),
           static_cast<long long>(i), static_cast<long long>(n - 1));
    return i;
  }
  /** The label of row i, or -1. */
  int64_t target(int64_t i) const {
    if (label[i] >= c)
      fail(GUST_EDATA, "label[%lld] = %d, expected labels below the %lld classes of the scores",
           static_cast<long long>(i), label[i], static_cast<long long>(c));
    return std::max<int64_t>(label[i], -1);
  }
  /** The scores of row index[r], or null where it has no label. */
  const T* labelled(int64_t r) const {
    const int64_t i = row(r);
    return target(i) < 0 ? nullptr : x + i * c;
  }
  double weight_at(int64_t r) const { return weight ? static_cast<double>(weight[r]) : 1.0; }
  /** Sum of the weights of labelled rows. */
  double total() const {
    return parallel_sum<double>(count, kGrain, [&](int64_t begin, int64_t end) {
      double sum = 0;
      for (int64_t r = begin; r < end; ++r)
        if (label[row(r)] >= 0) sum += weight_at(r);
      return sum;
    });
  }
};

/** Call f(rows) with the element and index types of a call. */
template <class F>
void with_rows(Context& context, int64_t x_id, int64_t label_id, int64_t index_id, int64_t weight_id, F&& f) {
  const Slot &x = context.slot(x_id), &label = context.slot(label_id), &index = context.slot(index_id);
  const Slot& weight = context.slot(weight_id);
  dispatch_real(x.dtype, [&](auto real) {
    using T = decltype(real);
    dispatch_index(index.live ? index.dtype : GUST_I32, [&](auto tag) {
      using I = decltype(tag);
      f(Rows<T, I>{x.as<T>(), label.as<int32_t>(), index.as<I>(), weight.as<T>(), x.rows, x.cols,
                   index.live ? index.size() : x.rows});
    });
  });
}

}  // namespace

// -log softmax(x)[label] = log(sum exp(x - max)) - (x[label] - max).
void softmax_cross_entropy(const softmax_cross_entropy_args& args, Context& context) {
  with_rows(context, args.x, args.label, args.index, args.weight, [&](const auto& rows) {
    using T = std::decay_t<decltype(*rows.x)>;
    const double sum = parallel_sum<double>(
        rows.count, row_grain(rows.c, kMathGrain), [&](int64_t begin, int64_t end) {
          double part = 0;
          for_softmax_rows<T>(
              begin, end, rows.c, [&](int64_t r) { return rows.labelled(r); },
              [&](int64_t r, const T* row, const RowSoftmax<T>& softmax) {
                const T score = row[rows.label[rows.row(r)]];
                part += rows.weight_at(r) * (std::log(softmax.sum) - static_cast<double>(score - softmax.top));
              });
          return part;
        });
    const double total = args.sum ? 1.0 : rows.total();
    *context.slot(args.out).as<T>() = static_cast<T>(total == 0 ? 0.0 : sum / total);
  });
}

// Gradient of row i = index[r]: g * weight[r] / total * (softmax(x[i]) - onehot(label[i])), added up where the index
// names a row twice.
void softmax_cross_entropy_backward(const softmax_cross_entropy_backward_args& args, Context& context) {
  with_rows(context, args.x, args.label, args.index, args.weight, [&](const auto& rows) {
    using T = std::decay_t<decltype(*rows.x)>;
    T* out = context.slot(args.out).as<T>();
    const int64_t c = rows.c;
    for_elements(rows.n * c, kGrain, [=](int64_t k) { out[k] = T{0}; });
    const double total = args.sum ? 1.0 : rows.total();
    if (total == 0) return;
    const double scale = static_cast<double>(*context.slot(args.g).as<T>()) / total;
    auto add = [&](int64_t begin, int64_t end) {
      for_softmax_rows<T>(
          begin, end, c, [&](int64_t r) { return rows.labelled(r); },
          [&](int64_t r, const T*, const RowSoftmax<T>& softmax) {
            const int64_t i = rows.row(r);
            T* to = out + i * c;
            const double factor = scale * rows.weight_at(r);
            const T per_exp = static_cast<T>(factor / softmax.sum);
#pragma GCC ivdep
            for (int64_t j = 0; j < c; ++j) to[j] += per_exp * softmax.exps[j];
            to[rows.label[i]] -= static_cast<T>(factor);
          });
    };
    // Rows in ascending order are distinct, and tasks cannot meet. Otherwise one task adds them in order.
    bool ascending = true;
    if (rows.index)
      for (int64_t r = 1; r < rows.count; ++r) ascending &= rows.index[r - 1] < rows.index[r];
    if (ascending)
      parallel_for(rows.count, row_grain(c, kMathGrain), add);
    else
      add(0, rows.count);
  });
}

// What the loss multiplies -log softmax by: zero but at the labels of the rows that count.
void label_weights(const label_weights_args& args, Context& context) {
  with_rows(context, args.out, args.label, args.index, args.weight, [&](const auto& rows) {
    using T = std::decay_t<decltype(*rows.x)>;
    T* out = context.slot(args.out).as<T>();
    for_elements(rows.n * rows.c, kGrain, [=](int64_t k) { out[k] = T{0}; });
    const double total = args.sum ? 1.0 : rows.total();
    if (total == 0) return;
    for (int64_t r = 0; r < rows.count; ++r) {
      const int64_t i = rows.row(r), target = rows.target(i);
      if (target >= 0) out[i * rows.c + target] += static_cast<T>(rows.weight_at(r) / total);
    }
  });
}

void count_correct(const count_correct_args& args, Context& context) {
  with_rows(context, args.x, args.label, args.index, -1, [&](const auto& rows) {
    struct Count {
      int64_t correct = 0, labelled = 0;
      Count& operator+=(const Count& other) {
        correct += other.correct;
        labelled += other.labelled;
        return *this;
      }
    };
    const Count count = parallel_sum<Count>(rows.count, row_grain(rows.c), [&](int64_t begin, int64_t end) {
      Count part;
      for (int64_t r = begin; r < end; ++r) {
        const int64_t i = rows.row(r);
        if (rows.label[i] < 0) continue;
        ++part.labelled;
        part.correct += first_largest(rows.x + i * rows.c, rows.c) == rows.label[i];
      }
      return part;
    });
    int64_t* out = context.slot(args.out).as<int64_t>();
    out[0] = count.correct;
    out[1] = count.labelled;
  });
}

GUST_OPS_END
