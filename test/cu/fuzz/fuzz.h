// Targets of fuzzing: each gives arbitrary bytes to one part of the native library that reads what strangers made. A
// target ends in abort() where the library broke a promise; sanitizers see the rest.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "gust.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);

namespace gust::fuzz {

inline std::string last_error() {
  char text[1024] = "";
  gust_last_error(text, sizeof text);
  return text;
}

/** Abort, and so have the input kept, unless `holds`. */
inline void need(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s (last error: %s)\n", what, last_error().c_str());
  std::abort();
}

/**
 * The bytes of a run. Choices are taken from their end, so that a file of a fixture is a text as it is. What is left is
 * the library's, and nothing may be read behind it: the memory ends there.
 */
class Input {
 public:
  Input(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {}

  /** 0 .. count - 1 */
  int64_t choose(int64_t count) { return size_ == 0 ? 0 : bytes_[--size_] % count; }
  bool flip() { return choose(2) != 0; }
  template <class T>
  T one_of(std::initializer_list<T> of) { return of.begin()[choose(static_cast<int64_t>(of.size()))]; }
  /** Any 64-bit number. */
  int64_t word() {
    int64_t value = 0;
    for (int i = 0; i < 8; ++i) value = static_cast<int64_t>(static_cast<uint64_t>(value) << 8 | static_cast<uint64_t>(choose(256)));
    return value;
  }
  int64_t size() const { return static_cast<int64_t>(size_); }
  /** A copy of what is left, no byte more. */
  std::vector<char> rest() const { return std::vector<char>(bytes_, bytes_ + size_); }

 private:
  const uint8_t* bytes_;
  size_t size_;
};

inline int64_t address(const void* data) { return reinterpret_cast<int64_t>(data); }

/** Whether the call succeeded. The one excuse is what the input holds. */
inline bool succeeded(int32_t status) {
  need(status == GUST_OK || status == GUST_EDATA || status == GUST_EEOF, "a status other than that of bad data");
  need(status == GUST_OK || !last_error().empty(), "an error without a text");
  return status == GUST_OK;
}

/** The same of a parser of text, whose mistakes begin with "LINE:COLUMN: ". */
inline bool parsed(int32_t status) {
  if (succeeded(status)) return true;
  const std::string text = last_error();
  char* end;
  long long line = std::strtoll(text.c_str(), &end, 10);
  long long column = *end == ':' ? std::strtoll(end + 1, &end, 10) : 0;
  need(line > 0 && column > 0 && end[0] == ':' && end[1] == ' ', "a mistake without its place");
  return false;
}

/** Native memory never goes beyond 10 times the input and 64 MiB. */
inline void check_memory(int64_t input_bytes) {
  int64_t memory[6];
  need(gust_memory(memory) == GUST_OK, "gust_memory");
  need(memory[1] <= 10 * input_bytes + (int64_t{64} << 20), "memory beyond 10 x the input + 64 MiB");
}

/** Every call here is to one thread: libFuzzer runs one target per process. */
inline const bool is_ready = gust_set_num_threads(1) == GUST_OK;

}  // namespace gust::fuzz
