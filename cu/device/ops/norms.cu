// Normalisation of hidden layers: over the rows of a segment, column by column, and along each row.
//
// segment_norm, for segment s of n_s rows and column j:
//   mean = sum x / n_s;  c = x - alpha_j * mean;  moment = sum c^2 / n_s;  r = 1 / sqrt(moment + eps)
//   out  = gamma_j * r * c + beta_j
// backward, with A = sum g * c and D = sum g over the segment (sum c = n_s * (1 - alpha) * mean in exact arithmetic):
//   dc = r * gamma * g - c * r^3 * gamma * A / n_s;  S = sum dc;  dx = dc - alpha / n_s * S
//   d_gamma = r * A;  d_beta = D;  d_alpha = -mean * S
//
// Shapes: indptr (s + 1) or absent for one segment; x, g, out (n, f); alpha, gamma, beta (f); mean, moment (s, f).
// Threads: sums by segment_sums() of reduce.h, in float64; results by lanes that share a row, which look up its
//   segment, so that long and short segments cost the same per row.
// Memory: x is read three times forward (mean, moment, result), x and g twice backward.
// Determinism: the order of sums depends on shapes and indptr alone.
// Source: Cai et al. 2021, arXiv:2009.03294 (alpha); alpha = 1 is instance normalisation, one segment batch
//   normalisation, Ioffe and Szegedy 2015, arXiv:1502.03167. Along rows: Ba et al. 2016, arXiv:1607.06450.
#include "reduce.h"

GUST_OPS_BEGIN
namespace {

/** The segments of a matrix of `rows` rows and the places of their statistics. */
struct Norm {
  Segments segments;
  int64_t count, cols;

  __device__ double rows(int64_t s) const {
    const int64_t n = segments.end(s) - segments.begin(s);
    return static_cast<double>(n > 1 ? n : 1);
  }
  /** The segment of a row, or -1: outside of all. */
  __device__ int64_t find(int64_t row) const {
    if (!segments.indptr) return 0;
    // The last segment that begins at the row or before.
    int64_t low = -1, high = count;
    while (high - low > 1) {
      const int64_t middle = low + (high - low) / 2;
      if (segments.indptr[middle] <= row) low = middle;
      else high = middle;
    }
    return low >= 0 && row < segments.indptr[low + 1] ? low : -1;
  }
};

/** c = x - alpha * mean. */
template <class T>
struct Centred {
  const T *x, *alpha, *mean;
  int64_t cols;
  __device__ T operator()(int64_t row, int64_t col, int64_t s) const {
    const T centre = mean[s * cols + col];
    return x[row * cols + col] - (alpha ? alpha[col] * centre : centre);
  }
};

template <class T>
struct SquareTerm {
  Centred<T> centred;
  __device__ double operator()(int64_t row, int64_t col, int64_t s) const {
    const double c = static_cast<double>(centred(row, col, s));
    return c * c;
  }
};

/** What a sum becomes: its mean, 0 for an empty segment. */
template <class T>
struct StoreMean {
  Norm norm;
  T* mean;
  __device__ void operator()(int64_t s, int64_t col, double sum) const {
    mean[s * norm.cols + col] = static_cast<T>(sum / norm.rows(s));
  }
};
template <class T>
struct StoreMoment {
  Norm norm;
  const T* gamma;
  T *moment, *factor;  // factor = gamma / sqrt(moment + eps)
  double eps;
  __device__ void operator()(int64_t s, int64_t col, double sum) const {
    const int64_t k = s * norm.cols + col;
    moment[k] = static_cast<T>(sum / norm.rows(s));
    const double r = 1 / std::sqrt(static_cast<double>(moment[k]) + eps);
    factor[k] = static_cast<T>(gamma ? r * static_cast<double>(gamma[col]) : r);
  }
};

template <class T>
struct SegmentNorm {
  Norm norm;
  Centred<T> centred;
  const T *factor, *beta;
  T* out;

  __device__ void operator()(const Row& row) const {
    if (!row.is_real) return;
    const int64_t s = norm.find(row.index), f = norm.cols;
    for (int64_t j = row.lane; j < f; j += row.width) {
      T value{};
      if (s >= 0) {
        value = factor[s * f + j] * centred(row.index, j, s);
        if (beta) value += beta[j];
      }
      out[row.index * f + j] = value;
    }
  }
};

/** a = g * c, b = g. */
template <class T>
struct GradientTerm {
  Centred<T> centred;
  const T* g;
  __device__ Two operator()(int64_t row, int64_t col, int64_t s) const {
    const double up = static_cast<double>(g[row * centred.cols + col]);
    return {up * static_cast<double>(centred(row, col, s)), up};
  }
};

/** dx = g * per_g + c * per_c + per_row, per segment and column. */
template <class T>
struct Factors {
  T *per_g, *per_c, *per_row;
};

template <class T>
struct StoreGradients {
  Norm norm;
  const T *alpha, *gamma, *mean, *moment;
  T *d_alpha, *d_gamma, *d_beta;
  Factors<T> factors;
  double eps;

  __device__ void operator()(int64_t s, int64_t col, const Two& sum) const {
    const int64_t k = s * norm.cols + col;
    const double rows = norm.rows(s), r = 1 / std::sqrt(static_cast<double>(moment[k]) + eps);
    const double scale = gamma ? static_cast<double>(gamma[col]) : 1.0;
    const double part = alpha ? static_cast<double>(alpha[col]) : 1.0, centre = static_cast<double>(mean[k]);
    const double slope = -r * r * r * scale * sum.a / rows;
    const double total = r * scale * sum.b + slope * rows * (1 - part) * centre;
    factors.per_g[k] = static_cast<T>(r * scale);
    factors.per_c[k] = static_cast<T>(slope);
    factors.per_row[k] = static_cast<T>(-part / rows * total);
    d_gamma[k] = static_cast<T>(r * sum.a);
    d_beta[k] = static_cast<T>(sum.b);
    d_alpha[k] = static_cast<T>(-centre * total);
  }
};

template <class T>
struct SegmentNormBackward {
  Norm norm;
  Centred<T> centred;
  const T* g;
  Factors<T> factors;
  T* out;

