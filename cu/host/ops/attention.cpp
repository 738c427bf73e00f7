// Attention of graph attention networks, scores and softmax included, without a number per edge in memory.
//
//   s[e, h]   = leaky(z[e, h]),  z[e, h] = row[i, h] + column[j, h]  for edge e = (i, j);  leaky(z) = z > 0 ? z : slope z
//   alpha     = softmax of s over the edges of row i;  w = mask * alpha;  t = 1 where z > 0, else slope
//   out[i]    = sum over e of w x[j]        sloped[i] = sum over e of w t x[j]       mean_slope[i] = sum of alpha t
//
// and, with D[i] = <g[i], out[i]> per head and ds = alpha (mask <g[i], x[j]> - D[i]) t the gradient at z:
//
//   d_row[i]    = sum over j of ds = <g[i], sloped[i] - mean_slope[i] out[i]>
//   d_column[j] = sum over i of ds = <x[j], sum over i of w t g[i]> - sum over i of alpha t D[i]
//   dx[j]       = sum over i of w g[i] + d_row[j] left + d_column[j] right
//
// so that no dot product is needed per edge: each pass adds gathered rows up twice, with w and with w t.
//
// Shapes: pattern (n, m) with nnz entries, row (n, h), column (m, h), x (m, f), g and out (n, f); left, right [f].
// Owner: whole rows per task (RowGrid), those of the pattern forward and of its transpose backward; hubs in chunks of
//   kHubEntries, which are combined in order. Scores are made kScores at a time; a longer row is scaled to the new
//   largest score where a later one is larger.
// Memory: nnz * f reads at random rows in either pass, prefetched, and as many of h numbers forward, 4 h backward
//   (row, top, 1 / total and D of a node side by side). Nothing of size nnz is written; masks are drawn again.
// Determinism: rows, chunks and vectors are added up in an order that the pattern and f decide.
// Source: Velickovic et al. 2018, arXiv:1710.10903, eq. 1-6; softmax in one pass: Milakov and Gimelshein 2018,
//   arXiv:1805.02867.
#include "attention.h"
#include "head_width.h"
#include "row_grid.h"

GUST_OPS_BEGIN
namespace {

/** What a pass has of one row (or of a chunk of a hub): two sums of f numbers, and h numbers of each kind. */
template <class T>
struct Partial {
  T *sum, *sloped;               // sloped: null where it is not asked for
  T* top;                        // forward: the largest score so far
  double *total, *sloped_total;  // forward: sums of exp(s - top) and of that times t; backward: none, sum of alpha t D

  static int64_t numbers(int64_t f, int64_t heads) { return 2 * Buffers<T>::room(f) + Buffers<T>::room(heads); }

  void clear(int64_t f, int64_t heads) const {
    std::fill_n(sum, f, T{0});
    if (sloped) std::fill_n(sloped, f, T{0});
    std::fill_n(top, heads, -std::numeric_limits<T>::infinity());
    std::fill_n(total, 2 * heads, 0.0);
  }
};

/** A pass over the rows of a pattern: what entries weigh is up to `Pass`, see Forward and Backward. */
template <class Pass>
void for_all_rows(const Pass& pass, const int64_t* indptr, int64_t n) {
  using T = typename Pass::Number;
  const int64_t f = pass.rows.f, heads = pass.rows.heads;
  auto cut = [&](Buffers<T>& buffers, double* totals) {
    T *sum = buffers.take(f), *sloped = buffers.take(f), *top = buffers.take(heads);
    return Partial<T>{sum, pass.wants_sloped() ? sloped : nullptr, top, totals, totals + heads};
  };
  const std::vector<int64_t> hubs = RowGrid(indptr, n, f).for_rows([&](int64_t begin, int64_t end) {
    Buffers<T> buffers(Partial<T>::numbers(f, heads) + pass.numbers());
    std::vector<double> totals(static_cast<size_t>(2 * heads));
    const Partial<T> part = cut(buffers, totals.data());
    const typename Pass::Work work(pass, buffers);
    for (int64_t i = begin; i < end; ++i) {
      part.clear(f, heads);
      pass.add(work, i, indptr[i], indptr[i + 1], part);
      pass.finish(i, indptr[i + 1] - indptr[i], part);
    }
  });
  if (hubs.empty()) return;
  const std::vector<HubChunk> chunks = hub_chunks(indptr, hubs);
  const int64_t count = static_cast<int64_t>(chunks.size());
  Buffers<T> results(count * Partial<T>::numbers(f, heads));
  std::vector<double> totals(static_cast<size_t>(count * 2 * heads));
  std::vector<Partial<T>> parts;
  for (int64_t c = 0; c < count; ++c) parts.push_back(cut(results, totals.data() + c * 2 * heads));
  parallel_tasks(count, [&](int64_t c) {
    Buffers<T> buffers(pass.numbers());
    const typename Pass::Work work(pass, buffers);
    parts[c].clear(f, heads);
    pass.add(work, chunks[c].row, chunks[c].begin, chunks[c].end, parts[c]);
  });
  for (int64_t c = 0; c < count;) {
    const int64_t first = c, row = chunks[c].row;
    for (++c; c < count && chunks[c].row == row; ++c) pass.merge(parts[first], parts[c]);
    pass.finish(row, indptr[row + 1] - indptr[row], parts[first]);
  }
}

/** to[k] *= factors[head of k] */
template <class T>
void scale_heads(T* to, const T* factors, int64_t f, int64_t heads) {
  const int64_t width = f / heads;
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t k = h * width; k < (h + 1) * width; ++k) to[k] *= factors[h];
}

