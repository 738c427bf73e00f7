// Rows of feature matrices in the order of a batch, and columns of them: what caches are made of.
// All are copies, bound by memory bandwidth; row numbers come from files and are checked. Parallel over rows.
#include <atomic>

#include "../include/gust.h"
#include "sample.h"

using namespace gust;
using namespace gust::sampling;

namespace {

constexpr int64_t kRows = 512;   // rows per task
constexpr int64_t kAhead = 8;    // rows whose first lines are asked for ahead

void check_row(int64_t row, int64_t rows) {
  if (row < 0 || row >= rows) [[unlikely]]
    fail(GUST_EDATA, "row %lld, expected numbers below %lld", ll(row), ll(rows));
}

template <class F>
void index_at(int32_t dtype, int64_t address, F&& f) {
  dispatch_index(dtype, [&](auto tag) { f(reinterpret_cast<const decltype(tag)*>(address)); });
}

const int64_t* offsets(int64_t address) { return reinterpret_cast<const int64_t*>(address); }
}  // namespace

int32_t gust_rows_gather(int64_t count, int64_t index, int32_t index_dtype, int64_t rows, int64_t row_bytes,
                         int64_t from, int64_t to) {
  return guard([&] {
    const auto* source = reinterpret_cast<const char*>(from);
    auto* target = reinterpret_cast<char*>(to);
    index_at(index_dtype, index, [&](const auto* row) {
      parallel_for(count, kRows, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          if (i + kAhead < end) prefetch(source + row[i + kAhead] * row_bytes);
          check_row(row[i], rows);
          std::memcpy(target + i * row_bytes, source + row[i] * row_bytes, static_cast<size_t>(row_bytes));
        }
      });
    });
  });
}

int32_t gust_rows_gather_indptr(int64_t count, int64_t index, int32_t index_dtype, int64_t rows, int64_t indptr,
                                int64_t entries, int64_t base, int64_t out_indptr, int64_t* out) {
  return guard([&] {
    const auto* ptr = offsets(indptr);
    auto* to = reinterpret_cast<int64_t*>(out_indptr);
    index_at(index_dtype, index, [&](const auto* row) {
      int64_t sum = base;
      for (int64_t i = 0; i < count; ++i) {
        check_row(row[i], rows);
        const int64_t begin = ptr[row[i]], end = ptr[row[i] + 1];
        if (begin < 0 || begin > end || end > entries)
          fail(GUST_EDATA, "row pointer of row %lld is %lld .. %lld, expected a rising range inside 0 .. %lld",
               ll(row[i]), ll(begin), ll(end), ll(entries));
        to[i] = sum;
        sum += end - begin;
      }
      to[count] = sum;
      out[0] = sum - base;
    });
  });
}

int32_t gust_rows_gather_entries(int64_t count, int64_t index, int32_t index_dtype, int64_t indptr, int64_t item_bytes,
                                 int64_t items, int64_t out_indptr, int64_t out_items) {
  return guard([&] {
    const auto *ptr = offsets(indptr), *to_ptr = offsets(out_indptr);
    const auto* source = reinterpret_cast<const char*>(items);
    auto* target = reinterpret_cast<char*>(out_items);
    index_at(index_dtype, index, [&](const auto* row) {
      parallel_for(count, kRows, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t start = ptr[row[i]], size = ptr[row[i] + 1] - start;
          if (size > 0)
            std::memcpy(target + (to_ptr[i] - to_ptr[0]) * item_bytes, source + start * item_bytes,
                        static_cast<size_t>(size * item_bytes));
        }
      });
    });
  });
}

int32_t gust_rows_rebase(int64_t count, int64_t indptr, int64_t entries, int64_t out_indptr) {
  return guard([&] {
    const auto* from = offsets(indptr);
    auto* to = reinterpret_cast<int64_t*>(out_indptr);
    for (int64_t i = 0; i <= count; ++i) {
      if (from[i] < (i == 0 ? 0 : from[i - 1]) || from[i] > entries)
        fail(GUST_EDATA, "row pointer %lld is %lld, expected a rising sequence inside 0 .. %lld", ll(i), ll(from[i]),
             ll(entries));
      to[i] = from[i] - from[0];
    }
  });
}

int32_t gust_rows_copy(int64_t rows, int64_t row_bytes, int64_t from, int64_t from_stride, int64_t to,
                       int64_t to_stride) {
  return guard([&] {
    parallel_for(rows, kRows, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        std::memcpy(reinterpret_cast<char*>(to) + i * to_stride, reinterpret_cast<const char*>(from) + i * from_stride,
                    static_cast<size_t>(row_bytes));
    });
  });
}

