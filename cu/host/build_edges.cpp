// Edge lists from arrays, and what can be done to one before it becomes a CSR: relabelling, and handing out the names
// or the original ids.
#include <bit>

#include "../include/gust.h"
#include "../common/dtype.h"
#include "../common/parallel.h"
#include "build.h"
#include "parse_edges.h"

namespace gust {

void describe_edges(const EdgeList& edges, int64_t* out) {
  out[1] = edges.count();
  out[2] = edges.min_id;
  out[3] = edges.max_id();
  out[4] = edges.unit_weights;
  out[5] = static_cast<bool>(edges.weights);
  out[6] = edges.comments;
  out[7] = edges.blanks;
  out[8] = edges.name_ptr.empty() ? -1 : static_cast<int64_t>(edges.name_ptr.size()) - 1;
  out[9] = edges.name_bytes.size();
  out[10] = edges.wide;
}

namespace {

void cut_segments(EdgeList& edges, int64_t count) {
  for (int64_t at = 0; at < count; at += kSegmentEdges)
    edges.segments.push_back({at, std::min(kSegmentEdges, count - at)});
}

struct Range {
  int64_t min_id = INT64_MAX, max_source = -1, max_target = -1;
};

/** Fill from at(i, source, target) in parallel; ranges first decide the width. */
template <class At>
void fill_ids(EdgeList& edges, int64_t count, At&& at) {
  cut_segments(edges, count);
  auto tasks = static_cast<int64_t>(edges.segments.size());
  std::vector<Range> ranges(static_cast<size_t>(tasks));
  parallel_tasks(tasks, [&](int64_t t) {
    const EdgeList::Segment& s = edges.segments[t];
    Range r;
    at(t, s, [&](int64_t, int64_t u, int64_t v) {
      r.min_id = std::min({r.min_id, u, v});
      r.max_source = std::max(r.max_source, u);
      r.max_target = std::max(r.max_target, v);
    });
    ranges[t] = r;
  });
  edges.min_id = count == 0 ? 0 : INT64_MAX;
  for (const Range& r : ranges) {
    edges.min_id = std::min(edges.min_id, r.min_id);
    edges.max_source = std::max(edges.max_source, r.max_source);
    edges.max_target = std::max(edges.max_target, r.max_target);
  }
  if (edges.min_id < 0) fail(GUST_EINVAL, "node id %lld is negative", static_cast<long long>(edges.min_id));
  edges.wide = edges.max_id() >= kNarrowIds;
  edges.ids = Buffer(count * 2 * (edges.wide ? 8 : 4));
  parallel_tasks(tasks, [&](int64_t t) {
    if (edges.wide) {
      auto* ids = edges.ids.as<int64_t>();
      at(t, edges.segments[t], [&](int64_t i, int64_t u, int64_t v) {
        ids[2 * i] = u;
        ids[2 * i + 1] = v;
      });
    } else {
      auto* ids = edges.ids.as<uint32_t>();
      at(t, edges.segments[t], [&](int64_t i, int64_t u, int64_t v) {
        ids[2 * i] = static_cast<uint32_t>(u);
        ids[2 * i + 1] = static_cast<uint32_t>(v);
      });
    }
  });
}

void fill_weights(EdgeList& edges, int64_t count, int64_t values, int32_t dtype) {
  if (values == 0) return;
  edges.weights = Buffer(count * 8);
  auto* out = edges.weights.as<double>();
  dispatch_real(dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* in = reinterpret_cast<const T*>(values);
    int64_t other = parallel_sum<int64_t>(count, kSegmentEdges, [&](int64_t begin, int64_t end) {
      int64_t differs = 0;
      for (int64_t i = begin; i < end; ++i) {
        out[i] = in[i];
        differs += in[i] != T{1};
      }
      return differs;
    });
    edges.unit_weights = other == 0;
  });
}

/** Sorted distinct ids of a list. */
template <class Id>
std::vector<int64_t> distinct_ids(const EdgeList& edges) {
  const Id* ids = edges.ids.as<Id>();
  int64_t count = edges.count(), words = edges.max_id() / 64 + 1;
  std::vector<int64_t> found;
  if (words * 8 <= count * 16 + (int64_t{1} << 20)) {
    // A bitmap no larger than the list itself.
    std::vector<std::atomic<uint64_t>> seen(static_cast<size_t>(words));
    parallel_tasks(static_cast<int64_t>(edges.segments.size()), [&](int64_t t) {
      const EdgeList::Segment& s = edges.segments[t];
      for (int64_t i = 2 * s.start; i < 2 * (s.start + s.count); ++i) {
        uint64_t bit = uint64_t{1} << (ids[i] & 63);
        auto& word = seen[static_cast<size_t>(ids[i]) >> 6];
        if (!(word.load(std::memory_order_relaxed) & bit)) word.fetch_or(bit, std::memory_order_relaxed);
      }
    });
    for (int64_t w = 0; w < words; ++w)
      for (uint64_t bits = seen[w]; bits; bits &= bits - 1) found.push_back(w * 64 + std::countr_zero(bits));
    return found;
  }
  // Ids spread over a huge range: sort each segment's, then join neighbours pair by pair.
  auto tasks = static_cast<int64_t>(edges.segments.size());
  std::vector<std::vector<int64_t>> lists(static_cast<size_t>(tasks));
  parallel_tasks(tasks, [&](int64_t t) {
    const EdgeList::Segment& s = edges.segments[t];
    auto& list = lists[t];
    list.assign(ids + 2 * s.start, ids + 2 * (s.start + s.count));
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    list.shrink_to_fit();
  });
  for (int64_t step = 1; step < tasks; step *= 2)
    parallel_tasks(num_chunks(tasks, 2 * step), [&](int64_t pair) {
      int64_t a = pair * 2 * step, b = a + step;
      if (b >= tasks) return;
      std::vector<int64_t> both;
      both.reserve(lists[a].size() + lists[b].size());
      std::set_union(lists[a].begin(), lists[a].end(), lists[b].begin(), lists[b].end(), std::back_inserter(both));
      both.swap(lists[a]);
      std::vector<int64_t>().swap(lists[b]);
    });
  return tasks ? std::move(lists[0]) : found;
}

template <class Id>
void relabel(EdgeList& edges) {
  std::vector<int64_t> original = distinct_ids<Id>(edges);
  if (static_cast<int64_t>(original.size()) > kNarrowIds)
    fail(GUST_ENOSYS, "relabelling %lld ids, at most 2^31 - 1", static_cast<long long>(original.size()));
  // Where the ids of each top part begin, so that a look-up is a short search.
  int64_t last = original.empty() ? 0 : original.back();
  int shift = std::max(0, static_cast<int>(std::bit_width(static_cast<uint64_t>(last))) - 20);
  std::vector<int64_t> first(static_cast<size_t>((last >> shift) + 2), static_cast<int64_t>(original.size()));
  for (int64_t i = static_cast<int64_t>(original.size()) - 1; i >= 0; --i) first[original[i] >> shift] = i;
  for (int64_t b = static_cast<int64_t>(first.size()) - 2; b >= 0; --b) first[b] = std::min(first[b], first[b + 1]);

  const Id* ids = edges.ids.as<Id>();
  // In place where the numbers take as much room as the ids, so that no second list is needed.
  Buffer wanted = sizeof(Id) == 4 ? Buffer() : Buffer::within(edges.ids.size() / 2, edges.limit);
  uint32_t* out = sizeof(Id) == 4 ? edges.ids.as<uint32_t>() : wanted.as<uint32_t>();
  parallel_tasks(static_cast<int64_t>(edges.segments.size()), [&](int64_t t) {
    const EdgeList::Segment& s = edges.segments[t];
    for (int64_t i = 2 * s.start; i < 2 * (s.start + s.count); ++i) {
      auto id = static_cast<int64_t>(ids[i]);
      auto from = original.begin() + first[id >> shift], to = original.begin() + first[(id >> shift) + 1];
      out[i] = static_cast<uint32_t>(std::lower_bound(from, to, id) - original.begin());
    }
  });
  if (sizeof(Id) != 4) edges.ids = std::move(wanted);
  edges.wide = false;
  int64_t max_id = static_cast<int64_t>(original.size()) - 1;
  edges.min_id = 0;
  edges.max_source = edges.max_target = max_id;
  edges.original = std::move(original);
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_edges_destroy(int64_t edges) {
  return guard([&] { delete reinterpret_cast<EdgeList*>(edges); });
}

int32_t gust_edges_from_pairs(int64_t sources, int64_t targets, int64_t stride, int32_t dtype, int64_t count,
                              int64_t* out) {
  return guard([&] {
    if (count < 0 || stride < 1) fail(GUST_EINVAL, "edge pairs: count or stride out of range");
    auto edges = std::make_unique<EdgeList>();
    dispatch_index(dtype, [&](auto zero) {
      using T = decltype(zero);
      const T *u = reinterpret_cast<const T*>(sources), *v = reinterpret_cast<const T*>(targets);
      fill_ids(*edges, count, [&](int64_t, const EdgeList::Segment& s, auto&& put) {
        for (int64_t i = s.start; i < s.start + s.count; ++i) put(i, u[i * stride], v[i * stride]);
      });
    });
    describe_edges(*edges, out);
    out[0] = reinterpret_cast<int64_t>(edges.release());
  });
}

int32_t gust_edges_from_csr(int64_t num_rows, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                            int32_t values_dtype, int64_t* out) {
  return guard([&] {
    const auto* ptr = reinterpret_cast<const int64_t*>(indptr);
    if (num_rows < 0) fail(GUST_EINVAL, "CSR of %lld rows", static_cast<long long>(num_rows));
    auto edges = std::make_unique<EdgeList>();
    dispatch_index(dtype, [&](auto zero) {
      const auto* columns = reinterpret_cast<const decltype(zero)*>(indices);
      fill_ids(*edges, ptr[num_rows], [&](int64_t, const EdgeList::Segment& s, auto&& put) {
        int64_t row = std::upper_bound(ptr, ptr + num_rows + 1, s.start) - ptr - 1;
        for (int64_t i = s.start; i < s.start + s.count; ++i) {
          while (ptr[row + 1] <= i) ++row;
          put(i, row, columns[i]);
        }
      });
    });
    fill_weights(*edges, ptr[num_rows], values, values_dtype);
    describe_edges(*edges, out);
    out[0] = reinterpret_cast<int64_t>(edges.release());
  });
}

int32_t gust_edges_set_weights(int64_t handle, int64_t values, int32_t dtype, int64_t* out) {
  return guard([&] {
    EdgeList& edges = edge_list(handle);
    for (int64_t at = 0; const EdgeList::Segment& s : edges.segments) {
      if (s.start != at) fail(GUST_EINVAL, "weights for an edge list that was parsed, expected one made of arrays");
      at += s.count;
    }
    edges.unit_weights = true;
    fill_weights(edges, edges.count(), values, dtype);
    describe_edges(edges, out);
  });
}

int32_t gust_edges_set_limit(int64_t handle, int64_t limit) {
  return guard([&] { edge_list(handle).limit = limit; });
}

int32_t gust_edges_relabel(int64_t handle, int64_t* out) {
  return guard([&] {
    EdgeList& edges = edge_list(handle);
    if (edges.wide) relabel<int64_t>(edges);
    else relabel<uint32_t>(edges);
    describe_edges(edges, out);
    out[0] = static_cast<int64_t>(edges.original.size());
  });
}

int32_t gust_edges_original_ids(int64_t handle, int64_t ids) {
  return guard([&] {
    EdgeList& edges = edge_list(handle);
    std::copy(edges.original.begin(), edges.original.end(), reinterpret_cast<int64_t*>(ids));
  });
}

int32_t gust_edges_pairs(int64_t handle, int64_t add_to_source, int64_t add_to_target, int64_t pairs) {
  return guard([&] {
    EdgeList& edges = edge_list(handle);
    auto* to = reinterpret_cast<int64_t*>(pairs);
    const auto write = [&](const auto* ids) {
      for (const EdgeList::Segment& s : edges.segments)
        for (int64_t i = s.start; i < s.start + s.count; ++i) {
          *to++ = static_cast<int64_t>(ids[2 * i]) + add_to_source;
          *to++ = static_cast<int64_t>(ids[2 * i + 1]) + add_to_target;
        }
    };
    if (edges.wide) write(edges.ids.as<int64_t>());
    else write(edges.ids.as<uint32_t>());
  });
}

int32_t gust_edges_weights(int64_t handle, int64_t weights, int64_t* out) {
  return guard([&] {
    EdgeList& edges = edge_list(handle);
    auto* to = reinterpret_cast<double*>(weights);
    const auto* from = edges.weights.as<double>();
    if (!from) fail(GUST_EINVAL, "edge list has no weights");
    int64_t wide = 0;
    for (const EdgeList::Segment& s : edges.segments) {
      to = std::copy_n(from + s.start, s.count, to);
      wide += std::count_if(from + s.start, from + s.start + s.count, is_wide_weight);
    }
    out[0] = wide > 0;
  });
}

int32_t gust_edges_names(int64_t handle, int64_t bytes, int64_t indptr) {
  return guard([&] {
    EdgeList& edges = edge_list(handle);
    if (edges.name_bytes.size() > 0)
      std::memcpy(reinterpret_cast<void*>(bytes), edges.name_bytes.as<char>(), edges.name_bytes.size());
    std::copy(edges.name_ptr.begin(), edges.name_ptr.end(), reinterpret_cast<int64_t*>(indptr));
  });
}