template <class T, class I>
struct Forward {
  using Number = T;
  HeadRows<T, I> rows;
  HeadTiles<T> tiles;
  EdgeMask mask;
  T slope;
  const T *row, *column;
  T *out, *sloped, *top, *total, *mean_slope;  // null from sloped on where no gradient is wanted

  struct Work {
    T *z, *weights, *sloped, *tile, *heads;
    Work(const Forward& of, Buffers<T>& buffers)
        : z(buffers.take(of.scores())), weights(buffers.take(of.scores())), sloped(buffers.take(of.scores())),
          tile(buffers.take(of.tiles.size())), heads(buffers.take(of.rows.heads)) {}
  };
  bool wants_sloped() const { return sloped != nullptr; }
  int64_t at_once() const { return std::max<int64_t>(1, kScores / rows.heads); }
  int64_t scores() const { return at_once() * rows.heads; }
  int64_t numbers() const {
    return 3 * Buffers<T>::room(scores()) + Buffers<T>::room(tiles.size()) + Buffers<T>::room(rows.heads);
  }

  /** Add entries begin .. end-1 of row i to part. */
  void add(const Work& w, int64_t i, int64_t begin, int64_t end, const Partial<T>& part) const {
    for (int64_t at = begin; at < end; at += at_once()) {
      const int64_t count = std::min(at_once(), end - at);
      find_scores(w, i, at, count);
      raise_top(w, count, part);
      if (at > begin) lower(part, w.heads);
      exponentials(w, count, part);
      if (mask.p > 0) mask.apply(i, true, rows.indices + at, count, rows.heads, w.weights, w.sloped);
      add_entries(rows, at, at + count, w.weights, w.sloped, part.sum, part.sloped);
    }
  }

  /** z = row + column */
  void find_scores(const Work& w, int64_t i, int64_t at, int64_t count) const {
    const I* indices = rows.indices + at;
    const int64_t last = rows.nnz - 1 - at;
    with_heads(rows.heads, [&](auto fixed) {
      const int64_t heads = fixed() ? fixed() : rows.heads;
      const T *own = row + i * heads, *others = column;
      T* to = w.z;
      for (int64_t e = 0; e < count; ++e, to += heads) {
        prefetch_numbers<fixed()>(others + static_cast<int64_t>(indices[std::min(e + kScoresAhead, last)]) * heads, heads);
        add_numbers<fixed()>(own, others + static_cast<int64_t>(indices[e]) * heads, heads, to);
      }
    });
  }

  /** weights = leaky(z), and top is raised to the largest of them; `heads` has what it was. */
  void raise_top(const Work& w, int64_t count, const Partial<T>& part) const {
    const int64_t heads = rows.heads, used = count * heads, whole = tiles.vectors(count) * kLanes<T>;
    for (int64_t k = used; k < whole; ++k) w.z[k] = 0;
    tiles.fill(w.tile, part.top);
    const Vec<T> s = Vec<T>{} + slope;
    for (int64_t k = 0; k < whole; k += kLanes<T>) store<T>(w.weights + k, leaky(load(w.z + k), s));
    for (int64_t k = used; k < whole; ++k) w.weights[k] = -std::numeric_limits<T>::infinity();
    if (tiles.period() == 1) {
      Vec<T> largest = load(w.tile);
      tiles.for_vectors(count, [&](int64_t k, int64_t) { largest = larger(largest, load(w.weights + k)); });
      store<T>(w.tile, largest);
    } else {
      tiles.for_vectors(count, [&](int64_t k, int64_t t) {
        store<T>(w.tile + t, larger(load(w.tile + t), load(w.weights + k)));
      });
    }
    std::copy_n(part.top, heads, w.heads);
    tiles.fold(w.tile, [](T a, T b) { return larger(a, b); });
    std::copy_n(w.tile, heads, part.top);
  }

