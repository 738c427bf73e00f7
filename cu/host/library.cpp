// Library-wide state: error text, thread count, choice of instruction set.
#include <sched.h>

#include <atomic>
#include <cstdio>
#include <cstring>

#include "../include/gust.h"
#include "../common/device.h"
#include "../common/isa.h"
#include "../common/parallel.h"
#include "../common/status.h"

namespace gust {
namespace {

thread_local std::string t_error;
std::atomic<int> g_threads{0};

int available_cores() {
  static const int cores = [] {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
  }();
  return cores;
}

std::string vformat(const char* pattern, va_list args) {
  va_list copy;
  va_copy(copy, args);
  int size = std::vsnprintf(nullptr, 0, pattern, copy);
  va_end(copy);
  std::string text(static_cast<size_t>(size), '\0');
  std::vsnprintf(text.data(), text.size() + 1, pattern, args);
  return text;
}

bool isa_runs(Isa isa) {
  __builtin_cpu_init();
  switch (isa) {
    case Isa::kPortable: return true;
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
             __builtin_cpu_supports("bmi2");
    case Isa::kAvx512:
      return isa_runs(Isa::kAvx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  }
  return false;
}

Isa best_isa() {
  if (isa_runs(Isa::kAvx512)) return Isa::kAvx512;
  return isa_runs(Isa::kAvx2) ? Isa::kAvx2 : Isa::kPortable;
}

std::atomic<Isa> g_isa{best_isa()};
constexpr const char* kIsaNames[] = {"portable", "avx2", "avx512"};

}  // namespace

std::string format(const char* pattern, ...) {
  va_list args;
  va_start(args, pattern);
  std::string text = vformat(pattern, args);
  va_end(args);
  return text;
}

void fail(int32_t code, const char* pattern, ...) {
  va_list args;
  va_start(args, pattern);
  std::string text = vformat(pattern, args);
  va_end(args);
  throw Error(code, std::move(text));
}

void fail_errno(const std::string& what) {
  int code = errno;
  throw Error(code == EPIPE ? GUST_EPIPE : GUST_EIO, what + ": " + std::strerror(code));
}

int32_t set_error(int32_t code, const char* text) noexcept {
  try {
    t_error = text;
  } catch (...) {
    t_error.clear();
  }
  return code;
}

int num_threads() {
  int threads = g_threads.load(std::memory_order_relaxed);
  return threads > 0 ? threads : available_cores();
}

Isa current_isa() { return g_isa.load(std::memory_order_relaxed); }

}  // namespace gust

using namespace gust;

int32_t gust_abi_version(void) { return GUST_ABI_VERSION; }

namespace {
int64_t copy_text(const std::string& from, char* text, int64_t size) {
  if (text && size > 0) {
    size_t n = std::min(from.size(), static_cast<size_t>(size - 1));
    std::memcpy(text, from.data(), n);
    text[n] = '\0';
  }
  return static_cast<int64_t>(from.size());
}
}  // namespace

int64_t gust_last_error(char* text, int64_t size) { return copy_text(t_error, text, size); }

int64_t gust_describe(char* text, int64_t size) {
  int64_t length = 0;
  const int32_t status = guard([&] {
    length = copy_text(gust::format("{%s,\"isa\":\"%s\",\"threads\":%d,\"cores\":%d,\"abi\":%d}",
                                    device::describe().c_str(), kIsaNames[static_cast<int>(current_isa())], num_threads(),
                                    available_cores(), GUST_ABI_VERSION),
                       text, size);
  });
  return status == GUST_OK ? length : status;
}

int32_t gust_device_open(int32_t number) {
  return guard([&] { device::open(number); });
}

int32_t gust_queue_use(int32_t queue) {
  return guard([&] {
    if (queue < 0 || queue >= device::kQueues) fail(GUST_EINVAL, "queue %d, expected 0 or 1", queue);
    device::use_queue(queue);
  });
}

int32_t gust_queue_join(void) {
  return guard([] { device::join_queues(); });
}

int32_t gust_set_fast(int32_t fast) {
  return guard([&] { device::set_fast(fast != 0); });
}

int32_t gust_set_num_threads(int32_t count) {
  return guard([&] {
    if (count < 0 || count > 4096) fail(GUST_EINVAL, "threads: %d, expected 0 (all cores) to 4096", count);
    g_threads = count;
  });
}

int32_t gust_num_threads(void) { return num_threads(); }

int32_t gust_set_isa(const char* name) {
  return guard([&] {
    for (int i = 0; i < 3; ++i)
      if (std::strcmp(name, kIsaNames[i]) == 0) {
        if (!isa_runs(static_cast<Isa>(i))) fail(GUST_ENOSYS, "this machine cannot run %s code", name);
        g_isa = static_cast<Isa>(i);
        return;
      }
    fail(GUST_EINVAL, "unknown instruction set \"%s\", expected portable, avx2 or avx512", name);
  });
}
