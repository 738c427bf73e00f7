// What the functions of a machine's limits (gust.h, roofline) are given, checked alike on every device.
#pragma once

#include <cstdint>

#include "../include/gust.h"
#include "status.h"

namespace gust::roofline {

constexpr int64_t kLine = 64;

inline void check_positive(const char* what, int64_t value) {
  if (value < 1) fail(GUST_EINVAL, "%s: %lld, expected at least 1", what, static_cast<long long>(value));
}

inline void check_triad(int64_t a) {
  if (a % kLine) fail(GUST_EINVAL, "the result of the triad is not aligned to a cache line");
}

inline void check_read(int64_t size, int64_t passes) {
  if (size < 512 || size % 512)
    fail(GUST_EINVAL, "%lld bytes per worker, expected a multiple of 512", static_cast<long long>(size));
  check_positive("passes", passes);
}

inline void check_pass(int64_t read, int64_t to, int64_t write, int64_t passes) {
  check_positive("passes", passes);
  if (read < 0 || write < 0 || read % kLine || write % kLine || to % kLine)
    fail(GUST_EINVAL, "a pass over %lld and %lld bytes, expected multiples of 64", static_cast<long long>(read),
         static_cast<long long>(write));
}

inline void check_gather(int32_t dtype, int64_t row_bytes, int64_t piece, int64_t ahead, int32_t level,
                         int64_t passes) {
  check_positive("bytes of a row", row_bytes);
  check_positive("bytes of a piece", piece);
  check_positive("passes", passes);
  if (level != 1 && level != 2) fail(GUST_EINVAL, "prefetch into cache level %d, expected 1 or 2", level);
  if (ahead < 0) fail(GUST_EINVAL, "%lld rows ahead, expected 0 or more", static_cast<long long>(ahead));
  if (dtype != GUST_I32 && dtype != GUST_I64) fail(GUST_EINVAL, "dtype %d is not I32 or I64", dtype);
}

inline void check_pack(int64_t row_bytes, int64_t piece, int64_t at) {
  check_positive("bytes of a piece", piece);
  if (at < 0 || at + piece > row_bytes)
    fail(GUST_EINVAL, "bytes %lld to %lld of a row, expected at most %lld", static_cast<long long>(at),
         static_cast<long long>(at + piece), static_cast<long long>(row_bytes));
}

}  // namespace gust::roofline
