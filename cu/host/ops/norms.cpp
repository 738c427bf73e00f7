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
// Owner: a task owns whole short segments, or a chunk of kPieceRows rows of a long one, whose sums are added in order.
// Memory: short segments stay in the cache between their passes; long ones are read three times forward (mean,
//   moment, result) and twice backward. Statistics are taken in two passes, in float64.
// Determinism: pieces and the order of their sums depend on indptr alone.
// Source: Cai et al. 2021, arXiv:2009.03294 (alpha); alpha = 1 is instance normalisation, one segment batch
//   normalisation, Ioffe and Szegedy 2015, arXiv:1502.03167. Along rows: Ba et al. 2016, arXiv:1607.06450.
#include <vector>

#include "dense.h"

GUST_OPS_BEGIN
namespace {

constexpr int64_t kPieceRows = 1024;

/** Rows begin .. end-1 of one segment. */
struct Piece {
  int64_t segment, begin, end;
};

/** The pieces of all segments, those of one segment one after another: `first[s]` is the first piece of segment s. */
struct Pieces {
  std::vector<Piece> list;
  std::vector<int64_t> first;

  Pieces(const int64_t* indptr, int64_t segments, int64_t rows) : first(static_cast<size_t>(segments) + 1) {
    for (int64_t s = 0; s < segments; ++s) {
      first[s] = static_cast<int64_t>(list.size());
      const int64_t end = indptr ? indptr[s + 1] : rows;
      for (int64_t i = indptr ? indptr[s] : 0; i < end; i += kPieceRows)
        list.push_back({s, i, std::min(end, i + kPieceRows)});
    }
    first[segments] = static_cast<int64_t>(list.size());
  }

  int64_t rows_of(int64_t s) const {
    return first[s] == first[s + 1] ? 0 : list[first[s + 1] - 1].end - list[first[s]].begin;
  }
  int64_t size() const { return static_cast<int64_t>(list.size()); }
  /** Pieces per task, for about as many elements as a streaming loop takes. */
  int64_t grain(int64_t rows, int64_t f) const {
    const int64_t mean_rows = rows / std::max<int64_t>(1, size());
    return std::max<int64_t>(1, row_grain(f) / std::max<int64_t>(1, mean_rows));
  }
};

/**
 * sums[s, :] = the sums over the rows of segment s of what add(row, segment, sum) adds to `sum`, `width` numbers in
 * float64. `partial` holds pieces.size() * width numbers.
 */
template <class Add>
void sum_segments(const Pieces& pieces, int64_t segments, int64_t width, double* partial, double* sums,
                  int64_t rows, const Add& add) {
  parallel_for(pieces.size(), pieces.grain(rows, width), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      double* sum = partial + p * width;
      std::fill_n(sum, width, 0.0);
      for (int64_t i = pieces.list[p].begin; i < pieces.list[p].end; ++i) add(i, pieces.list[p].segment, sum);
    }
  });
  parallel_for(segments, row_grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      double* to = sums + s * width;
      std::fill_n(to, width, 0.0);
      for (int64_t p = pieces.first[s]; p < pieces.first[s + 1]; ++p)
        for (int64_t j = 0; j < width; ++j) to[j] += partial[p * width + j];
    }
  });
}

/** Run body(row, segment) on every row of every segment; rows outside of all segments are zeroed in `out`. */
template <class T, class Body>
void for_segment_rows(const Pieces& pieces, const int64_t* indptr, int64_t segments, int64_t n, int64_t f, T* out,
                      const Body& body) {
  if (indptr) {
    const int64_t before = segments > 0 ? indptr[0] : n, after = segments > 0 ? indptr[segments] : n;
    std::fill(out, out + before * f, T{0});
    std::fill(out + after * f, out + n * f, T{0});
  }
  parallel_for(pieces.size(), pieces.grain(n, f), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      for (int64_t i = pieces.list[p].begin; i < pieces.list[p].end; ++i) body(i, pieces.list[p].segment);
  });
}

}  // namespace

