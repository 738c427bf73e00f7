// The rows with the largest scores of each range of rows.
//
// Shapes: indptr (s + 1) gives the row ranges of x (n); out_indptr (s + 1) the ranges of out, at most as long.
// out[out_indptr[s] .. out_indptr[s + 1]) = the rows of segment s with the largest scores, ascending; of equal scores
//   the earlier row is taken, and one that is not a number is the smallest.
// Owner: whole segments per task (a fixed grid); long segments one after the other, chunks of their rows per task: the
//   digits of the least score to take are found by counting, from the first on, and chunks then list what they take.
// Memory: short segments - scores read once, a list of a segment's rows per task; long ones - scores read once per digit
//   and twice at the end, and 16 KiB of counters per chunk.
// Determinism: the order of scores and rows is total, so that the selection is unique.
// Source: Gao and Ji 2019, arXiv:1905.05178, eq. 2 (idx = rank(y, k)).
#include <algorithm>
#include <bit>
#include <vector>

#include "dense.h"

GUST_OPS_BEGIN
namespace {

/** The `take` best of rows begin .. end - 1, ascending, into `out`. */
template <class T>
void best_rows(const T* x, int64_t begin, int64_t end, int64_t take, std::vector<int64_t>& rows, int64_t* out) {
  rows.resize(static_cast<size_t>(end - begin));
  for (int64_t i = begin; i < end; ++i) rows[i - begin] = i;
  const auto better = [x](int64_t a, int64_t b) {
    const bool na = x[a] != x[a], nb = x[b] != x[b];
    if (na != nb) return nb;
    return !na && x[a] != x[b] ? x[a] > x[b] : a < b;
  };
  if (take < end - begin) std::nth_element(rows.begin(), rows.begin() + take, rows.end(), better);
  std::sort(rows.begin(), rows.begin() + take);
  std::copy_n(rows.begin(), take, out);
}

/** Rows from which on a segment is shared out among threads. */
constexpr int64_t kLongSegment = 32768;

/** A score as an integer of the same order: 0 for what is not a number, and one for both zeros. */
template <class T>
auto key_of(T score) {
  using Key = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  constexpr Key kSign = Key{1} << (8 * sizeof(Key) - 1);
  const Key bits = std::bit_cast<Key>(score == 0 ? T{0} : score);
  if (score != score) return Key{0};
  return bits & kSign ? ~bits : bits | kSign;
}

/** Chunks of the rows of one long segment, and counters for each. */
struct Chunks {
  static constexpr int64_t kRows = 16384, kMost = 64;
  static constexpr int kDigitBits = 11;
  static constexpr int64_t kDigits = int64_t{1} << kDigitBits;

  int64_t begin, end, grain, count;

  Chunks(int64_t first, int64_t last)
      : begin(first), end(last), grain(std::max(kRows, num_chunks(last - first, kMost))),
        count(num_chunks(last - first, grain)) {}

