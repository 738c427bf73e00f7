// Samplers, shuffles and row copies through the C ABI: many batches on several threads, maps handed from one to the
// next, direct and hashed numbering, and inputs that lead outside.
#include <algorithm>
#include <numeric>

#include "../../../cu/host/sample.h"
#include "check.h"

using namespace gust;
using namespace gust::test;

namespace {

template <class T>
int64_t address(const std::vector<T>& values) { return reinterpret_cast<int64_t>(values.data()); }

/** A graph whose nodes from `first` on have arcs among themselves. */
struct Graph {
  std::vector<int64_t> indptr, ids;
  std::vector<int32_t> indices;
  int64_t num_nodes;

  Graph(int64_t n, int64_t first, int64_t degree) : indptr(static_cast<size_t>(n + 1)), num_nodes(n) {
    uint64_t state = 1;
    for (int64_t v = first; v < n; ++v) {
      for (int64_t i = 0; i < (v * 7) % (2 * degree); ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        indices.push_back(static_cast<int32_t>(first + static_cast<int64_t>((state >> 33) % static_cast<uint64_t>(n - first))));
      }
      std::sort(indices.begin() + indptr[v], indices.end());
      indptr[v + 1] = static_cast<int64_t>(indices.size());
    }
    for (int64_t v = 0; v < n; ++v) ids.push_back((v * 31 + 7) % n);
  }
  int64_t sampler(bool with_ids) const {
    int64_t out;
    succeed(gust_sampler_create(num_nodes, address(indptr), static_cast<int64_t>(indices.size()), address(indices),
                                GUST_I32, with_ids ? address(ids) : 0, 0, 1, &out));
    return out;
  }
};

/** All arrays of batches of one hop after another, as numbers; nodes are counted from `first` on. */
std::vector<int64_t> contents(int64_t batches, int64_t count, int64_t hops, int64_t first = 0) {
  const int64_t blocks = std::max<int64_t>(hops, 1), width = hops + 1 + blocks;
  std::vector<int64_t> sizes(static_cast<size_t>(count * width)), all;
  succeed(gust_batches_sizes(batches, sizes.data()));
  int64_t nodes = 0;
  for (int64_t b = 0; b < count; ++b) nodes += sizes[b * width + hops];
  std::vector<int64_t> list(static_cast<size_t>(nodes));
  succeed(gust_batches_copy_nodes(batches, 0, count, GUST_I64, address(list)));
  for (int64_t v : list) all.push_back(v - first);
  for (int64_t h = 0; h < blocks; ++h) {
    int64_t rows = 0, arcs = 0;
    for (int64_t b = 0; b < count; ++b) {
      rows += sizes[b * width + h] + 1;
      arcs += sizes[b * width + hops + 1 + h];
    }
    std::vector<int64_t> indptr(static_cast<size_t>(rows)), edges(static_cast<size_t>(arcs));
    std::vector<int32_t> indices(static_cast<size_t>(arcs));
    succeed(gust_batches_copy_block(batches, 0, count, h, address(indptr), address(indices), address(edges), 0, 0, 0));
    all.insert(all.end(), indptr.begin(), indptr.end());
    all.insert(all.end(), indices.begin(), indices.end());
    all.insert(all.end(), edges.begin(), edges.end());
  }
  return all;
}

std::vector<int64_t> pointer(int64_t count, int64_t size) {
  std::vector<int64_t> ptr(static_cast<size_t>(count + 1));
  for (int64_t b = 0; b <= count; ++b) ptr[b] = b * size;
  return ptr;
}

/** What subgraphs around seeds and draws by kinds and times are, for 20 batches of 30 nodes from `first` on. */
std::vector<std::vector<int64_t>> drawn_around(const Graph& graph, int64_t first, bool with_ids) {
  constexpr int64_t kBatches = 20, kSeeds = 30, kHops = 2;
  const int64_t sampler = graph.sampler(with_ids), fanout[2 * kHops] = {4, 3, 1, -1};
  const auto ptr = pointer(kBatches, kSeeds);
  std::vector<int64_t> seeds(kBatches * kSeeds), before, times;
  std::iota(seeds.begin(), seeds.end(), first);
  for (int64_t v : seeds) before.push_back((v - first) % 7 * 10);
  std::vector<int32_t> kinds;
  for (size_t e = 0; e < graph.indices.size(); ++e) {
    times.push_back(static_cast<int64_t>(e * 31 % 70));
    kinds.push_back(static_cast<int32_t>(e % 2));
  }
  std::vector<std::vector<int64_t>> all;
  const auto take = [&](int64_t batches, int64_t hops) {
    all.push_back(contents(batches, kBatches, hops, first));
    succeed(gust_batches_destroy(batches));
  };
  int64_t out;
  for (int32_t apart : {0, 1})
    for (int64_t hops : {int64_t{0}, kHops}) {
      succeed(gust_sample_around(sampler, address(seeds), ptr.data(), kBatches, fanout, hops, 0.2, 1e-3, 9, apart, 3, 1,
                                 0, &out));
      take(out, 0);
    }
  for (int32_t recent : {0, 1}) {
    succeed(gust_sample_by_kind(sampler, address(seeds), ptr.data(), kBatches, fanout, kHops, 2, address(kinds),
                                address(times), GUST_I64, address(before), recent, 3, 1, 0, &out));
    take(out, kHops);
  }
  succeed(gust_sampler_destroy(sampler));
  return all;
}

}  // namespace

