// The native multilevel k-way partitioner: its data and its phases, one file each.
//
//   partition_graph.cpp       undirected simple graph out of any CSR
//   partition_cluster.cpp     which nodes to merge: size-constrained label propagation
//   partition_match.cpp       and where that finds little: heavy-edge matching, then pairs two hops apart
//   partition_coarsen.cpp     contraction, and the hierarchy of ever smaller graphs
//   partition_initial.cpp     first partition of the smallest graph: recursive bisection by greedy growing
//   partition_parts.cpp       parts, their weights, and for every node its connection to the parts next to it
//   partition_balance.cpp     moves out of parts that are too heavy
//   partition_fm.cpp          k-way refinement by single moves
//   partition_refine.cpp      k-way refinement by rounds of simultaneous moves, with hill climbing
//   partition_multilevel.cpp  the whole: coarsen, partition, refine on the way back; V-cycles and combination
//   partition_volume.cpp      refinement by communication volume instead of the cut
//   partition_metis.cpp       graphs and partitions as files of the METIS programs
//   partition_abi.cpp         the C functions: this method, random parts, statistics of any partition
//
// Everything is decided with integers (or single IEEE operations) and hashes of node numbers, in an order
// that does not depend on the thread count: the same seed gives the same parts on any machine and any number
// of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "../common/context.h"
#include "../common/dtype.h"
#include "../common/parallel.h"
#include "../common/rng.h"
#include "../common/status.h"

