// Rows by index: gather out[i] = x[index[i]] (or a copy of that row in memory nearby), and its adjoint scatter_add out[index[i]] += x[i].
//
// Shapes: x (m, f), index (n), out (n, f) for gather; x (n, f), index (n), out (m, f) for scatter_add. A
//   negative index gives a zero row, or is left out.
// Owner: tasks own rows of out. scatter_add first sorts the items by index (grouping.h) and then sums the
//   rows of each output row as a sparse product (aggregate.h), instead of adding to shared memory.
// Memory: n * f reads at random rows, prefetched; out once. scatter_add besides: 8 * n + 8 * m bytes of
//   positions.
// Determinism: gather moves; scatter_add adds in order of i.
#include "aggregate.h"
#include "grouping.h"

GUST_OPS_BEGIN
namespace {

/** Where row j is: in x, or among the hot rows. */
template <class From>
struct Rows {
  const From *x, *hot;
  const int32_t* place;  // null: none is hot
  int64_t f;

  const From* at(int64_t j) const {
    return place && place[j] >= 0 ? hot + static_cast<int64_t>(place[j]) * f : x + j * f;
  }
};

/** out[i] = copy(row index[i]). */
template <class To, class From, class I, class Copy>
void gather_rows(const Rows<From>& from, const I* index, int64_t n, To* out, const Copy& copy) {
  const auto [x, hot, place, f] = from;
  const RowPrefetch prefetch(f * static_cast<int64_t>(sizeof(From)));
  const int64_t grain = std::clamp<int64_t>(kTaskWork / std::max<int64_t>(f, 1), 1, kTaskWork / 4);
  parallel_for(n, grain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t coming = static_cast<int64_t>(index[std::min(i + prefetch.ahead, n - 1)]);
      if (coming >= 0) prefetch(x, coming);
      const int64_t j = static_cast<int64_t>(index[i]);
      if (j < 0) std::memset(static_cast<void*>(out + i * f), 0, static_cast<size_t>(f) * sizeof(To));
      else copy(Rows<From>{x, hot, place, f}.at(j), out + i * f);
    }
  });
}

template <class From>
Rows<From> rows_of(const Slot& x, const Slot& hot, const Slot& place) {
  if (hot.live && hot.dtype != x.dtype) fail(GUST_EINVAL, "hot rows of dtype %d, expected %d as x", hot.dtype, x.dtype);
  return {x.as<From>(), hot.as<From>(), place.as<int32_t>(), x.cols};
}

/** Same type on both sides: rows are bytes; single elements skip the call to memcpy. */
template <class I>
void gather_bytes(const Slot& x, const Slot& hot, const Slot& place, const Slot& index_slot, const Slot& out) {
  const int64_t f = x.cols, size = dtype_size(x.dtype);
  const I* index = index_slot.as<I>();
  auto elements = [&](auto tag) {
    using E = decltype(tag);
    auto rows = [&](auto&& copy) { gather_rows(rows_of<E>(x, hot, place), index, out.rows, out.as<E>(), copy); };
    const size_t bytes = static_cast<size_t>(f) * sizeof(E);
    if (f == 1) rows([](const E* from, E* to) { *to = *from; });
    else rows([=](const E* from, E* to) { std::memcpy(to, from, bytes); });
  };
  switch (size) {
    case 1: return elements(uint8_t{});
    case 2: return elements(uint16_t{});
    case 4: return elements(uint32_t{});
    case 8: return elements(uint64_t{});
  }
}

template <class From, class I>
void gather_converted(const Slot& x, const Slot& hot, const Slot& place, const Slot& index, const Slot& out) {
  dispatch_real(out.dtype, [&](auto tag) {
    using To = decltype(tag);
    const int64_t f = x.cols;
    gather_rows(rows_of<From>(x, hot, place), index.as<I>(), out.rows, out.as<To>(), [=](const From* from, To* to) {
      if constexpr (std::is_same_v<To, float> && !std::is_integral_v<From> && !std::is_same_v<From, double>) {
        constexpr int lanes = kLanes<float>;
        int64_t c = 0;
        for (; c + lanes <= f; c += lanes) store<float>(to + c, load(from + c));
        const int rest = static_cast<int>(f - c);
        if (rest > 0) store_some(to + c, load_some(from + c, rest), rest);
      } else if constexpr (std::is_integral_v<From>) {
        for (int64_t c = 0; c < f; ++c) to[c] = static_cast<To>(from[c]);
      } else {
        for (int64_t c = 0; c < f; ++c) to[c] = static_cast<To>(to_float(from[c]));
      }
    });
  });
}

}  // namespace

void gather(const gather_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &index = context.slot(args.index), &out = context.slot(args.out);
  const Slot &hot = context.slot(args.hot), &place = context.slot(args.place);
  dispatch_index(index.dtype, [&](auto tag) {
    using I = decltype(tag);
    if (x.dtype == out.dtype) return gather_bytes<I>(x, hot, place, index, out);
    switch (x.dtype) {
      case GUST_F64: return gather_converted<double, I>(x, hot, place, index, out);
      case GUST_F32: return gather_converted<float, I>(x, hot, place, index, out);
      case GUST_F16: return gather_converted<half, I>(x, hot, place, index, out);
      case GUST_BF16: return gather_converted<bfloat16, I>(x, hot, place, index, out);
      case GUST_U8: return gather_converted<uint8_t, I>(x, hot, place, index, out);
      case GUST_I8: return gather_converted<int8_t, I>(x, hot, place, index, out);
    }
    fail(GUST_EINVAL, "x of dtype %d into a result of dtype %d: F16, BF16, F32, F64, U8 and I8 are converted",
         x.dtype, out.dtype);
  });
}

void scatter_add(const scatter_add_args& args, Context& context) {
  const Slot &x = context.slot(args.x), &index_slot = context.slot(args.index), &out = context.slot(args.out);
  const int64_t items = index_slot.size(), groups = out.rows;
  int64_t* starts = context.scratch<int64_t>(groups + 1);
  int64_t* order = context.scratch<int64_t>(items);
  dispatch_index(index_slot.dtype, [&](auto tag) {
    using I = decltype(tag);
    const I* index = index_slot.as<I>();
    group_stable(
        items, groups, starts, context,
        [=](int64_t begin, int64_t end, int64_t* counts) {
          for (int64_t i = begin; i < end; ++i)
            if (index[i] >= 0) ++counts[index[i]];
        },
        [=](int64_t begin, int64_t end, int64_t* next) {
          for (int64_t i = begin; i < end; ++i)
            if (index[i] >= 0) order[next[index[i]]++] = i;
        });
  });
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    Aggregate<T, Listed<int64_t>> sum{starts,  groups,    x.rows,     starts[groups], out.cols,
                                      {order}, x.as<T>(), out.as<T>()};
    aggregate_weighted(sum, UnitWeight{}, context);
  });
}

GUST_OPS_END
