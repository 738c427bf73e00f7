// What the samplers share: a checked view of a graph, the numbering of a batch's nodes, and finished batches.
//
// Every decision is made on integers keyed by original ids (cu/common/rng.h), in the order of original ids, so that a
// sample depends neither on threads nor on how the nodes are numbered in the file.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

#include "../common/dtype.h"
#include "../common/parallel.h"
#include "../common/rng.h"
#include "../common/status.h"

namespace gust::sampling {

constexpr int64_t kShortRow = 64;  // arcs whose memory is asked for as a whole

inline long long ll(int64_t x) { return x; }

/**
 * Ask for a line of memory, into the second level of caches: few lines can be on their way to the first at once (random
 * lines of 36 MB on an EPYC 9004: 6 ns each, into the first 13 ns). Inline by force: g++ takes a call that only prefetches
 * for one without effect, and leaves it out.
 */
[[gnu::always_inline]] inline void prefetch(const void* at) { __builtin_prefetch(at, 0, 2); }

/** Leaves new elements as they are: all of them are written by the sampler. */
template <class T>
struct Uninitialized : std::allocator<T> {
  template <class U>
  struct rebind { using other = Uninitialized<U>; };
  template <class U>
  void construct(U* at) noexcept { ::new (static_cast<void*>(at)) U; }
  template <class U, class... Args>
  void construct(U* at, Args&&... args) { ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...); }
};
template <class T>
using Array = std::vector<T, Uninitialized<T>>;

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
  /** Ask for the first arcs of a row, all of a short one. */
  [[gnu::always_inline]] void prefetch_arcs(Row row) const {
    if (row.begin >= row.end) return;
    const I* last = indices + std::min(row.end, row.begin + kShortRow) - 1;  // rows begin anywhere in a line
    for (const I* at = indices + row.begin; at < last; at += 64 / sizeof(I)) prefetch(at);
    prefetch(last);
  }
  /** The same of row v; what broken pointers say is not followed. */
  [[gnu::always_inline]] void prefetch_row(int64_t v) const {
    const Row row{indptr[v], indptr[v + 1]};
    if (row.begin >= 0 && row.end <= num_edges) prefetch_arcs(row);
  }
  int64_t source(int64_t edge) const {
    const int64_t u = indices[edge];
    if (static_cast<uint64_t>(u) >= static_cast<uint64_t>(num_nodes)) [[unlikely]]
      fail(GUST_EDATA, "tensor \"indices\" holds node %lld at position %lld, expected numbers below num_nodes = %lld",
           ll(u), ll(edge), ll(num_nodes));
    return u;
  }
  /** Whether all of `count` sources are nodes. */
  bool are_nodes(const I* sources, int64_t count) const {
    using Unsigned = std::make_unsigned_t<I>;
    Unsigned most = 0;
    for (int64_t i = 0; i < count; ++i) most = std::max(most, static_cast<Unsigned>(sources[i]));
    return count == 0 || most < static_cast<uint64_t>(num_nodes);
  }
  /**
   * Put the places in a row of the arcs that keep(place, source) takes first in `places`; how many there are. Nothing
   * branches on what is taken: each place is written, and the next over it where it is not; but where `few` are, eight
   * are asked at once first.
   */
  template <class Keep>
  int64_t select(Row row, Array<int32_t>& places, bool few, Keep&& keep) const {
    const int64_t size = row.size();
    if (size > INT32_MAX) fail(GUST_EDATA, "a row of %lld arcs, expected below 2^31", ll(size));
    if (static_cast<int64_t>(places.size()) <= size) places.resize(static_cast<size_t>(2 * size + 1));
    using Unsigned = std::make_unsigned_t<I>;
    const I* sources = indices + row.begin;
    if (!are_nodes(sources, size)) [[unlikely]]
      for (int64_t e = row.begin; e < row.end; ++e) source(e);  // says which
    int32_t* to = places.data();
    const auto take = [&](int64_t begin, int64_t end) {
#pragma GCC unroll 4
      for (int64_t i = begin; i < end; ++i) {
        *to = static_cast<int32_t>(i);
        to += keep(i, static_cast<Unsigned>(sources[i]));
      }
    };
    int64_t done = 0;
    for (; few && done + 8 <= size; done += 8) {
      bool any = false;
#pragma GCC unroll 8
      for (int64_t i = done; i < done + 8; ++i) any |= keep(i, static_cast<Unsigned>(sources[i]));
      if (any) take(done, done + 8);
    }
    take(done, size);
    return to - places.data();
  }
};

