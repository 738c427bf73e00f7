// Orders of the nodes of a graph: each is a permutation, `order[i]` = the node that comes i-th.
//
//   order_bfs.cpp      breadth first
//   order_rcm.cpp      reverse Cuthill-McKee
//   order_degree.cpp   by degree, and hubs first
//   order_gorder.cpp   Gorder: nodes that share neighbours come close together
//   order_permute.cpp  a matrix with its rows and columns in an order, and a picture of where its entries are
//   order_abi.cpp      the C functions
//
// All are sequential, decided by integers, ties by node number: the same on any machine.
#pragma once

#include "partition.h"

namespace gust::order {

using partition::Arc;
using partition::Array;
using partition::Graph;

/** The graph without the edges between parts: what an order inside each part may look at. O(n + arcs). */
Graph inside(const Graph& graph, const int32_t* part);

/** Breadth first from the lowest node that was not reached yet: `order` gets the n nodes. each(v, f) calls f(u) for the
 *  neighbours of v in the order in which they are taken. O(n) memory. */
template <class Each>
void breadth_first(int32_t n, Each&& each, int32_t* order) {
  Array<uint8_t> seen(n, 0);
  int32_t head = 0, tail = 0;
  const auto reach = [&](int32_t v) {
    if (seen[v]) return;
    seen[v] = 1;
    order[tail++] = v;
  };
  for (int32_t start = 0; start < n; ++start)
    for (reach(start); head < tail; ++head) each(order[head], reach);
}

/** The same on a graph: neighbours ascend. O(n + arcs). */
void bfs(const Graph& graph, int32_t* order);

/** Reverse Cuthill-McKee, every component from a pseudo-peripheral node. O(n + arcs log degree). */
void rcm(const Graph& graph, int32_t* order);

/** Falling degree. O(n). */
void by_degree(const Graph& graph, int32_t* order);

/** Nodes of more than the mean degree first; otherwise in place. O(n). */
void hub_cluster(const Graph& graph, int32_t* order);

/**
 * Greedy: next comes the node that shares most neighbours and edges with the last `window` nodes. Neighbours of a
 * degree above `most` are not followed, which bounds the time by arcs * most.
 */
void gorder(const Graph& graph, int32_t window, int64_t most, int32_t* order);

}  // namespace gust::order
