// The inner loops of roofline.cpp for one instruction set: included once per set, inside a namespace and
// under its `#pragma GCC target`, with GUST_LOOP_BYTES = bytes of a vector. Nothing here is shared with the
// kernels that are measured against it.

constexpr int64_t kBytes = GUST_LOOP_BYTES;
typedef uint64_t Words __attribute__((vector_size(kBytes)));
typedef uint64_t Bytes32 __attribute__((vector_size(GUST_LOOP_BYTES < 32 ? 16 : 32)));
typedef uint64_t Bytes16 __attribute__((vector_size(16)));
typedef float Floats __attribute__((vector_size(kBytes)));

static inline Words read_words(const char* from) {
  Words w;
  std::memcpy(&w, from, sizeof w);
  return w;
}

static uint64_t fold(Words sum) {
  uint64_t total = 0;
  for (size_t l = 0; l < sizeof sum / 8; ++l) total += sum[l];
  return total;
}

static inline void prefetch(const char* at, int level) {
  if (level == 2) __builtin_prefetch(at, 0, 2);
  else __builtin_prefetch(at, 0, 3);
}

/**
 * The first `piece` bytes of rows: V vectors, of which the last may overlap the one before; V = 0: as many as
 * it takes.
 */
template <int V, class I>
static uint64_t gather_vectors(const I* indices, int64_t begin, int64_t end, int64_t last, const char* table,
                               int64_t row_bytes, int64_t piece, int64_t ahead, int level) {
  Words sum[4] = {};
  const int64_t vectors = V ? V : (piece + kBytes - 1) / kBytes;
  for (int64_t i = begin; i < end; ++i) {
    if (ahead) {
      const char* next = table + static_cast<int64_t>(indices[std::min(i + ahead, last)]) * row_bytes;
      for (int64_t b = 0; b < vectors * kBytes; b += kLine) prefetch(next + b, level);
    }
    const char* row = table + static_cast<int64_t>(indices[i]) * row_bytes;
#pragma GCC unroll 16
    for (int64_t v = 0; v + 1 < vectors; ++v) sum[v % 4] += read_words(row + v * kBytes);
    sum[3] += read_words(row + piece - kBytes);
  }
  return fold(sum[0] + sum[1] + sum[2] + sum[3]);
}

/** Pieces of one to two words W, shorter than a vector: two loads, which may overlap. */
template <class W, class I>
static uint64_t gather_short(const I* indices, int64_t begin, int64_t end, int64_t last, const char* table,
                             int64_t row_bytes, int64_t piece, int64_t ahead, int level) {
  W sum[2] = {};
  for (int64_t i = begin; i < end; ++i) {
    const int64_t next = static_cast<int64_t>(indices[std::min(i + ahead, last)]);
    if (ahead) prefetch(table + next * row_bytes, level);
    const char* row = table + static_cast<int64_t>(indices[i]) * row_bytes;
    W words[2];
    std::memcpy(&words[0], row, sizeof(W));
    std::memcpy(&words[1], row + piece - sizeof(W), sizeof(W));
    for (int k = 0; k < 2; ++k) sum[k] += words[k];
  }
  uint64_t parts[2 * sizeof(W) / 8 + 1] = {};
  std::memcpy(parts, sum, sizeof sum);
  uint64_t total = 0;
  for (uint64_t part : parts) total += part;
  return total;
}

template <class I>
static uint64_t gather(const I* indices, int64_t begin, int64_t end, int64_t last, const char* table,
                       int64_t row_bytes, int64_t piece, int64_t ahead, int level) {
  if (piece < kBytes) {
    auto short_rows = [&](auto word) {
      return gather_short<decltype(word)>(indices, begin, end, last, table, row_bytes, piece, ahead, level);
    };
    if (piece >= 32) return short_rows(Bytes32{});
    if (piece >= 16) return short_rows(Bytes16{});
    if (piece >= 8) return short_rows(uint64_t{});
    if (piece >= 4) return short_rows(uint32_t{});
    return piece >= 2 ? short_rows(uint16_t{}) : short_rows(uint8_t{});
  }
  switch ((piece + kBytes - 1) / kBytes) {
    case 1: return gather_vectors<1>(indices, begin, end, last, table, row_bytes, piece, ahead, level);
    case 2: return gather_vectors<2>(indices, begin, end, last, table, row_bytes, piece, ahead, level);
    case 3: return gather_vectors<3>(indices, begin, end, last, table, row_bytes, piece, ahead, level);
    case 4: return gather_vectors<4>(indices, begin, end, last, table, row_bytes, piece, ahead, level);
    case 6: return gather_vectors<6>(indices, begin, end, last, table, row_bytes, piece, ahead, level);
    case 8: return gather_vectors<8>(indices, begin, end, last, table, row_bytes, piece, ahead, level);
    case 16: return gather_vectors<16>(indices, begin, end, last, table, row_bytes, piece, ahead, level);
  }
  return gather_vectors<0>(indices, begin, end, last, table, row_bytes, piece, ahead, level);
}

