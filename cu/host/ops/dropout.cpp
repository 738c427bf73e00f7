// Random element-wise ops (masks: dropout.h). Philox runs in vectors of up to eight blocks (rng_blocks.h).
#include "dropout.h"
#include "row_grid.h"

GUST_OPS_BEGIN
namespace {

/** The same over all rows, in tasks of `grain`. */
template <class T, class Row>
void drop(const Random& random, double p, int64_t rows, int64_t grain, const T* x, T* out, const Row& row) {
  parallel_for(rows, grain, [=, &random, &row](int64_t begin, int64_t end) {
    drop_run(random, p, begin, end, x, out, row);
  });
}

/** p = 0 copies and p = 1 clears, without draws. True if that was all. */
template <class T>
bool drop_nothing_or_all(double p, const T* x, T* out, int64_t size) {
  if (p > 0 && p < 1) return false;
  if (!(p >= 0 && p <= 1)) fail(GUST_EINVAL, "dropout probability %g, expected 0 to 1", p);
  for_elements(size, kGrain, [=](int64_t i) { out[i] = p == 1 ? T{0} : x ? x[i] : T{1}; });
  return true;
}

}  // namespace

void dropout(const dropout_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = x_slot.as<T>();
    T* out = out_slot.as<T>();
    if (drop_nothing_or_all(args.p, x, out, out_slot.size())) return;
    const int64_t f = out_slot.cols;
    with_ids(context.slot(args.ids), [&](auto id) {
      drop(context.random(args.stream, args.layer), args.p, out_slot.rows, row_grain(f, kDrawGrain), x, out,
           [=](int64_t i) { return DrawRow{id(i), i * f, f}; });
    });
  });
}

void dropout_csr(const dropout_csr_args& args, Context& context) {
  const Slot &values = context.slot(args.values), &out_slot = context.slot(args.out);
  const int64_t* indptr = context.slot(args.indptr).as<int64_t>();
  const int64_t rows = context.slot(args.indptr).size() - 1;
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = values.as<T>();
    T* out = out_slot.as<T>();
    if (drop_nothing_or_all(args.p, x, out, out_slot.size())) return;
    const int64_t grain = row_grain(num_chunks(out_slot.size(), std::max<int64_t>(rows, 1)), kDrawGrain);
    with_ids(context.slot(args.ids), [&](auto id) {
      drop(context.random(args.stream, args.layer), args.p, rows, grain, x, out,
           [=](int64_t i) { return DrawRow{id(i), indptr[i], indptr[i + 1] - indptr[i]}; });
    });
  });
}

void dropout_edges(const dropout_edges_args& args, Context& context) {
  const Slot &indptr_slot = context.slot(args.indptr), &indices_slot = context.slot(args.indices);
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  const int64_t* indptr = indptr_slot.as<int64_t>();
  const int64_t n = indptr_slot.size() - 1, h = out_slot.cols;
  const Random random = context.random(args.stream, args.layer);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* x = x_slot.as<T>();
    T* out = out_slot.as<T>();
    if (drop_nothing_or_all(args.p, x, out, out_slot.size())) return;
    const double p = args.p;
    dispatch_index(indices_slot.dtype, [&](auto index) {
      const auto* indices = indices_slot.as<decltype(index)>();
      with_ids(context.slot(args.ids), [&](auto id) {
        for_entries(indptr, n, row_grain(h, kDrawGrain), [=, &random](int64_t i, int64_t begin, int64_t end) {
          const uint64_t row = mix64(id(i));
          drop_run(random, p, begin, end, x, out, [=](int64_t e) {
            return DrawRow{edge_id(row, id(static_cast<int64_t>(indices[e]))), e * h, h};
          });
        });
      });
    });
  });
}

// Parameters start from these numbers, so the bits are the same on every instruction set: a product that a fused
// multiply-add could round differently is either exact or finished before the addition.
void uniform(const uniform_args& args, Context& context) {
  const Slot& out_slot = context.slot(args.out);
  const Random random = context.random(args.stream, args.layer);
  const int64_t f = out_slot.cols;
  if (out_slot.dtype == GUST_F32) {
    float* out = out_slot.as<float>();
    // 24-bit draw times 24-bit span: exact in double.
    const double low = args.low, span = static_cast<float>(args.high - args.low);
    parallel_for(out_slot.rows, row_grain(f), [=, &random](int64_t begin, int64_t end) {
      for_draws(
          random, begin, end, [=](int64_t i) { return DrawRow{static_cast<uint64_t>(i), i * f, f}; },
          [=](int64_t at, const uint32_t* words, int64_t count) {
            for (int64_t k = 0; k < count; ++k) {
              const double u = static_cast<double>(static_cast<int32_t>(words[k] >> 8)) * 0x1p-24;
              out[at + k] = static_cast<float>(low + span * u);
            }
          });
    });
    return;
  }
  dispatch_real(out_slot.dtype, [](auto) {});
  double* out = out_slot.as<double>();
  const double low = args.low, span = args.high - args.low;
  parallel_for(out_slot.rows, row_grain(f), [=, &random](int64_t begin, int64_t end) {
    for_draws(
        random, begin, end, [=](int64_t i) { return DrawRow{static_cast<uint64_t>(i), 2 * i * f, 2 * f}; },
        [=](int64_t at, const uint32_t* words, int64_t count) {
          double* to = out + at / 2;
          for (int64_t k = 0; k < count / 2; ++k) {
            const uint64_t bits = static_cast<uint64_t>(words[2 * k]) << 32 | words[2 * k + 1];
            to[k] = span * (static_cast<double>(static_cast<int64_t>(bits >> 11)) * 0x1p-53);
          }
          asm volatile("" : : "r"(to) : "memory");  // the products are rounded here
          for (int64_t k = 0; k < count / 2; ++k) to[k] += low;
        });
  });
}

GUST_OPS_END
