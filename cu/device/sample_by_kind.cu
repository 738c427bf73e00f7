// Sampling by kinds and times has no kernels here: a sample that a CPU drew is the same on every device.
#include "../include/gust.h"
#include "../common/status.h"

using namespace gust;

int32_t gust_sample_by_kind(int64_t, int64_t, const int64_t*, int64_t, const int64_t*, int64_t, int64_t, int64_t,
                            int64_t, int32_t, int64_t, int32_t, int64_t, int64_t, int64_t, int64_t*) {
  return guard([&] {
    fail(GUST_ENOSYS, "neighbour sampling by kinds or times is drawn on the CPU alone: --device cpu");
  });
}
