// Partitions of edges (vertex cuts): a node is wherever one of its edges is.
//
//   degree-based hashing  an edge goes where the hash of its end of lower degree says      Xie et al. 2014, NeurIPS
//   high-degree replicated first   an edge goes to the part of the best score             Petroni et al. 2015, CIKM
//
//     score(p) = g(u, p) + g(v, p) + lambda * (most - size(p)) / (1 + most - least)
//     g(u, p)  = 1 + (1 - degree(u) / (degree(u) + degree(v))) where u is in p already, else 0
//
// with the degrees seen so far, this edge among them. Here a part that holds `limit` edges takes no more; degree-based
// hashing has no limit. Ties go to the smaller part, then the lower.
//
// An undirected matrix holds every edge twice: it is placed when the row of its lower end comes, and the other copy
// follows, so that both are in one part. Rows are read in order. Memory beyond the matrix and the result: O(n + k), and
// a bit per node and part for the parts of a node.
#include "../include/gust.h"
#include "partition.h"

namespace gust::partition {
namespace {

/** Which parts every node is in. */
class Places {
 public:
  Places(int64_t n, int64_t k) : words_((k + 63) / 64), bits_(n * words_, 0) {}
  bool has(int64_t v, int32_t p) const { return bits_[v * words_ + p / 64] >> (p % 64) & 1; }
  void add(int64_t v, int32_t p) { bits_[v * words_ + p / 64] |= uint64_t{1} << (p % 64); }
  /** Call f(part) for each part of a node. */
  template <class F>
  void each(int64_t v, F&& f) const {
    for (int64_t w = 0; w < words_; ++w)
      for (uint64_t bits = bits_[v * words_ + w]; bits; bits &= bits - 1)
        f(static_cast<int32_t>(64 * w + __builtin_ctzll(bits)));
  }

 private:
  int64_t words_;
  Array<uint64_t> bits_;
};

/** A matrix whose edges are placed. */
template <class I>
struct Rows {
  int64_t n;
  const int64_t* indptr;
  const I* indices;
  bool directed;

  /** Whether arc e of row v is the copy of an edge that a lower row has. */
  bool is_copy(int64_t v, int64_t e) const { return !directed && static_cast<int64_t>(indices[e]) < v; }
};

/** In row order call edge(v, u, e) for each edge and copy(v, u, e, at) for each copy, `at` being the arc of the edge. */
template <class I, class Edge, class Copy>
void each_edge(const Rows<I>& rows, Edge&& edge, Copy&& copy) {
  Array<int64_t> next(rows.directed ? 0 : rows.n);  // the first upper arc of a row whose copy has not come
  for (int64_t v = 0; v < rows.n; ++v) {
    if (!rows.directed) next[v] = rows.indptr[v];
    for (int64_t e = rows.indptr[v]; e < rows.indptr[v + 1]; ++e) {
      const auto u = static_cast<int64_t>(rows.indices[e]);
      if (!rows.is_copy(v, e)) {
        edge(v, u, e);
        continue;
      }
      // In a sorted row the copies come in order; in any other the arc is looked for.
      int64_t at = next[u];
      const int64_t end = rows.indptr[u + 1];
      while (at < end && static_cast<int64_t>(rows.indices[at]) <= u) ++at;
      if (at < end && static_cast<int64_t>(rows.indices[at]) == v) {
        next[u] = at + 1;
      } else {
        at = rows.indptr[u];
        while (at < end && static_cast<int64_t>(rows.indices[at]) != v) ++at;
        if (at == end)
          fail(GUST_EDATA,
               "tensor \"indices\": row %lld holds %lld, but row %lld does not hold %lld, in an undirected graph",
               static_cast<long long>(v), static_cast<long long>(u), static_cast<long long>(u),
               static_cast<long long>(v));
      }
      copy(v, u, e, at);
    }
  }
}

/** Call place(v, u) for each edge in row order, and give both copies its part. */
template <class I, class Place>
void place_all(const Rows<I>& rows, int32_t* part, Place&& place) {
  each_edge(
      rows, [&](int64_t v, int64_t u, int64_t e) { part[e] = place(v, u); },
      [&](int64_t, int64_t, int64_t e, int64_t at) { part[e] = part[at]; });
}

template <class I>
void hash_by_degree(const Rows<I>& rows, const int64_t* ids, int32_t k, const Random& random, int32_t* part) {
  Array<int64_t> degree(rows.n, 0);
  for (int64_t v = 0; v < rows.n; ++v) {
    degree[v] += rows.indptr[v + 1] - rows.indptr[v];
    if (rows.directed)
      for (int64_t e = rows.indptr[v]; e < rows.indptr[v + 1]; ++e) ++degree[rows.indices[e]];
  }
  const auto id = [&](int64_t v) { return ids ? ids[v] : v; };
  place_all(rows, part, [&](int64_t v, int64_t u) {
    const bool other = degree[u] != degree[v] ? degree[u] < degree[v] : id(u) < id(v);
    return static_cast<int32_t>(random.below(id(other ? u : v), 0, static_cast<uint64_t>(k)));
  });
}

template <class I>
void replicate_hubs(const Rows<I>& rows, int32_t k, double lambda, int64_t limit, int32_t* part) {
  Array<int64_t> degree(rows.n, 0), size(k, 0);
  Places places(rows.n, k);
  place_all(rows, part, [&](int64_t v, int64_t u) {
    ++degree[v];
    ++degree[u];
    int64_t most = 0, least = INT64_MAX;
    for (int32_t p = 0; p < k; ++p) {
      most = std::max(most, size[p]);
      least = std::min(least, size[p]);
    }
    const auto dv = static_cast<double>(degree[v]), du = static_cast<double>(degree[u]);
    int32_t best = -1;
    double top = 0;
    for (int32_t p = 0; p < k; ++p) {
      if (size[p] >= limit) continue;
      double score = lambda * static_cast<double>(most - size[p]) / static_cast<double>(1 + most - least);
      if (places.has(v, p)) score += 2 - dv / (dv + du);
      if (places.has(u, p)) score += 2 - du / (dv + du);
      if (best < 0 || score > top || (score == top && size[p] < size[best])) {
        best = p;
        top = score;
      }
    }
    ++size[best];
    places.add(v, best);
    places.add(u, best);
    return best;
  });
}

}  // namespace
}  // namespace gust::partition

