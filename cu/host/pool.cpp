// The thread pool behind cu/common/parallel.h.
//
// A call publishes its job under a lock; workers that see it enter (counted), take task numbers from an atomic counter
// and leave. The caller takes tasks too, then closes the job and waits for those who entered: each of them is inside a
// task, so nobody waits for a thread that has nothing to do. A worker without a job spins for a while, since the ops of
// a training step follow each other within microseconds, and then sleeps.
#include <condition_variable>
#include <thread>

#include "../common/parallel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define GUST_PAUSE() _mm_pause()
#else
#define GUST_PAUSE() std::this_thread::yield()
#endif

namespace gust {
namespace {

/** Looks at the generation before a worker goes to sleep: about 50 microseconds. */
constexpr int kSpins = 2000;

thread_local bool t_inside = false;  // this thread is running a task

class Pool {
 public:
  void run(int64_t tasks, void (*call)(void*, int64_t), void* body, int threads) {
    std::unique_lock<std::mutex> use(use_, std::try_to_lock);
    if (!use.owns_lock()) return run_here(tasks, call, body);
    {
      std::lock_guard<std::mutex> hold(lock_);
      while (workers_ < threads - 1) start_worker();
      call_ = call;
      body_ = body;
      tasks_ = tasks;
      next_.store(0, std::memory_order_relaxed);
      places_ = threads - 1;
      generation_.fetch_add(1, std::memory_order_release);
      if (sleeping_ > 0) wake_.notify_all();
    }
    work(tasks, call, body);
    std::unique_lock<std::mutex> hold(lock_);
    places_ = 0;  // nobody enters any more
    left_.wait(hold, [&] { return inside_ == 0; });
  }

  static void run_here(int64_t tasks, void (*call)(void*, int64_t), void* body) {
    for (int64_t t = 0; t < tasks; ++t) call(body, t);
  }

 private:
  void work(int64_t tasks, void (*call)(void*, int64_t), void* body) {
    t_inside = true;
    for (int64_t t; (t = next_.fetch_add(1, std::memory_order_relaxed)) < tasks;) call(body, t);
    t_inside = false;
  }

  void start_worker() {
    std::thread([this] { loop(); }).detach();
    ++workers_;
  }

  [[noreturn]] void loop() {
    uint64_t seen = 0;
    for (;;) {
      for (int i = 0; i < kSpins && generation_.load(std::memory_order_acquire) == seen; ++i) GUST_PAUSE();
      std::unique_lock<std::mutex> hold(lock_);
      if (generation_.load(std::memory_order_relaxed) == seen) {
        ++sleeping_;
        wake_.wait(hold, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
        --sleeping_;
      }
      seen = generation_.load(std::memory_order_relaxed);
      if (places_ == 0) continue;
      --places_;
      ++inside_;
      auto call = call_;
      void* body = body_;
      int64_t tasks = tasks_;
      hold.unlock();
      work(tasks, call, body);
      hold.lock();
      if (--inside_ == 0) left_.notify_one();
    }
  }

  std::mutex use_;   // one call at a time
  std::mutex lock_;  // everything below but the atomics
  std::condition_variable wake_, left_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<int64_t> next_{0};
  void (*call_)(void*, int64_t) = nullptr;
  void* body_ = nullptr;
  int64_t tasks_ = 0;
  int workers_ = 0, sleeping_ = 0, places_ = 0, inside_ = 0;
};

/** Never destroyed: its threads may outlive main(). */
Pool& pool() {
  static Pool* instance = new Pool();
  return *instance;
}

}  // namespace

void run_tasks(int64_t tasks, void (*call)(void*, int64_t), void* body) {
  int threads = static_cast<int>(std::min<int64_t>(num_threads(), tasks));
  if (threads <= 1 || t_inside) return Pool::run_here(tasks, call, body);
  pool().run(tasks, call, body, threads);
}

}  // namespace gust
