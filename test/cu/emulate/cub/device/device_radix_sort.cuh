// cub::DeviceRadixSort as a stable sort of the CPU.
#pragma once

#include <algorithm>
#include <vector>

#include "../../cuda_runtime.h"

namespace cub {

struct DeviceRadixSort {
  template <class Key, class Value>
  static cudaError_t SortPairs(void* temporary, size_t& bytes, const Key* keys, Key* sorted, const Value* values,
                               Value* permuted, int64_t n, int begin_bit, int end_bit, cudaStream_t stream) {
    if (!temporary) {
      bytes = 1;
      return cudaSuccess;
    }
    for (const void* p : {static_cast<const void*>(keys), static_cast<const void*>(sorted), static_cast<const void*>(values),
                          static_cast<const void*>(permuted)})
      emulate::check_pointer(p);
    emulate::submit(stream, [=] {
      const Key mask = (end_bit >= 8 * static_cast<int>(sizeof(Key)) ? ~Key{0} : (Key{1} << end_bit) - 1) >> begin_bit << begin_bit;
      std::vector<std::pair<Key, Value>> pairs(static_cast<size_t>(n));
      for (int64_t i = 0; i < n; ++i) pairs[static_cast<size_t>(i)] = {keys[i], values[i]};
      std::stable_sort(pairs.begin(), pairs.end(), [=](const auto& a, const auto& b) { return (a.first & mask) < (b.first & mask); });
      for (int64_t i = 0; i < n; ++i) {
        sorted[i] = pairs[static_cast<size_t>(i)].first;
        permuted[i] = pairs[static_cast<size_t>(i)].second;
      }
    });
    return cudaSuccess;
  }
};

}  // namespace cub
