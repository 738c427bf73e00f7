// Sampling by random walks has no kernels here: a sample that a CPU drew is the same on every device.
#include "../include/gust.h"
#include "../common/status.h"

using namespace gust;

int32_t gust_sample_visits(int64_t, int64_t, const int64_t*, int64_t, const int64_t*, int64_t, int64_t, int32_t,
                           int64_t, int64_t, double, double, double, int64_t, int64_t, int64_t, int64_t*) {
  return guard([&] { fail(GUST_ENOSYS, "sampler pinsage is drawn on the CPU alone: gust sample --device cpu"); });
}
