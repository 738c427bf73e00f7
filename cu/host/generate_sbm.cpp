// Stochastic block model, sparse and drawn edge by edge (Holland et al. 1983; Condon and Karp 2001 for the planted
// partition): edge i picks a node uniformly, stays in the node's class with probability `homophily`, and picks its
// other end uniformly there or outside. So each class pair is an Erdos-Renyi block and degrees are binomial.
//
// Classes may be made of smaller communities: a share `closeness` of the edges stays in its community, and counts
// towards those that stay in their class.
//
// With a skew S above 1 ends are not drawn evenly: the node at the share x of its community's range has weight
// x^(1/S - 1), so degrees follow a power law of exponent 2 + 1 / (S - 1) from 1/S of their mean upwards (degree
// correction: Karrer and Newman 2011). Powers of a draw are taken in integers: the same edges on every machine.
//
// Classes are balanced to one node, and so are the communities of a class; they are scattered over the ids: class c owns
// a range of positions, and a random permutation maps positions to ids. Cost per edge: one Philox block and two
// permutations. No memory.
#include "../include/gust.h"
#include "generate.h"

namespace gust {
namespace {

class Sbm final : public Generator {
 public:
  Sbm(uint64_t seed_, int64_t nodes, int64_t classes, int64_t edges, int64_t homophily, int64_t communities,
      int64_t closeness, int64_t skew, bool directed_)
      : random_(seed_, stream_id("generate.sbm"), 0, 0, 0), homophily_(static_cast<uint64_t>(homophily)),
        closeness_(static_cast<uint64_t>(closeness)), communities_(communities), skew_(skew),
        ids_(nodes, seed_, stream_id("generate.classes")), starts_(static_cast<size_t>(classes) + 1) {
    // Class c owns positions floor(c n / C) .. floor((c + 1) n / C) - 1: sizes differ by one at most.
    for (int64_t c = 0; c <= classes; ++c) starts_[c] = c * (nodes / classes) + c * (nodes % classes) / classes;
    num_nodes = nodes;
    items = edges;
    directed = directed_;
    num_classes = classes;
    seed = seed_;
  }

  int64_t draw(int64_t begin, int64_t end, Arc* out) const override {
    for (int64_t i = begin; i < end; ++i) {
      const EdgeBits bits(random_.block(static_cast<uint64_t>(i), 0));
      const int64_t p = position(bits.first, {0, num_nodes}, {num_nodes, 0});
      const int64_t c = class_at(p), start = starts_[c], size = starts_[c + 1] - start;
      int64_t q;
      if (const Range near = community_of(p); bits.choice < closeness_ && near.size > 1) {
        q = position(bits.second, near, {p, 1});
      } else if ((bits.choice < homophily_ && size > 1) || size == num_nodes) {
        q = position(bits.second, {start, size}, {p, 1});
      } else {
        q = position(bits.second, {0, num_nodes}, {start, size});
      }
      if (q == p) q = p > start ? p - 1 : p + 1;  // where both lean to the same node; only inside of a class
      out[i - begin] = {ids_.forward(p), ids_.forward(q)};
    }
    return end - begin;
  }

  int32_t class_of(int64_t node) const override { return static_cast<int32_t>(class_at(ids_.backward(node))); }
  bool has_centres() const override { return true; }

 private:
  /** The c with starts_[c] <= p < starts_[c + 1]. Nodes times classes stay below 2^63 (checked at creation). */
  int64_t class_at(int64_t p) const { return ((p + 1) * num_classes - 1) / num_nodes; }

  struct Range {
    int64_t start, size;
  };
  /** That of position p. Communities split a class as classes split the nodes: sizes times communities stay below 2^63. */
  Range community_of(int64_t p) const {
    const int64_t start = starts_[class_at(p)], size = starts_[class_at(p) + 1] - start;
    const int64_t c = ((p - start + 1) * communities_ - 1) / size, first = c * size / communities_;
    return {start + first, (c + 1) * size / communities_ - first};
  }

  /** What 48 bits draw out of the positions `from` without those of `gap`: evenly, or leant in its community. */
  int64_t position(uint64_t bits, Range from, Range gap) const {
    using Wide = unsigned __int128;
    const Wide scaled = static_cast<Wide>(bits) * static_cast<uint64_t>(from.size - gap.size);
    int64_t p = from.start + static_cast<int64_t>(scaled >> 48);
    if (p >= gap.start) p += gap.size;
    if (skew_ == 1) return p;
    const Range own = community_of(p);
    const uint64_t rest = static_cast<uint64_t>(scaled) & ((uint64_t{1} << 48) - 1);
    const auto share =
        static_cast<uint64_t>((static_cast<Wide>(p - own.start) << 48 | rest) / static_cast<uint64_t>(own.size));
    uint64_t power = share;
    for (int64_t s = 1; s < skew_; ++s) power = static_cast<uint64_t>((static_cast<Wide>(power) * share) >> 48);
    return own.start + EdgeBits::below(power, own.size);
  }

  Random random_;
  uint64_t homophily_, closeness_;  // of 2^32
  int64_t communities_;             // of every class
  int64_t skew_;                    // 1: ends are drawn evenly
  Permutation ids_;
  std::vector<int64_t> starts_;
};

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_generate_sbm(int64_t seed, int64_t nodes, int64_t classes, int64_t edges, int64_t homophily,
                          int64_t communities, int64_t closeness, int64_t skew, int32_t directed, int64_t* out) {
  return guard([&] {
    if (nodes < 0 || classes < 1 || classes >> 31 || edges < 0 || edges >> 40 || homophily < 0 || homophily > int64_t{1} << 32 ||
        (nodes > 0 && classes > INT64_MAX / nodes - 1))
      fail(GUST_EINVAL, "stochastic block model of %lld nodes, %lld classes, %lld edges: out of range",
           static_cast<long long>(nodes), static_cast<long long>(classes), static_cast<long long>(edges));
    if (communities < 1 || (nodes > 0 && communities > INT64_MAX / nodes - 1) || closeness < 0 ||
        closeness > homophily)
      fail(GUST_EINVAL, "%lld communities in each class: out of range", static_cast<long long>(communities));
    if (skew < 1 || skew > 16) fail(GUST_EINVAL, "skew %lld, expected 1 to 16", static_cast<long long>(skew));
    if (nodes < 2 && edges > 0) fail(GUST_EINVAL, "edges among %lld nodes", static_cast<long long>(nodes));
    Generator* made = new Sbm(static_cast<uint64_t>(seed), nodes, classes, edges, homophily, communities,
                              closeness, skew, directed != 0);
    out[0] = reinterpret_cast<int64_t>(made);
  });
}
