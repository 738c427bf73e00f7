// CUDA on the CPU, for tests alone: the part of <cuda_runtime.h> that cu/device uses, so that its kernels run in CI.
//
// How it works (emulate.cpp):
//  - A launch runs at once, block after block. The threads of a block are fibres of one thread of the CPU: each runs
//    until it ends or waits, at __syncthreads() or at a warp operation, and goes on when all whom it waits for have come.
//  - Device memory is a range of addresses that can be touched only while a kernel or a copy runs: host code that reads
//    a tensor dies of SIGSEGV here, as it would with a GPU. Freed blocks are checked for writes behind their ends.
//    GUST_EMULATE_PROTECT=16 closes it behind every 16th kernel or copy alone: closing costs most of the time of small ones.
//  - GUST_EMULATE_ORDER=reverse runs blocks and threads backwards: a missing barrier shows as another result.
//  - GUST_EMULATE_DEVICES=n, _DRIVER=version, _CAPABILITY=90, _MEMORY=bytes and _LOCKABLE=bytes make other machines.
//  - GUST_EMULATE_DEFER=1 keeps what a stream is asked for until it is waited for, so that two streams overlap in the worst
//    order: a missing event shows. Otherwise everything has run when a call returns.
//  - A stream that captures keeps its launches and copies; cudaGraphLaunch() runs them. GUST_EMULATE_COUNT=1 counts both.
//
// What it does not model ends the process with a message, or does not compile: barriers that part of a block never
// reaches, warp operations whose lanes have ended, kernels of other pointers than the device's, __activemask(), textures,
// cooperative groups, dynamic parallelism, threads of one warp in lock step without __syncwarp().
// Not seen: races between blocks other than by order, uninitialised shared memory, alignment of vector loads, speed.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>

#define GUST_EMULATED 1
#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

struct uint3 { unsigned x, y, z; };
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };

// ---- inside kernels ----------------------------------------------------------------------------------------------

/** Of the thread that runs now. */
inline uint3 threadIdx{}, blockIdx{};
inline dim3 blockDim{}, gridDim{};
constexpr int warpSize = 32;

namespace emulate {

enum class WarpOp { kShuffle, kBallot, kSum, kMatch };

void block_barrier(bool given, bool* any, bool* all, int* count);
uint64_t warp(WarpOp op, unsigned mask, uint64_t value, unsigned source, int width);
unsigned lane();
/** The dynamic shared memory of the block. */
void* shared_memory();
[[noreturn]] void die(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

template <class T>
T shuffle(unsigned mask, T value, unsigned source) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = warp(WarpOp::kShuffle, mask, bits, source, 32);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace emulate

inline void __syncthreads() { emulate::block_barrier(false, nullptr, nullptr, nullptr); }
inline int __syncthreads_or(int given) {
  bool any;
  emulate::block_barrier(given != 0, &any, nullptr, nullptr);
  return any;
}
inline int __syncthreads_and(int given) {
  bool all;
  emulate::block_barrier(given != 0, nullptr, &all, nullptr);
  return all;
}
inline int __syncthreads_count(int given) {
  int count;
  emulate::block_barrier(given != 0, nullptr, nullptr, &count);
  return count;
}
inline void __syncwarp(unsigned mask = 0xffffffffu) { emulate::warp(emulate::WarpOp::kBallot, mask, 0, 0, 32); }
inline unsigned __ballot_sync(unsigned mask, int given) {
  return static_cast<unsigned>(emulate::warp(emulate::WarpOp::kBallot, mask, given != 0, 0, 32));
}
inline int __any_sync(unsigned mask, int given) { return __ballot_sync(mask, given) != 0; }
inline int __all_sync(unsigned mask, int given) { return __ballot_sync(mask, !given) == 0; }
template <class T>
unsigned __match_any_sync(unsigned mask, T value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return static_cast<unsigned>(emulate::warp(emulate::WarpOp::kMatch, mask, bits, 0, 32));
}
inline unsigned __reduce_add_sync(unsigned mask, unsigned value) {
  return static_cast<unsigned>(emulate::warp(emulate::WarpOp::kSum, mask, value, 0, 32));
}
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  const unsigned first = emulate::lane() / static_cast<unsigned>(width) * static_cast<unsigned>(width);
  return emulate::shuffle(mask, value, first + static_cast<unsigned>(source) % static_cast<unsigned>(width));
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
  const unsigned me = emulate::lane(), from = me ^ static_cast<unsigned>(lanes);
  return emulate::shuffle(mask, value, from / static_cast<unsigned>(width) > me / static_cast<unsigned>(width) ? me : from);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const unsigned me = emulate::lane(), w = static_cast<unsigned>(width);
  return emulate::shuffle(mask, value, me % w + delta < w ? me + delta : me);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const unsigned me = emulate::lane(), w = static_cast<unsigned>(width);
  return emulate::shuffle(mask, value, me % w >= delta ? me - delta : me);
}

// One thread of the CPU runs everything: plain operations are atomic.
template <class T>
T atomicAdd(T* at, std::type_identity_t<T> value) { T old = *at; *at = old + value; return old; }
template <class T>
T atomicExch(T* at, std::type_identity_t<T> value) { T old = *at; *at = value; return old; }
template <class T>
T atomicMin(T* at, std::type_identity_t<T> value) { T old = *at; if (value < old) *at = value; return old; }
template <class T>
T atomicMax(T* at, std::type_identity_t<T> value) { T old = *at; if (value > old) *at = value; return old; }
template <class T>
T atomicOr(T* at, std::type_identity_t<T> value) { T old = *at; *at = old | value; return old; }
template <class T>
T atomicAnd(T* at, std::type_identity_t<T> value) { T old = *at; *at = old & value; return old; }
template <class T>
T atomicCAS(T* at, std::type_identity_t<T> compare, std::type_identity_t<T> value) {
  T old = *at;
  if (old == compare) *at = value;
  return old;
}
inline void __threadfence() {}
inline void __threadfence_block() {}

template <class T>
T __ldg(const T* at) { return *at; }
template <class T>
T __ldcg(const T* at) { return *at; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __float_as_uint(float x) { unsigned u; std::memcpy(&u, &x, 4); return u; }
inline float __uint_as_float(unsigned u) { float x; std::memcpy(&x, &u, 4); return x; }
inline long long __double_as_longlong(double x) { long long u; std::memcpy(&u, &x, 8); return u; }
inline double __longlong_as_double(long long u) { double x; std::memcpy(&x, &u, 8); return x; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}

// ---- the runtime -------------------------------------------------------------------------------------------------

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorNoKernelImageForDevice = 209,
  cudaErrorECCUncorrectable = 214,
  cudaErrorDevicesUnavailable = 46,
  cudaErrorHostMemoryAlreadyRegistered = 712,
  cudaErrorNotSupported = 801,
  cudaErrorLaunchFailure = 719,
  cudaErrorIllegalAddress = 700,
  cudaErrorUnknown = 999,
};
const char* cudaGetErrorName(cudaError_t error);
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();

enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
enum { cudaStreamDefault = 0, cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };
enum { cudaHostAllocDefault = 0 };
enum { cudaHostRegisterDefault = 0, cudaHostRegisterMapped = 2, cudaHostRegisterReadOnly = 8 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeRelaxed };

namespace emulate {
/** Whether the machine runs what cu/device is compiled for. */
cudaError_t check_capability();
struct Stream;
struct Graph;
struct Event;
}  // namespace emulate
using cudaStream_t = emulate::Stream*;
using cudaGraph_t = emulate::Graph*;
using cudaGraphExec_t = emulate::Graph*;
using cudaEvent_t = emulate::Event*;

struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
  int major, minor, multiProcessorCount;
};
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaDeviceSynchronize();

