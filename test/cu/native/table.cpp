// Tables of text on arbitrary bytes: whatever they hold, nothing outside of them is read, and what was read is counted.
#include "check.h"

using namespace gust::test;

namespace {

/** Bytes that matter to the parser more often than others; the same ones every time. */
std::string noise(uint64_t seed, size_t size) {
  static constexpr char kLikely[] = "\",\n\r\t 0123456789.-+e#%ab\xc3\xa9\xf0\x9f";
  std::string text(size, ' ');
  for (char& c : text) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t draw = seed >> 33;
    c = draw % 8 == 0 ? static_cast<char>(draw >> 3) : kLikely[(draw >> 3) % (sizeof kLikely - 1)];
  }
  return text;
}

/** A copy on the heap without a byte behind it: a sanitizer sees reads past the end. */
struct Exact {
  explicit Exact(const std::string& text) : size(static_cast<int64_t>(text.size())), data(new char[text.size()]) {
    std::memcpy(data.get(), text.data(), text.size());
  }
  int64_t address() const { return reinterpret_cast<int64_t>(data.get()); }
  int64_t size;
  std::unique_ptr<char[]> data;
};

}  // namespace

GUST_TEST(tables_of_arbitrary_bytes_read_nothing_outside) {
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    Exact text(noise(seed, seed % 67));
    int64_t names[1];
    GUST_CHECK(gust_names_create(names) == 0);
    for (int64_t delimiter : {0, static_cast<int>(','), static_cast<int>('\t')}) {
      int64_t dialect[] = {0, delimiter, static_cast<int64_t>(seed % 2), seed % 3 == 0 ? '#' : 0, -1};
      int64_t columns[] = {GUST_COLUMN_TEXT, 0, GUST_COLUMN_NAME, names[0], GUST_COLUMN_PLACE, 0};
      if (seed % 5 == 0) columns[0] = GUST_COLUMN_NUMBER;
      if (seed % 5 == 1) columns[0] = GUST_COLUMN_INTEGER;
      int64_t count = 1 + static_cast<int64_t>(seed % 3), out[10], column[4];
      GUST_CHECK(gust_table_parse(text.address(), text.size, dialect, columns, count, out) == 0);
      GUST_CHECK(out[2] <= text.size && out[6] >= 0 && out[7] <= text.size);
      if (out[5] == 0) {
        GUST_CHECK(out[2] == text.size);
        for (int64_t c = 0; c < count; ++c) {
          GUST_CHECK(gust_table_column(out[0], c, column) == 0);
          GUST_CHECK(columns[2 * c] == GUST_COLUMN_TEXT || column[1] == out[1]);
        }
      }
      GUST_CHECK(gust_table_destroy(out[0]) == 0);
    }
    GUST_CHECK(gust_names_destroy(names[0]) == 0);
  }
}

GUST_TEST(lists_of_arbitrary_bytes_read_nothing_outside) {
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    Exact text(noise(seed + 99991, seed % 41));
    int64_t out[10];
    GUST_CHECK(gust_table_lists(text.address(), text.size, 0, seed % 2 ? '#' : 0, out) == 0);
    GUST_CHECK(out[5] != 0 || out[1] >= 0);
    GUST_CHECK(gust_table_destroy(out[0]) == 0);
  }
}

GUST_TEST(rows_of_a_table_can_be_parsed_one_by_one) {
  Exact text("1,a\n2,\"b\nc\"\n3,d");
  int64_t columns[] = {GUST_COLUMN_INTEGER, 0, GUST_COLUMN_TEXT, 0};
  int64_t at = 0, rows = 0, out[10], column[4];
  while (at < text.size) {
    int64_t dialect[] = {at, ',', 1, 0, 1};
    GUST_CHECK(gust_table_parse(text.address(), text.size, dialect, columns, 2, out) == 0);
    GUST_CHECK(out[1] == 1 && out[5] == 0);
    GUST_CHECK(gust_table_column(out[0], 0, column) == 0);
    GUST_CHECK(*reinterpret_cast<int64_t*>(column[0]) == ++rows);
    at = out[2];
    GUST_CHECK(gust_table_destroy(out[0]) == 0);
  }
  GUST_CHECK(rows == 3);
}
