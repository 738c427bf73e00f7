// Columns of texts, as bytes and where each begins: what they stand for, a choice of them, places in a file.
#include <string_view>

#include "../include/gust.h"
#include "parse_values.h"

using namespace gust;

int32_t gust_text_place(int64_t address, int64_t offset, int64_t* out) {
  return guard([&] {
    const char *data = reinterpret_cast<const char*>(address), *at = data + offset, *bol = at;
    while (bol > data && bol[-1] != '\n') --bol;
    out[0] = 1 + std::count(data, at, '\n');
    out[1] = at - bol + 1;
  });
}

int32_t gust_texts_convert(int64_t bytes, int64_t ptr, int64_t present, int64_t count, int32_t dtype, int32_t strict,
                           int64_t values, int64_t* out) {
  return guard([&] {
    const auto* text = reinterpret_cast<const char*>(bytes);
    const auto* begin = reinterpret_cast<const int64_t*>(ptr);
    const auto* there = reinterpret_cast<const uint8_t*>(present);
    auto canonical = [](std::string_view s) {  // as a program would print it: no sign +, no blanks, no leading zeros
      if (!s.empty() && s[0] == '-') s.remove_prefix(1);
      if (s.empty() || !is_digit(s[0]) || is_blank(s.back())) return false;
      return s.size() == 1 || s[0] != '0' || !is_digit(s[1]);
    };
    auto is_word = [](std::string_view s, std::string_view word) {
      return s.size() == word.size() &&
             std::equal(s.begin(), s.end(), word.begin(), [](char a, char b) { return (a | 0x20) == b; });
    };
    out[0] = -1;
    for (int64_t i = 0; i < count; ++i) {
      const char *from = text + begin[i], *to = text + begin[i + 1];
      std::string_view s(from, static_cast<size_t>(to - from));
      bool good = true;
      if (dtype == GUST_BOOL) {
        auto* to_bool = reinterpret_cast<uint8_t*>(values);
        to_bool[i] = there[i] && is_word(s, "true");
        good = !there[i] || to_bool[i] || is_word(s, "false");
      } else if (dtype == GUST_I64) {
        auto& value = reinterpret_cast<int64_t*>(values)[i];
        value = 0;
        good = !there[i] || (to_integer(from, to, value) == 0 && (!strict || canonical(s)));
      } else if (dtype == GUST_F64) {
        auto& value = reinterpret_cast<double*>(values)[i];
        value = 0;
        good = !there[i] || (to_number(from, to, value) == 0 && (!strict || canonical(s)));
      } else {
        fail(GUST_EINVAL, "texts to dtype %d", dtype);
      }
      if (!good) {
        out[0] = i;
        return;
      }
    }
  });
}

int32_t gust_texts_select(int64_t bytes, int64_t ptr, int64_t rows, int64_t count, int64_t out_bytes, int64_t out_ptr) {
  return guard([&] {
    const auto* from = reinterpret_cast<const char*>(bytes);
    const auto *begin = reinterpret_cast<const int64_t*>(ptr), *row = reinterpret_cast<const int64_t*>(rows);
    auto* to = reinterpret_cast<int64_t*>(out_ptr);
    to[0] = 0;
    for (int64_t i = 0; i < count; ++i) to[i + 1] = to[i] + begin[row[i] + 1] - begin[row[i]];
    if (out_bytes == 0) return;
    auto* copy = reinterpret_cast<char*>(out_bytes);
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(copy + to[i], from + begin[row[i]], static_cast<size_t>(to[i + 1] - to[i]));
  });
}
