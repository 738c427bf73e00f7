// The emulation's scheduler, memory and streams; see cuda_runtime.h.
#include "cuda_runtime.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#ifndef __x86_64__
#error "the switch between fibres is written for x86-64"
#endif

// Save the registers that a call keeps on the old stack, and take those of the new one.
asm(R"(
.text
.type gust_emulate_switch, @function
gust_emulate_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size gust_emulate_switch, .-gust_emulate_switch
)");
extern "C" void gust_emulate_switch(void** save, void* to);

namespace emulate {

void die(const char* pattern, ...) {
  va_list args;
  va_start(args, pattern);
  std::fputs("CUDA emulation: ", stderr);
  std::vfprintf(stderr, pattern, args);
  std::fputs("\n", stderr);
  va_end(args);
  std::abort();
}

namespace {

constexpr size_t kStack = size_t{64} << 10;

enum class State { kReady, kBlock, kWarp, kDone };

/** A thread of the block. */
struct Thread {
  State state = State::kDone;
  void* top = nullptr;  // of its stack while another runs
  uint3 index{};
  // What it waits for.
  bool given = false;
  WarpOp op{};
  unsigned mask = 0, source = 0;
  uint64_t value = 0, result = 0;
};

struct Block {
  std::vector<Thread> threads;
  size_t started = 0;
  std::vector<std::unique_ptr<char[]>> stacks;
  std::vector<char*> free_stacks;
  std::vector<char> shared;
  Thread* running = nullptr;
  void* scheduler = nullptr;
  const std::function<void()>* body = nullptr;
  bool any = false, all = false;
  int count = 0;
} g_block;

bool is_reversed() {
  static const bool reversed = [] {
    const char* order = std::getenv("GUST_EMULATE_ORDER");
    return order && std::strcmp(order, "reverse") == 0;
  }();
  return reversed;
}

/** i, or the i-th from the end. */
size_t turned(size_t i, size_t n) { return is_reversed() ? n - 1 - i : i; }

void yield(State state) {
  g_block.running->state = state;
  gust_emulate_switch(&g_block.running->top, g_block.scheduler);
}

char* g_stack = nullptr;  // of the fibre that is being started

/** Run threads that have not begun, one after another as long as none of them waits. */
void fibre_main() {
  Block& b = g_block;
  char* const stack = g_stack;
  while (b.started < b.threads.size()) {
    Thread& thread = b.threads[turned(b.started++, b.threads.size())];
    b.running = &thread;
    threadIdx = thread.index;
    (*b.body)();
    thread.state = State::kDone;
  }
  b.free_stacks.push_back(stack);
  void* unused;
  gust_emulate_switch(&unused, b.scheduler);
  die("a fibre went on after its end");
}

void start_fibre() {
  Block& b = g_block;
  if (b.free_stacks.empty()) {
    b.stacks.push_back(std::make_unique<char[]>(kStack));
    b.free_stacks.push_back(b.stacks.back().get());
  }
  g_stack = b.free_stacks.back();
  b.free_stacks.pop_back();
  auto* top = reinterpret_cast<void**>((reinterpret_cast<uintptr_t>(g_stack) + kStack) & ~uintptr_t{15});
  *--top = nullptr;  // where a call would have left its return address: the stack of fibre_main is aligned as after one
  *--top = reinterpret_cast<void*>(fibre_main);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  gust_emulate_switch(&b.scheduler, top);
}

void resume(Thread& thread) {
  g_block.running = &thread;
  threadIdx = thread.index;
  gust_emulate_switch(&g_block.scheduler, thread.top);
}

const char* name_of(State state) {
  switch (state) {
    case State::kReady: return "runs";
    case State::kBlock: return "waits at __syncthreads()";
    case State::kWarp: return "waits at a warp operation";
    case State::kDone: return "has ended";
  }
  return "";
}

[[noreturn]] void die_of(const char* why) {
  std::fprintf(stderr, "block (%u, %u):\n", blockIdx.x, blockIdx.y);
  for (size_t i = 0; i < g_block.threads.size() && i < 64; ++i)
    std::fprintf(stderr, "  thread %zu %s\n", i, name_of(g_block.threads[i].state));
  die("%s", why);
}

/** Let the warp operations go on for which every lane has come; whether there were any. */
bool release_warps() {
  bool any = false;
  const size_t threads = g_block.threads.size();
  for (size_t first = 0; first < threads; first += 32) {
    const size_t lanes = std::min<size_t>(32, threads - first);
    Thread* warp = &g_block.threads[first];
    for (size_t i = 0; i < lanes; ++i) {
      const Thread asked = warp[i];
      if (asked.state != State::kWarp) continue;
      // Lanes past the end of a block do not exist: a full mask means those that do.
      const unsigned exist = lanes == 32 ? 0xffffffffu : (1u << lanes) - 1, mask = asked.mask & exist;
      if (!(mask >> i & 1)) die_of("a lane is not in the mask of its own warp operation");
      bool complete = true;
      for (size_t l = 0; l < lanes; ++l) {
        if (!(mask >> l & 1)) continue;
        if (warp[l].state == State::kDone) die_of("a lane of a warp operation has ended");
        if (warp[l].state != State::kWarp) complete = false;
        else if (warp[l].op != asked.op || (warp[l].mask & exist) != mask) die_of("lanes of one warp wait at different operations");
      }
      if (!complete) continue;
      uint64_t ballot = 0, sum = 0;
      for (size_t l = 0; l < lanes; ++l)
        if (mask >> l & 1) {
          ballot |= static_cast<uint64_t>(warp[l].value & 1) << l;
          sum += warp[l].value;
        }
      for (size_t l = 0; l < lanes; ++l) {
        if (!(mask >> l & 1)) continue;
        switch (asked.op) {
          case WarpOp::kBallot: warp[l].result = ballot; break;
          case WarpOp::kSum: warp[l].result = sum; break;
          case WarpOp::kShuffle: {
            const unsigned from = warp[l].source;
            if (from < lanes && !(mask >> from & 1)) die_of("a shuffle reads a lane outside of its mask");
            warp[l].result = from < lanes ? warp[from].value : warp[l].value;
            break;
          }
          case WarpOp::kMatch:
            warp[l].result = 0;
            for (size_t k = 0; k < lanes; ++k)
              if (mask >> k & 1 && warp[k].value == warp[l].value) warp[l].result |= uint64_t{1} << k;
            break;
        }
      }
      for (size_t l = 0; l < lanes; ++l)
        if (mask >> l & 1) warp[l].state = State::kReady;
      any = true;
    }
  }
  return any;
}

bool release_block() {
  Block& b = g_block;
  size_t waiting = 0, done = 0;
  b.any = false;
  b.all = true;
  b.count = 0;
  for (const Thread& f : b.threads) {
    done += f.state == State::kDone;
    if (f.state != State::kBlock) continue;
    ++waiting;
    b.any |= f.given;
    b.all &= f.given;
    b.count += f.given;
  }
  if (waiting == 0 || waiting + done < b.threads.size()) return false;
  if (done > 0) die_of("a thread ended while others wait at __syncthreads()");
  for (Thread& f : b.threads) f.state = State::kReady;
  return true;
}

/** What a variable asks for. */
int asked(const char* variable, int usual) {
  const char* value = std::getenv(variable);
  return value ? std::atoi(value) : usual;
}

void run_block() {
  Block& b = g_block;
  b.started = 0;
  std::fill(b.shared.begin(), b.shared.end(), static_cast<char>(0xa5));
  while (b.started < b.threads.size()) start_fibre();
  for (;;) {
    const bool released = release_warps();
    if (!released && !release_block()) {
      for (const Thread& thread : b.threads)
        if (thread.state != State::kDone) die_of("the threads wait for each other");
      return;
    }
    for (size_t i = 0; i < b.threads.size(); ++i) {
      Thread& thread = b.threads[turned(i, b.threads.size())];
      if (thread.state == State::kReady) resume(thread);
    }
  }
}

}  // namespace

void block_barrier(bool given, bool* any, bool* all, int* count) {
  g_block.running->given = given;
  yield(State::kBlock);
  if (any) *any = g_block.any;
  if (all) *all = g_block.all;
  if (count) *count = g_block.count;
}

uint64_t warp(WarpOp op, unsigned mask, uint64_t value, unsigned source, int) {
  Thread& thread = *g_block.running;
  thread.op = op;
  thread.mask = mask;
  thread.value = value;
  thread.source = source;
  yield(State::kWarp);
  return thread.result;
}

unsigned lane() {
  const uint3 t = threadIdx;
  return (t.x + blockDim.x * (t.y + blockDim.y * t.z)) % 32;
}

void* shared_memory() { return g_block.shared.data(); }

void run_grid(const cudaLaunchConfig_t& config, const std::function<void()>& thread) {
  const dim3 block = config.blockDim, grid = config.gridDim;
  const size_t threads = size_t{block.x} * block.y * block.z, blocks = size_t{grid.x} * grid.y * grid.z;
  g_block.threads.resize(threads);
  g_block.shared.resize(config.dynamicSmemBytes);
  g_block.body = &thread;
  blockDim = block;
  gridDim = grid;
  for (size_t i = 0; i < threads; ++i)
    g_block.threads[i].index = {static_cast<unsigned>(i % block.x), static_cast<unsigned>(i / block.x % block.y),
                                static_cast<unsigned>(i / block.x / block.y)};
  for (size_t i = 0; i < blocks; ++i) {
    const size_t b = turned(i, blocks);
    blockIdx = {static_cast<unsigned>(b % grid.x), static_cast<unsigned>(b / grid.x % grid.y),
                static_cast<unsigned>(b / grid.x / grid.y)};
    run_block();
  }
}

cudaError_t check_capability() {
  return asked("GUST_EMULATE_CAPABILITY", 90) < 80 ? cudaErrorNoKernelImageForDevice : cudaSuccess;
}

cudaError_t check_launch(const cudaLaunchConfig_t& c) {
  if (cudaError_t error = check_capability()) return error;
  const size_t threads = size_t{c.blockDim.x} * c.blockDim.y * c.blockDim.z;
  const bool fits = threads >= 1 && threads <= 1024 && c.blockDim.z <= 64 && c.gridDim.x >= 1 &&
                    c.gridDim.x <= 0x7fffffffu && c.gridDim.y >= 1 && c.gridDim.y <= 65535 && c.gridDim.z >= 1 &&
                    c.gridDim.z <= 65535 && c.dynamicSmemBytes <= (size_t{48} << 10);
  if (!fits)
    die("a launch of (%u, %u, %u) blocks of (%u, %u, %u) threads with %zu bytes of shared memory", c.gridDim.x,
        c.gridDim.y, c.gridDim.z, c.blockDim.x, c.blockDim.y, c.blockDim.z, c.dynamicSmemBytes);
  return cudaSuccess;
}

// ---- memory ------------------------------------------------------------------------------------------------------

namespace {

constexpr size_t kRange = size_t{256} << 30, kPage = 4096, kHuge = size_t{2} << 20, kCanary = 64;
constexpr unsigned char kMark = 0xc7;

struct Memory {
  char* base = nullptr;
  size_t used = 0;                      // of the range: what was ever handed out
  size_t held = 0;                      // bytes of living blocks
  std::map<char*, size_t> blocks;       // living: address -> size asked for
  std::multimap<size_t, char*> unused;  // freed: bytes -> address
  std::map<const char*, size_t> registered;
  int open = 0, left = 0;
  bool is_closed = true;

