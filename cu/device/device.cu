// An NVIDIA GPU as the device: memory, the stream that ops run on, step blocks, and programs as CUDA graphs.
//
// One process uses one GPU. What is asked for happens in order on the stream of the queue in use; the second queue is for
// what may happen beside it. A program that comes a second time with the same slots is captured as a graph, and is one
// launch from then on.
//
// GUST_CUDA_FAIL=alloc:N makes the N-th allocation fail as if memory were short, run:N the N-th program as if the GPU
// were lost (tests).
#include "../common/device.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#define XXH_STATIC_LINKING_ONLY  // a state on the stack
#include <xxhash.h>

#include "../include/gust.h"
#include "cublaslt.h"
#include "cuda.h"

extern "C" __attribute__((visibility("hidden"))) const gust::OpFunction gust_op_table_cuda[];

namespace gust {
namespace cuda {
namespace {

/** A range of addresses by its begin. */
using Ranges = std::map<const char*, int64_t>;

bool holds(const Ranges& ranges, const void* address) {
  const auto* p = static_cast<const char*>(address);
  auto after = ranges.upper_bound(p);
  return after != ranges.begin() && p < std::prev(after)->first + std::max<int64_t>(std::prev(after)->second, 1);
}

/**
 * Page-locked memory that uploads pass through: a copy from it runs beside the host, and what was copied is no longer
 * needed by then. Places are used in turn; each is free again when the event behind its copy has come.
 */
class Staging {
 public:
  static constexpr int64_t kSize = int64_t{64} << 20, kMost = kSize / 4;

  char* take(int64_t size) {
    if (!data_) check(cudaHostAlloc(reinterpret_cast<void**>(&data_), kSize, cudaHostAllocDefault), "page-locking memory");
    size = (size + 255) / 256 * 256;
    if (next_ + size > kSize) {
      while (!pending_.empty() && pending_.front().begin >= next_) wait();
      next_ = 0;
    }
    // The oldest copies lie in front of the next place, in order.
    while (!pending_.empty() && pending_.front().begin < next_ + size && pending_.front().end > next_) wait();
    place_ = {next_, next_ + size, nullptr};
    next_ += size;
    return data_ + place_.begin;
  }
  /** The copy from the place that was taken is on its way. */
  void sent(cudaStream_t stream) {
    if (unused_.empty()) check(cudaEventCreateWithFlags(&place_.event, cudaEventDisableTiming), "making an event");
    else {
      place_.event = unused_.back();
      unused_.pop_back();
    }
    check(cudaEventRecord(place_.event, stream), "recording an event");
    pending_.push_back(place_);
  }

 private:
  struct Place {
    int64_t begin = 0, end = 0;
    cudaEvent_t event = nullptr;
  };
  void wait() {
    check(cudaEventSynchronize(pending_.front().event), "copying");
    unused_.push_back(pending_.front().event);
    pending_.pop_front();
  }

  char* data_ = nullptr;
  int64_t next_ = 0;
  Place place_;
  std::deque<Place> pending_;
  std::vector<cudaEvent_t> unused_;
};

struct Gpu {
  std::mutex lock;
  int number = -1;
  cudaStream_t streams[device::kQueues] = {};
  cudaEvent_t join = nullptr;
  int32_t queue = 0;
  bool fast = false;
  Staging staging;
  cudaDeviceProp properties{};
  Ranges memory, reached;
  int64_t held = 0, peak = 0;
};
Gpu& gpu() {
  static auto* g = new Gpu;  // tensors may be freed while the process ends: never destroyed
  return *g;
}

/** Whether GUST_CUDA_FAIL says that this call of `what` fails. */
bool is_to_fail(const char* what, int64_t count) {
  static const std::string wanted = [] {
    const char* text = std::getenv("GUST_CUDA_FAIL");
    return std::string(text ? text : "");
  }();
  return !wanted.empty() && wanted == gust::format("%s:%lld", what, static_cast<long long>(count));
}

/** Step words are written by a kernel that has them as its argument: no memory of the host to keep until it runs. */
constexpr int kWordsAtOnce = 64;
static_assert(GUST_STEP_WORDS % kWordsAtOnce == 0);
struct Words { uint64_t word[kWordsAtOnce]; };
__global__ void write_words(Words words, uint64_t* to) { to[threadIdx.x] = words.word[threadIdx.x]; }

/** A program as it ran: its bytes and what its slots held. */
using Key = std::pair<uint64_t, uint64_t>;
struct Recorded {
  cudaGraphExec_t graph = nullptr;
  bool is_refused = false;  // there was no memory for a graph
  uint64_t last_use = 0;
};
constexpr size_t kMostGraphs = 64;

/** What a context has on the GPU. */
struct Local {
  uint64_t* step = nullptr;
  std::vector<uint64_t> written;  // what *step holds
  std::map<Key, Recorded> programs;
  uint64_t uses = 0;
  int64_t runs = 0;

