// Parsing and building under the sanitizers: texts in heap blocks of exactly their size (a byte read past the end is
// seen), several chunks and threads, and every path of the build.
#include <algorithm>

#include "check.h"

using namespace gust;
using namespace gust::test;

namespace {

/** A text whose last byte is the last byte of its memory. */
struct TextBlock {
  explicit TextBlock(const std::string& text) : size(static_cast<int64_t>(text.size())), data(new char[text.size()]) {
    std::memcpy(data.get(), text.data(), text.size());
  }
  int64_t address() const { return reinterpret_cast<int64_t>(data.get()); }
  int64_t size;
  std::unique_ptr<char[]> data;
};

struct Edges {
  int64_t out[11] = {};
  Edges() = default;
  Edges(const Edges&) = delete;
  ~Edges() { gust_edges_destroy(out[0]); }
};

int32_t parse(const std::string& text, Edges& edges, bool named = false, int columns = 2, const char* comment = "") {
  TextBlock block(text);
  int64_t dialect[] = {0, 0, columns, 0, 1, columns == 3 ? 2 : -1, 0, -1, named, 0, -1};
  return gust_edges_parse(block.address(), block.size, dialect, comment, edges.out);
}

/** All of a build as one vector: counts, indptr, indices, values. */
std::vector<double> build(Edges& edges, int64_t n, int32_t flags) {
  int64_t out[13];
  succeed(gust_build_create(edges.out[0], n, n, flags, out));
  std::vector<double> all;
  for (int i : {1, 7, 8, 9, 10, 11, 12}) all.push_back(static_cast<double>(out[i]));
  const auto* indptr = reinterpret_cast<const int64_t*>(out[2]);
  all.insert(all.end(), indptr, indptr + n + 1);
  for (int64_t i = 0; i < out[1]; ++i)
    all.push_back(static_cast<double>(out[4] == GUST_I32 ? reinterpret_cast<const int32_t*>(out[3])[i]
                                                         : reinterpret_cast<const int64_t*>(out[3])[i]));
  if (out[5])
    for (int64_t i = 0; i < out[1]; ++i)
      all.push_back(out[6] == GUST_F32 ? static_cast<double>(reinterpret_cast<const float*>(out[5])[i])
                                       : reinterpret_cast<const double*>(out[5])[i]);
  int64_t labels_found[3], isolated, asymmetry[4];
  std::vector<int64_t> labels(static_cast<size_t>(n));
  auto dtype = static_cast<int32_t>(out[4]);
  succeed(gust_csr_components(n, out[2], out[3], dtype, reinterpret_cast<int64_t>(labels.data()), labels_found));
  succeed(gust_csr_isolated(n, out[2], out[3], dtype, &isolated));
  succeed(gust_csr_asymmetry(n, out[2], out[3], dtype, out[5], static_cast<int32_t>(out[6]), asymmetry));
  all.insert(all.end(), {double(labels_found[0]), double(labels_found[1]), double(isolated), double(asymmetry[0])});
  succeed(gust_build_destroy(out[0]));
  return all;
}

/** Edges for several buckets of the build, and comments that stretch them over several chunks of the parser. */
std::string long_text(bool named, bool weighted) {
  std::string text;
  for (int64_t i = 0; i < 90000; ++i) {
    auto u = mix64(static_cast<uint64_t>(i)) % 20011, v = mix64(~static_cast<uint64_t>(i)) % 20011;
    if (i % 9 == 0) u = v % 3;  // hubs and duplicates
    const char* prefix = named ? "node" : "";
    text += prefix + std::to_string(u) + " " + prefix + std::to_string(v);
    text += weighted ? " 0." + std::to_string(i % 1000) + "\n" : "\n";
    if (i % 1000 == 0) text += "#" + std::string(100000, '-') + "\n";
  }
  text.pop_back();  // no newline at the end
  return text;
}

}  // namespace

GUST_TEST(edge_lists_build_the_same_on_any_number_of_threads) {
  for (bool named : {false, true}) {
    std::string text = long_text(named, true);
    std::vector<double> first;
    for (int threads : {1, 3}) {
      succeed(gust_set_num_threads(threads));
      std::vector<double> all;
      for (int32_t flags : {0, 2 | 16, 2 | 4, 8 | 16 | 32}) {
        Edges edges;
        succeed(parse(text, edges, named, 3));
        auto part = build(edges, edges.out[3] + 1, flags);
        all.insert(all.end(), part.begin(), part.end());
      }
      if (first.empty()) first = all;
      GUST_CHECK(all == first);
    }
    succeed(gust_set_num_threads(0));
  }
}

GUST_TEST(edge_lists_end_at_their_last_byte) {
  for (const char* text : {"0 1", "0 1\n", "0 1 \r", "0\t1\n\n", "# only\n0 1", "12 7", "0 1\n#"}) {
    Edges edges;
    succeed(parse(text, edges));
    GUST_CHECK(edges.out[1] == 1);
  }
  for (const char* text : {"0 1\n2", "0", "0 ", "0 1 2", "0 x", "-1 0", "0 99999999999999999999", "0 1\n1 2\n \"", "1.", "0 1\n2 3 "
                                                                                                            "\"4"}) {
    Edges edges;
    GUST_CHECK(parse(text, edges) == GUST_EDATA);
  }
  for (const char* text : {"a b", "\"a\" b\n", "a \"b", "a b\n\n", "é ü"}) {
    Edges edges;
    succeed(parse(text, edges, true));
    GUST_CHECK(edges.out[8] == 2);
  }
}

