// Element types: sizes, half-precision conversions, and dispatch from a run-time tag to a template argument.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#ifdef __CUDACC__
#include <cuda_fp16.h>
#endif

#include "host_device.h"
#include "status.h"

namespace gust {

inline int64_t dtype_size(int32_t dtype) {
  switch (dtype) {
    case GUST_F64: case GUST_I64: case GUST_U64: return 8;
    case GUST_F32: case GUST_I32: case GUST_U32: return 4;
    case GUST_F16: case GUST_BF16: case GUST_I16: case GUST_U16: return 2;
    case GUST_I8: case GUST_U8: case GUST_BOOL: return 1;
  }
  fail(GUST_EINVAL, "unknown dtype %d", dtype);
}

/** IEEE half and bfloat16 as storage only: arithmetic is done in float. */
struct half { uint16_t bits; };
struct bfloat16 { uint16_t bits; };

GUST_HD inline float to_float(bfloat16 x) {
  uint32_t u = static_cast<uint32_t>(x.bits) << 16;
  float f;
  std::memcpy(&f, &u, 4);
  return f;
}
GUST_HD inline float to_float(half x) {
#ifdef __CUDACC__
  return __half2float(__half(__half_raw{x.bits}));
#else
  _Float16 h;
  std::memcpy(&h, &x.bits, 2);
  return static_cast<float>(h);
#endif
}
GUST_HD inline float to_float(float x) { return x; }
GUST_HD inline double to_float(double x) { return x; }

/** Round to nearest even; NaN stays NaN. */
GUST_HD inline bfloat16 to_bfloat16(float f) {
  uint32_t u;
  std::memcpy(&u, &f, 4);
  if ((u & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((u >> 16) | 0x40)};
  return {static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1)) >> 16)};
}
GUST_HD inline half to_half(float f) {
#ifdef __CUDACC__
  return {static_cast<__half_raw>(__float2half_rn(f)).x};
#else
  _Float16 h = static_cast<_Float16>(f);
  half out;
  std::memcpy(&out.bits, &h, 2);
  return out;
#endif
}

/** Between any two element types, half floats by way of float. */
template <class To, class From>
GUST_HD To convert(From x) {
  if constexpr (std::is_same_v<From, half> || std::is_same_v<From, bfloat16>) return convert<To>(to_float(x));
  else if constexpr (std::is_same_v<To, half>) return to_half(static_cast<float>(x));
  else if constexpr (std::is_same_v<To, bfloat16>) return to_bfloat16(static_cast<float>(x));
  else return static_cast<To>(x);
}

/** Call f(T{}) with the element type of any dtype; BOOL is a byte. */
template <class F>
void dispatch_any(int32_t dtype, F&& f) {
  switch (dtype) {
    case GUST_F64: return f(double{});
    case GUST_F32: return f(float{});
    case GUST_F16: return f(half{});
    case GUST_BF16: return f(bfloat16{});
    case GUST_I64: return f(int64_t{});
    case GUST_I32: return f(int32_t{});
    case GUST_I16: return f(int16_t{});
    case GUST_I8: return f(int8_t{});
    case GUST_U64: return f(uint64_t{});
    case GUST_U32: return f(uint32_t{});
    case GUST_U16: return f(uint16_t{});
    case GUST_U8: case GUST_BOOL: return f(uint8_t{});
  }
  fail(GUST_EINVAL, "unknown dtype %d", dtype);
}

/** Call f(T{}) with T = float or double. */
template <class F>
void dispatch_real(int32_t dtype, F&& f) {
  if (dtype == GUST_F32) return f(float{});
  if (dtype == GUST_F64) return f(double{});
  fail(GUST_EINVAL, "dtype %d is not F32 or F64", dtype);
}

/** Call f(X{}) with X = float, double, half or bfloat16. */
template <class F>
void dispatch_float(int32_t dtype, F&& f) {
  switch (dtype) {
    case GUST_F32: return f(float{});
    case GUST_F64: return f(double{});
    case GUST_F16: return f(half{});
    case GUST_BF16: return f(bfloat16{});
  }
  fail(GUST_EINVAL, "dtype %d, expected F32, F64, F16 or BF16", dtype);
}

/** Call f(I{}) with I = int32_t or int64_t. */
template <class F>
void dispatch_index(int32_t dtype, F&& f) {
  if (dtype == GUST_I32) return f(int32_t{});
  if (dtype == GUST_I64) return f(int64_t{});
  fail(GUST_EINVAL, "dtype %d is not I32 or I64", dtype);
}

}  // namespace gust