GUST_TEST(subgraphs_around_seeds_depend_neither_on_threads_nor_on_how_nodes_are_found) {
  constexpr int64_t kFirst = (int64_t{1} << 22) + 16, kNodes = 2000;  // rows have as many arcs as without the others
  const Graph near(kNodes, 0, 8);
  Graph far(kFirst + kNodes, kFirst, 8);
  for (int64_t v = 0; v < far.num_nodes; ++v) far.ids[v] = v >= kFirst ? v - kFirst : kNodes + v;
  std::vector<std::vector<int64_t>> first;
  for (int threads : {1, 4}) {
    succeed(gust_set_num_threads(threads));
    const auto got = drawn_around(near, 0, false);
    if (first.empty()) first = got;
    for (size_t i = 0; i < first.size(); ++i) GUST_CHECK(first[i].size() > 3000 && got[i] == first[i]);
    GUST_CHECK(drawn_around(far, kFirst, true) == first);
  }
  succeed(gust_set_num_threads(0));
}

GUST_TEST(samples_are_the_same_on_any_number_of_threads) {
  constexpr int64_t kBatches = 40, kSeeds = 25, kHops = 3;
  const int64_t fanout[kHops] = {5, -1, 60};
  const Graph graph(2000, 0, 8);
  for (bool with_ids : {false, true}) {
    std::vector<int64_t> first[2];
    for (int threads : {1, 4}) {
      succeed(gust_set_num_threads(threads));
      std::vector<int64_t> seeds(static_cast<size_t>(graph.num_nodes));
      std::iota(seeds.begin(), seeds.end(), 0);
      succeed(gust_sample_shuffle(graph.num_nodes, address(seeds), graph.num_nodes, with_ids ? address(graph.ids) : 0, 3, 7, 1));
      const auto ptr = pointer(kBatches, kSeeds);
      const int64_t sampler = graph.sampler(with_ids);
      int64_t out;
      succeed(gust_sample_neighbors(sampler, address(seeds), ptr.data(), kBatches, fanout, kHops, 3, 1, 0, &out));
      const auto neighbors = contents(out, kBatches, kHops);
      succeed(gust_batches_destroy(out));
      succeed(gust_sample_induced(sampler, address(seeds), ptr.data(), kBatches, &out));
      const auto induced = contents(out, kBatches, 0);
      succeed(gust_batches_destroy(out));
      succeed(gust_sampler_destroy(sampler));
      if (threads == 1) {
        first[0] = neighbors;
        first[1] = induced;
      } else {
        GUST_CHECK(neighbors == first[0] && induced == first[1]);
      }
    }
  }
  succeed(gust_set_num_threads(0));
}

GUST_TEST(samples_are_the_same_in_every_instruction_set) {
  static std::vector<int64_t> first[2];  // of the first set: all tests run once per set
  for (int kind : {0, 1}) {
    // Rows of up to 16 and 300 arcs; more and fewer picks than are sorted by counting.
    const Graph graph(2000, 0, kind == 0 ? 8 : 150);
    const int64_t fanout[3] = {70, 3, 20}, sampler = graph.sampler(false);
    std::vector<int64_t> seeds(600);
    std::iota(seeds.begin(), seeds.end(), 0);
    const auto ptr = pointer(20, 30);
    int64_t out;
    succeed(gust_sample_neighbors(sampler, address(seeds), ptr.data(), 20, fanout, 3, 3, 1, 0, &out));
    const auto got = contents(out, 20, 3);
    succeed(gust_batches_destroy(out));
    succeed(gust_sampler_destroy(sampler));
    if (first[kind].empty()) first[kind] = got;
    GUST_CHECK(got == first[kind]);
  }
}

GUST_TEST(positions_of_earlier_batches_are_forgotten) {
  sampling::DirectPositions positions(10);
  for (int64_t batch_size : {int64_t{5}, int64_t{1} << 31, int64_t{3}, (int64_t{1} << 31) - 1, int64_t{4}}) {
    GUST_CHECK(positions.table().find(7) == -1);
    GUST_CHECK(positions.table().insert(7, 2).is_new && positions.table().find(7) == 2);
    const sampling::Place again = positions.table().insert(7, 3);
    GUST_CHECK(again.position == 2 && !again.is_new);
    positions.forget(batch_size);
  }
}