  void drop_graphs() noexcept {
    for (auto& [key, one] : programs)
      if (one.graph) cudaGraphExecDestroy(one.graph);
    programs.clear();
  }
};
Local& local(const Context& context) { return *static_cast<Local*>(context.local); }

[[noreturn]] void fail_memory(int64_t size) {
  size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  constexpr double kMiB = 1 << 20;
  fail(GUST_ENOMEM,
       "out of GPU memory: %.1f MiB asked for, %.1f of %.1f MiB free (%.1f held by gust)\n"
       "hint: keep the features in host memory (--feature-store host-zerocopy), or train on mini-batches (--sampler)",
       static_cast<double>(size) / kMiB, static_cast<double>(free) / kMiB, static_cast<double>(total) / kMiB,
       static_cast<double>(gpu().held) / kMiB);
}

}  // namespace

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // taken note of
  switch (error) {
    case cudaErrorNoDevice:
      fail(GUST_ENOSYS, "no NVIDIA GPU: the driver sees none\nhint: use --device cpu, or see that nvidia-smi lists one");
    case cudaErrorInsufficientDriver: {
      int driver = 0, runtime = 0;
      cudaDriverGetVersion(&driver);
      cudaRuntimeGetVersion(&runtime);
      if (driver == 0) fail(GUST_ENOSYS, "no NVIDIA driver on this machine\nhint: use --device cpu, or install the driver");
      fail(GUST_ENOSYS, "the NVIDIA driver supports CUDA %d.%d, expected %d.%d or newer\nhint: update the driver, or use --device cpu",
           driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    }
    case cudaErrorNoKernelImageForDevice:
      fail(GUST_ENOSYS,
           "%s has compute capability %d.%d, and this library was compiled for others\n"
           "hint: build with make cuda CUDA_ARCHS=%d%d",
           gpu().properties.name, gpu().properties.major, gpu().properties.minor, gpu().properties.major,
           gpu().properties.minor);
    case cudaErrorMemoryAllocation: fail_memory(0);
    default:
      // Most of these stay: whatever runs on the GPU from now on fails as well.
      fail(GUST_EFAIL, "%s failed on the GPU: %s (%s)\nhint: the results of this run are lost, files on disk are whole; see dmesg for Xid messages, run it again",
           what, cudaGetErrorString(error), cudaGetErrorName(error));
  }
}

cudaStream_t stream() { return gpu().streams[gpu().queue]; }
int multiprocessors() { return gpu().properties.multiProcessorCount; }
bool is_fast() { return gpu().fast; }
const uint64_t* step_block(const Context& context) { return local(context).step; }

}  // namespace cuda

namespace device {
using namespace cuda;

void open(int32_t number) {
  Gpu& g = gpu();
  std::lock_guard<std::mutex> hold(g.lock);
  if (g.number == number) return;
  int count = 0;
  check(cudaGetDeviceCount(&count), "looking for GPUs");
  if (number < 0 || number >= count)
    fail(GUST_EINVAL, "GPU %d, expected 0 to %d: this machine has %d", number, count - 1, count);
  if (g.number >= 0) fail(GUST_EINVAL, "GPU %d after GPU %d: a process uses one", number, g.number);
  check(cudaSetDevice(number), "opening the GPU");
  check(cudaGetDeviceProperties(&g.properties, number), "asking for the GPU's properties");
  int least = 0, greatest = 0;
  check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "asking for stream priorities");
  // What is made ready beside the main queue gives way to it.
  check(cudaStreamCreateWithPriority(&g.streams[0], cudaStreamNonBlocking, greatest), "making a stream");
  check(cudaStreamCreateWithPriority(&g.streams[1], cudaStreamNonBlocking, least), "making a stream");
  check(cudaEventCreateWithFlags(&g.join, cudaEventDisableTiming), "making an event");
  // What runs would find out later, told before anything is done.
  cudaFuncAttributes attributes{};
  check(cudaFuncGetAttributes(&attributes, write_words), "looking for the GPU's code");
  cublaslt();
  g.number = number;
}

std::string describe() {
  const Gpu& g = gpu();
  if (g.number < 0) return "\"device\":\"cuda\"";
  int driver = 0;
  cudaDriverGetVersion(&driver);
  size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  return gust::format("\"device\":\"cuda:%d\",\"gpu\":\"%s\",\"capability\":\"%d.%d\",\"gpu_memory\":%lld,"
                      "\"gpu_memory_free\":%lld,\"cuda_driver\":\"%d.%d\"",
                      g.number, g.properties.name, g.properties.major, g.properties.minor,
                      static_cast<long long>(g.properties.totalGlobalMem), static_cast<long long>(free), driver / 1000,
                      driver % 1000 / 10);
}

char* allocate(int64_t size, bool zero) {
  if (size < 0) fail(GUST_EINVAL, "allocation of %lld bytes", static_cast<long long>(size));
  Gpu& g = gpu();
  char* data = nullptr;
  {
    std::lock_guard<std::mutex> hold(g.lock);
    static int64_t count = 0;
    const auto bytes = static_cast<size_t>(std::max<int64_t>(size, 1));
    cudaError_t error = is_to_fail("alloc", ++count) ? cudaErrorMemoryAllocation : cudaMalloc(&data, bytes);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      fail_memory(size);
    }
    check(error, "allocating memory");
    g.memory[data] = size;
    g.held += size;
    g.peak = std::max(g.peak, g.held);
  }
  if (zero) clear(data, size);
  return data;
}

