// Edge lists with integer ids: one arc per line, "source target [weight]". Two passes over the mapped text, both
// parallel over fixed chunks: count lines (so that every chunk has its own range of the result), then scan. A plain
// line takes the fast path below (about 10 ns); anything else - comments, quotes, more columns, mistakes - is
// looked at field by field.
//
// Ids are stored in 32 bits, and the text is scanned a second time with 64 where one does not fit: large graphs of
// small ids are the rule. Deterministic: chunk grid, order of edges and the reported mistake depend on the text alone.
#include <charconv>
#include <cmath>

#include "../include/gust.h"
#include "build.h"
#include "parse_edges.h"
#include "parse_values.h"

namespace gust {

int split_fields(const char* p, const char* end, char delimiter, Field* fields, int most) {
  int count = 0;
  auto add = [&](const char* from, const char* to, bool in_quotes) {
    if (count < most) fields[count] = {from, to, in_quotes};
    ++count;
  };
  if (delimiter == 0) {
    for (;;) {
      while (p < end && is_blank(*p)) ++p;
      if (p == end) return count;
      const char* from = p;
      while (p < end && !is_blank(*p)) ++p;
      add(from, p, false);
    }
  }
  for (;;) {
    while (p < end && *p != delimiter && is_blank(*p)) ++p;
    if (p < end && *p == '"') {
      const char* from = ++p;
      while (p < end && (*p != '"' || (p + 1 < end && p[1] == '"'))) p += *p == '"' ? 2 : 1;
      add(from, p, true);
      while (p < end && *p != delimiter) ++p;
    } else {
      const char* from = p;
      while (p < end && *p != delimiter) ++p;
      const char* to = p;
      while (to > from && is_blank(to[-1])) --to;
      add(from, to, false);
    }
    if (p == end) return count;
    ++p;
  }
}

namespace {

/** How many lines begin in [from, to); the first mistake of their ends in `problem`. */
int64_t count_lines(const Text& text, int64_t from, int64_t to, TextProblem& problem) {
  int64_t lines = 0;
  const char* data = text.data;
  bool may_be_lone = false;
  // Blocks of 128 bytes keep the byte-wide sums below 256, and vectorise.
  int64_t at = from;
  for (; at + 128 <= to && at + 128 < text.size; at += 128) {
    uint8_t block = 0, lone = 0;
    for (int i = 0; i < 128; ++i) {
      bool is_newline = data[at + i] == '\n', is_before_one = data[at + i + 1] == '\n';
      block = static_cast<uint8_t>(block + is_newline);
      lone = static_cast<uint8_t>(lone | ((data[at + i] == '\r') & !is_before_one));
    }
    lines += block;
    may_be_lone |= lone != 0;
  }
  const char* lone = find_lone_return(text, data + (may_be_lone ? from : at), data + to);
  if (lone) problem = {lone - data, kLoneReturn};
  for (; at < to; ++at) lines += data[at] == '\n';
  return lines + (to > from && data[to - 1] != '\n');
}

}  // namespace

std::vector<int64_t> line_starts(const Text& text) {
  std::vector<int64_t> starts(static_cast<size_t>(text.chunks() + 1));
  std::vector<TextProblem> problems(static_cast<size_t>(text.chunks()));
  parallel_tasks(text.chunks(), [&](int64_t c) {
    starts[c] = count_lines(text, text.start(c), text.start(c + 1), problems[c]);
  });
  raise_first(text, problems);
  exclusive_scan(starts.data(), text.chunks());
  return starts;
}

bool parse_weight(const Field& field, double& weight, std::string& problem) {
  int bad = to_number(field.from, field.to, weight);
  if (bad)
    problem = "weight " + quoted(field.from, field.to) +
              (bad == 1 ? " is not a number" : " is not finite, expected a number");
  return bad == 0;
}

namespace {

constexpr int kFields = 64;
/** Callers count in float64. */
constexpr int64_t kMostId = (int64_t{1} << 53) - 1;

/** What a chunk found out besides its edges. */
struct ChunkResult {
  int64_t count = 0, comments = 0, blanks = 0;
  int64_t min_id = INT64_MAX, max_source = -1, max_target = -1;
  bool unit = true, too_wide = false;
  TextProblem problem;
};

template <class Id>
class Scanner {
 public:
  Scanner(const Text& text, const Dialect& dialect, Id* ids, double* weights)
      : text_(text), d_(dialect), ids_(ids), weights_(weights) {
    fast_ = d_.source == 0 && d_.target == 1 &&
            (d_.weight < 0 ? d_.columns == 2 : d_.weight == 2 && d_.columns == 3);
  }

