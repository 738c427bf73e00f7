// The one place that starts threads.
#include "../../../cu/common/parallel.h"

#include "check.h"

using namespace gust;

GUST_TEST(parallel_for_covers_every_item_once) {
  for (int threads : {1, 2, 5}) {
    gust_set_num_threads(threads);
    for (int64_t n : {0, 1, 99, 100, 101, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
      parallel_for(n, 100, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++seen[i];
      });
      for (const auto& times : seen) GUST_CHECK(times == 1);
    }
  }
  gust_set_num_threads(0);
}

GUST_TEST(parallel_sum_adds_chunks_in_order) {
  // Terms of very different size: any other order gives other bits.
  auto term = [](int64_t i) { return static_cast<double>(mix64(i) >> 11) * (i % 7 == 0 ? 1e12 : 1e-3); };
  double sum = 0;
  gust::test::same_on_threads(
      [&] {
        sum = parallel_sum<double>(100'000, 1000, [&](int64_t begin, int64_t end) {
          double part = 0;
          for (int64_t i = begin; i < end; ++i) part += term(i);
          return part;
        });
      },
      [&] { return sum; });
}

GUST_TEST(an_exception_in_a_task_reaches_the_caller) {
  for (int threads : {1, 4}) {
    gust_set_num_threads(threads);
    bool caught = false;
    try {
      parallel_tasks(64, [](int64_t task) {
        if (task >= 20) fail(GUST_EDATA, "task %lld", static_cast<long long>(task));
      });
    } catch (const Error& error) {
      caught = error.code() == GUST_EDATA && std::strncmp(error.what(), "task ", 5) == 0;
    }
    GUST_CHECK(caught);
  }
  gust_set_num_threads(0);
}

GUST_TEST(exclusive_scan_turns_counts_into_starts) {
  int64_t counts[] = {3, 0, 2, 99};
  exclusive_scan(counts, 3);
  GUST_CHECK(counts[0] == 0 && counts[1] == 3 && counts[2] == 3 && counts[3] == 5);
}
