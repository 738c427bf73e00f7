// Generated edges to CSR in two passes over the counter, drawing every edge twice instead of storing it:
//
//   1. count   arcs per row
//   2. fill    columns, in any order; then sort each row, which makes the result independent of that order, and drop
//              duplicates in place
//
// Memory: indptr and indices, nothing else: 8 (n + 1) + s a bytes for n nodes and a drawn arcs of s = 4 or 8 bytes.
// Rows are hit at random, so both passes ask for a batch's cache lines ahead of touching them.
#include <atomic>
#include <cstring>

#include "../include/gust.h"
#include "../common/dtype.h"
#include "../common/parallel.h"
#include "generate.h"

namespace gust {
namespace {

constexpr int64_t kGrain = 256 * kItems;              // items per task
constexpr int64_t kTaskArcs = int64_t{1} << 18;       // arcs of one task of the last steps
constexpr ptrdiff_t kInsertionSort = 24;              // rows up to here: measured crossover with std::sort

/** Call put(arcs, count) for batches of what items begin .. end-1 give: (row, column) as {to, from}. */
template <class Put>
int64_t for_batches(const Generator& g, int64_t begin, int64_t end, Put&& put) {
  Arc arcs[2 * kItems * kMostPerItem];
  int64_t left_out = 0;
  for (int64_t i = begin; i < end; i += kItems) {
    const int64_t items = std::min(kItems, end - i);
    int64_t count = g.draw(i, i + items, arcs);
    left_out += g.left_out(items, count);
    if (!g.directed) {
      for (int64_t k = 0; k < count; ++k) arcs[count + k] = {arcs[k].to, arcs[k].from};
      count *= 2;
    }
    put(arcs, count);
  }
  return left_out;
}

/** indptr[v + 1] = start of row v, after counting; out[0] = arcs, out[1] = self-loops left out. */
void count_rows(const Generator& g, int64_t* indptr, int64_t* out) {
  out[1] = parallel_sum<int64_t>(g.items, kGrain, [&](int64_t begin, int64_t end) {
    return for_batches(g, begin, end, [&](const Arc* arcs, int64_t count) {
      for (int64_t k = 0; k < count; ++k) __builtin_prefetch(&indptr[arcs[k].to + 1], 1);
      for (int64_t k = 0; k < count; ++k)
        std::atomic_ref(indptr[arcs[k].to + 1]).fetch_add(1, std::memory_order_relaxed);
    });
  });
  int64_t total = 0;
  for (int64_t v = 0; v < g.num_nodes; ++v) {
    const int64_t count = indptr[v + 1];
    indptr[v + 1] = total;
    total += count;
  }
  out[0] = total;
}

/** Columns in any order. Every indptr[v + 1] moves from the start of row v to its end. */
template <class Id>
void fill_rows(const Generator& g, int64_t* indptr, Id* indices) {
  parallel_for(g.items, kGrain, [&](int64_t begin, int64_t end) {
    int64_t at[2 * kItems * kMostPerItem];
    for_batches(g, begin, end, [&](const Arc* arcs, int64_t count) {
      for (int64_t k = 0; k < count; ++k) __builtin_prefetch(&indptr[arcs[k].to + 1], 1);
      for (int64_t k = 0; k < count; ++k) {
        at[k] = std::atomic_ref(indptr[arcs[k].to + 1]).fetch_add(1, std::memory_order_relaxed);
        __builtin_prefetch(&indices[at[k]], 1);
      }
      for (int64_t k = 0; k < count; ++k) indices[at[k]] = static_cast<Id>(arcs[k].from);
    });
  });
}

template <class Id>
void sort_row(Id* row, int64_t n) {
  if (n > kInsertionSort) return std::sort(row, row + n);
  for (int64_t i = 1; i < n; ++i) {
    const Id x = row[i];
    int64_t j = i;
    for (; j > 0 && x < row[j - 1]; --j) row[j] = row[j - 1];
    row[j] = x;
  }
}

/** Consecutive rows of about kTaskArcs arcs. */
struct Rows {
  int64_t first, end;  // rows
  int64_t start, kept; // arcs: where they begin, and how many are left without duplicates
};

std::vector<Rows> tasks_of(int64_t n, const int64_t* indptr) {
  std::vector<Rows> tasks;
  for (int64_t v = 0; v < n;) {
    const int64_t limit = indptr[v] + kTaskArcs;
    int64_t end = std::upper_bound(indptr + v + 1, indptr + n + 1, limit) - indptr - 1;
    end = std::max(end, v + 1);
    tasks.push_back({v, end, indptr[v], 0});
    v = end;
  }
  return tasks;
}

/** Sort rows, drop duplicates, close the gaps; returns the arcs left. */
template <class Id>
int64_t finish_rows(int64_t n, int64_t* indptr, Id* indices) {
  std::vector<Rows> tasks = tasks_of(n, indptr);
  const int64_t drawn = indptr[n];
  parallel_tasks(static_cast<int64_t>(tasks.size()), [&](int64_t t) {
    Rows& rows = tasks[t];
    // The end of the last row is the next task's to write.
    const int64_t last = t + 1 < static_cast<int64_t>(tasks.size()) ? tasks[t + 1].start : drawn;
    int64_t start = rows.start, to = rows.start;
    for (int64_t v = rows.first; v < rows.end; ++v) {
      const int64_t end = v + 1 < rows.end ? indptr[v + 1] : last;
      sort_row(indices + start, end - start);
      indptr[v] = to - rows.start;  // within the task, for now
      for (int64_t i = start; i < end; ++i)
        if (i == start || indices[i] != indices[i - 1]) {
          const Id x = indices[i];
          indices[to++] = x;
        }
      start = end;
    }
    rows.kept = to - rows.start;
  });
  int64_t total = 0;
  for (const Rows& rows : tasks) {
    if (rows.start != total)
      std::memmove(indices + total, indices + rows.start, static_cast<size_t>(rows.kept) * sizeof(Id));
    total += rows.kept;
  }
  std::vector<int64_t> starts;
  int64_t before = 0;
  for (const Rows& rows : tasks) {
    starts.push_back(before);
    before += rows.kept;
  }
  parallel_tasks(static_cast<int64_t>(tasks.size()), [&](int64_t t) {
    for (int64_t v = tasks[t].first; v < tasks[t].end; ++v) indptr[v] += starts[t];
  });
  indptr[n] = total;
  return total;
}

}  // namespace

const Generator& generator_of(int64_t handle) {
  if (!handle) fail(GUST_EINVAL, "no generator");
  return *reinterpret_cast<const Generator*>(handle);
}

}  // namespace gust

using namespace gust;

int32_t gust_generate_destroy(int64_t generator) {
  return guard([&] { delete reinterpret_cast<Generator*>(generator); });
}

int32_t gust_generate_sizes(int64_t generator, int64_t* out) {
  return guard([&] {
    const Generator& g = generator_of(generator);
    out[0] = g.num_nodes;
    out[1] = g.items;
  });
}

int32_t gust_generate_count(int64_t generator, int64_t indptr, int64_t* out) {
  return guard([&] { count_rows(generator_of(generator), reinterpret_cast<int64_t*>(indptr), out); });
}

int32_t gust_generate_fill(int64_t generator, int64_t indptr, int64_t indices, int32_t dtype, int64_t* out) {
  return guard([&] {
    const Generator& g = generator_of(generator);
    auto* ptr = reinterpret_cast<int64_t*>(indptr);
    dispatch_index(dtype, [&](auto zero) {
      auto* columns = reinterpret_cast<decltype(zero)*>(indices);
      fill_rows(g, ptr, columns);
      out[0] = finish_rows(g.num_nodes, ptr, columns);
    });
  });
}
