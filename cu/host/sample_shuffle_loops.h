// The inner loop of sample_shuffle.cpp for one instruction set (isa_loops.h).

#include "draw_loops.h"

/** keys[i] = Random::u64(ids[i], 0). `count` is a multiple of kKeyLanes. */
static void draw_keys(const Random& random, const uint64_t* ids, int64_t count, uint64_t* keys) {
  for (int64_t i = 0; i < count; i += kWide) {
    Wide block[4];
    draw_block(random, read_wide(ids + i), 0, block);
    const Wide key = block[0] << 32 | (block[1] & 0xffffffffu);
    std::memcpy(keys + i, &key, sizeof key);
  }
}

constexpr Loops loops{draw_keys};
