// The inner loops of spmm_pinned.cpp for one instruction set: included once per set, inside a namespace and under its
// `#pragma GCC target`, with GUST_LOOP_BYTES = bytes of a vector.

constexpr int64_t kLanes = GUST_LOOP_BYTES / 4;
typedef float Floats __attribute__((vector_size(GUST_LOOP_BYTES)));

// Inlined by force: a call that does nothing but prefetch is dropped by g++ 12, as one without effects.
__attribute__((always_inline)) static inline void prefetch_row(const float* from, int64_t bytes, bool to_l2) {
  const char* line = reinterpret_cast<const char*>(from);
  if (to_l2)
    for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(line + b, 0, 2);
  else
    for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(line + b, 0, 3);
}

/** V vectors of a row: from `first` on, the last of them at `last`; Some: one, of which `count` numbers are the row. */
struct Panel {
  int64_t first, last;
  size_t count;
};

template <int V, bool Some>
static inline void load_panel(const float* row, const Panel& p, Floats (&to)[V]) {
  if constexpr (Some) {
    to[0] = Floats{};
    std::memcpy(&to[0], row, 4 * p.count);
  } else {
    for (int v = 0; v + 1 < V; ++v) std::memcpy(&to[v], row + p.first + v * kLanes, sizeof(Floats));
    std::memcpy(&to[V - 1], row + p.last, sizeof(Floats));
  }
}

template <int V, bool Some>
static inline void store_panel(float* row, const Panel& p, const Floats (&from)[V]) {
  if constexpr (Some) {
    std::memcpy(row, &from[0], 4 * p.count);
  } else {
    for (int v = 0; v + 1 < V; ++v) std::memcpy(row + p.first + v * kLanes, &from[v], sizeof(Floats));
    std::memcpy(row + p.last, &from[V - 1], sizeof(Floats));
  }
}

/** Where the row of a slot lies: among the pinned ones, or in x at ~slot. No branch: none could foretell it. */
struct Rows {
  const float *x, *buffer;
  int64_t f;
  const float* of(int32_t slot) const { return (slot < 0 ? x : buffer) + (slot ^ slot >> 31) * f; }
};

/** One panel of the rows of a task. Pinned rows are scaled by `right` already, missed ones are here. */
template <int V, bool Some, bool Values, bool Right>
static void multiply_panel(const Product& of, const Task& task, const float* buffer, const Panel panel) {
  const Product p = of;  // a copy of its own: stores to out cannot change it
  const int64_t *indptr = p.layout->indptr, f = p.f;
  const int32_t* slots = p.layout->slots.data();
  const Rows rows{p.x, buffer, f};
  const int64_t last = indptr[task.end] - 1, bytes = V * static_cast<int64_t>(sizeof(Floats));
  for (int64_t e = indptr[task.begin]; e < std::min(indptr[task.begin] + p.ahead, last + 1); ++e)
    prefetch_row(rows.of(slots[e]) + panel.first, bytes, p.to_l2);
  for (int64_t i = task.begin; i < task.end; ++i) {
    Floats sum[V] = {};
    for (int64_t e = indptr[i]; e < indptr[i + 1]; ++e) {
      prefetch_row(rows.of(slots[std::min(e + p.ahead, last)]) + panel.first, bytes, p.to_l2);
      const int32_t slot = slots[e];
      Floats term[V];
      load_panel<V, Some>(rows.of(slot), panel, term);
      if constexpr (Right) {
        const float scale = slot < 0 ? p.right[~slot] : 1.0f;
        for (int v = 0; v < V; ++v) term[v] *= scale;
      }
      if constexpr (Values)
        for (int v = 0; v < V; ++v) term[v] *= p.values[e];
      for (int v = 0; v < V; ++v) sum[v] += term[v];
    }
    if (p.left)
      for (int v = 0; v < V; ++v) sum[v] *= p.left[i];
    if (p.diagonal) {
      Floats own[V];
      load_panel<V, Some>(p.x + i * f, panel, own);
      for (int v = 0; v < V; ++v) sum[v] += own[v] * p.diagonal[i];
    }
    store_panel<V, Some>(p.out + i * f, panel, sum);
  }
}

template <bool Values, bool Right>
static void multiply_task(const Product& p, const Task& task, const float* buffer) {
  constexpr int64_t kMost = 8;  // half of AVX2's registers
  if (p.f < kLanes) return multiply_panel<1, true, Values, Right>(p, task, buffer, {0, 0, static_cast<size_t>(p.f)});
  const int64_t vectors = (p.f + kLanes - 1) / kLanes, panels = (vectors + kMost - 1) / kMost;
  for (int64_t at = 0; at < panels; ++at) {
    const int64_t start = at * vectors / panels, count = (at + 1) * vectors / panels - start;
    // Where the row ends the last vector moves back and overlaps the one before: both compute the same bits.
    const Panel panel{start * kLanes, std::min((start + count - 1) * kLanes, p.f - kLanes), kLanes};
    switch (count) {
      case 1: multiply_panel<1, false, Values, Right>(p, task, buffer, panel); break;
      case 2: multiply_panel<2, false, Values, Right>(p, task, buffer, panel); break;
      case 3: multiply_panel<3, false, Values, Right>(p, task, buffer, panel); break;
      case 4: multiply_panel<4, false, Values, Right>(p, task, buffer, panel); break;
      case 5: multiply_panel<5, false, Values, Right>(p, task, buffer, panel); break;
      case 6: multiply_panel<6, false, Values, Right>(p, task, buffer, panel); break;
      case 7: multiply_panel<7, false, Values, Right>(p, task, buffer, panel); break;
      case 8: multiply_panel<8, false, Values, Right>(p, task, buffer, panel); break;
    }
  }
}

static void multiply_rows(const Product& p, const Task& task, const float* buffer) {
  if (p.values && p.right) return multiply_task<true, true>(p, task, buffer);
  if (p.values) return multiply_task<true, false>(p, task, buffer);
  if (p.right) return multiply_task<false, true>(p, task, buffer);
  multiply_task<false, false>(p, task, buffer);
}

/** Copy the rows of x that the cluster of a task pins, one after another, scaled by `right`. */
static void copy_pinned(const Product& p, int64_t cluster, float* buffer) {
  const int64_t f = p.f, bytes = f * 4, count = p.layout->pinned(cluster);
  const int32_t* ids = p.layout->ids.data() + p.layout->ptr[cluster];
  for (int64_t s = 0; s < count; ++s) {
    prefetch_row(p.x + ids[std::min(s + p.ahead, count - 1)] * f, bytes, p.to_l2);
    const float* from = p.x + ids[s] * f;
    float* to = buffer + s * f;
    if (!p.right) {
      std::memcpy(to, from, static_cast<size_t>(bytes));
      continue;
    }
    const float scale = p.right[ids[s]];
    for (int64_t j = 0; j < f; ++j) to[j] = from[j] * scale;
  }
}

constexpr Loops loops{copy_pinned, multiply_rows};
