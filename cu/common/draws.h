// The random integers of one node, one after another: what samplers of every device draw with.
#pragma once

#include "rng.h"

namespace gust {

constexpr int64_t kMaxDraws = int64_t{1} << 18;  // of one node: what the key packing has room for
constexpr const char* kDrawsUsedUp = "fanout too large: the draws of one node are used up";

/**
 * Whether a 32-bit word is drawn again that was multiplied by `bound`: without these, the high halves of the products
 * would favour some numbers below the bound (Lemire 2019, arXiv:1805.10941).
 */
GUST_HD inline bool is_drawn_again(uint64_t product, uint32_t bound) {
  const auto low = static_cast<uint32_t>(product);
  return low < bound && low < static_cast<uint32_t>(-bound) % bound;
}

/** The words of one node in order. */
class Draws {
 public:
  GUST_HD Draws(const Random& random, uint64_t id) : random_(random), id_(id) {}

  /** Uniform in [0, bound), without bias. */
  GUST_HD uint64_t below(uint64_t bound) {
    if (bound > UINT32_MAX) {  // a multiply-shift of 64 bits: bias below bound / 2^64
      const uint64_t high = next();
      return static_cast<uint64_t>((static_cast<unsigned __int128>(high << 32 | next()) * bound) >> 64);
    }
    uint64_t product;
    do product = next() * bound;
    while (is_drawn_again(product, static_cast<uint32_t>(bound)));
    return product >> 32;
  }
  /** Whether more was asked for than there is: what was drawn then means nothing. */
  GUST_HD bool used_up() const { return used_ > kMaxDraws; }

 private:
  GUST_HD uint64_t next() {
    if (used_ >= kMaxDraws) {
      used_ = kMaxDraws + 1;
      return UINT32_MAX;  // no bound draws this again
    }
    if (used_ % 4 == 0) block_ = random_.block(id_, static_cast<uint32_t>(used_ / 4));
    return block_.x[used_++ % 4];
  }
  const Random& random_;
  uint64_t id_;
  int64_t used_ = 0;
  Philox4 block_{};
};

}  // namespace gust
