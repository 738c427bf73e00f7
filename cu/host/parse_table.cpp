// Tables of text: rows of columns cut by one character or by runs of blanks, with or without CSV quotes (which may
// hold newlines and "" for a quote: RFC 4180). One pass over the mapped bytes, in order, into one array per column.
// A mistake stops the parse and is reported as a kind, a place and a column, so that the caller can word it.
#include "../include/gust.h"
#include "names.h"
#include "parse_values.h"

namespace gust {
namespace {

struct TableColumn {
  int64_t kind = GUST_COLUMN_SKIP;
  Names* names = nullptr;
  std::vector<int64_t> integers;  // values, places, or where texts end
  std::vector<double> numbers;
  std::vector<int32_t> ids;
  std::vector<char> bytes;
  std::vector<uint8_t> present;  // of texts: the field is not empty, or has quotes
};

struct Table {
  std::vector<TableColumn> columns;
  std::vector<int64_t> row_begin;
  int64_t next = 0, blanks = 0, comments = 0;
  int64_t problem = 0, problem_from = 0, problem_to = 0, problem_column = 0, problem_fields = 0;
};

struct TableDialect {
  char delimiter;  // 0: runs of blanks
  bool quotes;
  char comment;  // begins a line to leave out; 0: none, '#': also '%'
  int64_t most_rows;  // -1: all
};

struct TableField {
  const char *from, *to;
  bool in_quotes = false, has_pairs = false;  // "" inside stands for one quote
};

class TableParser {
 public:
  TableParser(const Text& text, const TableDialect& dialect, Table& table)
      : text_(text), d_(dialect), table_(table), end_(text.data + text.size) {}

  void run() {
    const char* p = text_.data + text_.begin;
    int64_t rows = 0;
    // Quoted fields may hold them, so that the others are looked through one by one: of whole texts, where there are any.
    may_have_returns_ = d_.most_rows >= 0 || find_lone_return(text_, p, end_);
    while (p < end_ && rows != d_.most_rows) {
      if (const char* next = line_to_leave_out(p)) {
        if (!check_returns(p, next, 0)) return;
        p = next;
        continue;
      }
      table_.row_begin.push_back(p - text_.data);
      if (!row(p)) return;
      ++rows;
    }
    table_.next = p - text_.data;
  }

 private:
  bool stop(int64_t problem, const char* from, const char* to, size_t column) {
    table_.problem = problem;
    table_.problem_from = from - text_.data;
    table_.problem_to = to - text_.data;
    table_.problem_column = static_cast<int64_t>(column);
    return false;
  }

  bool check_returns(const char* from, const char* to, size_t column) {
    const char* lone = may_have_returns_ ? find_lone_return(text_, from, to) : nullptr;
    return !lone || stop(GUST_TABLE_RETURN, lone, lone + 1, column);
  }

  /** The byte behind a blank line or a comment, or null for a row. A tab is no blank where tabs separate. */
  const char* line_to_leave_out(const char* p) {
    const char* q = p;
    while (q < end_ && is_blank(*q) && *q != d_.delimiter) ++q;
    if (q < end_ && *q != '\n') {
      if (d_.comment == 0 || (*q != d_.comment && !(d_.comment == '#' && *q == '%'))) return nullptr;
      ++table_.comments;
      while (q < end_ && *q != '\n') ++q;
    } else {
      ++table_.blanks;
    }
    return q < end_ ? q + 1 : q;
  }

  /** Reads one row and moves p behind it. */
  bool row(const char*& p) {
    const char* begin = p;
    size_t count = 0, wanted = table_.columns.size();
    bool more = true;
    while (more) {
      TableField field;
      if (!next_field(p, field, more, count)) return false;
      if (!more && d_.delimiter == 0 && field.from == field.to && count > 0) break;  // blanks at the end
      if (count < wanted && !take(table_.columns[count], field, count)) return false;
      ++count;
    }
    if (count == wanted) return true;
    table_.problem_fields = static_cast<int64_t>(count);
    return stop(GUST_TABLE_COLUMNS, begin, begin, 0);
  }

  /** Reads up to the next delimiter or line end and moves p behind it; `more`: a field follows on this row. */
  bool next_field(const char*& p, TableField& f, bool& more, size_t column) {
    const char* begin = p;
    if (d_.delimiter == 0)
      while (p < end_ && is_blank(*p)) ++p;
    if (d_.quotes && p < end_ && *p == '"') return check_returns(begin, p, column) && quoted_field(p, f, more, column);
    f.from = p;
    if (d_.delimiter == 0)
      while (p < end_ && *p != '\n' && !is_blank(*p)) ++p;
    else
      while (p < end_ && *p != '\n' && *p != d_.delimiter) ++p;
    f.to = p;
    more = p < end_ && *p != '\n';
    if (!more && d_.delimiter != 0 && f.to > f.from && f.to[-1] == '\r') --f.to;
    if (p < end_) ++p;
    return check_returns(begin, p, column);
  }