using namespace gust;
using namespace gust::partition;

int32_t gust_partition_edges(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int32_t directed, int64_t ids,
                             int64_t k, int32_t hdrf, double lambda, double imbalance, int64_t seed,
                             int64_t part) {
  return guard([&] {
    dispatch_index(dtype, [&](auto index) {
      const Rows<decltype(index)> rows{n, reinterpret_cast<const int64_t*>(indptr),
                                       reinterpret_cast<const decltype(index)*>(indices), directed != 0};
      auto* out = reinterpret_cast<int32_t*>(part);
      if (hdrf) {
        int64_t edges = 0;
        for (int64_t v = 0; v < n; ++v)
          for (int64_t e = rows.indptr[v]; e < rows.indptr[v + 1]; ++e) edges += !rows.is_copy(v, e);
        const int64_t limit = part_limit(edges, static_cast<int32_t>(k), imbalance);
        return replicate_hubs(rows, static_cast<int32_t>(k), lambda, limit, out);
      }
      const Random random(static_cast<uint64_t>(seed), stream_id("partition"), 0, 0, 0);
      hash_by_degree(rows, reinterpret_cast<const int64_t*>(ids), static_cast<int32_t>(k), random, out);
    });
  });
}

int32_t gust_partition_edge_statistics(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int32_t directed,
                                       int64_t part, int64_t k, int64_t sizes, int64_t* out) {
  return guard([&] {
    dispatch_index(dtype, [&](auto index) {
      const Rows<decltype(index)> rows{n, reinterpret_cast<const int64_t*>(indptr),
                                       reinterpret_cast<const decltype(index)*>(indices), directed != 0};
      const int32_t* p = checked_parts("edge_part", part, rows.indptr[n], k);
      auto* edges = reinterpret_cast<int64_t*>(sizes);
      auto* nodes = edges + k;
      std::fill(edges, edges + 2 * k, 0);
      Places places(n, k);
      each_edge(
          rows,
          [&](int64_t v, int64_t u, int64_t e) {
            ++edges[p[e]];
            places.add(v, p[e]);
            places.add(u, p[e]);
          },
          [&](int64_t v, int64_t u, int64_t e, int64_t at) {
            if (p[e] != p[at])
              fail(GUST_EDATA, "tensor \"edge_part\" puts arc %lld -> %lld into part %d, but %lld -> %lld into part %d",
                   static_cast<long long>(v), static_cast<long long>(u), p[e], static_cast<long long>(u),
                   static_cast<long long>(v), p[at]);
          });
      out[0] = out[1] = 0;
      for (int64_t v = 0; v < n; ++v) {
        int64_t count = 0;
        places.each(v, [&](int32_t q) {
          ++nodes[q];
          ++count;
        });
        out[0] += count > 0;
        out[1] += count > 1;
      }
    });
  });
}
