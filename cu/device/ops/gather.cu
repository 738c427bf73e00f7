// Rows by index: gather out[i] = x[index[i]] (or a copy of that row in memory nearby), and its adjoint scatter_add
// out[index[i]] += x[i]. A negative index gives a zero row, or is left out.
//
// Threads: gather of rows of 256 bytes and more - a warp takes kAhead rows at once, packs of up to 16 bytes side by
//   side. It begins at the 128-byte line in which a row begins, so that what it reads at a time is whole lines: x may
//   be memory of the host, whose rows begin anywhere, and a line is the largest request of the bus. Shorter rows - one
//   thread per pack of out. scatter_add sorts the items by index (grouping.h) and sums as spmm.cu does.
// Memory: n * f reads at random rows; out once. scatter_add besides: the sort, 40 bytes per item and pass or so.
// Determinism: gather moves; scatter_add adds in order of i.
#include "aggregate.h"
#include "grouping.h"
#include "vectors.h"

GUST_OPS_BEGIN
namespace {

constexpr int kAhead = 4;  // rows of a warp
constexpr int64_t kLineBytes = 128, kWideBytes = 256;

/** Rows of `packs` packs of V elements. */
template <class To, class From, int V>
struct Gather {
  const Pack<From, V> *x, *hot;
  const int32_t* place;  // of a row among the hot ones; null: none is hot
  Index index;
  Pack<To, V>* out;
  int64_t n, packs;

  static __device__ Pack<To, V> converted(const Pack<From, V>& from) {
    if constexpr (std::is_same_v<To, From>) {
      return from;
    } else {
      Pack<To, V> to;
      for (int v = 0; v < V; ++v) to.at[v] = convert<To>(from.at[v]);
      return to;
    }
  }

  /** Where row j >= 0 is. */
  __device__ const Pack<From, V>* row(int64_t j) const {
    return place && place[j] >= 0 ? hot + place[j] * packs : x + j * packs;
  }

  /** One pack of out. */
  __device__ void operator()(int64_t at) const {
    const Cell cell = cell_of(at, packs);
    const int64_t j = index(cell.row);
    out[at] = j < 0 ? Pack<To, V>{} : converted(row(j)[cell.col]);
  }

  /** Rows first .. first + kAhead - 1, by a warp. */
  __device__ void rows(int64_t first) const {
    constexpr int64_t in_line = kLineBytes / sizeof(Pack<From, V>);
    const Pack<From, V>* from[kAhead];             // null: a row of zeros
    int64_t before[kAhead], most = 0;  // packs between the line's begin and the row's
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      const int64_t j = first + k < n ? index(first + k) : -1;
      from[k] = j < 0 ? nullptr : row(j);
      before[k] = static_cast<int64_t>(reinterpret_cast<uintptr_t>(from[k]) / sizeof(Pack<From, V>) % in_line);
      most = std::max(most, before[k]);
    }
    for (int64_t at = lane(); at < packs + most; at += kLanes) {
      Pack<From, V> read[kAhead];
#pragma unroll
      for (int k = 0; k < kAhead; ++k) {
        const int64_t c = at - before[k];
        if (from[k] && c >= 0 && c < packs) read[k] = from[k][c];
      }
#pragma unroll
      for (int k = 0; k < kAhead; ++k) {
        const int64_t c = at - before[k];
        if (first + k < n && c >= 0 && c < packs)
          out[(first + k) * packs + c] = from[k] ? converted(read[k]) : Pack<To, V>{};
      }
    }
  }
};

template <class To, class From, int V>
__global__ void gather_wide_kernel(Gather<To, From, V> gather) {
  for (int64_t row = first_warp() * kAhead; row < gather.n; row += stride_warps() * kAhead) gather.rows(row);
}

/** The slots of a call. */
struct Call {
  const Slot &x, &hot, &place, &index, &out;
};

template <class To, class From, int V>
void gather_packs(const Call& call) {
  const Slot& out = call.out;
  const Gather<To, From, V> gather{call.x.as<Pack<From, V>>(),  call.hot.as<Pack<From, V>>(), call.place.as<int32_t>(),
                                   Index(call.index), out.as<Pack<To, V>>(), out.rows, out.cols / V};
  const int64_t packs = gather.n * gather.packs;
  if (packs == 0) return;
  if (out.cols * static_cast<int64_t>(sizeof(From)) < kWideBytes) each(packs, gather);
  else launch(gather_wide_kernel<To, From, V>, grid_of(gather.n, kAhead * kWarps), gather);
}

/** Elements in the largest packs that fit: V, a half of it and so on. */
template <class To, class From, int V>
void gather_largest(const Call& call) {
  if constexpr (V > 1) {
    const int64_t f = call.out.cols;
    if (!fits_packs(call.x.as<From>(), f, V) || !fits_packs(call.hot.as<From>(), f, V) ||
        !fits_packs(call.out.as<To>(), f, V))
      return gather_largest<To, From, V / 2>(call);
  }
  gather_packs<To, From, V>(call);
}

/** Same type on both sides: rows are bytes, `size` per element. */
void gather_bytes(const Call& call, int64_t size) {
  switch (size) {
    case 1: return gather_largest<uint8_t, uint8_t, 16>(call);
    case 2: return gather_largest<uint16_t, uint16_t, 8>(call);
    case 4: return gather_largest<uint32_t, uint32_t, 4>(call);
    case 8: return gather_largest<uint64_t, uint64_t, 2>(call);
  }
}

template <class From>
void gather_converted(const Call& call) {
  dispatch_real(call.out.dtype, [&](auto tag) {
    using To = decltype(tag);
    gather_largest<To, From, 16 / std::max(sizeof(To), sizeof(From))>(call);
  });
}

struct ItemOfRow {
  Index index;
  __device__ Item operator()(int64_t i) const { return {index(i), i}; }
};

}  // namespace

void gather(const gather_args& args, Context& context) {
  const Call call{context.slot(args.x), context.slot(args.hot), context.slot(args.place), context.slot(args.index),
                  context.slot(args.out)};
  const auto& [x, hot, place, index, out] = call;
  if (hot.live && hot.dtype != x.dtype) fail(GUST_EINVAL, "hot rows of dtype %d, expected %d as x", hot.dtype, x.dtype);
  if (x.dtype == out.dtype) return gather_bytes(call, dtype_size(x.dtype));
  switch (x.dtype) {
    case GUST_F64: return gather_converted<double>(call);
    case GUST_F32: return gather_converted<float>(call);
    case GUST_F16: return gather_converted<half>(call);
    case GUST_BF16: return gather_converted<bfloat16>(call);
    case GUST_U8: return gather_converted<uint8_t>(call);
    case GUST_I8: return gather_converted<int8_t>(call);
  }
  fail(GUST_EINVAL, "x of dtype %d into a result of dtype %d: F16, BF16, F32, F64, U8 and I8 are converted", x.dtype,
       out.dtype);
}

void scatter_add(const scatter_add_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &index = context.slot(args.index), &out = context.slot(args.out);
  if (out.size() == 0) return;
  const int64_t items = index.size();
  int64_t* starts = context.scratch<int64_t>(out.rows + 1);
  int64_t* order = context.scratch<int64_t>(items);
  group_stable(context, items, out.rows, ItemOfRow{Index(index)}, starts, order);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    aggregate(Aggregate<T>{starts, out.rows, items, out.cols, Index(order), x.data, x.dtype, out.as<T>(),
                           nothing_follows<T>(context)},
              context);
  });
}

GUST_OPS_END
