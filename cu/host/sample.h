// What the samplers share: a checked view of a graph, the numbering of a batch's nodes, and finished batches.
//
// Every decision is made on integers keyed by original ids (cu/common/rng.h), in the order of original ids, so that a
// sample depends neither on threads nor on how the nodes are numbered in the file.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "../common/dtype.h"
#include "../common/parallel.h"
#include "../common/rng.h"
#include "../common/status.h"

namespace gust::sampling {

inline long long ll(int64_t x) { return x; }

/** A CSR graph in memory that may come from any file: rows and columns are checked where they are read. */
template <class I>
struct GraphView {
  int64_t num_nodes, num_edges;
  const int64_t* indptr;
  const I* indices;
  const int64_t* ids;  // original ids, or null: the node numbers
  bool in_id_order;    // rows are sampled in the order they are stored in

  uint64_t id(int64_t v) const { return static_cast<uint64_t>(ids ? ids[v] : v); }

  /** Node v, which came from a file, as a row. */
  void check_node(int64_t v) const {
    if (static_cast<uint64_t>(v) >= static_cast<uint64_t>(num_nodes)) [[unlikely]]
      fail(GUST_EDATA, "node %lld, expected numbers below num_nodes = %lld", ll(v), ll(num_nodes));
  }
  struct Row {
    int64_t begin, end;
    int64_t size() const { return end - begin; }
  };
  Row row(int64_t v) const {
    const int64_t begin = indptr[v], end = indptr[v + 1];
    if (begin < 0 || begin > end || end > num_edges) [[unlikely]]
      fail(GUST_EDATA, "tensor \"indptr\": row %lld is %lld .. %lld, expected a rising range inside 0 .. %lld", ll(v),
           ll(begin), ll(end), ll(num_edges));
    return {begin, end};
  }
  int64_t source(int64_t edge) const {
    const int64_t u = indices[edge];
    if (static_cast<uint64_t>(u) >= static_cast<uint64_t>(num_nodes)) [[unlikely]]
      fail(GUST_EDATA, "tensor \"indices\" holds node %lld at position %lld, expected numbers below num_nodes = %lld",
           ll(u), ll(edge), ll(num_nodes));
    return u;
  }
};

/** One hop's bipartite CSR: indptr starts at 0, indices are positions in the batch's nodes, ascending in each row. */
struct Block {
  std::vector<int64_t> indptr;
  std::vector<int32_t> indices;
  std::vector<int64_t> edges;  // arc numbers in the graph, kept where they are asked for
};

struct Batch {
  std::vector<int64_t> nodes;   // seeds first, then by hop of discovery
  std::vector<int64_t> levels;  // nodes within h hops, for h = 0 .. hops (one entry for a square subgraph)
  std::vector<Block> blocks;
};

/**
 * Position of each node of a batch. A direct table where it is small enough to stay near the processor, else a hash
 * table of the batch's size: both give the same positions.
 */
class NodeMap {
 public:
  static constexpr int64_t kDirectNodes = int64_t{1} << 22;  // 16 MiB per worker

  explicit NodeMap(int64_t num_nodes) : direct_(num_nodes <= kDirectNodes) {
    if (direct_) position_.assign(static_cast<size_t>(num_nodes), -1);
    else resize(1024);
  }