  void scan(int64_t from, int64_t to, int64_t slot, ChunkResult& result) const {
    ChunkResult r;
    const char *p = text_.data + from, *stop = text_.data + to;
    while (stop > p && stop[-1] != '\n') --stop;
    while (p < stop) {
      const char* next = fast_ ? fast_line(p, slot, r) : nullptr;
      if (!next) {
        const char* end = static_cast<const char*>(std::memchr(p, '\n', static_cast<size_t>(stop - p)));
        if (!slow_line(p, end, 0, slot, r)) break;
        next = end + 1;
      }
      p = next;
    }
    if (p == stop && r.problem.at < 0 && !r.too_wide && stop < text_.data + to) {
      std::string last(stop, text_.data + to);
      last.push_back('\n');
      slow_line(last.data(), last.data() + last.size() - 1, stop - last.data(), slot, r);
    }
    result = std::move(r);
  }

 private:
  /** Digits to a number; fails where there are none, or so many that it might not fit. */
  static bool scan_digits(const char*& p, int64_t& id) {
    if (!is_digit(*p)) return false;
    const char* from = p;
    int64_t x = *p++ - '0';
    while (is_digit(*p)) {
      if (p - from >= 18) return false;
      x = x * 10 + (*p++ - '0');
    }
    id = x;
    return true;
  }
  bool skip_delimiter(const char*& p) const {
    const char* from = p;
    if (d_.delimiter == 0) {
      while (is_blank(*p)) ++p;
      return p > from;
    }
    while (*p == ' ') ++p;
    if (*p != d_.delimiter) return false;
    for (++p; *p == ' ';) ++p;
    return true;
  }

  /** A line of digits and delimiters alone: the byte after its newline, or null to look closer. */
  const char* fast_line(const char* p, int64_t slot, ChunkResult& r) const {
    int64_t u, v;
    if (d_.tag != 0) {
      if (p[0] != d_.tag || p[1] != ' ') return nullptr;
      ++p;
    }
    while (*p == ' ') ++p;
    if (!scan_digits(p, u) || !skip_delimiter(p) || !scan_digits(p, v)) return nullptr;
    double w = 1;
    if (weights_) {
      if (!skip_delimiter(p)) return nullptr;
      auto [stop, error] = std::from_chars(p, text_.data + text_.size, w);
      if (error != std::errc() || !std::isfinite(w)) return nullptr;
      p = stop;
    }
    while (is_blank(*p)) ++p;
    if (*p != '\n') return nullptr;
    u -= d_.base;
    v -= d_.base;
    if (u < 0 || v < 0 || std::max(u, v) >= most()) return nullptr;
    put(u, v, w, slot, r);
    return p + 1;
  }

  int64_t most() const {
    int64_t fits = sizeof(Id) == 4 ? kNarrowIds : kMostId + 1;
    return d_.limit >= 0 ? std::min(d_.limit, fits) : fits;
  }

  void put(int64_t u, int64_t v, double w, int64_t slot, ChunkResult& r) const {
    int64_t at = slot + r.count++;
    ids_[2 * at] = static_cast<Id>(u);
    ids_[2 * at + 1] = static_cast<Id>(v);
    if (weights_) {
      weights_[at] = w;
      r.unit &= w == 1;
    }
    r.min_id = std::min({r.min_id, u, v});
    r.max_source = std::max(r.max_source, u);
    r.max_target = std::max(r.max_target, v);
  }

  /** Any line. `shift` turns its addresses into those of the text. Returns false to stop. */
  bool slow_line(const char* p, const char* end, ptrdiff_t shift, int64_t slot, ChunkResult& r) const {
    auto problem = [&](const char* at, std::string what) {
      r.problem = {at + shift - text_.data, std::move(what)};
      return false;
    };
    const char* first = p;
    while (first < end && is_blank(*first)) ++first;
    if (first == end) return ++r.blanks, true;
    if (d_.is_comment(first, end)) return ++r.comments, true;
    p = d_.skip_tag(first, end);
    if (!p) {
      const char* word = first;
      while (word < end && !is_blank(*word)) ++word;
      return problem(first, "the line begins with " + quoted(first, word) + ", expected \"" + d_.tag + "\"");
    }

    Field fields[kFields];
    int count = split_fields(p, end, d_.delimiter, fields, kFields);
    if (count != d_.columns) return problem(first, d_.columns_problem(count));
    int64_t id[2];
    for (int side = 0; side < 2; ++side) {
      const Field& f = fields[side == 0 ? d_.source : d_.target];
      std::string what;
      if (!parse_id(f, id[side], what)) return problem(f.from, std::move(what));
      if (id[side] >= most()) return r.too_wide = true, false;
    }
    double w = 1;
    if (weights_) {
      std::string what;
      if (!parse_weight(fields[d_.weight], w, what)) return problem(fields[d_.weight].from, std::move(what));
    }
    put(id[0], id[1], w, slot, r);
    return true;
  }

