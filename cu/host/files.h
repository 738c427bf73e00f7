// Files and streams: reads and writes that are whole, for all files of this folder.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <string>

#include "../common/status.h"

namespace gust {

/** Memory that holds a document: a mapped range of a file, or a buffer that gust::allocate gave. */
struct Mapping {
  void* base = nullptr;   // what munmap() or deallocate() gets
  int64_t length = 0;     // of `base`
  bool allocated = false;
  char* data = nullptr;   // first byte asked for
  int64_t size = 0;
  ~Mapping();
};

/** Map size bytes of fd from `offset` read-only. The caller closes fd. */
Mapping* map_fd(int fd, int64_t offset, int64_t size);
/** Read up to `size` bytes, fewer only at the end of the input; waits on a non-blocking descriptor. */
int64_t read_fully(int fd, char* data, int64_t size);
/** Fill `count` vectors, at most IOV_MAX, from byte `at` of a file on; they are left changed.
 *  @returns the bytes read, fewer than asked for only where the file ends. */
int64_t read_vectors(int fd, iovec* vectors, int64_t count, int64_t at);
/** Write all of it; waits on a non-blocking descriptor. `before` bytes were written earlier (for the error text). */
void write_fully(int fd, const char* data, int64_t size, int64_t before);

/** Where temporary files go: TMPDIR; else /tmp, unless that is memory, in which case /var/tmp. */
std::string temporary_folder();
/** A new file without a name: nothing stays behind however the process ends. */
int unnamed_file(const std::string& folder);

/** Closes a descriptor at the end of the scope. */
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace gust
