// Threads, in one place. Work is cut into a grid of chunks that depends on the problem alone, never on the thread
// count, so that per-chunk results combined in chunk order are the same bits on 1 and on 64 threads.
//
// OpenMP does the scheduling; builds with GUST_STD_THREADS use plain std::thread instead (ThreadSanitizer reports
// false races in g++'s libgomp).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <vector>

#ifdef GUST_STD_THREADS
#include <thread>
#else
#include <omp.h>
#endif

namespace gust {

/** Worker threads, as gust_set_num_threads() set them. */
int num_threads();

/** Number of chunks of at most `grain` items in n items. */
inline int64_t num_chunks(int64_t n, int64_t grain) { return n <= 0 ? 0 : (n + grain - 1) / grain; }

/** Run body(task) for task = 0 .. tasks-1, in any order, on the worker threads. The first exception is rethrown. */
template <class Body>
void parallel_tasks(int64_t tasks, Body&& body) {
  if (tasks <= 0) return;
  if (tasks == 1) return static_cast<void>(body(0));  // without asking the system for its cores
  int threads = static_cast<int>(std::min<int64_t>(num_threads(), tasks));
  if (threads <= 1) {
    for (int64_t t = 0; t < tasks; ++t) body(t);
    return;
  }
  std::exception_ptr error;
  std::atomic<bool> failed{false};
  std::mutex lock;
  auto guarded = [&](int64_t t) {
    if (failed.load(std::memory_order_relaxed)) return;
    try {
      body(t);
    } catch (...) {
      std::lock_guard<std::mutex> hold(lock);
      if (!failed.exchange(true)) error = std::current_exception();
    }
  };
#ifdef GUST_STD_THREADS
  std::atomic<int64_t> next{0};
  auto work = [&] {
    for (int64_t t; (t = next.fetch_add(1)) < tasks;) guarded(t);
  };
  std::vector<std::thread> pool;
  for (int i = 1; i < threads; ++i) pool.emplace_back(work);
  work();
  for (auto& thread : pool) thread.join();
#else
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (int64_t t = 0; t < tasks; ++t) guarded(t);
#endif
  if (error) std::rethrow_exception(error);
}

/** Run body(begin, end) over [0, n) in chunks of `grain` items; chunk boundaries depend on n and grain alone. */
template <class Body>
void parallel_for(int64_t n, int64_t grain, Body&& body) {
  parallel_tasks(num_chunks(n, grain), [&](int64_t c) { body(c * grain, std::min(n, (c + 1) * grain)); });
}

/** Sum of body(begin, end) over the chunks of [0, n), added in chunk order. */
template <class T, class Body>
T parallel_sum(int64_t n, int64_t grain, Body&& body) {
  std::vector<T> partial(static_cast<size_t>(num_chunks(n, grain)));
  parallel_tasks(static_cast<int64_t>(partial.size()),
                 [&](int64_t c) { partial[c] = body(c * grain, std::min(n, (c + 1) * grain)); });
  T total{};
  for (const T& p : partial) total += p;
  return total;
}

/** Exclusive prefix sum in place: counts[0..n) become starts, counts[n] the total. `counts` holds n + 1 items. */
template <class T>
void exclusive_scan(T* counts, int64_t n) {
  T sum{};
  for (int64_t i = 0; i < n; ++i) {
    T c = counts[i];
    counts[i] = sum;
    sum += c;
  }
  counts[n] = sum;
}

}  // namespace gust