  /** Sums that were made with other tops (overwritten by the factors) are brought to those of part. */
  void lower(const Partial<T>& part, T* tops) const {
    const int64_t f = rows.f, heads = rows.heads;
    for (int64_t h = 0; h < heads; ++h) {
      tops[h] = tops[h] == part.top[h] ? T{1} : softmax_exp(tops[h] - part.top[h]);
      part.total[h] *= static_cast<double>(tops[h]);
      part.sloped_total[h] *= static_cast<double>(tops[h]);
    }
    scale_heads(part.sum, tops, f, heads);
    if (part.sloped) scale_heads(part.sloped, tops, f, heads);
  }

  /** weights = exp(weights - top), sloped = weights * t, and their sums. */
  void exponentials(const Work& w, int64_t count, const Partial<T>& part) const {
    tiles.fill(w.tile, part.top);
    const Vec<T> s = Vec<T>{} + slope;
    auto steps = [&](int64_t k, const Vec<T>& top) {
      const Vec<T> weight = softmax_exp(load(w.weights + k) - top);
      store<T>(w.weights + k, weight);
      store<T>(w.sloped + k, load(w.z + k) > Vec<T>{} ? weight : s * weight);
    };
    if (tiles.period() == 1) {
      const Vec<T> top = load(w.tile);
      tiles.for_vectors(count, [&](int64_t k, int64_t) { steps(k, top); });
    } else {
      tiles.for_vectors(count, [&](int64_t k, int64_t t) { steps(k, load(w.tile + t)); });
    }
    tiles.add_up(w.weights, count, w.tile, part.total);
    if (part.sloped) tiles.add_up(w.sloped, count, w.tile, part.sloped_total);
  }

  /** Combine what two chunks of a hub have. */
  void merge(const Partial<T>& into, const Partial<T>& from) const {
    std::vector<T> old(into.top, into.top + rows.heads), other(from.top, from.top + rows.heads);
    for (int64_t h = 0; h < rows.heads; ++h) into.top[h] = from.top[h] = std::max(old[h], other[h]);
    lower(into, old.data());
    lower(from, other.data());
    for (int64_t k = 0; k < rows.f; ++k) into.sum[k] += from.sum[k];
    for (int64_t k = 0; into.sloped && k < rows.f; ++k) into.sloped[k] += from.sloped[k];
    for (int64_t h = 0; h < 2 * rows.heads; ++h) into.total[h] += from.total[h];
  }

  void finish(int64_t i, int64_t degree, const Partial<T>& part) const {
    const int64_t f = rows.f, heads = rows.heads, width = f / heads;
    for (int64_t h = 0; h < heads; ++h) {
      const T inverse = degree ? static_cast<T>(1 / part.total[h]) : T{0};
      with_width(width, [&](auto fixed) {
        const int64_t d = fixed() ? fixed() : width;
        T *to = out + i * f + h * d, *from = part.sum + h * d;
#pragma GCC ivdep
        for (int64_t k = 0; k < d; ++k) to[k] = from[k] * inverse;
        if (!sloped) return;
        T *to_sloped = sloped + i * f + h * d, *from_sloped = part.sloped + h * d;
#pragma GCC ivdep
        for (int64_t k = 0; k < d; ++k) to_sloped[k] = from_sloped[k] * inverse;
      });
      if (!sloped) continue;
      top[i * heads + h] = degree ? part.top[h] : T{0};
      total[i * heads + h] = static_cast<T>(part.total[h]);
      mean_slope[i * heads + h] = degree ? static_cast<T>(part.sloped_total[h] / part.total[h]) : T{0};
    }
  }
};

/** Numbers of a node that edges to it need, side by side: row, top, 1 / total and D of each head. */
constexpr int64_t kFacts = 4;

