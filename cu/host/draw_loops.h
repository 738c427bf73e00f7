// Random words of several ids at once, for one instruction set: included by the headers of loops (isa_loops.h).
// Integers only: every set gives the same numbers.

typedef uint64_t Wide __attribute__((vector_size(GUST_LOOP_BYTES)));
constexpr int64_t kWide = GUST_LOOP_BYTES / 8;

static inline Wide read_wide(const uint64_t* from) {
  Wide w;
  std::memcpy(&w, from, sizeof w);
  return w;
}

/** Products of the low halves of each lane; what is in the high halves does not matter. */
static inline Wide product(Wide a, Wide b) {
#if GUST_LOOP_BYTES == 64
  return (Wide)_mm512_maskz_mul_epu32(0xff, (__m512i)a, (__m512i)b);  // _mm512_mul_epu32 draws a false warning
#elif GUST_LOOP_BYTES == 32
  return (Wide)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#else
  return (Wide)_mm_mul_epu32((__m128i)a, (__m128i)b);
#endif
}

/** Block `block` of the ids in each lane (Random::block() of cu/common/rng.h): the words are the low halves of x. */
static inline void draw_block(const Random& random, Wide ids, int64_t block, Wide (&x)[4]) {
  x[0] = ids;
  x[1] = ((ids >> 32) & 0xff) | (random.c1 | static_cast<uint64_t>(block) << 16);
  x[2] = Wide{} + random.step;
  x[3] = Wide{} + random.epoch;
  uint64_t k0 = random.k0, k1 = random.k1;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    const Wide p0 = product(x[0], Wide{} + 0xD2511F53ull), p1 = product(x[2], Wide{} + 0xCD9E8D57ull);
    x[0] = (p1 >> 32) ^ x[1] ^ k0;
    x[2] = (p0 >> 32) ^ x[3] ^ k1;
    x[1] = p1;
    x[3] = p0;
  }
}
