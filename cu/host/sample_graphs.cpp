// Batches of whole graphs: the rows of some graphs of a disjoint union, one graph after another, with columns that count
// inside the batch. Pointers and columns come from files and are checked. Copies, bound by memory bandwidth; parallel over
// graphs, each written by one task, so that the result does not depend on threads.
#include "../include/gust.h"
#include "sample.h"

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr int64_t kGraphs = 16;  // graphs per task

template <class T>
T* at(int64_t address) {
  return reinterpret_cast<T*>(address);
}

}  // namespace

int32_t gust_graphs_sizes(int64_t count, int64_t chosen, int64_t graphs, int64_t graph_ptr, int64_t rows, int64_t indptr,
                          int64_t entries, int64_t out_ptr, int64_t* out) {
  return guard([&] {
    const auto *graph = at<const int64_t>(chosen), *first = at<const int64_t>(graph_ptr), *ptr = at<const int64_t>(indptr);
    auto* to = at<int64_t>(out_ptr);
    int64_t sum = 0, arcs = 0;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t g = graph[i];
      if (g < 0 || g >= graphs) fail(GUST_EDATA, "graph %lld, expected numbers below %lld", ll(g), ll(graphs));
      const int64_t begin = first[g], end = first[g + 1];
      if (begin < 0 || begin > end || end > rows)
        fail(GUST_EDATA, "graph %lld has the rows %lld .. %lld, expected a rising range inside 0 .. %lld", ll(g),
             ll(begin), ll(end), ll(rows));
      if (ptr[begin] < 0 || ptr[begin] > ptr[end] || ptr[end] > entries)
        fail(GUST_EDATA, "the rows of graph %lld have the entries %lld .. %lld, expected a rising range inside 0 .. %lld",
             ll(g), ll(ptr[begin]), ll(ptr[end]), ll(entries));
      to[i] = sum;
      sum += end - begin;
      arcs += ptr[end] - ptr[begin];
    }
    to[count] = sum;
    out[0] = sum;
    out[1] = arcs;
  });
}

int32_t gust_graphs_gather(int64_t count, int64_t chosen, int64_t graph_ptr, int64_t indptr, int64_t indices,
                           int32_t dtype, int64_t values, int64_t value_bytes, int64_t batch_ptr, int64_t out_nodes,
                           int64_t out_indptr, int64_t out_indices, int64_t out_values) {
  return guard([&] {
    const auto *graph = at<const int64_t>(chosen), *first = at<const int64_t>(graph_ptr), *ptr = at<const int64_t>(indptr);
    const auto* rows = at<const int64_t>(batch_ptr);
    auto *nodes = at<int64_t>(out_nodes), *to_ptr = at<int64_t>(out_indptr);
    std::vector<int64_t> starts(static_cast<size_t>(count + 1));
    for (int64_t i = 0; i < count; ++i) starts[i + 1] = starts[i] + ptr[first[graph[i] + 1]] - ptr[first[graph[i]]];
    to_ptr[rows[count]] = starts[count];
    dispatch_index(dtype, [&](auto tag) {
      using I = decltype(tag);
      const auto* column = at<const I>(indices);
      auto* to = at<I>(out_indices);
      parallel_for(count, kGraphs, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t low = first[graph[i]], high = first[graph[i] + 1], base = ptr[low];
          for (int64_t v = low; v < high; ++v) {
            if (ptr[v] > ptr[v + 1] || ptr[v] < base || ptr[v + 1] > ptr[high])
              fail(GUST_EDATA, "row pointer of row %lld is %lld .. %lld, expected a rising range inside %lld .. %lld",
                   ll(v), ll(ptr[v]), ll(ptr[v + 1]), ll(base), ll(ptr[high]));
            nodes[rows[i] + v - low] = v;
            to_ptr[rows[i] + v - low] = starts[i] + ptr[v] - base;
          }
          for (int64_t e = base; e < ptr[high]; ++e) {
            if (column[e] < low || column[e] >= high)
              fail(GUST_EDATA, "an arc of graph %lld leads to node %lld, expected a node of the graph (%lld to %lld)",
                   ll(graph[i]), ll(column[e]), ll(low), ll(high - 1));
            to[starts[i] + e - base] = static_cast<I>(column[e] - low + rows[i]);
          }
          if (values && ptr[high] > base)
            std::memcpy(at<char>(out_values) + starts[i] * value_bytes, at<const char>(values) + base * value_bytes,
                        static_cast<size_t>((ptr[high] - base) * value_bytes));
        }
      });
    });
  });
}
