// The functions of the `unary` op and the activations of `epilogue`: one formula for every device.
#pragma once

#include <cmath>
#include <cstdint>

#include "host_device.h"
#include "status.h"

namespace gust::functions {

// kMath: costs as much as exp, or more.
#define GUST_FUNCTION(Name, costs, ...)                     \
  template <class T>                                        \
  struct Name {                                             \
    static constexpr bool kMath = costs;                    \
    T alpha{};                                              \
    GUST_HD T operator()(T x) const { return __VA_ARGS__; } \
  };

/** erfc keeps the digits of the left tail. */
template <class T>
GUST_HD T normal_cdf(T x) {
  return T{0.5} * std::erfc(x * static_cast<T>(-0.70710678118654752440));
}

GUST_FUNCTION(Identity, false, x)
GUST_FUNCTION(Exp, true, std::exp(x))
GUST_FUNCTION(Log, true, std::log(x))
GUST_FUNCTION(Tanh, true, std::tanh(x))
GUST_FUNCTION(Sigmoid, true, T{1} / (T{1} + std::exp(-x)))
GUST_FUNCTION(Sqrt, false, std::sqrt(x))
GUST_FUNCTION(Reciprocal, false, x == 0 ? T{0} : T{1} / x)
GUST_FUNCTION(Power, true, x == 0 && alpha < 0 ? T{0} : std::pow(x, alpha))
GUST_FUNCTION(Abs, false, std::fabs(x))
GUST_FUNCTION(Sign, false, x > 0 ? T{1} : x < 0 ? T{-1} : x)
GUST_FUNCTION(MaxScalar, false, x < alpha ? alpha : x)
GUST_FUNCTION(Expm1, true, std::expm1(x))
GUST_FUNCTION(Softplus, true, (x > 0 ? x : T{0}) + std::log1p(std::exp(-std::fabs(x))))
GUST_FUNCTION(NormalCdf, true, normal_cdf(x))
GUST_FUNCTION(Elu, true, x > 0 ? x : std::expm1(x))
GUST_FUNCTION(Gelu, true, x * normal_cdf(x))
GUST_FUNCTION(Silu, true, x / (T{1} + std::exp(-x)))
// Slope 0 writes zeros outright: 0 * x would turn infinities into NaN and negative numbers into -0. A NaN passes.
GUST_FUNCTION(Relu, false, x < 0 ? T{0} : x)
GUST_FUNCTION(LeakyRelu, false, x < 0 ? alpha * x : x)
#undef GUST_FUNCTION

/** Call f(function) with the one that `kind`, of unaryKinds in ffi/ops.ts, is. */
template <class T, class F>
void with_unary(int64_t kind, T alpha, F&& f) {
  switch (kind) {
    case 0: return f(Exp<T>{});
    case 1: return f(Log<T>{});
    case 2: return f(Tanh<T>{});
    case 3: return f(Sigmoid<T>{});
    case 4: return f(Sqrt<T>{});
    case 5: return f(Reciprocal<T>{});
    case 6: return f(Power<T>{alpha});
    case 7: return f(Abs<T>{});
    case 8: return f(Sign<T>{});
    case 9: return f(MaxScalar<T>{alpha});
    case 10: return f(Expm1<T>{});
    case 11: return f(Softplus<T>{});
    case 12: return f(NormalCdf<T>{});
    case 13: return f(Elu<T>{});
    case 14: return f(Gelu<T>{});
    case 15: return f(Silu<T>{});
  }
  fail(GUST_EINVAL, "unknown function %lld", static_cast<long long>(kind));
}

/** Call f(function) with relu, or leaky relu where the slope is not 0. */
template <class T, class F>
void with_relu(T slope, F&& f) {
  if (slope == 0) return f(Relu<T>{});
  f(LeakyRelu<T>{slope});
}

enum Activation : int64_t { kNone = 0, kRelu = 1, kElu = 2, kTanh = 3 };  // activationKinds of ffi/ops.ts

/** Call f(function) with the activation that `kind` is. */
template <class T, class F>
void with_activation(int64_t kind, T slope, F&& f) {
  switch (kind) {
    case kNone: return f(Identity<T>{});
    case kRelu: return with_relu(slope, f);
    case kElu: return f(Elu<T>{});
    case kTanh: return f(Tanh<T>{});
  }
  fail(GUST_EINVAL, "unknown activation %lld", static_cast<long long>(kind));
}

// Gradients of activations as functions of their values: (g, value) -> g * derivative where the activation is value.
#define GUST_DERIVATIVE(Name, ...)                                   \
  template <class T>                                                 \
  struct Name##Gradient {                                            \
    T slope{};                                                       \
    GUST_HD T operator()(T g, T value) const { return __VA_ARGS__; } \
  };
GUST_DERIVATIVE(Identity, (static_cast<void>(value), g))
GUST_DERIVATIVE(Relu, value > 0 ? g : T{0})
GUST_DERIVATIVE(LeakyRelu, value > 0 ? g : slope * g)
GUST_DERIVATIVE(Elu, value > 0 ? g : g * (value + T{1}))
GUST_DERIVATIVE(Tanh, g * (T{1} - value * value))
#undef GUST_DERIVATIVE

/** Call f(function) with the gradient of the activation that `kind` is. */
template <class T, class F>
void with_derivative(int64_t kind, T slope, F&& f) {
  switch (kind) {
    case kNone: return f(IdentityGradient<T>{});
    case kRelu:
      if (slope == 0) return f(ReluGradient<T>{});
      return f(LeakyReluGradient<T>{slope});
    case kElu: return f(EluGradient<T>{});
    case kTanh: return f(TanhGradient<T>{});
  }
  fail(GUST_EINVAL, "unknown activation %lld", static_cast<long long>(kind));
}

}  // namespace gust::functions
