// The thread pool behind cu/common/parallel.h.
//
// A call publishes its job and then a ticket: the number of the job, and how many workers may still enter. A worker
// enters by taking one off the ticket, takes task numbers from an atomic counter, and is counted when it leaves. The
// caller takes tasks too, then closes the ticket and waits for those who entered: each of them is inside a task, so
// nobody waits for a thread that has nothing to do. There is no lock: the ops of a training step follow each other
// within microseconds, and a thread that sleeps on a lock wakes up later than that. For the same reason whoever waits
// looks for a while before it sleeps.
#include <exception>
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

/** Looks before a thread goes to sleep: about 50 microseconds. */
constexpr int kSpins = 2000;
/** A ticket is job number << 16 | places. Numbers come again after 65536 jobs, which does no harm: who takes a place of
 *  an open ticket takes part in the job that is open. */
constexpr uint32_t kPlaces = 0xffff;

/** Look until `value` is not `old`, then sleep until it changes. */
void wait_while(const std::atomic<uint32_t>& value, uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    GUST_PAUSE();
  }
  value.wait(old, std::memory_order_acquire);
}

thread_local bool t_inside = false;  // this thread is running a task

class Pool {
 public:
  void run(int64_t tasks, void (*call)(void*, int64_t), void* body, int threads) {
    std::unique_lock<std::mutex> use(use_, std::try_to_lock);
    if (!use.owns_lock()) return run_here(tasks, call, body);
    while (workers_ < threads - 1 && start_worker()) {}
    call_ = call;
    body_ = body;
    tasks_ = tasks;
    next_.store(0, std::memory_order_relaxed);
    done_.store(0, std::memory_order_relaxed);
    const uint32_t places = static_cast<uint32_t>(std::min<int>(threads - 1, kPlaces));
    const uint32_t job = (ticket_.load(std::memory_order_relaxed) | kPlaces) + 1;
    ticket_.store(job | places, std::memory_order_release);
    ticket_.notify_all();
    work(tasks, call, body);
    const uint32_t entered = places - (ticket_.exchange(job, std::memory_order_acq_rel) & kPlaces);
    for (uint32_t left; (left = done_.load(std::memory_order_acquire)) != entered;) wait_while(done_, left);
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

  /** False where the system gives no thread: those that are there do the work. */
  bool start_worker() {
    try {
      std::thread([this] { loop(); }).detach();
    } catch (const std::exception&) {
      return false;
    }
    ++workers_;
    return true;
  }

  [[noreturn]] void loop() {
    for (uint32_t seen = 0;;) {
      uint32_t ticket = ticket_.load(std::memory_order_acquire);
      if ((ticket & kPlaces) == 0 || (ticket | kPlaces) == seen) {
        wait_while(ticket_, ticket);
        continue;
      }
      if (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel)) continue;
      seen = ticket | kPlaces;
      work(tasks_, call_, body_);
      done_.fetch_add(1, std::memory_order_release);
      done_.notify_one();
    }
  }

  std::mutex use_;  // one call at a time
  std::atomic<uint32_t> ticket_{0}, done_{0};
  std::atomic<int64_t> next_{0};
  // Of the open job: written before its ticket, and not again before everybody who entered has left.
  void (*call_)(void*, int64_t) = nullptr;
  void* body_ = nullptr;
  int64_t tasks_ = 0;
  int workers_ = 0;
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
