// Row-wise sparse x dense with pinned rows: the product of GROW on a CPU.
//
//   out[i, :] = left[i] * sum over e in row i of values[e] * right[column(e)] * x[column(e), :] + diagonal[i] * x[i, :]
//
// Shapes: pattern (n, n) with nnz entries, x and out (n, f), float32. Clusters are runs of rows.
// Owner: a task owns whole rows of one cluster, of about as many entries as any other, and a buffer into which it first
//   copies the rows of x that the cluster pins: one after another, in huge pages, small enough for the second-level
//   cache. A row is taken in panels of up to eight vectors that stay in registers over its entries.
// Memory: a row of x that is pinned is read once per task, any other once per entry; rows of entries to come are
//   prefetched, wherever they lie. Besides, n * f writes; a 32-bit slot per entry and panel.
// Determinism: a number is added up in the order of the row's entries, whether their rows are pinned or not: its bits
//   depend on neither threads, clusters, what is pinned, f nor instruction set.
// Source: Hwang et al. 2023, HPCA, arXiv:2203.00158, section IV (HDN cache, run-ahead
//   execution: the prefetches, of which as many are on their way as the machine's tuning says).
#include <cstring>

#include "../common/isa.h"
#include "../common/tuning.h"
#include "../include/gust.h"
#include "spmm_pinned.h"

namespace gust {
namespace {

using namespace pinned;

/** Numbers of a huge page: smaller buffers take as much, so that their rows share one entry of the TLB. */
constexpr int64_t kHugePage = (int64_t{2} << 20) / static_cast<int64_t>(sizeof(float));

struct Loops {
  void (*copy_pinned)(const Product& p, int64_t cluster, float* buffer);
  void (*multiply_rows)(const Product& p, const Task& task, const float* buffer);
};

#define GUST_LOOPS "spmm_pinned_loops.h"
#include "isa_loops.h"

/** A buffer of the layout for the time of one task. */
class Buffer {
 public:
  Buffer(Layout& layout, int64_t f) : layout_(layout) {
    const int64_t size = std::max(kHugePage, layout.most * f);
    {
      std::lock_guard<std::mutex> hold(layout.lock);
      if (!layout.buffers.empty()) {
        array_ = std::move(layout.buffers.back());
        layout.buffers.pop_back();
      }
    }
    if (array_.size() < size) array_ = Array<float>(size);
  }
  ~Buffer() {
    try {
      std::lock_guard<std::mutex> hold(layout_.lock);
      layout_.buffers.push_back(std::move(array_));
    } catch (const std::bad_alloc&) {
      // No memory for the list: the buffer is freed.
    }
  }
  float* data() { return array_.data(); }

 private:
  Layout& layout_;
  Array<float> array_;
};

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_pinned_multiply(int64_t layout, int64_t x, int64_t f, int64_t values, int64_t left, int64_t right,
                             int64_t diagonal, int64_t out) {
  return guard([&] {
    auto numbers = [](int64_t address) { return reinterpret_cast<const float*>(address); };
    if (f < 0) fail(GUST_EINVAL, "%lld columns", static_cast<long long>(f));
    if (f == 0) return;
    auto& of = *reinterpret_cast<Layout*>(layout);
    const Tuning& tuned = tuning();
    // As many entries ahead as leave `lines_ahead` lines of missed rows on their way; of pinned ones few are worth it.
    const double lines = static_cast<double>(std::max<int64_t>(4 * f, 64)) / 64;
    const double entries = static_cast<double>(of.slots.size());
    const double missed = entries > 0 ? 1 - static_cast<double>(of.hits) / entries : 1;
    const double ahead = static_cast<double>(tuned.lines_ahead) / lines / std::max(missed, 0.25);
    const Product p{&of,
                    numbers(x),
                    f,
                    reinterpret_cast<float*>(out),
                    numbers(values),
                    numbers(left),
                    numbers(right),
                    numbers(diagonal),
                    std::max<int64_t>(1, static_cast<int64_t>(ahead)),
                    tuned.prefetch_l2};
    parallel_tasks(static_cast<int64_t>(of.tasks.size()), [&](int64_t t) {
      const Task& task = of.tasks[t];
      Buffer buffer(of, f);
      loops().copy_pinned(p, task.cluster, buffer.data());
      loops().multiply_rows(p, task, buffer.data());
    });
  });
}
