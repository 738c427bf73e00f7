// The entries of a CSR matrix that dropout keeps, as a matrix of its own: products with it cost what is left.
//
// Shapes: pattern (n, m) with nnz entries; values (nnz), absent: ones; the result has room for nnz entries.
// Mask: draw number j of row id decides about entry j of the row, as in dropout_csr.
// Steps: one bit per entry from the draws (tasks own rows; a word that two of them share is written atomically), the
//   number of bits before each word, then every word moves its entries to their places. Neither the length of rows nor
//   the threads matter to the result.
// Memory: indices (and values) once, half of them written for p = 1/2; a bit and an eighth of a byte per entry between.
#include <atomic>

#include "dropout.h"
#include "row_grid.h"
#include "simd.h"

GUST_OPS_BEGIN
namespace {

constexpr int64_t kWord = 64;      // entries of a word of bits
constexpr int64_t kCount = 8192;   // words that one task counts
constexpr int64_t kMove = 128;     // words whose entries one task moves

/** Bit k: words[k] >= threshold, for k below 16. */
inline uint64_t sixteen_bits(const uint32_t* words, uint32_t threshold) {
#if defined(__AVX512F__)
  return _mm512_cmpge_epu32_mask(_mm512_loadu_si512(words), _mm512_set1_epi32(static_cast<int>(threshold)));
#elif defined(__AVX2__)
  const __m256i level = _mm256_set1_epi32(static_cast<int>(threshold));
  auto eight = [&](const uint32_t* from) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    const __m256i at_least = _mm256_cmpeq_epi32(_mm256_max_epu32(x, level), x);
    return static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(at_least))));
  };
  return eight(words) | eight(words + 8) << 8;
#else
  uint64_t bits = 0;
  for (int k = 0; k < 16; ++k) bits |= static_cast<uint64_t>(words[k] >= threshold) << k;
  return bits;
#endif
}

/** Gathers bits of neighbouring entries into words, and puts each word in its place. */
class BitWriter {
 public:
  explicit BitWriter(uint64_t* words) : words_(words) {}
  ~BitWriter() { flush(); }
  /** Bits of entries at, at + 1, ... */
  void put(int64_t at, uint64_t bits) {
    const int64_t word = at / kWord;
    const int shift = static_cast<int>(at % kWord);
    move_to(word);
    open_ |= bits << shift;
    const uint64_t rest = shift > 0 ? bits >> (kWord - shift) : 0;
    if (rest == 0) return;
    move_to(word + 1);
    open_ |= rest;
  }

 private:
  void move_to(int64_t word) {
    if (word == at_) return;
    flush();
    at_ = word;
  }
  void flush() {
    if (open_ != 0) std::atomic_ref<uint64_t>(words_[at_]).fetch_or(open_, std::memory_order_relaxed);
    open_ = 0;
  }

  uint64_t* words_;
  int64_t at_ = -1;
  uint64_t open_ = 0;
};

/** One bit per entry: whether it is kept. */
template <class Id>
void draw_bits(const Random& random, double p, const int64_t* indptr, int64_t n, const Id& id, uint64_t* bits) {
  const uint32_t threshold = drop_threshold(p);
  const int64_t grain = row_grain(num_chunks(indptr[n] - indptr[0], std::max<int64_t>(n, 1)), kDrawGrain);
  parallel_for(n, grain, [=, &random, &id](int64_t begin, int64_t end) {
    BitWriter writer(bits);
    for_draws(
        random, begin, end, [=, &id](int64_t i) { return DrawRow{id(i), indptr[i], indptr[i + 1] - indptr[i]}; },
        [&writer, threshold](int64_t at, const uint32_t* words, int64_t count) {
          for (int64_t k = 0; k < count; k += 16) {
            const uint64_t in_run = count - k < 16 ? (uint64_t{1} << (count - k)) - 1 : 0xffff;
            writer.put(at + k, sixteen_bits(words + k, threshold) & in_run);
          }
        });
  });
}

