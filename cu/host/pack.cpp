// Rows of a feature matrix laid out on disk for the batches of a sample, so that a training run reads whole pages of rows
// that it needs instead of a page per row.
//
// What is decided, in order:
//   hot     the rows that batches have most often stay in memory: as many as there is room for.
//   segment the fewest consecutive batches whose different cold rows, added up over all segments, fit the disk budget.
//           A first guess is the shortest prefix of i batches with (different cold rows) * batches / i < budget; it is
//           made longer until the rows fit. What the budget leaves is given to rows that few batches of the segment have.
//   shared  per segment the cold rows that its batches have several times, in the order of
//           key(v) = (min over b with v of h1(b), min over b with v of h2(b)), h1 and h2 being random orders of the batches:
//           two nodes have the same first part with the probability that is the Jaccard similarity of their sets of
//           batches, so that rows of one batch lie on few pages. No row straddles a page.
//   packed  every other row of a batch lies in the batch's own range of pages, by ascending node.
// Rows are put range by range of the matrix, which is read once in order; a range writes its rows at their places. What
// lies where does not depend on the ranges.
//
// Determinism: counts are sums of integers, every order has the node number as its last key; threads do not matter.
// Memory: 12 bytes per node for counts and orders while it is decided, 4 for places, 4 per shared row.
// Source: DiskGNN, Liu et al. 2024, arXiv:2405.05231, sections 4 and 5; there the guess is the length, which misses the
// budget where later batches have less in common.
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <numeric>

#include "../include/gust.h"
#include "../common/context.h"
#include "sample.h"

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr int64_t kGrain = int64_t{1} << 16;
constexpr int32_t kCold = -1;
constexpr uint32_t kStream = 0x9ac4;  // of min-hashes

/** Node lists of batches, checked to be nodes. */
struct Batches {
  int64_t n, count;
  const int64_t* ptr;
  int64_t nodes;
  int32_t dtype;

  int64_t size(int64_t b) const { return ptr[b + 1] - ptr[b]; }
  /** f(i, node) for the nodes of a batch in order. */
  template <class F>
  void each(int64_t b, F&& f) const {
    dispatch_index(dtype, [&](auto tag) {
      const auto* list = reinterpret_cast<const decltype(tag)*>(nodes) + ptr[b];
      for (int64_t i = 0, end = size(b); i < end; ++i) f(i, static_cast<int64_t>(list[i]));
    });
  }
  void check() const {
    for (int64_t b = 0; b < count; ++b)
      if (ptr[b] < 0 || ptr[b] > ptr[b + 1] || size(b) > INT32_MAX)
        fail(GUST_EDATA, "node pointer of batch %lld is %lld .. %lld, expected a rising range", ll(b), ll(ptr[b]),
             ll(ptr[b + 1]));
    parallel_for(count, 1, [&](int64_t b, int64_t) {
      each(b, [&](int64_t, int64_t v) {
        if (static_cast<uint64_t>(v) >= static_cast<uint64_t>(n)) [[unlikely]]
          fail(GUST_EDATA, "batch %lld has node %lld, expected numbers below %lld", ll(b), ll(v), ll(n));
      });
    });
  }
};

void write_at(int fd, const char* data, int64_t size, int64_t offset) {
  while (size > 0) {
    const ssize_t put = pwrite(fd, data, static_cast<size_t>(size), offset);
    if (put < 0) {
      if (errno == EINTR) continue;
      fail_errno("write");
    }
    data += put;
    size -= put;
    offset += put;
  }
}

/** How a batch's rows are spread. */
struct Counts {
  int64_t hot = 0, device = 0, shared = 0, packed = 0, shared_pages = 0, matrix_pages = 0;
};

