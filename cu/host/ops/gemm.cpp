// out = alpha * op(a) @ op(b) + beta * out, op(a) m x k, op(b) k x n, all row-major; out = epilogue(out).
//
// Few columns are multiplied in tiles of registers (tiled.h). Other products are cut into blocks of rows and columns of
// `out` and, where that gives few blocks, the inner dimension into chunks; each piece is one single-threaded OpenBLAS
// call. The cut depends on m, n and k alone, and chunks are added in order, so the bits do not depend on the thread
// count. What follows a product in a layer (epilogue.h) is done to the rows of a task before they leave the cache, with
// the bits that the epilogue op gives; behind the library it is a pass of its own. Where the addend is a product too, a
// task adds it in its tiles, unless the bits would be others: then it is made first, apart.
#include <optional>

#include "../../common/blas.h"
#include "epilogue.h"
#include "tiled.h"

GUST_OPS_BEGIN
namespace {

/** Most that the least of m, n and k is in a product that tiles are for. */
constexpr int64_t kSkinny = 256;
/** Multiply-adds that are not worth a call of the library, whatever the shape: it takes 10 ms to open. */
constexpr int64_t kSmall = 32768;
/** Most numbers of a transposed op(b) that tiles copy. */
constexpr int64_t kMostCopied = int64_t{1} << 18;
/** Multiply-adds of one task: 10 to 40 us, several times what it costs to start threads. */
constexpr int64_t kTask = int64_t{1} << 20;

struct Grid {
  int64_t rows, cols, inner;  // extent of one piece
};

Grid grid_of(int64_t m, int64_t n, int64_t k) {
  if (static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) <= 2.0 * kTask) return {m, n, k};
  // Every piece packs its own share of a and b: at least 256 rows and 1024 columns keep that below a few percent.
  const int64_t cols = piece(n, 1024, 64);
  const int64_t rows = piece(m, std::max<int64_t>(256, kTask / (cols * k)), 64);
  const int64_t blocks = num_chunks(m, rows) * num_chunks(n, cols);
  // Weight gradients: m and n are layer widths, k is the number of nodes.
  const int64_t least = std::max<int64_t>(1024, kTask / (rows * cols));
  const int64_t chunks = std::clamp<int64_t>(k / least, 1, num_chunks(32, blocks));
  return {rows, cols, piece(k, num_chunks(k, chunks), 16)};
}

/** out = beta * out; beta = 0 does not read it. */
template <class T>
void scale(T* out, int64_t size, T beta) {
  if (beta == 0) for_elements(size, kGrain, [=](int64_t i) { out[i] = T{0}; });
  else if (beta != 1) for_elements(size, kGrain, [=](int64_t i) { out[i] *= beta; });
}

int narrow(int64_t value) {
  if (value > std::numeric_limits<int>::max())
    fail(GUST_EINVAL, "matrix extent %lld, expected at most 2^31 - 1", static_cast<long long>(value));
  return static_cast<int>(value);
}

template <class T>
void library_product(const Operand<T>& a, const Operand<T>& b, T* out, int64_t m, int64_t n, int64_t k, T alpha, T beta,
             Context& context) {
  const Blas& library = blas();
  const Grid grid = grid_of(m, n, k);
  const int64_t row_blocks = num_chunks(m, grid.rows), col_blocks = num_chunks(n, grid.cols);
  const int64_t blocks = row_blocks * col_blocks, chunks = num_chunks(k, grid.inner);
  T* partial = chunks > 1 ? context.scratch<T>((chunks - 1) * m * n) : nullptr;
  parallel_tasks(blocks * chunks, [&](int64_t task) {
    const int64_t chunk = task / blocks, block = task % blocks;
    const int64_t i = block / col_blocks * grid.rows, j = block % col_blocks * grid.cols, l = chunk * grid.inner;
    T* to = (chunk == 0 ? out : partial + (chunk - 1) * m * n) + i * n + j;
    library.gemm(a.transposed ? Blas::kTransposed : Blas::kPlain, b.transposed ? Blas::kTransposed : Blas::kPlain,
                 narrow(std::min(grid.rows, m - i)), narrow(std::min(grid.cols, n - j)),
                 narrow(std::min(grid.inner, k - l)), alpha, a.at(i, l), narrow(a.stride), b.at(l, j),
                 narrow(b.stride), chunk == 0 ? beta : T{0}, to, narrow(n));
  });
  if (chunks > 1)
    for_elements(m * n, kGrain, [=](int64_t at) {
      T sum = out[at];
      for (int64_t c = 0; c + 1 < chunks; ++c) sum += partial[c * m * n + at];
      out[at] = sum;
    });
}

