// Rows of a matrix that lies in a file, for batches: those that a cache holds are copied, the others are read.
//
// Every row of `to` is written by one thread, so that the bytes do not depend on the threads. Rows that are read are
// taken in the order of the file and in blocks; neighbours in the file come by one preadv() into their places in the
// batch. Traffic: row_bytes read of memory or of the file, and row_bytes written, per row. Reads do not go through a
// mapping, so that the rows of the file never become memory of the process.
#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "../common/dtype.h"
#include "../common/parallel.h"
#include "../include/gust.h"
#include "files.h"

using namespace gust;

namespace {

constexpr int64_t kCopied = 512;  // rows per task
constexpr int64_t kRead = 64;     // rows of the file per task: reads wait, and tasks share the threads well
constexpr int64_t kVectors = 64;  // rows per read at most, far below IOV_MAX

long long ll(int64_t x) { return x; }

}  // namespace

int32_t gust_rows_read(int32_t fd, int64_t offset, int64_t rows, int64_t row_bytes, int64_t count, int64_t index,
                       int32_t index_dtype, int64_t place, int64_t held, int64_t to, int64_t* out) {
  return guard([&] {
    const auto* places = reinterpret_cast<const int32_t*>(place);
    const auto* cache = reinterpret_cast<const char*>(held);
    auto* target = reinterpret_cast<char*>(to);
    std::vector<int64_t> missing;  // places in the batch
    dispatch_index(index_dtype, [&](auto tag) {
      const auto* row = reinterpret_cast<const decltype(tag)*>(index);
      for (int64_t i = 0; i < count; ++i) {
        if (row[i] < 0 || row[i] >= rows)
          fail(GUST_EDATA, "row %lld, expected numbers below %lld", ll(row[i]), ll(rows));
        if (places[row[i]] < 0) missing.push_back(i);
      }
      out[0] = static_cast<int64_t>(missing.size());
      out[1] = 0;
      if (row_bytes == 0) return;
      parallel_for(count, kCopied, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          if (const int64_t at = places[row[i]]; at >= 0)
            std::memcpy(target + i * row_bytes, cache + at * row_bytes, static_cast<size_t>(row_bytes));
      });
      std::sort(missing.begin(), missing.end(),
                [&](int64_t a, int64_t b) { return row[a] != row[b] ? row[a] < row[b] : a < b; });
      // What the system would read ahead of scattered rows is not asked for.
      posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
      out[1] = parallel_sum<int64_t>(out[0], kRead, [&](int64_t begin, int64_t end) {
        iovec vectors[kVectors];
        int64_t reads = 0;
        for (int64_t m = begin; m < end;) {
          const int64_t first = row[missing[m]];
          int64_t n = 0;
          for (; m < end && n < kVectors && row[missing[m]] == first + n; ++n, ++m)
            vectors[n] = {target + missing[m] * row_bytes, static_cast<size_t>(row_bytes)};
          const int64_t from = offset + first * row_bytes, got = read_vectors(fd, vectors, n, from);
          if (got < n * row_bytes) fail(GUST_EEOF, "the file ends at byte %lld, expected a row there", ll(from + got));
          ++reads;
        }
        return reads;
      });
    });
  });
}

int32_t gust_rows_put(int64_t count, int64_t from_row, int64_t to_row, int64_t row_bytes, int64_t from, int64_t to) {
  return guard([&] {
    const auto *source = reinterpret_cast<const int32_t*>(from_row), *target = reinterpret_cast<const int32_t*>(to_row);
    parallel_for(count, kCopied, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        std::memcpy(reinterpret_cast<char*>(to) + target[i] * row_bytes,
                    reinterpret_cast<const char*>(from) + source[i] * row_bytes, static_cast<size_t>(row_bytes));
    });
  });
}
