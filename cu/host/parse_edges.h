// How the lines of an edge list look, and what its two parsers share.
#pragma once

#include <cstring>
#include <memory>
#include <string>

#include "build.h"
#include "parse_text.h"

namespace gust {

/** Found by the reader from the first lines, or said by the user. Columns count from 0. */
struct Dialect {
  char delimiter;          // 0: runs of blanks
  int columns;             // fields of every line
  int source, target, weight;  // weight -1: none
  int64_t base;            // what the file calls node 0
  int64_t limit;           // ids (less base) are below it; -1: any
  std::string comment;     // begins a line that is left out; "": any of # % //
  char tag = 0;            // a letter in front of the columns of every line, which count behind it; 0: none

  bool is_comment(const char* p, const char* end) const {
    if (!comment.empty())
      return end - p >= static_cast<ptrdiff_t>(comment.size()) && std::memcmp(p, comment.data(), comment.size()) == 0;
    return *p == '#' || *p == '%' || (*p == '/' && p + 1 < end && p[1] == '/');
  }
  std::string columns_problem(int found) const {
    return std::to_string(found) + (found == 1 ? " column, expected " : " columns, expected ") +
           std::to_string(columns) + (tag ? std::string(" behind \"") + tag + "\"" : " as in the first line");
  }
  /** Behind the tag of a line that begins at p, or null if it is not there. */
  const char* skip_tag(const char* p, const char* end) const {
    if (tag == 0) return p;
    return p < end && *p == tag && (p + 1 == end || is_blank(p[1])) ? p + 1 : nullptr;
  }
};

struct Field {
  const char *from, *to;
  bool in_quotes;  // "" inside stands for one quote
};

/** Cut a line at the delimiter; the first `most` fields are written, all are counted. */
int split_fields(const char* p, const char* end, char delimiter, Field* fields, int most);
/** A finite number, or false with what is wrong. */
bool parse_weight(const Field& field, double& weight, std::string& problem);
/** First line number of every chunk (from 0), and the number of lines. */
std::vector<int64_t> line_starts(const Text& text);

void parse_integer_edges(const Text& text, const Dialect& dialect, EdgeList& edges);
/** String ids, numbered in the order of their first appearance. */
void parse_named_edges(const Text& text, const Dialect& dialect, EdgeList& edges);

/** out[1..] of gust.h's "edges" calls. */
void describe_edges(const EdgeList& edges, int64_t* out);

}  // namespace gust
