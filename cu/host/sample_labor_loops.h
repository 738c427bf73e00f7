// The inner loop of sample_labor.cpp for one instruction set (isa_loops.h).

#include "draw_loops.h"

/** words[i] = draw 0 of id i. `count` is a multiple of kIdLanes. */
static void first_words(const Random& random, const uint64_t* ids, int64_t count, uint32_t* words) {
  for (int64_t i = 0; i < count; i += kWide) {
    Wide block[4];
    draw_block(random, read_wide(ids + i), 0, block);
    for (int64_t l = 0; l < kWide; ++l) words[i + l] = static_cast<uint32_t>(block[0][l]);
  }
}

constexpr Loops loops{first_words};
