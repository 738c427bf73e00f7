// What this GPU can do at most, for `gust bench`: cu/host/roofline.cpp on the device. Addresses are memory of the
// device; what is said of the CPU's caches (`ahead`, `level`, `past`) means nothing here.
//
// Plain loops of their own, which nothing that is held against them shares. Blocks fill the GPU once and go over what
// there is; every thread has several loads on the way. What was read is added up, one atomic per block, so that it had
// to be read; functions that tell the sum wait for it, triad and pack are waited for by the caller.
#include "../common/device.h"
#include "../common/parallel.h"
#include "../common/roofline_checks.h"
#include "cuda.h"

#define GUST_KERNEL __global__ void __launch_bounds__(kThreads, kResident)

namespace gust::cuda {
namespace {

constexpr int kResident = 4;   // blocks of a multiprocessor: a thread has 64 registers at most
constexpr int kInFlight = 4;   // loads of a thread that are on their way together
constexpr int kChains = 8;     // multiply-adds of a thread that do not wait for each other
constexpr int64_t kPassVectors = 8 * kThreads;  // of a pass that a block reads and writes in turn

Grid full_grid() {
  return {dim3(static_cast<unsigned>(kResident * multiprocessors())), dim3(kThreads), 0};
}

/** Where the blocks of one call add up what they read. */
class Total {
 public:
  Total() { device::clear(place(), sizeof(uint64_t)); }
  operator unsigned long long*() const { return reinterpret_cast<unsigned long long*>(place()); }
  /** Waits for the kernels. */
  int64_t value() const {
    int64_t sum;
    device::copy(&sum, place(), sizeof sum);
    return sum;
  }

 private:
  static char* place() {
    static char* const data = device::allocate(sizeof(uint64_t), false);
    return data;
  }
};

__device__ void add_to(unsigned long long* total, unsigned long long sum) {
  sum = block_sum(sum);
  if (threadIdx.x == 0) atomicAdd(total, sum);
}

/** A word as a number; those of 16 bytes are two of 8. */
template <class Word>
__device__ uint64_t number(Word word) { return word; }
__device__ inline uint64_t number(uint4 word) {
  return (uint64_t{word.y} << 32 | word.x) + (uint64_t{word.w} << 32 | word.z);
}

/** Run f(Word{}) with the longest words that rows of such an address and of such sizes are made of. */
template <class F>
void dispatch_word(int64_t address_and_sizes, const F& f) {
  const auto divides = [&](int64_t size) { return address_and_sizes % size == 0; };
  if (divides(16)) f(uint4{});
  else if (divides(8)) f(uint64_t{});
  else if (divides(4)) f(uint32_t{});
  else if (divides(2)) f(uint16_t{});
  else f(uint8_t{});
}

GUST_KERNEL triad_kernel(float4* __restrict__ a, const float4* __restrict__ b, const float4* __restrict__ c,
                         int64_t n) {
#pragma unroll kInFlight
  for (int64_t i = first(); i < n; i += stride()) {
    const float4 x = b[i], y = c[i];
    a[i] = float4{x.x + 3 * y.x, x.y + 3 * y.y, x.z + 3 * y.z, x.w + 3 * y.w};
  }
}
struct TriadTail {
  float* a;
  const float *b, *c;
  __device__ void operator()(int64_t i) const { a[i] = b[i] + 3 * c[i]; }
};

/** Vectors one after another, begun anew at the end, `count` in all; past L1, which is not shared. */
GUST_KERNEL read_kernel(const uint4* data, int64_t vectors, int64_t count, unsigned long long* total) {
  const int64_t step = stride() % vectors;
  int64_t at = first() % vectors;
  uint64_t sum = 0;
#pragma unroll kInFlight
  for (int64_t i = first(); i < count; i += stride()) {
    sum += number(__ldcg(data + at));
    at += step;
    if (at >= vectors) at -= vectors;
  }
  add_to(total, sum);
}

/** Blocks read a piece of one array and write the piece of the other at the same share of it. */
GUST_KERNEL pass_kernel(const uint4* from, int64_t read, uint4* to, int64_t write, int64_t pieces,
                        unsigned long long* total) {
  constexpr unsigned kOnes = 0x01010101;
  uint64_t sum = 0;
  for (int64_t p = blockIdx.x; p < pieces; p += gridDim.x) {
#pragma unroll kInFlight
    for (int64_t i = read * p / pieces + threadIdx.x; i < read * (p + 1) / pieces; i += kThreads)
      sum += number(from[i]);
#pragma unroll kInFlight
    for (int64_t i = write * p / pieces + threadIdx.x; i < write * (p + 1) / pieces; i += kThreads)
      to[i] = uint4{kOnes, kOnes, kOnes, kOnes};
  }
  add_to(total, sum);
}

/** `lanes` lanes (a power of two) read a row, and kInFlight rows together. */
template <class Word, class I>
GUST_KERNEL gather_kernel(const I* indices, int64_t count, const char* table, int64_t row_bytes, int words, int lanes,
                          unsigned long long* total) {
  const int mine = static_cast<int>(threadIdx.x) % lanes;
  const int64_t groups = stride() / lanes;
  uint64_t sum = 0;
  for (int64_t i = first() / lanes * kInFlight; i < count; i += groups * kInFlight) {
    const Word* rows[kInFlight];
#pragma unroll
    for (int r = 0; r < kInFlight; ++r)
      rows[r] = i + r < count
                    ? reinterpret_cast<const Word*>(table + static_cast<int64_t>(indices[i + r]) * row_bytes)
                    : nullptr;
    for (int w = mine; w < words; w += lanes) {
      Word read[kInFlight];
#pragma unroll
      for (int r = 0; r < kInFlight; ++r) read[r] = rows[r] ? rows[r][w] : Word{};
#pragma unroll
      for (int r = 0; r < kInFlight; ++r) sum += number(read[r]);
    }
  }
  add_to(total, sum);
}

template <class Word, class I>
void gather(const I* indices, int64_t count, const char* table, int64_t row_bytes, int64_t piece, const Total& total) {
  const auto words = static_cast<int>(piece / static_cast<int64_t>(sizeof(Word)));
  int lanes = 1;
  while (lanes < words && lanes < kLanes) lanes *= 2;
  launch(gather_kernel<Word, I>, full_grid(), indices, count, table, row_bytes, words, lanes, total);
}

template <class Word>
struct Pack {
  const char* from;
  Word* to;
  int64_t row_bytes, words;
  __device__ void operator()(int64_t i) const {
    const Cell cell = cell_of(i, words);
    to[i] = reinterpret_cast<const Word*>(from + cell.row * row_bytes)[cell.col];
  }
};

/** Every chain comes to 1; `total` counts the threads where it came to nothing. */
GUST_KERNEL multiply_add_kernel(int64_t rounds, unsigned long long* total) {
  float sum[kChains];
#pragma unroll
  for (int k = 0; k < kChains; ++k) sum[k] = 0.001f * static_cast<float>(k + static_cast<int>(threadIdx.x));
#pragma unroll 16
  for (int64_t r = 0; r < rounds; ++r)
#pragma unroll
    for (int k = 0; k < kChains; ++k) sum[k] = fmaf(sum[k], 0.999f, 0.001f);
  float all = 0;
#pragma unroll
  for (int k = 0; k < kChains; ++k) all += sum[k];
  if (!(all > 0)) atomicAdd(total, 1ull);
}

}  // namespace
}  // namespace gust::cuda

