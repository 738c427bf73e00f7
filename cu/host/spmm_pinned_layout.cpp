// Which rows each cluster pins, and per entry where its row is found: one pass over the entries of each cluster to
// choose, one to look up. Clusters are shared out in a fixed grid, and each is decided by its own entries: the same for
// any number of threads.
#include "../common/dtype.h"
#include "pinning.h"
#include "spmm_pinned.h"

namespace gust {
namespace {

using namespace pinned;
using pinning::PinChoice;
using pinning::Stream;
using pinning::Uses;

/** Groups of clusters: each has arrays of n items. */
constexpr int64_t kGroups = 16;
/** Tasks of a product at most, beside one per cluster, and entries of a small one. */
constexpr int64_t kMostTasks = 512, kLeastEntries = 4096;
/** Entries of a task per row that it copies: then copying costs little. */
constexpr int64_t kReuse = 8;

template <class I>
void choose(Layout& layout, const Stream<I>& s, const int64_t* ptr, int64_t k, int64_t room, bool by_columns) {
  const Uses total = by_columns ? Uses() : count_uses(s);
  std::vector<std::vector<int32_t>> ids(static_cast<size_t>(k));
  layout.slots = Array<int32_t>(s.nnz());
  layout.hits = parallel_sum<int64_t>(k, num_chunks(k, kGroups), [&](int64_t first, int64_t last) {
    PinChoice<I> choice(s, ptr, room, by_columns ? nullptr : &total);
    Array<int32_t> slot(s.n, -1);
    int64_t hits = 0;
    for (int64_t c = first; c < last; ++c) {
      const std::vector<int64_t>& chosen = choice.of(c);
      ids[c].assign(chosen.begin(), chosen.end());
      std::sort(ids[c].begin(), ids[c].end());
      for (size_t p = 0; p < ids[c].size(); ++p) slot[ids[c][p]] = static_cast<int32_t>(p);
      for (int64_t e = s.indptr[ptr[c]]; e < s.indptr[ptr[c + 1]]; ++e) {
        const int32_t column = static_cast<int32_t>(s.indices[e]), place = slot[column];
        layout.slots[e] = place >= 0 ? place : ~column;
        hits += place >= 0;
      }
      for (int32_t v : ids[c]) slot[v] = -1;
    }
    return hits;
  });
  layout.ptr.assign(1, 0);
  for (const auto& some : ids) {
    layout.most = std::max(layout.most, static_cast<int64_t>(some.size()));
    layout.ptr.push_back(layout.ptr.back() + static_cast<int64_t>(some.size()));
  }
  layout.ids = Array<int32_t>(layout.ptr.back());
  for (int64_t c = 0; c < k; ++c) std::copy(ids[c].begin(), ids[c].end(), layout.ids.begin() + layout.ptr[c]);
}

/** Runs of rows of one cluster each, of about as many entries; a row is never split. */
void share_out(Layout& layout, const int64_t* ptr, int64_t k) {
  const int64_t* indptr = layout.indptr;
  const int64_t even = std::max(kLeastEntries, indptr[layout.n] / kMostTasks);
  for (int64_t c = 0; c < k; ++c) {
    const int64_t grain = std::max(even, kReuse * layout.pinned(c));
    for (int64_t begin = ptr[c]; begin < ptr[c + 1];) {
      int64_t end = begin + 1;
      while (end < ptr[c + 1] && indptr[end + 1] - indptr[begin] <= grain) ++end;
      layout.tasks.push_back({c, begin, end});
      begin = end;
    }
  }
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_pinned_create(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t part_ptr, int64_t k,
                           int64_t rows, int32_t by_columns, int64_t* out) {
  return guard([&] {
    const auto* ptr = pinning::at<const int64_t>(part_ptr);
    if (rows < 0) fail(GUST_EINVAL, "%lld pinned rows", static_cast<long long>(rows));
    if (n > INT32_MAX) fail(GUST_EINVAL, "%lld nodes, expected at most 2^31 - 1", static_cast<long long>(n));
    pinning::check_clusters(n, ptr, k);
    auto layout = std::make_unique<Layout>();
    layout->n = n;
    layout->indptr = pinning::at<const int64_t>(indptr);
    dispatch_index(dtype, [&](auto tag) {
      using I = decltype(tag);
      choose(*layout, Stream<I>{n, layout->indptr, pinning::at<const I>(indices), nullptr}, ptr, k, rows,
             by_columns != 0);
    });
    share_out(*layout, ptr, k);
    out[0] = reinterpret_cast<int64_t>(layout.release());
  });
}

int32_t gust_pinned_sizes(int64_t layout, int64_t* out) {
  return guard([&] {
    const auto& of = *pinning::at<const Layout>(layout);
    out[0] = of.ids.size();
    out[1] = of.hits;
    out[2] = of.most;
  });
}

int32_t gust_pinned_destroy(int64_t layout) {
  return guard([&] { delete pinning::at<Layout>(layout); });
}
