// What import shares between its files: owned buffers, the list of edges that readers fill, and the CSR built from it.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../common/context.h"
#include "../common/status.h"

namespace gust {

/** Buffers below this stay in memory whatever the bound: they are few at a time. */
constexpr int64_t kSmallestFile = int64_t{1} << 20;

/** Owned memory of gust::allocate(), or a temporary file's; moved and never copied. */
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t size, bool zero = false) : data_(allocate(size, zero)), size_(size) {}
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~Buffer() { release(); }

  /** In memory where all buffers then hold at most `limit` bytes (-1: no bound), else in an unlinked file. */
  static Buffer within(int64_t size, int64_t limit, bool zero = false);

  int64_t size() const { return size_; }
  explicit operator bool() const { return data_ != nullptr; }
  template <class T>
  T* as() const { return reinterpret_cast<T*>(data_); }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(is_file_, other.is_file_);
  }
  void release() noexcept;
  char* data_ = nullptr;
  int64_t size_ = 0;
  bool is_file_ = false;
};

/**
 * Arcs (source, target) in the order of the file. Edge i has its ids at 2i and 2i + 1 of `ids`; a reader that works
 * on chunks of a text reserves a range for each chunk and fills it in part, so the edges lie in `segments`.
 */
struct EdgeList {
  struct Segment { int64_t start, count; };

  int64_t limit = -1;    // bytes that all buffers may hold in memory, its own and those of a build; -1: no bound
  std::vector<Segment> segments;
  Buffer ids;            // uint32_t pairs, or int64_t pairs where an id reaches 2^31 - 1 (`wide`)
  Buffer weights;        // double per edge slot, or empty
  bool wide = false;
  int64_t min_id = 0, max_source = -1, max_target = -1;  // -1: no edges
  bool unit_weights = true;                              // every weight is 1 (or there are none)
  int64_t comments = 0, blanks = 0;                      // lines left out

  Buffer name_bytes;                // names of string ids, one after another
  std::vector<int64_t> name_ptr;    // where each begins; one more entry than names
  std::vector<int64_t> original;    // after relabelling: the id that number i had

  int64_t count() const {
    int64_t total = 0;
    for (const Segment& s : segments) total += s.count;
    return total;
  }
  int64_t max_id() const { return max_source > max_target ? max_source : max_target; }
};

/** Whether a weight would lose something in float32 that a reader would miss: a large integer, or a huge value. */
inline bool is_wide_weight(double w) {
  auto f = static_cast<float>(w);
  return static_cast<double>(f) != w && (!std::isfinite(f) || w == std::floor(w));
}

/** Largest number of nodes whose ids take 32 bits with one bit to spare for build's tag. */
constexpr int64_t kNarrowIds = (int64_t{1} << 31) - 1;
/** Edges per segment where a reader is free to choose: about 4 MiB of ids. */
constexpr int64_t kSegmentEdges = int64_t{1} << 19;

inline EdgeList& edge_list(int64_t handle) {
  if (handle == 0) fail(GUST_EINVAL, "edge list handle is null");
  EdgeList& edges = *reinterpret_cast<EdgeList*>(handle);
  if (!edges.ids && !edges.segments.empty()) fail(GUST_EINVAL, "edge list was built already, and is used up");
  return edges;
}

}  // namespace gust
