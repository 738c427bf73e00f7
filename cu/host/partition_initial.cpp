// The first partition: recursive bisection. A bisection coarsens its graph to some dozens of nodes, grows
// one side from a random node by gain ("greedy graph growing", Karypis and Kumar 1998) several times, refines
// each, keeps the best and refines it again on every level of the way back.
#include <algorithm>

#include "partition.h"
#include "partition_heap.h"

namespace gust::partition {
namespace {

/** Grow part 0 from a random node until it weighs `target`; where it can grow no further a new random node starts. */
std::vector<int32_t> grow(const Graph& g, int64_t target, uint64_t key, SearchSpace& space) {
  std::vector<int32_t> part(g.n, 1), order(g.n);
  std::vector<int64_t> gain(g.n);  // of the nodes in the heap
  for (int32_t v = 0; v < g.n; ++v) order[v] = v;
  for (int32_t i = g.n; i > 1; --i) std::swap(order[i - 1], order[mix64(key + i) % i]);
  Heap<int64_t> heap(space.index.data());
  size_t next = 0;
  for (int64_t weight = 0; weight < target;) {
    if (heap.empty()) {
      while (next < order.size() && part[order[next]] == 0) ++next;
      if (next == order.size()) break;
      heap.set(order[next], 0);
    }
    const int32_t v = heap.pop();
    if (2 * (target - weight) < g.node_weight[v]) break;  // nearer to the target without it
    part[v] = 0;
    weight += g.node_weight[v];
    for (const Arc* a = g.begin(v); a != g.end(v); ++a) {
      const int32_t u = a->node;
      if (part[u] == 0) continue;
      if (!heap.has(u)) {
        gain[u] = 0;
        for (const Arc* b = g.begin(u); b != g.end(u); ++b) gain[u] -= b->weight;
      }
      gain[u] += 2 * static_cast<int64_t>(a->weight);
      heap.set(u, gain[u]);
    }
  }
  heap.clear();
  return part;
}

/** Two sides of about target and total - target, at most limits[0] and limits[1], other weights limits[2 * (1 + i)] and the next. */
std::vector<int32_t> bisect(const Graph& graph, int64_t target, const int64_t* limits, int32_t enough, uint64_t key,
                            const Effort& effort) {
  Hierarchy h = coarsen(graph, nullptr, enough, key);
  SearchSpace space(graph.n);
  std::vector<int32_t> best;
  Quality quality{};
  for (int i = 0; i < effort.grows; ++i) {
    std::vector<int32_t> attempt = grow(h.smallest(), target, mix64(key + 1 + i), space);
    const Quality q = refine(h.smallest(), 2, limits, attempt.data(), space, effort);
    if (i > 0 && !(q < quality)) continue;
    quality = q;
    best = std::move(attempt);
  }
  for (size_t level = h.last(); level-- > 0;) {
    best = h.project(level, best);
    refine(h.level(level), 2, limits, best.data(), space, effort);
  }
  return best;
}

/** A subgraph still to be split into parts first .. first + k. */
struct Task {
  Graph graph;
  std::vector<int32_t> nodes;  // of the whole graph
  int32_t first, k;
};

/** The nodes of one side with the edges among them. */
Task side(const Graph& g, const std::vector<int32_t>& nodes, const std::vector<int32_t>& sides, int32_t which) {
  Task task{};
  std::vector<int32_t> number(g.n, -1), members;
  int64_t arcs = 0;
  for (int32_t v = 0; v < g.n; ++v) {
    if (sides[v] != which) continue;
    number[v] = static_cast<int32_t>(members.size());
    members.push_back(v);
    arcs += g.degree(v);
  }
  Graph& out = task.graph;
  out.n = static_cast<int32_t>(members.size());
  out.indptr = Array<int64_t>(out.n + 1);
  out.node_weight = Array<int32_t>(out.n);
  out.more = g.more;
  out.other_weight = Array<int32_t>(int64_t{g.more} * out.n);
  out.arcs = Array<Arc>(arcs);
  int64_t at = 0;
  for (int32_t i = 0; i < out.n; ++i) {
    out.indptr[i] = at;
    out.node_weight[i] = g.node_weight[members[i]];
    for (int32_t j = 0; j < g.more; ++j)
      out.other_weight[g.more * int64_t{i} + j] = g.other_weight[g.more * int64_t{members[i]} + j];
    for (const Arc* a = g.begin(members[i]); a != g.end(members[i]); ++a)
      if (number[a->node] >= 0) out.arcs[at++] = {number[a->node], a->weight};
  }
  out.indptr[out.n] = at;
  out.arcs.shrink(at);
  out.weigh();
  for (int32_t& v : members) v = nodes.empty() ? v : nodes[v];
  task.nodes = std::move(members);
  return task;
}

/** The two halves of a subgraph; `nodes` is empty for the whole graph. */
std::pair<Task, Task> halve(const Graph& g, const std::vector<int32_t>& nodes, int32_t first, int32_t k,
                            const int64_t* most, int32_t enough, uint64_t key, const Effort& effort) {
  const int32_t left = k / 2, right = k - left;
  int depth = 0;
  while ((int64_t{1} << depth) < k) ++depth;
  // The room that the limits leave is spent evenly over the bisections still to come.
  int64_t limits[2 * kMostWeights];
  for (int32_t i = 0; i <= g.more; ++i) {
    const double total = static_cast<double>(i == 0 ? g.total_weight : g.other_total[i - 1]);
    const double room = std::max(0.0, static_cast<double>(most[i]) * k / std::max(1.0, total) - 1) / depth;
    auto limit = [&](int32_t parts) {
      const double even = total * parts / k;
      return std::min<int64_t>(most[i] * parts, static_cast<int64_t>(even * (1 + room) + 0.5));
    };
    limits[2 * i] = limit(left);
    limits[2 * i + 1] = limit(right);
  }
  const std::vector<int32_t> sides = bisect(g, g.total_weight * left / k, limits, enough, key, effort);
  std::pair<Task, Task> halves{side(g, nodes, sides, 0), side(g, nodes, sides, 1)};
  halves.first.first = first;
  halves.first.k = left;
  halves.second.first = first + left;
  halves.second.k = right;
  return halves;
}

}  // namespace

void recursive_bisection(const Graph& graph, int32_t k, const int64_t* most, int32_t enough, uint64_t key,
                         const Effort& effort, int32_t* part) {
  if (k == 1) {
    std::fill(part, part + graph.n, 0);
    return;
  }
  // Breadth first, because the subgraphs of one depth are independent tasks.
  std::vector<Task> tasks;
  auto add = [&](std::pair<Task, Task>&& halves) {
    for (Task* half : {&halves.first, &halves.second}) {
      if (half->k > 1) tasks.push_back(std::move(*half));
      else
        for (int32_t v : half->nodes) part[v] = half->first;
    }
  };
  add(halve(graph, {}, 0, k, most, enough, key, effort));
  while (!tasks.empty()) {
    std::vector<std::pair<Task, Task>> halves(tasks.size());
    parallel_tasks(static_cast<int64_t>(tasks.size()), [&](int64_t t) {
      const Task& task = tasks[t];
      halves[t] = halve(task.graph, task.nodes, task.first, task.k, most, enough, mix64(key + task.first + 1), effort);
    });
    tasks.clear();
    for (auto& pair : halves) add(std::move(pair));
  }
}

}  // namespace gust::partition
