// What a row-wise sparse product reads of its right operand, per way to keep rows of it on chip, and what tiles of its
// left operand hold. A row of the product needs row j of the right operand for every stored column j: the stream of
// columns, row after row in a given order, is all that counts here.
//
// A cache of the least recently used rows depends on the whole stream and is walked by one thread; pinned rows are
// counted cluster by cluster. Everything is a count of integers: the same for any number of threads.
#include "../common/dtype.h"
#include "../include/gust.h"
#include "pinning.h"

namespace gust {
namespace {

using namespace pinning;
using partition::Array;

/** Row blocks per task of the count of tiles: each task has counters of a row of tiles. */
constexpr int64_t kBlocks = 256;

/** Refuse an order that is no permutation of the nodes. */
void check_order(int64_t n, const int64_t* order) {
  if (!order) return;
  Array<char> seen(n, 0);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t v = order[i];
    if (v < 0 || v >= n)
      fail(GUST_EDATA, "tensor \"order\" holds node %lld at position %lld, expected numbers below %lld",
           static_cast<long long>(v), static_cast<long long>(i), static_cast<long long>(n));
    if (seen[v])
      fail(GUST_EDATA, "tensor \"order\" holds node %lld twice, again at position %lld", static_cast<long long>(v),
           static_cast<long long>(i));
    seen[v] = 1;
  }
}

/** Call `body` with the pattern in the type of its indices. */
template <class Body>
void with_stream(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t order, Body&& body) {
  check_order(n, at<const int64_t>(order));
  dispatch_index(dtype, [&](auto tag) {
    using I = decltype(tag);
    body(Stream<I>{n, at<const int64_t>(indptr), at<const I>(indices), at<const int64_t>(order)});
  });
}

/** The rows that were used last, at most `room`, as a ring of nodes through a head: O(1) per use. */
class RecentRows {
 public:
  RecentRows(int64_t n, int64_t room) : next_(n + 1), previous_(n + 1), held_(n, 0), head_(n), room_(room) {
    next_[head_] = previous_[head_] = head_;
  }
  /** Whether row v was held; it is the most recent one then. */
  bool use(int64_t v) {
    const bool hit = held_[v];
    if (hit) {
      unlink(v);
    } else {
      if (room_ == 0) return false;
      if (count_ == room_) {
        const int64_t oldest = previous_[head_];
        unlink(oldest);
        held_[oldest] = 0;
      } else {
        ++count_;
      }
      held_[v] = 1;
    }
    next_[v] = next_[head_];
    previous_[v] = head_;
    previous_[next_[v]] = v;
    next_[head_] = v;
    return hit;
  }

 private:
  void unlink(int64_t v) {
    next_[previous_[v]] = next_[v];
    previous_[next_[v]] = previous_[v];
  }
  Array<int64_t> next_, previous_;
  Array<char> held_;
  int64_t head_, room_, count_ = 0;
};

/** Rows that the clusters pin, and columns of their rows that are pinned. */
template <class I>
void count_pinned(const Stream<I>& s, const int64_t* ptr, int64_t k, int64_t room, bool by_columns, int64_t* out) {
  const Uses uses = by_columns ? Uses() : count_uses(s);
  PinChoice<I> choice(s, ptr, room, by_columns ? nullptr : &uses);
  Array<int64_t> pinned_by(s.n, -1);
  int64_t rows = 0, hits = 0;
  for (int64_t c = 0; c < k; ++c) {
    for (int64_t v : choice.of(c)) {
      pinned_by[v] = c;
      ++rows;
    }
    for (int64_t i = ptr[c]; i < ptr[c + 1]; ++i)
      for (const I *j = s.begin(s.row(i)), *end = s.end(s.row(i)); j != end; ++j) hits += pinned_by[*j] == c;
  }
  out[0] = rows;
  out[1] = hits;
}

struct Tiles {
  int64_t count = 0, sparse = 0, bytes = 0;
  Tiles& operator+=(const Tiles& other) {
    count += other.count;
    sparse += other.sparse;
    bytes += other.bytes;
    return *this;
  }
};

/** Tiles of side x side entries of the matrix with rows and columns in the order. */
template <class I>
Tiles count_tiles(const Stream<I>& s, int64_t side, int64_t entry_bytes, int64_t burst) {
  Array<int64_t> position(s.order ? s.n : 0);
  for (int64_t i = 0; i < position.size(); ++i) position[s.order[i]] = i;
  const int64_t blocks = (s.n + side - 1) / side;
  return parallel_sum<Tiles>(blocks, kBlocks, [&](int64_t begin, int64_t end) {
    Tiles tiles;
    Array<int64_t> entries(blocks, 0);
    std::vector<int64_t> used;
    for (int64_t b = begin; b < end; ++b) {
      used.clear();
      for (int64_t i = b * side; i < std::min(s.n, (b + 1) * side); ++i)
        for (const I *j = s.begin(s.row(i)), *last = s.end(s.row(i)); j != last; ++j) {
          const int64_t tile = (s.order ? position[*j] : static_cast<int64_t>(*j)) / side;
          if (entries[tile]++ == 0) used.push_back(tile);
        }
      for (int64_t tile : used) {
        ++tiles.count;
        tiles.sparse += entries[tile] <= 2;
        tiles.bytes += (entries[tile] * entry_bytes + burst - 1) / burst * burst;
        entries[tile] = 0;
      }
    }
    return tiles;
  });
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_traffic_recent(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t order, int64_t rows,
                            int64_t* out) {
  return guard([&] {
    if (rows < 0) fail(GUST_EINVAL, "a cache of %lld rows", static_cast<long long>(rows));
    with_stream(n, indptr, indices, dtype, order, [&](const auto& s) {
      RecentRows cache(n, rows);
      int64_t hits = 0;
      for (int64_t i = 0; i < n; ++i)
        for (auto j = s.begin(s.row(i)), end = s.end(s.row(i)); j != end; ++j) hits += cache.use(*j);
      out[0] = hits;
    });
  });
}

int32_t gust_traffic_pinned(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t order,
                            int64_t part_ptr, int64_t k, int64_t rows, int32_t by_columns, int64_t* out) {
  return guard([&] {
    if (rows < 0) fail(GUST_EINVAL, "%lld pinned rows", static_cast<long long>(rows));
    const auto* ptr = at<const int64_t>(part_ptr);
    check_clusters(n, ptr, k);
    with_stream(n, indptr, indices, dtype, order,
                [&](const auto& s) { count_pinned(s, ptr, k, rows, by_columns, out); });
  });
}

int32_t gust_traffic_tiles(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t order, int64_t side,
                           int64_t entry_bytes, int64_t burst, int64_t* out) {
  return guard([&] {
    if (side < 1 || entry_bytes < 1 || burst < 1)
      fail(GUST_EINVAL, "tiles of side %lld, entries of %lld bytes, bursts of %lld", static_cast<long long>(side),
           static_cast<long long>(entry_bytes), static_cast<long long>(burst));
    with_stream(n, indptr, indices, dtype, order, [&](const auto& s) {
      const Tiles tiles = count_tiles(s, side, entry_bytes, burst);
      out[0] = tiles.count;
      out[1] = tiles.sparse;
      out[2] = tiles.bytes;
    });
  });
}
