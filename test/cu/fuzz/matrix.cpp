// Tables of numbers alone, of every element type.
#include "fuzz.h"

using namespace gust::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  Input in(bytes, size);
  int64_t delimiter = in.one_of<int64_t>({0, ',', '\t', ' '}), columns = 1 + in.choose(4), may_miss = in.choose(2);
  int32_t dtype = in.one_of<int32_t>({GUST_I64, GUST_I32, GUST_F32, GUST_F64});
  int64_t low = in.one_of<int64_t>({INT64_MIN, 0, -5}), high = in.one_of<int64_t>({INT64_MAX, 9, 1000});
  if (dtype == GUST_I32) low = INT32_MIN, high = INT32_MAX;
  std::vector<char> text = in.rest();
  int64_t rows[1], format[] = {0, delimiter, columns, low, high, may_miss};
  if (!parsed(gust_matrix_rows(address(text.data()), static_cast<int64_t>(text.size()), 0, rows))) return 0;
  need(rows[0] >= 0 && rows[0] <= static_cast<int64_t>(text.size()), "a row has a byte");
  int64_t element = dtype == GUST_I64 || dtype == GUST_F64 ? 8 : 4;
  std::vector<char> matrix(static_cast<size_t>(rows[0] * columns * element));
  parsed(gust_matrix_parse(address(text.data()), static_cast<int64_t>(text.size()), format, "value", dtype, address(matrix.data())));
  check_memory(static_cast<int64_t>(size));
  return 0;
}
