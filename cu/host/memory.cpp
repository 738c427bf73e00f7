// Memory: aligned, accounted allocations; large ones are page-aligned and ask for huge pages, which speeds random row
// gathers up by 1.2 to 1.5 times.
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "../include/gust.h"
#include "../common/context.h"
#include "../common/device.h"

namespace gust {
namespace {

constexpr int64_t kHuge = int64_t{2} << 20;  // size of an x86-64 huge page
std::atomic<int64_t> g_held{0}, g_peak{0}, g_resident_peak{0};

/** Anonymous + shared-memory resident bytes: mapped file pages belong to the kernel and do not count. */
int64_t resident_bytes() {
  FILE* file = std::fopen("/proc/self/status", "r");
  if (!file) return 0;
  char line[256];
  long long total = 0, kib;
  while (std::fgets(line, sizeof line, file))
    if (std::sscanf(line, "RssAnon: %lld kB", &kib) == 1 || std::sscanf(line, "RssShmem: %lld kB", &kib) == 1)
      total += kib * 1024;
  std::fclose(file);
  return total;
}

int64_t sample_resident() {
  int64_t now = resident_bytes();
  for (int64_t peak = g_resident_peak; now > peak && !g_resident_peak.compare_exchange_weak(peak, now);) {}
  return now;
}

}  // namespace

char* allocate(int64_t size, bool zero) {
  if (size < 0) fail(GUST_EINVAL, "allocation of %lld bytes", static_cast<long long>(size));
  // What follows adds alignment to the size.
  if (size > std::numeric_limits<int64_t>::max() - 2 * kHuge)
    fail(GUST_ENOMEM, "out of memory: %lld bytes asked for", static_cast<long long>(size));
  if (size == 0) size = 1;
  char* data;
  if (size >= kHuge) {
    // Over-map and trim, so that the block starts at a huge-page boundary; fresh pages are zero.
    int64_t mapped = size + kHuge;
    void* raw = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) fail(GUST_ENOMEM, "out of memory: %lld bytes asked for", static_cast<long long>(size));
    auto start = reinterpret_cast<uintptr_t>(raw), aligned = (start + kHuge - 1) & ~static_cast<uintptr_t>(kHuge - 1);
    int64_t page = sysconf(_SC_PAGESIZE), kept = (size + page - 1) / page * page;
    if (aligned > start) munmap(raw, aligned - start);
    int64_t tail = static_cast<int64_t>(start + mapped - (aligned + kept));
    if (tail > 0) munmap(reinterpret_cast<void*>(aligned + kept), tail);
    data = reinterpret_cast<char*>(aligned);
    madvise(data, size, MADV_HUGEPAGE);
  } else {
    data = static_cast<char*>(std::aligned_alloc(64, (size + 63) / 64 * 64));
    if (!data) throw std::bad_alloc();
    if (zero) std::memset(data, 0, size);
  }
  int64_t held = g_held += size;
  for (int64_t peak = g_peak; held > peak && !g_peak.compare_exchange_weak(peak, held);) {}
  return data;
}

void deallocate(char* data, int64_t size) noexcept {
  if (!data) return;
  if (size == 0) size = 1;
  g_held -= size;
  if (size >= kHuge) {
    sample_resident();
    int64_t page = sysconf(_SC_PAGESIZE);
    munmap(data, (size + page - 1) / page * page);
  } else {
    std::free(data);
  }
}

int64_t held_bytes() noexcept { return g_held; }

}  // namespace gust

using namespace gust;

int32_t gust_alloc(int64_t size, int32_t zero, int64_t* out) {
  return guard([&] { out[0] = reinterpret_cast<int64_t>(allocate(size, zero != 0)); });
}

int32_t gust_free(int64_t address, int64_t size) {
  device::forget(reinterpret_cast<char*>(address));
  deallocate(reinterpret_cast<char*>(address), size);
  return GUST_OK;
}

int32_t gust_copy(int64_t to, int64_t from, int64_t size) {
  return gust_write(to, reinterpret_cast<const void*>(from), size);
}

int32_t gust_read(void* to, int64_t from, int64_t size) {
  return gust_write(reinterpret_cast<int64_t>(to), reinterpret_cast<const void*>(from), size);
}

int32_t gust_write(int64_t to, const void* from, int64_t size) {
  return guard([&] { device::copy(reinterpret_cast<void*>(to), from, size); });
}

int32_t gust_reach(int64_t address, int64_t size) {
  return guard([&] { device::reach(reinterpret_cast<char*>(address), size); });
}

int32_t gust_forget(int64_t address) {
  return guard([&] { device::forget(reinterpret_cast<char*>(address)); });
}

int32_t gust_finish(void) {
  return guard([] { device::finish(); });
}

int32_t gust_memory(int64_t* out) {
  return guard([&] {
    out[0] = g_held;
    out[1] = g_peak;
    out[2] = sample_resident();
    out[3] = g_resident_peak;
    device::memory(out + 4);
  });
}
