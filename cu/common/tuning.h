// What the sparse kernels ask of the memory system. These are settings of the machine, not of the mathematics: a
// number is added up in the same order whatever they are, so no result depends on them.
#pragma once

#include <cstdint>

namespace gust {

struct Tuning {
  /** Rows to come are prefetched into the second-level cache instead of the first. Processors differ in which of the
   *  two has more requests on their way at once: on Zen 4 it is the second, by 1.3 to 2 times. */
  bool prefetch_l2;
  /** Cache lines that are on their way. */
  int64_t lines_ahead;
  /** A dense matrix larger than this is multiplied in packed column tiles of at most this size, which stay in the
   *  last-level cache while all rows gather from them; 0: never. */
  int64_t tile_bytes;
};

/** In force: what gust_set_tuning() chose, else a choice by processor vendor and cache sizes (cu/host/tuning.cpp). */
const Tuning& tuning();

}  // namespace gust