  void prefetch(int64_t v) const {
    if (direct_) __builtin_prefetch(position_.data() + v, 1);
    else __builtin_prefetch(keys_.data() + slot(v), 1);
  }
  /** Position of v, or -1. */
  int32_t find(int64_t v) const {
    if (direct_) return position_[v];
    for (uint64_t i = slot(v);; i = (i + 1) & mask_) {
      if (keys_[i] == v) return position_[i];
      if (keys_[i] < 0) return -1;
    }
  }
  /** Position of v: `next`, from now on, if it had none. */
  int32_t insert(int64_t v, int32_t next) {
    if (direct_) {
      if (position_[v] < 0) position_[v] = next;
      return position_[v];
    }
    if (2 * (used_ + 1) > mask_ + 1) grow();
    uint64_t i = slot(v);
    for (; keys_[i] >= 0; i = (i + 1) & mask_)
      if (keys_[i] == v) return position_[i];
    keys_[i] = v;
    position_[i] = next;
    ++used_;
    return next;
  }
  /** Forget all; `nodes` holds what was inserted. */
  void clear(const std::vector<int64_t>& nodes) {
    if (direct_) {
      for (int64_t v : nodes) position_[v] = -1;
    } else {
      std::fill(keys_.begin(), keys_.end(), -1);
      used_ = 0;
    }
  }

 private:
  uint64_t slot(int64_t v) const { return (static_cast<uint64_t>(v) * 0x9e3779b97f4a7c15ull >> 20) & mask_; }
  void resize(uint64_t size) {
    keys_.assign(size, -1);
    position_.assign(size, -1);
    mask_ = size - 1;
  }
  void grow() {
    std::vector<int64_t> keys = std::move(keys_);
    std::vector<int32_t> position = std::move(position_);
    resize(2 * (mask_ + 1));
    for (size_t i = 0; i < keys.size(); ++i) {
      if (keys[i] < 0) continue;
      uint64_t to = slot(keys[i]);
      while (keys_[to] >= 0) to = (to + 1) & mask_;
      keys_[to] = keys[i];
      position_[to] = position[i];
    }
  }

  bool direct_;
  std::vector<int32_t> position_;  // by node, or beside keys_
  std::vector<int64_t> keys_;
  uint64_t mask_ = 0, used_ = 0;
};

/** Node maps handed from batch to batch: making one costs more than a small batch. */
class MapPool {
 public:
  explicit MapPool(int64_t num_nodes) : num_nodes_(num_nodes) {}

  /** Run body(map) with an empty map; `nodes()` gives what it inserted. A map whose body failed is dropped. */
  template <class Body>
  void with(Batch& batch, Body&& body) {
    std::unique_ptr<NodeMap> map;
    {
      std::lock_guard<std::mutex> hold(lock_);
      if (!free_.empty()) {
        map = std::move(free_.back());
        free_.pop_back();
      }
    }
    if (!map) map = std::make_unique<NodeMap>(num_nodes_);
    body(*map);
    map->clear(batch.nodes);
    std::lock_guard<std::mutex> hold(lock_);
    free_.push_back(std::move(map));
  }

 private:
  int64_t num_nodes_;
  std::mutex lock_;
  std::vector<std::unique_ptr<NodeMap>> free_;
};

/** A graph being sampled. */
struct Sampler {
  int32_t dtype;
  GraphView<int32_t> view32;
  GraphView<int64_t> view64;
  bool keeps_edges;
  MapPool maps;

  template <class F>
  void dispatch(F&& f) const {
    if (dtype == GUST_I32) f(view32);
    else f(view64);
  }
};

/** Sampled batches. */
struct Batches {
  std::vector<Batch> list;
  int64_t hops;  // 0: square subgraphs, one block each
};

/** Nodes of a batch must be distinct: number them 0, 1, 2, ... */
template <class I>
void number_nodes(const GraphView<I>& graph, const int64_t* seeds, int64_t count, Batch& batch, NodeMap& map) {
  batch.nodes.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    graph.check_node(seeds[i]);
    if (map.insert(seeds[i], static_cast<int32_t>(i)) != i)
      fail(GUST_EDATA, "node %lld is twice in one batch", ll(seeds[i]));
    batch.nodes.push_back(seeds[i]);
  }
}

/** Positions take 32 bits. */
inline void check_batch_size(int64_t count) {
  if (count > INT32_MAX)
    fail(GUST_EINVAL, "a batch of %lld nodes, expected at most %d: make the batches smaller", ll(count), INT32_MAX);
}

}  // namespace gust::sampling