void deallocate(char* data, int64_t size) noexcept {
  if (!data) return;
  Gpu& g = gpu();
  std::lock_guard<std::mutex> hold(g.lock);
  if (g.memory.erase(data) == 0) return;
  g.held -= size;
  cudaFree(data);  // waits for what still runs
}

void clear(char* data, int64_t size) {
  if (size > 0) check(cudaMemsetAsync(data, 0, static_cast<size_t>(size), stream()), "clearing memory");
}

void copy(void* to, const void* from, int64_t size) {
  if (size <= 0) return;
  bool on_gpu;
  {
    std::lock_guard<std::mutex> hold(gpu().lock);
    on_gpu = holds(gpu().memory, to) || holds(gpu().memory, from);
  }
  if (!on_gpu) {
    std::memmove(to, from, static_cast<size_t>(size));
    return;
  }
  check(cudaMemcpyAsync(to, from, static_cast<size_t>(size), cudaMemcpyDefault, stream()), "copying");
  check(cudaStreamSynchronize(stream()), "running");
}

void upload(char* to, const char* from, int64_t size) {
  if (size > Staging::kMost) return copy(to, from, size);
  if (size <= 0) return;
  Staging& staging = gpu().staging;
  char* place = staging.take(size);
  std::memcpy(place, from, static_cast<size_t>(size));
  check(cudaMemcpyAsync(to, place, static_cast<size_t>(size), cudaMemcpyDefault, stream()), "copying");
  staging.sent(stream());
}

void use_queue(int32_t queue) { gpu().queue = queue; }
int32_t queue() { return gpu().queue; }

void join_queues() {
  Gpu& g = gpu();
  if (!g.join) return;
  check(cudaEventRecord(g.join, g.streams[g.queue]), "recording an event");
  check(cudaStreamWaitEvent(g.streams[1 - g.queue], g.join, 0), "waiting for an event");
}

void set_fast(bool fast) { gpu().fast = fast; }

bool reaches(const void* data) {
  std::lock_guard<std::mutex> hold(gpu().lock);
  return holds(gpu().memory, data) || holds(gpu().reached, data);
}

void reach(char* data, int64_t size) {
  Gpu& g = gpu();
  std::lock_guard<std::mutex> hold(g.lock);
  if (size <= 0 || holds(g.reached, data)) return;
  const cudaError_t error = cudaHostRegister(data, static_cast<size_t>(size), cudaHostRegisterMapped);
  if (error != cudaSuccess) {
    cudaGetLastError();
    fail(GUST_EIO,
         "%.1f MiB of host memory cannot be page-locked for the GPU: %s\n"
         "hint: raise the limit (ulimit -l), or use --feature-store gpu",
         static_cast<double>(size) / (1 << 20), cudaGetErrorString(error));
  }
  void* seen = nullptr;
  if (cudaHostGetDevicePointer(&seen, data, 0) != cudaSuccess || seen != data) {
    cudaGetLastError();
    cudaHostUnregister(data);
    fail(GUST_ENOSYS, "this GPU sees memory of the host at other addresses than the CPU\nhint: use --feature-store gpu");
  }
  g.reached[data] = size;
}

void forget(char* data) noexcept {
  Gpu& g = gpu();
  std::lock_guard<std::mutex> hold(g.lock);
  if (g.reached.erase(data) == 0) return;
  for (cudaStream_t stream : g.streams) cudaStreamSynchronize(stream);
  cudaHostUnregister(data);
}

void memory(int64_t* out) {
  std::lock_guard<std::mutex> hold(gpu().lock);
  out[0] = gpu().held;
  out[1] = gpu().peak;
}

