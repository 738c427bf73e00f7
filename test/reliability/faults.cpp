// Fails chosen system calls and allocations of a program, for the trial `faults`: LD_PRELOAD=build/faults.so with
//
//   GUST_FAULTS_STATE  a file of sizeof(State) zero bytes, which all processes of a run share
//   GUST_FAULTS_UNDER  a folder: calls count whose path or descriptor lies in it, so that the runtime itself, its pipes
//                      and its libraries are left alone
//   GUST_FAULTS        "KIND AT ERRNO HOW"; nothing: calls are only counted
//
// The call number AT (from 1) of a kind fails with ERRNO, and with HOW = "on" all that follow. HOW = "short": from that
// call on every read or write moves half of what it was asked for, at least a byte. HOW = "again": from that call on
// every second one fails, which with EINTR must disturb nobody. Allocations and threads count where gust's native library
// asks for them, by the address that the call returns to.
//
// Gust's library calls by way of the C library, whose functions are replaced here. Bun's own code makes some system calls
// by itself: a seccomp filter turns those into SIGSYS, whose handler makes the call, or has it fail.
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <new>

namespace {

enum Kind { kOpen, kRead, kWrite, kSync, kRename, kMap, kTruncate, kAllocate, kThread, kKinds };
constexpr const char* kNames[kKinds] = {"open", "read", "write", "sync", "rename", "map", "truncate", "allocate", "thread"};

/** A place of gust's library that allocates. */
struct Site {
  std::atomic<uint64_t> place;  // 1 + its offset in the library; 0: none
  std::atomic<int64_t> first;   // number of the first allocation there
};

constexpr int kSites = 8192;

struct State {
  std::atomic<int64_t> calls[16];
  std::atomic<int64_t> struck;  // calls that failed, or were cut short
  char what[1016];              // the first of them
  Site sites[kSites];           // filled where calls are only counted
};

enum class How { kOnce, kOn, kShort, kAgain };

State* g_state = nullptr;
char g_under[PATH_MAX] = "";
size_t g_under_size = 0;
int g_kind = -1, g_errno = 0;
int64_t g_at = 0;
How g_how = How::kOnce;

/** Where gust's library, and the C++ library that only it uses, lie in memory. */
struct Range {
  std::atomic<uintptr_t> begin{0}, end{0};
  bool holds(uintptr_t at) const { return at >= begin.load() && at < end.load(); }
};
Range g_gust, g_cpp;

int find_ranges(dl_phdr_info* info, size_t, void*) {
  const char* name = strrchr(info->dlpi_name, '/');
  name = name ? name + 1 : info->dlpi_name;
  Range* range = strncmp(name, "libgust_", 8) == 0 ? &g_gust : strncmp(name, "libstdc++", 9) == 0 ? &g_cpp : nullptr;
  if (!range) return 0;
  uintptr_t begin = UINTPTR_MAX, end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& p = info->dlpi_phdr[i];
    if (p.p_type != PT_LOAD) continue;
    const uintptr_t at = info->dlpi_addr + p.p_vaddr;
    begin = at < begin ? at : begin;
    end = at + p.p_memsz > end ? at + p.p_memsz : end;
  }
  range->begin = begin;
  range->end = end;
  return 0;
}

bool lies_under(const char* path) {
  return strncmp(path, g_under, g_under_size) == 0 && (path[g_under_size] == '/' || path[g_under_size] == '\0');
}

bool counts(int fd) {
  char link[32], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = syscall(SYS_readlink, link, path, sizeof path - 1);
  if (size < 0) return false;
  path[size] = '\0';
  return lies_under(path);
}

bool counts(int folder, const char* path) {
  if (!path) return false;
  if (path[0] == '/') return lies_under(path);
  if (folder != AT_FDCWD) return counts(folder);
  char cwd[PATH_MAX];
  return getcwd(cwd, sizeof cwd) && lies_under(cwd);
}

/** Count a call; whether it is to fail (`cut`: to be cut short). */
bool strikes(Kind kind, const char* what, bool* cut = nullptr) {
  const int64_t number = g_state->calls[kind].fetch_add(1) + 1;
  if (kind != g_kind || number < g_at) return false;
  if (g_how == How::kOnce && number != g_at) return false;
  if (g_how == How::kAgain && (number - g_at) % 2 == 1) return false;
  if (g_how == How::kShort && !cut) return false;
  if (g_state->struck.fetch_add(1) == 0) snprintf(g_state->what, sizeof g_state->what, "%s", what);
  if (g_how == How::kShort) {
    *cut = true;
    return false;
  }
  errno = g_errno;
  return true;
}

