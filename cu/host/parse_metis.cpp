// METIS .graph bodies: line i lists the neighbours of vertex i, behind its vertex size and weights, and with edge
// weights between them, as the header's fmt says. Two parallel passes over fixed chunks: count the lines and words
// (so that every chunk knows its first vertex and its range of edges), then read. A blank line is a vertex without
// neighbours; '%' begins a comment line. Source: METIS 5.1 manual, section 4.1.1.
#include <charconv>

#include "../include/gust.h"
#include "parse_edges.h"

namespace gust {
namespace {

struct Shape {
  int64_t lines = 0, words = 0;
};

struct MetisFormat {
  int64_t header;  // byte offset, for messages about the counts
  int64_t num_nodes;
  int64_t node_weights;  // per vertex
  bool has_sizes, has_edge_weights;
  int64_t base;
};

/** The next word of [p, end), or an empty field. */
Field next_word(const char*& p, const char* end) {
  while (p < end && is_blank(*p)) ++p;
  const char* from = p;
  while (p < end && !is_blank(*p)) ++p;
  return {from, p, false};
}

bool parse_integer(const Field& f, int64_t& value) {
  auto [stop, error] = std::from_chars(f.from, f.to, value);
  return error == std::errc() && stop == f.to;
}

struct ChunkState {
  int64_t vertex, edges = 0, comments = 0, blanks = 0;
  int64_t max_source = -1, max_target = -1, min_id = INT64_MAX;
  bool unit = true;
  std::string problem;
  const char* problem_at = nullptr;