const OpFunction* op_table() { return gust_op_table_cuda; }

void begin(Context& context) {
  if (!context.local) {
    auto made = std::make_unique<Local>();
    made->step = reinterpret_cast<uint64_t*>(allocate(GUST_STEP_WORDS * 8, true));
    made->written.assign(GUST_STEP_WORDS, 0);
    context.local = made.release();
  }
  Local& mine = local(context);
  if (is_to_fail("run", ++mine.runs)) check(cudaErrorLaunchFailure, "running");
  if (gpu().queue != 0) return;  // what is made ready beside a step draws no random numbers
  const uint64_t* now = context.step_block();
  for (int at = 0; at < GUST_STEP_WORDS; at += kWordsAtOnce) {
    if (std::equal(now + at, now + at + kWordsAtOnce, mine.written.data() + at)) continue;
    Words words;
    std::copy_n(now + at, kWordsAtOnce, words.word);
    std::copy_n(now + at, kWordsAtOnce, mine.written.data() + at);
    launch(write_words, Grid{dim3(1), dim3(kWordsAtOnce), 0}, words, mine.step + at);
  }
}

namespace {

/** Of the program's bytes, what the slots that it names hold, and what else its launches depend on; false for one op alone. */
bool key_of(const Context& context, const char* program, int64_t size, Key& key) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  XXH3_128bits_update(&state, program, static_cast<size_t>(size));
  const int64_t around[] = {context.scratch_generation(), gpu().queue, gpu().fast};
  XXH3_128bits_update(&state, around, sizeof around);
  int64_t ops = 0;
  for (int64_t at = 0; at < size; ++ops) {
    OpHeader header;
    if (size - at < static_cast<int64_t>(sizeof header)) return false;
    std::memcpy(&header, program + at, sizeof header);
    if (header.op < 0 || header.op >= kNumOps || header.size != kOpSizes[header.op] || header.size > size - at) return false;
    const uint64_t slots = kOpSlots[header.op];
    for (int field = 0; field < header.size / 8 - 1; ++field) {
      if (!(slots >> field & 1)) continue;
      int64_t id;
      std::memcpy(&id, program + at + 8 * (field + 1), 8);
      const Slot& slot = context.slot(id);
      const int64_t held[] = {reinterpret_cast<int64_t>(slot.data), slot.rows, slot.cols, slot.dtype};
      XXH3_128bits_update(&state, held, sizeof held);
    }
    at += header.size;
  }
  const XXH128_hash_t hash = XXH3_128bits_digest(&state);
  key = {hash.high64, hash.low64};
  return ops > 1;
}

}  // namespace

bool run_again(Context& context, const char* program, int64_t size) {
  Key key;
  if (!key_of(context, program, size, key)) return false;
  Local& mine = local(context);
  auto [found, is_new] = mine.programs.try_emplace(key);
  found->second.last_use = ++mine.uses;
  if (is_new) {
    if (mine.programs.size() > kMostGraphs) {
      auto oldest = std::min_element(mine.programs.begin(), mine.programs.end(), [](const auto& a, const auto& b) {
        return a.second.last_use < b.second.last_use;
      });
      if (oldest->second.graph) cudaGraphExecDestroy(oldest->second.graph);
      mine.programs.erase(oldest);
    }
    return false;
  }
  if (found->second.is_refused) return false;
  if (!found->second.graph) {
    check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed), "capturing a program");
    cudaGraph_t graph = nullptr;
    try {
      context.interpret(program, size);
    } catch (...) {
      cudaStreamEndCapture(stream(), &graph);
      if (graph) cudaGraphDestroy(graph);
      throw;
    }
    check(cudaStreamEndCapture(stream(), &graph), "capturing a program");
    const cudaError_t error = cudaGraphInstantiate(&found->second.graph, graph, 0);
    cudaGraphDestroy(graph);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      found->second.graph = nullptr;
      found->second.is_refused = true;
      return false;
    }
    check(error, "making a graph of a program");
  }
  check(cudaGraphLaunch(found->second.graph, stream()), "running a program");
  return true;
}

void finish() {
  for (cudaStream_t stream : gpu().streams)
    if (stream) check(cudaStreamSynchronize(stream), "running");
}

void end(Context& context) noexcept {
  if (!context.local) return;
  auto* mine = static_cast<Local*>(context.local);
  for (cudaStream_t stream : gpu().streams) cudaStreamSynchronize(stream);
  mine->drop_graphs();
  deallocate(reinterpret_cast<char*>(mine->step), GUST_STEP_WORDS * 8);
  delete mine;
  context.local = nullptr;
}

}  // namespace device
}  // namespace gust
