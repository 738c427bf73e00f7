// What the samplers of a GPU share: memory that goes from call to call, the graph, the table that numbers the nodes of
// batches, what kernels find wrong, and finished batches.
//
// All batches of a call are worked on at once: their nodes stand in one array, batch after batch, and so do their rows
// and arcs. Every number is what the CPU (cu/host/sample.h) comes to.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "../common/device.h"
#include "algorithms.h"
#include "cuda.h"

namespace gust::cuda::sampling {

using Word = unsigned long long;  // what atomics take

inline long long ll(int64_t x) { return x; }

// ---- memory ------------------------------------------------------------------------------------------------------

/**
 * Device memory that is used again: to allocate and free takes longer than a small batch, and waits for the GPU. Small
 * pieces are cut from slabs, as thousands of small batches may be held at once. A sampler's kernels follow each other on
 * the queue in use, so a piece is free for the next one as soon as the last that has it is launched; who changes the queue
 * has copied batches to the host first, which waits for them.
 */
class Pool {
 public:
  struct Piece {
    char* data = nullptr;
    int64_t size = 0;
  };
  Pool() = default;
  Pool(const Pool&) = delete;
  ~Pool();

  Piece take(int64_t size);
  void give_back(Piece piece) noexcept;

 private:
  using Idle = std::multimap<int64_t, char*>;

  Piece cut(int64_t size);
  void drop() noexcept;

  std::mutex lock_;
  Idle small_, large_;
  std::vector<Piece> slabs_;
  int64_t used_ = 0;  // of the last slab
};

/** An array in device memory, from a pool and back to it. */
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::shared_ptr<Pool> pool, int64_t size)
      : pool_(std::move(pool)), piece_(pool_->take(size * static_cast<int64_t>(sizeof(T)))), size_(size) {}
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(piece_, other.piece_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer() {
    if (pool_) pool_->give_back(piece_);
  }

  T* data() const { return reinterpret_cast<T*>(piece_.data); }
  int64_t size() const { return size_; }
  void clear() { device::clear(piece_.data, size_ * static_cast<int64_t>(sizeof(T))); }
  /** `count` elements from `first` on, to or from memory of any kind. */
  void read(T* to, int64_t first, int64_t count) const { device::copy(to, data() + first, bytes(count)); }
  T at(int64_t i) const {
    T element;
    read(&element, i, 1);
    return element;
  }
  void write(const T* from, int64_t count) { device::copy(data(), from, bytes(count)); }

 private:
  static int64_t bytes(int64_t count) { return count * static_cast<int64_t>(sizeof(T)); }

  std::shared_ptr<Pool> pool_;
  Pool::Piece piece_;
  int64_t size_ = 0;
};

/** Scratch memory for algorithms.h, kept as long as this is. */
class Scratch {
 public:
  explicit Scratch(std::shared_ptr<Pool> pool) : pool_(std::move(pool)) {}
  template <class T>
  T* scratch(int64_t size) {
    kept_.emplace_back(pool_, size * static_cast<int64_t>(sizeof(T)));
    return reinterpret_cast<T*>(kept_.back().data());
  }

 private:
  std::shared_ptr<Pool> pool_;
  std::vector<Buffer<char>> kept_;
};

// ---- a warp for each row -----------------------------------------------------------------------------------------

template <class F>
__global__ void each_warp_kernel(int64_t n, F f) {
  for (int64_t i = first_warp(); i < n; i += stride_warps()) f(i);
}

/** Run f(i) for i = 0 .. n-1, each on the lanes of a warp. */
template <class F>
void each_warp(int64_t n, const F& f) {
  if (n > 0) launch(each_warp_kernel<F>, grid_of(n, kWarps), n, f);
}

// ---- what kernels find -------------------------------------------------------------------------------------------

/** Places are kept as their complements, so that 0 stands for none and atomicMax() for the first of them. */
struct Found {
  Word node;       // place of a node that is out of range
  Word twice;      // place of a node that the batch has before
  Word row;        // place of a node whose row is not sound
  Word arc;        // place of an arc whose source is out of range
  Word used_up;    // 1: a node had no draws left
  Word unordered;  // 1: a row does not ascend
  Word longest;    // row, in arcs that are taken
};
constexpr int64_t kFoundWords = sizeof(Found) / sizeof(Word);

