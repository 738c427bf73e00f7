// Layer-neighbour sampling (LABOR): of every row, the arcs whose source's random number is below a threshold of the
// row.
//
// A source t has one number r_t of a hop and batch, which all rows share: arc t -> s is kept where r_t < c_s pi_t, so
// rows that have neighbours in common keep the same ones. c_s solves sum_t 1 / min(1, c_s pi_t) = d_s^2 / k, the
// variance of k neighbours out of d_s; with pi = 1 that is c_s = k / d_s, and k arcs are kept in expectation.
// `importance` times, pi_t becomes pi_t max_s c_s over the rows that t leads to, which keeps the variance and lowers
// the number of sources.
// Expectation: of arc weights 1 / min(1, c_s pi_t), the inclusion probability inverted, row sums are unbiased; scaled
// to the row's d_s arcs (Hajek), as here and in the paper, they are unbiased but for O(1 / k), and means are exact of
// constants, but in rows of which nothing was drawn: those are 0.
//
// Source: Balin and Catalyurek 2023 (arXiv:2210.13339), sections 3.2 and 3.3.
// Cost: O(arcs of the rows reached), a random number for each or for each node. Parallel over batches;
// without `importance` decisions are made on integers.
#include <immintrin.h>

#include <cstring>

#include "../include/gust.h"
#include "../common/isa.h"
#include "sample_weighted.h"

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr int64_t kAhead = 4;       // rows whose arcs are asked for ahead
constexpr int64_t kIdLanes = 8;     // a multiple of how many words are drawn at once
constexpr int64_t kDrawn = 512;     // arcs whose words are drawn together, a multiple of kIdLanes
constexpr uint32_t kFew = 1 << 11;  // of 2^16: upper halves up to which few arcs of a row stay

struct Loops {
  void (*first_words)(const Random& random, const uint64_t* ids, int64_t count, uint32_t* words);
};

#define GUST_LOOPS "sample_labor_loops.h"
#include "isa_loops.h"

/**
 * Which arcs of a hop's rows have a source whose word is below a number. Words are drawn for each arc, or, where the
 * rows have more arcs than there are nodes, for all nodes: upper halves are kept, the rest drawn again where they tie.
 */
template <class I>
class Below {
 public:
  Below(const GraphView<I>& graph, const Random& random, const Loops& vectors, const Array<int64_t>& rows)
      : graph_(graph), random_(random), vectors_(vectors) {
    const auto count = static_cast<int64_t>(rows.size());
    int64_t arcs = 0;
    for (int64_t r = 0; r < count && arcs <= graph.num_nodes; ++r) arcs += graph.row(rows[r]).size();
    if (arcs <= graph.num_nodes) return;
    halves_.resize(static_cast<size_t>(graph.num_nodes));
    for (int64_t v = 0; v < graph.num_nodes; v += kDrawn) {
      const int64_t nodes = std::min(graph.num_nodes - v, kDrawn);
      alignas(64) uint32_t words[kDrawn];
      draw(nodes, [&](int64_t i) { return v + i; }, words);
      for (int64_t i = 0; i < nodes; ++i) halves_[static_cast<size_t>(v + i)] = static_cast<uint16_t>(words[i] >> 16);
    }
  }

  /** The arcs of a row whose source's word is below `below`, each with weight 1. */
  void arcs(typename GraphView<I>::Row row, uint32_t below, std::vector<Drawn>& arcs) {
    const int64_t count = halves_.empty() ? by_words(row, below) : by_halves(row, below);
    for (int64_t i = 0; i < count; ++i) arcs.push_back({row.begin + places_[static_cast<size_t>(i)], 1});
  }

 private:
  int64_t by_words(typename GraphView<I>::Row row, uint32_t below) {
    words_.resize(static_cast<size_t>(num_chunks(row.size(), kDrawn) * kDrawn));
    for (int64_t i = 0; i < row.size(); i += kDrawn)
      draw(std::min(row.size() - i, kDrawn), [&](int64_t j) { return graph_.source(row.begin + i + j); },
           words_.data() + i);
    const uint32_t* words = words_.data();
    return graph_.select(row, places_, false, [&](int64_t i, auto) { return words[i] < below; });
  }

  int64_t by_halves(typename GraphView<I>::Row row, uint32_t below) {
    const uint16_t* halves = halves_.data();
    const uint32_t bound = below >> 16;
    const bool few = bound < kFew;
    const int64_t count = graph_.select(row, places_, few, [&](int64_t, auto u) { return halves[u] <= bound; });
    int32_t* to = places_.data();
    for (int64_t i = 0; i < count; ++i) {
      const int32_t place = places_[static_cast<size_t>(i)];
      const int64_t u = graph_.indices[row.begin + place];
      if (halves[u] < bound || random_.u32(graph_.id(u), 0) < below) *to++ = place;
    }
    return to - places_.data();
  }

  template <class Node>
  void draw(int64_t count, Node&& node, uint32_t* words) const {
    alignas(64) uint64_t ids[kDrawn];
    const int64_t padded = num_chunks(count, kIdLanes) * kIdLanes;
    for (int64_t i = 0; i < count; ++i) ids[i] = graph_.id(node(i));
    std::fill(ids + count, ids + padded, 0);
    vectors_.first_words(random_, ids, padded, words);
  }

  const GraphView<I>& graph_;
  const Random& random_;
  const Loops& vectors_;
  Array<uint16_t> halves_;  // of all nodes' words, or none
  Array<uint32_t> words_;   // of a row's arcs
  Array<int32_t> places_;   // of the arcs that stay in a row
};

