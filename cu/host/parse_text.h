// Text in parallel: a mapped file is cut into fixed chunks of bytes, and a chunk owns the lines that start in it. Line
// numbers are computed only when a message needs one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "../common/parallel.h"
#include "../common/status.h"

namespace gust {

/** Bytes per chunk: large enough that per-chunk tables are small, small enough for many threads. */
#ifndef GUST_TEXT_CHUNK  // tests of the seams between chunks make them small
#define GUST_TEXT_CHUNK (int64_t{1} << 22)
#endif
constexpr int64_t kTextChunk = GUST_TEXT_CHUNK;

struct Text {
  const char* data;  // the whole file, for line numbers
  int64_t size;
  int64_t begin;  // first byte of the part to parse, at the start of a line

  int64_t chunks() const { return num_chunks(size - begin, kTextChunk); }
  /** Start of the first line of chunk c; chunk `chunks()` starts at the end of the text. */
  int64_t start(int64_t c) const {
    int64_t at = begin + c * kTextChunk;
    if (c == 0) return begin;
    if (at >= size) return size;
    const void* newline = std::memchr(data + at - 1, '\n', static_cast<size_t>(size - at + 1));
    return newline ? static_cast<const char*>(newline) - data + 1 : size;
  }
};

/** A problem found in a chunk; the one of the earliest chunk is reported, whatever the threads did. */
struct TextProblem {
  int64_t at = -1;  // byte offset in the text; -1: none
  std::string text;
};

/** Throw the earliest problem as GUST_EDATA "LINE:COLUMN: text" (columns count bytes, from 1). */
inline void raise_first(const Text& text, const std::vector<TextProblem>& problems) {
  for (const TextProblem& p : problems) {
    if (p.at < 0) continue;
    int64_t line = 1 + std::count(text.data, text.data + p.at, '\n');
    int64_t bol = p.at;
    while (bol > 0 && text.data[bol - 1] != '\n') --bol;
    fail(GUST_EDATA, "%lld:%lld: %s", static_cast<long long>(line), static_cast<long long>(p.at - bol + 1),
         p.text.c_str());
  }
}

/** What is wrong with a '\r' without '\n' behind it, as old Macs ended lines: it would be a blank, and all lines one. */
constexpr const char* kLoneReturn = "a carriage return ends the line by itself, expected newlines";

/** The first '\r' of [from, to) with neither '\n' nor the end of the text behind it, or null. */
inline const char* find_lone_return(const Text& text, const char* from, const char* to) {
  const char* end = text.data + text.size;
  for (const char* p = from; p < to; ++p) {
    p = static_cast<const char*>(std::memchr(p, '\r', static_cast<size_t>(to - p)));
    if (!p) return nullptr;
    if (p + 1 < end && p[1] != '\n') return p;
  }
  return nullptr;
}

/**
 * Run body(line, end) for the lines of [from, to) of the text, both at line starts. `*end` is always '\n': the last
 * line of a text without one is handed over as a copy, and `shift` added to its addresses gives the real ones. The
 * body returns false to stop.
 */
template <class Body>
void for_lines(const Text& text, int64_t from, int64_t to, Body&& body) {
  const char *p = text.data + from, *stop = text.data + to;
  while (p < stop) {
    const char* end = static_cast<const char*>(std::memchr(p, '\n', static_cast<size_t>(stop - p)));
    if (!end) {
      std::string last(p, stop);
      last.push_back('\n');
      body(last.data(), last.data() + last.size() - 1, p - last.data());
      return;
    }
    if (!body(p, end, ptrdiff_t{0})) return;
    p = end + 1;
  }
}

/** A piece of input in quotes for a message, cut where it is long. */
inline std::string quoted(const char* from, const char* to) {
  constexpr ptrdiff_t kShown = 40;
  std::string text(from, std::min(to - from, kShown));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = '?';
  return "\"" + text + (to - from > kShown ? "...\"" : "\"");
}

inline bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') <= 9; }

}  // namespace gust
