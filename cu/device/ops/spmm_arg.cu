// Gradient of the row-wise maximum or minimum: out[indices[arg[i, c]], c] += values[arg[i, c]] * g[i, c], and its
// adjoint, which gathers.
//
// Shapes: arg, g (n, f); out (m, f); negative arg is left out.
// Threads: spmm_arg_backward - winners of different rows may meet in one number. A block of columns at a time, as many
//   as have kMostItems elements, is sorted by the number that an element is added to (grouping.h) and summed as a
//   sparse product of width 1 (spmm.cu). spmm_arg_gather - one thread per element.
// Memory: arg and g once, with the sort some 150 bytes per element; 40 * kMostItems bytes of scratch (or n elements).
// Determinism: the sort is stable: each number is added up in order of i.
#include <array>

#include "aggregate.h"
#include "grouping.h"

GUST_OPS_BEGIN
namespace {

constexpr int64_t kMostItems = int64_t{1} << 23;

/** Element (i, c) of columns first .. first + width - 1 belongs to number (j, c) of those columns of out. */
struct ItemOfElement {
  const int64_t* arg;
  Index indices;
  int64_t f, first, width;
  __device__ Item operator()(int64_t at) const {
    const Cell cell = cell_of(at, width);
    const int64_t place = cell.row * f + first + cell.col, e = arg[place];
    return {e < 0 ? -1 : indices(e) * width + cell.col, place};
  }
};

struct TakeEdges {
  const int64_t *arg, *places, *starts;
  int64_t groups;
  int64_t* out;
  __device__ void operator()(int64_t k) const {
    if (k < starts[groups]) out[k] = arg[places[k]];
  }
};

template <class T>
struct PutBlock {
  const T* from;
  int64_t f, first, width;
  T* out;
  __device__ void operator()(int64_t at) const {
    const Cell cell = cell_of(at, width);
    out[cell.row * f + first + cell.col] = from[at];
  }
};

/** Memory that is asked for again and again: the n-th request of each round gets the same. */
class Rounds {
 public:
  explicit Rounds(Context& context) : context_(context) {}
  void begin() { next_ = 0; }

  template <class T>
  T* scratch(int64_t count) {
    const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
    Held& held = held_.at(next_++);
    if (held.bytes < bytes) held = {context_.scratch<char>(bytes), bytes};
    return reinterpret_cast<T*>(held.data);
  }

 private:
  struct Held {
    char* data = nullptr;
    int64_t bytes = -1;
  };
  Context& context_;
  std::array<Held, 8> held_;  // as many as a round asks for
  size_t next_ = 0;
};

template <class T>
struct GatherWinners {
  const int64_t* arg;
  Index indices;
  const T *values, *x;
  int64_t f;
  T* out;
  __device__ void operator()(int64_t at) const {
    const int64_t e = arg[at];
    T value{};
    if (e >= 0) {
      value = x[indices(e) * f + cell_of(at, f).col];
      if (values) value *= values[e];
    }
    out[at] = value;
  }
};

}  // namespace

void spmm_arg_backward(const spmm_arg_backward_args& args, Context& context) {
  const Slot &arg_slot = context.slot(args.arg), &g = context.slot(args.g), &out = context.slot(args.out);
  const int64_t n = arg_slot.rows, m = out.rows, f = out.cols;
  if (out.size() == 0) return;
  const int64_t* arg = arg_slot.as<int64_t>();
  const Index indices(context.slot(args.indices));
  const int64_t most = std::min(f, std::max<int64_t>(1, kMostItems / std::max<int64_t>({n, m, 1})));
  Rounds memory(context);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    for (int64_t first = 0; first < f; first += most) {
      memory.begin();
      const int64_t width = std::min(most, f - first), items = n * width, groups = m * width;
      int64_t* starts = memory.scratch<int64_t>(groups + 1);
      int64_t* places = memory.scratch<int64_t>(items);
      group_stable(memory, items, groups, ItemOfElement{arg, indices, f, first, width}, starts, places);
      T* sums = width == f ? out.as<T>() : memory.scratch<T>(groups);
      Aggregate<T> a{starts, groups, items, 1, Index(places), g.data, g.dtype, sums, nothing_follows<T>(context)};
      if (context.slot(args.values).live) {
        int64_t* edges = memory.scratch<int64_t>(items);
        each(items, TakeEdges{arg, places, starts, groups, edges});
        a.values = context.slot(args.values).as<T>();
        a.order = edges;
      }
      aggregate(a, context);
      if (width < f) each(groups, PutBlock<T>{sums, f, first, width, out.as<T>()});
    }
  });
}

void spmm_arg_gather(const spmm_arg_gather_args& args, Context& context) {
  const Slot &arg = context.slot(args.arg), &indices = context.slot(args.indices), &out = context.slot(args.out);
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *values = context.slot(args.values).as<T>(), *x = context.slot(args.x).as<T>();
    each(out.size(), GatherWinners<T>{arg.as<int64_t>(), Index(indices), values, x, out.cols, out.as<T>()});
  });
}

GUST_OPS_END
