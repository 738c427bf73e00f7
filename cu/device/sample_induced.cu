// Induced subgraphs: A[B, B] for each batch of nodes B, every arc between two of its nodes kept, as
// cu/host/sample_induced.cpp does it.
//
// Nodes are sorted by original id (stable radix sorts by number, id and batch), then each row counts and keeps the arcs
// whose sources a table of (batch, node) has: a warp per row with an arc per lane. Rows that come out in another order
// than that of positions are put in order. Cost: O(sum of degrees of B) look-ups twice, O(|B| + kept) memory.
#include "../include/gust.h"
#include "../common/status.h"
#include "sample.h"

using namespace gust;
using namespace gust::cuda;
using namespace gust::cuda::sampling;

namespace {

/** Places 0 .. n-1; finds nodes that are out of range. */
struct Begin {
  const int64_t* nodes;
  int64_t num_nodes;
  int64_t* places;
  Found* found;
  __device__ void operator()(int64_t i) const {
    places[i] = i;
    if (static_cast<uint64_t>(nodes[i]) >= static_cast<uint64_t>(num_nodes)) found_at(&found->node, i);
  }
};

struct ByBatch {
  const int64_t* node_ptr;
  int64_t batches;
  __device__ uint64_t operator()(int64_t, int64_t place) const {
    return static_cast<uint64_t>(batch_at(node_ptr, batches, place));
  }
};
struct ByNumber {
  __device__ uint64_t operator()(int64_t v, int64_t) const { return static_cast<uint64_t>(v); }
};
struct ByBatchAndNumber {
  ByBatch batch;
  int64_t num_nodes;
  __device__ uint64_t operator()(int64_t v, int64_t place) const {
    return batch(v, place) * static_cast<uint64_t>(num_nodes) + static_cast<uint64_t>(v);
  }
};
template <class I>
struct ById {
  GraphView<I> graph;
  __device__ uint64_t operator()(int64_t v, int64_t) const { return graph.has(v) ? graph.id(v) : 0; }
};

template <class F>
struct Keys {
  F key_of;
  const int64_t *nodes, *places;
  uint64_t* keys;
  __device__ void operator()(int64_t i) const { keys[i] = key_of(nodes[places[i]], places[i]); }
};

/** The nodes in their order; finds those that are equal to the one before. */
struct Put {
  const int64_t *nodes, *places, *node_ptr;
  int64_t batches;
  int64_t* ordered;
  Found* found;
  __device__ void operator()(int64_t i) const {
    const int64_t v = nodes[places[i]];
    ordered[i] = v;
    if (i > 0 && nodes[places[i - 1]] == v && batch_at(node_ptr, batches, i - 1) == batch_at(node_ptr, batches, i))
      found_at(&found->twice, i);
  }
};

template <class I>
struct Rows {
  GraphView<I> graph;
  const int64_t *nodes, *node_ptr;
  int64_t batches;
  Table table;
  Found* found;
};

template <class I>
struct CountKept {
  Rows<I> rows;
  int64_t* counts;
  __device__ void operator()(int64_t r) const {
    const GraphView<I>& graph = rows.graph;
    Row row{0, 0};
    if (graph.has(rows.nodes[r])) row = graph.row(rows.nodes[r]);
    if (!graph.is_sound(row)) {
      found_at(&rows.found->row, r);
      row = {0, 0};
    }
    const int64_t batch = batch_at(rows.node_ptr, rows.batches, r);
    int64_t count = 0;
    for (int64_t e = row.begin + lane(); e < row.end; e += kLanes) {
      const int64_t u = graph.source(e);
      if (graph.has(u)) count += rows.table.find(batch, u) >= 0;
      else found_at(&rows.found->row, r);
    }
    count = warp_sum(count);
    if (lane() != 0) return;
    counts[r] = count;
    atomicMax(&rows.found->longest, static_cast<Word>(count));
  }
};

struct ArcPointers {
  const int64_t *starts, *node_ptr;
  int64_t* arc_ptr;
  __device__ void operator()(int64_t b) const { arc_ptr[b] = starts[node_ptr[b]]; }
};

/** The arcs that are kept, in the order of the graph's row. */
template <class I>
struct Keep {
  Rows<I> rows;
  const int64_t* starts;
  int32_t* positions;
  int64_t* arcs;
  __device__ void operator()(int64_t r) const {
    const Row row = rows.graph.row(rows.nodes[r]);
    const int64_t batch = batch_at(rows.node_ptr, rows.batches, r), first = rows.node_ptr[batch];
    int64_t to = starts[r];
    for (int64_t at = row.begin; at < row.end; at += kLanes) {
      const int64_t e = at + lane(), place = e < row.end ? rows.table.find(batch, rows.graph.source(e)) : -1;
      const unsigned kept = __ballot_sync(kAllLanes, place >= 0);
      if (place >= 0) {
        const int64_t mine = to + __popc(kept & ((1u << lane()) - 1));
        positions[mine] = static_cast<int32_t>(place - first);
        if (arcs) arcs[mine] = e;
      }
      to += __popc(kept);
    }
    __syncwarp();
    for (int64_t i = starts[r] + 1 + lane(); i < to; i += kLanes)
      if (positions[i - 1] > positions[i]) atomicMax(&rows.found->unordered, Word{1});
  }
};

template <class I>
class InducedSampler {
 public:
  InducedSampler(const Sampler& sampler, const GraphView<I>& graph, Batches& batches)
      : sampler_(sampler), pool_(sampler.pool), graph_(graph), batches_(batches), progress_(pool_, batches.count) {}