  bool parse_id(const Field& f, int64_t& id, std::string& problem) const {
    const char* from = f.from + (f.from < f.to && *f.from == '+');
    auto [stop, error] = std::from_chars(from, f.to, id);
    std::string text = quoted(f.from, f.to);
    if (stop != f.to || from == f.to || error == std::errc::invalid_argument) {
      problem = "node id " + text + " is not an integer, expected decimal digits";
      return false;
    }
    if (error == std::errc::result_out_of_range || id > kMostId) {
      problem = "node id " + text + " is too large, expected at most 2^53 - 1";
      return false;
    }
    if (id < 0) {
      problem = "node id " + text + " is negative, expected ids from " + std::to_string(d_.base);
      return false;
    }
    id -= d_.base;
    if (id < 0) {
      problem = "node id 0, expected ids from 1 (index base 1)";
      return false;
    }
    if (d_.limit >= 0 && id >= d_.limit) {
      problem = "node id " + text + " is out of range, expected ids " + std::to_string(d_.base) + " to " +
                std::to_string(d_.limit - 1 + d_.base) + " for " + std::to_string(d_.limit) + " nodes";
      return false;
    }
    return true;
  }

  const Text& text_;
  const Dialect& d_;
  Id* ids_;
  double* weights_;
  bool fast_;
};

/** Scan with ids of type Id; false if one does not fit. */
template <class Id>
bool scan_all(const Text& text, const Dialect& dialect, const std::vector<int64_t>& starts, EdgeList& edges) {
  int64_t lines = starts.back();
  edges.ids = Buffer::within(lines * 2 * static_cast<int64_t>(sizeof(Id)), edges.limit);
  if (dialect.weight >= 0) edges.weights = Buffer::within(lines * 8, edges.limit);
  std::vector<ChunkResult> results(static_cast<size_t>(text.chunks()));
  Scanner<Id> scanner(text, dialect, edges.ids.as<Id>(), edges.weights ? edges.weights.as<double>() : nullptr);
  parallel_tasks(text.chunks(), [&](int64_t c) {
    scanner.scan(text.start(c), text.start(c + 1), starts[c], results[c]);
  });
  // The first chunk that stopped decides, so that a mistake in front of a large id is reported and not rescanned.
  std::vector<TextProblem> problems;
  for (ChunkResult& r : results) {
    if (r.too_wide) return false;
    problems.push_back(std::move(r.problem));
    if (problems.back().at >= 0) raise_first(text, problems);
  }
  edges.min_id = INT64_MAX;
  for (size_t c = 0; c < results.size(); ++c) {
    const ChunkResult& r = results[c];
    edges.comments += r.comments;
    edges.blanks += r.blanks;
    if (r.count == 0) continue;
    edges.segments.push_back({starts[c], r.count});
    edges.min_id = std::min(edges.min_id, r.min_id);
    edges.max_source = std::max(edges.max_source, r.max_source);
    edges.max_target = std::max(edges.max_target, r.max_target);
    edges.unit_weights &= r.unit;
  }
  if (edges.segments.empty()) edges.min_id = 0;
  edges.wide = sizeof(Id) == 8;
  return true;
}

}  // namespace

void parse_integer_edges(const Text& text, const Dialect& dialect, EdgeList& edges) {
  std::vector<int64_t> starts = line_starts(text);
  if (scan_all<uint32_t>(text, dialect, starts, edges)) return;
  int64_t limit = edges.limit;
  edges = EdgeList();
  edges.limit = limit;
  if (!scan_all<int64_t>(text, dialect, starts, edges)) fail(GUST_EFAIL, "an id does not fit 63 bits");
}

}  // namespace gust

using namespace gust;

int32_t gust_edges_parse(int64_t address, int64_t size, const int64_t* dialect, const char* comment, int64_t* out) {
  return guard([&] {
    Text text{reinterpret_cast<const char*>(address), size, dialect[0]};
    Dialect d;
    d.delimiter = static_cast<char>(dialect[1]);
    d.columns = static_cast<int>(dialect[2]);
    d.source = static_cast<int>(dialect[3]);
    d.target = static_cast<int>(dialect[4]);
    d.weight = static_cast<int>(dialect[5]);
    d.base = dialect[6];
    d.limit = dialect[7];
    d.comment = comment;
    d.tag = static_cast<char>(dialect[9]);
    if (d.columns < 2 || d.columns > kFields || std::max({d.source, d.target, d.weight}) >= d.columns)
      fail(GUST_EINVAL, "edge list of %d columns, expected 2 to %d", d.columns, kFields);
    auto edges = std::make_unique<EdgeList>();
    edges->limit = dialect[10];
    if (dialect[8] != 0) parse_named_edges(text, d, *edges);
    else parse_integer_edges(text, d, *edges);
    describe_edges(*edges, out);
    out[0] = reinterpret_cast<int64_t>(edges.release());
  });
}
