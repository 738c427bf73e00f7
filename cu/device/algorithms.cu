#include "algorithms.h"

#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>

#include "cuda.h"

namespace gust::cuda {
namespace {

struct Add {
  __host__ __device__ int64_t operator()(int64_t a, int64_t b) const { return a + b; }
};

template <class In>
void sum(void* temporary, size_t& bytes, const In* in, int64_t* out, int64_t n) {
  check(cub::DeviceScan::ExclusiveScan(temporary, bytes, in, out, Add{}, int64_t{0}, n, stream()), "adding up");
}

template <class Key>
void sort(void* temporary, size_t& bytes, const Key* keys, Key* sorted, const int64_t* values, int64_t* permuted,
          int64_t n, int bits) {
  check(cub::DeviceRadixSort::SortPairs(temporary, bytes, keys, sorted, values, permuted, n, 0, bits, stream()),
        "sorting");
}

}  // namespace

void exclusive_sum(void* temporary, size_t& bytes, const int64_t* in, int64_t* out, int64_t n) {
  sum(temporary, bytes, in, out, n);
}
void exclusive_sum(void* temporary, size_t& bytes, const int32_t* in, int64_t* out, int64_t n) {
  sum(temporary, bytes, in, out, n);
}
void sort_pairs(void* temporary, size_t& bytes, const uint32_t* keys, uint32_t* sorted, const int64_t* values,
                int64_t* permuted, int64_t n, int bits) {
  sort(temporary, bytes, keys, sorted, values, permuted, n, bits);
}
void sort_pairs(void* temporary, size_t& bytes, const uint64_t* keys, uint64_t* sorted, const int64_t* values,
                int64_t* permuted, int64_t n, int bits) {
  sort(temporary, bytes, keys, sorted, values, permuted, n, bits);
}

}  // namespace gust::cuda
