// Rows put in order: the numbers in each row of a block, and once per graph the arcs of its rows by original id.
//
// Rows of a block: a warp per row, each key goes to the place that is the number of smaller ones, count^2 / 32 steps;
// where a row is longer than kMostRanked, one radix sort of all keys with their rows above them.
// Arcs of a graph: pieces of about 2^24 arcs, each sorted by original id and then by row (both stable), a thread per
// arc: O(arcs) time once per sampler, 40 bytes per arc of a piece, 4 bytes per arc of the graph to keep.
#include "../common/status.h"
#include "sample.h"

namespace gust::cuda::sampling {
namespace {

constexpr int64_t kMostRanked = 256;
constexpr int64_t kPieceArcs = int64_t{1} << 24;

template <class Key>
struct RankKeys {
  const int64_t* starts;
  const Key* keys;
  const int64_t* values;
  Key* sorted;
  int64_t* permuted;
  __device__ void operator()(int64_t r) const {
    const int64_t begin = starts[r], count = starts[r + 1] - begin;
    for (int64_t i = lane(); i < count; i += kLanes) {
      const Key key = keys[begin + i];
      int64_t place = begin;
      for (int64_t j = 0; j < count; ++j) {
        const Key other = keys[begin + j];
        place += other < key || (other == key && j < i);
      }
      sorted[place] = key;
      if (values) permuted[place] = values[begin + i];
    }
  }
};

template <class Key>
struct JoinKeys {
  const int64_t* starts;
  const Key* keys;
  int bits;
  uint64_t* joined;
  __device__ void operator()(int64_t r) const {
    for (int64_t i = starts[r] + lane(); i < starts[r + 1]; i += kLanes)
      joined[i] = static_cast<uint64_t>(r) << bits | static_cast<uint64_t>(keys[i]);
  }
};
template <class Key>
struct SplitKeys {
  const uint64_t* joined;
  int bits;
  Key* keys;
  __device__ void operator()(int64_t i) const { keys[i] = static_cast<Key>(joined[i] & ((uint64_t{1} << bits) - 1)); }
};

/** Arcs `begin` .. of a graph, and the original ids of their sources. */
template <class I>
struct KeyArcs {
  GraphView<I> graph;
  int64_t begin;
  uint64_t* keys;
  int64_t* arcs;
  Found* found;
  __device__ void operator()(int64_t i) const {
    const int64_t u = graph.source(begin + i);
    const bool is_inside = graph.has(u);
    if (!is_inside) found_at(&found->arc, begin + i);
    keys[i] = is_inside ? graph.id(u) : 0;
    arcs[i] = begin + i;
  }
};
/** The row of each arc, among `rows` rows. */
struct RowsOfArcs {
  const int64_t *indptr, *arcs;
  int64_t rows;
  uint64_t* keys;
  __device__ void operator()(int64_t i) const { keys[i] = static_cast<uint64_t>(batch_at(indptr, rows, arcs[i])); }
};
struct PlacesInRows {
  const int64_t *indptr, *arcs;
  const uint64_t* rows;
  uint32_t* places;
  __device__ void operator()(int64_t i) const { places[i] = static_cast<uint32_t>(arcs[i] - indptr[rows[i]]); }
};

/** Rows first .. end - 1, of which arcs begin .. begin + count - 1 are all. */
template <class I>
void order_piece(const std::shared_ptr<Pool>& pool, const GraphView<I>& graph, int64_t first, int64_t end,
                 int64_t begin, int64_t count, uint32_t* places, Found* found) {
  const int64_t rows = end - first, *indptr = graph.indptr + first;
  Buffer<uint64_t> keys(pool, count), sorted(pool, count);
  Buffer<int64_t> arcs(pool, count), permuted(pool, count);
  Scratch scratch(pool);
  each(count, KeyArcs<I>{graph, begin, keys.data(), arcs.data(), found});
  sort_pairs(scratch, keys.data(), sorted.data(), arcs.data(), permuted.data(), count);
  each(count, RowsOfArcs{indptr, permuted.data(), rows, keys.data()});
  sort_pairs(scratch, keys.data(), sorted.data(), permuted.data(), arcs.data(), count, bits_for(rows));
  each(count, PlacesInRows{indptr, arcs.data(), sorted.data(), places});
}

}  // namespace

template <class Key>
void order_rows(const std::shared_ptr<Pool>& pool, int64_t rows, const int64_t* starts, int64_t arcs, int64_t longest,
                int bits, const Key* keys, const int64_t* values, Key* sorted, int64_t* permuted) {
  if (arcs == 0) return;
  if (longest <= kMostRanked) return each_warp(rows, RankKeys<Key>{starts, keys, values, sorted, permuted});
  const int all_bits = bits + bits_for(rows);
  if (all_bits > 64) fail(GUST_EINVAL, "batches of %lld nodes at once: make the batches smaller", ll(rows));
  Buffer<uint64_t> joined(pool, arcs), ordered(pool, arcs);
  Buffer<int64_t> unused(pool, values ? 0 : arcs);
  Scratch scratch(pool);
  each_warp(rows, JoinKeys<Key>{starts, keys, bits, joined.data()});
  // Without values the keys are sorted beside themselves.
  sort_pairs(scratch, joined.data(), ordered.data(), values ? values : reinterpret_cast<const int64_t*>(joined.data()),
             values ? permuted : unused.data(), arcs, all_bits);
  each(arcs, SplitKeys<Key>{ordered.data(), bits, sorted});
}
template void order_rows(const std::shared_ptr<Pool>&, int64_t, const int64_t*, int64_t, int64_t, int, const int32_t*,
                         const int64_t*, int32_t*, int64_t*);
template void order_rows(const std::shared_ptr<Pool>&, int64_t, const int64_t*, int64_t, int64_t, int, const int64_t*,
                         const int64_t*, int64_t*, int64_t*);

template <class I>
Buffer<uint32_t> order_arcs(const std::shared_ptr<Pool>& pool, GraphView<I>& graph) {
  Buffer<uint32_t> by_id(pool, graph.num_edges);
  std::vector<int64_t> indptr(static_cast<size_t>(graph.num_nodes + 1));
  device::copy(indptr.data(), graph.indptr, 8 * (graph.num_nodes + 1));
  for (int64_t v = 0; v < graph.num_nodes; ++v)
    if (indptr[v] < 0 || indptr[v] > indptr[v + 1] || indptr[v + 1] > graph.num_edges) fail_row(graph, v);
  const auto for_now = std::make_shared<Pool>();
  const Progress progress(for_now, 0);
  for (int64_t first = 0, end; first < graph.num_nodes; first = end) {
    const int64_t begin = indptr[first];
    for (end = first + 1; end < graph.num_nodes && indptr[end + 1] - begin <= kPieceArcs;) ++end;
    const int64_t count = indptr[end] - begin;
    if (count > UINT32_MAX)  // the row of one node
      fail(GUST_EINVAL, "node %lld has %lld in-neighbours, expected fewer than 2^32 where ids are in another order",
           ll(first), ll(count));
    if (count > 0) order_piece(for_now, graph, first, end, begin, count, by_id.data() + begin, progress.found());
  }
  graph.is_damaged = progress.see().found.arc != 0;
  return by_id;
}
template Buffer<uint32_t> order_arcs(const std::shared_ptr<Pool>&, GraphView<int32_t>&);
template Buffer<uint32_t> order_arcs(const std::shared_ptr<Pool>&, GraphView<int64_t>&);

}  // namespace gust::cuda::sampling