void segment_norm(const segment_norm_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out), &mean_slot = context.slot(args.mean);
  const int64_t* indptr = context.slot(args.indptr).as<int64_t>();
  const int64_t n = x_slot.rows, f = x_slot.cols, segments = mean_slot.rows;
  const Pieces pieces(indptr, segments, n);
  double* partial = context.scratch<double>(pieces.size() * f);
  double* sums = context.scratch<double>(segments * f);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *x = x_slot.as<T>(), *alpha = context.slot(args.alpha).as<T>();
    const T *gamma = context.slot(args.gamma).as<T>(), *beta = context.slot(args.beta).as<T>();
    T *mean = mean_slot.as<T>(), *moment = context.slot(args.moment).as<T>(), *out = out_slot.as<T>();
    /** What a sum of segment s becomes: its mean, 0 for an empty segment. */
    auto averages = [&](T* to) {
      for (int64_t s = 0; s < segments; ++s) {
        const double rows = static_cast<double>(std::max<int64_t>(1, pieces.rows_of(s)));
        for (int64_t j = 0; j < f; ++j) to[s * f + j] = static_cast<T>(sums[s * f + j] / rows);
      }
    };
    sum_segments(pieces, segments, f, partial, sums, n, [=](int64_t i, int64_t, double* sum) {
      for (int64_t j = 0; j < f; ++j) sum[j] += static_cast<double>(x[i * f + j]);
    });
    averages(mean);
    // From here on sums hold what is taken off: alpha * mean.
    auto shift = [=](int64_t s, int64_t j) { return alpha ? alpha[j] * mean[s * f + j] : mean[s * f + j]; };
    sum_segments(pieces, segments, f, partial, sums, n, [=](int64_t i, int64_t s, double* sum) {
      for (int64_t j = 0; j < f; ++j) {
        const double c = static_cast<double>(x[i * f + j] - shift(s, j));
        sum[j] += c * c;
      }
    });
    averages(moment);
    T* factor = context.scratch<T>(segments * f);
    for (int64_t k = 0; k < segments * f; ++k) {
      const double r = 1 / std::sqrt(static_cast<double>(moment[k]) + args.eps);
      factor[k] = static_cast<T>(gamma ? r * static_cast<double>(gamma[k % f]) : r);
    }
    for_segment_rows(pieces, indptr, segments, n, f, out, [=](int64_t i, int64_t s) {
#pragma GCC ivdep
      for (int64_t j = 0; j < f; ++j) {
        const T scaled = factor[s * f + j] * (x[i * f + j] - shift(s, j));
        out[i * f + j] = beta ? scaled + beta[j] : scaled;
      }
    });
  });
}

