// Generated graphs: the edges are functions of a counter, so nobody stores a list of them. What the files
// generate_<model>.cpp (one random or regular model each), generate_csr.cpp, generate_text.cpp and generate_nodes.cpp
// share.
#pragma once

#include <cstdint>
#include <vector>

#include "../common/rng.h"
#include "../common/status.h"

namespace gust {

struct Arc {
  int64_t from, to;
};

/** Items that draw() is asked for at once, and edges that one item gives at most. */
constexpr int64_t kItems = 256;
constexpr int64_t kMostPerItem = 4;

/** One graph to generate. All functions are const and safe from many threads. */
class Generator {
 public:
  virtual ~Generator() = default;

  int64_t num_nodes = 0;
  int64_t items = 0;        // counters that edges are drawn for
  int64_t per_item = 1;     // edges of one of them at most: up to kMostPerItem
  bool directed = false;    // else each drawn edge stands for both arcs
  int64_t num_classes = 0;  // 0: no labels
  uint64_t seed = 0;

  /** Edges of items begin .. end-1 (at most kItems), without self-loops; returns how many. */
  virtual int64_t draw(int64_t begin, int64_t end, Arc* out) const = 0;
  /** Self-loops that draw() left out of so many items that gave so many edges. */
  virtual int64_t left_out(int64_t, int64_t) const { return 0; }
  /** Class of a node: by default uniform, independent of everything. */
  virtual int32_t class_of(int64_t node) const;
  /** Whether the features of a class have a centre. */
  virtual bool has_centres() const { return false; }
};

/** Feature rows of generated nodes: functions of seed and node. */
class NodeFeatures {
 public:
  NodeFeatures(const Generator& g, int64_t cols, double noise);
  /** Rows begin .. end-1: class centre + noise * deviates, or deviates where classes have no centre. */
  void rows(int64_t begin, int64_t end, float* out) const;
  const int64_t cols;

 private:
  const Generator& generator_;
  const float noise_;
  std::vector<float> centres_;
};

/** The 128 bits of a counter that draw an edge: 48 for either end, 32 for a choice. */
struct EdgeBits {
  uint64_t first, second;
  uint32_t choice;

  explicit EdgeBits(const Philox4& b)
      : first(static_cast<uint64_t>(b.x[0]) << 16 | b.x[1] >> 16),
        second(static_cast<uint64_t>(b.x[2]) << 16 | (b.x[1] & 0xffff)), choice(b.x[3]) {}
  /** A number of 48 bits scaled to 0 .. bound-1. */
  static int64_t below(uint64_t bits, int64_t bound) {
    return static_cast<int64_t>((static_cast<unsigned __int128>(bits) * static_cast<uint64_t>(bound)) >> 48);
  }
};

/** The generator behind a handle. */
const Generator& generator_of(int64_t handle);

/**
 * A random permutation of 0 .. n-1 that stores nothing: an alternating Feistel network on pairs (left, right) of a
 * domain just above n, walked until the value lies below n (Black and Rogaway, CT-RSA 2002, "cycle walking").
 * Expected time: below two evaluations for any n, about one for large n.
 */
class Permutation {
 public:
  Permutation() = default;
  /** n is at most 2^62. */
  Permutation(int64_t n, uint64_t seed, uint32_t stream) : n_(static_cast<uint64_t>(n)) {
    while (bits_ < 31 && (uint64_t{1} << (2 * bits_)) < n_) ++bits_;
    left_ = (n_ + (uint64_t{1} << bits_) - 1) >> bits_;
    for (uint32_t i = 0; i < kRounds; ++i) keys_[i] = Random(seed, stream, 0, 0, 0).u64(i, 0);
  }

  int64_t forward(int64_t i) const {
    auto x = static_cast<uint64_t>(i);
    do x = encrypt(x);
    while (x >= n_);
    return static_cast<int64_t>(x);
  }
  int64_t backward(int64_t i) const {
    auto x = static_cast<uint64_t>(i);
    do x = decrypt(x);
    while (x >= n_);
    return static_cast<int64_t>(x);
  }

 private:
  static constexpr uint32_t kRounds = 4;  // a pseudo-random permutation by Luby and Rackoff 1988

  /** A hash of `half` in 0 .. bound-1 (bound below 2^32). */
  uint64_t round(uint32_t i, uint64_t half, uint64_t bound) const {
    uint64_t h = (half ^ keys_[i]) * 0xbf58476d1ce4e5b9ull;
    h = (h ^ (h >> 32)) * 0x94d049bb133111ebull;
    return ((h >> 32) * bound) >> 32;
  }
  uint64_t encrypt(uint64_t x) const {
    const uint64_t mask = (uint64_t{1} << bits_) - 1;
    uint64_t left = x >> bits_, right = x & mask;
    for (uint32_t i = 0; i < kRounds; i += 2) {
      left += round(i, right, left_);
      left -= left >= left_ ? left_ : 0;
      right = (right + round(i + 1, left, mask + 1)) & mask;
    }
    return left << bits_ | right;
  }
  uint64_t decrypt(uint64_t x) const {
    const uint64_t mask = (uint64_t{1} << bits_) - 1;
    uint64_t left = x >> bits_, right = x & mask;
    for (uint32_t i = kRounds; i > 0; i -= 2) {
      right = (right - round(i - 1, left, mask + 1)) & mask;
      left += left_ - round(i - 2, right, left_);
      left -= left >= left_ ? left_ : 0;
    }
    return left << bits_ | right;
  }

  uint64_t n_ = 0, left_ = 0, keys_[kRounds] = {};
  uint32_t bits_ = 0;  // of the right half: half of those of n, rounded up
};

}  // namespace gust