class Pack {
 public:
  Pack(Batches batches, const int64_t* popularity, int64_t row_bytes, int64_t device_rows, int64_t host_rows,
       int64_t budget, bool random_order, int64_t seed, int64_t first_byte)
      : batches_(batches), row_bytes_(row_bytes), random_order_(random_order), seed_(seed), place_(batches.n, kCold) {
    batches_.check();
    choose_hot(popularity, device_rows, host_rows);
    choose_segments(budget);
    shared_.resize(static_cast<size_t>(segments_));
    counts_.resize(static_cast<size_t>(batches_.count));
    for (int64_t s = 0; s < segments_; ++s) {
      shared_[s] = choose_shared(s);
      enter(s);
      parallel_for(end_of(s) - first_of(s), 1,
                   [&](int64_t b, int64_t) { counts_[first_of(s) + b] = count(first_of(s) + b, first_byte); });
    }
    often_ = {};
    number_pages();
    written_.assign(static_cast<size_t>(batches_.count), 0);
  }

  void sizes(int64_t* out) const {
    Counts sum;
    int64_t shared_rows = 0;
    for (const Counts& c : counts_) {
      sum.hot += c.hot;
      sum.device += c.device;
      sum.shared += c.shared;
      sum.packed += c.packed;
      sum.shared_pages += c.shared_pages;
      sum.matrix_pages += c.matrix_pages;
    }
    for (const auto& list : shared_) shared_rows += static_cast<int64_t>(list.size());
    const int64_t host_rows = static_cast<int64_t>(hot_.size()) - device_rows_, shared_pages = shared_ptr_.back();
    for (int64_t value : {device_rows_, host_rows, length_, segments_, shared_rows, shared_pages, sum.packed,
                          packed_ptr_.back() - shared_pages, sum.device, sum.hot - sum.device, sum.shared,
                          sum.shared_pages, sum.matrix_pages, batches_.ptr[batches_.count] - batches_.ptr[0]})
      *out++ = value;
  }

  void tables(int64_t* hot, int64_t* shared_ptr, int64_t* packed_ptr, int64_t* counts) const {
    std::copy(hot_.begin(), hot_.end(), hot);
    std::copy(shared_ptr_.begin(), shared_ptr_.end(), shared_ptr);
    std::copy(packed_ptr_.begin(), packed_ptr_.end(), packed_ptr);
    for (const Counts& c : counts_) {
      *counts++ = c.hot;
      *counts++ = c.shared;
      *counts++ = c.packed;
    }
  }

  void gather(int64_t first, int64_t count, int32_t* pos, int32_t* loc) {
    if (first < 0 || count < 0 || first + count > batches_.count) fail(GUST_EINVAL, "batches out of range");
    for (int64_t b = first; b < first + count;) {
      const int64_t s = b / length_, end = std::min(end_of(s), first + count);
      enter(s);
      std::vector<int64_t> pos_at(static_cast<size_t>(end - b)), loc_at(pos_at.size());
      int64_t nodes = 0, placed = 0;
      for (int64_t i = b; i < end; ++i) {
        pos_at[i - b] = nodes;
        loc_at[i - b] = placed;
        nodes += batches_.size(i);
        placed += counts_[i].hot + counts_[i].shared;
      }
      parallel_for(end - b, 1, [&](int64_t i, int64_t) {
        gather_one(b + i, pos ? pos + pos_at[i] : nullptr, loc ? loc + loc_at[i] : nullptr);
      });
      if (pos) pos += nodes;
      if (loc) loc += placed;
      b = end;
    }
  }