/** before[w] = the number of bits before word w. */
void count_bits(const uint64_t* bits, int64_t words, int64_t* before, int64_t* blocks) {
  const int64_t count = num_chunks(words, kCount);
  parallel_for(words, kCount, [=](int64_t begin, int64_t end) {
    int64_t sum = 0;
    for (int64_t w = begin; w < end; ++w) sum += __builtin_popcountll(bits[w]);
    blocks[begin / kCount] = sum;
  });
  exclusive_scan(blocks, count);
  parallel_for(words, kCount, [=](int64_t begin, int64_t end) {
    int64_t sum = blocks[begin / kCount];
    for (int64_t w = begin; w < end; ++w) {
      before[w] = sum;
      sum += __builtin_popcountll(bits[w]);
    }
  });
}

}  // namespace

void csr_dropout(const csr_dropout_args& args, Context& context) {
  const Slot &indptr_slot = context.slot(args.indptr), &indices_slot = context.slot(args.indices);
  const Slot &values_slot = context.slot(args.values), &out_values_slot = context.slot(args.out_values);
  const Slot& out_indices_slot = context.slot(args.out_indices);
  const int64_t n = indptr_slot.size() - 1, size = indices_slot.size();
  const int64_t* indptr = indptr_slot.as<int64_t>();
  int64_t* out_indptr = context.slot(args.out_indptr).as<int64_t>();
  const double p = args.p;
  if (!(p >= 0 && p < 1)) fail(GUST_EINVAL, "dropout probability %g, expected 0 to below 1", p);
  if (values_slot.live != out_values_slot.live) fail(GUST_EINVAL, "values go in and come out, or neither");
  if (indices_slot.dtype != out_indices_slot.dtype) fail(GUST_EINVAL, "indices of one type go in, of another come out");

  const int64_t words = size / kWord + 1;  // one past the last entry, so that every row's end is in a word
  uint64_t* bits = context.scratch<uint64_t>(words);
  int64_t *before = context.scratch<int64_t>(words), *blocks = context.scratch<int64_t>(num_chunks(words, kCount) + 1);
  for_elements(words, kGrain, [=](int64_t w) { bits[w] = 0; });
  with_ids(context.slot(args.ids), [&](auto id) {
    draw_bits(context.random(args.stream, args.layer), p, indptr, n, id, bits);
  });
  count_bits(bits, words, before, blocks);
  for_elements(n + 1, kGrain, [=](int64_t i) {
    const int64_t w = indptr[i] / kWord;
    out_indptr[i] = before[w] + __builtin_popcountll(bits[w] & ((uint64_t{1} << (indptr[i] % kWord)) - 1));
  });
  /** Call move(e, at) for each kept entry e, which goes to place `at`. */
  auto for_kept = [=](const auto& move) {
    parallel_for(words, kMove, [=](int64_t begin, int64_t end) {
      for (int64_t w = begin; w < end; ++w) {
        int64_t at = before[w];
        for (uint64_t left = bits[w]; left != 0; left &= left - 1) move(w * kWord + __builtin_ctzll(left), at++);
      }
    });
  };
  dispatch_index(indices_slot.dtype, [&](auto index) {
    const auto* indices = indices_slot.as<decltype(index)>();
    auto* out_indices = out_indices_slot.as<decltype(index)>();
    if (!values_slot.live) return for_kept([=](int64_t e, int64_t at) { out_indices[at] = indices[e]; });
    dispatch_real(values_slot.dtype, [&](auto real) {
      using T = decltype(real);
      const T *values = values_slot.as<T>(), scale = static_cast<T>(1 / (1 - p));
      T* out_values = out_values_slot.as<T>();
      for_kept([=](int64_t e, int64_t at) {
        out_indices[at] = indices[e];
        out_values[at] = values[e] * scale;
      });
    });
  });
}

GUST_OPS_END