void segment_norm_backward(const segment_norm_backward_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out), &mean_slot = context.slot(args.mean);
  const int64_t* indptr = context.slot(args.indptr).as<int64_t>();
  const int64_t n = x_slot.rows, f = x_slot.cols, segments = mean_slot.rows;
  const Pieces pieces(indptr, segments, n);
  double* partial = context.scratch<double>(pieces.size() * 2 * f);
  double* sums = context.scratch<double>(segments * 2 * f);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *x = x_slot.as<T>(), *g = context.slot(args.g).as<T>(), *mean = mean_slot.as<T>();
    const T *alpha = context.slot(args.alpha).as<T>(), *gamma = context.slot(args.gamma).as<T>();
    const T* moment = context.slot(args.moment).as<T>();
    T *d_alpha = context.slot(args.d_alpha).as<T>(), *d_gamma = context.slot(args.d_gamma).as<T>();
    T *d_beta = context.slot(args.d_beta).as<T>(), *out = out_slot.as<T>();
    auto shift = [=](int64_t s, int64_t j) { return alpha ? alpha[j] * mean[s * f + j] : mean[s * f + j]; };
    sum_segments(pieces, segments, 2 * f, partial, sums, n, [=](int64_t i, int64_t s, double* sum) {
      for (int64_t j = 0; j < f; ++j) {
        const double up = static_cast<double>(g[i * f + j]);
        sum[j] += up * static_cast<double>(x[i * f + j] - shift(s, j));
        sum[f + j] += up;
      }
    });
    // dx = g * per_g + c * per_c + per_row
    T *per_g = context.scratch<T>(segments * f), *per_c = context.scratch<T>(segments * f);
    T* per_row = context.scratch<T>(segments * f);
    for (int64_t s = 0; s < segments; ++s) {
      const double rows = static_cast<double>(std::max<int64_t>(1, pieces.rows_of(s)));
      for (int64_t j = 0; j < f; ++j) {
        const int64_t k = s * f + j;
        const double r = 1 / std::sqrt(static_cast<double>(moment[k]) + args.eps);
        const double scale = gamma ? static_cast<double>(gamma[j]) : 1.0;
        const double part = alpha ? static_cast<double>(alpha[j]) : 1.0, centre = static_cast<double>(mean[k]);
        const double with_c = sums[s * 2 * f + j], alone = sums[s * 2 * f + f + j];
        const double slope = -r * r * r * scale * with_c / rows;
        const double total = r * scale * alone + slope * rows * (1 - part) * centre;
        per_g[k] = static_cast<T>(r * scale);
        per_c[k] = static_cast<T>(slope);
        per_row[k] = static_cast<T>(-part / rows * total);
        d_gamma[k] = static_cast<T>(r * with_c);
        d_beta[k] = static_cast<T>(alone);
        d_alpha[k] = static_cast<T>(-centre * total);
      }
    }
    for_segment_rows(pieces, indptr, segments, n, f, out, [=](int64_t i, int64_t s) {
#pragma GCC ivdep
      for (int64_t j = 0; j < f; ++j) {
        const int64_t k = s * f + j;
        out[i * f + j] = g[i * f + j] * per_g[k] + (x[i * f + j] - shift(s, j)) * per_c[k] + per_row[k];
      }
    });
  });
}

// A task owns whole rows; sums in lanes, in float64.
void row_normalize(const row_normalize_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  const int64_t f = x_slot.cols;
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = x_slot.as<T>();
    T *out = out_slot.as<T>(), *inverse = context.slot(args.inverse).as<T>();
    const double eps = args.eps, width = static_cast<double>(std::max<int64_t>(1, f));
    parallel_for(x_slot.rows, row_grain(f), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T* row = x + i * f;
        T* to = out + i * f;
        const T mean = static_cast<T>(
            lane_sum<double>(f, [=](int64_t k) { return static_cast<double>(row[k]); }) / width);
        const double variance = lane_sum<double>(f, [=](int64_t k) {
          const double c = static_cast<double>(row[k] - mean);
          return c * c;
        }) / width;
        const T scale = static_cast<T>(1 / std::sqrt(variance + eps));
        inverse[i] = scale;
#pragma GCC ivdep
        for (int64_t k = 0; k < f; ++k) to[k] = scale * (row[k] - mean);
      }
    });
  });
}

void row_normalize_backward(const row_normalize_backward_args& args, Context& context) {
  const Slot &g_slot = context.slot(args.g), &out_slot = context.slot(args.out);
  const int64_t f = g_slot.cols;
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *g = g_slot.as<T>(), *y = context.slot(args.y).as<T>(), *inverse = context.slot(args.inverse).as<T>();
    T* out = out_slot.as<T>();
    const double width = static_cast<double>(std::max<int64_t>(1, f));
    parallel_for(g_slot.rows, row_grain(f), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T *up = g + i * f, *own = y + i * f;
        T* to = out + i * f;
        const T mean = static_cast<T>(
            lane_sum<double>(f, [=](int64_t k) { return static_cast<double>(up[k]); }) / width);
        const T along = static_cast<T>(
            lane_sum<double>(f, [=](int64_t k) { return static_cast<double>(up[k]) * static_cast<double>(own[k]); }) /
            width);
        const T scale = inverse[i];
#pragma GCC ivdep
        for (int64_t k = 0; k < f; ++k) to[k] = scale * (up[k] - mean - own[k] * along);
      }
    });
  });
}

GUST_OPS_END