bool strikes_path(Kind kind, const char* call, int folder, const char* path) {
  if (!g_state || !counts(folder, path)) return false;
  char what[512];
  snprintf(what, sizeof what, "%s(\"%s\")", call, path);
  return strikes(kind, what);
}

bool strikes_fd(Kind kind, const char* call, int fd, bool* cut = nullptr) {
  if (!g_state || !counts(fd)) return false;
  char what[512], link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const int head = snprintf(what, sizeof what, "%s of ", call);
  const ssize_t size = syscall(SYS_readlink, link, what + head, sizeof what - head - 1);
  what[head + (size > 0 ? size : 0)] = '\0';
  return strikes(kind, what, cut);
}

/** Note the place of the allocation that comes next. */
void remember(uint64_t offset) {
  const uint64_t place = offset + 1;
  for (uint64_t i = place * 0x9e3779b97f4a7c15u >> 51, tried = 0; tried < kSites; i = (i + 1) % kSites, ++tried) {
    uint64_t there = 0;
    if (g_state->sites[i].place.compare_exchange_strong(there, place))
      g_state->sites[i].first = g_state->calls[kAllocate].load() + 1;
    if (there == 0 || there == place) return;
  }
}

/** Of gust's library; its C++ library allocates for it too. */
bool strikes_from(Kind kind, const char* call, void* from, size_t size) {
  if (!g_state) return false;
  const auto at = reinterpret_cast<uintptr_t>(from);
  const bool own = g_gust.holds(at);
  if (!own && !(g_gust.begin.load() && g_cpp.holds(at))) return false;
  if (kind == kAllocate && g_kind < 0 && own) remember(at - g_gust.begin.load());
  char what[512];
  snprintf(what, sizeof what, "%s of %zu bytes by %s+0x%zx", call, size, own ? "libgust" : "libstdc++",
           static_cast<size_t>(at - (own ? g_gust : g_cpp).begin.load()));
  return strikes(kind, what);
}

