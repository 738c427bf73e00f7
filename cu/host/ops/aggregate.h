// Rows of x reduced by a CSR pattern: the kernel under spmm, segment_reduce and scatter_add.
//
//   out[i, :] = left[i] * reduce over e in row i of weight(e) * x[column(e), :] + diagonal[i] * x[own(i), :]
//
// Shapes: pattern (n, m) with nnz entries, x (m, f), out (n, f).
// Owner: a task owns whole rows (RowGrid), hubs excepted: these are cut into chunks of kHubEntries whose
//   results are combined in order. A row is taken in panels of up to kPanel vectors that stay in registers
//   over its entries.
// Memory: nnz * f reads of x, whose rows lie anywhere: that is what the product costs, and rows to come are
//   prefetched. Where x is larger than the last-level cache and each of its rows is read several times, it is
//   multiplied in tiles of columns that fit there, copied so that a tile is contiguous: of 512-byte rows a
//   strided tile would use a quarter of the cache's sets. Where few rows are gathered most of the time, as in graphs
//   with hubs, the caches keep those anyway, and tiles are four times as large; where neighbouring rows gather the same
//   ones, there are none. Besides, n * f writes; indices, values and right once per panel.
// Determinism: a number is added up in the order of the row's entries, in float64 for float64 and else in
//   float32, so its bits depend on neither threads nor f nor tiles.
// Source: row-split SpMM with nnz-balanced tasks, Yang, Buluc and Owens 2018, arXiv:1803.08601.
#pragma once

#include <algorithm>
#include <array>

#include "ending.h"
#include "panel.h"
#include "row_grid.h"

GUST_OPS_BEGIN

/** `reductions` of ffi/ops.ts. */
enum class Reduce : int64_t { kSum = 0, kMean = 1, kMax = 2, kMin = 3 };

/** column(e) from a list. */
template <class I>
struct Listed {
  const I* list;
  int64_t operator[](int64_t e) const { return static_cast<int64_t>(list[e]); }
};
/** column(e) = e: rows are ranges of x, and the hardware sees what comes next. */
struct InPlace {
  int64_t operator[](int64_t e) const { return e; }
};

/** One call; absent factors are null. */
template <class X, class Columns>
struct Aggregate {
  using T = Sum<X>;
  const int64_t* indptr;
  int64_t n, m, nnz, f;
  Columns columns;
  const X* x;
  T* out;
  const T *values = nullptr, *left = nullptr, *right = nullptr, *diagonal = nullptr;
  const int64_t* order = nullptr;  // where the value of an entry is; null: values are in the order of entries
  const int64_t* own = nullptr;    // the row of x that diagonal[i] multiplies; null: row i
  Reduce reduce = Reduce::kSum;
  int64_t* arg = nullptr;  // of max and min: the winning entry, -1 for none
  int64_t x_stride = f, out_stride = f;  // from row to row of x; of out and arg
};

/** Weights of entries, one type per case, so that the loops have no branches. */
struct UnitWeight {};
template <class T>
struct EntryWeight {
  const T* values;
  T operator()(int64_t e, int64_t) const { return values[e]; }
};
template <class T>
struct OrderedWeight {
  const T* values;
  const int64_t* order;
  T operator()(int64_t e, int64_t) const { return values[order[e]]; }
};
template <class T>
struct ColumnWeight {
  const T* right;
  T operator()(int64_t, int64_t column) const { return right[column]; }
};
template <class T>
struct ProductWeight {
  const T *values, *right;
  T operator()(int64_t e, int64_t column) const { return values[e] * right[column]; }
};

/** Any of these, decided entry by entry: for max and min, whose loops are slower anyway. */
template <class T>
struct AnyWeight {
  const T *values, *right;
  const int64_t* order;
  T operator()(int64_t e, int64_t column) const {
    return (values ? values[order ? order[e] : e] : T{1}) * (right ? right[column] : T{1});
  }
};

template <class X, class Columns, class F>
void with_weight(const Aggregate<X, Columns>& a, F&& f) {
  using T = Sum<X>;
  if (a.values && a.order && !a.right) f(OrderedWeight<T>{a.values, a.order});
  else if (a.values && a.order) f(AnyWeight<T>{a.values, a.right, a.order});
  else if (a.values && a.right) f(ProductWeight<T>{a.values, a.right});
  else if (a.values) f(EntryWeight<T>{a.values});
  else if (a.right) f(ColumnWeight<T>{a.right});
  else f(UnitWeight{});
}

