// The sparse and row-index ops in memory of exactly their size, on several threads.
#include "check.h"

using namespace gust;
using namespace gust::test;

namespace {

/** A random n x m pattern: rows of 0 to 11 entries and one long one, duplicates included. */
template <class I>
struct Pattern {
  Tensor<int64_t> indptr;
  Tensor<I> indices;
};

template <class I>
Pattern<I> pattern(const Machine& machine, int64_t n, int64_t m) {
  std::vector<int64_t> starts{0};
  for (int64_t i = 0; i < n; ++i)
    starts.push_back(starts.back() + (m == 0 ? 0 : i == n / 2 ? 3000 : static_cast<int64_t>(mix64(i) % 12)));
  return {machine.tensor<int64_t>(n + 1, 1, [&](int64_t i) { return starts[i]; }),
          machine.tensor<I>(starts.back(), 1, [=](int64_t e) { return mix64(e + 1) % static_cast<uint64_t>(m); })};
}

template <class T, class I>
void check_sparse(int64_t n, int64_t f) {
  Machine machine;
  auto [indptr, indices] = pattern<I>(machine, n, n);
  const int64_t e = indices.size;
  auto values = machine.values<T>(e, 1), left = machine.values<T>(n, 1), right = machine.values<T>(n, 1);
  auto x = machine.values<T>(n, f), y = machine.values<T>(n, f), out = machine.zeros<T>(n, f);
  auto edges = machine.zeros<T>(e, 1), rows = machine.zeros<T>(n, 1);
  auto arg = machine.zeros<int64_t>(n, f), order = machine.zeros<int64_t>(e, 1), starts = machine.zeros<int64_t>(n + 1, 1);
  auto turned = machine.zeros<I>(e, 1);
  auto index = machine.tensor<I>(2 * n, 1, [=](int64_t i) { return i % 5 == 0 ? -1 : static_cast<int64_t>(mix64(i) % n); });
  auto picked = machine.zeros<T>(2 * n, f);

  const auto bias = machine.zeros<T>(f, 1);
  for (int reduce = 0; reduce < 4; ++reduce) {
    const bool winner = reduce >= 2;
    same_on_threads(
        [&] {
          GUST_RUN(machine, spmm, indptr.slot, indices.slot, values.slot, -1, -1, -1, -1, -1, x.slot, out.slot,
                   winner ? arg.slot : -1, reduce, -1, -1, -1, 0, 0, 0, 0, 0);
        },
        [&] { return copy(out); });
    if (!winner)
      same_on_threads(
          [&] {
            GUST_RUN(machine, spmm, indptr.slot, indices.slot, -1, -1, left.slot, right.slot, left.slot, -1, x.slot,
                     out.slot, -1, reduce, -1, bias.slot, -1, 1, 0.1, 0.5, 3, 1);
          },
          [&] { return copy(out); });
  }
  same_on_threads(
      [&] { GUST_RUN(machine, spmm_arg_backward, arg.slot, indices.slot, values.slot, y.slot, out.slot); },
      [&] { return copy(out); });
  same_on_threads(
      [&] { GUST_RUN(machine, sddmm, indptr.slot, indices.slot, left.slot, right.slot, x.slot, y.slot, edges.slot); },
      [&] { return copy(edges); });
  same_on_threads(
      [&] { GUST_RUN(machine, csr_transpose, indptr.slot, indices.slot, starts.slot, turned.slot, order.slot); },
      [&] { return copy(order); });
  same_on_threads([&] { GUST_RUN(machine, csr_row_sum, indptr.slot, values.slot, rows.slot, 2.0); },
                  [&] { return copy(rows); });
  same_on_threads(
      [&] { GUST_RUN(machine, csr_scale, indptr.slot, indices.slot, values.slot, left.slot, right.slot, edges.slot); },
      [&] { return copy(edges); });
  same_on_threads([&] { GUST_RUN(machine, gather, x.slot, index.slot, picked.slot, -1, -1); }, [&] { return copy(picked); });
  same_on_threads([&] { GUST_RUN(machine, scatter_add, picked.slot, index.slot, out.slot); },
                  [&] { return copy(out); });

  auto long_x = machine.values<T>(e, f), long_out = machine.zeros<T>(e, f);
  for (int reduce = 0; reduce < 4; ++reduce)
    same_on_threads(
        [&] { GUST_RUN(machine, segment_reduce, indptr.slot, long_x.slot, out.slot, reduce >= 2 ? arg.slot : -1, reduce); },
        [&] { return copy(out); });
  for (int mean : {0, 1})
    same_on_threads([&] { GUST_RUN(machine, segment_broadcast, indptr.slot, x.slot, long_out.slot, mean); },
                    [&] { return copy(long_out); });
  same_on_threads([&] { GUST_RUN(machine, segment_softmax, indptr.slot, long_x.slot, long_out.slot); },
                  [&] { return copy(long_out); });
}

}  // namespace

GUST_TEST(sparse_ops_give_the_same_bits_on_any_threads) {
  for (int64_t f : {1, 3, 16, 33, 70}) {
    check_sparse<float, int32_t>(701, f);
    check_sparse<double, int64_t>(701, f);
  }
  check_sparse<float, int32_t>(5003, 24);
}

GUST_TEST(sparse_ops_take_one_node_and_no_columns) {
  check_sparse<float, int32_t>(1, 1);
  check_sparse<float, int64_t>(40, 0);
  check_sparse<double, int32_t>(40, 0);
}

GUST_TEST(csr_to_dense_stays_inside_its_memory) {
  Machine machine;
  auto [indptr, indices] = pattern<int32_t>(machine, 101, 37);
  auto dense = machine.zeros<float>(101, 37);
  same_on_threads([&] { GUST_RUN(machine, csr_to_dense, indptr.slot, indices.slot, -1, dense.slot); },
                  [&] { return copy(dense); });
  float total = 0;
  for (float value : copy(dense)) total += value;
  GUST_CHECK(total == static_cast<float>(indices.size));
}
