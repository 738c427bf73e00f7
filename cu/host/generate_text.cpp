// Generated edges as text, "u v" per line: blocks of items are written by many threads, each into its own part of the
// buffer, and then moved together.
#include <cstring>

#include "../include/gust.h"
#include "../common/parallel.h"
#include "generate.h"

namespace gust {
namespace {

constexpr int64_t kBlock = 64 * kItems;  // items per task

/** "00" "01" ... "99" */
struct Digits {
  char pairs[200];
  constexpr Digits() : pairs() {
    for (int i = 0; i < 100; ++i) {
      pairs[2 * i] = static_cast<char>('0' + i / 10);
      pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
  }
};
constexpr Digits kDigits;

char* put_number(char* to, uint64_t x) {
  char text[20];
  int at = 20;
  while (x >= 100) {
    at -= 2;
    std::memcpy(text + at, kDigits.pairs + x % 100 * 2, 2);
    x /= 100;
  }
  if (x >= 10) {
    at -= 2;
    std::memcpy(text + at, kDigits.pairs + x * 2, 2);
  } else {
    text[--at] = static_cast<char>('0' + x);
  }
  std::memcpy(to, text + at, static_cast<size_t>(20 - at));
  return to + (20 - at);
}

/** Bytes of the longest line: two ids, a space and a line feed. */
int64_t longest_line(const Generator& g) {
  char text[20];
  return 2 * (put_number(text, static_cast<uint64_t>(std::max<int64_t>(g.num_nodes - 1, 0))) - text) + 2;
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_generate_text_size(int64_t generator, int64_t count, int64_t* out) {
  return guard([&] { out[0] = count * generator_of(generator).per_item * longest_line(generator_of(generator)); });
}

int32_t gust_generate_text(int64_t generator, int64_t begin, int64_t end, int64_t address, int64_t* out) {
  return guard([&] {
    const Generator& g = generator_of(generator);
    char* buffer = reinterpret_cast<char*>(address);
    const int64_t room = kBlock * g.per_item * longest_line(g);
    std::vector<int64_t> sizes(static_cast<size_t>(num_chunks(end - begin, kBlock))), edges(sizes.size());
    parallel_tasks(static_cast<int64_t>(sizes.size()), [&](int64_t t) {
      Arc arcs[kItems * kMostPerItem];
      char* to = buffer + t * room;
      const int64_t last = std::min(end, begin + (t + 1) * kBlock);
      for (int64_t i = begin + t * kBlock; i < last; i += kItems) {
        const int64_t count = g.draw(i, std::min(last, i + kItems), arcs);
        for (int64_t k = 0; k < count; ++k) {
          to = put_number(to, static_cast<uint64_t>(arcs[k].from));
          *to++ = ' ';
          to = put_number(to, static_cast<uint64_t>(arcs[k].to));
          *to++ = '\n';
        }
        edges[t] += count;
      }
      sizes[t] = to - (buffer + t * room);
    });
    out[0] = out[1] = 0;
    for (size_t t = 0; t < sizes.size(); ++t) {
      std::memmove(buffer + out[0], buffer + static_cast<int64_t>(t) * room, static_cast<size_t>(sizes[t]));
      out[0] += sizes[t];
      out[1] += edges[t];
    }
  });
}