cudaError_t cudaMalloc(void** out, size_t size);
template <class T>
cudaError_t cudaMalloc(T** out, size_t size) { return cudaMalloc(reinterpret_cast<void**>(out), size); }
cudaError_t cudaFree(void* data);
cudaError_t cudaMemcpy(void* to, const void* from, size_t size, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int value, size_t size, cudaStream_t stream);
cudaError_t cudaHostAlloc(void** out, size_t size, unsigned flags);
cudaError_t cudaHostRegister(void* data, size_t size, unsigned flags);
cudaError_t cudaHostUnregister(void* data);
cudaError_t cudaHostGetDevicePointer(void** out, void* data, unsigned flags);

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* out, unsigned flags, int priority);
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* out, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* out);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* out, cudaGraph_t graph, unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);

struct cudaLaunchAttribute;
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute* attrs;
  unsigned numAttrs;
};

struct cudaFuncAttributes { int numRegs; };
template <class F>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, F*) {
  *attributes = {};
  return emulate::check_capability();
}

namespace emulate {

/** Run `work` now with device memory open, or keep it if the stream captures. */
void submit(cudaStream_t stream, std::function<void()> work);
/** Run `thread` once for every thread of the grid. */
void run_grid(const cudaLaunchConfig_t& config, const std::function<void()>& thread);
/** 0 if the launch is allowed. */
cudaError_t check_launch(const cudaLaunchConfig_t& config);
/** Kernels get device memory or memory that was registered, never another pointer of the host. */
void check_pointer(const void* pointer);
template <class T>
void check_argument(const T& argument) {
  if constexpr (std::is_pointer_v<T>) check_pointer(reinterpret_cast<const void*>(argument));
}

}  // namespace emulate

template <class... Wanted, class... Given>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Wanted...), Given&&... given) {
  if (cudaError_t error = emulate::check_launch(*config)) return error;
  std::tuple<Wanted...> arguments(static_cast<Wanted>(given)...);
  std::apply([](const auto&... each) { (emulate::check_argument(each), ...); }, arguments);
  emulate::submit(config->stream, [=, shape = *config] {
    emulate::run_grid(shape, [&] { std::apply(kernel, arguments); });
  });
  return cudaSuccess;
}
