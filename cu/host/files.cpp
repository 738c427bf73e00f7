// Files: read-only maps of any size, exact reads and writes, and temporary files that a signal removes.
#include "../include/gust.h"
#include "files.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "../common/context.h"

namespace gust {
namespace {

/** Linux transfers at most 0x7ffff000 bytes per call. */
constexpr int64_t kMostPerCall = int64_t{1} << 30;

void wait_for(int fd, short events) {
  pollfd p{fd, events, 0};
  if (poll(&p, 1, -1) < 0 && errno != EINTR) fail_errno("poll");
}

// ---- what a signal does to files -----------------------------------------------------------------------------------

// A half-written output is removed when a signal ends the process. The handlers are there only while such a file
// exists, and only where the signal would have its default action: whoever handles Ctrl-C itself goes on to do so.
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr int kMostFiles = 8;
constexpr size_t kLongestPath = 4096;
struct TemporaryFile {
  std::atomic<bool> used{false};
  char path[kLongestPath];
};
TemporaryFile g_temporary[kMostFiles];
std::atomic<int> g_temporary_count{0};

void unlink_temporary() {
  for (TemporaryFile& file : g_temporary)
    if (file.used.load()) unlink(file.path);
}

// A mapped page that its file has no longer, or that the disk cannot give, raises SIGBUS where it is read. For ranges of
// files that we mapped that ends the run as any other failure to read does: with the name of the file, exit status 1 and
// no half-written output. Other addresses go to the handler that was there before.
constexpr int kMostMapped = 256;  // files at once that are known by name; those past it end in a crash
struct MappedFile {
  std::atomic<char*> base{nullptr};
  int64_t length = 0;
};
MappedFile g_mapped[kMostMapped];
char g_mapped_path[kMostMapped][1024];  // apart: only those in use become memory
std::mutex g_mapped_lock;
struct sigaction g_before_bus{};

void say(const char* text) {
  if (write(2, text, std::strlen(text)) < 0) return;  // nobody reads it: the status still says it
}

void on_bus_error(int number, siginfo_t* info, void*) {  // async-signal-safe calls only
  const auto* at = static_cast<char*>(info->si_addr);
  for (int i = 0; i < kMostMapped; ++i) {
    const char* base = g_mapped[i].base.load();
    if (!base || at < base || at >= base + g_mapped[i].length) continue;
    unlink_temporary();
    say("gust: Cannot read \"");
    say(g_mapped_path[i]);
    say("\": it was made shorter while it was being read, or its disk has failed\n");
    _exit(1);
  }
  sigaction(number, &g_before_bus, nullptr);  // the access is made again, and meets that handler
}

void remember_mapped(int fd, void* base, int64_t length) {
  std::lock_guard<std::mutex> hold(g_mapped_lock);
  static const bool is_set = [] {
    struct sigaction next{};
    next.sa_sigaction = on_bus_error;
    next.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&next.sa_mask);
    return sigaction(SIGBUS, &next, &g_before_bus) == 0;
  }();
  if (!is_set) return;
  for (int i = 0; i < kMostMapped; ++i) {
    if (g_mapped[i].base.load()) continue;
    char link[32];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t size = readlink(link, g_mapped_path[i], sizeof g_mapped_path[i] - 1);
    g_mapped_path[i][std::max<ssize_t>(size, 0)] = '\0';
    g_mapped[i].length = length;
    g_mapped[i].base = static_cast<char*>(base);
    return;
  }
}

void forget_mapped(void* base) noexcept {
  std::lock_guard<std::mutex> hold(g_mapped_lock);
  for (MappedFile& file : g_mapped)
    if (file.base.load() == base) file.base = nullptr;
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Mapping::~Mapping() {
  if (!base) return;
  if (allocated) {
    deallocate(static_cast<char*>(base), length);
  } else {
    forget_mapped(base);
    munmap(base, length);
  }
}

Mapping* map_fd(int fd, int64_t offset, int64_t size) {
  auto mapping = new Mapping();
  if (size > 0) {
    int64_t page = sysconf(_SC_PAGESIZE), lead = offset % page;
    void* base = mmap(nullptr, size + lead, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, offset - lead);
    if (base == MAP_FAILED) {
      delete mapping;
      fail_errno("mmap");
    }
    mapping->base = base;
    mapping->length = size + lead;
    mapping->data = static_cast<char*>(base) + lead;
    remember_mapped(fd, base, size + lead);
  }
  mapping->size = size;
  return mapping;
}

int64_t read_fully(int fd, char* data, int64_t size) {
  int64_t at = 0;
  while (at < size) {
    ssize_t got = read(fd, data + at, std::min(size - at, kMostPerCall));
    if (got == 0) break;
    if (got > 0) at += got;
    else if (errno == EAGAIN) wait_for(fd, POLLIN);
    else if (errno != EINTR) fail_errno("read");
  }
  return at;
}

int64_t read_vectors(int fd, iovec* vectors, int64_t count, int64_t at) {
  int64_t total = 0;
  while (count > 0) {
    const ssize_t got = preadv(fd, vectors, static_cast<int>(count), at + total);
    if (got < 0) {
      if (errno == EINTR) continue;
      fail_errno("read");
    }
    if (got == 0) break;
    total += got;
    for (auto left = static_cast<size_t>(got); count > 0;) {
      const size_t step = std::min(left, vectors->iov_len);
      vectors->iov_base = static_cast<char*>(vectors->iov_base) + step;
      vectors->iov_len -= step;
      left -= step;
      if (vectors->iov_len > 0) break;
      ++vectors, --count;
    }
  }
  return total;
}

void write_fully(int fd, const char* data, int64_t size, int64_t before) {
  int64_t at = 0;
  while (at < size) {
    ssize_t put = write(fd, data + at, std::min(size - at, kMostPerCall));
    if (put >= 0) at += put;
    else if (errno == EAGAIN) wait_for(fd, POLLOUT);
    else if (errno != EINTR) fail_errno(format("write after %lld bytes", static_cast<long long>(before + at)));
  }
}

// ---- temporary files ---------------------------------------------------------------------------------------------

namespace {

void on_signal(int signal_number) {  // async-signal-safe calls only
  unlink_temporary();
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void set_handlers(bool ours) {
  for (int number : kSignals) {
    struct sigaction current{};
    if (sigaction(number, nullptr, &current) != 0) continue;
    bool is_default = !(current.sa_flags & SA_SIGINFO) && current.sa_handler == SIG_DFL;
    bool is_ours = !(current.sa_flags & SA_SIGINFO) && current.sa_handler == on_signal;
    if (ours ? !is_default : !is_ours) continue;
    struct sigaction next{};
    next.sa_handler = ours ? on_signal : SIG_DFL;
    sigemptyset(&next.sa_mask);
    sigaction(number, &next, nullptr);
  }
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_file_map(const char* path, int64_t* out) {
  return guard([&] {
    Descriptor fd(open(path, O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0) fail_errno("open");
    struct stat info{};
    if (fstat(fd.get(), &info) != 0) fail_errno("fstat");
    if (!S_ISREG(info.st_mode)) fail(GUST_EINVAL, "not a regular file");
    Mapping* mapping = map_fd(fd.get(), 0, info.st_size);
    out[0] = reinterpret_cast<int64_t>(mapping);
    out[1] = reinterpret_cast<int64_t>(mapping->data);
    out[2] = mapping->size;
  });
}

int32_t gust_fd_map(int32_t fd, int64_t offset, int64_t size, int64_t* out) {
  return guard([&] {
    struct stat info{};
    if (fstat(fd, &info) != 0) fail_errno("fstat");
    if (offset < 0 || size < 0 || offset > info.st_size || size > info.st_size - offset)
      fail(GUST_EINVAL, "range %lld + %lld of a file of %lld bytes", static_cast<long long>(offset),
           static_cast<long long>(size), static_cast<long long>(info.st_size));
    Mapping* mapping = map_fd(fd, offset, size);
    out[0] = reinterpret_cast<int64_t>(mapping);
    out[1] = reinterpret_cast<int64_t>(mapping->data);
    out[2] = mapping->size;
  });
}

int32_t gust_mapping_close(int64_t mapping) {
  return guard([&] { delete reinterpret_cast<Mapping*>(mapping); });
}

int32_t gust_file_drop(const char* path) {
  return guard([&] {
    Descriptor fd(open(path, O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0) fail_errno("open");
    if (fdatasync(fd.get()) != 0) fail_errno("fdatasync");
    if (int problem = posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED); problem != 0)
      fail(GUST_EIO, "posix_fadvise: %s", std::strerror(problem));
  });
}

int32_t gust_file_cached(const char* path, int64_t* out) {
  return guard([&] {
    Descriptor fd(open(path, O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0) fail_errno("open");
    struct stat info{};
    if (fstat(fd.get(), &info) != 0) fail_errno("fstat");
    out[0] = 0;
    out[1] = info.st_size;
    std::unique_ptr<Mapping> mapping(map_fd(fd.get(), 0, info.st_size));
    const int64_t page = sysconf(_SC_PAGESIZE), step = page << 16;
    std::vector<unsigned char> present(size_t{1} << 16);
    for (int64_t at = 0; at < info.st_size; at += step) {
      const int64_t size = std::min(step, static_cast<int64_t>(info.st_size) - at);
      if (mincore(mapping->data + at, static_cast<size_t>(size), present.data()) != 0) fail_errno("mincore");
      for (int64_t p = 0; p < (size + page - 1) / page; ++p) out[0] += present[p] & 1 ? page : 0;
    }
  });
}

int32_t gust_fd_read(int32_t fd, void* data, int64_t size, int64_t* out) {
  return guard([&] { out[0] = read_fully(fd, static_cast<char*>(data), size); });
}

int32_t gust_fd_seek(int32_t fd, int64_t offset, int32_t relative, int64_t* out) {
  return guard([&] {
    off_t at = lseek(fd, offset, relative ? SEEK_CUR : SEEK_SET);
    if (at < 0) fail_errno("lseek");
    out[0] = at;
  });
}

int32_t gust_fd_lock(int32_t fd, int64_t* out) {
  return guard([&] {
    while (flock(fd, LOCK_EX | LOCK_NB) != 0)
      if (errno == EWOULDBLOCK) return static_cast<void>(out[0] = 0);
      else if (errno != EINTR) fail_errno("flock");
    out[0] = 1;
  });
}

int32_t gust_temporary_add(const char* path, int64_t* out) {
  return guard([&] {
    size_t size = std::strlen(path) + 1;
    if (size > kLongestPath) fail(GUST_EINVAL, "path of %zu bytes, expected at most %zu", size - 1, kLongestPath - 1);
    for (int i = 0; i < kMostFiles; ++i)
      if (!g_temporary[i].used.load()) {
        std::memcpy(g_temporary[i].path, path, size);
        g_temporary[i].used = true;
        if (g_temporary_count++ == 0) set_handlers(true);
        out[0] = i;
        return;
      }
    fail(GUST_EINVAL, "more than %d temporary files at once", kMostFiles);
  });
}

int32_t gust_temporary_remove(int64_t index) {
  return guard([&] {
    if (index < 0 || index >= kMostFiles || !g_temporary[index].used.load())
      fail(GUST_EINVAL, "temporary file %lld is not there", static_cast<long long>(index));
    g_temporary[index].used = false;
    if (--g_temporary_count == 0) set_handlers(false);
  });
}