/** The numbers pi of a hop's sources, by arcs of its rows: node table of its own. */
struct Sources {
  Batch found;                 // its nodes: the sources
  std::vector<int32_t> of_arc;  // source of each arc of the rows, one row after another
  std::vector<double> pi, most;
};

/** c with sum over i of 1 / min(1, c pi_i) = d^2 / k, for k < d. The left side falls in c, and is convex: Newton's
 *  method from the left reaches it from there. */
double threshold(const std::vector<double>& pi, const int32_t* of, int64_t d, int64_t k) {
  const double wanted = static_cast<double>(d) * static_cast<double>(d) / static_cast<double>(k);
  double inverse = 0;
  for (int64_t i = 0; i < d; ++i) inverse += 1 / pi[of[i]];
  double c = inverse / wanted;  // where no term is capped: a lower bound
  for (int i = 0; i < 100; ++i) {
    double open = 0;
    int64_t capped = 0;
    for (int64_t j = 0; j < d; ++j) {
      if (c * pi[of[j]] >= 1) ++capped;
      else open += 1 / pi[of[j]];
    }
    if (open == 0) break;
    const double next = open / (wanted - static_cast<double>(capped));  // exact while the same ones are capped
    if (!(next > c * (1 + 1e-12))) break;
    c = next;
  }
  return c;
}

}  // namespace

int32_t gust_sample_labor(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                          const int64_t* fanout, int64_t hops, int64_t importance, int32_t dependent, int64_t seed,
                          int64_t epoch, int64_t first_step, int64_t* out) {
  return guard([&] {
    const Loops& vectors = loops();
    sample_batches(
        sampler, seeds, seed_ptr, num_batches, hops, first_step, out,
        [&](const auto& graph, Sampler& s, Batch& batch, auto& writer, int64_t rows, int64_t step, int64_t hop) {
          const Random random = hop_random("sample.labor", seed, epoch, step, dependent ? 0 : hop);
          const int64_t k = fanout[hop];
          std::vector<Drawn> arcs;
          if (importance == 0 || k <= 0) {
            Below kept(graph, random, vectors, batch.nodes);
            for (int64_t r = 0; r < rows; ++r) {
              if (r + 2 * kAhead < rows) prefetch(graph.indptr + batch.nodes[r + 2 * kAhead]);
              if (r + kAhead < rows) graph.prefetch_row(batch.nodes[r + kAhead]);
              const auto row = graph.row(batch.nodes[r]);
              const int64_t d = row.size();
              arcs.clear();
              if (k < 0 || d <= k) {
                for (int64_t e = row.begin; e < row.end; ++e) arcs.push_back({e, 1});
              } else if (k > 0) {
                const auto below = static_cast<uint32_t>((static_cast<unsigned __int128>(k) << 32) / d);  // k < d
                kept.arcs(row, below, arcs);
                scale_to(arcs, static_cast<double>(d));
              }
              writer.row(arcs);
            }
            return;
          }
          Sources sources;
          std::vector<double> c(static_cast<size_t>(rows));
          s.pool->with(sources.found, [&](auto& positions) {
            auto&& table = positions.table();
            auto& nodes = sources.found.nodes;
            for (int64_t r = 0; r < rows; ++r) {
              const auto row = graph.row(batch.nodes[r]);
              for (int64_t e = row.begin; e < row.end; ++e) {
                const int64_t u = graph.source(e);
                check_batch_size(static_cast<int64_t>(nodes.size()) + 1);
                const auto [place, is_new] = table.insert(u, static_cast<int32_t>(nodes.size()));
                if (is_new) nodes.push_back(u);
                sources.of_arc.push_back(place);
              }
            }
          });
          sources.pi.assign(sources.found.nodes.size(), 1);
          const auto solve = [&] {
            const int32_t* of = sources.of_arc.data();
            for (int64_t r = 0; r < rows; ++r) {
              const int64_t d = graph.row(batch.nodes[r]).size();
              if (d <= k) {  // all are kept
                double least = INFINITY;
                for (int64_t i = 0; i < d; ++i) least = std::min(least, sources.pi[of[i]]);
                c[r] = d == 0 ? 0 : 1 / least;
              } else {
                c[r] = threshold(sources.pi, of, d, k);
              }
              of += d;
            }
          };
          solve();
          for (int64_t i = 0; i < importance; ++i) {
            sources.most.assign(sources.pi.size(), 0);
            const int32_t* of = sources.of_arc.data();
            for (int64_t r = 0; r < rows; ++r) {
              const int64_t d = graph.row(batch.nodes[r]).size();
              for (int64_t j = 0; j < d; ++j) sources.most[of[j]] = std::max(sources.most[of[j]], c[r]);
              of += d;
            }
            for (size_t t = 0; t < sources.pi.size(); ++t) sources.pi[t] *= sources.most[t];
            solve();
          }
          const int32_t* of = sources.of_arc.data();
          for (int64_t r = 0; r < rows; ++r) {
            const auto row = graph.row(batch.nodes[r]);
            arcs.clear();
            for (int64_t e = row.begin; e < row.end; ++e) {
              const double p = row.size() <= k ? 1 : std::min(1.0, c[r] * sources.pi[of[e - row.begin]]);
              if (random.u32(graph.id(graph.source(e)), 0) < p * 0x1p32) arcs.push_back({e, static_cast<float>(1 / p)});
            }
            of += row.size();
            scale_to(arcs, static_cast<double>(row.size()));
            writer.row(arcs);
          }
        });
  });
}
