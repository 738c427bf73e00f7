// Links as training pairs, pairs without a link drawn at random, and filtered ranks.
//
// A link is (source, target, type); rows of the graph are targets and hold sources. Draws are keyed by seed, stream,
// epoch, the number of the draw (in the place of the step) and a hash of the positive link's original ids, and a drawn
// number is the place of a node among the original ids in ascending order: neither threads nor the order of the nodes
// matter. A draw costs a search in one row: O(log degree) where rows are ascending, O(degree) where they follow time.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "../include/gust.h"
#include "../common/dtype.h"
#include "../common/parallel.h"
#include "../common/rng.h"
#include "../include/gust.h"

using namespace gust;

namespace {

constexpr int64_t kRows = 4096;   // rows per task
constexpr int64_t kPairs = 256;   // positives per task
constexpr uint32_t kAttempts = 64;  // random draws before the first free place is searched from a random one on

/** Original ids (null: the node numbers), and the nodes in their order. */
struct Naming {
  const int64_t* ids;
  const int64_t* order;
  uint64_t id(int64_t v) const { return static_cast<uint64_t>(ids ? ids[v] : v); }
  int64_t node(int64_t place) const { return order ? order[place] : place; }
  /** 40 bits of a link, which stand for it as the id of random numbers. */
  uint64_t key(int64_t source, int64_t target, int32_t type) const {
    return mix64(id(source) ^ mix64(id(target) ^ mix64(static_cast<uint64_t>(static_cast<uint32_t>(type))))) >> 24;
  }
};

/** Links that are known: the arcs of a graph, and others. Types count where the arcs have some. */
template <class I>
struct Known {
  int64_t n;
  const int64_t* indptr;
  const I* indices;
  const int32_t* types;
  bool ascending, undirected;
  std::vector<std::array<int64_t, 3>> others;  // sorted

  void add(const int64_t* pairs, const int32_t* pair_types, int64_t count) {
    others.reserve(static_cast<size_t>(undirected ? 2 * count : count));
    for (int64_t i = 0; i < count; ++i) {
      const int64_t s = pairs[2 * i], t = pairs[2 * i + 1], type = types && pair_types ? pair_types[i] : 0;
      others.push_back({s, t, type});
      if (undirected) others.push_back({t, s, type});
    }
    std::sort(others.begin(), others.end());
  }
  bool has(int64_t source, int64_t target, int32_t type) const {
    const I* begin = indices + indptr[target];
    const I* end = indices + indptr[target + 1];
    const auto wanted = static_cast<I>(source);
    const auto fits = [&](const I* at) { return !types || types[at - indices] == type; };
    if (ascending) {
      for (const I* at = std::lower_bound(begin, end, wanted); at != end && *at == wanted; ++at)
        if (fits(at)) return true;
    } else {
      for (const I* at = begin; at != end; ++at)
        if (*at == wanted && fits(at)) return true;
    }
    return !others.empty() &&
           std::binary_search(others.begin(), others.end(), std::array<int64_t, 3>{source, target, types ? type : 0});
  }
  /** A pair of different nodes without a link. */
  bool is_free(int64_t source, int64_t target, int32_t type) const {
    return source != target && !has(source, target, type);
  }
};

template <class F>
void with_known(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t types, int32_t flags, int64_t others,
                int64_t other_types, int64_t num_others, F&& f) {
  dispatch_index(dtype, [&](auto tag) {
    using I = decltype(tag);
    Known<I> known{n, reinterpret_cast<const int64_t*>(indptr), reinterpret_cast<const I*>(indices),
                   reinterpret_cast<const int32_t*>(types), (flags & 1) != 0, (flags & 2) != 0, {}};
    known.add(reinterpret_cast<const int64_t*>(others), reinterpret_cast<const int32_t*>(other_types), num_others);
    f(known);
  });
}

using Pair = std::pair<int64_t, int64_t>;

/** The negatives of one positive. */
template <class I>
class Draw {
 public:
  Draw(const Known<I>& known, const Naming& naming, const Random& random, uint64_t key, Pair positive, int32_t type)
      : known_(known), naming_(naming), random_(random), key_(key), positive_(positive), type_(type) {}

