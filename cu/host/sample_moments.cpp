// Mean and spread of the columns of some rows: what standardised features are made of.
// Two passes over the rows, sums in float64 per chunk of a fixed grid and then in chunk order: the same numbers for any
// thread count, and for a column whatever columns are beside it. Memory: 8 bytes per column and chunk, 256 chunks at most.
#include <cmath>

#include "../include/gust.h"
#include "sample.h"

using namespace gust;
using namespace gust::sampling;

namespace {

/** sums[j] = sum over the rows of f(row, j). */
template <class F>
std::vector<double> column_sums(int64_t count, int64_t cols, F&& f) {
  const int64_t grain = std::max<int64_t>(1024, num_chunks(count, 256)), chunks = num_chunks(count, grain);
  std::vector<double> partial(static_cast<size_t>(chunks * cols)), sums(static_cast<size_t>(cols));
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    double* sum = partial.data() + begin / grain * cols;
    for (int64_t i = begin; i < end; ++i) f(i, sum);
  });
  for (int64_t c = 0; c < chunks; ++c)
    for (int64_t j = 0; j < cols; ++j) sums[j] += partial[c * cols + j];
  return sums;
}

/** The float32 that training sees of a stored element. */
template <class T>
double seen(T x) {
  if constexpr (std::is_integral_v<T>) return x;
  else return static_cast<float>(to_float(x));
}

/** A spread below this share of the mean is what rounding leaves of a constant column in float32. */
constexpr double kConstant = 0x1p-24;

template <class T>
void moments(int64_t count, const int64_t* index, int64_t rows, int64_t cols, const T* x, float* mean,
             float* inverse_std) {
  for (int64_t i = 0; i < count; ++i)
    if (index[i] < 0 || index[i] >= rows) fail(GUST_EDATA, "row %lld, expected numbers below %lld", ll(index[i]), ll(rows));
  const auto n = static_cast<double>(count);
  std::vector<double> centre = column_sums(count, cols, [&](int64_t i, double* sum) {
    const T* row = x + index[i] * cols;
    for (int64_t j = 0; j < cols; ++j) sum[j] += seen(row[j]);
  });
  for (double& c : centre) c /= n;
  const std::vector<double> squares = column_sums(count, cols, [&](int64_t i, double* sum) {
    const T* row = x + index[i] * cols;
    for (int64_t j = 0; j < cols; ++j) {
      const double d = seen(row[j]) - centre[j];
      sum[j] += d * d;
    }
  });
  for (int64_t j = 0; j < cols; ++j) {
    const double deviation = std::sqrt(squares[j] / n);
    mean[j] = static_cast<float>(centre[j]);
    inverse_std[j] = deviation > kConstant * std::abs(centre[j]) ? static_cast<float>(1 / deviation) : 0.0f;
  }
}

}  // namespace

int32_t gust_rows_moments(int64_t count, int64_t index, int64_t rows, int64_t cols, int32_t dtype, int64_t from,
                          int64_t mean, int64_t inverse_std) {
  return guard([&] {
    if (count <= 0) fail(GUST_EINVAL, "moments of %lld rows, expected at least 1", ll(count));
    const auto run = [&](auto tag) {
      moments(count, reinterpret_cast<const int64_t*>(index), rows, cols,
              reinterpret_cast<const decltype(tag)*>(from), reinterpret_cast<float*>(mean),
              reinterpret_cast<float*>(inverse_std));
    };
    if (dtype == GUST_F32) return run(float{});
    if (dtype == GUST_F64) return run(double{});
    if (dtype == GUST_F16) return run(half{});
    if (dtype == GUST_BF16) return run(bfloat16{});
    if (dtype == GUST_U8) return run(uint8_t{});
    if (dtype == GUST_I8) return run(int8_t{});
    fail(GUST_EINVAL, "moments of dtype %d, expected F32, F64, F16, BF16, U8 or I8", dtype);
  });
}
