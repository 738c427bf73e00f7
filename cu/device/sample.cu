// What the samplers share, as sample.h says.
#include "sample.h"

#include "../common/status.h"

namespace gust::cuda::sampling {

// ---- memory ------------------------------------------------------------------------------------------------------

namespace {

constexpr int64_t kLeast = 256;                // bytes of a piece, and a divisor of all sizes
constexpr int64_t kSmall = int64_t{16} << 10;  // at most, to be cut from a slab
constexpr int64_t kFirstSlab = int64_t{64} << 10, kMostDoubled = 6;

/** Sizes are rounded up by at most an eighth, so that batches of about the same size find each other's memory. */
int64_t rounded(int64_t size) {
  if (size <= kLeast) return kLeast;
  const int64_t step = std::max(kLeast, int64_t{1} << (60 - __builtin_clzll(static_cast<Word>(size))));
  return num_chunks(size, step) * step;
}

}  // namespace

Pool::~Pool() {
  drop();
  for (const Piece& slab : slabs_) device::deallocate(slab.data, slab.size);
}

Pool::Piece Pool::take(int64_t size) {
  const int64_t wanted = rounded(size);
  std::lock_guard<std::mutex> hold(lock_);
  Idle& idle = wanted <= kSmall ? small_ : large_;
  auto found = idle.lower_bound(wanted);
  if (found != idle.end() && found->first <= 2 * wanted) {
    const Piece piece{found->second, found->first};
    idle.erase(found);
    return piece;
  }
  if (wanted <= kSmall) return cut(wanted);
  // The batches have grown: this piece takes the place of one that was not much smaller.
  if (found != idle.begin() && std::prev(found)->first >= wanted / 4) {
    device::deallocate(std::prev(found)->second, std::prev(found)->first);
    idle.erase(std::prev(found));
  }
  try {
    return {device::allocate(wanted, false), wanted};
  } catch (const Error& error) {
    if (error.code() != GUST_ENOMEM || idle.empty()) throw;
  }
  drop();
  return {device::allocate(wanted, false), wanted};
}

void Pool::give_back(Piece piece) noexcept {
  if (!piece.data) return;
  std::lock_guard<std::mutex> hold(lock_);
  const bool is_small = piece.size <= kSmall;
  try {
    (is_small ? small_ : large_).emplace(piece.size, piece.data);
  } catch (...) {
    if (!is_small) device::deallocate(piece.data, piece.size);  // else it goes with its slab
  }
}

/** A small piece, of a slab that is twice as large as the one before. */
Pool::Piece Pool::cut(int64_t size) {
  if (slabs_.empty() || used_ + size > slabs_.back().size) {
    const int64_t bytes = kFirstSlab << std::min(static_cast<int64_t>(slabs_.size()), kMostDoubled);
    slabs_.reserve(slabs_.size() + 1);
    slabs_.push_back({device::allocate(bytes, false), bytes});
    used_ = 0;
  }
  used_ += size;
  return {slabs_.back().data + used_ - size, size};
}

/** Free what is idle and large. */
void Pool::drop() noexcept {
  for (const auto& [size, data] : large_) device::deallocate(data, size);
  large_.clear();
}

// ---- what kernels find -------------------------------------------------------------------------------------------

Progress::Progress(const std::shared_ptr<Pool>& pool, int64_t batches)
    : batches_(batches), words_(pool, kFoundWords + 2 * (batches + 1)) {
  words_.clear();
}

Progress::Seen Progress::see() const {
  std::vector<int64_t> words(static_cast<size_t>(words_.size()));
  words_.read(words.data(), 0, words_.size());
  Seen seen;
  std::memcpy(&seen.found, words.data(), sizeof seen.found);
  const auto node_ptr = words.begin() + kFoundWords, arc_ptr = node_ptr + batches_ + 1;
  seen.node_ptr.assign(node_ptr, arc_ptr);
  seen.arc_ptr.assign(arc_ptr, words.end());
  return seen;
}

// The texts are those of cu/host/sample.h.
template <class I>
void fail_arc(const GraphView<I>& graph, int64_t edge) {
  I u;
  device::copy(&u, graph.indices + edge, sizeof u);
  fail(GUST_EDATA, "tensor \"indices\" holds node %lld at position %lld, expected numbers below num_nodes = %lld",
       ll(u), ll(edge), ll(graph.num_nodes));
}
template void fail_arc(const GraphView<int32_t>&, int64_t);
template void fail_arc(const GraphView<int64_t>&, int64_t);

template <class I>
void fail_row(const GraphView<I>& graph, int64_t v) {
  int64_t row[2];
  device::copy(row, graph.indptr + v, sizeof row);
  const auto [begin, end] = row;
  if (begin < 0 || begin > end || end > graph.num_edges)
    fail(GUST_EDATA, "tensor \"indptr\": row %lld is %lld .. %lld, expected a rising range inside 0 .. %lld", ll(v),
         ll(begin), ll(end), ll(graph.num_edges));
  std::vector<I> sources(static_cast<size_t>(end - begin));
  device::copy(sources.data(), graph.indices + begin, (end - begin) * static_cast<int64_t>(sizeof(I)));
  for (int64_t e = begin; e < end; ++e)
    if (static_cast<uint64_t>(sources[e - begin]) >= static_cast<uint64_t>(graph.num_nodes)) fail_arc(graph, e);
  fail(GUST_EFAIL, "row %lld was taken for damaged", ll(v));
}
template void fail_row(const GraphView<int32_t>&, int64_t);
template void fail_row(const GraphView<int64_t>&, int64_t);

void fail_node(int64_t v, int64_t num_nodes) {
  fail(GUST_EDATA, "node %lld, expected numbers below num_nodes = %lld", ll(v), ll(num_nodes));
}
void fail_twice(int64_t v) { fail(GUST_EDATA, "node %lld is twice in one batch", ll(v)); }

void check_batch_sizes(const std::vector<int64_t>& node_ptr) {
  for (size_t b = 0; b + 1 < node_ptr.size(); ++b)
    if (node_ptr[b + 1] - node_ptr[b] > INT32_MAX)
      fail(GUST_EINVAL, "a batch of %lld nodes, expected at most %d: make the batches smaller",
           ll(node_ptr[b + 1] - node_ptr[b]), INT32_MAX);
}

// ---- positions ---------------------------------------------------------------------------------------------------

OwnedTable::OwnedTable(const std::shared_ptr<Pool>& pool, int64_t most, int64_t batches, int64_t num_nodes) {
  if (static_cast<__int128>(batches) * num_nodes >= INT64_MAX)
    fail(GUST_EINVAL, "%lld batches of a graph of %lld nodes at once", ll(batches), ll(num_nodes));
  const int bits = bits_for(2 * std::min(most, batches * num_nodes) + 2);  // at most half full
  entries = Buffer<Table::Entry>(pool, int64_t{1} << bits);
  entries.clear();
  table = {entries.data(), (Word{1} << bits) - 1, 64 - bits, num_nodes};
}

namespace {

struct Insert {
  Table table;
  const int64_t *nodes, *node_ptr;
  int64_t batches;
  Found* found;
  __device__ void operator()(int64_t r) const {
    const int64_t v = nodes[r];
    const bool is_inside = static_cast<uint64_t>(v) < static_cast<uint64_t>(table.num_nodes);
    if (is_inside) table.insert(batch_at(node_ptr, batches, r), v, r);
    else if (found) found_at(&found->node, r);
  }
};

/** Starts in the arcs of all batches made starts in each batch's, which has an element more than rows. */
struct LocalStarts {
  const int64_t *starts, *node_ptr;
  int64_t batches;
  int64_t* indptr;
  __device__ void operator()(int64_t i) const {
    int64_t low = 0, high = batches - 1;
    while (low < high) {
      const int64_t middle = (low + high + 1) / 2;
      if (node_ptr[middle] + middle <= i) low = middle;
      else high = middle - 1;
    }
    indptr[i] = starts[i - low] - starts[node_ptr[low]];
  }
};

}  // namespace

void insert_nodes(const Table& table, int64_t count, const int64_t* nodes, const int64_t* node_ptr, int64_t batches,
                  Found* found) {
  each(count, Insert{table, nodes, node_ptr, batches, found});
}

// ---- finished batches --------------------------------------------------------------------------------------------

Batches::Batches(std::shared_ptr<Pool> pool_, int64_t count_, int64_t hops_)
    : pool(std::move(pool_)), count(count_), hops(hops_), blocks(static_cast<size_t>(std::max<int64_t>(hops_, 1))) {
  for (Block& block : blocks) block.row_ptr = block.arc_ptr = std::vector<int64_t>(static_cast<size_t>(count + 1));
}

Block make_block(const Sampler& sampler, const Progress& progress, const Progress::Seen& seen, const int64_t* starts) {
  const auto batches = static_cast<int64_t>(seen.node_ptr.size()) - 1;
  Block block;
  block.row_ptr = seen.node_ptr;
  for (int64_t b = 0; b <= batches; ++b) block.row_ptr[b] += b;
  block.arc_ptr = seen.arc_ptr;
  block.indptr = Buffer<int64_t>(sampler.pool, block.row_ptr.back());
  block.indices = Buffer<int32_t>(sampler.pool, block.arc_ptr.back());
  if (sampler.keeps_edges) block.edges = Buffer<int64_t>(sampler.pool, block.arc_ptr.back());
  each(block.indptr.size(), LocalStarts{starts, progress.node_ptr(), batches, block.indptr.data()});
  return block;
}

}  // namespace gust::cuda::sampling