  void put(int fd, int64_t offset, int64_t first, int64_t rows, const char* from) {
    const int64_t last = first + rows;
    if (first == 0) std::fill(written_.begin(), written_.end(), 0);
    for (int64_t s = 0; s < segments_; ++s) {
      enter(s);
      const std::vector<int32_t>& list = shared_[s];
      parallel_for(static_cast<int64_t>(list.size()), kGrain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          if (list[i] >= first && list[i] < last)
            write_at(fd, from + (list[i] - first) * row_bytes_, row_bytes_,
                     offset + shared_ptr_[s] * GUST_PAGE + shared_byte(i));
      });
      parallel_for(end_of(s) - first_of(s), 1, [&](int64_t i, int64_t) {
        const int64_t b = first_of(s) + i;
        std::vector<int32_t> own;
        batches_.each(b, [&](int64_t, int64_t v) {
          if (v >= first && v < last && place_[v] == kCold) own.push_back(static_cast<int32_t>(v));
        });
        std::sort(own.begin(), own.end());
        constexpr int64_t kBuffer = int64_t{1} << 20;
        const int64_t step = std::max(int64_t{1}, kBuffer / std::max(int64_t{1}, row_bytes_));
        std::vector<char> buffer(static_cast<size_t>(std::min(step, static_cast<int64_t>(own.size())) * row_bytes_));
        for (int64_t at = 0, size = static_cast<int64_t>(own.size()); at < size; at += step) {
          const int64_t some = std::min(step, size - at);
          for (int64_t j = 0; j < some; ++j)
            std::memcpy(buffer.data() + j * row_bytes_, from + (own[at + j] - first) * row_bytes_,
                        static_cast<size_t>(row_bytes_));
          write_at(fd, buffer.data(), some * row_bytes_,
                   offset + packed_ptr_[b] * GUST_PAGE + (written_[b] + at) * row_bytes_);
        }
        written_[b] += static_cast<int64_t>(own.size());
      });
    }
  }

  int64_t rows() const { return batches_.n; }

 private:
  int64_t first_of(int64_t s) const { return s * length_; }
  int64_t end_of(int64_t s) const { return std::min(batches_.count, (s + 1) * length_); }

  /** Where row i of a segment's shared rows begins, in bytes from its first page. */
  int64_t shared_byte(int64_t i) const {
    if (row_bytes_ > GUST_PAGE) return i * ((row_bytes_ + GUST_PAGE - 1) / GUST_PAGE) * GUST_PAGE;
    const int64_t per_page = GUST_PAGE / std::max(int64_t{1}, row_bytes_);
    return i / per_page * GUST_PAGE + i % per_page * row_bytes_;
  }
  static int64_t pages_of(int64_t bytes) { return (bytes + GUST_PAGE - 1) / GUST_PAGE; }

  void choose_hot(const int64_t* popularity, int64_t device_rows, int64_t host_rows) {
    std::vector<int32_t> counted;
    const auto often = [&](int32_t v) -> int64_t { return popularity ? popularity[v] : counted[v]; };
    const int64_t most = std::min(batches_.n, device_rows + host_rows);
    if (most == 0) return;
    if (!popularity) {
      counted.assign(static_cast<size_t>(batches_.n), 0);
      parallel_for(batches_.count, 1, [&](int64_t b, int64_t) {
        batches_.each(b, [&](int64_t, int64_t v) {
          std::atomic_ref(counted[v]).fetch_add(1, std::memory_order_relaxed);
        });
      });
    }
    for (int64_t v = 0; v < batches_.n; ++v)
      if (often(static_cast<int32_t>(v)) > 0) hot_.push_back(static_cast<int32_t>(v));
    const auto before = [&](int32_t a, int32_t b) { return often(a) != often(b) ? often(a) > often(b) : a < b; };
    keep_first(hot_, most, before);
    device_rows_ = std::min(device_rows, static_cast<int64_t>(hot_.size()));
    if (device_rows_ > 0 && device_rows_ < static_cast<int64_t>(hot_.size()))
      std::nth_element(hot_.begin(), hot_.begin() + device_rows_, hot_.end(), before);
    std::sort(hot_.begin(), hot_.begin() + device_rows_);
    std::sort(hot_.begin() + device_rows_, hot_.end());
    for (size_t h = 0; h < hot_.size(); ++h) place_[hot_[h]] = static_cast<int32_t>(h);
  }

  /** The first `most` of a list by `before`, in any order. */
  template <class Before>
  static void keep_first(std::vector<int32_t>& list, int64_t most, Before before) {
    if (static_cast<int64_t>(list.size()) <= most) return;
    std::nth_element(list.begin(), list.begin() + most, list.end(), before);
    list.resize(static_cast<size_t>(most));
    list.shrink_to_fit();
  }

  void choose_segments(int64_t budget) {
    length_ = std::max(int64_t{1}, batches_.count);
    segments_ = batches_.count > 0 ? 1 : 0;
    if (budget < 0 || batches_.count == 0) return;
    is_shared_ = true;
    length_ = guess_length(budget);
    int64_t rows = different_rows(length_);
    while (rows > budget && length_ < batches_.count) {
      length_ = std::min(batches_.count, length_ + std::max(int64_t{1}, length_ / 8));
      rows = different_rows(length_);
    }
    segments_ = (batches_.count + length_ - 1) / length_;
    spare_ = static_cast<double>(std::max(int64_t{0}, budget - rows)) / static_cast<double>(batches_.count);
  }

  int64_t guess_length(int64_t budget) const {
    std::vector<uint8_t> seen(static_cast<size_t>(batches_.n), 0);
    int64_t different = 0;
    for (int64_t i = 0; i < batches_.count; ++i) {
      batches_.each(i, [&](int64_t, int64_t v) {
        if (place_[v] != kCold || seen[v]) return;
        seen[v] = 1;
        ++different;
      });
      const double times = static_cast<double>(batches_.count) / static_cast<double>(i + 1);
      if (static_cast<double>(different) * times < static_cast<double>(budget)) return i + 1;
    }
    return batches_.count;
  }

  /** Cold rows that lie on disk if every segment of `length` batches has each of its rows once. */
  int64_t different_rows(int64_t length) const {
    std::vector<int32_t> last(static_cast<size_t>(batches_.n), -1);  // segment that had the row
    int64_t rows = 0;
    for (int64_t b = 0; b < batches_.count; ++b) {
      const auto segment = static_cast<int32_t>(b / length);
      batches_.each(b, [&](int64_t, int64_t v) {
        if (place_[v] != kCold || last[v] == segment) return;
        last[v] = segment;
        ++rows;
      });
    }
    return rows;
  }

  /** The shared rows of a segment in the order in which they lie. place_ has hot rows alone while it runs. */
  std::vector<int32_t> choose_shared(int64_t s) {
    leave();
    std::vector<int32_t> list;
    if (!is_shared_) return list;
    often_.resize(static_cast<size_t>(batches_.n));  // zeros; left so
    std::vector<int32_t>& counts = often_;
    for (int64_t b = first_of(s); b < end_of(s); ++b)
      batches_.each(b, [&](int64_t, int64_t v) {
        if (place_[v] == kCold && ++counts[v] == 2) list.push_back(static_cast<int32_t>(v));
      });
    std::sort(list.begin(), list.end(), [&](int32_t a, int32_t b) {
      return counts[a] != counts[b] ? counts[a] > counts[b] : a < b;
    });
    // A row that is not shared lies once for each of its batches.
    auto spare = static_cast<int64_t>(spare_ * static_cast<double>(end_of(s) - first_of(s)));
    for (; !list.empty() && counts[list.back()] - 1 <= spare; list.pop_back()) spare -= counts[list.back()] - 1;
    std::sort(list.begin(), list.end());
    struct Key {
      uint64_t first = UINT64_MAX, second = UINT64_MAX;
    };
    std::vector<Key> keys(list.size());
    const Random random(static_cast<uint64_t>(seed_), kStream, 0, static_cast<uint32_t>(s), 0);
    if (random_order_) {
      for (size_t i = 0; i < list.size(); ++i) keys[i].first = random.u64(static_cast<uint64_t>(list[i]), 0);
    } else {
      // counts become places in the list: 64-bit random numbers order the batches as permutations would.
      for (size_t i = 0; i < list.size(); ++i) counts[list[i]] = -1 - static_cast<int32_t>(i);
      for (int64_t b = first_of(s); b < end_of(s); ++b) {
        const auto id = static_cast<uint64_t>(b);
        const uint64_t h1 = random.u64(id, 0), h2 = random.u64(id, 1);
        batches_.each(b, [&](int64_t, int64_t v) {
          if (counts[v] >= 0) return;
          Key& key = keys[-1 - counts[v]];
          key.first = std::min(key.first, h1);
          key.second = std::min(key.second, h2);
        });
      }
    }
    for (int64_t b = first_of(s); b < end_of(s); ++b) batches_.each(b, [&](int64_t, int64_t v) { counts[v] = 0; });
    std::vector<int32_t> order(list.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      if (keys[a].first != keys[b].first) return keys[a].first < keys[b].first;
      return keys[a].second != keys[b].second ? keys[a].second < keys[b].second : a < b;
    });
    for (int32_t& i : order) i = list[i];
    return order;
  }

  /** Let place_ say where the shared rows of a segment are: behind the hot ones. */
  void enter(int64_t s) {
    if (entered_ == s) return;
    leave();
    const std::vector<int32_t>& list = shared_[s];
    const auto hot = static_cast<int64_t>(hot_.size());
    if (hot + static_cast<int64_t>(list.size()) > INT32_MAX) fail(GUST_EINVAL, "more than 2^31 hot and shared rows");
    for (size_t i = 0; i < list.size(); ++i) place_[list[i]] = static_cast<int32_t>(hot + static_cast<int64_t>(i));
    entered_ = s;
  }
  void leave() {
    if (entered_ >= 0)
      for (int32_t v : shared_[entered_]) place_[v] = kCold;
    entered_ = -1;
  }

  Counts count(int64_t b, int64_t first_byte) const {
    Counts c;
    const auto hot = static_cast<int32_t>(hot_.size());
    std::vector<int32_t> slots;
    std::vector<int64_t> nodes;
    nodes.reserve(static_cast<size_t>(batches_.size(b)));
    batches_.each(b, [&](int64_t, int64_t v) {
      nodes.push_back(v);
      const int32_t at = place_[v];
      if (at == kCold) ++c.packed;
      else if (at < hot) ++c.hot, c.device += at < device_rows_;
      else slots.push_back(at - hot);
    });
    c.shared = static_cast<int64_t>(slots.size());
    std::sort(slots.begin(), slots.end());
    std::sort(nodes.begin(), nodes.end());
    int64_t last = -1;
    const auto touch = [&last](int64_t begin, int64_t end) {  // bytes, ascending; pages that are new
      const int64_t from = std::max(last + 1, begin / GUST_PAGE);
      last = std::max(last, (end - 1) / GUST_PAGE);
      return std::max(int64_t{0}, last - from + 1);
    };
    if (row_bytes_ == 0) return c;
    for (int32_t slot : slots) c.shared_pages += touch(shared_byte(slot), shared_byte(slot) + row_bytes_);
    last = -1;
    for (int64_t v : nodes) c.matrix_pages += touch(first_byte + v * row_bytes_, first_byte + (v + 1) * row_bytes_);
    return c;
  }

  void number_pages() {
    int64_t page = 0;
    shared_ptr_.push_back(0);
    for (const auto& list : shared_) {
      const auto size = static_cast<int64_t>(list.size());
      if (size > 0) page += pages_of(shared_byte(size - 1) + row_bytes_);
      shared_ptr_.push_back(page);
    }
    packed_ptr_.push_back(page);
    for (const Counts& c : counts_) packed_ptr_.push_back(page += pages_of(c.packed * row_bytes_));
  }

  void gather_one(int64_t b, int32_t* pos, int32_t* loc) const {
    struct Row {
      int64_t key;  // place; packed rows behind all by node
      int32_t position;
    };
    const auto hot = static_cast<int64_t>(hot_.size());
    std::vector<Row> rows;
    rows.reserve(static_cast<size_t>(batches_.size(b)));
    batches_.each(b, [&](int64_t i, int64_t v) {
      const int32_t at = place_[v];
      rows.push_back({at == kCold ? (int64_t{1} << 32) + v : at, static_cast<int32_t>(i)});
    });
    std::sort(rows.begin(), rows.end(), [](const Row& x, const Row& y) {
      return x.key != y.key ? x.key < y.key : x.position < y.position;
    });
    const int64_t placed = counts_[b].hot + counts_[b].shared;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (pos) pos[i] = rows[i].position;
      if (loc && static_cast<int64_t>(i) < placed)
        loc[i] = static_cast<int32_t>(rows[i].key < hot ? rows[i].key : rows[i].key - hot);
    }
  }

  Batches batches_;
  int64_t row_bytes_;
  bool random_order_;
  int64_t seed_;
  std::vector<int32_t> place_;  // of hot rows, and of the shared rows of the segment that was entered behind them
  std::vector<int32_t> hot_;
  std::vector<int32_t> often_;  // of choose_shared()
  int64_t device_rows_ = 0, length_ = 1, segments_ = 0, entered_ = -1;
  bool is_shared_ = false;
  double spare_ = 0;  // rows that a segment may lay on disk besides its different ones, per batch
  std::vector<std::vector<int32_t>> shared_;
  std::vector<Counts> counts_;
  std::vector<int64_t> shared_ptr_, packed_ptr_, written_;
};