/** Entries between the prefetch of a panel of x and its use. */
template <int V, class X>
inline int64_t panels_ahead(const Tuning& tuned) {
  return rows_ahead(tuned, V * kLanes<Sum<X>> * static_cast<int64_t>(sizeof(X)));
}

/** Prefetch what the first entries of rows begin .. end-1 gather; for_terms() sees to those that follow. */
template <int V, class X, class Columns>
inline void prefetch_first(const Aggregate<X, Columns>& a, const Tuning& tuned, const Panel& panel, int64_t begin,
                           int64_t end) {
  if constexpr (!std::is_same_v<Columns, InPlace>) {
    const int64_t first = a.indptr[begin], last = std::min(first + panels_ahead<V, X>(tuned), a.indptr[end]);
    for (int64_t e = first; e < last; ++e)
      prefetch_panel<V>(a.x + a.columns[e] * a.x_stride, panel, tuned.prefetch_l2);
  }
}

/** The panels of x in entries begin .. end-1, weighted, one call of f(e, vectors) each. */
template <int V, bool Some, class Weight, class X, class Columns, class F>
inline void for_terms(const Aggregate<X, Columns>& a, const Weight& weight, const Tuning& tuned,
                      const Panel& panel, int64_t begin, int64_t end, F&& f) {
  using T = Sum<X>;
  const int64_t ahead = panels_ahead<V, X>(tuned);
  const bool to_l2 = tuned.prefetch_l2;
  for (int64_t e = begin; e < end; ++e) {
    if constexpr (!std::is_same_v<Columns, InPlace>) {
      const X* coming = a.x + a.columns[std::min(e + ahead, a.nnz - 1)] * a.x_stride;
      prefetch_panel<V>(coming, panel, to_l2);
    }
    const int64_t column = a.columns[e];
    Vec<T> term[V];
    load_panel<V, Some>(a.x + column * a.x_stride, panel, term);
    if constexpr (!std::is_same_v<Weight, UnitWeight>) {
      const T w = weight(e, column);
      for (int v = 0; v < V; ++v) term[v] *= w;
    }
    f(e, term);
  }
}

/** out[i] = left[i] * (result / degree, if mean) + diagonal[i] * x[i] */
template <int V, bool Some, class X, class Columns>
inline void finish_row(const Aggregate<X, Columns>& a, const Panel& panel, int64_t i,
                       Vec<Sum<X>> (&result)[V]) {
  using T = Sum<X>;
  if (a.reduce == Reduce::kMean) {
    const T degree = static_cast<T>(std::max<int64_t>(1, a.indptr[i + 1] - a.indptr[i]));
    for (int v = 0; v < V; ++v) result[v] /= degree;
  }
  if (a.left) {
    const T left = a.left[i];
    for (int v = 0; v < V; ++v) result[v] *= left;
  }
  if (a.diagonal) {
    Vec<T> own[V];
    load_panel<V, Some>(a.x + (a.own ? a.own[i] : i) * a.x_stride, panel, own);
    const T diagonal = a.diagonal[i];
    for (int v = 0; v < V; ++v) result[v] += diagonal * own[v];
  }
  store_panel<V, Some, T>(a.out + i * a.out_stride, panel, result);
}

/** Sums and means of rows begin .. end-1, one panel. */
template <int V, bool Some, class Weight, class X, class Columns>
void sum_rows(const Aggregate<X, Columns>& of, const Weight weight, const Panel panel, int64_t begin,
              int64_t end) {
  const Aggregate<X, Columns> a = of;  // copies of its own: stores to out cannot change them
  const Tuning tuned = tuning();
  prefetch_first<V>(a, tuned, panel, begin, end);
  for (int64_t i = begin; i < end; ++i) {
    Vec<Sum<X>> sum[V] = {};
    for_terms<V, Some>(a, weight, tuned, panel, a.indptr[i], a.indptr[i + 1], [&](int64_t, const auto& term) {
      for (int v = 0; v < V; ++v) sum[v] += term[v];
    });
    finish_row<V, Some>(a, panel, i, sum);
  }
}