/** One hop's bipartite CSR: indptr starts at 0, indices are positions in the batch's nodes, ascending in each row. */
struct Block {
  Array<int64_t> indptr;
  Array<int32_t> indices;
  Array<int64_t> edges;     // arc numbers in the graph, kept where they are asked for
  Array<float> arc_weight;  // how many of its row's arcs each stands for, where the sampler says so
};

struct Batch {
  Array<int64_t> nodes;         // seeds first, then by hop of discovery
  std::vector<int64_t> levels;  // nodes within h hops, for h = 0 .. hops (one entry for a square subgraph)
  std::vector<Block> blocks;

  /** Empty, with the memory of a batch before. */
  void clear(int64_t num_blocks) {
    nodes.clear();
    levels.clear();
    blocks.resize(static_cast<size_t>(num_blocks));
    for (Block& block : blocks) {
      block.indptr.clear();
      block.indices.clear();
      block.edges.clear();
      block.arc_weight.clear();
    }
  }
};

/** A node's position, and whether it has it from now on. */
struct Place {
  int32_t position;
  int32_t is_new;  // 0 or 1: g++ keeps both in registers, a bool and its padding it does not
};

/**
 * Position of each node of a batch, in a table with a place for every node. An entry below `base` is of an earlier
 * batch, so that nothing is cleared between batches.
 */
class DirectPositions {
 public:
  /** What a loop works on: a value, so that it stays in registers. */
  struct Table {
    uint32_t* entries;
    uint32_t base;

    [[gnu::always_inline]] void prefetch(int64_t v) const { sampling::prefetch(entries + v); }
    /** Position of v, or -1. */
    int32_t find(int64_t v) const { return entries[v] < base ? -1 : static_cast<int32_t>(entries[v] - base); }
    /** Position of v, which has one. */
    int32_t at(int64_t v) const { return static_cast<int32_t>(entries[v] - base); }
    /** Position of v: `next`, from now on, if it had none. */
    Place insert(int64_t v, int32_t next) const {
      const uint32_t entry = entries[v];
      const int32_t is_new = entry < base;  // as likely as not: no branch
      const uint32_t mask = 0u - static_cast<uint32_t>(is_new);
      const uint32_t kept = (entry & ~mask) | ((base + static_cast<uint32_t>(next)) & mask);
      entries[v] = kept;
      return {static_cast<int32_t>(kept - base), is_new};
    }
  };

  explicit DirectPositions(int64_t num_nodes) : entries_(static_cast<size_t>(num_nodes), 0) {}
  Table table() { return {entries_.data(), base_}; }

  /** Forget the `count` nodes of a batch. */
  void forget(int64_t count) {
    base_ += static_cast<uint32_t>(count);
    if (base_ <= uint32_t{1} << 31) return;  // the positions of one more batch still fit
    std::fill(entries_.begin(), entries_.end(), 0);
    base_ = 1;
  }

 private:
  std::vector<uint32_t> entries_;
  uint32_t base_ = 1;
};

/** The same in a hash table of the batch's size. */
class HashedPositions {
 public:
  HashedPositions() { resize(1024); }
  HashedPositions& table() { return *this; }

