// The C functions of the partitioner: the multilevel method, random parts, and the statistics of any
// partition.
#include <algorithm>
#include <cmath>

#include "../include/gust.h"
#include "partition.h"

using namespace gust;
using namespace gust::partition;

namespace {

Source source_of(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values, int32_t value_dtype,
                 int32_t directed) {
  return {n, reinterpret_cast<const int64_t*>(indptr), reinterpret_cast<const void*>(indices), dtype,
          reinterpret_cast<const void*>(values), value_dtype, directed != 0};
}

void check_parts(int64_t n, int64_t k) {
  if (k < 1 || k > std::max<int64_t>(n, 1))
    fail(GUST_EINVAL, "%lld parts of %lld nodes", static_cast<long long>(k), static_cast<long long>(n));
}

/** Balance `count` weights, one row of n after the other, instead of the number of nodes; none if count is 0. */
void set_weights(Graph& graph, const int64_t* weights, int32_t count) {
  if (count == 0) return;
  if (count < 0 || count > kMostWeights)
    fail(GUST_EINVAL, "%d weights per node to balance, expected at most %d", count, kMostWeights);
  graph.more = count - 1;
  graph.other_weight = Array<int32_t>(int64_t{graph.more} * graph.n);
  for (int32_t i = 0; i < count; ++i) {
    int64_t total = 0;
    for (int64_t v = 0; v < graph.n; ++v) {
      const int64_t w = weights[i * int64_t{graph.n} + v];
      if (w < 0 || w > INT32_MAX || (total += w) > INT32_MAX)
        fail(GUST_EDATA, "weight %d of node %lld is %lld: expected weights of at least 0 that sum to less than 2^31", i,
             static_cast<long long>(v), static_cast<long long>(w));
      if (i == 0) graph.node_weight[v] = static_cast<int32_t>(w);
      else graph.other_weight[graph.more * v + i - 1] = static_cast<int32_t>(w);
    }
  }
  graph.weigh();
}

}  // namespace

const int32_t* gust::partition::checked_parts(const char* tensor, int64_t part, int64_t count, int64_t k) {
  const auto* p = reinterpret_cast<const int32_t*>(part);
  for (int64_t i = 0; i < count; ++i)
    if (p[i] < 0 || p[i] >= k)
      fail(GUST_EDATA, "tensor \"%s\" holds %d at position %lld, expected parts below %lld", tensor, p[i],
           static_cast<long long>(i), static_cast<long long>(k));
  return p;
}

int32_t gust_partition_multilevel(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                  int32_t value_dtype, int32_t directed, int64_t weights, int32_t num_weights,
                                  int64_t k, double imbalance, int32_t method, int32_t effort, int32_t objective,
                                  int64_t seed, int64_t part) {
  return guard([&] {
    check_parts(n, k);
    if (method < 0 || method > 2) fail(GUST_EINVAL, "method %d of a partition, expected 0 to 2", method);
    if (objective < 0 || objective > 1) fail(GUST_EINVAL, "objective %d of a partition, expected 0 or 1", objective);
    if (method == 2) checked_parts("part", part, n, k);
    Graph graph = build_graph(source_of(n, indptr, indices, dtype, values, value_dtype, directed));
    set_weights(graph, reinterpret_cast<const int64_t*>(weights), num_weights);
    const auto run = method == 0 ? multilevel : method == 1 ? bisection : improve;
    const std::vector<int64_t> most = part_limits(graph, static_cast<int32_t>(k), imbalance);
    const auto parts = static_cast<int32_t>(k);
    auto* out = reinterpret_cast<int32_t*>(part);
    // What improves the cut may raise the volume: a partition that is given is kept as a second start.
    std::vector<int32_t> given;
    if (method == 2 && objective == 1) given.assign(out, out + n);
    run(graph, parts, most.data(), effort_of(effort), static_cast<uint64_t>(seed), out);
    if (objective == 0) return;
    const VolumeQuality quality = refine_volume(graph, parts, most.data(), effort_of(effort), out);
    if (!given.empty() && refine_volume(graph, parts, most.data(), effort_of(effort), given.data()) < quality)
      std::copy(given.begin(), given.end(), out);
  });
}

int32_t gust_partition_level(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                             int32_t value_dtype, int32_t directed, int64_t k, double imbalance, int64_t part) {
  return guard([&] {
    check_parts(n, k);
    checked_parts("part", part, n, k);
    Graph graph = build_graph(source_of(n, indptr, indices, dtype, values, value_dtype, directed));
    const std::vector<int64_t> most = part_limits(graph, static_cast<int32_t>(k), imbalance);
    level_parts(graph, static_cast<int32_t>(k), most.data(), reinterpret_cast<int32_t*>(part));
  });
}

