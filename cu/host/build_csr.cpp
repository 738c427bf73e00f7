// Edge list to CSR: row = destination, columns ascending, duplicates merged.
//
//   1. count   edges per bin of rows, for every segment of the list
//   2. group   bins into buckets of about 2^16 entries (equal work, and a bucket fits the cache)
//   3. scatter entries into buckets; every (segment, bucket) has its own range, so the order is that of the file
//   4. bucket  by bucket: counting sort by row, sort each row, merge duplicates, in place
//   5. scan    row sizes to indptr, copy the columns behind one another
//
// A mirrored copy of an edge (for symmetrising) carries a tag in the lowest bit of its column. When a row is merged,
// an entry with no untagged copy is one that symmetrising added; where both exist, the larger weight stays: the
// elementwise maximum of A and its transpose, so that symmetrising twice changes nothing.
//
// A listed build (columns belong to the edges) merges nothing: entries carry the number of their listed edge instead of
// a weight, and rows are sorted by column or by time, equal ones in the order of the list. A mirrored copy stays where
// the list holds no arc that way, or always (mirror).
//
// Memory: the list and one copy of it (3), then that copy and the result (5); the list is freed after step 3. Past the
// list's bound they lie in temporary files: the list is read in order, the copy written in kMostBuckets streams and
// read bucket by bucket, the result written in order.
// Deterministic for any number of threads: duplicates add up in the order of the file, in double.
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "../common/parallel.h"
#include "build.h"
#include "build_csr.h"

namespace gust {
namespace {

constexpr int64_t kBins = 8192;
constexpr int64_t kBucketEntries = int64_t{1} << 16;
constexpr int64_t kMostBuckets = 1024;  // streams that step 3 writes at once
constexpr ptrdiff_t kInsertionSort = 24;  // rows up to here: measured crossover with std::sort

struct NoWeight {};
/** Number of the listed edge that an entry came from. */
struct Listed { int64_t number; };
template <class Id, class W>
struct Entry {
  Id row, column;  // column * 2 + tag
  [[no_unique_address]] W weight;
};
template <class Id, class W>
struct Cell {
  Id column;
  [[no_unique_address]] W weight;
};

struct Counts {
  int64_t duplicates = 0, added = 0, conflicts = 0, self_loops = 0, self_added = 0;
  bool needs_double = false;
  int64_t overflow_row = -1, overflow_column = -1;  // the first entry whose weights add up past float64
};

template <class Id, class W>
void sort_row(Cell<Id, W>* cells, int64_t n) {
  auto less = [](const Cell<Id, W>& a, const Cell<Id, W>& b) { return a.column < b.column; };
  if (n <= kInsertionSort) {
    for (int64_t i = 1; i < n; ++i) {
      Cell<Id, W> x = cells[i];
      int64_t j = i;
      for (; j > 0 && x.column < cells[j - 1].column; --j) cells[j] = cells[j - 1];
      cells[j] = x;
    }
  } else if constexpr (std::is_same_v<W, NoWeight>) {
    std::sort(cells, cells + n, less);
  } else {
    std::stable_sort(cells, cells + n, less);  // equal columns stay in the order of the file
  }
}

template <class In, class Id, class W>
class Builder {
  static constexpr bool kListed = std::is_same_v<W, Listed>;
  static constexpr bool kWeighted = std::is_same_v<W, double>;
  static constexpr bool kHasValues = kWeighted || kListed;
  using E = Entry<Id, W>;
  using C = Cell<Id, W>;

 public:
  Builder(EdgeList& edges, const BuildOptions& options, Built& built) : edges_(edges), o_(options), built_(built) {
    while (((o_.num_rows - 1) >> shift_) >= kBins) ++shift_;
    bins_ = o_.num_rows == 0 ? 0 : ((o_.num_rows - 1) >> shift_) + 1;
  }

  void run() {
    count_bins();
    group_bins();
    scatter();
    edges_.ids = Buffer();
    edges_.weights = Buffer();
    sort_buckets();
    collect();
  }

 private:
  Buffer room(int64_t size, bool zero = false) const { return Buffer::within(size, edges_.limit, zero); }

  /** Call put(row, column * 2 + tag, slot) for the entries that edge list segment t stands for. */
  template <class Put>
  void for_entries(int64_t t, Put&& put) const {
    const In* ids = edges_.ids.as<In>();
    const EdgeList::Segment& s = edges_.segments[t];
    for (int64_t i = s.start; i < s.start + s.count; ++i) {
      auto u = static_cast<Id>(ids[2 * i]), v = static_cast<Id>(ids[2 * i + 1]);
      if (o_.remove_self_loops && u == v) continue;
      Id row = o_.row_is_source ? u : v, column = o_.row_is_source ? v : u;
      put(row, static_cast<Id>(column * 2), i);
      if ((o_.symmetrize || o_.mirror) && u != v) put(column, static_cast<Id>(row * 2 + 1), i);
    }
  }