  /** Both ends anew. */
  Pair both() const {
    for (uint32_t a = 0; a < kAttempts; ++a) {
      const Pair p{node(2 * a), node(2 * a + 1)};
      if (free(p)) return p;
    }
    const int64_t n = known_.n, from = place(2 * kAttempts), start = place(2 * kAttempts + 1);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        const Pair p{naming_.node((from + i) % n), naming_.node((start + j) % n)};
        if (free(p)) return p;
      }
    fail(GUST_EDATA, "every pair of the %lld nodes is linked%s: there is no pair to train or score against",
         static_cast<long long>(n), known_.types ? " by some type" : "");
  }

  /** One end anew, the target first; the other one where that is impossible, and both where that is. */
  Pair one(bool target) const {
    for (const bool side : {target, !target}) {
      for (uint32_t a = 0; a < kAttempts; ++a)
        if (const Pair p = with(side, node(2 * a + (side == target ? 0 : 1))); free(p)) return p;
      const int64_t n = known_.n, from = place(2 * kAttempts);
      for (int64_t i = 0; i < n; ++i)
        if (const Pair p = with(side, naming_.node((from + i) % n)); free(p)) return p;
    }
    return both();
  }

 private:
  int64_t place(uint32_t pair) const {
    return static_cast<int64_t>(random_.below(key_, pair, static_cast<uint64_t>(known_.n)));
  }
  int64_t node(uint32_t pair) const { return naming_.node(place(pair)); }
  Pair with(bool target, int64_t v) const {
    return target ? Pair{positive_.first, v} : Pair{v, positive_.second};
  }
  bool free(const Pair& p) const { return known_.is_free(p.first, p.second, type_); }

  const Known<I>& known_;
  const Naming& naming_;
  const Random& random_;
  uint64_t key_;
  Pair positive_;
  int32_t type_;
};

}  // namespace

int32_t gust_links_count(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t ids, int32_t undirected,
                         int64_t starts, int64_t* out) {
  return guard([&] {
    dispatch_index(dtype, [&](auto tag) {
      const auto* rows = reinterpret_cast<const int64_t*>(indptr);
      const auto* sources = reinterpret_cast<const decltype(tag)*>(indices);
      const Naming naming{reinterpret_cast<const int64_t*>(ids), nullptr};
      auto* counts = reinterpret_cast<int64_t*>(starts);
      parallel_for(n, kRows, [&](int64_t begin, int64_t end) {
        for (int64_t v = begin; v < end; ++v) {
          counts[v] = 0;
          for (int64_t e = rows[v]; e < rows[v + 1]; ++e)
            counts[v] += undirected ? naming.id(sources[e]) < naming.id(v) : sources[e] != v;
        }
      });
      exclusive_scan(counts, n);
      out[0] = counts[n];
    });
  });
}

int32_t gust_links_list(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t types, int64_t ids,
                        int32_t undirected, int64_t starts, int64_t source, int64_t target, int64_t type, int64_t key) {
  return guard([&] {
    dispatch_index(dtype, [&](auto tag) {
      const auto* rows = reinterpret_cast<const int64_t*>(indptr);
      const auto* sources = reinterpret_cast<const decltype(tag)*>(indices);
      const auto* kinds = reinterpret_cast<const int32_t*>(types);
      const auto* first = reinterpret_cast<const int64_t*>(starts);
      const Naming naming{reinterpret_cast<const int64_t*>(ids), nullptr};
      auto* from = reinterpret_cast<int64_t*>(source);
      auto* to = reinterpret_cast<int64_t*>(target);
      auto* kind = reinterpret_cast<int32_t*>(type);
      auto* keys = reinterpret_cast<int64_t*>(key);
      parallel_for(n, kRows, [&](int64_t begin, int64_t end) {
        for (int64_t v = begin; v < end; ++v) {
          int64_t at = first[v];
          for (int64_t e = rows[v]; e < rows[v + 1]; ++e) {
            const int64_t u = sources[e];
            if (undirected ? naming.id(u) >= naming.id(v) : u == v) continue;
            from[at] = u;
            to[at] = v;
            const int32_t t = kinds ? kinds[e] : 0;
            if (kind) kind[at] = t;
            keys[at++] = static_cast<int64_t>(naming.key(u, v, t));
          }
        }
      });
    });
  });
}

