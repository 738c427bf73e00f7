// Graphs and partitions as the files of the METIS programs (manual of METIS 5.1, sections 4.1 and 4.2).
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string>

#include "partition.h"

namespace gust::partition {
namespace {

class File {
 public:
  File(const char* path, const char* mode) : path_(path), file_(std::fopen(path, mode)) {
    if (!file_) fail_errno(format("cannot open \"%s\"", path));
  }
  ~File() {
    if (file_) std::fclose(file_);
  }
  void put(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), file_) != text.size())
      fail_errno(format("cannot write \"%s\"", path_));
  }
  void close() {
    FILE* file = std::exchange(file_, nullptr);
    if (std::fclose(file) != 0) fail_errno(format("cannot write \"%s\"", path_));
  }
  std::string all() {
    std::string text;
    char piece[65536];
    for (size_t got; (got = std::fread(piece, 1, sizeof piece, file_)) > 0;) text.append(piece, got);
    if (std::ferror(file_)) fail_errno(format("cannot read \"%s\"", path_));
    return text;
  }

 private:
  const char* path_;
  FILE* file_;
};

void append(std::string& text, int64_t number, char after) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  text.append(digits, end);
  text.push_back(after);
}

}  // namespace

void write_metis(const Graph& graph, bool weighted, const char* path) {
  constexpr size_t kPiece = 1 << 20;
  File file(path, "wb");
  std::string text;
  append(text, graph.n, ' ');
  append(text, graph.arcs.size() / 2, weighted ? ' ' : '\n');
  if (weighted) text += "001\n";
  for (int32_t v = 0; v < graph.n; ++v) {
    for (const Arc* a = graph.begin(v); a != graph.end(v); ++a) {
      append(text, a->node + int64_t{1}, ' ');
      if (weighted) append(text, a->weight, ' ');
    }
    text.push_back('\n');
    if (text.size() < kPiece) continue;
    file.put(text);
    text.clear();
  }
  file.put(text);
  file.close();
}

void read_metis_parts(const char* path, int64_t n, int32_t k, int32_t* part) {
  const std::string text = File(path, "rb").all();
  const char *at = text.data(), *end = at + text.size();
  int64_t line = 0;
  for (; at < end; ++at, ++line) {
    int32_t p = -1;
    const auto result = std::from_chars(at, end, p);
    if (result.ec != std::errc() || p < 0 || p >= k || (result.ptr < end && *result.ptr != '\n') || line >= n)
      fail(GUST_EDATA, "\"%s\" line %lld is not the part of a node, expected %lld numbers below %d", path,
           static_cast<long long>(line + 1), static_cast<long long>(n), k);
    part[line] = p;
    at = result.ptr;
  }
  if (line != n)
    fail(GUST_EDATA, "\"%s\" has %lld lines, expected %lld", path, static_cast<long long>(line),
         static_cast<long long>(n));
}

}  // namespace gust::partition
