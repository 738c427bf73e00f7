// The undirected simple graph that is partitioned, out of any CSR matrix.
//
// A matrix that already is one (rows ascending, no diagonal, symmetric) is copied. Any other is transposed
// twice, which sorts its rows, and then every row is merged with the row of the transpose: row v of the
// result holds the nodes that v has an arc from or to.
#include <cmath>

#include "partition.h"

namespace gust::partition {
namespace {

// Sum of all edge weights, so that sums over a node's edges fit an int32.
constexpr double kMaxTotal = 1 << 30;

/** Arcs grouped by row; weight is empty where all weigh the same. */
struct Rows {
  Array<int64_t> indptr;
  Array<int32_t> node;
  Array<double> weight;
};

template <class I>
struct Reader {
  const Source& s;
  const I* indices;

  int32_t node(int64_t e) const { return static_cast<int32_t>(indices[e]); }
  double weight(int64_t e) const {
    return s.value_dtype == GUST_F64 ? static_cast<const double*>(s.values)[e]
                                     : static_cast<double>(static_cast<const float*>(s.values)[e]);
  }
  void check() const {
    for (int64_t e = 0; e < s.indptr[s.n]; ++e) {
      if (indices[e] < 0 || static_cast<int64_t>(indices[e]) >= s.n)
        fail(GUST_EDATA, "tensor \"indices\" holds node %lld at position %lld, expected ids below %lld",
             static_cast<long long>(indices[e]), static_cast<long long>(e), static_cast<long long>(s.n));
      if (s.values && !(weight(e) >= 0 && std::isfinite(weight(e))))
        fail(GUST_EDATA, "tensor \"edge_weight\" holds %g at position %lld, expected finite weights of at least 0",
             weight(e), static_cast<long long>(e));
    }
  }
  /** Whether the matrix is the graph already. Reverse arcs come in order: a cursor per row meets each of them. */
  bool is_undirected() const {
    if (s.values && s.directed) return false;
    Array<int64_t> next(s.n);
    std::copy(s.indptr, s.indptr + s.n, next.begin());
    for (int32_t v = 0; v < s.n; ++v)
      for (int64_t e = s.indptr[v]; e < s.indptr[v + 1]; ++e) {
        const int32_t u = node(e);
        if (u == v || (e > s.indptr[v] && node(e - 1) >= u)) return false;
        const int64_t reverse = next[u]++;
        if (reverse >= s.indptr[u + 1] || node(reverse) != v) return false;
        if (s.values && weight(reverse) != weight(e)) return false;
      }
    return true;
  }
};

/** The transpose of n rows; `node(e)` and `weight(e)` read arc e. Its rows ascend. */
template <class Node, class Weight>
Rows transpose(int64_t n, const int64_t* indptr, bool weighted, Node&& node, Weight&& weight) {
  Rows t{Array<int64_t>(n + 1, 0), Array<int32_t>(indptr[n]), Array<double>(weighted ? indptr[n] : 0)};
  for (int64_t e = 0; e < indptr[n]; ++e) ++t.indptr[node(e)];
  exclusive_scan(t.indptr.data(), n);
  Array<int64_t> next(n);
  std::copy(t.indptr.begin(), t.indptr.begin() + n, next.begin());
  for (int32_t v = 0; v < n; ++v)
    for (int64_t e = indptr[v]; e < indptr[v + 1]; ++e) {
      const int64_t at = next[node(e)]++;
      t.node[at] = v;
      if (weighted) t.weight[at] = weight(e);
    }
  return t;
}

/** Rows v of a and b merged, v itself left out: call out(node, weight in a + weight in b) once per neighbour. */
template <class Out>
void merge_row(const Rows& a, const Rows& b, int32_t v, bool weighted, Out&& out) {
  int64_t i = a.indptr[v], j = b.indptr[v];
  const int64_t i_end = a.indptr[v + 1], j_end = b.indptr[v + 1];
  while (i < i_end || j < j_end) {
    const int32_t node = i == i_end ? b.node[j] : j == j_end ? a.node[i] : std::min(a.node[i], b.node[j]);
    double in = 0, back = 0;
    for (; i < i_end && a.node[i] == node; ++i) in += weighted ? a.weight[i] : 0;
    for (; j < j_end && b.node[j] == node; ++j) back += weighted ? b.weight[j] : 0;
    if (node != v) out(node, in + back);
  }
}

/** Both directions of every edge, weights added up (halved where the matrix should be symmetric). */
template <class I>
Rows merged(const Reader<I>& reader) {
  const Source& s = reader.s;
  const bool weighted = s.values != nullptr;
  const Rows t = transpose(s.n, s.indptr, weighted, [&](int64_t e) { return reader.node(e); },
                           [&](int64_t e) { return reader.weight(e); });
  const Rows a = transpose(s.n, t.indptr.data(), weighted, [&](int64_t e) { return t.node[e]; },
                           [&](int64_t e) { return t.weight[e]; });
  Rows out;
  out.indptr = Array<int64_t>(s.n + 1, 0);
  parallel_for(s.n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v)
      merge_row(a, t, static_cast<int32_t>(v), false, [&](int32_t, double) { ++out.indptr[v]; });
  });
  exclusive_scan(out.indptr.data(), s.n);
  out.node = Array<int32_t>(out.indptr[s.n]);
  out.weight = Array<double>(weighted ? out.indptr[s.n] : 0);
  parallel_for(s.n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) {
      int64_t at = out.indptr[v];
      merge_row(a, t, static_cast<int32_t>(v), weighted, [&](int32_t node, double weight) {
        out.node[at] = node;
        if (weighted) out.weight[at] = s.directed ? weight : weight / 2;
        ++at;
      });
    }
  });
  return out;
}