  bool quoted_field(const char*& p, TableField& f, bool& more, size_t column) {
    const char* open = p++;
    f.in_quotes = true;
    f.from = p;
    for (;; ++p) {
      p = static_cast<const char*>(std::memchr(p, '"', static_cast<size_t>(end_ - p)));
      if (!p) return stop(GUST_TABLE_OPEN_QUOTE, open, open, column);
      if (p + 1 == end_ || p[1] != '"') break;
      f.has_pairs = true;
      ++p;
    }
    f.to = p++;
    const char* after = p;
    while (p < end_ && is_blank(*p) && *p != d_.delimiter) ++p;
    bool cut = d_.delimiter == 0 ? p > after : p < end_ && *p == d_.delimiter;
    if (p < end_ && *p != '\n' && !cut) return stop(GUST_TABLE_AFTER_QUOTE, p, p + 1, column);
    more = p < end_ && *p != '\n';
    if (p < end_ && (d_.delimiter != 0 || *p == '\n')) ++p;
    return check_returns(after, p, column);
  }

  bool take(TableColumn& c, const TableField& f, size_t column) {
    switch (c.kind) {
      case GUST_COLUMN_SKIP: return true;
      case GUST_COLUMN_PLACE: return c.integers.push_back(f.from - text_.data), true;
      case GUST_COLUMN_INTEGER: {
        int64_t value = 0;
        int bad = to_integer(f.from, f.to, value);
        if (bad) return stop(bad == 1 ? GUST_TABLE_INTEGER : GUST_TABLE_RANGE, f.from, f.to, column);
        return c.integers.push_back(value), true;
      }
      case GUST_COLUMN_NUMBER: {
        double value = 0;
        int bad = to_number(f.from, f.to, value);
        if (bad) return stop(bad == 1 ? GUST_TABLE_NUMBER : GUST_TABLE_FINITE, f.from, f.to, column);
        return c.numbers.push_back(value), true;
      }
    }
    if (!is_utf8(f.from, f.to)) return stop(GUST_TABLE_ENCODING, f.from, f.to, column);
    std::string_view text = plain(f);
    if (c.kind == GUST_COLUMN_TEXT) {
      c.bytes.insert(c.bytes.end(), text.begin(), text.end());
      c.integers.push_back(static_cast<int64_t>(c.bytes.size()));
      c.present.push_back(f.in_quotes || !text.empty());
      return true;
    }
    if (text.empty()) return stop(GUST_TABLE_EMPTY, f.from, f.to, column);
    if (c.kind == GUST_COLUMN_KNOWN) {
      int64_t number = c.names->find(text);
      if (number < 0) return stop(GUST_TABLE_UNKNOWN, f.from, f.to, column);
      return c.ids.push_back(static_cast<int32_t>(number)), true;
    }
    int64_t before = c.names->count();
    uint32_t number = c.names->add(text);
    if (c.kind == GUST_COLUMN_UNIQUE && c.names->count() == before)
      return stop(GUST_TABLE_TWICE, f.from, f.to, column);
    return c.ids.push_back(static_cast<int32_t>(number)), true;
  }

  /** The field's text, pairs of quotes undone. */
  std::string_view plain(const TableField& f) {
    std::string_view raw(f.from, static_cast<size_t>(f.to - f.from));
    if (!f.has_pairs) return raw;
    scratch_.clear();
    for (size_t i = 0; i < raw.size(); ++i) {
      scratch_.push_back(raw[i]);
      if (raw[i] == '"') ++i;
    }
    return scratch_;
  }

