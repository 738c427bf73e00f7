// Pieces of text as values: encodings, integers, numbers.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "parse_text.h"

namespace gust {

/** Whether the bytes are UTF-8 (no surrogates, no overlong forms) without NUL. Source: RFC 3629, section 4. */
inline bool is_utf8(const char* from, const char* to) {
  auto at = [&](const char* p) { return static_cast<unsigned char>(*p); };
  auto tail = [&](const char* p, unsigned low = 0x80, unsigned high = 0xbf) {
    return p < to && at(p) >= low && at(p) <= high;
  };
  for (const char* p = from; p < to;) {
    unsigned c = at(p);
    if (c == 0) return false;
    if (c < 0x80) {
      ++p;
    } else if (c >= 0xc2 && c <= 0xdf) {
      if (!tail(p + 1)) return false;
      p += 2;
    } else if ((c & 0xf0) == 0xe0) {
      if (!tail(p + 1, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf) || !tail(p + 2)) return false;
      p += 3;
    } else if (c >= 0xf0 && c <= 0xf4) {
      if (!tail(p + 1, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf) || !tail(p + 2) || !tail(p + 3)) return false;
      p += 4;
    } else {
      return false;
    }
  }
  return true;
}

/** Digits of [from, to), blanks around them and a sign allowed. 0: an integer, 1: none, 2: too large for 64 bits. */
inline int to_integer(const char* from, const char* to, int64_t& value) {
  while (from < to && is_blank(*from)) ++from;
  while (to > from && is_blank(to[-1])) --to;
  if (to - from > 1 && *from == '+' && is_digit(from[1])) ++from;
  auto [stop, error] = std::from_chars(from, to, value);
  if (stop != to || from == to || error == std::errc::invalid_argument) return 1;
  return error == std::errc::result_out_of_range ? 2 : 0;
}

/** The nearest finite number, 0 for what is too small. 0: one, 1: none, 2: not finite, or too large for float64. */
inline int to_number(const char* from, const char* to, double& value) {
  while (from < to && is_blank(*from)) ++from;
  while (to > from && is_blank(to[-1])) --to;
  if (to - from > 1 && *from == '+' && from[1] != '-') ++from;
  auto [stop, error] = std::from_chars(from, to, value);
  if (stop != to || from == to || error == std::errc::invalid_argument) return 1;
  // Past the range from_chars leaves the value alone; strtod tells tiny (0) from huge (infinite).
  if (error == std::errc::result_out_of_range) value = std::strtod(std::string(from, to).c_str(), nullptr);
  return std::isfinite(value) ? 0 : 2;
}

}  // namespace gust