  [[gnu::always_inline]] void prefetch(int64_t v) const { sampling::prefetch(keys_.data() + slot(v)); }
  int32_t find(int64_t v) const {
    for (uint64_t i = slot(v);; i = (i + 1) & mask_) {
      if (keys_[i] == v) return position_[i];
      if (keys_[i] < 0) return -1;
    }
  }
  int32_t at(int64_t v) const { return find(v); }
  Place insert(int64_t v, int32_t next) {
    if (2 * (used_ + 1) > mask_ + 1) grow();
    uint64_t i = slot(v);
    for (; keys_[i] >= 0; i = (i + 1) & mask_)
      if (keys_[i] == v) return {position_[i], 0};
    keys_[i] = v;
    position_[i] = next;
    ++used_;
    return {next, 1};
  }
  void forget(int64_t) {
    std::fill(keys_.begin(), keys_.end(), -1);
    used_ = 0;
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

  std::vector<int32_t> position_;
  std::vector<int64_t> keys_;
  uint64_t mask_ = 0, used_ = 0;
};

/** The table where it is small enough to stay near the processor, else the hash table: both give the same positions. */
class NodeMap {
 public:
  static constexpr int64_t kDirectNodes = int64_t{1} << 22;  // 16 MiB per worker

  explicit NodeMap(int64_t num_nodes) {
    if (num_nodes <= kDirectNodes) direct_ = std::make_unique<DirectPositions>(num_nodes);
    else hashed_ = std::make_unique<HashedPositions>();
  }
  /** Run body(positions) with whichever it is. */
  template <class Body>
  void with(Body&& body) {
    if (direct_) body(*direct_);
    else body(*hashed_);
  }

 private:
  std::unique_ptr<DirectPositions> direct_;
  std::unique_ptr<HashedPositions> hashed_;
};

/**
 * Node maps and the memory of batches, handed from batch to batch: making them costs more than a small batch, and fresh
 * pages cost more than what is written to them.
 */
class Pool {
 public:
  explicit Pool(int64_t num_nodes) : num_nodes_(num_nodes) {}

  /** Run body(positions) with an empty map, which holds the batch's nodes after it. A map whose body failed is dropped. */
  template <class Body>
  void with(const Batch& batch, Body&& body) {
    std::unique_ptr<NodeMap> map;
    {
      std::lock_guard<std::mutex> hold(lock_);
      if (!maps_.empty()) {
        map = std::move(maps_.back());
        maps_.pop_back();
      }
    }
    if (!map) map = std::make_unique<NodeMap>(num_nodes_);
    map->with([&](auto& positions) {
      body(positions);
      positions.forget(static_cast<int64_t>(batch.nodes.size()));
    });
    std::lock_guard<std::mutex> hold(lock_);
    maps_.push_back(std::move(map));
  }

  /** `count` empty batches. */
  std::vector<Batch> take(int64_t count, int64_t num_blocks) {
    std::vector<Batch> list(static_cast<size_t>(count));
    {
      std::lock_guard<std::mutex> hold(lock_);
      for (Batch& batch : list) {
        if (batches_.empty()) break;
        batch = std::move(batches_.back());
        batches_.pop_back();
      }
    }
    for (Batch& batch : list) batch.clear(num_blocks);
    return list;
  }
  /** Keep their memory for batches to come; where there is none for the list itself, they are freed. */
  void give_back(std::vector<Batch>&& list) noexcept {
    try {
      std::lock_guard<std::mutex> hold(lock_);
      batches_.reserve(batches_.size() + list.size());
      for (Batch& batch : list) batches_.push_back(std::move(batch));
    } catch (const std::bad_alloc&) {
      list.clear();
    }
  }

 private:
  int64_t num_nodes_;
  std::mutex lock_;
  std::vector<std::unique_ptr<NodeMap>> maps_;
  std::vector<Batch> batches_;
};

struct LayerImportance;

/** A graph being sampled. */
struct Sampler {
  int32_t dtype;
  GraphView<int32_t> view32;
  GraphView<int64_t> view64;
  bool keeps_edges;
  bool by_position;  // rows ascend by time, else by column
  std::shared_ptr<Pool> pool;
  std::shared_ptr<LayerImportance> importance{};  // made when a layer-wise sampler first asks for it
  std::mutex importance_lock{};