/** Whether a term takes the place of the best so far: the first of equals stays, as does the first NaN. */
template <bool Largest, class T>
inline auto beats(const T& term, const T& best) {
  if constexpr (Largest) return ((term <= best) == 0) & (best == best);
  else return ((term >= best) == 0) & (best == best);
}

/** Maxima or minima of rows begin .. end-1, one panel. Positions fit 31 bits: hubs come in chunks. */
template <int V, bool Some, bool Largest, class X, class Columns>
void extremum_rows(const Aggregate<X, Columns>& of, const Panel panel, int64_t begin, int64_t end) {
  using T = Sum<X>;
  using Position = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;
  const Aggregate<X, Columns> a = of;
  const AnyWeight<T> weight{a.values, a.right, a.order};
  const Tuning tuned = tuning();
  prefetch_first<V>(a, tuned, panel, begin, end);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t first = a.indptr[i], last = a.indptr[i + 1];
    Vec<T> best[V] = {};
    Vec<Position> at[V];
    for (int v = 0; v < V; ++v) at[v] = Vec<Position>{} - 1;
    for_terms<V, Some>(a, weight, tuned, panel, first, std::min(first + 1, last), [&](int64_t, const auto& term) {
      for (int v = 0; v < V; ++v) {
        best[v] = term[v];
        at[v] = Vec<Position>{};
      }
    });
    for_terms<V, Some>(a, weight, tuned, panel, first + 1, last, [&](int64_t e, const auto& term) {
      for (int v = 0; v < V; ++v) {
        const auto wins = beats<Largest>(term[v], best[v]);
        best[v] = wins ? term[v] : best[v];
        at[v] = wins ? Vec<Position>{} + static_cast<Position>(e - first) : at[v];
      }
    });
    finish_row<V, Some>(a, panel, i, best);
    if (!a.arg) continue;
    for (int v = 0; v < V; ++v) {
      int64_t* to = a.arg + i * a.out_stride + (v + 1 < V ? panel.first + v * kLanes<T> : panel.last);
      for (int l = 0; l < panel.count; ++l) to[l] = last > first ? first + at[v][l] : -1;
    }
  }
}

/** Rows begin .. end-1, all panels. */
template <class Weight, class X, class Columns>
void reduce_rows(const Aggregate<X, Columns>& a, const Weight& weight, int64_t begin, int64_t end) {
  using T = Sum<X>;
  if (a.reduce == Reduce::kSum || a.reduce == Reduce::kMean) {
    for_panels<T>(a.f, [&](auto v, auto some, const Panel& panel) {
      sum_rows<v(), some()>(a, weight, panel, begin, end);
    });
  } else {
    // Winners and their positions take three times the registers.
    for_panels<T, 2>(a.f, [&](auto v, auto some, const Panel& panel) {
      if (a.reduce == Reduce::kMax) extremum_rows<v(), some(), true>(a, panel, begin, end);
      else extremum_rows<v(), some(), false>(a, panel, begin, end);
    });
  }
}

/** Combine the results of the chunks of one hub, in order, into its row. */
template <class X, class Columns>
void combine_chunks(const Aggregate<X, Columns>& a, int64_t row, int64_t chunks, const Sum<X>* partial,
                    const int64_t* partial_arg) {
  using T = Sum<X>;
  const bool sums = a.reduce == Reduce::kSum || a.reduce == Reduce::kMean;
  const T degree = static_cast<T>(a.indptr[row + 1] - a.indptr[row]);
  for (int64_t j = 0; j < a.f; ++j) {
    T result = partial[j];
    int64_t winner = 0;
    for (int64_t k = 1; k < chunks; ++k) {
      const T term = partial[k * a.f + j];
      if (sums) {
        result += term;
      } else if (a.reduce == Reduce::kMax ? beats<true>(term, result) : beats<false>(term, result)) {
        result = term;
        winner = k;
      }
    }
    if (a.reduce == Reduce::kMean) result /= degree;
    if (a.left) result *= a.left[row];
    if (a.diagonal) {
      const X* own = a.x + (a.own ? a.own[row] : row) * a.x_stride;
      result += a.diagonal[row] * static_cast<T>(to_float(own[j]));
    }
    a.out[row * a.out_stride + j] = result;
    if (a.arg) a.arg[row * a.out_stride + j] = partial_arg[winner * a.f + j];
  }
}

