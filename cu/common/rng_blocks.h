// Philox blocks by the vector: the same words as Random::block(). Kernels that draw for whole rows (dropout, uniform)
// go through for_draws().
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>

#include "rng.h"
#include "status.h"

namespace gust {

/** Draws of one id: the key packing gives a block number 16 bits. */
constexpr int64_t kMaxDraws = int64_t{1} << 18;

/**
 * Vectors of 64-bit lanes, a block in each. A round multiplies the low halves of lanes, wants the high halves of the
 * products and takes their low halves as they lie: what is left in high halves is never looked at, so that a round is
 * two multiplications, two shifts and two exclusive ors.
 */
#if defined(__AVX512F__)
struct Blocks {
  static constexpr int kCount = 8;
  __m512i lanes;
  static Blocks all(uint32_t x) { return {_mm512_set1_epi64(x)}; }
  static Blocks load(const uint32_t* x) {
    return {_mm512_maskz_cvtepu32_epi64(0xff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)))};
  }
  Blocks times(Blocks factor) const { return {_mm512_maskz_mul_epu32(0xff, lanes, factor.lanes)}; }
  Blocks high() const { return {_mm512_maskz_srli_epi64(0xff, lanes, 32)}; }
  Blocks mixed(Blocks y, Blocks z) const { return {_mm512_ternarylogic_epi64(lanes, y.lanes, z.lanes, 0x96)}; }
  /** Low halves of this and of `y`, side by side. */
  Blocks beside(Blocks y) const {
    return {_mm512_mask_blend_epi32(0xaaaa, lanes, _mm512_maskz_slli_epi64(0xff, y.lanes, 32))};
  }
  /** Words 0, 1 (this) and 2, 3 of each block, block by block. */
  void store(Blocks rest, uint32_t* words) const {
    const __m512i first = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0);
    const __m512i last = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
    _mm512_storeu_si512(words, _mm512_permutex2var_epi64(lanes, first, rest.lanes));
    _mm512_storeu_si512(words + 16, _mm512_permutex2var_epi64(lanes, last, rest.lanes));
  }
};
#elif defined(__AVX2__)
struct Blocks {
  static constexpr int kCount = 4;
  __m256i lanes;
  static Blocks all(uint32_t x) { return {_mm256_set1_epi64x(x)}; }
  static Blocks load(const uint32_t* x) {
    return {_mm256_cvtepu32_epi64(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)))};
  }
  Blocks times(Blocks factor) const { return {_mm256_mul_epu32(lanes, factor.lanes)}; }
  Blocks high() const { return {_mm256_srli_epi64(lanes, 32)}; }
  Blocks mixed(Blocks y, Blocks z) const { return {_mm256_xor_si256(_mm256_xor_si256(lanes, y.lanes), z.lanes)}; }
  Blocks beside(Blocks y) const { return {_mm256_blend_epi32(lanes, _mm256_slli_epi64(y.lanes, 32), 0xaa)}; }
  void store(Blocks rest, uint32_t* words) const {
    const __m256i even = _mm256_unpacklo_epi64(lanes, rest.lanes), odd = _mm256_unpackhi_epi64(lanes, rest.lanes);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(words + 8), _mm256_permute2x128_si256(even, odd, 0x31));
  }
};
#else
struct Blocks {
  static constexpr int kCount = 2;
  __m128i lanes;
  static Blocks all(uint32_t x) { return {_mm_set1_epi64x(x)}; }
  static Blocks load(const uint32_t* x) { return {_mm_set_epi64x(x[1], x[0])}; }
  Blocks times(Blocks factor) const { return {_mm_mul_epu32(lanes, factor.lanes)}; }
  Blocks high() const { return {_mm_srli_epi64(lanes, 32)}; }
  Blocks mixed(Blocks y, Blocks z) const { return {_mm_xor_si128(_mm_xor_si128(lanes, y.lanes), z.lanes)}; }
  Blocks beside(Blocks y) const { return {_mm_blend_epi16(lanes, _mm_slli_epi64(y.lanes, 32), 0xcc)}; }
  void store(Blocks rest, uint32_t* words) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(words), _mm_unpacklo_epi64(lanes, rest.lanes));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(words + 4), _mm_unpackhi_epi64(lanes, rest.lanes));
  }
};
#endif