  int64_t segments() const { return static_cast<int64_t>(edges_.segments.size()); }

  void count_bins() {
    counts_ = room(segments() * bins_ * 4, true);
    auto* counts = counts_.as<uint32_t>();
    std::vector<int64_t> removed(static_cast<size_t>(segments()));
    parallel_tasks(segments(), [&](int64_t t) {
      uint32_t* mine = counts + t * bins_;
      int64_t entries = 0;
      for_entries(t, [&](Id row, Id column, int64_t) {
        ++mine[row >> shift_];
        entries += !(column & 1);
      });
      removed[t] = edges_.segments[t].count - entries;
    });
    for (int64_t n : removed) built_.self_removed += n;
  }

  void group_bins() {
    const auto* counts = counts_.as<uint32_t>();
    std::vector<int64_t> total(static_cast<size_t>(bins_));
    int64_t entries = 0;
    for (int64_t t = 0; t < segments(); ++t)
      for (int64_t b = 0; b < bins_; ++b) total[b] += counts[t * bins_ + b];
    for (int64_t n : total) entries += n;
    int64_t most = std::max(kBucketEntries, entries / kMostBuckets + 1), filled = 0;
    bucket_of_.resize(static_cast<size_t>(bins_));
    for (int64_t b = 0; b < bins_; ++b) {
      if (buckets_.empty() || (filled > 0 && filled + total[b] > most)) {
        buckets_.push_back({b << shift_, 0, 0, 0, 0});
        filled = 0;
      }
      filled += total[b];
      bucket_of_[b] = static_cast<uint32_t>(buckets_.size() - 1);
      buckets_.back().end_row = std::min(o_.num_rows, (b + 1) << shift_);
    }
    // Ranges: bucket by bucket, and inside a bucket segment by segment.
    auto width = static_cast<int64_t>(buckets_.size());
    starts_.assign(static_cast<size_t>(segments() * width), 0);
    for (int64_t t = 0; t < segments(); ++t)
      for (int64_t b = 0; b < bins_; ++b) starts_[t * width + bucket_of_[b]] += counts[t * bins_ + b];
    for (int64_t k = 0; k < width; ++k) {
      Bucket& bucket = buckets_[k];
      bucket.start = room_;
      for (int64_t t = 0; t < segments(); ++t) {
        int64_t n = starts_[t * width + k];
        starts_[t * width + k] = bucket.start + bucket.count;
        bucket.count += n;
      }
      bucket.room = bucket.count + (o_.self_loops ? bucket.end_row - bucket.first_row : 0);
      room_ += bucket.room;
    }
    counts_ = Buffer();
  }

  void scatter() {
    entries_ = room(room_ * static_cast<int64_t>(sizeof(E)));
    auto width = static_cast<int64_t>(buckets_.size());
    E* entries = entries_.as<E>();
    const double* weights = edges_.weights.as<double>();
    std::vector<int64_t> first(static_cast<size_t>(segments()));  // number of a segment's first edge, less its slot
    for (int64_t t = 0, number = 0; t < segments(); number += edges_.segments[t++].count)
      first[t] = number - edges_.segments[t].start;
    parallel_tasks(segments(), [&](int64_t t) {
      int64_t* at = starts_.data() + t * width;
      for_entries(t, [&](Id row, Id column, [[maybe_unused]] int64_t slot) {
        E& e = entries[at[bucket_of_[row >> shift_]]++];
        e.row = row;
        e.column = column;
        if constexpr (kWeighted) e.weight = weights[slot];
        if constexpr (kListed) e.weight.number = first[t] + slot;
      });
    });
  }

  void sort_buckets() {
    built_.indptr = room((o_.num_rows + 1) * 8, true);
    tallies_.resize(buckets_.size());
    parallel_tasks(static_cast<int64_t>(buckets_.size()), [&](int64_t k) { sort_bucket(buckets_[k], tallies_[k]); });
    for (const Counts& c : tallies_) {
      built_.duplicates += c.duplicates;
      built_.added += c.added;
      built_.conflicts += c.conflicts;
      built_.self_loops += c.self_loops;
      built_.self_added += c.self_added;
      needs_double_ |= c.needs_double;
    }
    for (const Counts& c : tallies_) {
      if (c.overflow_row < 0) continue;
      auto [u, v] = std::pair(c.overflow_column, c.overflow_row);
      if (o_.row_is_source) std::swap(u, v);
      fail(GUST_EDATA, "weights of duplicates of %lld -> %lld add up past float64, expected -1.7e308 to 1.7e308",
           static_cast<long long>(u), static_cast<long long>(v));
    }
  }

