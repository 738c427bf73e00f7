// Sampling of subgraphs around seeds has no kernels here: a sample that a CPU drew is the same on every device.
#include "../include/gust.h"
#include "../common/status.h"

using namespace gust;

int32_t gust_sample_around(int64_t, int64_t, const int64_t*, int64_t, const int64_t*, int64_t, double, double, int64_t,
                           int32_t, int64_t, int64_t, int64_t, int64_t*) {
  return guard([&] {
    fail(GUST_ENOSYS, "a subgraph around seeds is drawn on the CPU alone: gust sample --device cpu");
  });
}

int32_t gust_sample_pagerank(int64_t, int64_t, int64_t, double, double, int64_t, int64_t, int64_t, int64_t) {
  return guard([&] {
    fail(GUST_ENOSYS, "personalised PageRank is computed on the CPU alone: gust sample --device cpu");
  });
}
