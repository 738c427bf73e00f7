// What this machine can do at most, for `gust bench`: streaming and cached reads, reads of whole rows
// anywhere in a table, multiply-adds in registers. Plain loops of their own in the widest vectors of the
// machine, so that a kernel's fraction of a limit cannot be flattered by sharing its faults. Callers take the
// time.
#include <immintrin.h>

#include <cstring>

#include "../include/gust.h"
#include "../common/isa.h"
#include "../common/parallel.h"
#include "../common/roofline_checks.h"
#include "../common/status.h"

namespace gust {
namespace {

using namespace roofline;

constexpr int64_t kTaskBytes = int64_t{1} << 17;  // some 5 us from the cache
constexpr int64_t kMostTasks = 1024;              // a task begins without prefetched rows
constexpr int64_t kLinesAhead = 128;              // of pieces that are packed

template <class I>
using Gather = uint64_t (*)(const I* indices, int64_t begin, int64_t end, int64_t last, const char* table,
                            int64_t row_bytes, int64_t piece, int64_t ahead, int level);

struct Loops {
  Gather<int32_t> gather32;
  Gather<int64_t> gather64;
  uint64_t (*read)(const char* data, int64_t size);
  uint64_t (*pass)(const char* from, int64_t read, char* to, int64_t write, int64_t ahead, bool past);
  void (*triad)(float* a, const float* b, const float* c, int64_t begin, int64_t end);
  float (*multiply_add)(int64_t rounds);
  int64_t round_flops;
};

#define GUST_LOOPS "roofline_loops.h"
#include "isa_loops.h"

template <class I>
uint64_t gather_all(Gather<I> gather, const I* indices, int64_t count, const char* table, int64_t row_bytes,
                    int64_t piece, int64_t ahead, int level) {
  std::atomic<uint64_t> total{0};
  parallel_for(count, std::max({int64_t{64}, kTaskBytes / row_bytes, count / kMostTasks}), [&](int64_t begin, int64_t end) {
    uint64_t sum = 0;
    for (int64_t at = 0; at < row_bytes; at += piece) {
      const int64_t bytes = std::min(piece, row_bytes - at);
      sum += gather(indices, begin, end, count - 1, table + at, row_bytes, bytes, ahead, level);
    }
    total += sum;
  });
  return total;
}

/** Copy pieces of rows, past the caches where these are whole lines: what one core writes, all cores gather. */
void pack(const char* from, int64_t begin, int64_t end, int64_t last, int64_t row_bytes, int64_t piece, char* packed) {
  const bool past = piece % kLine == 0 && reinterpret_cast<uintptr_t>(packed) % kLine == 0;
  const int64_t ahead = std::max<int64_t>(1, kLinesAhead * kLine / piece);
  for (int64_t i = begin; i < end; ++i) {
    const char *row = from + i * row_bytes, *next = from + std::min(i + ahead, last) * row_bytes;
    char* to = packed + i * piece;
    for (int64_t b = 0; b < piece; b += kLine) __builtin_prefetch(next + b, 0, 2);
    if (past)
      for (int64_t b = 0; b < piece; b += 16)
        _mm_stream_si128(reinterpret_cast<__m128i*>(to + b), _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + b)));
    else std::memcpy(to, row, piece);
  }
  _mm_sfence();
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_roofline_triad(int64_t a, int64_t b, int64_t c, int64_t count) {
  return guard([&] {
    auto* to = reinterpret_cast<float*>(a);
    check_triad(a);
    const auto *x = reinterpret_cast<const float*>(b), *y = reinterpret_cast<const float*>(c);
    const Loops& run = loops();
    parallel_for(count, kTaskBytes / 4, [&](int64_t begin, int64_t end) { run.triad(to, x, y, begin, end); });
  });
}

int32_t gust_roofline_read(int64_t data, int64_t size, int64_t passes, int64_t* out) {
  return guard([&] {
    const int64_t workers = num_threads();
    check_read(size, passes);
    std::atomic<uint64_t> total{0};
    parallel_tasks(workers, [&](int64_t w) {
      uint64_t sum = 0;
      for (int64_t p = 0; p < passes; ++p) {
        sum += loops().read(reinterpret_cast<const char*>(data) + w * size, size);
        asm volatile("" ::: "memory");  // every pass reads
      }
      total += sum;
    });
    out[0] = static_cast<int64_t>(total.load());
  });
}

int32_t gust_roofline_pass(int64_t from, int64_t read, int64_t to, int64_t write, int64_t ahead, int32_t past,
                           int64_t passes, int64_t* out) {
  return guard([&] {
    check_pass(read, to, write, passes);
    const auto* source = reinterpret_cast<const char*>(from);
    auto* target = reinterpret_cast<char*>(to);
    const int64_t tasks = num_chunks(read + write, kTaskBytes);
    std::atomic<uint64_t> total{0};
    auto start = [=](int64_t size, int64_t task) { return size / kLine * task / tasks * kLine; };
    auto piece = [&](int64_t t) {
      const int64_t r = start(read, t), w = start(write, t);
      total += loops().pass(source + r, start(read, t + 1) - r, target + w, start(write, t + 1) - w, ahead, past != 0);
    };
    for (int64_t p = 0; p < passes; ++p) parallel_tasks(tasks, piece);
    out[0] = static_cast<int64_t>(total.load());
  });
}

int32_t gust_roofline_gather(int64_t indices, int32_t dtype, int64_t count, int64_t table, int64_t row_bytes,
                             int64_t piece, int64_t ahead, int32_t level, int64_t passes, int64_t* out) {
  return guard([&] {
    check_gather(dtype, row_bytes, piece, ahead, level, passes);
    const char* rows = reinterpret_cast<const char*>(table);
    uint64_t total = 0;
    auto run = [&](auto loop, auto* list) {
      for (int64_t p = 0; p < passes; ++p)
        total += gather_all(loop, list, count, rows, row_bytes, piece, ahead, level);
    };
    if (dtype == GUST_I32) run(loops().gather32, reinterpret_cast<const int32_t*>(indices));
    else run(loops().gather64, reinterpret_cast<const int64_t*>(indices));
    out[0] = static_cast<int64_t>(total);
  });
}

int32_t gust_roofline_pack(int64_t table, int64_t rows, int64_t row_bytes, int64_t piece, int64_t at, int64_t to) {
  return guard([&] {
    check_pack(row_bytes, piece, at);
    const char* from = reinterpret_cast<const char*>(table) + at;
    char* packed = reinterpret_cast<char*>(to);
    parallel_for(rows, std::max<int64_t>(64, kTaskBytes / piece), [&](int64_t begin, int64_t end) {
      pack(from, begin, end, rows - 1, row_bytes, piece, packed);
    });
  });
}

int32_t gust_roofline_multiply_add(int64_t rounds, int64_t* out) {
  return guard([&] {
    check_positive("rounds", rounds);
    const int64_t workers = num_threads();
    std::vector<float> results(static_cast<size_t>(workers));
    parallel_tasks(workers, [&](int64_t w) { results[w] = loops().multiply_add(rounds); });
    // All workers converge to the same finite number; a NaN would mean that the arithmetic was not done.
    for (float r : results)
      if (!(r > 0)) fail(GUST_EFAIL, "the multiply-add loop gave %f", static_cast<double>(r));
    out[0] = workers * rounds * loops().round_flops;
  });
}