  using Value = std::conditional_t<kListed, int64_t, double>;
  /** A finished bucket keeps its values, and behind them its columns, in the room of its entries. */
  Value* bucket_values(const Bucket& b) const { return reinterpret_cast<Value*>(entries_.as<E>() + b.start); }
  Id* bucket_columns(const Bucket& b) const {
    char* base = reinterpret_cast<char*>(entries_.as<E>() + b.start);
    return reinterpret_cast<Id*>(base + (kHasValues ? b.room * 8 : 0));
  }

  void sort_bucket(const Bucket& b, Counts& counts) {
    const E* entries = entries_.as<E>() + b.start;
    // Row sizes, then ends, in indptr itself: rows belong to one bucket alone, and a large, nearly empty range of
    // rows needs no table of its own.
    auto* next = built_.indptr.as<int64_t>() + 1 + b.first_row;
    int64_t rows = b.end_row - b.first_row;
    // A bucket of one long row may be large.
    Buffer work = room(b.room * static_cast<int64_t>(sizeof(C)));
    C* cells = work.as<C>();
    for (int64_t i = 0; i < b.count; ++i) ++next[static_cast<int64_t>(entries[i].row) - b.first_row];
    for (int64_t r = 0, at = 0; r < rows; ++r) {
      int64_t n = next[r];
      next[r] = at;
      at += n + o_.self_loops;
    }
    for (int64_t i = 0; i < b.count; ++i) {
      C& cell = cells[next[static_cast<int64_t>(entries[i].row) - b.first_row]++];
      cell.column = entries[i].column;
      if constexpr (kHasValues) cell.weight = entries[i].weight;
    }
    Value* values = bucket_values(b);
    Id* columns = bucket_columns(b);
    int64_t out = 0, from = 0;
    for (int64_t r = 0; r < rows; ++r) {
      int64_t row = b.first_row + r, end = next[r], first = out;
      if (o_.self_loops) {
        // A mirrored copy is never a self-loop, so that a tagged one stands for "if there is no other".
        cells[end].column = static_cast<Id>(row * 2 + 1);
        if constexpr (kWeighted) cells[end].weight = 1;
        ++end;
      }
      if (end > from) {
        if constexpr (kListed) out = keep_row(cells + from, end - from, row, values, columns, out, counts);
        else out = merge_row(cells + from, end - from, row, values, columns, out, counts);
      }
      from = end;
      next[r] = out - first;
    }
  }

  /** Sort and merge the n cells of a row; writes columns and weights from `out` on and returns their end. */
  int64_t merge_row(C* cells, int64_t n, int64_t row, [[maybe_unused]] double* weights, Id* columns, int64_t out,
                    Counts& counts) const {
    sort_row(cells, n);
    for (int64_t i = 0; i < n;) {
      Id column = cells[i].column >> 1;
      int64_t copies[2] = {0, 0};
      [[maybe_unused]] double sum[2] = {0, 0};
      for (; i < n && cells[i].column >> 1 == column; ++i) {
        int tag = cells[i].column & 1;
        ++copies[tag];
        if constexpr (kWeighted) sum[tag] += cells[i].weight;
      }
      bool is_self = static_cast<int64_t>(column) == row && !o_.row_is_source;
      counts.duplicates += std::max<int64_t>(0, copies[0] - 1);
      counts.self_loops += is_self;
      (is_self ? counts.self_added : counts.added) += copies[0] == 0;
      if constexpr (kWeighted) {
        double w = copies[0] == 0 ? sum[1] : sum[0];
        if (copies[0] && copies[1] && !is_self && sum[0] != sum[1]) {
          ++counts.conflicts;
          w = std::max(sum[0], sum[1]);
        }
        weights[out] = w;
        counts.needs_double |= is_wide_weight(w);
        if (!std::isfinite(w) && counts.overflow_row < 0) {
          counts.overflow_row = row;
          counts.overflow_column = static_cast<int64_t>(column);
        }
      }
      columns[out++] = column;
    }
    return out;
  }

  bool is_earlier(int64_t a, int64_t b) const {
    if (o_.times_dtype == GUST_I64) return static_cast<const int64_t*>(o_.times)[a] < static_cast<const int64_t*>(o_.times)[b];
    return static_cast<const double*>(o_.times)[a] < static_cast<const double*>(o_.times)[b];
  }