int32_t gust_links_order(int64_t n, int64_t ids, int64_t order) {
  return guard([&] {
    const auto* id = reinterpret_cast<const int64_t*>(ids);
    auto* nodes = reinterpret_cast<int64_t*>(order);
    std::iota(nodes, nodes + n, int64_t{0});
    std::sort(nodes, nodes + n, [&](int64_t a, int64_t b) { return id[a] != id[b] ? id[a] < id[b] : a < b; });
  });
}

int32_t gust_links_rows(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t types, int32_t flags,
                        int64_t others, int64_t other_types, int64_t num_others, int64_t ids, int64_t order,
                        int64_t link_source, int64_t link_target, int64_t link_type, int64_t chosen, int64_t count,
                        int64_t per, int32_t one_end, int64_t seed, int64_t stream, int64_t epoch, int64_t source,
                        int64_t target, int64_t type) {
  return guard([&] {
    with_known(n, indptr, indices, dtype, types, flags, others, other_types, num_others, [&](const auto& known) {
      using I = std::remove_cvref_t<decltype(known.indices[0])>;
      const Naming naming{reinterpret_cast<const int64_t*>(ids), reinterpret_cast<const int64_t*>(order)};
      const auto* link_from = reinterpret_cast<const int64_t*>(link_source);
      const auto* link_to = reinterpret_cast<const int64_t*>(link_target);
      const auto* link_kind = reinterpret_cast<const int32_t*>(link_type);
      const auto* links = reinterpret_cast<const int64_t*>(chosen);
      auto* from = reinterpret_cast<int64_t*>(source);
      auto* to = reinterpret_cast<int64_t*>(target);
      auto* kinds = reinterpret_cast<int32_t*>(type);
      std::vector<Random> randoms;
      for (int64_t j = 0; j < per; ++j)
        randoms.emplace_back(static_cast<uint64_t>(seed), static_cast<uint32_t>(stream), static_cast<uint32_t>(epoch),
                             static_cast<uint32_t>(j), 0);
      parallel_for(count, kPairs, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t link = links ? links[i] : i, at = i * (per + 1);
          const Pair positive{link_from[link], link_to[link]};
          const int32_t kind = link_kind ? link_kind[link] : 0;
          const uint64_t key = naming.key(positive.first, positive.second, kind);
          std::tie(from[at], to[at]) = positive;
          for (int64_t j = 0; j < per; ++j) {
            const Draw<I> draw(known, naming, randoms[static_cast<size_t>(j)], key, positive, kind);
            std::tie(from[at + 1 + j], to[at + 1 + j]) = one_end ? draw.one(j % 2 == 0) : draw.both();
          }
          if (kinds) std::fill(kinds + at, kinds + at + per + 1, kind);
        }
      });
    });
  });
}

int32_t gust_links_ranks(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t types, int32_t flags,
                         int64_t others, int64_t other_types, int64_t num_others, int64_t count, int64_t source,
                         int64_t target, int64_t type, int32_t of_target, int64_t scores, int64_t ranks) {
  return guard([&] {
    with_known(n, indptr, indices, dtype, types, flags, others, other_types, num_others, [&](const auto& known) {
      const auto* from = reinterpret_cast<const int64_t*>(source);
      const auto* to = reinterpret_cast<const int64_t*>(target);
      const auto* kinds = reinterpret_cast<const int32_t*>(type);
      const auto* all = reinterpret_cast<const float*>(scores);
      auto* out = reinterpret_cast<double*>(ranks);
      parallel_for(count, 4, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t truth = of_target ? to[i] : from[i], kept = of_target ? from[i] : to[i];
          const int32_t kind = kinds ? kinds[i] : 0;
          const float* row = all + i * n;
          if (std::isnan(row[truth])) {
            out[i] = std::numeric_limits<double>::quiet_NaN();
            continue;
          }
          int64_t above = 0, level = 0;
          for (int64_t v = 0; v < n; ++v) {
            if (v == truth || row[v] < row[truth]) continue;
            if (of_target ? known.has(kept, v, kind) : known.has(v, kept, kind)) continue;
            ++(row[v] > row[truth] ? above : level);
          }
          out[i] = 1 + static_cast<double>(above) + static_cast<double>(level) / 2;
        }
      });
    });
  });
}