  const Text& text_;
  const TableDialect& d_;
  Table& table_;
  const char* end_;
  bool may_have_returns_ = false;
  std::string scratch_;
};

void reserve(Table& table, const Text& text, int64_t most_rows) {
  int64_t rows = most_rows;
  if (rows < 0) rows = 1 + std::count(text.data + text.begin, text.data + text.size, '\n');
  table.row_begin.reserve(static_cast<size_t>(rows));
  for (TableColumn& c : table.columns) {
    if (c.kind == GUST_COLUMN_NUMBER) c.numbers.reserve(static_cast<size_t>(rows));
    else if (c.names) c.ids.reserve(static_cast<size_t>(rows));
    else if (c.kind != GUST_COLUMN_SKIP) c.integers.reserve(static_cast<size_t>(rows) + 1);
    if (c.kind == GUST_COLUMN_TEXT) {
      c.present.reserve(static_cast<size_t>(rows));
      c.integers.push_back(0);
    }
  }
}

/** Rows of any number of integers: column 0 holds them all, column 1 where each row's begin. */
void parse_lists(const Text& text, char comment, Table& table) {
  table.columns.resize(2);
  auto &values = table.columns[0].integers, &ptr = table.columns[1].integers;
  ptr.push_back(0);
  const char *p = text.data + text.begin, *end = text.data + text.size;
  if (const char* lone = find_lone_return(text, p, end)) {
    table.problem = GUST_TABLE_RETURN;
    table.problem_from = lone - text.data;
    table.problem_to = table.problem_from + 1;
    return;
  }
  while (p < end) {
    while (p < end && is_blank(*p)) ++p;
    if (p == end) return;
    if (*p == '\n') {
      ++table.blanks;
      ++p;
      continue;
    }
    if (comment && (*p == comment || (comment == '#' && *p == '%'))) {
      ++table.comments;
      const void* newline = std::memchr(p, '\n', static_cast<size_t>(end - p));
      p = newline ? static_cast<const char*>(newline) + 1 : end;
      continue;
    }
    table.row_begin.push_back(p - text.data);
    for (;;) {
      while (p < end && is_blank(*p)) ++p;
      if (p == end || *p == '\n') break;
      const char* from = p;
      while (p < end && *p != '\n' && !is_blank(*p)) ++p;
      int64_t value = 0;
      if (int bad = to_integer(from, p, value); bad) {
        table.problem = bad == 1 ? GUST_TABLE_INTEGER : GUST_TABLE_RANGE;
        table.problem_from = from - text.data;
        table.problem_to = p - text.data;
        table.problem_column = static_cast<int64_t>(values.size()) - ptr.back();
        return;
      }
      values.push_back(value);
    }
    ptr.push_back(static_cast<int64_t>(values.size()));
    if (p < end) ++p;
  }
}

void describe_table(const Table& t, int64_t* out) {
  int64_t facts[] = {static_cast<int64_t>(t.row_begin.size()), t.next, t.blanks, t.comments,
                     t.problem, t.problem_from, t.problem_to, t.problem_column, t.problem_fields};
  std::copy(std::begin(facts), std::end(facts), out + 1);
}

template <class T>
int64_t address_of(const std::vector<T>& v) {
  return v.empty() ? 0 : reinterpret_cast<int64_t>(v.data());
}

}  // namespace
}  // namespace gust

using namespace gust;

int32_t gust_table_parse(int64_t address, int64_t size, const int64_t* dialect, const int64_t* columns,
                         int64_t num_columns, int64_t* out) {
  return guard([&] {
    Text text{reinterpret_cast<const char*>(address), size, dialect[0]};
    if (num_columns < 1 || text.begin < 0 || text.begin > size) fail(GUST_EINVAL, "table without columns or begin");
    TableDialect d{static_cast<char>(dialect[1]), dialect[2] != 0, static_cast<char>(dialect[3]), dialect[4]};
    auto table = std::make_unique<Table>();
    table->columns.resize(static_cast<size_t>(num_columns));
    for (int64_t c = 0; c < num_columns; ++c) {
      TableColumn& column = table->columns[static_cast<size_t>(c)];
      column.kind = columns[2 * c];
      if (column.kind >= GUST_COLUMN_NAME && column.kind <= GUST_COLUMN_UNIQUE)
        column.names = &names_of(columns[2 * c + 1]);
    }
    reserve(*table, text, d.most_rows);
    TableParser(text, d, *table).run();
    describe_table(*table, out);
    out[0] = reinterpret_cast<int64_t>(table.release());
  });
}

int32_t gust_table_lists(int64_t address, int64_t size, int64_t begin, int32_t comment, int64_t* out) {
  return guard([&] {
    Text text{reinterpret_cast<const char*>(address), size, begin};
    auto table = std::make_unique<Table>();
    parse_lists(text, static_cast<char>(comment), *table);
    describe_table(*table, out);
    out[0] = reinterpret_cast<int64_t>(table.release());
  });
}

int32_t gust_table_column(int64_t table, int64_t column, int64_t* out) {
  return guard([&] {
    if (table == 0) fail(GUST_EINVAL, "table handle is null");
    const Table& t = *reinterpret_cast<const Table*>(table);
    if (column < -1 || column >= static_cast<int64_t>(t.columns.size()))
      fail(GUST_EINVAL, "table column %lld", static_cast<long long>(column));
    std::fill(out, out + 4, 0);
    if (column < 0) {
      out[0] = address_of(t.row_begin);
      out[1] = static_cast<int64_t>(t.row_begin.size());
      return;
    }
    const TableColumn& c = t.columns[static_cast<size_t>(column)];
    if (c.kind == GUST_COLUMN_NUMBER) out[0] = address_of(c.numbers), out[1] = static_cast<int64_t>(c.numbers.size());
    else if (c.names) out[0] = address_of(c.ids), out[1] = static_cast<int64_t>(c.ids.size());
    else if (c.kind == GUST_COLUMN_TEXT) {
      out[0] = address_of(c.bytes), out[1] = static_cast<int64_t>(c.bytes.size());
      out[2] = address_of(c.integers), out[3] = address_of(c.present);
    } else out[0] = address_of(c.integers), out[1] = static_cast<int64_t>(c.integers.size());
  });
}

int32_t gust_table_destroy(int64_t table) {
  return guard([&] { delete reinterpret_cast<Table*>(table); });
}