int32_t gust_partition_write_metis(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                   int32_t value_dtype, int32_t directed, const char* path, int64_t* out) {
  return guard([&] {
    const Graph graph = build_graph(source_of(n, indptr, indices, dtype, values, value_dtype, directed));
    out[0] = graph.arcs.size() / 2;
    if (out[0] > 0) write_metis(graph, values != 0, path);
  });
}

int32_t gust_partition_read_metis(const char* path, int64_t n, int64_t k, int64_t part) {
  return guard([&] {
    check_parts(n, k);
    read_metis_parts(path, n, static_cast<int32_t>(k), reinterpret_cast<int32_t*>(part));
  });
}

int32_t gust_partition_random(int64_t n, int64_t ids, int64_t k, int64_t seed, int64_t part) {
  return guard([&] {
    check_parts(n, k);
    const auto* id = reinterpret_cast<const int64_t*>(ids);
    auto* out = reinterpret_cast<int32_t*>(part);
    Random random(static_cast<uint64_t>(seed), stream_id("partition"), 0, 0, 0);
    std::vector<std::pair<uint64_t, int64_t>> order(static_cast<size_t>(n));  // key, node
    parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t v = begin; v < end; ++v) order[v] = {random.u64(id ? id[v] : v, 0), v};
    });
    // Two equal keys of 64 bits: the original id decides, so that the node order does not.
    std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
      if (a.first != b.first) return a.first < b.first;
      return id ? id[a.second] < id[b.second] : a.second < b.second;
    });
    for (int64_t i = 0; i < n; ++i)
      out[order[i].second] = static_cast<int32_t>(static_cast<unsigned __int128>(i) * k / n);
  });
}

int32_t gust_partition_statistics(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                  int32_t value_dtype, int32_t directed, int64_t part, int64_t k, double* out) {
  return guard([&] {
    const int32_t* p = checked_parts("part", part, n, k);
    // Edges and neighbours count alike, so that weights may be anything.
    Graph g = build_graph(source_of(n, indptr, indices, dtype, 0, 0, directed));
    struct Sums {
      int64_t arcs = 0, halo = 0;
      Sums& operator+=(const Sums& o) {
        arcs += o.arcs;
        halo += o.halo;
        return *this;
      }
    };
    Sums sums = parallel_sum<Sums>(n, kGrain, [&](int64_t begin, int64_t end) {
      Sums part_sums;
      std::vector<int64_t> seen(static_cast<size_t>(k), -1);  // last node that is next to the part
      for (int64_t v = begin; v < end; ++v)
        for (const Arc* a = g.begin(static_cast<int32_t>(v)); a != g.end(static_cast<int32_t>(v)); ++a) {
          int32_t q = p[a->node];
          if (q == p[v]) continue;
          ++part_sums.arcs;
          if (seen[q] != v) ++part_sums.halo;
          seen[q] = v;
        }
      return part_sums;
    });
    out[0] = static_cast<double>(sums.arcs / 2);
    out[1] = static_cast<double>(sums.halo);
    // The entries as they are stored: self-loops, duplicates, and the weights as they were given.
    struct Entries {
      double weight = 0;  // between parts
      int64_t inside = 0;
      Entries& operator+=(const Entries& o) {
        weight += o.weight;
        inside += o.inside;
        return *this;
      }
    };
    Entries entries;
    dispatch_index(dtype, [&](auto index) {
      const auto* start = reinterpret_cast<const int64_t*>(indptr);
      const auto* node = reinterpret_cast<const decltype(index)*>(indices);
      with_weights(values, value_dtype, [&](auto&& value) {
        entries = parallel_sum<Entries>(n, kGrain, [&](int64_t begin, int64_t end) {
          Entries chunk;
          for (int64_t v = begin; v < end; ++v)
            for (int64_t e = start[v]; e < start[v + 1]; ++e)
              if (p[node[e]] == p[v]) ++chunk.inside;
              else chunk.weight += value(e);
          return chunk;
        });
      });
    });
    if (!std::isfinite(entries.weight))
      fail(GUST_EDATA, "tensor \"edge_weight\": the weights between parts sum to %g, expected a finite sum", entries.weight);
    // An undirected edge is stored twice.
    out[2] = !values ? out[0] : directed ? entries.weight : entries.weight / 2;
    out[3] = static_cast<double>(entries.inside);
  });
}