  /** Sort the n cells of a row of a listed build, and leave out mirrored copies that are not wanted. */
  int64_t keep_row(C* cells, int64_t n, int64_t row, int64_t* numbers, Id* columns, int64_t out, Counts& counts) const
    requires kListed
  {
    if (o_.times)
      std::stable_sort(cells, cells + n, [&](const C& a, const C& b) { return is_earlier(a.weight.number, b.weight.number); });
    else
      sort_row(cells, n);
    auto column_of = [](const C& cell) { return cell.column >> 1; };
    for (int64_t i = 0, begin = 0; i < n; ++i) {
      if (i > 0 && column_of(cells[i]) != column_of(cells[begin])) begin = i;
      bool is_mirrored = cells[i].column & 1, is_listed = !(cells[begin].column & 1);  // listed ones come first
      if (is_mirrored && is_listed && !o_.mirror) continue;
      counts.duplicates += i > begin;
      counts.added += is_mirrored;
      counts.self_loops += static_cast<int64_t>(column_of(cells[i])) == row && !o_.row_is_source;
      numbers[out] = cells[i].weight.number;
      columns[out++] = column_of(cells[i]);
    }
    return out;
  }

  void collect() {
    auto* indptr = built_.indptr.as<int64_t>();
    for (int64_t v = 0; v < o_.num_rows; ++v) indptr[v + 1] += indptr[v];
    built_.nnz = indptr[o_.num_rows];
    built_.indices = room(built_.nnz * static_cast<int64_t>(sizeof(Id)));
    built_.indices_dtype = sizeof(Id) == 4 ? GUST_I32 : GUST_I64;
    if constexpr (kWeighted) {
      built_.values_dtype = needs_double_ ? GUST_F64 : GUST_F32;
      built_.values = room(built_.nnz * (needs_double_ ? 8 : 4));
    }
    if constexpr (kListed) {
      built_.values_dtype = GUST_I64;
      built_.values = room(built_.nnz * 8);
    }
    parallel_tasks(static_cast<int64_t>(buckets_.size()), [&](int64_t k) {
      const Bucket& b = buckets_[k];
      int64_t at = indptr[b.first_row], n = indptr[b.end_row] - at;
      std::copy_n(bucket_columns(b), n, built_.indices.as<Id>() + at);
      if constexpr (kWeighted) {
        const double* weights = bucket_values(b);
        if (needs_double_) std::copy_n(weights, n, built_.values.as<double>() + at);
        else std::transform(weights, weights + n, built_.values.as<float>() + at, [](double w) { return static_cast<float>(w); });
      }
      if constexpr (kListed) std::copy_n(bucket_values(b), n, built_.values.as<int64_t>() + at);
    });
  }

  EdgeList& edges_;
  const BuildOptions& o_;
  Built& built_;
  int shift_ = 0;
  int64_t bins_ = 0, room_ = 0;
  bool needs_double_ = false;
  Buffer counts_, entries_;
  std::vector<uint32_t> bucket_of_;
  std::vector<Bucket> buckets_;
  std::vector<int64_t> starts_;
  std::vector<Counts> tallies_;
};

/** Call f(In{}, Id{}) with the types of the list's ids and of the entries'. */
template <class F>
void with_ids(const EdgeList& edges, const BuildOptions& options, F&& f) {
  auto check = [&](int64_t max_id, int64_t bound, const char* side) {
    if (max_id >= bound)
      fail(GUST_EINVAL, "%s id %lld, expected below %lld", side, static_cast<long long>(max_id),
           static_cast<long long>(bound));
  };
  check(edges.max_source, options.row_is_source ? options.num_rows : options.num_columns, "source");
  check(edges.max_target, options.row_is_source ? options.num_columns : options.num_rows, "target");
  auto memory = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (static_cast<double>(options.num_rows) * 8 > memory)
    fail(GUST_ENOMEM, "the index of %lld nodes takes %.0f GB, more than the %.0f GB of this machine",
         static_cast<long long>(options.num_rows), static_cast<double>(options.num_rows) * 8e-9, memory * 1e-9);
  bool square = options.num_rows == options.num_columns && !options.row_is_source;
  if (!square && (options.symmetrize || options.mirror || options.self_loops || options.remove_self_loops))
    fail(GUST_EINVAL, "symmetrising and self-loops need a square matrix with row = destination");
  bool wide = options.wide || std::max(options.num_rows, options.num_columns) > kNarrowIds;
  if (edges.wide) f(int64_t{}, uint64_t{});
  else if (wide) f(uint32_t{}, uint64_t{});
  else f(uint32_t{}, uint32_t{});
}

}  // namespace

void build_csr(EdgeList& edges, const BuildOptions& options, Built& built) {
  with_ids(edges, options, [&](auto in, auto id) {
    using In = decltype(in);
    using Id = decltype(id);
    if (edges.weights && options.weighted) Builder<In, Id, double>(edges, options, built).run();
    else Builder<In, Id, NoWeight>(edges, options, built).run();
  });
}

void build_listed(EdgeList& edges, const BuildOptions& options, Built& built) {
  if (options.self_loops) fail(GUST_EINVAL, "a listed build adds no self-loops: they stand for no listed edge");
  with_ids(edges, options, [&](auto in, auto id) {
    Builder<decltype(in), decltype(id), Listed>(edges, options, built).run();
  });
}

}  // namespace gust
