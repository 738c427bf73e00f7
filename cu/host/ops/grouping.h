// Stable counting sort: items grouped by a key in 0 .. groups-1, in order of their numbers inside a group.
#pragma once

#include "row_grid.h"

GUST_OPS_BEGIN

/**
 * The caller walks runs of items itself: count(begin, end, counts) adds one to counts[key] per item, and
 * place(begin, end, next) puts each item at position next[key]++. starts[g] becomes the first position of
 * group g, starts[groups] the number of items that have a group.
 *
 * Runs depend on items and groups alone, and so do the positions. Memory: 8 * groups bytes per run, at most
 * 16 runs.
 */
template <class Count, class Place>
void group_stable(int64_t items, int64_t groups, int64_t* starts, Context& context, Count&& count,
                  Place&& place) {
  constexpr int64_t kRunItems = 16384, kMostRuns = 16, kBlock = 8192;
  const int64_t runs = std::clamp<int64_t>(items / std::max(kRunItems, groups), 1, kMostRuns);
  int64_t* next = context.scratch<int64_t>(runs * groups);
  auto for_runs = [&](auto&& body) {
    parallel_tasks(runs, [&](int64_t k) {
      body(k * items / runs, (k + 1) * items / runs, next + k * groups);
    });
  };
  for_runs([&](int64_t begin, int64_t end, int64_t* counts) {
    std::fill_n(counts, groups, int64_t{0});
    count(begin, end, counts);
  });
  std::vector<int64_t> block_start(static_cast<size_t>(num_chunks(groups, kBlock)) + 1);
  parallel_for(groups, kBlock, [&](int64_t begin, int64_t end) {
    int64_t total = 0;
    for (int64_t k = 0; k < runs; ++k)
      for (int64_t g = begin; g < end; ++g) total += next[k * groups + g];
    block_start[begin / kBlock] = total;
  });
  exclusive_scan(block_start.data(), static_cast<int64_t>(block_start.size()) - 1);
  parallel_for(groups, kBlock, [&](int64_t begin, int64_t end) {
    int64_t at = block_start[begin / kBlock];
    for (int64_t g = begin; g < end; ++g) {
      starts[g] = at;
      for (int64_t k = 0; k < runs; ++k) {
        const int64_t n = next[k * groups + g];
        next[k * groups + g] = at;
        at += n;
      }
    }
  });
  starts[groups] = block_start.back();
  for_runs(place);
}

GUST_OPS_END