template <class F>
F next(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

/** The function of the C library that the one around it stands for. */
#define REAL(name) \
  static const auto real = next<decltype(&name)>(#name)

}  // namespace

// ---- system calls that the program makes by itself ----------------------------------------------------------------

namespace {

size_t half(size_t size) { return size > 1 ? size / 2 : size; }

/** SIGSYS instead of a system call: make it here, from code that the filter lets through, or have it fail. */
void on_trap(int, siginfo_t* info, void* raw) {
  greg_t* r = static_cast<ucontext_t*>(raw)->uc_mcontext.gregs;
  const int saved = errno, fd = static_cast<int>(r[REG_RDI]);
  const auto* path = [&](int number) { return reinterpret_cast<const char*>(r[number]); }(REG_RSI);
  bool cut = false, fails = false;
  switch (info->si_syscall) {
    case SYS_openat: fails = strikes_path(kOpen, "openat", fd, path); break;
    case SYS_open: fails = strikes_path(kOpen, "open", AT_FDCWD, reinterpret_cast<const char*>(r[REG_RDI])); break;
    case SYS_read:
    case SYS_pread64: fails = strikes_fd(kRead, "read", fd, &cut); break;
    case SYS_write:
    case SYS_pwrite64: fails = strikes_fd(kWrite, "write", fd, &cut); break;
    case SYS_writev: fails = strikes_fd(kWrite, "writev", fd); break;
    case SYS_ftruncate: fails = strikes_fd(kTruncate, "ftruncate", fd); break;
    case SYS_fsync:
    case SYS_fdatasync: fails = strikes_fd(kSync, "fsync", fd); break;
    case SYS_rename: fails = strikes_path(kRename, "rename", AT_FDCWD, path); break;
    case SYS_renameat:
    case SYS_renameat2:
      fails = strikes_path(kRename, "renameat", static_cast<int>(r[REG_RDX]), reinterpret_cast<const char*>(r[REG_R10]));
  }
  const greg_t size = cut ? static_cast<greg_t>(half(static_cast<size_t>(r[REG_RDX]))) : r[REG_RDX];
  const long result = fails ? -1
                            : syscall(info->si_syscall, r[REG_RDI], r[REG_RSI], size, r[REG_R10], r[REG_R8], r[REG_R9]);
  r[REG_RAX] = result == -1 ? -errno : result;
  errno = saved;
}

struct Executable {
  uintptr_t begin = UINTPTR_MAX, end = 0;
};

int find_executable(dl_phdr_info* info, size_t, void* raw) {
  auto* code = static_cast<Executable*>(raw);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& p = info->dlpi_phdr[i];
    if (p.p_type != PT_LOAD || !(p.p_flags & PF_X)) continue;
    const uintptr_t at = info->dlpi_addr + p.p_vaddr;
    code->begin = at < code->begin ? at : code->begin;
    code->end = at + p.p_memsz > code->end ? at + p.p_memsz : code->end;
  }
  return 1;  // the program comes first
}

/** The filter outlives exec(): it asks for nothing of programs that lie elsewhere, as position-independent ones do. */
void trap_system_calls() {
  Executable code;
  dl_iterate_phdr(find_executable, &code);
  if (code.end == 0 || code.begin >> 32 != code.end >> 32) return;
  struct sigaction action{};
  action.sa_sigaction = on_trap;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
  static const auto real = next<int (*)(int, const struct sigaction*, struct sigaction*)>("sigaction");
  real(SIGSYS, &action, nullptr);
  constexpr uint32_t calls[] = {SYS_openat, SYS_open,      SYS_read,  SYS_pread64,   SYS_write,  SYS_pwrite64, SYS_writev,
                                SYS_rename, SYS_ftruncate, SYS_fsync, SYS_fdatasync, SYS_renameat, SYS_renameat2};
  constexpr uint32_t pointer = offsetof(seccomp_data, instruction_pointer), number = offsetof(seccomp_data, nr);
  constexpr auto load = static_cast<uint16_t>(BPF_LD | BPF_W | BPF_ABS), is = static_cast<uint16_t>(BPF_JMP | BPF_JEQ | BPF_K),
                 least = static_cast<uint16_t>(BPF_JMP | BPF_JGE | BPF_K), give = static_cast<uint16_t>(BPF_RET | BPF_K);
  constexpr size_t count = sizeof calls / sizeof calls[0], size = count + 8;
  sock_filter filter[size] = {
      {load, 0, 0, pointer + 4},
      {is, 0, count + 4, static_cast<uint32_t>(code.begin >> 32)},
      {load, 0, 0, pointer},
      {least, 0, count + 2, static_cast<uint32_t>(code.begin)},
      {least, count + 1, 0, static_cast<uint32_t>(code.end)},
      {load, 0, 0, number},
  };
  for (size_t i = 0; i < count; ++i) filter[6 + i] = {is, static_cast<uint8_t>(count - i), 0, calls[i]};
  filter[6 + count] = {give, 0, 0, SECCOMP_RET_ALLOW};
  filter[7 + count] = {give, 0, 0, SECCOMP_RET_TRAP};
  const sock_fprog program{size, filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

// ---- the beginning -------------------------------------------------------------------------------------------------

__attribute__((constructor)) void begin() {
  const char *state = getenv("GUST_FAULTS_STATE"), *under = getenv("GUST_FAULTS_UNDER"), *faults = getenv("GUST_FAULTS");
  if (!state || !under || !realpath(under, g_under)) return;
  g_under_size = strlen(g_under);
  if (faults && *faults) {
    char kind[16] = "", how[16] = "";
    long long at = 0;
    if (sscanf(faults, "%15s %lld %d %15s", kind, &at, &g_errno, how) < 3) return;
    for (int k = 0; k < kKinds; ++k)
      if (strcmp(kind, kNames[k]) == 0) g_kind = k;
    g_at = at;
    g_how = strcmp(how, "on") == 0      ? How::kOn
            : strcmp(how, "short") == 0 ? How::kShort
            : strcmp(how, "again") == 0 ? How::kAgain
                                        : How::kOnce;
  }
  // Not by way of the functions below.
  const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, state, O_RDWR | O_CLOEXEC));
  if (fd < 0) return;
  void* data = reinterpret_cast<void*>(syscall(SYS_mmap, nullptr, sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  syscall(SYS_close, fd);
  if (data == MAP_FAILED) return;
  g_state = static_cast<State*>(data);
  trap_system_calls();
}

}  // namespace

extern "C" {

void* dlopen(const char* path, int flags) {
  REAL(dlopen);
  void* handle = real(path, flags);
  if (handle && path && strstr(path, "libgust_")) dl_iterate_phdr(find_ranges, nullptr);
  return handle;
}

// ---- opening -----------------------------------------------------------------------------------------------------

#define OPEN_MODE(flags)                                     \
  mode_t mode = 0;                                           \
  if ((flags) & (O_CREAT | __O_TMPFILE)) {                   \
    va_list rest;                                            \
    va_start(rest, flags);                                   \
    mode = va_arg(rest, mode_t);                             \
    va_end(rest);                                            \
  }

int open(const char* path, int flags, ...) {
  REAL(open);
  OPEN_MODE(flags)
  return strikes_path(kOpen, "open", AT_FDCWD, path) ? -1 : real(path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  REAL(open64);
  OPEN_MODE(flags)
  return strikes_path(kOpen, "open", AT_FDCWD, path) ? -1 : real(path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  REAL(openat);
  OPEN_MODE(flags)
  return strikes_path(kOpen, "openat", folder, path) ? -1 : real(folder, path, flags, mode);
}
int openat64(int folder, const char* path, int flags, ...) {
  REAL(openat64);
  OPEN_MODE(flags)
  return strikes_path(kOpen, "openat", folder, path) ? -1 : real(folder, path, flags, mode);
}
int __open_2(const char* path, int flags) { return open(path, flags); }
int __open64_2(const char* path, int flags) { return open64(path, flags); }
int mkostemp(char* path, int flags) {
  REAL(mkostemp);
  return strikes_path(kOpen, "mkostemp", AT_FDCWD, path) ? -1 : real(path, flags);
}
FILE* fopen(const char* path, const char* mode) {
  REAL(fopen);
  return strikes_path(kOpen, "fopen", AT_FDCWD, path) ? nullptr : real(path, mode);
}

// ---- reading and writing -----------------------------------------------------------------------------------------

ssize_t read(int fd, void* data, size_t size) {
  REAL(read);
  bool cut = false;
  return strikes_fd(kRead, "read", fd, &cut) ? -1 : real(fd, data, cut ? half(size) : size);
}
ssize_t __read_chk(int fd, void* data, size_t size, size_t) { return read(fd, data, size); }
ssize_t pread(int fd, void* data, size_t size, off_t at) {
  REAL(pread);
  bool cut = false;
  return strikes_fd(kRead, "pread", fd, &cut) ? -1 : real(fd, data, cut ? half(size) : size, at);
}
ssize_t __pread_chk(int fd, void* data, size_t size, off_t at, size_t) { return pread(fd, data, size, at); }
ssize_t pread64(int fd, void* data, size_t size, off64_t at) { return pread(fd, data, size, at); }
ssize_t __pread64_chk(int fd, void* data, size_t size, off64_t at, size_t) { return pread(fd, data, size, at); }
ssize_t preadv(int fd, const iovec* vectors, int count, off_t at) {
  REAL(preadv);
  bool cut = false;
  if (strikes_fd(kRead, "preadv", fd, &cut)) return -1;
  if (!cut) return real(fd, vectors, count, at);
  iovec first = vectors[0];
  first.iov_len = half(first.iov_len);
  return real(fd, &first, 1, at);
}
ssize_t preadv64(int fd, const iovec* vectors, int count, off64_t at) { return preadv(fd, vectors, count, at); }

ssize_t write(int fd, const void* data, size_t size) {
  REAL(write);
  bool cut = false;
  return strikes_fd(kWrite, "write", fd, &cut) ? -1 : real(fd, data, cut ? half(size) : size);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  REAL(pwrite);
  bool cut = false;
  return strikes_fd(kWrite, "pwrite", fd, &cut) ? -1 : real(fd, data, cut ? half(size) : size, at);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) { return pwrite(fd, data, size, at); }
ssize_t writev(int fd, const iovec* vectors, int count) {
  REAL(writev);
  return strikes_fd(kWrite, "writev", fd) ? -1 : real(fd, vectors, count);
}

// ---- what else is done to files ----------------------------------------------------------------------------------

int fsync(int fd) {
  REAL(fsync);
  return strikes_fd(kSync, "fsync", fd) ? -1 : real(fd);
}
int fdatasync(int fd) {
  REAL(fdatasync);
  return strikes_fd(kSync, "fdatasync", fd) ? -1 : real(fd);
}
int ftruncate(int fd, off_t size) {
  REAL(ftruncate);
  return strikes_fd(kTruncate, "ftruncate", fd) ? -1 : real(fd, size);
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }
int posix_fallocate(int fd, off_t at, off_t size) {
  REAL(posix_fallocate);
  return strikes_fd(kTruncate, "posix_fallocate", fd) ? errno : real(fd, at, size);
}
int posix_fallocate64(int fd, off64_t at, off64_t size) { return posix_fallocate(fd, at, size); }
int rename(const char* from, const char* to) {
  REAL(rename);
  return strikes_path(kRename, "rename", AT_FDCWD, to) ? -1 : real(from, to);
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) {
  REAL(renameat);
  return strikes_path(kRename, "renameat", to_folder, to) ? -1 : real(from_folder, from, to_folder, to);
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  REAL(renameat2);
  return strikes_path(kRename, "renameat2", to_folder, to) ? -1 : real(from_folder, from, to_folder, to, flags);
}

/** The runtime's own handler of SIGSYS would have every trapped call fail. */
int sigaction(int number, const struct sigaction* next_action, struct sigaction* before) {
  REAL(sigaction);
  return g_state && number == SIGSYS ? real(number, nullptr, before) : real(number, next_action, before);
}

// ---- memory and threads ------------------------------------------------------------------------------------------

void* mmap(void* wanted, size_t size, int protection, int flags, int fd, off_t at) {
  REAL(mmap);
  const bool anonymous = flags & MAP_ANONYMOUS;
  if (anonymous ? strikes_from(kAllocate, "mmap", __builtin_return_address(0), size)
                : g_gust.holds(reinterpret_cast<uintptr_t>(__builtin_return_address(0))) && strikes_fd(kMap, "mmap", fd))
    return MAP_FAILED;
  return real(wanted, size, protection, flags, fd, at);
}
void* mmap64(void* wanted, size_t size, int protection, int flags, int fd, off64_t at) {
  REAL(mmap64);
  const bool anonymous = flags & MAP_ANONYMOUS;
  if (anonymous ? strikes_from(kAllocate, "mmap", __builtin_return_address(0), size)
                : g_gust.holds(reinterpret_cast<uintptr_t>(__builtin_return_address(0))) && strikes_fd(kMap, "mmap", fd))
    return MAP_FAILED;
  return real(wanted, size, protection, flags, fd, at);
}
void* aligned_alloc(size_t alignment, size_t size) {
  REAL(aligned_alloc);
  return strikes_from(kAllocate, "aligned_alloc", __builtin_return_address(0), size) ? nullptr : real(alignment, size);
}

/** std::thread begins threads for gust from inside of the C++ library. */
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) {
  REAL(pthread_create);
  if (strikes_from(kThread, "pthread_create", __builtin_return_address(0), 0)) return errno;
  return real(thread, attributes, body, argument);
}

}  // extern "C"

// The C++ library's own give what malloc() and aligned_alloc() give, too, and free() it.
void* operator new(size_t size) {
  if (!strikes_from(kAllocate, "operator new", __builtin_return_address(0), size))
    if (void* data = malloc(size ? size : 1)) return data;
  throw std::bad_alloc();
}
void* operator new[](size_t size) {
  if (!strikes_from(kAllocate, "operator new", __builtin_return_address(0), size))
    if (void* data = malloc(size ? size : 1)) return data;
  throw std::bad_alloc();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return strikes_from(kAllocate, "operator new", __builtin_return_address(0), size) ? nullptr : malloc(size ? size : 1);
}
void* operator new(size_t size, std::align_val_t alignment) {
  const auto unit = static_cast<size_t>(alignment);
  if (!strikes_from(kAllocate, "operator new", __builtin_return_address(0), size)) {
    static const auto real = next<decltype(&::aligned_alloc)>("aligned_alloc");
    if (void* data = real(unit, (size + unit - 1) / unit * unit)) return data;
  }
  throw std::bad_alloc();
}
