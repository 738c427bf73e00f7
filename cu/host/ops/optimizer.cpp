// Optimizer steps, in place. Rates and bias corrections are words of the step block, so that a recorded step sees new
// ones at every replay.
#include "dense.h"

GUST_OPS_BEGIN

void sgd(const sgd_args& args, Context& context) {
  const Slot &param_slot = context.slot(args.param), &velocity_slot = context.slot(args.velocity);
  const Slot& grad_slot = context.slot(args.grad);
  dispatch_real(param_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    T *param = param_slot.as<T>(), *velocity = velocity_slot.as<T>();
    const T* grad = grad_slot.as<T>();
    const T lr = static_cast<T>(context.step_f64(args.lr)), momentum = static_cast<T>(args.momentum);
    const T decay = static_cast<T>(args.weight_decay);
    const bool nesterov = args.nesterov != 0;
    if (!velocity_slot.live) {
      if (momentum != 0) fail(GUST_EINVAL, "momentum %g without a velocity tensor", args.momentum);
      for_elements(param_slot.size(), kGrain, [=](int64_t i) { param[i] -= lr * (grad[i] + decay * param[i]); });
      return;
    }
    for_elements(param_slot.size(), kGrain, [=](int64_t i) {
      const T g = grad[i] + decay * param[i];
      const T v = momentum * velocity[i] + g;
      velocity[i] = v;
      param[i] -= lr * (nesterov ? g + momentum * v : v);
    });
  });
}

// Kingma and Ba 2015, algorithm 1: param -= lr * m_hat / (sqrt(v_hat) + eps) with m_hat = m / (1 - beta1^t) and
// v_hat = v / (1 - beta2^t). Decoupled decay: Loshchilov and Hutter 2019, algorithm 2.
void adam(const adam_args& args, Context& context) {
  const Slot &param_slot = context.slot(args.param), &grad_slot = context.slot(args.grad);
  const Slot &m_slot = context.slot(args.m), &v_slot = context.slot(args.v);
  const double lr = context.step_f64(args.lr);
  const double correction1 = context.step_f64(args.correction1), correction2 = context.step_f64(args.correction2);
  dispatch_real(param_slot.dtype, [&](auto tag) {
    using T = decltype(tag);
    T *param = param_slot.as<T>(), *m = m_slot.as<T>(), *v = v_slot.as<T>();
    const T* grad = grad_slot.as<T>();
    const T beta1 = static_cast<T>(args.beta1), beta2 = static_cast<T>(args.beta2);
    const T rest1 = static_cast<T>(1 - args.beta1), rest2 = static_cast<T>(1 - args.beta2);
    const T rate = static_cast<T>(lr / correction1), root = static_cast<T>(1 / std::sqrt(correction2));
    const T eps = static_cast<T>(args.eps);
    const T decay = static_cast<T>(args.decoupled ? 0.0 : args.weight_decay);
    const T keep = static_cast<T>(args.decoupled ? 1 - lr * args.weight_decay : 1.0);
    for_elements(param_slot.size(), kGrain / 4, [=](int64_t i) {
      const T g = grad[i] + decay * param[i];
      const T mean = beta1 * m[i] + rest1 * g;
      const T square = beta2 * v[i] + rest2 * (g * g);
      m[i] = mean;
      v[i] = square;
      param[i] = keep * param[i] - rate * mean / (std::sqrt(square) * root + eps);
    });
  });
}

GUST_OPS_END
