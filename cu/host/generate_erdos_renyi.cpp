// Erdos-Renyi G(n, m): m distinct pairs out of all, uniformly. All pairs are numbered, and edge i is the pair that a
// random permutation puts at place i: distinct by construction, with no list to look duplicates up in.
//
// Pair k is {k mod n, (k mod n + k / n + 1) mod n}: rows of equal distance on a ring. For unordered pairs the distances
// 1 .. floor(n / 2) suffice; if n is even, the last of them meets each pair twice and only its first half is numbered.
#include "../include/gust.h"
#include "generate.h"

namespace gust {
namespace {

class ErdosRenyi final : public Generator {
 public:
  ErdosRenyi(uint64_t seed_, int64_t nodes, int64_t pairs, int64_t edges, bool directed_)
      : pairs_(pairs, seed_, stream_id("generate.erdos-renyi")) {
    num_nodes = nodes;
    items = edges;
    directed = directed_;
    seed = seed_;
  }

  int64_t draw(int64_t begin, int64_t end, Arc* out) const override {
    const auto n = static_cast<uint64_t>(num_nodes);
    for (int64_t i = begin; i < end; ++i) {
      const auto k = static_cast<uint64_t>(pairs_.forward(i));
      const uint64_t distance = k / n + 1, from = k - (distance - 1) * n, to = from + distance;
      out[i - begin] = {static_cast<int64_t>(from), static_cast<int64_t>(to < n ? to : to - n)};
    }
    return end - begin;
  }

 private:
  Permutation pairs_;
};

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_generate_erdos_renyi(int64_t seed, int64_t nodes, int64_t edges, int32_t directed, int64_t classes,
                                  int64_t* out) {
  return guard([&] {
    if (nodes < 0 || nodes > int64_t{1} << 31 || edges < 0 || classes < 0 || classes >> 31)
      fail(GUST_EINVAL, "Erdos-Renyi graph of %lld nodes and %lld edges: expected 0 .. 2^31 nodes",
           static_cast<long long>(nodes), static_cast<long long>(edges));
    const int64_t ordered = nodes * (nodes - 1), pairs = directed ? ordered : ordered / 2;
    if (edges > pairs)
      fail(GUST_EINVAL, "%lld edges among %lld nodes, expected at most %lld", static_cast<long long>(edges),
           static_cast<long long>(nodes), static_cast<long long>(pairs));
    Generator* made = new ErdosRenyi(static_cast<uint64_t>(seed), nodes, pairs, edges, directed != 0);
    made->num_classes = classes;
    out[0] = reinterpret_cast<int64_t>(made);
  });
}
