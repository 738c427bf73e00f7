// Settings of the sparse kernels: defaults by processor, and those that a measurement chose (gust bench --tune).
#include "../common/tuning.h"

#include <cpuid.h>

#include <cstdio>
#include <cstring>

#include "../common/status.h"
#include "../include/gust.h"

namespace gust {
namespace {

bool is_amd() {
  unsigned a, b, c, d;
  if (!__get_cpuid(0, &a, &b, &c, &d)) return false;
  char vendor[12];
  std::memcpy(vendor, &b, 4);
  std::memcpy(vendor + 4, &d, 4);
  std::memcpy(vendor + 8, &c, 4);
  return std::memcmp(vendor, "AuthenticAMD", 12) == 0;
}

/** Bytes of the last-level cache that the first processor sees, 0 if unknown. sysconf() adds up what it takes for
 *  several caches on virtual machines: 320 MiB were seen for 32. */
int64_t last_level_cache() {
  for (int index : {3, 2}) {
    char path[80];
    std::snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
    std::FILE* file = std::fopen(path, "r");
    if (!file) continue;
    long long kib = 0;
    const int read = std::fscanf(file, "%lldK", &kib);
    std::fclose(file);
    if (read == 1) return kib * 1024;
  }
  return 0;
}

Tuning usual() {
  // Half of the last level: indices, values and results pass through it as well, and other machines may share it.
  const int64_t tile = last_level_cache() / 2;
  return is_amd() ? Tuning{true, 128, tile} : Tuning{false, 64, tile};
}

Tuning& current() {
  static Tuning tuning = usual();
  return tuning;
}

}  // namespace

const Tuning& tuning() { return current(); }

}  // namespace gust

using namespace gust;

int32_t gust_tuning(int64_t* out) {
  out[0] = tuning().prefetch_l2 ? 2 : 1;
  out[1] = tuning().lines_ahead;
  out[2] = tuning().tile_bytes;
  out[3] = last_level_cache();
  return GUST_OK;
}

int32_t gust_set_tuning(int32_t prefetch_level, int64_t lines_ahead, int64_t tile_bytes) {
  return guard([&] {
    if (prefetch_level != 1 && prefetch_level != 2)
      fail(GUST_EINVAL, "prefetch into cache level %d, expected 1 or 2", prefetch_level);
    if (lines_ahead < 1 || lines_ahead > 4096)
      fail(GUST_EINVAL, "%lld cache lines ahead, expected 1 to 4096", static_cast<long long>(lines_ahead));
    if (tile_bytes < 0) fail(GUST_EINVAL, "tiles of %lld bytes, expected 0 or more", static_cast<long long>(tile_bytes));
    current() = {prefetch_level == 2, lines_ahead, tile_bytes};
  });
}
