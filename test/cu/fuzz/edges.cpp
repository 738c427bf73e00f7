// Edge lists of every dialect, then the graph that is built of them and the text that it is written as.
#include <algorithm>

#include "fuzz.h"

using namespace gust::fuzz;

namespace {

/** A CSR is sound: rows ascend, columns lie inside. */
void check_built(const int64_t* built, int64_t rows) {
  const auto* indptr = reinterpret_cast<const int64_t*>(built[2]);
  need(indptr[0] == 0 && indptr[rows] == built[1], "a row pointer from 0 to the entries");
  for (int64_t v = 0; v < rows; ++v)
    for (int64_t i = indptr[v]; i < indptr[v + 1]; ++i) {
      auto column = [&](int64_t at) {
        return built[4] == GUST_I32 ? int64_t{reinterpret_cast<const int32_t*>(built[3])[at]} : reinterpret_cast<const int64_t*>(built[3])[at];
      };
      need(column(i) >= 0 && column(i) < rows, "columns below the number of nodes");
      need(i == indptr[v] || column(i) > column(i - 1), "columns that ascend");
    }
}

/** Its text, written in two pieces that meet anywhere. */
void write_text(const int64_t* built, int64_t rows, int64_t layout, int64_t cut, int64_t names, int64_t names_indptr) {
  int64_t items = built[1] + rows, columns[] = {built[5], built[6]};
  cut = std::min(cut, items);
  for (auto [begin, end] : {std::pair{int64_t{0}, cut}, {cut, items}}) {
    int64_t words[] = {rows, built[2], built[3], built[4], begin, end, layout, 1, ',', 0, 0, names, names_indptr, address(columns), built[5] ? 1 : 0, 0, 0};
    int64_t text[3];
    if (succeeded(gust_csr_text(words, text))) gust_free(text[0], text[1]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  Input in(bytes, size);
  int64_t delimiter = in.one_of<int64_t>({0, ',', '\t', ';', ' ', '|'}), columns = 2 + in.choose(3);
  int64_t source = in.choose(columns), target = (source + 1) % columns, weight = in.choose(4) - 1;
  if (weight >= columns) weight = -1;
  int64_t base = in.choose(2), limit = in.one_of<int64_t>({-1, -1, 7, 1000}), is_named = in.choose(2);
  int64_t tag = in.one_of<int64_t>({0, 0, 'e', 'a'}), flags = in.choose(32), layout = in.choose(2), cut = in.choose(64);
  const char* comment = in.one_of<const char*>({"", "", "#", "//"});
  std::vector<char> text = in.rest();
  int64_t dialect[] = {0, delimiter, columns, source, target, weight, base, limit, is_named, tag, -1};
  int64_t edges[11];
  if (!parsed(gust_edges_parse(address(text.data()), static_cast<int64_t>(text.size()), dialect, comment, edges))) return 0;
  std::vector<char> names(static_cast<size_t>(std::max<int64_t>(edges[9], 0)));
  std::vector<int64_t> names_indptr(static_cast<size_t>(std::max<int64_t>(edges[8], 0)) + 1);
  if (is_named) need(gust_edges_names(edges[0], address(names.data()), address(names_indptr.data())) == GUST_OK, "names");
  need(edges[2] >= 0 && edges[1] >= 0, "counts from 0");
  std::vector<int64_t> pairs(static_cast<size_t>(2 * edges[1]));
  need(gust_edges_pairs(edges[0], 1, 1, address(pairs.data())) == GUST_OK, "pairs");
  need(std::all_of(pairs.begin(), pairs.end(), [&](int64_t id) { return id > edges[2] && id <= edges[3] + 1; }), "ids in their range");
  if (edges[3] > 4096) {
    const int64_t handle = edges[0];
    need(gust_edges_relabel(handle, edges) == GUST_OK, "relabelling");
    need(edges[0] == edges[3] + 1, "as many ids as there are numbers");
    std::vector<int64_t> ids(static_cast<size_t>(edges[0]));
    edges[0] = handle;
    need(gust_edges_original_ids(handle, address(ids.data())) == GUST_OK, "original ids");
    need(std::is_sorted(ids.begin(), ids.end()), "ids that ascend");
  }
  need(edges[3] <= 2 * edges[1] + 4096, "ids below the number of different ones");
  int64_t rows = edges[3] + 1, built[13];
  if (weight < 0) flags &= ~GUST_BUILD_WEIGHTED;
  if (flags & (GUST_BUILD_SYMMETRIZE | GUST_BUILD_REMOVE_SELF_LOOPS | GUST_BUILD_SELF_LOOPS)) flags &= ~GUST_BUILD_ROW_IS_SOURCE;
  if (succeeded(gust_build_create(edges[0], rows, rows, static_cast<int32_t>(flags), built))) {
    check_built(built, rows);
    bool shows_names = is_named && layout == 0 && static_cast<int64_t>(names_indptr.size()) == rows + 1;
    write_text(built, rows, layout, cut, shows_names ? address(names.data()) : 0, address(names_indptr.data()));
    gust_build_destroy(built[0]);
  }
  gust_edges_destroy(edges[0]);
  check_memory(static_cast<int64_t>(size));
  return 0;
}
