// Gathered rows whose columns are cut into heads, added up with a weight per row and head.
//
//   sum[k] += sum over e of weights[e, head(k)] * x[indices[e], k]                  head(k) = k / (f / heads)
//
// and at the same pass over x, where asked for, the same with other weights into a second sum: the row is read from
// memory once. A row is taken in panels (panel.h) whose sums stay in registers; rows to come are prefetched.
#pragma once

#include <vector>

#include "panel.h"

GUST_OPS_BEGIN

/** How the lanes of a vector of columns find the weights of their heads. */
enum class Spread {
  kWhole,  // a vector is inside a head: one number for all lanes
  kFew,    // all heads fit a vector: a permutation of it
  kMany    // a vector of columns touches few of the heads: a permutation of the vector that starts at its first one
};

/** Columns to heads, and memory to gather from. */
template <class T, class I>
struct HeadRows {
  using Head = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;
  const I* indices;
  int64_t nnz;
  const T* x;
  int64_t f, heads;
  std::vector<Head> head_of;  // of column k; a vector may be read past the end

  HeadRows(const I* indices, int64_t nnz, const T* x, int64_t f, int64_t heads)
      : indices(indices), nnz(nnz), x(x), f(f), heads(heads), head_of(static_cast<size_t>(f + kLanes<T>)) {
    for (int64_t k = 0; k < f; ++k) head_of[k] = static_cast<Head>(k / (f / heads));
  }
  Spread spread() const {
    const int64_t width = f / heads;
    return heads == 1 || width % kLanes<T> == 0 ? Spread::kWhole : heads <= kLanes<T> ? Spread::kFew : Spread::kMany;
  }
};

/** Entries begin .. end-1, one panel. weights and others: (end - begin, heads), readable a vector past the end. */
template <Spread S, bool Two, int V, bool Some, class T, class I>
void add_panel(const HeadRows<T, I>& of, const Panel panel, int64_t begin, int64_t end, const T* weights,
               const T* others, T* sum, T* other) {
  using Head = typename HeadRows<T, I>::Head;
  const Tuning tuned = tuning();
  const int64_t ahead = rows_ahead(tuned, V * kLanes<T> * static_cast<int64_t>(sizeof(T)));
  const I* const indices = of.indices;
  const T* const x = of.x;
  const int64_t f = of.f, heads = of.heads, last = of.nnz - 1;
  int64_t first[V];
  Vec<Head> lane[V];
  for (int v = 0; v < V; ++v) {
    const Head* at = of.head_of.data() + (v + 1 < V ? panel.first + v * kLanes<T> : panel.last);
    first[v] = S == Spread::kFew ? 0 : at[0];
    std::memcpy(&lane[v], at, sizeof lane[v]);
    lane[v] -= static_cast<Head>(first[v]);
  }
  // The weights of the lanes of vector v: a number, or a vector.
  auto spread = [&](const T* of_entry, const Vec<T>& few, int v) {
    if constexpr (S == Spread::kWhole) return of_entry[first[v]];
    else if constexpr (S == Spread::kFew) return __builtin_shuffle(few, lane[v]);
    else return __builtin_shuffle(load(of_entry + first[v]), lane[v]);
  };
  Vec<T> a[V], b[V];
  load_panel<V, Some>(sum, panel, a);
  if constexpr (Two) load_panel<V, Some>(other, panel, b);
  for (int64_t e = begin; e < end; ++e, weights += heads, others += heads) {
    prefetch_panel<V>(x + static_cast<int64_t>(indices[std::min(e + ahead, last)]) * f, panel, tuned.prefetch_l2);
    Vec<T> row[V], few{}, few_others{};
    load_panel<V, Some>(x + static_cast<int64_t>(indices[e]) * f, panel, row);
    if constexpr (S == Spread::kFew) {
      few = load(weights);
      if constexpr (Two) few_others = load(others);
    }
    for (int v = 0; v < V; ++v) {
      a[v] += spread(weights, few, v) * row[v];
      if constexpr (Two) b[v] += spread(others, few_others, v) * row[v];
    }
  }
  store_panel<V, Some, T>(sum, panel, a);
  if constexpr (Two) store_panel<V, Some, T>(other, panel, b);
}

/** Add entries begin .. end-1 to sum and, unless it is null, to other with the other weights. */
template <class T, class I>
void add_entries(const HeadRows<T, I>& of, int64_t begin, int64_t end, const T* weights, const T* others, T* sum,
                 T* other) {
  // Two sums take twice the registers, of which only AVX-512 has 32.
  constexpr int kMost = kVectorBytes == 64 ? kPanel : kPanel / 2;
  auto with_spread = [&](auto spread) {
    auto with_two = [&](auto two) {
      for_panels<T, kMost>(of.f, [&](auto v, auto some, const Panel& panel) {
        add_panel<spread(), two(), v(), some()>(of, panel, begin, end, weights, others, sum, other);
      });
    };
    if (other) with_two(std::true_type{});
    else with_two(std::false_type{});
  };
  switch (of.spread()) {
    case Spread::kWhole: return with_spread(std::integral_constant<Spread, Spread::kWhole>{});
    case Spread::kFew: return with_spread(std::integral_constant<Spread, Spread::kFew>{});
    case Spread::kMany: return with_spread(std::integral_constant<Spread, Spread::kMany>{});
  }
}

GUST_OPS_END
