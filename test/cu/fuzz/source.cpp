// Files as they are opened: plain, gzip, zstd, members of zip files; then the shape of their text.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "fuzz.h"

using namespace gust::fuzz;

namespace {

/** A file in memory with these bytes. */
int file_of(const std::vector<char>& bytes) {
  static const int fd = memfd_create("fuzz", 0);
  need(fd >= 0 && ftruncate(fd, 0) == 0, "a file in memory");
  need(pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()), "its bytes");
  return fd;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  Input in(bytes, size);
  int64_t most = in.one_of<int64_t>({0, 4096, int64_t{1} << 20}), most_lines = in.choose(64);
  bool is_member = in.choose(4) == 0;
  std::vector<char> data = in.rest();
  if (is_member) {
    int64_t crc = in.word(), wanted = in.choose(256) * in.choose(256);
    std::vector<char> packed = in.rest(), out(static_cast<size_t>(wanted));
    int32_t status = gust_unzip(address(packed.data()), static_cast<int64_t>(packed.size()), in.flip(), crc, address(out.data()), wanted);
    need(status == GUST_OK || status == GUST_EDATA || status == GUST_EEOF, "a member's status");
    return 0;
  }
  std::string path = "/proc/self/fd/" + std::to_string(file_of(data));
  int64_t source[4], shape[3];
  if (succeeded(gust_source_open(path.c_str(), most, source))) {
    need(source[3] != 0 || source[2] == static_cast<int64_t>(data.size()), "all bytes of a plain file");
    need(gust_text_shape(source[1], source[2], most_lines, shape) == GUST_OK && shape[0] <= most_lines + 1, "a shape");
    gust_mapping_close(source[0]);
  }
  check_memory(static_cast<int64_t>(size));
  return 0;
}
