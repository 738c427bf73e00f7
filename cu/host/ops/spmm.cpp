// Sparse x dense: out = left * (A @ (right * x)) + diagonal * x with A in CSR, or the row-wise mean, maximum,
// minimum. Formula, owners, memory traffic and determinism: aggregate.h. x may be stored as float16 or
// bfloat16: half the bytes to gather, sums in float32. What follows a product in a layer (epilogue.h) is done to the
// rows of a task before they leave the cache, with the bits that the epilogue op gives.
#include "aggregate.h"
#include "epilogue.h"

GUST_OPS_BEGIN

void spmm(const spmm_args& args, Context& context) {
  const Slot &indptr = context.slot(args.indptr), &indices = context.slot(args.indices);
  const Slot &x = context.slot(args.x), &out = context.slot(args.out), &arg = context.slot(args.arg);
  if (args.reduce < 0 || args.reduce > static_cast<int64_t>(Reduce::kMin))
    fail(GUST_EINVAL, "reduction %lld, expected 0 (sum) to 3 (min)", static_cast<long long>(args.reduce));
  auto run = [&](auto tag) {
    using X = decltype(tag);
    using T = Sum<X>;
    if (out.dtype != (std::is_same_v<T, double> ? GUST_F64 : GUST_F32))
      fail(GUST_EINVAL, "result of dtype %d for x of dtype %d, expected F64 for F64, else F32", out.dtype,
           x.dtype);
    dispatch_index(indices.dtype, [&](auto index) {
      using I = decltype(index);
      Aggregate<X, Listed<I>> a{indptr.as<int64_t>(), out.rows, x.rows, indices.size(), x.cols,
                                {indices.as<I>()}, x.as<X>(), out.as<T>()};
      a.values = context.slot(args.values).as<T>();
      a.left = context.slot(args.left).as<T>();
      a.right = context.slot(args.right).as<T>();
      a.diagonal = context.slot(args.diagonal).as<T>();
      a.order = context.slot(args.order).as<int64_t>();
      a.own = context.slot(args.own).as<int64_t>();
      a.reduce = static_cast<Reduce>(args.reduce);
      a.arg = arg.as<int64_t>();
      // Without columns there is no bias to copy.
      const T* bias = a.f > 0 ? context.slot(args.bias).as<T>() : nullptr;
      const Epilogue<T> rest(std::max<int64_t>(a.f, 1), context.slot(args.addend), bias, args.kind, args.slope, args.p,
                             context.random(args.stream, args.layer), context.slot(args.ids));
      Ending ending;
      if (!rest.is_empty()) ending = [&](int64_t begin, int64_t end) { rest.rows(a.out, a.out, begin, end); };
      aggregate(a, context, ending);
    });
  };
  switch (x.dtype) {
    case GUST_F32: return run(float{});
    case GUST_F64: return run(double{});
    case GUST_F16: return run(half{});
    case GUST_BF16: return run(bfloat16{});
  }
  fail(GUST_EINVAL, "x of dtype %d, expected F32, F64, F16 or BF16", x.dtype);
}

GUST_OPS_END
