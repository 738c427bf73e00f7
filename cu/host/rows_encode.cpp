// Float32 matrices in fewer bits, and what that costs.
//
// bf16: rounded to the nearest, ties to even. int8: x = q s with q in -127 .. 127 and s = max |x| / 127 of the row or
// of the column, so that an error is at most s / 2 but for the rounding of the product. Decoding is float(q) * s in
// float32, as ops do it, and errors are of that. Rows are cut into chunks that depend on the shape alone and sums are
// added in their order: the same numbers for any thread count. Traffic: one read of the matrix, one write of the codes.
#include <algorithm>
#include <cmath>
#include <vector>

#include "../common/dtype.h"
#include "../common/parallel.h"
#include "../include/gust.h"

using namespace gust;

namespace {

constexpr int64_t kRows = 256;

struct Errors {
  double most = 0, squares = 0, of = 0;
  Errors& operator+=(const Errors& other) {
    most = std::max(most, other.most);
    squares += other.squares;
    of += other.of;
    return *this;
  }
  void add(float x, float decoded) {
    const double error = static_cast<double>(decoded) - x;
    most = std::max(most, std::abs(error));
    squares += error * error;
    of += static_cast<double>(x) * x;
  }
};

template <class Encode>
Errors encode(int64_t rows, int64_t cols, const float* from, Encode&& one) {
  return parallel_sum<Errors>(rows, kRows, [&](int64_t begin, int64_t end) {
    Errors errors;
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < cols; ++j) errors.add(from[i * cols + j], one(i, j, from[i * cols + j]));
    return errors;
  });
}

}  // namespace

int32_t gust_rows_extremes(int64_t rows, int64_t cols, int64_t from, int64_t row_max, int64_t column_max) {
  return guard([&] {
    const auto* x = reinterpret_cast<const float*>(from);
    auto *of_row = reinterpret_cast<float*>(row_max), *of_column = reinterpret_cast<float*>(column_max);
    struct Columns : std::vector<float> {
      Columns& operator+=(const Columns& other) {
        if (empty()) assign(other.size(), 0.0f);
        for (size_t j = 0; j < size(); ++j) (*this)[j] = std::max((*this)[j], other[j]);
        return *this;
      }
    };
    const auto most = parallel_sum<Columns>(rows, kRows * 16, [&](int64_t begin, int64_t end) {
      Columns columns;
      columns.assign(static_cast<size_t>(cols), 0.0f);
      for (int64_t i = begin; i < end; ++i) {
        float row = 0;
        for (int64_t j = 0; j < cols; ++j) {
          const float size = std::abs(x[i * cols + j]);
          row = std::max(row, size);
          columns[j] = std::max(columns[j], size);
        }
        of_row[i] = row;
      }
      return columns;
    });
    for (size_t j = 0; j < most.size(); ++j) of_column[j] = std::max(of_column[j], most[j]);
  });
}

int32_t gust_rows_encode(int64_t rows, int64_t cols, int64_t from, int32_t dtype, int64_t row_scale,
                         int64_t column_scale, int64_t to, double* out) {
  return guard([&] {
    const auto* x = reinterpret_cast<const float*>(from);
    const auto *by_row = reinterpret_cast<const float*>(row_scale),
               *by_column = reinterpret_cast<const float*>(column_scale);
    Errors errors;
    if (dtype == GUST_BF16) {
      auto* codes = reinterpret_cast<bfloat16*>(to);
      errors = encode(rows, cols, x, [&](int64_t i, int64_t j, float value) {
        const bfloat16 code = to_bfloat16(value);
        if (codes) codes[i * cols + j] = code;
        return to_float(code);
      });
    } else if (dtype == GUST_I8 && !by_row != !by_column) {
      auto* codes = reinterpret_cast<int8_t*>(to);
      errors = encode(rows, cols, x, [&](int64_t i, int64_t j, float value) {
        const float scale = by_row ? by_row[i] : by_column[j];
        const float code = scale > 0 ? std::clamp(std::nearbyint(value / scale), -127.0f, 127.0f) : 0.0f;
        if (codes) codes[i * cols + j] = static_cast<int8_t>(code);
        return code * scale;
      });
    } else {
      fail(GUST_EINVAL, "dtype %d, expected BF16, or I8 with a scale per row or per column", dtype);
    }
    out[0] = errors.most;
    out[1] = errors.squares;
    out[2] = errors.of;
  });
}
