// Names to numbers: the hash table behind string ids, and a dictionary that keeps its names between files.
#pragma once

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "build.h"

namespace gust {

/** Names to numbers 0, 1, 2, ... in order of arrival: open addressing over a vector of names. */
class NameTable {
 public:
  uint32_t number(std::string_view name) {
    if (names.size() * 2 >= slots_.size()) grow();
    uint64_t hash = XXH3_64bits(name.data(), name.size());
    for (size_t i = hash & mask_;; i = (i + 1) & mask_) {
      if (slots_[i] == 0) {
        names.push_back(name);
        if (names.size() >= static_cast<size_t>(kNarrowIds)) fail(GUST_ENOSYS, "more than 2^31 different node names");
        slots_[i] = static_cast<uint32_t>(names.size());
        return slots_[i] - 1;
      }
      if (names[slots_[i] - 1] == name) return slots_[i] - 1;
    }
  }

  /** The number of a name, or -1. */
  int64_t find(std::string_view name) const {
    if (slots_.empty()) return -1;
    for (size_t i = XXH3_64bits(name.data(), name.size()) & mask_;; i = (i + 1) & mask_) {
      if (slots_[i] == 0) return -1;
      if (names[slots_[i] - 1] == name) return slots_[i] - 1;
    }
  }

  std::vector<std::string_view> names;

 private:
  void grow() {
    std::vector<uint32_t> bigger(slots_.empty() ? 1024 : slots_.size() * 2);
    size_t mask = bigger.size() - 1;
    for (uint32_t n = 0; n < names.size(); ++n) {
      size_t i = XXH3_64bits(names[n].data(), names[n].size()) & mask;
      while (bigger[i] != 0) i = (i + 1) & mask;
      bigger[i] = n + 1;
    }
    slots_.swap(bigger);
    mask_ = mask;
  }
  std::vector<uint32_t> slots_;  // number + 1, 0 = free
  size_t mask_ = 0;
};

/** Names that outlive the text they came from. */
class Names {
 public:
  /** The number of a name, which is added if it is new. */
  uint32_t add(std::string_view name) {
    size_t before = table_.names.size();
    uint32_t number = table_.number(name);
    if (table_.names.size() > before) table_.names.back() = keep(name);
    return number;
  }
  int64_t find(std::string_view name) const { return table_.find(name); }
  int64_t count() const { return static_cast<int64_t>(table_.names.size()); }
  int64_t bytes() const { return bytes_; }
  const std::vector<std::string_view>& all() const { return table_.names; }

 private:
  static constexpr size_t kFirstBlock = 256, kBlock = size_t{1} << 16;  // blocks double: most sets are small

  std::string_view keep(std::string_view name) {
    if (name.size() > room_) {
      room_ = std::max({name.size(), kFirstBlock, std::min(kBlock, static_cast<size_t>(bytes_))});
      blocks_.push_back(std::make_unique<char[]>(room_));
      next_ = blocks_.back().get();
    }
    char* at = next_;
    if (!name.empty()) std::memcpy(at, name.data(), name.size());
    next_ += name.size();
    room_ -= name.size();
    bytes_ += static_cast<int64_t>(name.size());
    return {at, name.size()};
  }

  NameTable table_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  size_t room_ = 0;
  int64_t bytes_ = 0;
};

inline Names& names_of(int64_t handle) {
  if (handle == 0) fail(GUST_EINVAL, "names handle is null");
  return *reinterpret_cast<Names*>(handle);
}

}  // namespace gust
