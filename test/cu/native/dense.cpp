// The dense ops in memory of exactly their size, on several threads and from several contexts at once.
#include <array>
#include <thread>

#include "check.h"

using namespace gust;
using namespace gust::test;

namespace {

/** Every dense op on n x f numbers; the results one after another. */
template <class T>
std::vector<T> run_dense(const Machine& machine, int64_t n, int64_t f) {
  std::vector<T> results;
  auto keep = [&](const Tensor<T>& t) { results.insert(results.end(), t.data.get(), t.data.get() + t.size); };
  auto x = machine.values<T>(n, f), y = machine.values<T>(n, f), out = machine.zeros<T>(n, f);
  auto row = machine.values<T>(f, 1), column = machine.values<T>(n, 1), one = machine.values<T>(1, 1);
  auto label = machine.tensor<int32_t>(n, 1, [=](int64_t i) { return f == 0 ? -1 : i % (f + 1) - 1; });
  auto index = machine.tensor<int64_t>(n / 2, 1, [](int64_t i) { return 2 * i; });
  auto ids = machine.tensor<int32_t>(n, 1, [](int64_t i) { return 3 * i; });
  auto indptr = machine.tensor<int64_t>(n + 1, 1, [=](int64_t i) { return i * f; });
  auto best = machine.zeros<int32_t>(n, 1);
  auto count = machine.zeros<int64_t>(2, 1);

  for (int kind = 0; kind < 10; ++kind) {
    GUST_RUN(machine, unary, x.slot, out.slot, kind, 0.5);
    keep(out);
  }
  GUST_RUN(machine, axpby, x.slot, y.slot, out.slot, 0.5, 2.0);
  keep(out);
  GUST_RUN(machine, mul, x.slot, y.slot, out.slot);
  keep(out);
  GUST_RUN(machine, relu, x.slot, out.slot, 0.1);
  keep(out);
  GUST_RUN(machine, relu_backward, y.slot, x.slot, out.slot, 0.0);
  keep(out);
  GUST_RUN(machine, add_bias, x.slot, row.slot, out.slot);
  keep(out);
  GUST_RUN(machine, row_scale, out.slot, column.slot, out.slot);
  keep(out);
  GUST_RUN(machine, dropout, x.slot, ids.slot, out.slot, 0.5, 1, 2);
  keep(out);
  GUST_RUN(machine, dropout_csr, indptr.slot, -1, -1, out.slot, 0.5, 1, 2);
  keep(out);
  GUST_RUN(machine, uniform, out.slot, -1.0, 1.0, 1, 2);
  keep(out);
  GUST_RUN(machine, log_softmax, x.slot, out.slot);
  keep(out);
  GUST_RUN(machine, column_sum, x.slot, row.slot);
  keep(row);
  GUST_RUN(machine, row_sum, x.slot, column.slot);
  keep(column);
  GUST_RUN(machine, row_dot, x.slot, y.slot, column.slot);
  keep(column);
  GUST_RUN(machine, total_sum, x.slot, one.slot);
  keep(one);
  GUST_RUN(machine, broadcast_rows, row.slot, out.slot);
  keep(out);
  GUST_RUN(machine, broadcast_columns, column.slot, out.slot);
  keep(out);
  GUST_RUN(machine, broadcast_scalar, one.slot, out.slot);
  keep(out);
  GUST_RUN(machine, fill, out.slot, 4.0);
  keep(out);
  GUST_RUN(machine, argmax, x.slot, best.slot);
  GUST_RUN(machine, count_correct, x.slot, label.slot, index.slot, count.slot);
  results.push_back(static_cast<T>(count.data[0]));
  GUST_RUN(machine, softmax_cross_entropy, x.slot, label.slot, index.slot, -1, one.slot, 0);
  keep(one);
  GUST_RUN(machine, softmax_cross_entropy_backward, x.slot, label.slot, -1, column.slot, one.slot, out.slot, 1);
  keep(out);
  GUST_RUN(machine, label_weights, label.slot, index.slot, -1, out.slot, 0);
  keep(out);

  auto weights = machine.values<T>(f, 5), hidden = machine.zeros<T>(n, 5), gradient = machine.zeros<T>(f, 5);
  GUST_RUN(machine, gemm, x.slot, weights.slot, hidden.slot, 0, 0, 1.0, 0.0, -1, -1, -1, 0, 0.0, 0.0, 0, 0, -1, -1);
  keep(hidden);
  GUST_RUN(machine, gemm, x.slot, hidden.slot, gradient.slot, 1, 0, 1.0, 1.0, -1, -1, -1, 0, 0.0, 0.0, 0, 0, -1, -1);
  keep(gradient);
  GUST_RUN(machine, gemm, hidden.slot, weights.slot, out.slot, 0, 1, 1.0, 0.5, y.slot, row.slot, ids.slot, 1, 0.1, 0.5,
           3, 1, -1, -1);
  keep(out);

  double rate = 0.1;
  int64_t step_block;
  succeed(gust_context_step_block(machine.context, &step_block));
  for (int word = 8; word < 11; ++word) std::memcpy(reinterpret_cast<char*>(step_block) + 8 * word, &rate, 8);
  auto m = machine.zeros<T>(n, f), v = machine.zeros<T>(n, f);
  GUST_RUN(machine, sgd, x.slot, y.slot, m.slot, 8, 0.9, 1, 0.01);
  GUST_RUN(machine, adam, x.slot, y.slot, m.slot, v.slot, 8, 9, 10, 0.9, 0.999, 1e-8, 0.01, 1);
  keep(x);
  keep(m);
  keep(v);
  return results;
}

template <class T>
void check_dense(int64_t n, int64_t f) {
  std::vector<T> results;
  same_on_threads(
      [&] {
        Machine machine;
        results = run_dense<T>(machine, n, f);
      },
      [&] { return std::vector<char>(reinterpret_cast<const char*>(results.data()),
                                     reinterpret_cast<const char*>(results.data() + results.size())); });
}

}  // namespace