/** Read size bytes (a multiple of 512) in order. */
static uint64_t read(const char* data, int64_t size) {
  Words sum[8] = {};
  for (int64_t b = 0; b < size; b += 8 * kBytes)
    for (int v = 0; v < 8; ++v) sum[v] += read_words(data + b + v * kBytes);
  for (int v = 1; v < 8; ++v) sum[0] += sum[v];
  return fold(sum[0]);
}

/**
 * a = b + 3 c; stores go past the caches, so that 12 bytes per element are all that moves. a is aligned to
 * 64.
 */
static void triad(float* a, const float* b, const float* c, int64_t begin, int64_t end) {
  constexpr int64_t lanes = kBytes / 4;
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) {
    Floats x, y;
    std::memcpy(&x, b + i, sizeof x);
    std::memcpy(&y, c + i, sizeof y);
    const Floats sum = x + y * 3.0f;
#if GUST_LOOP_BYTES == 64
    _mm512_stream_ps(a + i, (__m512)sum);
#elif GUST_LOOP_BYTES == 32
    _mm256_stream_ps(a + i, (__m256)sum);
#else
    _mm_stream_ps(a + i, (__m128)sum);
#endif
  }
  for (; i < end; ++i) a[i] = b[i] + 3.0f * c[i];
  _mm_sfence();
}

static void write_words(char* to, Words w, bool past) {
  if (!past) {
    std::memcpy(to, &w, sizeof w);
    return;
  }
#if GUST_LOOP_BYTES == 64
  _mm512_stream_si512(reinterpret_cast<__m512i*>(to), (__m512i)w);
#elif GUST_LOOP_BYTES == 32
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to), (__m256i)w);
#else
  _mm_stream_si128(reinterpret_cast<__m128i*>(to), (__m128i)w);
#endif
}

/**
 * Read and write whole lines in order, some 4 KiB of both in turn. Written are ones: a Zen 4 stores zeros past the
 * caches at 142 GB/s and anything else at 55.
 */
static uint64_t pass(const char* from, int64_t read, char* to, int64_t write, int64_t ahead, bool past) {
  Words sum[4] = {};
  const Words ones = sum[0] + 0x0101010101010101;
  const int64_t turns = (read + write) / 4096 + 1;
  for (int64_t t = 0; t < turns; ++t) {
    const int64_t last = read / kLine * (t + 1) / turns * kLine, end = write / kLine * (t + 1) / turns * kLine;
    for (int64_t b = read / kLine * t / turns * kLine; b < last; b += kLine) {
      if (ahead) __builtin_prefetch(from + b + ahead);
      for (int64_t v = 0; v < kLine / kBytes; ++v) sum[v % 4] += read_words(from + b + v * kBytes);
    }
    for (int64_t b = write / kLine * t / turns * kLine; b < end; b += kBytes) write_words(to + b, ones, past);
  }
  if (past) _mm_sfence();
  return fold(sum[0] + sum[1] + sum[2] + sum[3]);
}

constexpr int kChains = 12;  // two units times four to five cycles, and some

/** `rounds` rounds of kChains independent float32 vector multiply-adds, all in registers. */
static float multiply_add(int64_t rounds) {
  Floats sum[kChains], factor, term;
  for (size_t l = 0; l < sizeof factor / 4; ++l) {
    factor[l] = 0.999f;
    term[l] = 0.001f;
  }
  for (int k = 0; k < kChains; ++k) sum[k] = term * static_cast<float>(k);
  for (int64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 12
    for (int k = 0; k < kChains; ++k) {
#if GUST_LOOP_BYTES == 64
      sum[k] = (Floats)_mm512_fmadd_ps((__m512)sum[k], (__m512)factor, (__m512)term);
#elif GUST_LOOP_BYTES == 32
      sum[k] = (Floats)_mm256_fmadd_ps((__m256)sum[k], (__m256)factor, (__m256)term);
#else
      sum[k] = sum[k] * factor + term;
#endif
    }
  float total = 0;
  for (int k = 0; k < kChains; ++k)
    for (size_t l = 0; l < sizeof factor / 4; ++l) total += sum[k][l];
  return total;
}

constexpr Loops loops{gather<int32_t>, gather<int64_t>, read, pass, triad, multiply_add, 2 * kChains * kBytes / 4};