__device__ inline void found_at(Word* first, int64_t place) { atomicMax(first, ~static_cast<Word>(place)); }
/** The place, or -1. */
inline int64_t place_of(Word first) { return first == 0 ? -1 : static_cast<int64_t>(~first); }

/** What the host learns at once: what was found, the first node and the first arc of each batch, and their totals. */
class Progress {
 public:
  Progress(const std::shared_ptr<Pool>& pool, int64_t batches);

  Found* found() const { return reinterpret_cast<Found*>(words_.data()); }
  int64_t* node_ptr() const { return words_.data() + kFoundWords; }
  int64_t* arc_ptr() const { return node_ptr() + batches_ + 1; }

  /** A copy for the host, once everything before has run. */
  struct Seen {
    Found found;
    std::vector<int64_t> node_ptr, arc_ptr;
  };
  Seen see() const;

 private:
  int64_t batches_;
  Buffer<int64_t> words_;
};

/** The batch that has node number r of all. */
__device__ inline int64_t batch_at(const int64_t* node_ptr, int64_t batches, int64_t r) {
  int64_t low = 0, high = batches - 1;
  while (low < high) {
    const int64_t middle = (low + high + 1) / 2;
    if (node_ptr[middle] <= r) low = middle;
    else high = middle - 1;
  }
  return low;
}

// ---- graphs ------------------------------------------------------------------------------------------------------

struct Row {
  int64_t begin, end;
  __device__ int64_t size() const { return end - begin; }
};

/** A CSR graph in device memory that may come from any file: rows and columns are checked where they are read. */
template <class I>
struct GraphView {
  int64_t num_nodes, num_edges;
  const int64_t* indptr;
  const I* indices;
  const int64_t* ids;     // original ids, or null: the node numbers
  const uint32_t* by_id;  // the arcs of each row in the order of original ids, counted from its begin; null: as stored
  bool is_damaged;        // with by_id: some source is out of range, and a row that has it cannot be drawn from

  __device__ uint64_t id(int64_t v) const { return static_cast<uint64_t>(ids ? ids[v] : v); }
  __device__ bool has(int64_t v) const { return static_cast<uint64_t>(v) < static_cast<uint64_t>(num_nodes); }
  __device__ Row row(int64_t v) const { return {indptr[v], indptr[v + 1]}; }
  __device__ bool is_sound(Row row) const { return row.begin >= 0 && row.begin <= row.end && row.end <= num_edges; }
  __device__ int64_t source(int64_t edge) const { return indices[edge]; }
  /** Arc number `rank` of a row in the order of original ids. */
  __device__ int64_t arc(Row row, int64_t rank) const {
    return row.begin + (by_id ? by_id[row.begin + rank] : rank);
  }
};

/** Throw what is wrong with row v. */
template <class I>
[[noreturn]] void fail_row(const GraphView<I>& graph, int64_t v);
/** Throw what is wrong with an arc. */
template <class I>
[[noreturn]] void fail_arc(const GraphView<I>& graph, int64_t edge);
/** Throw what is wrong with a node of a batch. */
[[noreturn]] void fail_node(int64_t v, int64_t num_nodes);
[[noreturn]] void fail_twice(int64_t v);
/** Positions take 32 bits. */
void check_batch_sizes(const std::vector<int64_t>& node_ptr);

/** A graph being sampled. */
struct Sampler {
  int32_t dtype;
  GraphView<int32_t> view32;
  GraphView<int64_t> view64;
  bool keeps_edges;
  bool ids_rise;  // or are the node numbers
  std::shared_ptr<Pool> pool;
  Buffer<int64_t> indptr, ids;  // copies of what the GPU cannot reach
  Buffer<char> indices;
  Buffer<uint32_t> by_id;

  template <class F>
  void dispatch(F&& f) const {
    if (dtype == GUST_I32) f(view32);
    else f(view64);
  }
};

// ---- positions ---------------------------------------------------------------------------------------------------

/**
 * The nodes of batches by (batch, node), in a hash table with linear probing: for each the first place where it was
 * met. Insertions by any number of threads; their places can be read by the kernels after.
 */