GUST_TEST(returns_that_end_lines_by_themselves_are_refused_anywhere) {
  // More than two chunks of 4 MiB, with lines of 4 and 5 bytes.
  std::string newlines, both;
  for (int i = 0; i < 2200000; ++i) newlines += "0 1\n", both += "0 1\r\n";
  Edges edges[2];
  succeed(parse(newlines, edges[0]));
  succeed(parse(both, edges[1]));
  GUST_CHECK(edges[0].out[1] == 2200000 && edges[1].out[1] == 2200000);
  for (size_t at : {size_t{3}, size_t{127}, size_t{1} << 22, (size_t{1} << 22) - 1, newlines.size() - 5}) {
    std::string text = newlines;
    text[at] = '\r';
    for (bool named : {false, true}) {
      Edges refused;
      GUST_CHECK(parse(text, refused, named) == GUST_EDATA);
      GUST_CHECK(last_error() == std::to_string(at / 4 + 1) + ":" + std::to_string(at % 4 + 1) +
                                     ": a carriage return ends the line by itself, expected newlines");
    }
  }
}

GUST_TEST(weights_end_at_their_last_byte) {
  for (const char* text : {"0 1 2", "0 1 2.5e3\n", "0 1 +7", "0 1 -0.25 "}) {
    Edges edges;
    succeed(parse(text, edges, false, 3));
  }
  for (const char* text : {"0 1 ", "0 1 2e", "0 1 nan", "0 1 1e999", "0 1 -1e400", "0 1 +-2", "0 1 --2", "0 1 2x"}) {
    Edges edges;
    GUST_CHECK(parse(text, edges, false, 3) == GUST_EDATA);
  }
}

GUST_TEST(weights_too_small_for_float64_are_zero) {
  for (bool named : {false, true}) {
    Edges edges;
    succeed(parse("0 1 1e-400\n1 2 -1e-50", edges, named, 3));
    double weights[2];
    int64_t out[1];
    succeed(gust_edges_weights(edges.out[0], reinterpret_cast<int64_t>(weights), out));
    GUST_CHECK(weights[0] == 0 && weights[1] == -1e-50);
  }
}

GUST_TEST(large_ids_are_scanned_again_in_64_bits) {
  Edges edges;
  succeed(parse("5000000000 1\n1 7", edges));
  GUST_CHECK(edges.out[10] == 1 && edges.out[3] == 5000000000);
  int64_t out[11];
  succeed(gust_edges_relabel(edges.out[0], out));
  GUST_CHECK(out[0] == 3 && out[3] == 2);
  GUST_CHECK(build(edges, 3, 0)[0] == 2);
}

GUST_TEST(metis_lists_end_at_their_last_byte) {
  struct Case { const char* text; int64_t nodes, weights, edges; };
  for (const Case& c : {Case{"2\n1 3\n2", 3, 0, 4}, {"2\n1 3\n2\n\n", 3, 0, 4}, {"\n\n", 2, 0, 0}, {"5 2\n6 1", 2, 1, 2}}) {
    TextBlock block(c.text);
    std::vector<int64_t> weights(static_cast<size_t>(c.nodes * c.weights));
    int64_t format[] = {0, 0, c.nodes, c.weights, 0, 0, 1, -1};
    Edges edges;
    succeed(gust_edges_parse_metis(block.address(), block.size, format, reinterpret_cast<int64_t>(weights.data()), 0, edges.out));
    GUST_CHECK(edges.out[1] == c.edges);
  }
  for (const char* text : {"2\n1 4\n2", "2\n1 3", "2\n1 3\n2\n1", "x\n\n"}) {
    TextBlock block(text);
    int64_t format[] = {0, 0, 3, 0, 0, 0, 1, -1};
    Edges edges;
    GUST_CHECK(gust_edges_parse_metis(block.address(), block.size, format, 0, 0, edges.out) == GUST_EDATA);
  }
}

GUST_TEST(unzip_never_writes_past_its_output) {
  // "aaaa...": 6 bytes of deflate that unpack to 100.
  const unsigned char packed[] = {0x4b, 0x4c, 0xa4, 0x3d, 0x00, 0x00};
  for (int64_t size : {0, 1, 99, 100, 101}) {
    std::unique_ptr<char[]> to(new char[static_cast<size_t>(size)]);
    int32_t status = gust_unzip(reinterpret_cast<int64_t>(packed), sizeof packed, 1, 0, reinterpret_cast<int64_t>(to.get()), size);
    GUST_CHECK(status == GUST_EDATA);  // the size is wrong, or the checksum is
  }
  char to[100];
  GUST_CHECK(gust_unzip(reinterpret_cast<int64_t>(packed), 3, 1, 0, reinterpret_cast<int64_t>(to), 100) == GUST_EEOF);
}
