// Spooling: bytes that arrive on a pipe become memory like that of a mapped file, so that the rest of gust knows one
// kind of document only. Small ones stay in memory; past the limit they go to an unlinked file in the temporary
// folder and are mapped from there, so that a pipe of five stages does not hold five copies in memory.
#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "../include/gust.h"
#include "../common/context.h"
#include "files.h"

namespace gust {
namespace {

constexpr int64_t kPiece = int64_t{1} << 20;
constexpr long kTmpfsMagic = 0x01021994;  // TMPFS_MAGIC of linux/magic.h
}  // namespace

std::string temporary_folder() {
  const char* set = std::getenv("TMPDIR");
  if (set && *set) return set;
  struct statfs info{};
  if (statfs("/tmp", &info) == 0 && info.f_type == kTmpfsMagic && access("/var/tmp", W_OK) == 0) return "/var/tmp";
  return "/tmp";
}

int unnamed_file(const std::string& folder) {
  int fd = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  std::string name = folder + "/gust-spool-XXXXXX";  // file systems without O_TMPFILE
  fd = mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) fail_errno(format("temporary file in \"%s\"", folder.c_str()));
  unlink(name.c_str());
  return fd;
}

}  // namespace gust

using namespace gust;

int32_t gust_unnamed_file(const char* folder, int64_t* out) {
  return guard([&] { out[0] = unnamed_file(*folder ? folder : temporary_folder()); });
}

int32_t gust_spool(int32_t fd, const void* head, int64_t head_size, int64_t size, int64_t memory_limit, int64_t* out) {
  return guard([&] {
    int64_t total;
    if (head_size < 0 || size < 0 || __builtin_add_overflow(head_size, size, &total))
      fail(GUST_EINVAL, "spool of %lld + %lld bytes", static_cast<long long>(head_size), static_cast<long long>(size));
    std::unique_ptr<Mapping> mapping;
    out[3] = 0;
    if (total <= memory_limit) {
      mapping = std::make_unique<Mapping>();
      mapping->data = allocate(total, false);
      mapping->base = mapping->data;
      mapping->length = mapping->size = total;
      mapping->allocated = true;
      if (head_size > 0) std::memcpy(mapping->data, head, head_size);
      out[3] = read_fully(fd, mapping->data + head_size, size);
    } else {
      std::string folder = temporary_folder();
      Descriptor file(unnamed_file(folder));
      fcntl(fd, F_SETPIPE_SZ, static_cast<int>(kPiece));  // fewer switches between the stages; not a pipe: no effect
      auto buffer = std::make_unique<char[]>(kPiece);
      auto put = [&](const char* data, int64_t count, int64_t before) {
        try {
          write_fully(file.get(), data, count, before);
        } catch (const Error& e) {
          fail(e.code(), "temporary file in \"%s\" (TMPDIR names another folder): %s", folder.c_str(), e.what());
        }
      };
      put(static_cast<const char*>(head), head_size, 0);
      while (out[3] < size) {
        int64_t got = read_fully(fd, buffer.get(), std::min(kPiece, size - out[3]));
        if (got == 0) break;
        put(buffer.get(), got, head_size + out[3]);
        out[3] += got;
      }
      if (out[3] == size) mapping.reset(map_fd(file.get(), 0, total));
    }
    if (out[3] < size)
      fail(GUST_EEOF, "input ended after %lld of %lld bytes", static_cast<long long>(out[3]),
           static_cast<long long>(size));
    out[1] = reinterpret_cast<int64_t>(mapping->data);
    out[2] = mapping->size;
    out[0] = reinterpret_cast<int64_t>(mapping.release());
  });
}