  void run(const int64_t* nodes, const int64_t* node_ptr) {
    std::vector<int64_t> ptr(node_ptr, node_ptr + batches_.count + 1);
    for (int64_t& at : ptr) at -= node_ptr[0];
    check_batch_sizes(ptr);
    count_ = ptr.back();
    device::copy(progress_.node_ptr(), ptr.data(), 8 * (batches_.count + 1));
    given_ = Buffer<int64_t>(pool_, count_);
    given_.write(nodes + node_ptr[0], count_);
    batches_.nodes = ordered();
    const int64_t* node = batches_.nodes.data();

    const OwnedTable owned(pool_, count_, batches_.count, graph_.num_nodes);
    insert_nodes(owned.table, count_, node, progress_.node_ptr(), batches_.count, nullptr);
    const Rows<I> rows{graph_, node, progress_.node_ptr(), batches_.count, owned.table, progress_.found()};
    Buffer<int64_t> starts(pool_, count_ + 1);
    device::clear(reinterpret_cast<char*>(starts.data() + count_), 8);
    each_warp(count_, CountKept<I>{rows, starts.data()});
    Scratch scratch(pool_);
    exclusive_sum(scratch, starts.data(), starts.data(), count_ + 1);
    each(batches_.count + 1, ArcPointers{starts.data(), progress_.node_ptr(), progress_.arc_ptr()});
    const Progress::Seen seen = progress_.see();
    check(seen.found);
    batches_.node_ptr.push_back(seen.node_ptr);

    Block& block = batches_.blocks[0];
    block = make_block(sampler_, progress_, seen, starts.data());
    each_warp(count_, Keep<I>{rows, starts.data(), block.indices.data(), block.edges.data()});
    if (progress_.see().found.unordered == 0) return;
    Buffer<int32_t> indices(pool_, block.indices.size());
    Buffer<int64_t> edges(pool_, block.edges.size());
    order_rows(pool_, count_, starts.data(), seen.arc_ptr.back(), static_cast<int64_t>(seen.found.longest), 31,
               block.indices.data(), sampler_.keeps_edges ? block.edges.data() : nullptr, indices.data(), edges.data());
    block.indices = std::move(indices);
    block.edges = std::move(edges);
  }

 private:
  /** The nodes of each batch by original id, and of equal ids by number. */
  Buffer<int64_t> ordered() {
    Buffer<int64_t> places(pool_, count_), sorted(pool_, count_), nodes(pool_, count_);
    const Buffer<uint64_t> keys(pool_, count_), sorted_keys(pool_, count_);
    each(count_, Begin{given_.data(), graph_.num_nodes, places.data(), progress_.found()});
    const auto sort_by = [&](auto key_of, int bits) {
      Scratch scratch(pool_);
      each(count_, Keys<decltype(key_of)>{key_of, given_.data(), places.data(), keys.data()});
      sort_pairs(scratch, keys.data(), sorted_keys.data(), places.data(), sorted.data(), count_, bits);
      std::swap(places, sorted);
    };
    const ByBatch by_batch{progress_.node_ptr(), batches_.count};
    if (count_ > 0 && sampler_.ids_rise) {
      sort_by(ByBatchAndNumber{by_batch, graph_.num_nodes}, 64);
    } else if (count_ > 0) {
      sort_by(ByNumber{}, bits_for(graph_.num_nodes));
      sort_by(ById<I>{graph_}, 64);
      if (batches_.count > 1) sort_by(by_batch, bits_for(batches_.count));
    }
    each(count_,
         Put{given_.data(), places.data(), progress_.node_ptr(), batches_.count, nodes.data(), progress_.found()});
    return nodes;
  }

  void check(const Found& found) const {
    const int64_t node = place_of(found.node), twice = place_of(found.twice), row = place_of(found.row);
    const auto batch_of = [&](int64_t place) {
      std::vector<int64_t> ptr(static_cast<size_t>(batches_.count + 1));
      device::copy(ptr.data(), progress_.node_ptr(), 8 * (batches_.count + 1));
      return std::upper_bound(ptr.begin(), ptr.end(), place) - ptr.begin();
    };
    // A batch is looked through for nodes out of range before it is put in order.
    if (node >= 0 && (twice < 0 || batch_of(node) <= batch_of(twice)))
      fail_node(given_.at(node), graph_.num_nodes);
    if (twice >= 0) fail_twice(batches_.nodes.at(twice));
    if (row >= 0) fail_row(graph_, batches_.nodes.at(row));
  }

  const Sampler& sampler_;
  const std::shared_ptr<Pool>& pool_;
  const GraphView<I>& graph_;
  Batches& batches_;
  Progress progress_;
  int64_t count_ = 0;
  Buffer<int64_t> given_;  // nodes as they came
};

}  // namespace

int32_t gust_sample_induced(int64_t sampler, int64_t nodes, const int64_t* node_ptr, int64_t num_batches,
                            int64_t* out) {
  return guard([&] {
    const auto& s = *reinterpret_cast<Sampler*>(sampler);
    auto batches = std::make_unique<Batches>(s.pool, num_batches, 0);
    s.dispatch([&](const auto& graph) {
      InducedSampler work(s, graph, *batches);
      work.run(reinterpret_cast<const int64_t*>(nodes), node_ptr);
    });
    out[0] = reinterpret_cast<int64_t>(batches.release());
  });
}