/** Whether tiles are for a product, not the library. */
template <class T>
bool is_tiled(const Factors<T>& factors, int64_t m, int64_t n) {
  // Sizes in float64: they may not fit 64 bits before the library refuses them.
  const double size_b = static_cast<double>(factors.k) * static_cast<double>(n), work = static_cast<double>(m) * size_b;
  return (std::min({m, n, factors.k}) <= kSkinny || work <= kSmall) && (!factors.b.transposed || size_b <= kMostCopied);
}

/** m, n > 0. `more` and `ending` are tiled_product()'s. */
template <class T>
void multiply(const Factors<T>& factors, T* out, int64_t m, int64_t n, T alpha, T beta, const Factors<T>* more,
              const Ending& ending, Context& context) {
  const auto& [a, b, k] = factors;
  if (k == 0 || alpha == 0) scale(out, m * n, beta);
  else if (is_tiled(factors, m, n)) return tiled_product(a, b, out, m, n, k, alpha, beta, more, ending, context);
  else library_product(a, b, out, m, n, k, alpha, beta, context);
  if (ending) parallel_for(m, row_grain(n), ending);
}

}  // namespace

void gemm(const gemm_args& args, Context& context) {
  const Slot& out_slot = context.slot(args.out);
  const bool trans_a = args.trans_a != 0, trans_b = args.trans_b != 0;
  const int64_t m = out_slot.rows, n = out_slot.cols;
  auto inner = [&](const Slot& a, const Slot& b) {
    const int64_t k = trans_a ? a.rows : a.cols, a_rows = trans_a ? a.cols : a.rows;
    const int64_t b_rows = trans_b ? b.cols : b.rows, b_cols = trans_b ? b.rows : b.cols;
    if (a_rows != m || b_cols != n || b_rows != k)
      fail(GUST_EINVAL, "%lld x %lld times %lld x %lld into %lld x %lld", static_cast<long long>(a_rows),
           static_cast<long long>(k), static_cast<long long>(b_rows), static_cast<long long>(b_cols),
           static_cast<long long>(m), static_cast<long long>(n));
    return k;
  };
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    auto factors = [&](const Slot& a, const Slot& b) {
      return Factors<T>{{a.as<T>(), a.cols, trans_a}, {b.as<T>(), b.cols, trans_b}, inner(a, b)};
    };
    const Factors<T> first = factors(context.slot(args.a), context.slot(args.b));
    T* out = out_slot.as<T>();
    const T alpha = static_cast<T>(args.alpha), beta = static_cast<T>(args.beta);
    if (m == 0 || n == 0) return check_drop(args.p);
    Slot addend = context.slot(args.addend);
    std::optional<Factors<T>> more;
    if (context.slot(args.a2).live) {
      more = factors(context.slot(args.a2), context.slot(args.b2));
      if (first.k == 0 || alpha == 0 || !is_tiled(first, m, n) || !is_tiled(*more, m, n) ||
          !can_add(*more, m, n, first.k)) {
        T* apart = context.scratch<T>(m * n);
        multiply<T>(*more, apart, m, n, alpha, T{0}, nullptr, {}, context);
        addend = out_slot;
        addend.data = reinterpret_cast<char*>(apart);
        more.reset();
      }
    }
    const Epilogue<T> rest(n, addend, context.slot(args.bias).as<T>(), args.kind, args.slope, args.p,
                           context.random(args.stream, args.layer), context.slot(args.ids));
    Ending ending;
    if (!rest.is_empty()) ending = [&](int64_t begin, int64_t end) { rest.rows(out, out, begin, end); };
    multiply<T>(first, out, m, n, alpha, beta, more ? &*more : nullptr, ending, context);
  });
}

GUST_OPS_END
