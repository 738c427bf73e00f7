// A row of f numbers as panels of vectors that fit the registers.
#pragma once

#include "prefetch.h"
#include "simd.h"

GUST_OPS_BEGIN

/** Most vectors of a panel: half of AVX2's 16 registers, the rest is for loads and weights. */
constexpr int kPanel = 8;

/**
 * The vectors of a panel start at first, first + lanes, ..., but the last one at `last`: where the row ends
 * it moves back and overlaps the one before (both compute the same bits). Rows shorter than a vector are a
 * panel of their own kind (Some), a vector with `count` lanes in use.
 */
struct Panel {
  int64_t first, last;
  int count;
};

/**
 * Call f(integral_constant vectors, bool_constant Some, panel) for each panel of a row of f >= 1 numbers T.
 */
template <class T, int kMost = kPanel, class F>
void for_panels(int64_t f, F&& call) {
  constexpr int lanes = kLanes<T>;
  if (f < lanes) {
    call(std::integral_constant<int, 1>{}, std::true_type{}, Panel{0, 0, static_cast<int>(f)});
    return;
  }
  const int64_t vectors = (f + lanes - 1) / lanes, panels = (vectors + kMost - 1) / kMost;
  for (int64_t p = 0; p < panels; ++p) {
    const int64_t start = p * vectors / panels, count = (p + 1) * vectors / panels - start;
    const Panel panel{start * lanes, std::min((start + count - 1) * lanes, f - lanes), lanes};
    [&]<int... V>(std::integer_sequence<int, V...>) {
      ((count == V + 1 ? call(std::integral_constant<int, V + 1>{}, std::false_type{}, panel) : void()), ...);
    }(std::make_integer_sequence<int, kMost>{});
  }
}

template <int V, bool Some, class X>
inline void load_panel(const X* row, const Panel& panel, Vec<Sum<X>> (&to)[V]) {
  if constexpr (Some) {
    to[0] = load_some(row, panel.count);
  } else {
    for (int v = 0; v + 1 < V; ++v) to[v] = load(row + panel.first + v * kLanes<Sum<X>>);
    to[V - 1] = load(row + panel.last);
  }
}

template <int V, bool Some, class T>
inline void store_panel(T* row, const Panel& panel, const Vec<T> (&from)[V]) {
  if constexpr (Some) {
    store_some(row, from[0], panel.count);
  } else {
    for (int v = 0; v + 1 < V; ++v) store<T>(row + panel.first + v * kLanes<T>, from[v]);
    store<T>(row + panel.last, from[V - 1]);
  }
}

/** Bring the panel of a row into the second-level cache, or the first. */
template <int V, class X>
inline void prefetch_panel(const X* row, const Panel& panel, bool to_l2) {
  prefetch_bytes(row + panel.first, V * kLanes<Sum<X>> * static_cast<int64_t>(sizeof(X)), to_l2);
}

GUST_OPS_END