struct Table {
  struct Entry {
    Word key;    // 1 + batch * num_nodes + node; 0: free
    Word first;  // complement of the first place
  };
  Entry* entries;
  Word mask;
  int shift;
  int64_t num_nodes;

  __device__ Word key_of(int64_t batch, int64_t v) const { return static_cast<Word>(batch * num_nodes + v + 1); }
  __device__ Word slot_of(Word key) const { return key * 0x9e3779b97f4a7c15ull >> shift; }

  /** The slot of a node that is met at `place`. */
  __device__ int64_t insert(int64_t batch, int64_t v, int64_t place) const {
    const Word key = key_of(batch, v);
    for (Word i = slot_of(key);; i = (i + 1) & mask) {
      Word there = entries[i].key;  // a key stays: only a free entry has to be asked again
      if (there == 0) there = atomicCAS(&entries[i].key, Word{0}, key);
      if (there != 0 && there != key) continue;
      found_at(&entries[i].first, place);
      return static_cast<int64_t>(i);
    }
  }
  __device__ int64_t place(int64_t slot) const { return static_cast<int64_t>(~entries[slot].first); }
  __device__ int64_t node(int64_t slot) const {
    return static_cast<int64_t>((entries[slot].key - 1) % static_cast<Word>(num_nodes));
  }
  /** The first place of a node, or -1. */
  __device__ int64_t find(int64_t batch, int64_t v) const {
    const Word key = key_of(batch, v);
    for (Word i = slot_of(key);; i = (i + 1) & mask) {
      const Word there = entries[i].key;
      if (there == key) return place(static_cast<int64_t>(i));
      if (there == 0) return -1;
    }
  }
};

/** An empty table that has room for `most` nodes of `batches` batches, and its memory. */
struct OwnedTable {
  OwnedTable(const std::shared_ptr<Pool>& pool, int64_t most, int64_t batches, int64_t num_nodes);

  Buffer<Table::Entry> entries;
  Table table;
};

/** Insert the nodes of each batch as they stand. Those out of range are left out, and found where `found` is given. */
void insert_nodes(const Table& table, int64_t count, const int64_t* nodes, const int64_t* node_ptr, int64_t batches,
                  Found* found);

// ---- order (sample_order.cu) -------------------------------------------------------------------------------------

/**
 * Put the keys (0 .. 2^bits - 1) of each row in ascending order, and the values, where there are any, with them. Equal
 * keys stay in order. `longest` = keys of the longest row.
 */
template <class Key>
void order_rows(const std::shared_ptr<Pool>& pool, int64_t rows, const int64_t* starts, int64_t arcs, int64_t longest,
                int bits, const Key* keys, const int64_t* values, Key* sorted, int64_t* permuted);

/**
 * The arcs of every row in the order of original ids, as GraphView::by_id has them; sets graph.is_damaged. A row that
 * is not sound is refused here, whether it would be drawn from or not.
 */
template <class I>
Buffer<uint32_t> order_arcs(const std::shared_ptr<Pool>& pool, GraphView<I>& graph);

// ---- finished batches --------------------------------------------------------------------------------------------

/** One hop's bipartite CSR of all batches: each batch's indptr starts at 0, indices are positions in its nodes. */
struct Block {
  std::vector<int64_t> row_ptr, arc_ptr;  // where each batch begins in indptr and in the others, and their ends
  Buffer<int64_t> indptr;
  Buffer<int32_t> indices;
  Buffer<int64_t> edges;  // arc numbers in the graph, kept where they are asked for
};

struct Batches {
  Batches(std::shared_ptr<Pool> pool_, int64_t count_, int64_t hops_);

  std::shared_ptr<Pool> pool;
  int64_t count, hops;                         // 0 hops: square subgraphs, one block each
  std::vector<std::vector<int64_t>> node_ptr;  // for each level the first of each batch's nodes, and their total
  Buffer<int64_t> nodes;
  std::vector<Block> blocks;
};

/** A block whose rows begin at starts[0 .. rows] among its arcs: indices and edges are the caller's to fill. */
Block make_block(const Sampler& sampler, const Progress& progress, const Progress::Seen& seen, const int64_t* starts);

}  // namespace gust::cuda::sampling
