// Buffers past a bound of memory: unlinked temporary files, mapped. Their pages belong to the kernel's file cache,
// which writes them out and drops them when memory is short; nothing stays behind however the process ends.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "build.h"
#include "files.h"

namespace gust {

Buffer Buffer::within(int64_t size, int64_t limit, bool zero) {
  if (limit < 0 || size < kSmallestFile || held_bytes() + size <= limit) return Buffer(size, zero);
  std::string folder = temporary_folder();
  Descriptor file(unnamed_file(folder));
  // Room on the disk now: a write through a map that finds none would end the process.
  if (int problem = posix_fallocate(file.get(), 0, size); problem != 0)
    fail(GUST_EIO, "temporary file of %lld bytes in \"%s\" (TMPDIR names another folder): %s",
         static_cast<long long>(size), folder.c_str(), std::strerror(problem));
  void* data = mmap(nullptr, static_cast<size_t>(size), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED)
    fail_errno(format("map of a temporary file of %lld bytes in \"%s\"", static_cast<long long>(size), folder.c_str()));
  Buffer buffer;
  buffer.data_ = static_cast<char*>(data);
  buffer.size_ = size;
  buffer.is_file_ = true;
  return buffer;
}

void Buffer::release() noexcept {
  if (is_file_) munmap(data_, static_cast<size_t>(size_));
  else deallocate(data_, size_);
}

}  // namespace gust
