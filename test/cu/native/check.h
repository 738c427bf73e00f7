// Tests of the native library in C++: for the sanitizers, and for what the ABI does not show.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "gust.h"
#include "../../../cu/common/op.h"

namespace gust::test {

struct Test {
  const char* name;
  void (*body)();
};
inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

/** Define a test; the name says what holds. */
#define GUST_TEST(name)                                                                      \
  static void name();                                                                        \
  [[maybe_unused]] static const bool name##_known = (gust::test::tests().push_back({#name, name}), true); \
  static void name()

/** Fail the test unless `condition`. */
#define GUST_CHECK(condition) gust::test::check(condition, #condition, __FILE__, __LINE__)

inline void check(bool holds, const char* text, const char* file, int line) {
  if (!holds) throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + text);
}

/** The library's last error text on this thread. */
inline std::string last_error() {
  std::string text(static_cast<size_t>(gust_last_error(nullptr, 0)), '\0');
  gust_last_error(text.data(), static_cast<int64_t>(text.size()) + 1);
  return text;
}

/** Throw the library's text unless the call succeeded. */
inline void succeed(int32_t status) {
  if (status != GUST_OK) throw std::runtime_error(last_error());
}

constexpr int32_t op_number(std::string_view name) {
  for (int32_t op = 0; op < kNumOps; ++op)
    if (name == kOpNames[op]) return op;
  return -1;
}

template <class T> constexpr int32_t kDType = -1;
template <> inline constexpr int32_t kDType<double> = GUST_F64;
template <> inline constexpr int32_t kDType<float> = GUST_F32;
template <> inline constexpr int32_t kDType<int64_t> = GUST_I64;
template <> inline constexpr int32_t kDType<int32_t> = GUST_I32;

/** A tensor in a heap block of exactly its size: the address sanitizer sees the first byte past it. */
template <class T>
struct Tensor {
  int64_t slot, size;
  std::unique_ptr<T[]> data;

  bool operator==(const Tensor& other) const {
    return size == other.size && std::memcmp(data.get(), other.data.get(), static_cast<size_t>(size) * sizeof(T)) == 0;
  }
};

/** A context, and calls of its ops by their C argument blocks. */
class Machine {
 public:
  Machine() { succeed(gust_context_create(0, &context)); }
  ~Machine() { gust_context_destroy(context); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /** rows x cols elements, element k = value(k). */
  template <class T, class F>
  __attribute__((noinline)) Tensor<T> tensor(int64_t rows, int64_t cols, F value) const {
    Tensor<T> t{-1, rows * cols, std::make_unique<T[]>(static_cast<size_t>(rows * cols))};
    for (int64_t k = 0; k < t.size; ++k) t.data[k] = static_cast<T>(value(k));
    int64_t out[2];
    succeed(gust_tensor_bind(context, 0, kDType<T>, rows, cols, reinterpret_cast<int64_t>(t.data.get()), out));
    t.slot = out[0];
    return t;
  }
  /** Values without a pattern in [-1, 1). */
  template <class T>
  Tensor<T> values(int64_t rows, int64_t cols) const {
    return tensor<T>(rows, cols, [](int64_t k) { return static_cast<double>(mix64(k) >> 11) * 0x1p-52 - 1; });
  }
  template <class T>
  Tensor<T> zeros(int64_t rows, int64_t cols) const { return tensor<T>(rows, cols, [](int64_t) { return 0; }); }

  template <class Args>
  int32_t try_run(int32_t op, Args args) const {
    args.header = {op, static_cast<int32_t>(sizeof args)};
    return gust_run(context, &args, sizeof args);
  }

  int64_t context = 0;
};

/** Run one op, e.g. GUST_RUN(machine, relu, x.slot, out.slot, 0.5): fields in the order of ffi/ops.ts. */
#define GUST_RUN(machine, name, ...) \
  gust::test::succeed((machine).try_run(gust::test::op_number(#name), gust::name##_args{{}, __VA_ARGS__}))

/** Run `body` on 1, 2 and 5 threads: `result()` must be the same each time. */
template <class Body, class Result>
void same_on_threads(Body&& body, Result&& result) {
  decltype(result()) first{};
  for (int threads : {1, 2, 5}) {
    succeed(gust_set_num_threads(threads));
    body();
    if (threads == 1) first = result();
    else if (!(first == result())) throw std::runtime_error("other bits on " + std::to_string(threads) + " threads");
  }
  succeed(gust_set_num_threads(0));
}

/** A copy of a tensor's elements. */
template <class T>
std::vector<T> copy(const Tensor<T>& t) { return std::vector<T>(t.data.get(), t.data.get() + t.size); }

}  // namespace gust::test
