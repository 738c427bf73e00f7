// Raw arrays as they come out of foreign files: unpacking, byte order, memory order, element types, and the checks that
// name the first bad element.
#include <zlib.h>

#include <bit>
#include <cmath>
#include <limits>
#include <memory>

#include "../include/gust.h"
#include "../common/dtype.h"
#include "../common/parallel.h"
#include "build.h"

namespace gust {
namespace {

constexpr int64_t kElements = int64_t{1} << 18;  // per task

template <class T>
auto plain(T x) {
  if constexpr (std::is_same_v<T, half> || std::is_same_v<T, bfloat16>) return to_float(x);
  else return x;
}

/** Smallest index for which `bad` holds, or -1. */
template <class Bad>
int64_t first_bad(int64_t count, Bad&& bad) {
  std::vector<int64_t> found(static_cast<size_t>(num_chunks(count, kElements)), -1);
  parallel_tasks(static_cast<int64_t>(found.size()), [&](int64_t c) {
    for (int64_t i = c * kElements; i < std::min(count, (c + 1) * kElements); ++i)
      if (bad(i)) {
        found[c] = i;
        return;
      }
  });
  for (int64_t i : found)
    if (i >= 0) return i;
  return -1;
}

template <class From, class To>
bool fits(From x, [[maybe_unused]] To) {
  if constexpr (std::is_floating_point_v<To>) {
    return true;
  } else if constexpr (std::is_floating_point_v<From>) {
    constexpr double low = static_cast<double>(std::numeric_limits<To>::min());
    constexpr double high = 2.0 * (std::numeric_limits<To>::max() / 2 + 1);  // max + 1, exactly
    return x == std::floor(x) && x >= low && x < high;
  } else {
    return std::in_range<To>(x);
  }
}

void unpack(const unsigned char* from, int64_t from_size, char* to, int64_t to_size) {
  z_stream stream{};
  if (inflateInit2(&stream, -15) != Z_OK) throw std::bad_alloc();
  std::unique_ptr<z_stream, int (*)(z_stream*)> at_end(&stream, inflateEnd);
  constexpr int64_t kMost = int64_t{1} << 30;  // zlib counts in 32 bits
  int64_t read = 0, written = 0;
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    auto in = std::min(kMost, from_size - read), room = std::min(kMost, to_size - written);
    unsigned char past;  // room to notice that more comes than was announced
    stream.next_in = const_cast<unsigned char*>(from + read);
    stream.avail_in = static_cast<uInt>(in);
    stream.next_out = room > 0 ? reinterpret_cast<Bytef*>(to + written) : &past;
    stream.avail_out = room > 0 ? static_cast<uInt>(room) : 1;
    uInt before_out = stream.avail_out;
    status = inflate(&stream, Z_NO_FLUSH);
    read += in - stream.avail_in;
    int64_t produced = before_out - stream.avail_out;
    if (room == 0 && produced > 0) fail(GUST_EDATA, "unpacks to more than the %lld bytes announced", static_cast<long long>(to_size));
    written += produced;
    if (status == Z_BUF_ERROR || (status == Z_OK && in == 0 && produced == 0))
      fail(GUST_EEOF, "the packed data ends early");
    if (status != Z_OK && status != Z_STREAM_END)
      fail(GUST_EDATA, "broken packed data: %s", stream.msg ? stream.msg : "illegal");
  }
  if (written != to_size)
    fail(GUST_EDATA, "unpacks to %lld bytes, expected %lld", static_cast<long long>(written), static_cast<long long>(to_size));
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_unzip(int64_t from, int64_t from_size, int32_t deflated, int64_t crc, int64_t to, int64_t to_size) {
  return guard([&] {
    const auto* in = reinterpret_cast<const unsigned char*>(from);
    char* out = reinterpret_cast<char*>(to);
    if (deflated) unpack(in, from_size, out, to_size);
    else if (from_size != to_size) fail(GUST_EDATA, "stored as %lld bytes, expected %lld", static_cast<long long>(from_size), static_cast<long long>(to_size));
    else if (to_size > 0) std::memcpy(out, in, static_cast<size_t>(to_size));
    if (static_cast<int64_t>(crc32_z(0, reinterpret_cast<const Bytef*>(out), static_cast<z_size_t>(to_size))) != crc)
      fail(GUST_EDATA, "checksum does not match: the file is damaged");
  });
}

int32_t gust_swap_bytes(int64_t address, int64_t count, int32_t size) {
  return guard([&] {
    char* data = reinterpret_cast<char*>(address);
    parallel_for(count, kElements, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) std::reverse(data + i * size, data + (i + 1) * size);
    });
  });
}

int32_t gust_transpose(int64_t from, int64_t rows, int64_t cols, int32_t size, int64_t to) {
  return guard([&] {
    const char* in = reinterpret_cast<const char*>(from);
    char* out = reinterpret_cast<char*>(to);
    constexpr int64_t kTile = 32;
    parallel_tasks(num_chunks(cols, kTile), [&](int64_t t) {
      for (int64_t r0 = 0; r0 < rows; r0 += kTile)
        for (int64_t c = t * kTile; c < std::min(cols, (t + 1) * kTile); ++c)
          for (int64_t r = r0; r < std::min(rows, r0 + kTile); ++r)
            std::memcpy(out + (c * rows + r) * size, in + (r * cols + c) * size, static_cast<size_t>(size));
    });
  });
}

int32_t gust_convert(int64_t from, int32_t from_dtype, int64_t count, int64_t to, int32_t to_dtype, int64_t* out) {
  return guard([&] {
    out[0] = -1;
    dispatch_any(from_dtype, [&](auto a) {
      using From = decltype(a);
      const From* in = reinterpret_cast<const From*>(from);
      auto convert = [&](auto b) {
        using To = decltype(b);
        To* result = reinterpret_cast<To*>(to);
        out[0] = first_bad(count, [&](int64_t i) { return !fits(plain(in[i]), To{}); });
        if (out[0] >= 0) return;
        parallel_for(count, kElements, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) result[i] = static_cast<To>(plain(in[i]));
        });
      };
      switch (to_dtype) {
        case GUST_F64: return convert(double{});
        case GUST_F32: return convert(float{});
        case GUST_I64: return convert(int64_t{});
        case GUST_I32: return convert(int32_t{});
        default: fail(GUST_EINVAL, "conversion to dtype %d", to_dtype);
      }
    });
  });
}