template <class T, class I>
struct Backward {
  using Number = T;
  HeadRows<T, I> rows;  // gathers from g
  HeadTiles<T> tiles;
  EdgeMask mask;
  T slope;
  const T *facts, *column, *x, *left, *right;
  T *dx, *d_row, *d_column;  // d_row is there

  struct Work {
    T *z, *top, *inverse, *d, *weights, *sloped, *tile;
    Work(const Backward& of, Buffers<T>& buffers)
        : z(buffers.take(of.scores())), top(buffers.take(of.scores())), inverse(buffers.take(of.scores())),
          d(buffers.take(of.scores())), weights(buffers.take(of.scores())), sloped(buffers.take(of.scores())),
          tile(buffers.take(of.tiles.size())) {}
  };
  bool wants_sloped() const { return true; }
  int64_t at_once() const { return std::max<int64_t>(1, kScores / rows.heads); }
  int64_t scores() const { return at_once() * rows.heads; }
  int64_t numbers() const { return 6 * Buffers<T>::room(scores()) + Buffers<T>::room(tiles.size()); }

  void add(const Work& w, int64_t j, int64_t begin, int64_t end, const Partial<T>& part) const {
    for (int64_t at = begin; at < end; at += at_once()) {
      const int64_t count = std::min(at_once(), end - at);
      gather_facts(w, j, at, count);
      weigh(w, count, part);
      if (mask.p > 0) mask.apply(j, false, rows.indices + at, count, rows.heads, w.weights, w.sloped);
      add_entries(rows, at, at + count, w.weights, w.sloped, part.sum, part.sloped);
    }
  }

  void gather_facts(const Work& w, int64_t j, int64_t at, int64_t count) const {
    const I* indices = rows.indices + at;
    const int64_t last = rows.nnz - 1 - at;
    with_heads(rows.heads, [&](auto fixed) {
      constexpr int64_t kHeads = fixed();
      const int64_t heads = kHeads ? kHeads : rows.heads, size = kFacts * heads;
      const T *own = column + j * heads, *table = facts;
      const Work to = w;
      for (int64_t e = 0, k = 0; e < count; ++e, k += heads) {
        prefetch_numbers<kFacts * kHeads>(table + static_cast<int64_t>(indices[std::min(e + kScoresAhead, last)]) * size, size);
        const T* of = table + static_cast<int64_t>(indices[e]) * size;
        add_numbers<kHeads>(own, of, heads, to.z + k);
        copy_numbers<kHeads>(of + heads, heads, to.top + k);
        copy_numbers<kHeads>(of + 2 * heads, heads, to.inverse + k);
        copy_numbers<kHeads>(of + 3 * heads, heads, to.d + k);
      }
    });
    for (int64_t k = count * rows.heads; k < tiles.vectors(count) * kLanes<T>; ++k)
      w.z[k] = w.top[k] = w.inverse[k] = w.d[k] = 0;
  }

  /** weights = alpha, sloped = alpha t, and the sum of alpha t D. */
  void weigh(const Work& w, int64_t count, const Partial<T>& part) const {
    const Vec<T> s = Vec<T>{} + slope;
    for (int64_t k = 0; k < tiles.vectors(count) * kLanes<T>; k += kLanes<T>) {
      const Vec<T> z = load(w.z + k);
      const Vec<T> alpha = softmax_exp(leaky(z, s) - load(w.top + k)) * load(w.inverse + k);
      const Vec<T> sloped = z > Vec<T>{} ? alpha : s * alpha;
      store<T>(w.weights + k, alpha);
      store<T>(w.sloped + k, sloped);
      store<T>(w.d + k, sloped * load(w.d + k));
    }
    tiles.add_up(w.d, count, w.tile, part.sloped_total);
  }

  void merge(const Partial<T>& into, const Partial<T>& from) const {
    for (int64_t k = 0; k < rows.f; ++k) into.sum[k] += from.sum[k];
    for (int64_t k = 0; k < rows.f; ++k) into.sloped[k] += from.sloped[k];
    for (int64_t h = 0; h < rows.heads; ++h) into.sloped_total[h] += from.sloped_total[h];
  }

