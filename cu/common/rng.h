// The one random generator: Philox-4x32-10 (Salmon et al., SC 2011), counter-based, so that a draw is a function of
// what it is for and of nothing else: not of the thread, the batch order, the node order or the device.
//
// Key packing (the same everywhere; core/tensor/rng.ts mirrors it):
//   key      = mix64(seed ^ mix64(stream))            stream = FNV-1a of the step's name
//   counter0 = id, low 32 bits                        id     = original node or edge id (below 2^40)
//   counter1 = id bits 32..39 | layer << 8 | (draw / 4) << 16      layer < 256, draw < 2^18
//   counter2 = step                                   counter3 = epoch
// and draw % 4 picks one of the four output words.
#pragma once

#include <cstdint>

#include "host_device.h"

namespace gust {

struct Philox4 { uint32_t x[4]; };

GUST_HD inline uint64_t mix64(uint64_t z) {  // splitmix64's finaliser
  z += 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

GUST_HD inline Philox4 philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
    uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0, n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/** One stream of random numbers: everything of the key but the id and the draw. */
struct Random {
  uint32_t k0, k1, c1, step, epoch;

  GUST_HD Random(uint64_t seed, uint32_t stream, uint32_t epoch_, uint32_t step_, uint32_t layer)
      : c1((layer & 0xffu) << 8), step(step_), epoch(epoch_) {
    uint64_t key = mix64(seed ^ mix64(stream));
    k0 = static_cast<uint32_t>(key);
    k1 = static_cast<uint32_t>(key >> 32);
  }
  /** Draws 4 * block .. 4 * block + 3 of `id`. */
  GUST_HD Philox4 block(uint64_t id, uint32_t block) const {
    return philox(static_cast<uint32_t>(id), (static_cast<uint32_t>(id >> 32) & 0xffu) | c1 | (block << 16), step,
                  epoch, k0, k1);
  }
  /** Draw number `draw` of `id`: uniform in 0 .. 2^32 - 1. */
  GUST_HD uint32_t u32(uint64_t id, uint32_t draw) const { return block(id, draw >> 2).x[draw & 3]; }
  /** 64 bits: draws 2 * pair and 2 * pair + 1. */
  GUST_HD uint64_t u64(uint64_t id, uint32_t pair) const {
    Philox4 b = block(id, pair >> 1);
    int i = (pair & 1) * 2;
    return static_cast<uint64_t>(b.x[i]) << 32 | b.x[i + 1];
  }
  /** Uniform integer in [0, bound) without floating point (multiply-shift; bias below 2^-32 * bound / 2^32). */
  GUST_HD uint64_t below(uint64_t id, uint32_t pair, uint64_t bound) const {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(u64(id, pair)) * bound) >> 64);
  }
  /** Uniform in [0, 1) with 24 (float) or 53 (double) bits, exact in every rounding mode. */
  GUST_HD float f32(uint64_t id, uint32_t draw) const { return static_cast<float>(u32(id, draw) >> 8) * 0x1p-24f; }
  GUST_HD double f64(uint64_t id, uint32_t pair) const { return static_cast<double>(u64(id, pair) >> 11) * 0x1p-53; }
};

/** Dropout keeps an element where its 32-bit draw is at least p * 2^32: integers only. p is below 1. */
GUST_HD inline uint32_t drop_threshold(double p) { return static_cast<uint32_t>(p * 0x1p32); }

/**
 * The id of an edge in dropout: 40 bits of a hash of its nodes, so that the mask follows the edge into any batch and order.
 *
 * @param row  mix64() of the id of the edge's row.
 */
GUST_HD inline uint64_t edge_id(uint64_t row, uint64_t column) { return mix64(row ^ column) & 0xffffffffffull; }

/** Stream number of a step's name: 32-bit FNV-1a. */
GUST_HD constexpr uint32_t stream_id(const char* name) {
  uint32_t h = 2166136261u;
  for (; *name; ++name) h = (h ^ static_cast<uint8_t>(*name)) * 16777619u;
  return h;
}

}  // namespace gust