  bool stop(const char* at, std::string text) {
    problem_at = at;
    problem = std::move(text);
    return false;
  }
};

template <class Id>
bool read_vertex(const MetisFormat& f, const char* p, const char* end, Id* ids, double* weights, int64_t slot,
                 int64_t* node_weights, int64_t* sizes, ChunkState& s) {
  int64_t v = s.vertex;
  auto attribute = [&](const char* what, int64_t& value) {
    Field word = next_word(p, end);
    if (word.from == word.to)
      return s.stop(word.from, std::string(what) + " of vertex " + std::to_string(v + f.base) + " is missing");
    if (!parse_integer(word, value) || value < 0)
      return s.stop(word.from, std::string(what) + " " + quoted(word.from, word.to) + ", expected an integer from 0");
    return true;
  };
  if (f.has_sizes && !attribute("the size", sizes[v])) return false;
  for (int64_t c = 0; c < f.node_weights; ++c)
    if (!attribute("a weight", node_weights[v * f.node_weights + c])) return false;
  for (;;) {
    Field word = next_word(p, end);
    if (word.from == word.to) return true;
    int64_t u;
    if (!parse_integer(word, u))
      return s.stop(word.from, "neighbour " + quoted(word.from, word.to) + " is not an integer");
    u -= f.base;
    if (u < 0 || u >= f.num_nodes)
      return s.stop(word.from, "neighbour " + quoted(word.from, word.to) + " is out of range, expected " +
                                   std::to_string(f.base) + " to " + std::to_string(f.num_nodes - 1 + f.base));
    int64_t at = slot + s.edges++;
    ids[2 * at] = static_cast<Id>(v);
    ids[2 * at + 1] = static_cast<Id>(u);
    if (f.has_edge_weights) {
      Field weight = next_word(p, end);
      if (weight.from == weight.to)
        return s.stop(weight.from, "neighbour " + quoted(word.from, word.to) + " has no edge weight behind it");
      std::string problem;
      if (!parse_weight(weight, weights[at], problem)) return s.stop(weight.from, "edge " + problem);
      s.unit &= weights[at] == 1;
    }
    s.max_source = std::max(s.max_source, v);
    s.max_target = std::max(s.max_target, u);
    s.min_id = std::min({s.min_id, u, v});
  }
}

std::vector<Shape> count_shapes(const Text& text) {
  std::vector<Shape> shapes(static_cast<size_t>(text.chunks() + 1));
  std::vector<TextProblem> problems(static_cast<size_t>(text.chunks()));
  parallel_tasks(text.chunks(), [&](int64_t c) {
    const char* lone = find_lone_return(text, text.data + text.start(c), text.data + text.start(c + 1));
    if (lone) problems[c] = {lone - text.data, kLoneReturn};
    Shape& shape = shapes[c];
    for_lines(text, text.start(c), text.start(c + 1), [&](const char* p, const char* end, ptrdiff_t) {
      if (*p == '%') return true;
      ++shape.lines;
      for (bool in_word = false; p < end; ++p) {
        shape.words += !is_blank(*p) && !in_word;
        in_word = !is_blank(*p);
      }
      return true;
    });
  });
  raise_first(text, problems);
  // Exclusive sums: what lies in front of each chunk.
  Shape sum;
  for (Shape& shape : shapes) {
    Shape own = shape;
    shape = sum;
    sum = {sum.lines + own.lines, sum.words + own.words};
  }
  return shapes;
}

template <class Id>
void read_all(const Text& text, const MetisFormat& f, const std::vector<Shape>& before, int64_t* node_weights,
              int64_t* sizes, EdgeList& edges) {
  edges.wide = sizeof(Id) == 8;
  edges.ids = Buffer::within(before.back().words * 2 * static_cast<int64_t>(sizeof(Id)), edges.limit);
  if (f.has_edge_weights) edges.weights = Buffer::within(before.back().words * 8, edges.limit);
  std::vector<ChunkState> states(static_cast<size_t>(text.chunks()));
  std::vector<TextProblem> problems(states.size());
  parallel_tasks(text.chunks(), [&](int64_t c) {
    ChunkState& s = states[c];
    s.vertex = before[c].lines;
    for_lines(text, text.start(c), text.start(c + 1), [&](const char* p, const char* end, ptrdiff_t shift) {
      if (*p == '%') return ++s.comments, true;
      bool good;
      if (s.vertex < f.num_nodes) {
        good = read_vertex(f, p, end, edges.ids.as<Id>(), edges.weights.as<double>(), before[c].words, node_weights, sizes, s);
      } else {
        Field word = next_word(p, end);
        good = word.from == word.to || s.stop(word.from, "a line behind the last vertex: the header says " +
                                                           std::to_string(f.num_nodes) + " vertices");
      }
      ++s.vertex;
      if (!good) problems[c] = {s.problem_at + shift - text.data, s.problem};
      return good;
    });
  });
  raise_first(text, problems);
  edges.min_id = INT64_MAX;
  for (size_t c = 0; c < states.size(); ++c) {
    const ChunkState& s = states[c];
    edges.comments += s.comments;
    if (s.edges == 0) continue;
    edges.segments.push_back({before[c].words, s.edges});
    edges.min_id = std::min(edges.min_id, s.min_id);
    edges.max_source = std::max(edges.max_source, s.max_source);
    edges.max_target = std::max(edges.max_target, s.max_target);
    edges.unit_weights &= s.unit;
  }
  if (edges.segments.empty()) edges.min_id = 0;
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_edges_parse_metis(int64_t address, int64_t size, const int64_t* format, int64_t node_weights,
                               int64_t sizes, int64_t* out) {
  return guard([&] {
    Text text{reinterpret_cast<const char*>(address), size, format[0]};
    MetisFormat f{format[1], format[2], format[3], format[4] != 0, format[5] != 0, format[6]};
    std::vector<Shape> before = count_shapes(text);
    if (before.back().lines < f.num_nodes) {
      std::vector<TextProblem> problem(1);
      problem[0] = {f.header, "the header says " + std::to_string(f.num_nodes) + " vertices, but " +
                                  std::to_string(before.back().lines) + " lines follow"};
      raise_first(text, problem);
    }
    auto edges = std::make_unique<EdgeList>();
    edges->limit = format[7];
    auto *weight = reinterpret_cast<int64_t*>(node_weights), *node_size = reinterpret_cast<int64_t*>(sizes);
    if (f.num_nodes > kNarrowIds) read_all<int64_t>(text, f, before, weight, node_size, *edges);
    else read_all<uint32_t>(text, f, before, weight, node_size, *edges);
    describe_edges(*edges, out);
    out[0] = reinterpret_cast<int64_t>(edges.release());
  });
}
