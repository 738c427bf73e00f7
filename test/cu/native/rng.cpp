// The random generator, one block and many blocks at a time.
#include "../../../cu/common/rng_blocks.h"

#include "check.h"

using namespace gust;

// Known answers of Random123 (kat_vectors, philox4x32 10).
GUST_TEST(philox_gives_the_published_words) {
  auto equal = [](Philox4 got, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return got.x[0] == a && got.x[1] == b && got.x[2] == c && got.x[3] == d;
  };
  constexpr uint32_t kOnes = 0xffffffffu;
  GUST_CHECK(equal(philox(0, 0, 0, 0, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  GUST_CHECK(equal(philox(kOnes, kOnes, kOnes, kOnes, kOnes, kOnes), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  GUST_CHECK(equal(philox(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0), 0xd16cfe09,
                   0x94fdcceb, 0x5001e420, 0x24126ea1));
}

GUST_TEST(philox_blocks_equals_single_blocks) {
  const Random random(99, stream_id("blocks"), 4, 5, 6);
  for (int count = 0; count <= 70; ++count) {
    std::vector<uint32_t> c0(static_cast<size_t>(count)), c1(c0), words(4 * c0.size());
    for (int i = 0; i < count; ++i) {
      c0[i] = static_cast<uint32_t>(1000 + i);
      c1[i] = random.c1 | static_cast<uint32_t>(i) << 16;
    }
    philox_blocks(random, c0.data(), c1.data(), count, words.data());
    for (int i = 0; i < count; ++i) {
      const Philox4 one = random.block(static_cast<uint64_t>(1000 + i), static_cast<uint32_t>(i));
      for (int w = 0; w < 4; ++w) GUST_CHECK(words[4 * i + w] == one.x[w]);
    }
  }
}

GUST_TEST(for_draws_gives_every_element_its_draw_once) {
  const Random random(7, stream_id("rows"), 1, 2, 3);
  std::vector<int64_t> starts{0};  // rows of 0, 1, .. 40 and one of 5000 draws
  for (int64_t i = 0; i <= 41; ++i) starts.push_back(starts.back() + (i == 41 ? 5000 : i));
  const int64_t rows = static_cast<int64_t>(starts.size()) - 1;
  auto id = [](int64_t i) { return (uint64_t{1} << 33) + static_cast<uint64_t>(i) * 17; };
  std::vector<int> seen(static_cast<size_t>(starts.back()), 0);
  std::vector<uint32_t> words(seen.size());
  for_draws(
      random, 0, rows, [&](int64_t i) { return DrawRow{id(i), starts[i], starts[i + 1] - starts[i]}; },
      [&](int64_t at, const uint32_t* from, int64_t count) {
        for (int64_t k = 0; k < count; ++k) {
          ++seen[at + k];
          words[at + k] = from[k];
        }
      });
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t e = starts[i]; e < starts[i + 1]; ++e) {
      GUST_CHECK(seen[e] == 1);
      GUST_CHECK(words[e] == random.u32(id(i), static_cast<uint32_t>(e - starts[i])));
    }
}