/** Hubs: all their chunks in parallel, then row by row. */
template <class Weight, class X, class Columns>
void reduce_hubs(const Aggregate<X, Columns>& a, const Weight& weight, const std::vector<int64_t>& hubs,
                 Context& context) {
  using T = Sum<X>;
  const std::vector<HubChunk> chunks = hub_chunks(a.indptr, hubs);
  const int64_t count = static_cast<int64_t>(chunks.size());
  T* partial = context.scratch<T>(count * a.f);
  int64_t* partial_arg = a.arg ? context.scratch<int64_t>(count * a.f) : nullptr;
  parallel_tasks(count, [&](int64_t k) {
    const int64_t run[2] = {chunks[k].begin, chunks[k].end};
    Aggregate<X, Columns> one = a;  // the chunk as a matrix of one row
    one.indptr = run;
    one.n = 1;
    one.left = one.diagonal = nullptr;
    if (one.reduce == Reduce::kMean) one.reduce = Reduce::kSum;
    one.out = partial + k * a.f;
    one.arg = partial_arg ? partial_arg + k * a.f : nullptr;
    one.out_stride = a.f;
    reduce_rows(one, weight, 0, 1);
  });
  std::vector<int64_t> starts(hubs.size() + 1);
  for (size_t h = 0; h < hubs.size(); ++h)
    starts[h + 1] = starts[h] + num_chunks(a.indptr[hubs[h] + 1] - a.indptr[hubs[h]], kHubEntries);
  parallel_for(static_cast<int64_t>(hubs.size()), 8, [&](int64_t begin, int64_t end) {
    for (int64_t h = begin; h < end; ++h)
      combine_chunks(a, hubs[h], starts[h + 1] - starts[h], partial + starts[h] * a.f,
                     partial_arg ? partial_arg + starts[h] * a.f : nullptr);
  });
}

/** `ending` is called for runs of rows that are complete, while they are in the cache. */
template <class Weight, class X, class Columns>
void aggregate_weighted(const Aggregate<X, Columns>& a, const Weight& weight, Context& context,
                        const Ending& ending = {}) {
  if (a.f == 0 || a.n == 0) return;
  const std::vector<int64_t> hubs = RowGrid(a.indptr, a.n, a.f).for_rows([&](int64_t begin, int64_t end) {
    reduce_rows(a, weight, begin, end);
    if (ending) ending(begin, end);
  });
  if (hubs.empty()) return;
  reduce_hubs(a, weight, hubs, context);
  if (ending)
    for (int64_t row : hubs) ending(row, row + 1);
}

/** Entries per row of x from which copying a tile pays: it is read and written once, and gathered as often. */
constexpr int64_t kTileReuse = 8;
/** Narrowest tile in bytes: a cache line. */
constexpr int64_t kTileBytes = 64;

/**
 * Whether few rows of x are gathered most of the time, so that the caches keep those without tiles: in a sample of the
 * entries, pairs with the same column are four times as many as if all columns were alike.
 */
template <class X, class Columns>
bool has_hot_rows(const Aggregate<X, Columns>& a) {
  constexpr int64_t kSample = 1024, kPairs = kSample * (kSample - 1) / 2, kChance = 8;
  if (a.nnz <= 64 * kSample) return false;  // not worth a sample
  std::array<int64_t, kSample> seen;
  for (int64_t s = 0; s < kSample; ++s) seen[s] = a.columns[s * (a.nnz / kSample)];
  std::sort(seen.begin(), seen.end());
  int64_t same = 0;
  for (int64_t s = 1, run = 0; s < kSample; ++s) {
    run = seen[s] == seen[s - 1] ? run + 1 : 0;
    same += run;
  }
  return same > kChance + 4 * kPairs / a.m;
}

/**
 * Whether rows that lie near each other gather the same rows of x, as in an order by parts: then the caches keep whole
 * rows from one use to the next. In two runs of entries, 65 % gather what an entry of the same run did before: of orders
 * by parts and of crawls 70 to 90 %, of R-MAT graphs 60, of uniform ones 15. Columns are sampled, all entries of one or
 * none.
 */