  /** Call body(chunk, from, to) for rows from .. to - 1 of every chunk. */
  template <class Body>
  void each(const Body& body) const {
    parallel_tasks(count, [&](int64_t c) { body(c, begin + c * grain, std::min(end, begin + (c + 1) * grain)); });
  }
};

/** A key, and how many of the rows that have it are taken, the first ones; of larger keys all are. */
template <class Key>
struct Threshold {
  Key key;
  int64_t equal;
};

/** What the `take` best rows (1 at least) have at least. `counters`: kDigits for every chunk. */
template <class T>
auto least_taken(const T* x, const Chunks& chunks, int64_t take, int64_t* counters) {
  using Key = decltype(key_of(T{}));
  constexpr int kBits = 8 * sizeof(Key);
  Threshold<Key> least{0, take};
  for (int known = 0; known < kBits;) {
    const int bits = std::min(Chunks::kDigitBits, kBits - known), shift = kBits - known - bits;
    const Key mask = (Key{1} << bits) - 1, prefix = least.key;
    chunks.each([=](int64_t c, int64_t from, int64_t to) {
      int64_t* counts = counters + c * Chunks::kDigits;
      std::fill_n(counts, Chunks::kDigits, int64_t{0});
      for (int64_t i = from; i < to; ++i) {
        const Key digits = key_of(x[i]) >> shift;
        if (known == 0 || digits >> bits == prefix) ++counts[digits & mask];
      }
    });
    for (int64_t c = 1; c < chunks.count; ++c)
      for (int64_t d = 0; d < Chunks::kDigits; ++d) counters[d] += counters[c * Chunks::kDigits + d];
    int64_t digit = static_cast<int64_t>(mask);
    for (; counters[digit] < least.equal; --digit) least.equal -= counters[digit];
    least.key = static_cast<Key>(prefix << bits | static_cast<Key>(digit));
    known += bits;
    // All that have these digits are taken: further ones do not matter.
    if (known < kBits && counters[digit] == least.equal && least.key > 0)
      return Threshold<Key>{static_cast<Key>((least.key << (kBits - known)) - 1), 0};
  }
  return least;
}

/** best_rows() of one long segment. */
template <class T>
void best_of_many(const T* x, const Chunks& chunks, int64_t take, int64_t* counters, int64_t* out) {
  if (take == 0) return;
  const auto least = least_taken(x, chunks, take, counters);
  std::vector<int64_t> larger(static_cast<size_t>(chunks.count)), equal(static_cast<size_t>(chunks.count) + 1);
  chunks.each([&](int64_t c, int64_t from, int64_t to) {
    int64_t above = 0, same = 0;
    for (int64_t i = from; i < to; ++i) {
      const auto key = key_of(x[i]);
      above += key > least.key;
      same += key == least.key;
    }
    larger[c] = above;
    equal[c] = same;
  });
  exclusive_scan(equal.data(), chunks.count);
  // From here on of a chunk: where it writes.
  int64_t at = 0;
  for (int64_t c = 0; c < chunks.count; ++c) {
    const int64_t above = larger[c], before = std::min(equal[c], least.equal);
    larger[c] = at + before;
    at += above;
  }
  chunks.each([&](int64_t c, int64_t from, int64_t to) {
    int64_t left = least.equal - equal[c];
    int64_t* next = out + larger[c];
    for (int64_t i = from; i < to; ++i) {
      const auto key = key_of(x[i]);
      if (key > least.key || (key == least.key && left-- > 0)) *next++ = i;
    }
  });
}

}  // namespace

void segment_top(const segment_top_args& args, Context& context) {
  const Slot &x_slot = context.slot(args.x), &indptr_slot = context.slot(args.indptr), &out_slot = context.slot(args.out);
  const auto *indptr = indptr_slot.as<int64_t>(), *to = context.slot(args.out_indptr).as<int64_t>();
  auto* out = out_slot.as<int64_t>();
  const int64_t segments = indptr_slot.size() - 1, n = x_slot.size(), taken = out_slot.size();
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t rows = indptr[s + 1] - indptr[s], take = to[s + 1] - to[s];
    if (indptr[s] < 0 || indptr[s + 1] > n || to[s] < 0 || to[s + 1] > taken || take < 0 || take > rows)
      fail(GUST_EINVAL, "segment %lld takes %lld of %lld rows", static_cast<long long>(s), static_cast<long long>(take),
           static_cast<long long>(rows));
  }
  dispatch_real(x_slot.dtype, [&](auto tag) {
    const auto* x = x_slot.as<decltype(tag)>();
    const auto is_long = [=](int64_t s) { return indptr[s + 1] - indptr[s] >= kLongSegment; };
    parallel_for(segments, 64, [=](int64_t begin, int64_t end) {
      std::vector<int64_t> rows;
      for (int64_t s = begin; s < end; ++s)
        if (!is_long(s)) best_rows(x, indptr[s], indptr[s + 1], to[s + 1] - to[s], rows, out + to[s]);
    });
    int64_t* counters = nullptr;
    for (int64_t s = 0; s < segments; ++s) {
      if (!is_long(s)) continue;
      if (!counters) counters = context.scratch<int64_t>(Chunks::kMost * Chunks::kDigits);
      best_of_many(x, Chunks(indptr[s], indptr[s + 1]), to[s + 1] - to[s], counters, out + to[s]);
    }
  });
}

GUST_OPS_END