namespace gust::partition {

/** `size` uninitialised items in the library's accounted memory. Move only. */
template <class T>
class Array {
 public:
  Array() = default;
  explicit Array(int64_t size)
      : data_(reinterpret_cast<T*>(allocate(size * static_cast<int64_t>(sizeof(T)), false))),
        size_(size),
        room_(size) {}
  Array(int64_t size, T value) : Array(size) { fill(value); }
  Array(Array&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        room_(std::exchange(other.room_, 0)) {}
  Array& operator=(Array&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(room_, other.room_);
    return *this;
  }
  ~Array() {
    if (data_) deallocate(reinterpret_cast<char*>(data_), room_ * static_cast<int64_t>(sizeof(T)));
  }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  int64_t size() const { return size_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  /** Forget the items behind the first `size`; the memory stays. */
  void shrink(int64_t size) { size_ = size; }
  void fill(T value) { std::fill(begin(), end(), value); }

 private:
  T* data_ = nullptr;
  int64_t size_ = 0, room_ = 0;
};

/** Weights per node that are balanced at once, at most. */
constexpr int32_t kMostWeights = 4;

/** One direction of an undirected edge. Weights are integers; those of the whole graph sum to less than 2^31. */
struct Arc {
  int32_t node, weight;
};

/** Undirected, without self-loops and duplicates: arcs[indptr[v] .. indptr[v+1]) are the neighbours of v. */
struct Graph {
  int32_t n = 0;
  Array<int64_t> indptr;
  Array<Arc> arcs;
  Array<int32_t> node_weight;
  int64_t total_weight = 0;  // of the nodes
  int32_t heaviest = 0;      // node
  // Weights to be balanced beside node_weight: `more` of them for every node, other_weight[more * v + i].
  int32_t more = 0;
  Array<int32_t> other_weight;
  int64_t other_total[kMostWeights - 1] = {};

  int64_t degree(int32_t v) const { return indptr[v + 1] - indptr[v]; }
  const Arc* begin(int32_t v) const { return arcs.data() + indptr[v]; }
  const Arc* end(int32_t v) const { return arcs.data() + indptr[v + 1]; }
  /** Set the totals and heaviest from the weights. */
  void weigh();
};

/** Run body(weight) with weight(e) = the value of arc e as a double, 1 without `values`. */
template <class Body>
void with_weights(int64_t values, int32_t dtype, Body&& body) {
  if (!values) return body([](int64_t) { return 1.0; });
  dispatch_real(dtype, [&](auto real) {
    const auto* value = reinterpret_cast<const decltype(real)*>(values);
    body([=](int64_t e) { return static_cast<double>(value[e]); });
  });
}

/** Items per chunk of the node loops: a fixed grid, whatever the thread count. */
constexpr int64_t kGrain = 32768;

// ---- building --------------------------------------------------------------------------------------------------

/** A CSR matrix as it comes: maybe directed, with self-loops, duplicates and unsorted rows. */
struct Source {
  int64_t n;
  const int64_t* indptr;
  const void* indices;
  int32_t index_dtype;
  const void* values;  // or null: every edge weighs the same
  int32_t value_dtype;
  bool directed;
};

/**
 * The undirected simple version. Weights of duplicates and (of a directed graph) of both directions add up; they
 * become integers: as they are where they are whole and small, else scaled by a power of two, and at least 1.
 *
 * Throws GUST_EDATA for ids out of range and for weights that are negative or not finite. O(n + arcs) time and memory.
 */
Graph build_graph(const Source& source);

/** The `count` parts of a tensor at an address. Throws GUST_EDATA naming tensor and position for one that is not below k. */
const int32_t* checked_parts(const char* tensor, int64_t part, int64_t count, int64_t k);

// ---- phases ----------------------------------------------------------------------------------------------------

/**
 * A matching: mate[v] is the node that v merges with, v itself if none.
 * `part`, unless null, allows pairs inside a part alone; a pair weighs at most `max_weight`.
 */
void match(const Graph& graph, const int32_t* part, int64_t max_weight, uint64_t key, Array<int32_t>& mate);

/** Whether degrees differ so much that few nodes have most edges: the mean degree of an arc's end is many times a node's. */
bool has_hubs(const Graph& graph);

/** Clusters of at most `max_weight`, never across the parts of `part` unless null: leader[v] = the node that v's cluster
 *  is named after, which names itself. Returns their number. */
int32_t cluster(const Graph& graph, const int32_t* part, int64_t max_weight, uint64_t key, Array<int32_t>& leader);

/** The graph with all nodes of one leader made one node; coarse[v] = the node that v became part of. */
Graph contract(const Graph& graph, const Array<int32_t>& leader, Array<int32_t>& coarse);

/** Ever smaller graphs. coarse[i] maps the nodes of level i (level 0: the graph itself) to those of level i + 1. */
struct Hierarchy {
  const Graph* finest;
  std::vector<Graph> graphs;  // levels 1, 2, ...
  std::vector<Array<int32_t>> coarse;

  const Graph& level(size_t i) const { return i == 0 ? *finest : graphs[i - 1]; }
  size_t last() const { return graphs.size(); }
  const Graph& smallest() const { return level(last()); }
  /** Parts of level i from those of level i + 1. */
  std::vector<int32_t> project(size_t i, const std::vector<int32_t>& part) const;
  /** Parts of the smallest level from those of the finest, which no coarse node crosses. */
  std::vector<int32_t> restrict_parts(const int32_t* part) const;
};

/** Coarsen until at most `enough` nodes are left or it no longer pays; never across the parts of `part`, unless null. By
 *  clusters, or by matchings where those find little or on request. */
Hierarchy coarsen(const Graph& graph, const int32_t* part, int64_t enough, uint64_t key, bool by_matching = false);

/** How connected a node is to one part: the weight of its edges into it. */
struct Link {
  int32_t part, weight;
};

/** A node and the part that it goes to, or goes back to. */
struct Step {
  int32_t node, to;
};

/** A partition of a graph that is being improved. */
class Parts {
 public:
  /** limits[p] = most that part p should weigh, limits[k * (1 + i) + p] by its other weight i. Every move updates `part`.
   *  O(n + arcs + k). */
  Parts(const Graph& graph, int32_t k, const int64_t* limits, int32_t* part);

  const Graph& graph;
  const int32_t k;
  const int64_t* limits;
  std::vector<int64_t> weight;  // of each part
  std::vector<int64_t> other;   // other weight i of part p at k * i + p

  int32_t part_of(int32_t v) const { return nodes_[v].part; }
  bool is_too_heavy(int32_t p) const {
    if (weight[p] > limits[p]) return true;
    for (int32_t i = 0; i < graph.more; ++i)
      if (other[k * int64_t{i} + p] > limits[k * (1 + int64_t{i}) + p]) return true;
    return false;
  }
  /** Whether part p has room for v, by all weights. */
  bool has_room(int32_t p, int32_t v) const {
    if (weight[p] + graph.node_weight[v] > limits[p]) return false;
    for (int32_t i = 0; i < graph.more; ++i) {
      const int64_t w = graph.other_weight[graph.more * int64_t{v} + i];
      if (w > 0 && other[k * int64_t{i} + p] + w > limits[k * (1 + int64_t{i}) + p]) return false;
    }
    return true;
  }
  /** What v weighs where its part is too heavy: of several weights, the one whose limit is exceeded most. */
  int32_t relief(int32_t v) const;
  /** Sum over the parts of what they weigh beyond their limits. */
  int64_t overload() const;
  /** Sum of the weights of the edges between parts. */
  int64_t cut() const { return cut_; }
  /** Nodes with neighbours in other parts, in an order that depends on the moves alone. */
  const std::vector<int32_t>& boundary() const { return boundary_; }
  /** Weight of v's edges inside its part. */
  int32_t internal(int32_t v) const { return nodes_[v].internal; }
  /** Weight of v's edges into part p. */
  int32_t link(int32_t v, int32_t p) const {
    const Node& x = nodes_[v];
    if (p == x.part) return x.internal;
    const int32_t* row = links_.data() + x.begin;
    if (x.is_dense) return row[p];
    const Link *l = reinterpret_cast<const Link*>(row), *end = l + x.count;
    while (l != end && l->part != p) ++l;
    return l == end ? 0 : l->weight;
  }
  /** Call f(part, weight) for the other parts next to v, in an order that nothing may depend on. */
  template <class F>
  void each_link(int32_t v, F&& f) const {
    const Node& x = nodes_[v];
    const int32_t* row = links_.data() + x.begin;
    if (x.is_dense) {
      for (int32_t p = 0; p < k; ++p)
        if (row[p] > 0) f(p, row[p]);
    } else {
      const Link* list = reinterpret_cast<const Link*>(row);
      for (const Link* l = list; l != list + x.count; ++l) f(l->part, l->weight);
    }
  }
  /** The other part that v is connected to best, of several the lowest; v is a boundary node. */
  Link best_link(int32_t v) const;

  void move(int32_t v, int32_t to) {
    move(v, to, [](int32_t, int32_t, int32_t) {});
  }
  /** Move v, and call f(u, weight of the edge, weight of u's edges into `to`, or those inside `to` if u lies there) for
   *  each neighbour u once its links are up to date. */
  template <class F>
  void move(int32_t v, int32_t to, F&& f);
  /** Move `count` different nodes to other parts than their own. */
  void move_all(const Step* steps, int64_t count);

 private:
  struct Node {
    int64_t begin;  // of its links: a row of k weights where is_dense, else a list of `count` Links
    int32_t part, internal;
    int32_t count;     // other parts next to it
    int32_t at : 31;   // in boundary_, where count > 0
    uint32_t is_dense : 1;
  };
  /** Set the nodes' parts to those of part_ and everything that follows from them but the parts' weights. */
  void connect_all();
  /** Returns the weight of the link then. */
  int32_t connect(Node& x, int32_t to, int32_t weight) {
    int32_t* row = links_.data() + x.begin;
    if (x.is_dense) {
      x.count += row[to] == 0;
      return row[to] += weight;
    }
    Link *l = reinterpret_cast<Link*>(row), *end = l + x.count;
    while (l != end && l->part != to) ++l;
    if (l != end) return l->weight += weight;
    *l = {to, weight};
    ++x.count;
    return weight;
  }
  void disconnect(Node& x, int32_t from, int32_t weight) {
    int32_t* row = links_.data() + x.begin;
    if (x.is_dense) {
      row[from] -= weight;
      x.count -= row[from] == 0;
      return;
    }
    Link *list = reinterpret_cast<Link*>(row), *l = list;
    while (l->part != from) ++l;
    if ((l->weight -= weight) == 0) *l = list[--x.count];
  }
  /** Take v's weights to another part. */
  void weigh_move(int32_t v, int32_t from, int32_t to);
  /** What a move changes but for the neighbours. */
  void leave(int32_t v, int32_t to);
  void enter_boundary(int32_t v);
  void leave_boundary(int32_t v);

  Array<Node> nodes_;
  Array<int32_t> links_;
  std::vector<int32_t> boundary_;
  int64_t cut_ = 0;
  int32_t* part_;
};

template <class F>
void Parts::move(int32_t v, int32_t to, F&& f) {
  Node& x = nodes_[v];
  const int32_t from = x.part;
  leave(v, to);
  // The neighbours lie anywhere: ask for them ahead, first the node, then its links.
  constexpr int64_t kAhead = 12;
  const Arc *first = graph.begin(v), *last = graph.end(v);
  for (const Arc* a = first; a != last; ++a) {
    if (last - a > kAhead) __builtin_prefetch(&nodes_[a[kAhead].node], 1);
    if (last - a > kAhead / 2) __builtin_prefetch(links_.data() + nodes_[a[kAhead / 2].node].begin, 1);
    Node& y = nodes_[a->node];
    const bool was = y.count > 0;
    if (y.part == from) y.internal -= a->weight;
    else disconnect(y, from, a->weight);
    int32_t link;
    if (y.part == to) link = y.internal += a->weight;
    else link = connect(y, to, a->weight);
    if (was != (y.count > 0)) was ? leave_boundary(a->node) : enter_boundary(a->node);
    f(a->node, a->weight, link);
  }
}

/** Move nodes out of parts that are too heavy, cheapest first, until all fit or no move helps; append to `log`. */
void rebalance(Parts& parts, std::vector<Step>& log);

/** Arrays of the refinement, reused between levels: room for graphs of up to n nodes. */
struct SearchSpace {
  explicit SearchSpace(int32_t n) : index(n, -1), moved(n, 0) {}
  Array<int32_t> index;   // all -1 between uses
  Array<uint32_t> moved;  // round in which the node was last moved
  uint32_t round = 0;
};

/** One pass of single moves; it ends after `patience` of them without a new best, or when those beyond the best state have
 *  touched `budget` arcs. Returns by how much the cut fell. Balance is kept. */
int64_t climb(Parts& parts, SearchSpace& space, int64_t patience, int64_t budget);

/** How good a partition is. */
struct Quality {
  int64_t overload, cut;
  bool operator<(const Quality& other) const {
    return overload != other.overload ? overload < other.overload : cut < other.cut;
  }
};

/** How much is spent on a partition. */
struct Effort {
  int32_t small;      // refinement climbs hills on graphs of at most so many nodes
  int patience;       // rounds without progress after which it stops
  double least_gain;  // share of the cut that counts as progress
  double budget;      // passes over the graph's arcs that moves of one level may touch
  int tries;          // most first partitions of the smallest graph
  int grows;          // sides grown per bisection of these
  int runs;           // partitions made anew; where there are several, all are combined with the best
  int64_t run_arcs;   // of small graphs as many more are made as have that many arcs together: chance weighs most there
  int cycles;         // V-cycles at the end
};
/** 0 fast, 1 default, 2 best. */
const Effort& effort_of(int32_t level);

/** Improve `part`: bring it within the limits as far as single moves can, then lower the cut. */
Quality refine(const Graph& graph, int32_t k, const int64_t* limits, int32_t* part, SearchSpace& space,
               const Effort& effort);

/** Refine `part`, of the smallest level and then of the finest, from level to level; limits as Parts takes them. */
Quality uncoarsen(const Hierarchy& h, int32_t k, const int64_t* limits, const Effort& effort, std::vector<int32_t>& part);

/** A V-cycle: coarsen to `enough` nodes without merging across the boundaries of `kept`, which is `part` or finer, and
 *  refine `part` on the way back; none gets worse within the limits. */
Quality cycle(const Graph& graph, int32_t k, const int64_t* most, const Effort& effort, int64_t enough, uint64_t key,
              const int32_t* kept, std::vector<int32_t>& part);

/** Split into k parts of at most `most` (as near as node weights allow) by bisections that each coarsen to `enough` nodes. */
void recursive_bisection(const Graph& graph, int32_t k, const int64_t* most, int32_t enough, uint64_t key,
                         const Effort& effort, int32_t* part);

// ---- methods ---------------------------------------------------------------------------------------------------

/** Most that a part may weigh: ceil(total / k) * imbalance, rounded down, at least ceil(total / k). */
int64_t part_limit(int64_t total, int32_t k, double imbalance);

/** The same for all weights of a graph. */
std::vector<int64_t> part_limits(const Graph& graph, int32_t k, double imbalance);

/** The same limits for every part, as Parts takes them. */
std::vector<int64_t> limits_of(const Graph& graph, int32_t k, const int64_t* most);

/** k <= n parts of at most most[i] by weight i, as near as the nodes' weights allow; none empty. */
void multilevel(const Graph& graph, int32_t k, const int64_t* most, const Effort& effort, uint64_t seed, int32_t* part);

/** The same by recursive bisection of the whole graph. */
void bisection(const Graph& graph, int32_t k, const int64_t* most, const Effort& effort, uint64_t seed, int32_t* part);

/** Improve the partition at hand: V-cycles that keep it, so that the cut never rises once it is within the limit. */
void improve(const Graph& graph, int32_t k, const int64_t* most, const Effort& effort, uint64_t seed, int32_t* part);

/** How good a partition is by communication volume: the sum over nodes of the other parts that have neighbours of theirs. */
struct VolumeQuality {
  int64_t overload, volume;
  bool operator<(const VolumeQuality& other) const {
    return overload != other.overload ? overload < other.overload : volume < other.volume;
  }
};

/** Lower the communication volume of the partition at hand by moves within the limits. It never rises; edges of the
 *  graph weigh 1 afterwards. */
VolumeQuality refine_volume(Graph& graph, int32_t k, const int64_t* most, const Effort& effort, int32_t* part);

/** Bring a partition that was made elsewhere within the limit; no part stays empty. */
void level_parts(const Graph& graph, int32_t k, const int64_t* most, int32_t* part);

// ---- files of METIS --------------------------------------------------------------------------------------------

/** Write the graph as a METIS .graph file, with edge weights if `weighted`. */
void write_metis(const Graph& graph, bool weighted, const char* path);

/** Read n parts below k, one per line, as gpmetis writes them. Throws GUST_EDATA naming the line. */
void read_metis_parts(const char* path, int64_t n, int32_t k, int32_t* part);

}  // namespace gust::partition
