// Optimizer steps, in place: a thread takes every few elements. Rates and bias corrections are words of the step block,
// which one thread of a block reads, so that a captured step sees new ones at every run.
#include "../cuda.h"

GUST_OPS_BEGIN
namespace {

constexpr int64_t kPerBlock = 4 * kThreads;  // elements

__device__ double step_double(const uint64_t* step, int64_t word) {
  return __longlong_as_double(static_cast<long long>(step[word]));
}

template <class T>
struct Sgd {
  T *param, *velocity;  // velocity may be absent
  const T* grad;
  const uint64_t* step;
  int64_t lr_word;
  T momentum, decay;
  bool nesterov;

  struct Rates { T lr; };
  __device__ Rates rates() const { return {static_cast<T>(step_double(step, lr_word))}; }
  __device__ void operator()(int64_t i, const Rates& rate) const {
    const T g = grad[i] + decay * param[i];
    if (!velocity) {
      param[i] -= rate.lr * g;
      return;
    }
    const T v = momentum * velocity[i] + g;
    velocity[i] = v;
    param[i] -= rate.lr * (nesterov ? g + momentum * v : v);
  }
};

// Kingma and Ba 2015, algorithm 1: param -= lr * m_hat / (sqrt(v_hat) + eps) with m_hat = m / (1 - beta1^t) and
// v_hat = v / (1 - beta2^t). Decoupled decay: Loshchilov and Hutter 2019, algorithm 2.
template <class T>
struct Adam {
  T *param, *m, *v;
  const T* grad;
  const uint64_t* step;
  int64_t lr_word, word1, word2;
  T beta1, beta2, rest1, rest2, eps, decay;
  double shrink;  // decoupled decay

  struct Rates { T rate, root, keep; };
  __device__ Rates rates() const {
    const double lr = step_double(step, lr_word);
    return {static_cast<T>(lr / step_double(step, word1)), static_cast<T>(1 / std::sqrt(step_double(step, word2))),
            static_cast<T>(1 - lr * shrink)};
  }
  __device__ void operator()(int64_t i, const Rates& rates) const {
    const T g = grad[i] + decay * param[i];
    const T mean = beta1 * m[i] + rest1 * g;
    const T square = beta2 * v[i] + rest2 * (g * g);
    m[i] = mean;
    v[i] = square;
    param[i] = rates.keep * param[i] - rates.rate * mean / (std::sqrt(square) * rates.root + eps);
  }
};

template <class F>
__global__ void optimizer_kernel(int64_t n, F f) {
  __shared__ typename F::Rates rates;
  if (threadIdx.x == 0) rates = f.rates();
  __syncthreads();
  for (int64_t i = first(); i < n; i += stride()) f(i, rates);
}

template <class F>
void run(int64_t n, const F& f) {
  if (n > 0) launch(optimizer_kernel<F>, grid_of(n, kPerBlock), n, f);
}

}  // namespace

void sgd(const sgd_args& args, Context& context) {
  const Slot &param = context.slot(args.param), &velocity = context.slot(args.velocity);
  dispatch_real(param.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T momentum = static_cast<T>(args.momentum);
    if (!velocity.live && momentum != 0) fail(GUST_EINVAL, "momentum %g without a velocity tensor", args.momentum);
    run(param.size(), Sgd<T>{param.as<T>(), velocity.live ? velocity.as<T>() : nullptr,
                             context.slot(args.grad).as<T>(), step_block(context), args.lr, momentum,
                             static_cast<T>(args.weight_decay), args.nesterov != 0});
  });
}

void adam(const adam_args& args, Context& context) {
  const Slot& param = context.slot(args.param);
  dispatch_real(param.dtype, [&](auto tag) {
    using T = decltype(tag);
    run(param.size(),
        Adam<T>{param.as<T>(), context.slot(args.m).as<T>(), context.slot(args.v).as<T>(),
                context.slot(args.grad).as<T>(), step_block(context), args.lr, args.correction1, args.correction2,
                static_cast<T>(args.beta1), static_cast<T>(args.beta2), static_cast<T>(1 - args.beta1),
                static_cast<T>(1 - args.beta2), static_cast<T>(args.eps),
                static_cast<T>(args.decoupled ? 0.0 : args.weight_decay), args.decoupled ? args.weight_decay : 0.0});
  });
}

GUST_OPS_END