  void finish(int64_t j, int64_t, const Partial<T>& part) const {
    with_width(rows.f / rows.heads, [&](auto fixed) {
      const int64_t f = rows.f, heads = rows.heads, width = fixed() ? fixed() : f / heads;
      for (int64_t h = 0; h < heads; ++h) {
        const T *own = x + j * f + h * width, *sum = part.sum + h * width, *sloped = part.sloped + h * width;
        const T *a = left + h * width, *b = right + h * width;
        T* to = dx + j * f + h * width;
        const double dot =
            width_sum<double>(width, [=](int64_t k) { return static_cast<double>(own[k]) * static_cast<double>(sloped[k]); });
        const T from_row = d_row[j * heads + h], from_column = static_cast<T>(dot - part.sloped_total[h]);
        d_column[j * heads + h] = from_column;
#pragma GCC ivdep
        for (int64_t k = 0; k < width; ++k) to[k] = sum[k] + (from_row * a[k] + from_column * b[k]);
      }
    });
  }
};

}  // namespace

void attention(const attention_args& args, Context& context) {
  const Slot &indptr = context.slot(args.indptr), &indices = context.slot(args.indices);
  const Slot &row = context.slot(args.row), &x = context.slot(args.x), &out = context.slot(args.out);
  const EdgeMask mask(context, context.slot(args.ids), args.p, args.stream, args.layer);
  if (out.rows == 0 || out.cols == 0) return;
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    auto at = [&](int64_t slot) { return context.slot(slot).as<T>(); };
    dispatch_index(indices.dtype, [&](auto index) {
      using I = decltype(index);
      const Forward<T, I> pass{{indices.as<I>(), indices.size(), x.as<T>(), x.cols, row.cols},
                               HeadTiles<T>(row.cols),
                               mask,
                               static_cast<T>(args.slope),
                               row.as<T>(),
                               at(args.column),
                               out.as<T>(),
                               at(args.sloped),
                               at(args.top),
                               at(args.total),
                               at(args.mean_slope)};
      for_all_rows(pass, indptr.as<int64_t>(), out.rows);
    });
  });
}

void attention_backward(const attention_backward_args& args, Context& context) {
  const Slot &indptr = context.slot(args.indptr), &indices = context.slot(args.indices);
  const Slot &row_slot = context.slot(args.row), &g_slot = context.slot(args.g), &dx_slot = context.slot(args.dx);
  const EdgeMask mask(context, context.slot(args.ids), args.p, args.stream, args.layer);
  const int64_t n = g_slot.rows, m = dx_slot.rows, f = g_slot.cols, heads = row_slot.cols;
  dispatch_real(dx_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    auto at = [&](int64_t slot) { return context.slot(slot).as<T>(); };
    const T *row = row_slot.as<T>(), *g = g_slot.as<T>(), *out = at(args.out), *sloped = at(args.sloped);
    const T *top = at(args.top), *total = at(args.total), *mean_slope = at(args.mean_slope);
    T *facts = context.scratch<T>(n * kFacts * heads), *d_row = at(args.d_row);
    with_width(f / heads, [&](auto fixed) {
      parallel_for(n, row_grain(f), [=](int64_t begin, int64_t end) {
        const int64_t width = fixed() ? fixed() : f / heads;
        for (int64_t i = begin; i < end; ++i)
          for (int64_t h = 0; h < heads; ++h) {
            const int64_t first = i * f + h * width, own = i * heads + h;
            const T slope = mean_slope[own];
            auto product = [](T a, T b) { return static_cast<double>(a) * static_cast<double>(b); };
            T* of = facts + i * kFacts * heads + h;
            of[0] = row[own];
            of[heads] = top[own];
            of[2 * heads] = total[own] > 0 ? 1 / total[own] : T{0};
            of[3 * heads] = static_cast<T>(
                width_sum<double>(width, [=](int64_t k) { return product(g[first + k], out[first + k]); }));
            d_row[own] = static_cast<T>(width_sum<double>(width, [=](int64_t k) {
              return product(g[first + k], sloped[first + k] - slope * out[first + k]);
            }));
          }
      });
    });
    std::fill(d_row + n * heads, d_row + m * heads, T{0});
    if (f == 0) return static_cast<void>(std::fill_n(at(args.d_column), m * heads, T{0}));
    dispatch_index(indices.dtype, [&](auto index) {
      using I = decltype(index);
      const Backward<T, I> pass{{indices.as<I>(), indices.size(), g, f, heads},
                                HeadTiles<T>(heads),
                                mask,
                                static_cast<T>(args.slope),
                                facts,
                                at(args.column),
                                at(args.x),
                                at(args.left),
                                at(args.right),
                                dx_slot.as<T>(),
                                d_row,
                                at(args.d_column)};
      for_all_rows(pass, indptr.as<int64_t>(), m);
    });
  });
}

GUST_OPS_END