int32_t gust_rows_columns(int64_t rows, int64_t indptr, int64_t entries, int64_t indices, int32_t dtype, int64_t values,
                          int64_t first, int64_t count, int64_t out) {
  return guard([&] {
    const auto* ptr = offsets(indptr);
    const auto* value = reinterpret_cast<const float*>(values);
    auto* to = reinterpret_cast<float*>(out);
    index_at(dtype, indices, [&](const auto* column) {
      parallel_for(rows, kRows, [&](int64_t begin, int64_t end) {
        std::fill(to + begin * count, to + end * count, 0.0f);
        for (int64_t i = begin; i < end; ++i) {
          if (ptr[i] < 0 || ptr[i] > ptr[i + 1] || ptr[i + 1] > entries)
            fail(GUST_EDATA, "row pointer of row %lld is %lld .. %lld, expected a rising range inside 0 .. %lld", ll(i),
                 ll(ptr[i]), ll(ptr[i + 1]), ll(entries));
          for (int64_t e = ptr[i]; e < ptr[i + 1]; ++e) {
            const int64_t j = column[e] - first;
            if (j >= 0 && j < count) to[i * count + j] += value ? value[e] : 1.0f;
          }
        }
      });
    });
  });
}

int32_t gust_rows_lines(int64_t count, int64_t index, int32_t index_dtype, int64_t row_bytes, int64_t from,
                        int64_t* out) {
  return guard([&] {
    constexpr int64_t kLine = 128, kGrain = int64_t{1} << 16;
    struct Lines {
      int64_t aligned = 0, naive = 0;
      Lines& operator+=(const Lines& other) {
        aligned += other.aligned;
        naive += other.naive;
        return *this;
      }
    };
    dispatch_index(index_dtype, [&](auto tag) {
      const auto* rows = reinterpret_cast<const decltype(tag)*>(index);
      const Lines sum = parallel_sum<Lines>(row_bytes > 0 ? count : 0, kGrain, [&](int64_t begin, int64_t end) {
        Lines lines;
        for (int64_t i = begin; i < end; ++i) {
          if (rows[i] < 0) continue;
          const int64_t start = from + static_cast<int64_t>(rows[i]) * row_bytes, last = start + row_bytes - 1;
          lines.aligned += last / kLine - start / kLine + 1;
          for (int64_t at = start; at <= last; at += kLine)
            lines.naive += std::min(at + kLine - 1, last) / kLine - at / kLine + 1;
        }
        return lines;
      });
      out[0] = sum.aligned;
      out[1] = sum.naive;
    });
  });
}

int32_t gust_rows_mark(int64_t count, int64_t index, int32_t index_dtype, int64_t rows, int64_t seen, int64_t* out) {
  return guard([&] {
    auto* mark = reinterpret_cast<uint8_t*>(seen);
    index_at(index_dtype, index, [&](const auto* row) {
      int64_t fresh = 0;
      for (int64_t i = 0; i < count; ++i) {
        check_row(row[i], rows);
        fresh += !mark[row[i]];
        mark[row[i]] = 1;
      }
      out[0] = fresh;
    });
  });
}

int32_t gust_rows_count(int64_t count, int64_t index, int32_t index_dtype, int64_t rows, int64_t counts) {
  return guard([&] {
    auto* often = reinterpret_cast<int64_t*>(counts);
    index_at(index_dtype, index, [&](const auto* row) {
      parallel_for(count, kRows, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          check_row(row[i], rows);
          std::atomic_ref(often[row[i]]).fetch_add(1, std::memory_order_relaxed);
        }
      });
    });
  });
}

int32_t gust_batch_check(int64_t rows, int64_t columns, int64_t entries, int64_t indptr, int64_t indices, int64_t* out) {
  return guard([&] {
    const auto* ptr = offsets(indptr);
    const auto* position = reinterpret_cast<const int32_t*>(indices);
    out[0] = ptr[0] == 0 && ptr[rows] == entries;
    for (int64_t i = 0; i < rows && out[0]; ++i) out[0] = ptr[i] <= ptr[i + 1];
    const int64_t outside = parallel_sum<int64_t>(entries, int64_t{1} << 16, [&](int64_t begin, int64_t end) {
      int64_t bad = 0;
      for (int64_t e = begin; e < end; ++e) bad += static_cast<uint32_t>(position[e]) >= static_cast<uint64_t>(columns);
      return bad;
    });
    out[0] = out[0] && outside == 0;
  });
}