  template <class F>
  void dispatch(F&& f) const {
    if (dtype == GUST_I32) f(view32);
    else f(view64);
  }
};

/** Sampled batches. They may outlive their sampler, but not the pool that their memory goes back to. */
struct Batches {
  Batches(std::shared_ptr<Pool> from, int64_t count, int64_t num_hops)
      : list(from->take(count, std::max<int64_t>(num_hops, 1))), hops(num_hops), pool(std::move(from)) {}
  ~Batches() { pool->give_back(std::move(list)); }

  std::vector<Batch> list;
  int64_t hops;  // 0: square subgraphs, one block each
  std::shared_ptr<Pool> pool;
};

/** Nodes of a batch must be distinct: number them 0, 1, 2, ... */
template <class I, class Positions>
void number_nodes(const GraphView<I>& graph, const int64_t* seeds, int64_t count, Batch& batch, Positions& positions) {
  batch.nodes.reserve(static_cast<size_t>(count));
  auto&& table = positions.table();
  for (int64_t i = 0; i < count; ++i) {
    graph.check_node(seeds[i]);
    if (!table.insert(seeds[i], static_cast<int32_t>(i)).is_new)
      fail(GUST_EDATA, "node %lld is twice in one batch", ll(seeds[i]));
    batch.nodes.push_back(seeds[i]);
  }
}

/** Whether nodes are numbered in the order of their original ids. */
inline bool ids_rise(int64_t n, const int64_t* ids) {
  return parallel_sum<int64_t>(n - 1, int64_t{1} << 16, [&](int64_t begin, int64_t end) {
           int64_t falls = 0;
           for (int64_t i = begin; i < end; ++i) falls += ids[i] >= ids[i + 1];
           return falls;
         }) == 0;
}

/** Positions take 32 bits. */
inline void check_batch_size(int64_t count) {
  if (count > INT32_MAX)
    fail(GUST_EINVAL, "a batch of %lld nodes, expected at most %d: make the batches smaller", ll(count), INT32_MAX);
}

/** Batches of nodes that make(graph, sampler, batch, positions, nodes, count, b) makes, in parallel. out[0] = batches. */
template <class Make>
void make_batches(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches, int64_t hops,
                  int64_t* out, Make&& make) {
  auto& s = *reinterpret_cast<Sampler*>(sampler);
  const auto* nodes = reinterpret_cast<const int64_t*>(seeds);
  auto batches = std::make_unique<Batches>(s.pool, num_batches, hops);
  s.dispatch([&](const auto& graph) {
    parallel_tasks(num_batches, [&](int64_t b) {
      Batch& batch = batches->list[b];
      s.pool->with(batch, [&](auto& positions) {
        const int64_t count = seed_ptr[b + 1] - seed_ptr[b];
        check_batch_size(count);
        make(graph, s, batch, positions, nodes + seed_ptr[b], count, b);
      });
    });
  });
  out[0] = reinterpret_cast<int64_t>(batches.release());
}

/** Batches whose seeds are numbered first, that grow(graph, sampler, batch, positions, b) makes of them. */
template <class Grow>
void grow_batches(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches, int64_t hops,
                  int64_t* out, Grow&& grow) {
  make_batches(sampler, seeds, seed_ptr, num_batches, hops, out,
               [&](const auto& graph, Sampler& s, Batch& batch, auto& positions, const int64_t* nodes, int64_t count,
                   int64_t b) {
                 number_nodes(graph, nodes, count, batch, positions);
                 batch.levels.push_back(count);
                 grow(graph, s, batch, positions, b);
               });
}

/** The random numbers of a hop. */
inline Random hop_random(const char* stream, int64_t seed, int64_t epoch, int64_t step, int64_t hop) {
  return Random(static_cast<uint64_t>(seed), stream_id(stream), static_cast<uint32_t>(epoch),
                static_cast<uint32_t>(step), static_cast<uint32_t>(hop));
}

}  // namespace gust::sampling
