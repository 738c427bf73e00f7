// Tables with quotes, names and texts; lists of integers; texts as numbers; dictionaries.
#include "fuzz.h"

using namespace gust::fuzz;

namespace {

/** A column of texts as every type, and the names that it makes. */
void use_texts(const int64_t* column, int64_t rows, bool is_strict) {
  for (int32_t dtype : {GUST_I64, GUST_F64, GUST_BOOL}) {
    std::vector<int64_t> values(static_cast<size_t>(rows));
    int64_t first[1];
    need(gust_texts_convert(column[0], column[2], column[3], rows, dtype, is_strict, address(values.data()), first) == GUST_OK, "texts");
    need(first[0] >= -1 && first[0] < rows, "the first that is none");
  }
  int64_t names[1], sizes[2];
  need(gust_names_create(names) == GUST_OK, "names");
  std::vector<int32_t> numbers(static_cast<size_t>(rows)), again(numbers.size());
  need(gust_names_number(names[0], column[0], column[2], rows, 1, address(numbers.data())) == GUST_OK, "numbers");
  need(gust_names_number(names[0], column[0], column[2], rows, 0, address(again.data())) == GUST_OK, "numbers again");
  need(numbers == again, "the same numbers again");
  need(gust_names_sizes(names[0], sizes) == GUST_OK, "sizes");
  std::vector<char> bytes(static_cast<size_t>(sizes[1]));
  std::vector<int64_t> ptr(static_cast<size_t>(sizes[0]) + 1);
  need(gust_names_copy(names[0], address(bytes.data()), address(ptr.data())) == GUST_OK && ptr.back() == sizes[1], "a copy of names");
  need(gust_names_destroy(names[0]) == GUST_OK, "names end");
}

void check_place(int64_t text, int64_t offset) {
  int64_t place[2];
  need(gust_text_place(text, offset, place) == GUST_OK && place[0] > 0 && place[1] > 0, "a place");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  Input in(bytes, size);
  bool is_lists = in.choose(4) == 0;
  int64_t delimiter = in.one_of<int64_t>({',', '\t', 0, ';'}), quotes = in.choose(2), comment = in.one_of<int64_t>({0, '#'});
  int64_t most = in.one_of<int64_t>({-1, -1, 2}), count = 1 + in.choose(4), names[1], columns[8];
  bool is_strict = in.flip();
  need(gust_names_create(names) == GUST_OK, "names");
  for (int64_t c = 0; c < count; ++c) {
    columns[2 * c] = in.choose(8);
    columns[2 * c + 1] = names[0];
  }
  std::vector<char> text = in.rest();
  const int64_t at = address(text.data()), length = static_cast<int64_t>(text.size());
  int64_t table[10], column[4];
  if (is_lists) {
    need(gust_table_lists(at, length, 0, static_cast<int32_t>(comment), table) == GUST_OK, "lists");
  } else {
    int64_t dialect[] = {0, delimiter, quotes, comment, most};
    need(gust_table_parse(at, length, dialect, columns, count, table) == GUST_OK, "a table");
  }
  if (table[5] != 0) {
    need(table[6] >= 0 && table[6] <= table[7] && table[7] <= length, "a mistake inside the text");
    check_place(at, table[6]);
  } else if (!is_lists) {
    need(table[2] <= length, "an end inside the text");
    for (int64_t c = 0; c < count; ++c) {
      need(gust_table_column(table[0], c, column) == GUST_OK, "a column");
      if (columns[2 * c] == GUST_COLUMN_TEXT) use_texts(column, table[1], is_strict);
      else need(columns[2 * c] == GUST_COLUMN_SKIP || column[1] == table[1], "an element per row");
      if (columns[2 * c] == GUST_COLUMN_PLACE)
        for (int64_t r = 0; r < table[1]; ++r) check_place(at, reinterpret_cast<const int64_t*>(column[0])[r]);
    }
  }
  gust_table_destroy(table[0]);
  gust_names_destroy(names[0]);
  check_memory(static_cast<int64_t>(size));
  return 0;
}
