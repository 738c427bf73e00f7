// Threads, in one place. Work is cut into a grid of chunks that depends on the problem alone, never on the thread
// count, so that per-chunk results combined in chunk order are the same bits on 1 and on 64 threads.
//
// One small pool serves every call (cu/host/pool.cpp). It is not OpenMP, whose barriers wait for every thread of the
// team, working or not: on a busy machine, where a thread may wait milliseconds for a core, that made short training
// steps up to sixty times slower. Here a call ends when its tasks have ended.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <type_traits>
#include <vector>

namespace gust {

/** Worker threads, as gust_set_num_threads() set them. */
int num_threads();

/** Number of chunks of at most `grain` items in n items. */
inline int64_t num_chunks(int64_t n, int64_t grain) { return n <= 0 ? 0 : (n + grain - 1) / grain; }

/** Run call(body, task) for task = 0 .. tasks-1 on at most num_threads() threads, the caller's among them. `call` must
 *  not throw. Calls from inside a task, or while another thread uses the pool, run on the calling thread alone. */
void run_tasks(int64_t tasks, void (*call)(void* body, int64_t task), void* body);

/** Run body(task) for task = 0 .. tasks-1, in any order, on the worker threads. The first exception is rethrown. */
template <class Body>
void parallel_tasks(int64_t tasks, Body&& body) {
  if (tasks <= 0) return;
  if (tasks == 1) return static_cast<void>(body(0));
  struct Shared {
    std::remove_reference_t<Body>& body;
    std::atomic<bool> failed{false};
    std::mutex lock;
    std::exception_ptr error;
  } shared{body, {}, {}, {}};
  auto call = [](void* raw, int64_t task) {
    Shared& s = *static_cast<Shared*>(raw);
    if (s.failed.load(std::memory_order_relaxed)) return;
    try {
      s.body(task);
    } catch (...) {
      std::lock_guard<std::mutex> hold(s.lock);
      if (!s.failed.exchange(true)) s.error = std::current_exception();
    }
  };
  run_tasks(tasks, call, &shared);
  if (shared.error) std::rethrow_exception(shared.error);
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
