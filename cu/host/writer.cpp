// Writing: bytes go to a descriptor and into a running XXH3-128 in one pass, in pieces that stay in cache between the
// two. Tensors may be of any size and come from anywhere; nothing is held.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include <cstring>

#include "../include/gust.h"
#include "files.h"

namespace gust {
namespace {

constexpr int64_t kPiece = int64_t{1} << 20;

struct Writer {
  explicit Writer(int fd_) : fd(fd_) { XXH3_128bits_reset(&state); }
  alignas(64) XXH3_state_t state;
  int fd;  // -1: hash only
  int64_t written = 0;

  void write(const char* data, int64_t size) {
    for (int64_t at = 0; at < size; at += kPiece) {
      int64_t count = std::min(kPiece, size - at);
      XXH3_128bits_update(&state, data + at, static_cast<size_t>(count));
      if (fd >= 0) write_fully(fd, data + at, count, written);
      written += count;
    }
  }
};

Writer& writer_of(int64_t handle) {
  if (!handle) fail(GUST_EINVAL, "no writer");
  return *reinterpret_cast<Writer*>(handle);
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_writer_create(int32_t fd, int64_t* out) {
  return guard([&] { out[0] = reinterpret_cast<int64_t>(new Writer(fd)); });
}

int32_t gust_writer_destroy(int64_t writer) {
  return guard([&] { delete reinterpret_cast<Writer*>(writer); });
}

int32_t gust_writer_put(int64_t writer, int64_t address, int64_t size) {
  return guard([&] { writer_of(writer).write(reinterpret_cast<const char*>(address), size); });
}

int32_t gust_writer_put_array(int64_t writer, const void* data, int64_t size) {
  return guard([&] { writer_of(writer).write(static_cast<const char*>(data), size); });
}

int32_t gust_writer_take_hash(int64_t writer, void* hash) {
  return guard([&] {
    Writer& w = writer_of(writer);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&w.state));
    std::memcpy(hash, canonical.digest, 16);
    XXH3_128bits_reset(&w.state);
  });
}

int32_t gust_hash(int64_t address, int64_t size, void* hash) {
  return guard([&] {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical,
                             XXH3_128bits(reinterpret_cast<const void*>(address), static_cast<size_t>(size)));
    std::memcpy(hash, canonical.digest, 16);
  });
}
