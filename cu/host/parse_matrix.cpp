// Tables of numbers alone: every line has the same count of them, cut by a delimiter or by blanks. Two passes over the
// mapped text, both parallel over fixed chunks: count lines, then fill row-major memory of the caller. No quotes, names
// or comments: what is no number is a mistake with its place. Results depend on the text alone.
#include <cmath>

#include "../include/gust.h"
#include "../common/dtype.h"
#include "parse_edges.h"
#include "parse_values.h"

namespace gust {
namespace {

struct MatrixFormat {
  char delimiter;     // 0 = runs of blanks
  int64_t columns;
  int64_t low, high;  // of integers
  bool may_miss;      // an empty field or "nan" is a missing value: -1, or NaN
};

/** The text without blanks and newlines at its end, so that line i is row i. */
Text trimmed(int64_t address, int64_t size, int64_t begin) {
  const char* data = reinterpret_cast<const char*>(address);
  while (size > begin && (is_blank(data[size - 1]) || data[size - 1] == '\n')) --size;
  return {data, size, begin};
}

bool is_missing(const char* from, const char* to) {
  auto is = [&](char a, char b) { return (*from | 32) == a && (from[1] | 32) == b; };
  return from == to || (to - from == 3 && is('n', 'a') && (from[2] | 32) == 'n');
}

std::string columns_text(int64_t count) { return std::to_string(count) + (count == 1 ? " column" : " columns"); }

/** One field to one element; an empty string, or what is wrong with it. */
template <class T>
std::string parse_element(const char* from, const char* to, const MatrixFormat& format, T& out) {
  if (format.may_miss && is_missing(from, to)) {
    if constexpr (std::is_integral_v<T>) out = T{-1};
    else out = std::numeric_limits<T>::quiet_NaN();
    return {};
  }
  if constexpr (std::is_integral_v<T>) {
    int64_t x = 0;
    int bad = to_integer(from, to, x);
    if (bad == 1) return " is not an integer";
    if (bad || x < format.low || x > format.high)
      return " is out of range, expected " + std::to_string(format.low) + " to " + std::to_string(format.high);
    out = static_cast<T>(x);
  } else {
    double x = 0;
    if (int bad = to_number(from, to, x); bad) return bad == 1 ? " is not a number" : " is not finite, expected a number";
    out = static_cast<T>(x);
    if (!std::isfinite(out)) return " is past float32, expected -3.4e38 to 3.4e38";
  }
  return {};
}

/** A field without the blanks around it, where the next one begins, and whether there is one. */
struct Cut { const char *first, *last, *next; bool has_next; };

Cut cut_field(const char* p, const char* end, char delimiter) {
  while (p < end && is_blank(*p) && *p != delimiter) ++p;
  const char* first = p;
  while (p < end && (delimiter ? *p != delimiter : !is_blank(*p))) ++p;
  const char* last = p;
  while (last > first && is_blank(last[-1])) --last;
  if (delimiter) return {first, last, p + (p < end), p < end};
  while (p < end && is_blank(*p)) ++p;
  return {first, last, p, p < end};
}

/** Fill the rows of one line after another from `row` on; the first mistake ends it. */
template <class T>
void parse_rows(const Text& text, int64_t from, int64_t to, const MatrixFormat& format, const std::string& title,
                T* row, TextProblem& problem) {
  for_lines(text, from, to, [&](const char* begin, const char* end, ptrdiff_t shift) {
    auto refuse = [&](const char* at, std::string what) {
      problem = {at + shift - text.data, std::move(what)};
      return false;
    };
    Cut cut{begin, begin, begin, true};
    int64_t column = 0;
    for (; column < format.columns && cut.has_next; ++column) {
      cut = cut_field(cut.next, end, format.delimiter);
      std::string what = parse_element(cut.first, cut.last, format, row[column]);
      bool is_blank_line = column == 0 && !cut.has_next && cut.first == cut.last;
      if (is_blank_line) return refuse(begin, "a blank line, expected " + columns_text(format.columns));
      if (!what.empty()) return refuse(cut.first, title + " " + quoted(cut.first, cut.last) + what);
    }
    if (column < format.columns || cut.has_next) {
      Field none[1];
      int count = split_fields(begin, end, format.delimiter, none, 0);
      return refuse(begin, columns_text(count) + ", expected " + std::to_string(format.columns));
    }
    row += format.columns;
    return true;
  });
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_matrix_rows(int64_t address, int64_t size, int64_t begin, int64_t* out) {
  return guard([&] {
    Text text = trimmed(address, size, begin);
    out[0] = line_starts(text).back();
  });
}

int32_t gust_matrix_parse(int64_t address, int64_t size, const int64_t* format, const char* title, int32_t dtype,
                          int64_t matrix) {
  return guard([&] {
    Text text = trimmed(address, size, format[0]);
    MatrixFormat f{static_cast<char>(format[1]), format[2], format[3], format[4], format[5] != 0};
    if (f.columns < 1) fail(GUST_EINVAL, "matrix of %lld columns", static_cast<long long>(f.columns));
    std::vector<int64_t> starts = line_starts(text);
    std::vector<TextProblem> problems(static_cast<size_t>(text.chunks()));
    const std::string name = title;
    auto parse = [&](auto zero) {
      using T = decltype(zero);
      T* rows = reinterpret_cast<T*>(matrix);
      parallel_tasks(text.chunks(), [&](int64_t c) {
        parse_rows(text, text.start(c), text.start(c + 1), f, name, rows + starts[c] * f.columns, problems[c]);
      });
    };
    switch (dtype) {
      case GUST_I64: parse(int64_t{}); break;
      case GUST_I32: parse(int32_t{}); break;
      case GUST_F32: parse(float{}); break;
      case GUST_F64: parse(double{}); break;
      default: fail(GUST_EINVAL, "matrix of dtype %d", dtype);
    }
    raise_first(text, problems);
  });
}