Pack& pack_of(int64_t handle) {
  if (!handle) fail(GUST_EINVAL, "no pack");
  return *reinterpret_cast<Pack*>(handle);
}
int64_t* longs(int64_t address) { return reinterpret_cast<int64_t*>(address); }

}  // namespace

int32_t gust_pack_create(int64_t n, int64_t batches, int64_t node_ptr, int64_t nodes, int32_t dtype, int64_t popularity,
                         int64_t row_bytes, int64_t device_rows, int64_t host_rows, int64_t budget_rows,
                         int32_t random_order, int64_t seed, int64_t first_byte, int64_t* out) {
  return guard([&] {
    if (n < 0 || n > INT32_MAX || batches < 0 || row_bytes < 0 || device_rows < 0 || host_rows < 0 || first_byte < 0)
      fail(GUST_EINVAL, "pack of %lld nodes and %lld batches, expected fewer than 2^31 nodes", ll(n), ll(batches));
    auto* pack = new Pack({n, batches, longs(node_ptr), nodes, dtype}, longs(popularity), row_bytes, device_rows, host_rows,
                          budget_rows, random_order != 0, seed, first_byte);
    out[0] = reinterpret_cast<int64_t>(pack);
  });
}

int32_t gust_pack_destroy(int64_t pack) {
  return guard([&] { delete reinterpret_cast<Pack*>(pack); });
}

int32_t gust_pack_sizes(int64_t pack, int64_t* out) {
  return guard([&] { pack_of(pack).sizes(out); });
}

int32_t gust_pack_tables(int64_t pack, int64_t hot, int64_t shared_ptr, int64_t packed_ptr, int64_t counts) {
  return guard([&] { pack_of(pack).tables(longs(hot), longs(shared_ptr), longs(packed_ptr), longs(counts)); });
}

int32_t gust_pack_gather(int64_t pack, int64_t first, int64_t count, int64_t pos, int64_t loc) {
  return guard([&] {
    pack_of(pack).gather(first, count, reinterpret_cast<int32_t*>(pos), reinterpret_cast<int32_t*>(loc));
  });
}

int32_t gust_pack_put(int64_t pack, int32_t fd, int64_t offset, int64_t first, int64_t rows, int64_t from) {
  return guard([&] {
    Pack& p = pack_of(pack);
    if (offset < 0 || first < 0 || rows < 0 || first > p.rows() - rows) fail(GUST_EINVAL, "rows out of range");
    p.put(fd, offset, first, rows, reinterpret_cast<const char*>(from));
  });
}
