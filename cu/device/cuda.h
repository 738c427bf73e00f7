// What the CUDA files share: launches, errors, loops over elements, reductions inside warps and blocks.
//
// Each file under cu/device/ops defines the ops of the file with the same name under cu/host/ops. Kernels are launched
// by launch() or each(), never by <<<>>>, so that test/cu/emulate can run them on the CPU. Floating-point sums are
// taken in an order that depends on the shapes alone: no atomics on floats, so the same bytes on every run.
#pragma once

#include <cuda_runtime.h>

#include "../common/op.h"

namespace gust::cuda {

/** Throw what a failed call means for the user; `what` is what was tried. */
void check(cudaError_t error, const char* what);

/** Whether products may round their factors (TF32). */
bool is_fast();
/** Where ops run, in order. */
cudaStream_t stream();
/** Multiprocessors of the GPU. */
int multiprocessors();
/** The step block in device memory, as it was when the program began. */
const uint64_t* step_block(const Context& context);

constexpr int kLanes = 32;  // of a warp
constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kThreads = 256;  // of a block, unless a kernel says otherwise
constexpr int kWarps = kThreads / kLanes;
constexpr int64_t kMostBlocks = int64_t{1} << 30;

/** The least power of two from n on, `least` (a power of two) at least and a warp at most: lanes that share n things. */
inline int lanes_for(int64_t n, int least = 1) {
  int lanes = least;
  while (lanes < kLanes && lanes < n) lanes *= 2;
  return lanes;
}

struct Grid {
  dim3 blocks, threads;
  size_t shared = 0;  // bytes of dynamic shared memory
};

/** Blocks of `threads` threads, `per_block` items each; kernels loop where there are more items than that. */
inline Grid grid_of(int64_t items, int64_t per_block = kThreads, int threads = kThreads) {
  const int64_t blocks = std::min(kMostBlocks, std::max<int64_t>(1, num_chunks(items, per_block)));
  return {dim3(static_cast<unsigned>(blocks)), dim3(static_cast<unsigned>(threads)), 0};
}

/** Run a kernel behind what was launched before. */
template <class... Wanted, class... Given>
void launch(void (*kernel)(Wanted...), const Grid& grid, Given&&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid.blocks;
  config.blockDim = grid.threads;
  config.dynamicSmemBytes = grid.shared;
  config.stream = stream();
  check(cudaLaunchKernelEx(&config, kernel, static_cast<Wanted>(arguments)...), "launching a kernel");
}

/** The dynamic shared memory of the block, as elements of T. */
template <class T>
__device__ T* shared_memory() {
#ifdef GUST_EMULATED
  return static_cast<T*>(emulate::shared_memory());
#else
  extern __shared__ __align__(16) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
#endif
}

/** Number of this thread in the grid, and of all threads: loops are for (i = first(); i < n; i += stride()). */
__device__ inline int64_t first() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline int64_t stride() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }
/** The same for warps. */
__device__ inline int64_t first_warp() { return first() / kLanes; }
__device__ inline int64_t stride_warps() { return stride() / kLanes; }
__device__ inline int lane() { return static_cast<int>(threadIdx.x % kLanes); }

template <class F>
__global__ void each_kernel(int64_t n, F f) {
  for (int64_t i = first(); i < n; i += stride()) f(i);
}

/** Run f(i) for i = 0 .. n-1, each on a thread of its own. F is a struct with `__device__ void operator()(int64_t i) const`. */
template <class F>
void each(int64_t n, const F& f) {
  if (n > 0) launch(each_kernel<F>, grid_of(n), n, f);
}

/** A cell of a matrix by its place: row and column. */
struct Cell { int64_t row, col; };
__device__ inline Cell cell_of(int64_t at, int64_t cols) {
  // 64-bit divisions cost several times as much as 32-bit ones.
  if ((at | cols) >> 32 == 0) {
    const auto place = static_cast<uint32_t>(at), width = static_cast<uint32_t>(cols), row = place / width;
    return {row, place - row * width};
  }
  return {at / cols, at % cols};
}

// ---- reductions: pairwise in a fixed order ------------------------------------------------------------------------

/** Sum over the warp, in every lane. */
template <class T>
__device__ T warp_sum(T value) {
  for (int width = kLanes / 2; width > 0; width /= 2) value += __shfl_xor_sync(kAllLanes, value, width);
  return value;
}
template <class T>
__device__ T warp_max(T value) {
  for (int width = kLanes / 2; width > 0; width /= 2) {
    const T other = __shfl_xor_sync(kAllLanes, value, width);
    value = other > value ? other : value;
  }
  return value;
}

/** Sum over a block of kThreads threads, in every thread. All of them call it. */
template <class T>
__device__ T block_sum(T value) {
  __shared__ T warps[kWarps];
  value = warp_sum(value);
  if (lane() == 0) warps[threadIdx.x / kLanes] = value;
  __syncthreads();
  value = warp_sum(lane() < kWarps ? warps[lane()] : T{});
  __syncthreads();
  return value;
}

// ---- random draws -------------------------------------------------------------------------------------------------

/** The stream of an op: seed, epoch and step are read from the step block when the kernel runs. */
struct StepRandom {
  const uint64_t* step;
  uint32_t stream, layer;

  __device__ Random operator()() const {
    return Random(step[0], stream, static_cast<uint32_t>(step[1]), static_cast<uint32_t>(step[2]), layer);
  }
};
inline StepRandom random_of(const Context& context, int64_t stream, int64_t layer) {
  return {step_block(context), static_cast<uint32_t>(stream), static_cast<uint32_t>(layer)};
}

/** Random ids of rows: an optional tensor of either index type; absent: the row's number. */
struct RowIds {
  const int32_t* ids32 = nullptr;
  const int64_t* ids64 = nullptr;

  RowIds() = default;
  explicit RowIds(const Slot& ids) {
    if (!ids.live) return;
    if (ids.dtype == GUST_I32) ids32 = ids.as<int32_t>();
    else ids64 = ids.as<int64_t>();
  }
  __device__ uint64_t operator()(int64_t i) const {
    return static_cast<uint64_t>(ids32 ? static_cast<int64_t>(ids32[i]) : ids64 ? ids64[i] : i);
  }
};

}  // namespace gust::cuda
