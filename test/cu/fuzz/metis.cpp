// Bodies of METIS graphs, with every choice of weights and sizes.
#include <algorithm>

#include "fuzz.h"

using namespace gust::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  Input in(bytes, size);
  int64_t nodes = in.choose(24), weights = in.choose(3), has_sizes = in.choose(2), has_edge_weights = in.choose(2), base = in.choose(2);
  std::vector<char> text = in.rest();
  auto newline = std::find(text.begin(), text.end(), '\n');
  int64_t begin = newline != text.end() && in.size() % 2 ? newline + 1 - text.begin() : 0;  // of fixtures: behind their header
  std::vector<int64_t> node_weights(static_cast<size_t>(nodes * weights)), sizes(static_cast<size_t>(has_sizes * nodes));
  int64_t format[] = {begin, 0, nodes, weights, has_sizes, has_edge_weights, base, -1}, edges[11];
  if (!parsed(gust_edges_parse_metis(address(text.data()), static_cast<int64_t>(text.size()), format, address(node_weights.data()),
                                     address(sizes.data()), edges)))
    return 0;
  need(edges[3] < nodes, "ids below the number of vertices");
  for (int64_t weight : node_weights) need(weight >= 0, "weights from 0");
  gust_edges_destroy(edges[0]);
  check_memory(static_cast<int64_t>(size));
  return 0;
}
