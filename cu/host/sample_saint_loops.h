// The inner loop of the weights of sample_saint.cpp for one instruction set (isa_loops.h). Nothing is contracted, so every
// set gives the same numbers.

typedef double Doubles __attribute__((vector_size(GUST_LOOP_BYTES)));
typedef int64_t Longs __attribute__((vector_size(GUST_LOOP_BYTES)));
typedef float Floats __attribute__((vector_size(GUST_LOOP_BYTES / 2)));
constexpr int64_t kLanes = GUST_LOOP_BYTES / 8;

/** from[at[0]], from[at[1]], ... */
static inline Doubles gather(const double* from, const int32_t* at) {
#if GUST_LOOP_BYTES == 64
  const __m256i places = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  return (Doubles)_mm512_mask_i32gather_pd(_mm512_setzero_pd(), 0xff, places, from, 8);
#elif GUST_LOOP_BYTES == 32
  const __m128i places = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m256d all = _mm256_cmp_pd(_mm256_setzero_pd(), _mm256_setzero_pd(), _CMP_EQ_OQ);
  return (Doubles)_mm256_mask_i32gather_pd(_mm256_setzero_pd(), from, places, all, 8);
#else
  return Doubles{from[at[0]], from[at[1]]};
#endif
}

/** weigh_row() of kLanes arcs: -1 in the lanes that are beyond the series, which it gives. */
static inline Longs weigh_arcs(const Visits& visits, int64_t v, const int32_t* columns, const double* joint,
                               float* weight) {
  const double m = visits.m, own_odds = visits.odds[v], own_batch = visits.batch[v];
  const Doubles odds = gather(visits.odds.data(), columns), batch = gather(visits.batch.data(), columns);
  Doubles both_one;
  std::memcpy(&both_one, joint, sizeof both_one);
  const Doubles z = both_one * (1 + own_odds) * (1 + odds) - own_odds * odds;
  // log1p(z) and expm1(m log1p(z)): the first terms left out are 2^-28 / 5 and 2^-9 / 10! of them.
  const Doubles y = m * (z * (1 + z * (-1. / 2 + z * (1. / 3 + z * (-1. / 4)))));
  Doubles power = y * (1. / 362880) + 1. / 40320;
  power = power * y + 1. / 5040;
  power = power * y + 1. / 720;
  power = power * y + 1. / 120;
  power = power * y + 1. / 24;
  power = power * y + 1. / 6;
  power = power * y + 1. / 2;
  power = power * y + 1;
  const Doubles both = own_batch * batch + (1 - own_batch) * (1 - batch) * (y * power);
  const Longs inside = (z <= 1. / 128) & (z >= -1. / 128) & (y <= 1. / 2) & (y >= -1. / 2);
  const Floats found = __builtin_convertvector(inside ? own_batch / both : Doubles{} - 1, Floats);
  std::memcpy(weight, &found, sizeof found);
  return inside == 0;
}

/**
 * weight[e] = P(v) / P(u and v) for the arcs e of row v from u = columns[e], joint[e] = the probability that one walk visits
 * both. Gives how many arcs are beyond the series and have no weight yet: weight[e] = -1.
 */
static int64_t weigh_row(const Visits& visits, int64_t v, int64_t count, const int32_t* columns, const double* joint,
                         float* weight) {
  Longs beyond = {};
  int64_t e = 0;
  for (; e + kLanes <= count; e += kLanes) beyond -= weigh_arcs(visits, v, columns + e, joint + e, weight + e);
  int64_t sum = 0;
  for (int64_t l = 0; l < kLanes; ++l) sum += beyond[l];
  if (e == count) return sum;
  int32_t rest[kLanes] = {};
  double rest_joint[kLanes] = {};
  float found[kLanes];
  std::copy(columns + e, columns + count, rest);
  std::copy(joint + e, joint + count, rest_joint);
  const Longs outside = weigh_arcs(visits, v, rest, rest_joint, found);
  for (int64_t l = 0; e + l < count; ++l) {
    weight[e + l] = found[l];
    sum -= outside[l];
  }
  return sum;
}

constexpr Loops loops{weigh_row};