  __device__ void operator()(const Row& row) const {
    if (!row.is_real) return;
    const int64_t s = norm.find(row.index), f = norm.cols;
    for (int64_t j = row.lane; j < f; j += row.width) {
      const int64_t at = row.index * f + j, k = s * f + j;
      T value{};
      if (s >= 0)
        value = g[at] * factors.per_g[k] + centred(row.index, j, s) * factors.per_c[k] + factors.per_row[k];
      out[at] = value;
    }
  }
};

/** out = (x - mean) * inverse along a row; sums in float64. */
template <class T>
struct RowNormalize {
  const T* x;
  T *out, *inverse;
  int64_t cols;
  double eps;

  __device__ void operator()(const Row& row) const {
    const int64_t count = row.count(cols), begin = row.index * cols;
    const double width = static_cast<double>(cols > 1 ? cols : 1);
    double sum = 0, squares = 0;
    for (int64_t j = row.lane; j < count; j += row.width) sum += static_cast<double>(x[begin + j]);
    const T mean = static_cast<T>(row.sum(sum) / width);
    for (int64_t j = row.lane; j < count; j += row.width) {
      const double c = static_cast<double>(x[begin + j] - mean);
      squares += c * c;
    }
    const T scale = static_cast<T>(1 / std::sqrt(row.sum(squares) / width + eps));
    if (row.writes()) inverse[row.index] = scale;
    for (int64_t j = row.lane; j < count; j += row.width) out[begin + j] = scale * (x[begin + j] - mean);
  }
};

template <class T>
struct RowNormalizeBackward {
  const T *g, *y, *inverse;
  T* out;
  int64_t cols;

  __device__ void operator()(const Row& row) const {
    const int64_t count = row.count(cols), begin = row.index * cols;
    const double width = static_cast<double>(cols > 1 ? cols : 1);
    double sum = 0, product = 0;
    for (int64_t j = row.lane; j < count; j += row.width) {
      const double up = static_cast<double>(g[begin + j]);
      sum += up;
      product += up * static_cast<double>(y[begin + j]);
    }
    const T mean = static_cast<T>(row.sum(sum) / width), along = static_cast<T>(row.sum(product) / width);
    for (int64_t j = row.lane; j < count; j += row.width)
      out[begin + j] = inverse[row.index] * (g[begin + j] - mean - y[begin + j] * along);
  }
};

}  // namespace

void segment_norm(const segment_norm_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out = context.slot(args.out), &mean_slot = context.slot(args.mean);
  const int64_t n = x_slot.rows, f = x_slot.cols, count = mean_slot.rows;
  const Norm norm{{context.slot(args.indptr).as<int64_t>(), n}, count, f};
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *x = x_slot.as<T>(), *gamma = context.slot(args.gamma).as<T>(), *beta = context.slot(args.beta).as<T>();
    T *mean = mean_slot.as<T>(), *factor = context.scratch<T>(count * f);
    const Centred<T> centred{x, context.slot(args.alpha).as<T>(), mean, f};
    segment_sums<double>(context, norm.segments, count, n, f, TakeElement<T>{x, f}, StoreMean<T>{norm, mean});
    segment_sums<double>(context, norm.segments, count, n, f, SquareTerm<T>{centred},
                         StoreMoment<T>{norm, gamma, context.slot(args.moment).as<T>(), factor, args.eps});
    each_row(n, f, SegmentNorm<T>{norm, centred, factor, beta, out.as<T>()});
  });
}

void segment_norm_backward(const segment_norm_backward_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out = context.slot(args.out), &mean_slot = context.slot(args.mean);
  const int64_t n = x_slot.rows, f = x_slot.cols, count = mean_slot.rows;
  const Norm norm{{context.slot(args.indptr).as<int64_t>(), n}, count, f};
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *g = context.slot(args.g).as<T>(), *mean = mean_slot.as<T>(), *alpha = context.slot(args.alpha).as<T>();
    const Centred<T> centred{x_slot.as<T>(), alpha, mean, f};
    const Factors<T> factors{context.scratch<T>(count * f), context.scratch<T>(count * f),
                             context.scratch<T>(count * f)};
    segment_sums<Two>(context, norm.segments, count, n, f, GradientTerm<T>{centred, g},
                      StoreGradients<T>{norm, alpha, context.slot(args.gamma).as<T>(), mean,
                                        context.slot(args.moment).as<T>(), context.slot(args.d_alpha).as<T>(),
                                        context.slot(args.d_gamma).as<T>(), context.slot(args.d_beta).as<T>(), factors,
                                        args.eps});
    each_row(n, f, SegmentNormBackward<T>{norm, centred, g, factors, out.as<T>()});
  });
}

void row_normalize(const row_normalize_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_row(x.rows, x.cols,
             RowNormalize<T>{x.as<T>(), out.as<T>(), context.slot(args.inverse).as<T>(), x.cols, args.eps});
  });
}

void row_normalize_backward(const row_normalize_backward_args& args, Context& context) {
  const Slot &g = context.slot(args.g), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    each_row(g.rows, g.cols,
             RowNormalizeBackward<T>{g.as<T>(), context.slot(args.y).as<T>(), context.slot(args.inverse).as<T>(),
                                     out.as<T>(), g.cols});
  });
}

GUST_OPS_END
