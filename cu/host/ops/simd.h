// Vectors of the build's own width: 64 bytes for AVX-512, 32 for AVX2, 16 otherwise. Loads widen what is
// stored (half, bfloat16) to float; "some" versions touch only the first `count` elements.
#pragma once

#include <immintrin.h>

#include <bit>
#include <type_traits>

#include "../../common/op.h"

GUST_OPS_BEGIN

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class T>
struct VectorOf {
  static constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));
  typedef T type __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Vec = typename VectorOf<T>::type;
template <class T>
constexpr int kLanes = VectorOf<T>::kLanes;

/** What numbers stored as X are added up in. */
template <class X>
using Sum = std::conditional_t<std::is_same_v<X, double>, double, float>;

/** kLanes<float> numbers of 16 bits. */
typedef uint16_t Narrow __attribute__((vector_size(kVectorBytes / 2)));

/** The same as 32-bit integers; g++ 12 makes two halves of a __builtin_convertvector. */
inline Vec<uint32_t> widen_bits(Narrow bits) {
#if defined(__AVX512F__)
  return std::bit_cast<Vec<uint32_t>>(_mm512_maskz_cvtepu16_epi32(0xffff, std::bit_cast<__m256i>(bits)));
#elif defined(__AVX2__)
  return std::bit_cast<Vec<uint32_t>>(_mm256_cvtepu16_epi32(std::bit_cast<__m128i>(bits)));
#else
  return __builtin_convertvector(bits, Vec<uint32_t>);
#endif
}

inline Vec<float> widen(Narrow bits, bfloat16) { return std::bit_cast<Vec<float>>(widen_bits(bits) << 16); }

inline Vec<float> widen(Narrow bits, half) {
#if defined(__AVX512F__)
  return std::bit_cast<Vec<float>>(_mm512_maskz_cvtph_ps(0xffff, std::bit_cast<__m256i>(bits)));
#elif defined(__F16C__)
  return std::bit_cast<Vec<float>>(_mm256_cvtph_ps(std::bit_cast<__m128i>(bits)));
#else
  // Exponent and mantissa move into place with a bias that is 112 too small, put right by an exact
  // multiplication that serves subnormals too; infinity and NaN get the exponent of all ones.
  const Vec<uint32_t> wide = widen_bits(bits);
  const Vec<uint32_t> magnitude = (wide & 0x7fffu) << 13, sign = (wide & 0x8000u) << 16;
  const Vec<float> scaled = std::bit_cast<Vec<float>>(magnitude) * 0x1p112f;
  const auto special = std::bit_cast<Vec<uint32_t>>(magnitude >= 0x7c00u << 13) & 0x7f800000u;
  return std::bit_cast<Vec<float>>(std::bit_cast<Vec<uint32_t>>(scaled) | special | sign);
#endif
}

template <class X>
inline Vec<Sum<X>> load(const X* from) {
  if constexpr (std::is_floating_point_v<X>) {
    Vec<X> v;
    std::memcpy(&v, from, sizeof v);
    return v;
  } else {
    Narrow bits;
    std::memcpy(&bits, from, sizeof bits);
    return widen(bits, X{});
  }
}

template <class T>
inline void store(T* to, const Vec<T>& v) {
  std::memcpy(to, &v, sizeof v);
}

/** Store past the caches; `to` is aligned to a vector. */
template <class T>
inline void store_past(T* to, const Vec<T>& v) {
#if defined(__AVX512F__)
  _mm512_stream_si512(reinterpret_cast<__m512i*>(to), std::bit_cast<__m512i>(v));
#elif defined(__AVX2__)
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to), std::bit_cast<__m256i>(v));
#else
  _mm_stream_si128(reinterpret_cast<__m128i*>(to), std::bit_cast<__m128i>(v));
#endif
}

/** Copy `bytes`, a multiple of a vector, past the caches; `to` is aligned to a vector. */
inline void copy_past(void* to, const void* from, int64_t bytes) {
  for (int64_t b = 0; b < bytes; b += kVectorBytes) {
    Vec<uint8_t> v;
    std::memcpy(&v, static_cast<const uint8_t*>(from) + b, sizeof v);
    store_past<uint8_t>(static_cast<uint8_t*>(to) + b, v);
  }
}

#if defined(__AVX512F__)

inline Vec<float> load_some(const float* from, int count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
}
inline Vec<double> load_some(const double* from, int count) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1), from);
}
template <class X>
inline Vec<float> load_some(const X* from, int count) {
  const auto mask = static_cast<__mmask16>((1u << count) - 1);
  return widen(std::bit_cast<Narrow>(_mm256_maskz_loadu_epi16(mask, from)), X{});
}
inline void store_some(float* to, const Vec<float>& v, int count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), v);
}
inline void store_some(double* to, const Vec<double>& v, int count) {
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << count) - 1), v);
}

#else

#if defined(__AVX2__)
inline Vec<float> load_some(const float* from, int count) {
  const Vec<int32_t> lane{0, 1, 2, 3, 4, 5, 6, 7};
  return _mm256_maskload_ps(from, std::bit_cast<__m256i>(lane < count));
}
inline Vec<double> load_some(const double* from, int count) {
  const Vec<int64_t> lane{0, 1, 2, 3};
  return _mm256_maskload_pd(from, std::bit_cast<__m256i>(lane < static_cast<int64_t>(count)));
}
#endif
template <class X>
inline Vec<Sum<X>> load_some(const X* from, int count) {
  X whole[kLanes<Sum<X>>] = {};
  for (int l = 0; l < kLanes<Sum<X>> && l < count; ++l) whole[l] = from[l];
  return load(whole);
}
template <class T>
inline void store_some(T* to, const Vec<T>& v, int count) {
  T whole[kLanes<T>];
  store<T>(whole, v);
  for (int l = 0; l < kLanes<T> && l < count; ++l) to[l] = whole[l];
}

#endif

/** The lanes added pairwise, in an order that depends on their number alone. */
template <class T>
inline T add_lanes(const Vec<T>& v) {
  T lane[kLanes<T>];
  store<T>(lane, v);
  for (int width = kLanes<T> / 2; width > 0; width /= 2)
    for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
  return lane[0];
}

GUST_OPS_END
