// What follows a product, in one pass: out = dropout(activation(x + y + bias)), (n, f), and its gradient.
//
// An activation is one whose derivative is a function of its value, so that the backward pass reads the value alone:
//   dx = g * mask / (1 - p) * d(value * (1 - p)),   d_bias = column sums of dx
// with d = 1 (none), value > 0 ? 1 : slope (relu), value > 0 ? 1 : value + 1 (elu), 1 - value^2 (tanh). A relu's value
// is 0 wherever its gradient is, dropped or not, so its mask need not be drawn again; the others draw it.
//
// Tasks own ranges of rows and go through them in tiles that stay in the first-level cache: the activation fills a
// tile, dropout goes over it in place. Memory traffic: x, y and g, value once, out once. Column sums are added in
// float32 by row inside a task (several narrow rows side by side, as one vector), tasks in order in float64, so bytes do
// not depend on threads.
#include "epilogue.h"

GUST_OPS_BEGIN
namespace {

/** Rows in tasks, and in tiles inside of them. */
struct Tiles {
  int64_t n, f, grain, rows;

  Tiles(int64_t n_, int64_t f_, bool is_heavy)
      : n(n_), f(f_), grain(row_grain(f_, is_heavy ? kDrawGrain : kGrain)), rows(row_grain(f_, kTile)) {}
  int64_t tasks() const { return f == 0 ? 0 : num_chunks(n, grain); }
  /** Call body(task, begin, end) for each tile of rows of each task. */
  template <class Body>
  void for_each(Body&& body) const {
    parallel_tasks(tasks(), [&](int64_t task) {
      const int64_t end = std::min(n, (task + 1) * grain);
      for (int64_t r = task * grain; r < end; r += rows) body(task, r, std::min(end, r + rows));
    });
  }
};

}  // namespace

void epilogue(const epilogue_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &out_slot = context.slot(args.out);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const Tiles tiles(out_slot.rows, out_slot.cols, args.p > 0 || args.kind >= kElu);
    if (tiles.tasks() == 0) return check_drop(args.p);
    const Epilogue<T> of(tiles.f, context.slot(args.y), context.slot(args.bias).as<T>(), args.kind, args.slope,
                         args.p, context.random(args.stream, args.layer), context.slot(args.ids));
    parallel_for(tiles.n, tiles.grain, [&](int64_t begin, int64_t end) {
      of.rows(x_slot.as<T>(), out_slot.as<T>(), begin, end);
    });
  });
}

void epilogue_backward(const epilogue_backward_args& args, Context& context) {
  const Slot &g_slot = context.slot(args.g), &value_slot = context.slot(args.value);
  const Slot &out_slot = context.slot(args.out), &bias_slot = context.slot(args.d_bias);
  const double p = args.p;
  check_drop(p);
  const Random random = context.random(args.stream, args.layer);
  dispatch_real(out_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *g = g_slot.as<T>(), *value = value_slot.as<T>();
    T *out = out_slot.as<T>(), *d_bias = bias_slot.as<T>();
    const T slope = static_cast<T>(args.slope), kept = static_cast<T>(1 - p), scale = static_cast<T>(1 / (1 - p));
    const bool draws = p > 0 && !(args.kind == kRelu && slope == 0);
    const Tiles tiles(out_slot.rows, out_slot.cols, draws);
    const int64_t f = tiles.f, tasks = tiles.tasks();
    // `group` rows are added as one long vector.
    const int64_t group = std::min(tiles.rows, std::max<int64_t>(1, 64 / std::max<int64_t>(f, 1))), width = group * f;
    T* sums = d_bias ? context.scratch<T>(tasks * width) : nullptr;
    if (d_bias) std::fill_n(sums, tasks * width, T{0});
    functions::with_derivative(args.kind, slope, [&](auto derivative) {
      with_ids(context.slot(args.ids), [&](auto id) {
        tiles.for_each([=, &random](int64_t task, int64_t begin, int64_t end) {
          const int64_t at = begin * f, stop = end * f;
          if (draws) {
            drop_run(random, p, begin, end, g, out, [=](int64_t i) { return DrawRow{id(i), i * f, f}; });
#pragma GCC ivdep
            for (int64_t k = at; k < stop; ++k) out[k] = derivative(out[k], value[k] * kept);
          } else {
#pragma GCC ivdep
            for (int64_t k = at; k < stop; ++k) out[k] = derivative(g[k] * scale, value[k]);
          }
          if (!sums) return;
          T* sum = sums + task * width;
          int64_t k = at;
          for (; k + width <= stop; k += width)
#pragma GCC ivdep
            for (int64_t j = 0; j < width; ++j) sum[j] += out[k + j];
          for (int64_t j = 0; k < stop; ++j, ++k) sum[j] += out[k];
        });
      });
    });
    for (int64_t j = 0; d_bias && j < f; ++j) {
      double total = 0;
      for (int64_t r = 0; r < tasks * group; ++r) total += static_cast<double>(sums[r * f + j]);
      d_bias[j] = static_cast<T>(total);
    }
  });
}

GUST_OPS_END
