// What `gust inspect --check` asks of arrays, of arrays that hold anything: answers lie inside of them.
#include "fuzz.h"

using namespace gust::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  Input in(bytes, size);
  int64_t call = in.choose(12), rows = in.choose(16), scale = in.one_of<int64_t>({1, 1, 8});
  int32_t dtype = in.one_of<int32_t>({GUST_I64, GUST_I32}), strict = static_cast<int32_t>(in.choose(2));
  int64_t low = in.word(), high = in.word();
  // Pointers of small numbers are often sound, and checks then go on to the elements.
  auto take = [&](int64_t count, int64_t unit) {
    std::vector<int64_t> values(static_cast<size_t>(count));
    for (int64_t& value : values) value = unit == 8 ? in.word() : in.choose(12);
    return values;
  };
  std::vector<int64_t> ptr = take(rows + 1, scale);
  int64_t items = in.flip() ? ptr.back() : in.choose(64);
  if (items < 0 || items > 4096) items = 3;
  std::vector<int64_t> wide = take(items, scale);
  std::vector<int32_t> narrow(wide.begin(), wide.end());
  std::vector<int64_t> lows = take(rows, 1), highs = take(rows, 1);
  std::vector<int32_t> group(static_cast<size_t>(items));
  for (int32_t& g : group) g = static_cast<int32_t>(in.choose(6));
  const int64_t p = address(ptr.data()), v = dtype == GUST_I64 ? address(wide.data()) : address(narrow.data());
  int64_t out[8] = {}, labels[3];
  std::vector<int64_t> to(static_cast<size_t>(rows) + 1), room(static_cast<size_t>(items) + 1);
  switch (call) {
    case 0: succeeded(gust_check_rows(p, rows, items, dtype, v, strict, out)); break;
    case 1: succeeded(gust_check_bounded(p, rows, items, dtype, v, address(lows.data()), address(highs.data()), out)); break;
    case 2: succeeded(gust_check_permutation(address(wide.data()), items, out)); break;
    case 3: succeeded(gust_check_grouped(p, rows, address(wide.data()), address(group.data()), items, out)); break;
    case 4: succeeded(gust_check_symmetric(p, rows, items, dtype, v, out)); break;
    case 5: succeeded(gust_graph_stats(p, rows, items, dtype, v, out)); break;
    case 6: succeeded(gust_check_range(dtype, v, items, low, high, out)); break;
    case 7: succeeded(gust_check_ascending(dtype, v, items, strict, out)); break;
    case 8: succeeded(gust_check_no_common(address(lows.data()), rows, address(highs.data()), rows, out)); break;
    case 9: succeeded(gust_rows_rebase(rows, p, items, address(to.data()))); break;
    case 10: succeeded(gust_rows_gather_indptr(items, v, dtype, rows, p, 64, low, address(room.data()), labels)); break;
    default: succeeded(gust_check_finite(GUST_F64, address(wide.data()), items, out));
  }
  check_memory(static_cast<int64_t>(size));
  return 0;
}