/** Blocks::kCount blocks: words[4 * i + w] = word w of the one with counters c0[i], c1[i]. */
inline void philox_vector(const Random& random, const uint32_t* c0, const uint32_t* c1, uint32_t* words) {
  const Blocks m0 = Blocks::all(0xD2511F53u), m1 = Blocks::all(0xCD9E8D57u);
  Blocks x0 = Blocks::load(c0), x1 = Blocks::load(c1);
  Blocks x2 = Blocks::all(random.step), x3 = Blocks::all(random.epoch);
  uint32_t k0 = random.k0, k1 = random.k1;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Blocks p0 = x0.times(m0), p1 = x2.times(m1);
    x0 = p1.high().mixed(x1, Blocks::all(k0));
    x2 = p0.high().mixed(x3, Blocks::all(k1));
    x1 = p1;
    x3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  x0.beside(x1).store(x2.beside(x3), words);
}

/** The same for i = 0 .. count - 1. */
inline void philox_blocks(const Random& random, const uint32_t* c0, const uint32_t* c1, int count, uint32_t* words) {
  constexpr int kCount = Blocks::kCount;
  int i = 0;
  for (; i + kCount <= count; i += kCount) philox_vector(random, c0 + i, c1 + i, words + 4 * i);
  if (i == count) return;
  uint32_t last0[kCount] = {}, last1[kCount] = {}, last[4 * kCount];
  std::copy(c0 + i, c0 + count, last0);
  std::copy(c1 + i, c1 + count, last1);
  philox_vector(random, last0, last1, last);
  std::copy_n(last, 4 * (count - i), words + 4 * i);
}

/**
 * Draws for rows begin .. end-1. row(i) gives {id, start, count}: draws 0 .. count-1 of `id` belong to elements
 * start .. start+count-1. apply(at, words, n) is called for runs of neighbouring elements: words[k] is the draw of
 * element at + k, and 15 more words can be read. A run starts at a multiple of four draws of its row and may join
 * several rows.
 */
struct DrawRow {
  uint64_t id;
  int64_t start, count;
};

template <class Row, class Apply>
void for_draws(const Random& random, int64_t begin, int64_t end, Row&& row, Apply&& apply) {
  constexpr int kTile = 128;  // blocks in flight: 4 KiB of counters, words and runs
  struct Run {
    int64_t at;
    int32_t word, count;
  };
  constexpr int kSpare = 16;  // what a vector may read past the last draw
  alignas(64) uint32_t c0[kTile], c1[kTile], words[4 * kTile + kSpare];
  Run runs[kTile];
  int used = 0, num_runs = 0;
  auto flush = [&] {
    philox_blocks(random, c0, c1, used, words);
    for (int r = 0; r < num_runs; ++r) apply(runs[r].at, words + runs[r].word, static_cast<int64_t>(runs[r].count));
    used = num_runs = 0;
  };
  for (int64_t i = begin; i < end; ++i) {
    const DrawRow draws = row(i);
    if (draws.count > kMaxDraws)
      fail(GUST_EINVAL, "row %lld needs %lld random draws, expected at most 2^18", static_cast<long long>(i),
           static_cast<long long>(draws.count));
    const uint32_t low = static_cast<uint32_t>(draws.id);
    const uint32_t high = (static_cast<uint32_t>(draws.id >> 32) & 0xffu) | random.c1;
    for (int64_t done = 0; done < draws.count;) {
      const int blocks = static_cast<int>(std::min<int64_t>((draws.count - done + 3) / 4, kTile - used));
      const int32_t count = static_cast<int32_t>(std::min<int64_t>(draws.count - done, 4 * blocks));
      for (int b = 0; b < blocks; ++b) {
        c0[used + b] = low;
        c1[used + b] = high | static_cast<uint32_t>(done / 4 + b) << 16;
      }
      const int64_t at = draws.start + done;
      Run* last = num_runs > 0 ? &runs[num_runs - 1] : nullptr;
      if (last && last->at + last->count == at && last->word + last->count == 4 * used)
        last->count += count;
      else
        runs[num_runs++] = {at, 4 * used, count};
      used += blocks;
      done += count;
      if (used == kTile) flush();
    }
  }
  if (used > 0) flush();
}

}  // namespace gust
