// Dropout masks, as every kernel that drops draws them.
#pragma once

#include <bit>

#include "../../common/op.h"
#include "../../common/rng_blocks.h"

GUST_OPS_BEGIN

/** An element is kept where its 32-bit draw is at least p * 2^32: integers only. p is below 1. */
inline uint32_t drop_threshold(double p) { return static_cast<uint32_t>(p * 0x1p32); }

/** x if `keep`, else 0, without a branch: the outcome is random, so half of the predictions would miss. */
template <class T>
inline T kept(T x, bool keep) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  return std::bit_cast<T>(std::bit_cast<Bits>(x) & -static_cast<Bits>(keep));
}

/**
 * The id of an edge: 40 bits of a hash of its nodes, so that the mask follows the edge into any batch and order.
 *
 * @param row  mix64() of the id of the edge's row.
 */
inline uint64_t edge_id(uint64_t row, uint64_t column) { return mix64(row ^ column) & 0xffffffffffull; }

GUST_OPS_END