using namespace gust;
using namespace gust::cuda;

int32_t gust_roofline_triad(int64_t a, int64_t b, int64_t c, int64_t count) {
  return guard([&] {
    roofline::check_triad(a);
    const int64_t vectors = (b | c) % 16 == 0 ? count / 4 : 0;
    launch(triad_kernel, full_grid(), reinterpret_cast<float4*>(a), reinterpret_cast<const float4*>(b),
           reinterpret_cast<const float4*>(c), vectors);
    const int64_t at = 16 * vectors;
    each(count - 4 * vectors, TriadTail{reinterpret_cast<float*>(a + at), reinterpret_cast<const float*>(b + at),
                                        reinterpret_cast<const float*>(c + at)});
  });
}

int32_t gust_roofline_read(int64_t data, int64_t size, int64_t passes, int64_t* out) {
  return guard([&] {
    roofline::check_read(size, passes);
    const int64_t vectors = num_threads() * size / 16;
    const Total total;
    launch(read_kernel, full_grid(), reinterpret_cast<const uint4*>(data), vectors, vectors * passes, total);
    out[0] = total.value();
  });
}

int32_t gust_roofline_pass(int64_t from, int64_t read, int64_t to, int64_t write, int64_t, int32_t, int64_t passes,
                           int64_t* out) {
  return guard([&] {
    roofline::check_pass(read, to, write, passes);
    const Total total;
    const int64_t pieces = num_chunks((read + write) / 16, kPassVectors);
    for (int64_t p = 0; p < passes; ++p)
      launch(pass_kernel, full_grid(), reinterpret_cast<const uint4*>(from), read / 16, reinterpret_cast<uint4*>(to),
             write / 16, pieces, total);
    out[0] = total.value();
  });
}

int32_t gust_roofline_gather(int64_t indices, int32_t dtype, int64_t count, int64_t table, int64_t row_bytes,
                             int64_t piece, int64_t ahead, int32_t level, int64_t passes, int64_t* out) {
  return guard([&] {
    roofline::check_gather(dtype, row_bytes, piece, ahead, level, passes);
    piece = std::min(piece, row_bytes);
    const Total total;
    // Piece by piece through all rows: what the second-level cache holds of narrow pieces is read from there.
    dispatch_word(table | row_bytes | piece, [&](auto word) {
      for (int64_t p = 0; p < passes; ++p)
        for (int64_t at = 0; at < row_bytes; at += piece) {
          const auto* rows = reinterpret_cast<const char*>(table + at);
          const int64_t bytes = std::min(piece, row_bytes - at);
          if (dtype == GUST_I32)
            gather<decltype(word)>(reinterpret_cast<const int32_t*>(indices), count, rows, row_bytes, bytes, total);
          else gather<decltype(word)>(reinterpret_cast<const int64_t*>(indices), count, rows, row_bytes, bytes, total);
        }
    });
    out[0] = total.value();
  });
}

int32_t gust_roofline_pack(int64_t table, int64_t rows, int64_t row_bytes, int64_t piece, int64_t at, int64_t to) {
  return guard([&] {
    roofline::check_pack(row_bytes, piece, at);
    dispatch_word(table | row_bytes | piece | at | to, [&](auto word) {
      using Word = decltype(word);
      const int64_t words = piece / static_cast<int64_t>(sizeof(Word));
      const auto* from = reinterpret_cast<const char*>(table + at);
      each(rows * words, Pack<Word>{from, reinterpret_cast<Word*>(to), row_bytes, words});
    });
  });
}

int32_t gust_roofline_multiply_add(int64_t rounds, int64_t* out) {
  return guard([&] {
    roofline::check_positive("rounds", rounds);
    const Grid grid = full_grid();
    const Total wrong;
    launch(multiply_add_kernel, grid, rounds, wrong);
    if (const int64_t threads = wrong.value())
      fail(GUST_EFAIL, "the multiply-add loop came to nothing in %lld threads", static_cast<long long>(threads));
    out[0] = int64_t{grid.blocks.x} * kThreads * rounds * kChains * 2;
  });
}