  Memory() {
    base = static_cast<char*>(mmap(nullptr, kRange, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (base == MAP_FAILED) die("no room for device memory");
    madvise(base, kRange, MADV_HUGEPAGE);  // opening and closing costs a step per page
  }
  bool is_device(const void* p) const { return p >= base && p < base + kRange; }
  /** Whether memory of the host is page-locked. */
  bool is_locked(const void* pointer) const {
    const auto* p = static_cast<const char*>(pointer);
    auto after = registered.upper_bound(p);
    return after != registered.begin() && p < std::prev(after)->first + std::prev(after)->second;
  }
  void protect(int how) {
    if (used > 0 && mprotect(base, (used + kHuge - 1) / kHuge * kHuge, how) != 0) die("mprotect failed");
  }
  /** Device memory can be touched from here on. */
  void enter() {
    if (open++ == 0 && is_closed) protect(PROT_READ | PROT_WRITE);
    is_closed = false;
  }
  void leave() {
    if (--open > 0 || ++left % asked("GUST_EMULATE_PROTECT", 1) != 0) return;
    protect(PROT_NONE);
    is_closed = true;
  }
};
Memory& memory() {
  static auto* m = new Memory;  // never destroyed: tensors may be freed at exit
  return *m;
}

struct Open {
  Open() { memory().enter(); }
  ~Open() { memory().leave(); }
};

size_t room(size_t size) { return (size + kCanary + kPage - 1) / kPage * kPage; }

size_t total_memory() {
  const char* bytes = std::getenv("GUST_EMULATE_MEMORY");
  return bytes ? std::strtoull(bytes, nullptr, 10) : size_t{16} << 30;
}

void check_end(const char* block, size_t size) {
  for (size_t i = 0; i < kCanary; ++i)
    if (static_cast<unsigned char>(block[size + i]) != kMark) die("a kernel wrote behind a block of %zu bytes", size);
}

}  // namespace

void check_pointer(const void* pointer) {
  const auto* p = static_cast<const char*>(pointer);
  Memory& m = memory();
  if (!p || m.is_device(p)) return;
  if (m.is_locked(p)) return;
  die("a kernel got host memory that is not registered");
}

struct Graph { std::vector<std::function<void()>> work; };
struct Stream {
  bool captures = false;
  Graph kept;
  // With GUST_EMULATE_DEFER=1: what was asked for and has not run.
  std::deque<std::function<void()>> pending;
  int64_t asked_for = 0, done = 0;
};
/** A place in a stream. */
struct Event {
  Stream* stream = nullptr;
  int64_t at = 0;
};

namespace {

/** What ran so far, told when a graph is dropped where GUST_EMULATE_COUNT=1 asks for it. */
struct Counts {
  int64_t submitted = 0, captured = 0, graphs = 0;
} g_counts;

}  // namespace

bool defers() {
  static const bool so = asked("GUST_EMULATE_DEFER", 0) != 0;
  return so;
}

void submit(cudaStream_t stream, std::function<void()> work) {
  ++(stream && stream->captures ? g_counts.captured : g_counts.submitted);
  if (stream && stream->captures) {
    stream->kept.work.push_back(std::move(work));
    return;
  }
  if (stream && defers()) {
    stream->pending.push_back(std::move(work));
    ++stream->asked_for;
    return;
  }
  Open open;
  work();
}

namespace {

std::vector<Stream*> g_streams;

/** Run what a stream was asked for, up to a place. */
void flush(Stream* stream, int64_t end) {
  while (stream && stream->done < end) {
    auto work = std::move(stream->pending.front());
    stream->pending.pop_front();
    ++stream->done;
    Open open;
    work();
  }
}
void flush_all() {
  for (Stream* stream : g_streams) flush(stream, stream->asked_for);
}

}  // namespace
}  // namespace emulate

using namespace emulate;

cudaError_t cudaMalloc(void** out, size_t size) {
  Memory& m = memory();
  if (m.held + size > total_memory()) return cudaErrorMemoryAllocation;
  Open open;
  const size_t bytes = room(size);
  char* at;
  auto unused = m.unused.lower_bound(bytes);
  if (unused != m.unused.end() && unused->first == bytes) {
    at = unused->second;
    m.unused.erase(unused);
  } else {
    if (m.used + bytes > kRange) return cudaErrorMemoryAllocation;
    at = m.base + m.used;
    m.used += bytes;
    m.protect(PROT_READ | PROT_WRITE);
  }
  std::memset(at, 0xa5, std::min<size_t>(size, size_t{1} << 20));  // no zeros to rely on
  std::memset(at + size, kMark, kCanary);
  m.blocks[at] = size;
  m.held += size;
  *out = at;
  return cudaSuccess;
}

cudaError_t cudaFree(void* data) {
  if (!data) return cudaSuccess;
  Memory& m = memory();
  auto block = m.blocks.find(static_cast<char*>(data));
  if (block == m.blocks.end()) die("cudaFree() of what cudaMalloc() did not give");
  flush_all();
  Open open;
  check_end(block->first, block->second);
  madvise(block->first, room(block->second), MADV_DONTNEED);
  m.unused.emplace(room(block->second), block->first);
  m.held -= block->second;
  m.blocks.erase(block);
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t size, cudaMemcpyKind kind) {
  return cudaMemcpyAsync(to, from, size, kind, nullptr);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind, cudaStream_t stream) {
  if (defers() && !memory().is_device(from) && !memory().is_locked(from)) {
    // What comes from pageable memory has left it when the call returns.
    auto kept = std::make_shared<std::vector<char>>(static_cast<const char*>(from), static_cast<const char*>(from) + size);
    submit(stream, [=] { std::memmove(to, kept->data(), size); });
    return cudaSuccess;
  }
  submit(stream, [=] { std::memmove(to, from, size); });
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t size, cudaStream_t stream) {
  check_pointer(to);
  submit(stream, [=] { std::memset(to, value, size); });
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** out, size_t size, unsigned) {
  *out = std::malloc(size);
  if (!*out) return cudaErrorMemoryAllocation;
  memory().registered[static_cast<const char*>(*out)] = size;
  return cudaSuccess;
}
cudaError_t cudaHostRegister(void* data, size_t size, unsigned) {
  if (size > static_cast<size_t>(asked("GUST_EMULATE_LOCKABLE", 1 << 30))) return cudaErrorMemoryAllocation;
  if (memory().is_locked(data)) return cudaErrorHostMemoryAlreadyRegistered;
  memory().registered[static_cast<const char*>(data)] = size;
  return cudaSuccess;
}
cudaError_t cudaHostUnregister(void* data) {
  flush_all();
  return memory().registered.erase(static_cast<const char*>(data)) ? cudaSuccess : cudaErrorInvalidValue;
}
cudaError_t cudaHostGetDevicePointer(void** out, void* data, unsigned) {
  *out = data;
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = total_memory();
  *free = *total - std::min(*total, memory().held);
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  flush_all();
  Open open;
  for (const auto& [at, size] : memory().blocks) check_end(at, size);
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = asked("GUST_EMULATE_DEVICES", 1);
  if (asked("GUST_EMULATE_DRIVER", 13000) < 13000) return cudaErrorInsufficientDriver;
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  std::strcpy(properties->name, "emulated");
  properties->totalGlobalMem = total_memory();
  properties->major = asked("GUST_EMULATE_CAPABILITY", 90) / 10;
  properties->minor = asked("GUST_EMULATE_CAPABILITY", 90) % 10;
  properties->multiProcessorCount = 2;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) {
  *version = asked("GUST_EMULATE_DRIVER", 13000);
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) { *version = 13000; return cudaSuccess; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorNoKernelImageForDevice: return "cudaErrorNoKernelImageForDevice";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    default: return "cudaErrorUnknown";
  }
}
const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = *greatest = 0;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* out, unsigned, int) {
  *out = new Stream;
  g_streams.push_back(*out);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  flush(stream, stream->asked_for);
  std::erase(g_streams, stream);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (stream && stream->captures) die("a stream that captures was waited for");
  if (stream) flush(stream, stream->asked_for);
  Open open;
  for (const auto& [at, size] : memory().blocks) check_end(at, size);
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* out, unsigned) {
  *out = new Event;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  *event = {stream, stream ? stream->asked_for : 0};
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  flush(event->stream, event->at);
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  submit(stream, [place = *event] { flush(place.stream, place.at); });
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream->captures) die("a capture inside a capture");
  stream->captures = true;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* out) {
  stream->captures = false;
  *out = new Graph(std::move(stream->kept));
  stream->kept = {};
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* out, cudaGraph_t graph, unsigned long long) {
  *out = new Graph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  ++g_counts.graphs;
  --g_counts.submitted;  // which counts what is no graph
  submit(stream, [works = graph->work] {
    for (const auto& work : works) work();
  });
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  if (asked("GUST_EMULATE_COUNT", 0))
    std::fprintf(stderr, "CUDA emulation: %lld launches and copies, %lld captured, %lld graphs run\n",
                 static_cast<long long>(g_counts.submitted), static_cast<long long>(g_counts.captured),
                 static_cast<long long>(g_counts.graphs));
  return cudaGraphDestroy(graph);
}