GUST_TEST(dense_ops_give_the_same_bits_on_any_threads) {
  for (auto [n, f] : {std::pair<int64_t, int64_t>{7001, 13}, {3, 20'011}, {40'001, 1}, {1, 1}, {17, 16}}) {
    check_dense<float>(n, f);
    check_dense<double>(n, f);
  }
}

GUST_TEST(dense_ops_take_empty_tensors) {
  for (auto [n, f] : {std::pair<int64_t, int64_t>{0, 0}, {0, 5}, {5, 0}}) {
    check_dense<float>(n, f);
    check_dense<double>(n, f);
  }
}

GUST_TEST(casts_stay_inside_their_memory) {
  Machine machine;
  for (int64_t n : {0, 1, 15, 33, 40'001}) {
    auto x = machine.values<float>(n, 1);
    auto back = machine.zeros<float>(n, 1);
    for (int32_t dtype : {GUST_F16, GUST_BF16}) {
      auto bits = std::make_unique<uint16_t[]>(static_cast<size_t>(n));
      int64_t bound[2];
      succeed(gust_tensor_bind(machine.context, 0, dtype, n, 1, reinterpret_cast<int64_t>(bits.get()), bound));
      GUST_RUN(machine, cast, x.slot, bound[0]);
      GUST_RUN(machine, cast, bound[0], back.slot);
      for (int64_t k = 0; k < n; ++k) GUST_CHECK(std::fabs(back.data[k] - x.data[k]) <= 0x1p-8f);
    }
  }
}

GUST_TEST(large_products_give_the_same_bits_on_any_threads) {
  Machine machine;
  for (auto [m, n, k] : {std::array<int64_t, 3>{2708, 16, 33}, {16, 7, 20'011}, {47, 64, 3001}, {300, 1100, 40},
                         {70, 5, 9001}, {270, 300, 600}})
    for (int transposed = 0; transposed < 4; ++transposed) {
      const bool ta = transposed & 1, tb = transposed & 2;
      auto a = machine.values<float>(ta ? k : m, ta ? m : k), b = machine.values<float>(tb ? n : k, tb ? k : n);
      auto out = machine.zeros<float>(m, n);
      auto addend = machine.values<float>(m / 2, n), bias = machine.values<float>(n, 1);
      for (bool ends : {false, true})
        same_on_threads(
            [&] {
              GUST_RUN(machine, gemm, a.slot, b.slot, out.slot, ta, tb, 1.0, 0.0, ends ? addend.slot : -1,
                       ends ? bias.slot : -1, -1, ends ? 2 : 0, 0.0, ends ? 0.5 : 0.0, 3, 1, ends ? -1 : a.slot,
                       ends ? -1 : b.slot);
            },
            [&] { return copy(out); });
    }
}

GUST_TEST(contexts_run_at_the_same_time) {
  std::vector<float> results[3];
  std::exception_ptr errors[3];
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      try {
        Machine machine;
        results[t] = run_dense<float>(machine, 3001, 13);
      } catch (...) {
        errors[t] = std::current_exception();
      }
    });
  for (auto& thread : threads) thread.join();
  for (const auto& error : errors)
    if (error) std::rethrow_exception(error);
  GUST_CHECK(std::memcmp(results[0].data(), results[1].data(), results[0].size() * sizeof(float)) == 0);
  GUST_CHECK(std::memcmp(results[0].data(), results[2].data(), results[0].size() * sizeof(float)) == 0);
}