/** What weights are multiplied by to become integers: 1 where they are whole and small, else a power of two. */
template <class Weight>
double scale_of(int64_t arcs, Weight&& weight) {
  double total = 0;
  bool whole = true;
  for (int64_t e = 0; e < arcs; ++e) {
    const double w = weight(e);
    whole &= w == std::floor(w);
    total += w / 2;  // each edge is there twice
  }
  if (whole && total <= kMaxTotal) return 1;
  if (!(total > 0)) return 1;
  int exponent;
  std::frexp(kMaxTotal / total, &exponent);
  return std::ldexp(1.0, exponent - 1);
}

template <class Node, class Weight>
Graph assemble(int64_t n, const int64_t* indptr, bool weighted, Node&& node, Weight&& weight) {
  const int64_t arcs = indptr[n];
  if (static_cast<double>(arcs) / 2 >= kMaxTotal)
    fail(GUST_ENOSYS, "%lld edges to partition, expected fewer than 2^30", static_cast<long long>(arcs / 2));
  Graph g;
  g.n = static_cast<int32_t>(n);
  g.indptr = Array<int64_t>(n + 1);
  std::copy(indptr, indptr + n + 1, g.indptr.begin());
  g.arcs = Array<Arc>(arcs);
  const double scale = weighted ? scale_of(arcs, weight) : 1;
  parallel_for(arcs, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t e = begin; e < end; ++e)
      g.arcs[e] = {node(e), weighted ? std::max(1, static_cast<int32_t>(weight(e) * scale + 0.5)) : 1};
  });
  g.node_weight = Array<int32_t>(n, 1);
  g.weigh();
  return g;
}

template <class I>
Graph build(const Source& s) {
  const Reader<I> reader{s, static_cast<const I*>(s.indices)};
  reader.check();
  const bool weighted = s.values != nullptr;
  if (reader.is_undirected())
    return assemble(s.n, s.indptr, weighted, [&](int64_t e) { return reader.node(e); },
                    [&](int64_t e) { return reader.weight(e); });
  const Rows rows = merged(reader);
  return assemble(s.n, rows.indptr.data(), weighted, [&](int64_t e) { return rows.node[e]; },
                  [&](int64_t e) { return rows.weight[e]; });
}

}  // namespace

Graph build_graph(const Source& source) {
  if (source.n >= INT32_MAX)
    fail(GUST_ENOSYS, "%lld nodes to partition, expected fewer than 2^31 - 1", static_cast<long long>(source.n));
  Graph graph;
  dispatch_index(source.index_dtype, [&](auto tag) { graph = build<decltype(tag)>(source); });
  return graph;
}

}  // namespace gust::partition