template <class X, class Columns>
bool has_near_rows(const Aggregate<X, Columns>& a) {
  constexpr int64_t kRun = 65536, kRuns = 2, kSlots = kRun / 8;
  constexpr int kSampleBits = 4, kSlotBits = 13;
  static_assert(int64_t{1} << kSlotBits == kSlots);
  if (a.nnz < 16 * kRuns * kRun) return false;  // not worth a sample
  std::vector<int64_t> seen;
  int64_t sampled = 0, again = 0;
  for (int64_t run = 1; run <= kRuns; ++run) {
    seen.assign(kSlots, -1);
    const int64_t first = run * (a.nnz / (kRuns + 1));
    for (int64_t e = first; e < first + kRun; ++e) {
      const int64_t column = a.columns[e];
      const uint64_t hash = static_cast<uint64_t>(column) * 0x9e3779b97f4a7c15u;  // Fibonacci hashing
      if (hash >> (64 - kSampleBits) != 0) continue;
      ++sampled;
      int64_t& slot = seen[(hash >> (64 - kSampleBits - kSlotBits)) & (kSlots - 1)];
      again += slot == column;
      slot = column;
    }
  }
  return 100 * again > 65 * sampled;
}

/** Times the size of a tile that x may have where few rows of it are hot. */
constexpr int64_t kHotTiles = 4;

/** Columns of a tile; f where the whole of x is one. */
template <class X, class Columns>
int64_t tile_columns(const Aggregate<X, Columns>& a) {
  if (std::is_same_v<Columns, InPlace> || a.nnz < kTileReuse * a.m) return a.f;
  const int64_t size = static_cast<int64_t>(sizeof(X)), whole = a.m * a.f * size;
  int64_t budget = tuning().tile_bytes;
  if (whole > budget && has_hot_rows(a)) budget *= kHotTiles;
  if (whole <= budget) return a.f;
  const int64_t most = budget / (a.m * size);
  if (most * size < kTileBytes || has_near_rows(a)) return a.f;
  const int64_t line = kTileBytes / size, even = num_chunks(a.f, num_chunks(a.f, most / line * line));
  return std::min(a.f, num_chunks(even, line) * line);
}

/**
 * Copy columns first .. first + f - 1 of x, row after row; past the caches where rows are whole vectors. Lines that a
 * core has written stay with it: where cores share no last-level cache, as those of a virtual machine at times, the
 * others would fetch them from it again and again.
 */
template <class X, class Columns>
void pack_tile(const Aggregate<X, Columns>& a, int64_t first, int64_t f, X* packed) {
  const int64_t bytes = f * static_cast<int64_t>(sizeof(X)), ahead = rows_ahead(tuning(), bytes);
  const bool past = bytes % kVectorBytes == 0;
  parallel_for(a.m, std::max<int64_t>(1, kTaskWork / f), [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      prefetch_bytes(a.x + std::min(j + ahead, a.m - 1) * a.x_stride + first, bytes, tuning().prefetch_l2);
      const X* from = a.x + j * a.x_stride + first;
      if (past) copy_past(packed + j * f, from, bytes);
      else std::memcpy(packed + j * f, from, static_cast<size_t>(bytes));
    }
    if (past) _mm_sfence();
  });
}

template <class X, class Columns>
void aggregate(const Aggregate<X, Columns>& a, Context& context, const Ending& ending) {
  with_weight(a, [&](const auto& weight) {
    const int64_t tile = tile_columns(a);
    if (tile == a.f) return aggregate_weighted(a, weight, context, ending);
    X* packed = context.scratch<X>(a.m * tile);
    for (int64_t first = 0; first < a.f; first += tile) {
      Aggregate<X, Columns> part = a;
      part.f = part.x_stride = std::min(tile, a.f - first);
      part.x = packed;
      part.out = a.out + first;
      if (a.arg) part.arg = a.arg + first;
      pack_tile(a, first, part.f, packed);
      aggregate_weighted(part, weight, context);
    }
    if (ending) parallel_for(a.n, std::max<int64_t>(1, kTaskWork / a.f), ending);
  });
}

GUST_OPS_END