GUST_TEST(large_graphs_number_their_nodes_through_a_hash_table) {
  constexpr int64_t kFirst = (int64_t{1} << 22) + 5, kNodes = 3000;
  const Graph far(kFirst + kNodes, kFirst, 8);
  const int64_t sampler = far.sampler(false);
  std::vector<int64_t> seeds(kNodes);
  std::iota(seeds.begin(), seeds.end(), kFirst);
  const auto ptr = pointer(3, 1000);
  const int64_t fanout[2] = {4, 4};
  int64_t out;
  succeed(gust_sample_neighbors(sampler, address(seeds), ptr.data(), 3, fanout, 2, 1, 0, 0, &out));
  for (int64_t value : contents(out, 3, 2)) GUST_CHECK(value >= 0 && value < kFirst + kNodes + far.indptr.back());
  succeed(gust_batches_destroy(out));
  succeed(gust_sampler_destroy(sampler));
}

GUST_TEST(shuffles_are_permutations_whatever_their_size) {
  for (int64_t n : {int64_t{0}, int64_t{1}, int64_t{2047}, int64_t{5000}, int64_t{300000}}) {
    std::vector<int64_t> items(static_cast<size_t>(n)), sorted;
    std::iota(items.begin(), items.end(), 0);
    succeed(gust_sample_shuffle(n, address(items), n, 0, 1, 7, 0));
    sorted = items;
    std::sort(sorted.begin(), sorted.end());
    for (int64_t i = 0; i < n; ++i) GUST_CHECK(sorted[i] == i);
    GUST_CHECK(n < 3 || items != sorted);
  }
}

GUST_TEST(what_leads_outside_a_graph_is_refused) {
  Graph graph(50, 0, 4);
  const int64_t fanout[1] = {-1}, sampler = graph.sampler(false);
  std::vector<int64_t> seeds{1, 2, 50, 3, 3};
  int64_t out;
  const auto sample = [&](int64_t first, int64_t count) {
    const std::vector<int64_t> ptr{first, first + count};
    return gust_sample_neighbors(sampler, address(seeds), ptr.data(), 1, fanout, 1, 0, 0, 0, &out);
  };
  GUST_CHECK(sample(1, 2) == GUST_EDATA && last_error() == "node 50, expected numbers below num_nodes = 50");
  GUST_CHECK(sample(3, 2) == GUST_EDATA && last_error() == "node 3 is twice in one batch");
  const int64_t kept = graph.indptr[2];
  graph.indptr[2] = 1 << 30;
  GUST_CHECK(sample(0, 1) == GUST_EDATA && last_error().find("row 1 is") != std::string::npos);
  graph.indptr[2] = kept;
  graph.indices[graph.indptr[2]] = -1;
  GUST_CHECK(sample(1, 1) == GUST_EDATA && last_error().find("holds node -1 at position") != std::string::npos);
  graph.indices[graph.indptr[2]] = 0;
  succeed(sample(0, 2));  // after failures the sampler is as good as new
  succeed(gust_batches_destroy(out));
  succeed(gust_sampler_destroy(sampler));
}

GUST_TEST(rows_are_gathered_inside_their_matrix_only) {
  const std::vector<int64_t> indptr{0, 2, 2, 5};
  const std::vector<int32_t> items{1, 2, 3, 4, 5}, index{2, 0, 1, 2};
  std::vector<int64_t> to_ptr(5);
  int64_t entries;
  succeed(gust_rows_gather_indptr(4, address(index), GUST_I32, 3, address(indptr), 5, 0, address(to_ptr), &entries));
  GUST_CHECK(entries == 8 && to_ptr == (std::vector<int64_t>{0, 3, 5, 5, 8}));
  std::vector<int32_t> out(8);
  succeed(gust_rows_gather_entries(4, address(index), GUST_I32, address(indptr), 4, address(items), address(to_ptr), address(out)));
  GUST_CHECK(out == (std::vector<int32_t>{3, 4, 5, 1, 2, 3, 4, 5}));
  const std::vector<int32_t> outside{0, 3};
  GUST_CHECK(gust_rows_gather_indptr(2, address(outside), GUST_I32, 3, address(indptr), 5, 0, address(to_ptr), &entries) == GUST_EDATA);
  GUST_CHECK(gust_rows_gather(2, address(outside), GUST_I32, 3, 4, address(items), address(out)) == GUST_EDATA);
  GUST_CHECK(gust_rows_gather_indptr(1, address(index), GUST_I32, 3, address(indptr), 4, 0, address(to_ptr), &entries) == GUST_EDATA);
}
