// Random element-wise ops (masks: dropout.h). A thread owns four neighbouring draws of a row or an edge: one block of
// Philox. Rows of a CSR matrix are shared by as many lanes of a warp as suit rows of mean length.
//
// dropout_csr() draws past 2^18 entries of a row repeat (the host refuses such a row; here its length is not known
// before the kernel runs).
#include "dropout.h"
#include "reduce.h"

GUST_OPS_BEGIN
namespace {

/** out[i] = x[i], or 1 without x; 0 where all are dropped. */
template <class T>
struct CopyOrClear {
  const T* x;
  T* out;
  bool clears;
  __device__ void operator()(int64_t i) const { out[i] = clears ? T{0} : x ? x[i] : T{1}; }
};

/** p = 0 copies and p = 1 clears, without draws. True if that was all. */
template <class T>
bool drop_nothing_or_all(double p, const Slot& x, const Slot& out) {
  if (p > 0 && p < 1) return false;
  if (!(p >= 0 && p <= 1)) fail(GUST_EINVAL, "dropout probability %g, expected 0 to 1", p);
  each(out.size(), CopyOrClear<T>{x.live ? x.as<T>() : nullptr, out.as<T>(), p == 1});
  return true;
}

/** Entry k of row i by draw k of the row's id. */
template <class T>
struct DropEntries {
  const int64_t* indptr;
  const T* x;  // absent: ones
  T* out;
  Dropped<T> dropped;
  StepRandom random;
  RowIds ids;

  __device__ void operator()(const Row& row) const {
    if (!row.is_real) return;
    const int64_t begin = indptr[row.index], count = indptr[row.index + 1] - begin;
    const uint64_t id = ids(row.index);
    const Random draw = random();
    for (int64_t four = row.lane; four < fours_of(count); four += row.width) {
      const Philox4 draws = draw.block(id, static_cast<uint32_t>(four));
      for (int k = 0; k < 4 && 4 * four + k < count; ++k) {
        const int64_t e = begin + 4 * four + k;
        out[e] = dropped(x ? x[e] : T{1}, draws.x[k]);
      }
    }
  }
};

/** Number h of entry e by draw h of an id that is a hash of the nodes of e. */
template <class T, class I>
struct DropEdges {
  const int64_t* indptr;
  const I* indices;
  const T* x;
  T* out;
  int64_t heads;
  Dropped<T> dropped;
  StepRandom random;
  RowIds ids;

  __device__ void operator()(const Row& row) const {
    if (!row.is_real) return;
    const int64_t begin = indptr[row.index], fours = fours_of(heads), count = (indptr[row.index + 1] - begin) * fours;
    const uint64_t from = mix64(ids(row.index));
    const Random draw = random();
    for (int64_t at = row.lane; at < count; at += row.width) {
      const int64_t e = begin + at / fours, four = at % fours;
      const uint64_t id = edge_id(from, ids(static_cast<int64_t>(indices[e])));
      const Philox4 draws = draw.block(id, static_cast<uint32_t>(four));
      for (int k = 0; k < 4 && 4 * four + k < heads; ++k) {
        const int64_t place = e * heads + 4 * four + k;
        out[place] = dropped(x[place], draws.x[k]);
      }
    }
  }
};

/** Blocks of draws of a row of mean length. */
int64_t mean_fours(int64_t entries, int64_t rows) { return fours_of(num_chunks(entries, std::max<int64_t>(rows, 1))); }

// Parameters start from these numbers, so the bits are the host's: a product that a fused multiply-add could round
// differently is either exact or finished before the addition.
struct UniformFloat {
  double low, span;
  StepRandom random;
  int64_t cols;
  float* out;

  __device__ void operator()(int64_t at) const {
    const Cell cell = cell_of(at, fours_of(cols));
    const Philox4 draws = random().block(static_cast<uint64_t>(cell.row), static_cast<uint32_t>(cell.col));
    for (int k = 0; k < 4 && 4 * cell.col + k < cols; ++k) {
      // 24-bit draw times 24-bit span: exact.
      const double u = static_cast<double>(draws.x[k] >> 8) * 0x1p-24;
      out[cell.row * cols + 4 * cell.col + k] = static_cast<float>(low + span * u);
    }
  }
};
struct UniformDouble {
  double low, span;
  StepRandom random;
  int64_t cols;
  double* out;

  __device__ void operator()(int64_t at) const {
    const int64_t twos = cols / 2 + cols % 2;
    const Cell cell = cell_of(at, twos);
    const Philox4 draws = random().block(static_cast<uint64_t>(cell.row), static_cast<uint32_t>(cell.col));
    for (int k = 0; k < 2 && 2 * cell.col + k < cols; ++k) {
      const uint64_t bits = static_cast<uint64_t>(draws.x[2 * k]) << 32 | draws.x[2 * k + 1];
      const double u = static_cast<double>(bits >> 11) * 0x1p-53;
      out[cell.row * cols + 2 * cell.col + k] = __dadd_rn(low, __dmul_rn(span, u));
    }
  }
};

}  // namespace

void dropout(const dropout_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    if (drop_nothing_or_all<T>(args.p, x, out)) return;
    check_draws(out.rows, out.cols);
    map_fours(x.as<T>(), out.as<T>(), out.rows, out.cols,
              Dropout<T>(args.p, args.stream, args.layer, context.slot(args.ids), context));
  });
}

void dropout_csr(const dropout_csr_args& args, Context& context) {
  const Slot &indptr = context.slot(args.indptr), &values = context.slot(args.values), &out = context.slot(args.out);
  const int64_t rows = indptr.size() - 1;
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    if (drop_nothing_or_all<T>(args.p, values, out)) return;
    each_row(rows, mean_fours(out.size(), rows),
             DropEntries<T>{indptr.as<int64_t>(), values.as<T>(), out.as<T>(), Dropped<T>(args.p),
                            random_of(context, args.stream, args.layer), RowIds(context.slot(args.ids))});
  });
}

void dropout_edges(const dropout_edges_args& args, Context& context) {
  const Slot &indptr = context.slot(args.indptr), &indices = context.slot(args.indices);
  const Slot &x = context.slot(args.x), &out = context.slot(args.out);
  const int64_t rows = indptr.size() - 1, heads = out.cols;
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    if (drop_nothing_or_all<T>(args.p, x, out)) return;
    check_draws(out.rows, heads);
    if (out.size() == 0) return;
    dispatch_index(indices.dtype, [&](auto index) {
      using I = decltype(index);
      each_row(rows, num_chunks(out.rows, rows) * fours_of(heads),
               DropEdges<T, I>{indptr.as<int64_t>(), indices.as<I>(), x.as<T>(), out.as<T>(), heads,
                               Dropped<T>(args.p), random_of(context, args.stream, args.layer),
                               RowIds(context.slot(args.ids))});
    });
  });
}

void uniform(const uniform_args& args, Context& context) {
  const Slot& out = context.slot(args.out);
  const StepRandom random = random_of(context, args.stream, args.layer);
  dispatch_real(out.dtype, [&](auto tag) {
    if constexpr (sizeof tag == 4) {
      check_draws(out.rows, out.cols);
      const double span = static_cast<float>(args.high - args.low);
      each(out.rows * fours_of(out.cols), UniformFloat{args.low, span, random, out.cols, out.as<float>()});
    } else {
      check_draws(out.rows, 2 * out.cols);
      each(out.rows * num_chunks(out.cols, 2),
           UniformDouble{args.low, args.high - args.low, random, out.cols, out.as<double>()});
    }
  });
}

GUST_OPS_END
