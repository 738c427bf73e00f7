// Errors inside the library are exceptions; guard() turns them into a status and a text at the ABI.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <exception>
#include <new>
#include <string>

#include "../include/gust_codes.h"

namespace gust {

/** What the library throws: a GUST_E* code and a text that names the place and, where likely, the fix. */
class Error : public std::exception {
 public:
  Error(int32_t code, std::string text) : code_(code), text_(std::move(text)) {}
  int32_t code() const { return code_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  int32_t code_;
  std::string text_;
};

/** printf into a std::string. */
std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));
/** Throw Error(code, printf text). */
[[noreturn]] void fail(int32_t code, const char* pattern, ...) __attribute__((format(printf, 2, 3)));
/** Throw GUST_EIO with `what` and the text of errno (GUST_EPIPE for EPIPE). */
[[noreturn]] void fail_errno(const std::string& what);
/** Remember the text for gust_last_error() and return the code. */
int32_t set_error(int32_t code, const char* text) noexcept;

/** Run `body` and return GUST_OK, or the status of what it threw. Every ABI function is guard([&] { ... }). */
template <class Body>
int32_t guard(Body&& body) noexcept {
  try {
    body();
    return GUST_OK;
  } catch (const Error& e) {
    return set_error(e.code(), e.what());
  } catch (const std::bad_alloc&) {
    return set_error(GUST_ENOMEM, "out of memory");
  } catch (const std::exception& e) {
    return set_error(GUST_EFAIL, e.what());
  } catch (...) {
    return set_error(GUST_EFAIL, "unknown failure in native code");
  }
}

}  // namespace gust
