// A CSR as text: a line per arc ("source target values..."), or a line of neighbours per row. The items of a matrix are
// its entries and the end of every row, in order, so that any range of items can be written by itself and pieces
// follow one another without a seam; blocks of items are written by many threads, each into a text of its own.
#include <charconv>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include "../include/gust.h"
#include "../common/dtype.h"
#include "../common/parallel.h"
#include "build.h"

namespace gust {
namespace {

constexpr int64_t kItems = int64_t{1} << 14;  // per task

enum Layout : int64_t { kArcs = 0, kLists = 1 };
enum Part : int64_t { kAll = 0, kOnce = 1, kNoLoops = 2 };

/** The words of the call, see gust.h. */
struct Spec {
  int64_t num_rows, indptr, indices, indices_dtype, begin, end, layout, base, delimiter, part, ids, names, names_indptr,
      columns, num_columns, prefix, prefix_columns;
};

void put_integer(std::string& to, int64_t x) {
  char text[24];
  auto [end, error] = std::to_chars(text, text + sizeof text, x);
  to.append(text, end);
}

/** Integers below 2^63 by their digits alone, which formats of integers ask for; else the shortest text that reads back. */
template <class T>
void put_real(std::string& to, T x) {
  char text[40];
  bool is_integer = std::trunc(x) == x && std::abs(x) < static_cast<T>(0x1p63);
  auto [end, error] = is_integer ? std::to_chars(text, text + sizeof text, x, std::chars_format::fixed)
                                 : std::to_chars(text, text + sizeof text, x);
  to.append(text, end);
}

void put_value(std::string& to, int64_t address, int64_t dtype, int64_t i) {
  switch (dtype) {
    case GUST_F32: return put_real(to, reinterpret_cast<const float*>(address)[i]);
    case GUST_F64: return put_real(to, reinterpret_cast<const double*>(address)[i]);
    case GUST_I64: return put_integer(to, reinterpret_cast<const int64_t*>(address)[i]);
    case GUST_I32: return put_integer(to, reinterpret_cast<const int32_t*>(address)[i]);
  }
  fail(GUST_EINVAL, "column of dtype %lld", static_cast<long long>(dtype));
}

template <class Index>
class TextWriter {
 public:
  explicit TextWriter(const Spec& spec)
      : s_(spec),
        indptr_(reinterpret_cast<const int64_t*>(spec.indptr)),
        indices_(reinterpret_cast<const Index*>(spec.indices)),
        columns_(reinterpret_cast<const int64_t*>(spec.columns)) {}

  /** Items [begin, end); returns the arcs written. */
  int64_t write(int64_t begin, int64_t end, std::string& to) const {
    int64_t arcs = 0, row = row_of(begin);
    for (int64_t item = begin; item < end;) {
      int64_t first = indptr_[row] + row, ends = indptr_[row + 1] + row;
      if (s_.layout == kLists && item == first) put_prefix(to, row);
      for (; item < std::min(ends, end); ++item) arcs += put_arc(to, row, item - row);
      if (item == end) break;
      if (s_.layout == kLists) end_list(to);
      ++item;
      ++row;
    }
    return arcs;
  }

 private:
  /** The row whose entries or end an item is. */
  int64_t row_of(int64_t item) const {
    int64_t low = 0, high = s_.num_rows;  // the last row with indptr[row] + row <= item
    while (high - low > 1) {
      int64_t mid = low + (high - low) / 2;
      if (indptr_[mid] + mid <= item) low = mid;
      else high = mid;
    }
    return low;
  }

  char delimiter() const { return static_cast<char>(s_.delimiter); }

  void put_node(std::string& to, int64_t v) const {
    if (s_.names) return put_name(to, v);
    put_integer(to, s_.ids ? reinterpret_cast<const int64_t*>(s_.ids)[v] : v + s_.base);
  }

  void put_name(std::string& to, int64_t v) const {
    const auto* ptr = reinterpret_cast<const int64_t*>(s_.names_indptr);
    const char* text = reinterpret_cast<const char*>(s_.names);
    std::string_view name(text + ptr[v], static_cast<size_t>(ptr[v + 1] - ptr[v]));
    if (name.find_first_of("\n\r") != std::string_view::npos)
      fail(GUST_EDATA, "the name of node %lld holds a line break, which ends a line of this format",
           static_cast<long long>(v));
    bool plain = !name.empty() && name.find_first_of("\"#%/\t") == std::string_view::npos &&
                 name.find(delimiter()) == std::string_view::npos && name.front() != ' ' && name.back() != ' ';
    if (plain) return static_cast<void>(to.append(name));
    to.push_back('"');
    for (char c : name) to.append(c == '"' ? 2 : 1, c);
    to.push_back('"');
  }

  bool put_arc(std::string& to, int64_t row, int64_t i) const {
    int64_t column = indices_[i];
    if (s_.part == kOnce ? column < row : s_.part == kNoLoops && column == row) return false;
    if (s_.layout == kArcs) {
      put_node(to, column);
      to.push_back(delimiter());
      put_node(to, row);
      for (int64_t c = 0; c < s_.num_columns; ++c) {
        to.push_back(delimiter());
        put_value(to, columns_[2 * c], columns_[2 * c + 1], i);
      }
      to.push_back('\n');
    } else {
      put_integer(to, column + s_.base);
      to.push_back(' ');
      for (int64_t c = 0; c < s_.num_columns; ++c) {
        put_value(to, columns_[2 * c], columns_[2 * c + 1], i);
        to.push_back(' ');
      }
    }
    return true;
  }

  void put_prefix(std::string& to, int64_t row) const {
    const auto* values = reinterpret_cast<const int64_t*>(s_.prefix) + row * s_.prefix_columns;
    for (int64_t c = 0; c < s_.prefix_columns; ++c) {
      put_integer(to, values[c]);
      to.push_back(' ');
    }
  }

  /** Words end in a blank each: the last one's place is the end of the line, unless it lies in the piece before. */
  static void end_list(std::string& to) {
    if (!to.empty() && to.back() == ' ') to.back() = '\n';
    else to.push_back('\n');
  }

  const Spec& s_;
  const int64_t* indptr_;
  const Index* indices_;
  const int64_t* columns_;
};

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_csr_text(const int64_t* words, int64_t* out) {
  return guard([&] {
    Spec spec;
    static_assert(sizeof spec == 17 * sizeof(int64_t));
    std::memcpy(&spec, words, sizeof spec);
    dispatch_index(static_cast<int32_t>(spec.indices_dtype), [&](auto zero) {
      TextWriter<decltype(zero)> writer(spec);
      auto tasks = num_chunks(spec.end - spec.begin, kItems);
      std::vector<std::string> texts(static_cast<size_t>(tasks));
      std::vector<int64_t> arcs(texts.size());
      parallel_tasks(tasks, [&](int64_t t) {
        int64_t begin = spec.begin + t * kItems;
        arcs[t] = writer.write(begin, std::min(spec.end, begin + kItems), texts[t]);
      });
      int64_t size = 0, count = 0;
      for (const std::string& text : texts) size += static_cast<int64_t>(text.size());
      for (int64_t n : arcs) count += n;
      char* data = allocate(size, false);
      char* at = data;
      for (const std::string& text : texts) at = std::copy(text.begin(), text.end(), at);
      out[0] = reinterpret_cast<int64_t>(data);
      out[1] = size;
      out[2] = count;
    });
  });
}
