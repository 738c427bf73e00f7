// Edge lists whose ids are strings. Each chunk numbers the names it meets in a table of its own; the tables are then
// joined in the order of the chunks, which gives every name the number of its first appearance in the file, on any
// number of threads. Names are bytes of the mapped text until the end; only quoted ones with "" inside are copied.
#include <deque>

#include "names.h"
#include "parse_edges.h"
#include "parse_values.h"

namespace gust {
namespace {

struct Chunk {
  NameTable table;
  std::deque<std::string> copies;  // names that do not lie in the text as they are
  int64_t count = 0, comments = 0, blanks = 0;
  bool unit = true;
  TextProblem problem;
};

std::string_view name_of(const Field& f, ptrdiff_t shift, Chunk& chunk) {
  std::string_view raw(f.from, static_cast<size_t>(f.to - f.from));
  if (!f.in_quotes || raw.find("\"\"") == std::string_view::npos)
    return {f.from + shift, raw.size()};
  std::string plain;
  for (size_t i = 0; i < raw.size(); ++i) {
    plain.push_back(raw[i]);
    if (raw[i] == '"') ++i;
  }
  return chunk.copies.emplace_back(std::move(plain));
}

}  // namespace

void parse_named_edges(const Text& text, const Dialect& d, EdgeList& edges) {
  constexpr int kFields = 64;
  std::vector<int64_t> starts = line_starts(text);
  edges.ids = Buffer::within(starts.back() * 8, edges.limit);
  if (d.weight >= 0) edges.weights = Buffer::within(starts.back() * 8, edges.limit);
  auto* ids = edges.ids.as<uint32_t>();
  double* weights = edges.weights ? edges.weights.as<double>() : nullptr;
  std::vector<Chunk> chunks(static_cast<size_t>(text.chunks()));

  parallel_tasks(text.chunks(), [&](int64_t c) {
    Chunk& chunk = chunks[c];
    for_lines(text, text.start(c), text.start(c + 1), [&](const char* p, const char* end, ptrdiff_t shift) {
      auto problem = [&](const char* at, std::string what) {
        chunk.problem = {at + shift - text.data, std::move(what)};
        return false;
      };
      const char* first = p;
      while (first < end && is_blank(*first)) ++first;
      if (first == end) return ++chunk.blanks, true;
      if (d.is_comment(first, end)) return ++chunk.comments, true;
      Field fields[kFields];
      int count = split_fields(p, end, d.delimiter, fields, kFields);
      if (count != d.columns) return problem(first, d.columns_problem(count));
      int64_t at = starts[c] + chunk.count;
      for (int side = 0; side < 2; ++side) {
        const Field& f = fields[side == 0 ? d.source : d.target];
        if (f.from == f.to) return problem(f.from, "node id is empty, expected a name");
        if (!is_utf8(f.from, f.to))
          return problem(f.from, "node id " + quoted(f.from, f.to) + " is not UTF-8, expected UTF-8 text");
        ids[2 * at + side] = chunk.table.number(name_of(f, shift, chunk));
      }
      if (weights) {
        std::string what;
        if (!parse_weight(fields[d.weight], weights[at], what)) return problem(fields[d.weight].from, std::move(what));
        chunk.unit &= weights[at] == 1;
      }
      ++chunk.count;
      return true;
    });
  });

  std::vector<TextProblem> problems;
  for (Chunk& chunk : chunks) problems.push_back(std::move(chunk.problem));
  raise_first(text, problems);

  NameTable all;
  std::vector<std::vector<uint32_t>> global(chunks.size());
  for (size_t c = 0; c < chunks.size(); ++c) {
    for (std::string_view name : chunks[c].table.names) global[c].push_back(all.number(name));
    if (chunks[c].count > 0) edges.segments.push_back({starts[c], chunks[c].count});
    edges.comments += chunks[c].comments;
    edges.blanks += chunks[c].blanks;
    edges.unit_weights &= chunks[c].unit;
  }
  parallel_tasks(text.chunks(), [&](int64_t c) {
    for (int64_t i = 2 * starts[c]; i < 2 * (starts[c] + chunks[c].count); ++i) ids[i] = global[c][ids[i]];
  });
  for (const EdgeList::Segment& s : edges.segments)
    for (int64_t i = s.start; i < s.start + s.count; ++i) {
      edges.max_source = std::max<int64_t>(edges.max_source, ids[2 * i]);
      edges.max_target = std::max<int64_t>(edges.max_target, ids[2 * i + 1]);
    }

  edges.name_ptr.reserve(all.names.size() + 1);
  edges.name_ptr.push_back(0);
  for (std::string_view name : all.names) edges.name_ptr.push_back(edges.name_ptr.back() + static_cast<int64_t>(name.size()));
  edges.name_bytes = Buffer(edges.name_ptr.back());
  for (size_t n = 0; n < all.names.size(); ++n)
    std::memcpy(edges.name_bytes.as<char>() + edges.name_ptr[n], all.names[n].data(), all.names[n].size());
}

}  // namespace gust
