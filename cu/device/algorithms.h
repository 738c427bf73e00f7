// Algorithms over whole arrays, from CUB (algorithms.cu). `Memory` gives scratch memory as Context::scratch<T>() does.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gust::cuda {

// The first call, with temporary = nullptr, sets `bytes` alone.
void exclusive_sum(void* temporary, size_t& bytes, const int64_t* in, int64_t* out, int64_t n);
void exclusive_sum(void* temporary, size_t& bytes, const int32_t* in, int64_t* out, int64_t n);
void sort_pairs(void* temporary, size_t& bytes, const uint32_t* keys, uint32_t* sorted, const int64_t* values,
                int64_t* permuted, int64_t n, int bits);
void sort_pairs(void* temporary, size_t& bytes, const uint64_t* keys, uint64_t* sorted, const int64_t* values,
                int64_t* permuted, int64_t n, int bits);

/** out[i] = in[0] + .. + in[i - 1] for i = 0 .. n-1 (int64 out; in may be out). For starts and the total, n + 1 counts. */
template <class Memory, class In>
void exclusive_sum(Memory& memory, const In* in, int64_t* out, int64_t n) {
  size_t bytes = 0;
  exclusive_sum(nullptr, bytes, in, out, n);
  exclusive_sum(memory.template scratch<char>(static_cast<int64_t>(bytes)), bytes, in, out, n);
}

/** Keys ascending (unsigned, 32 or 64 bits, of which the low `bits` count), values with them; equal keys stay in order. */
template <class Memory, class Key>
void sort_pairs(Memory& memory, const Key* keys, Key* sorted, const int64_t* values, int64_t* permuted, int64_t n,
                int bits = 8 * sizeof(Key)) {
  size_t bytes = 0;
  sort_pairs(nullptr, bytes, keys, sorted, values, permuted, n, bits);
  sort_pairs(memory.template scratch<char>(static_cast<int64_t>(bytes)), bytes, keys, sorted, values, permuted, n, bits);
}

/** How many low bits hold the numbers 0 .. n-1. */
inline int bits_for(int64_t n) { return n <= 1 ? 1 : 64 - __builtin_clzll(static_cast<unsigned long long>(n - 1)); }

}  // namespace gust::cuda
