// Rows laid out for batches and read ahead through the C ABI: many batches on several threads, rows of every relation to
// the size of a page, reads that are given up, and places that lead outside.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "check.h"

using namespace gust;
using namespace gust::test;

namespace {

template <class T>
int64_t address(const std::vector<T>& values) { return reinterpret_cast<int64_t>(values.data()); }

constexpr int64_t kNodes = 700, kBatches = 23;

/** Batches of different nodes, and rows that say whose they are. */
struct Case {
  std::vector<int64_t> node_ptr{0};
  std::vector<int32_t> nodes;
  std::vector<uint8_t> rows;
  int64_t row_bytes;

  explicit Case(int64_t bytes) : rows(static_cast<size_t>(kNodes * bytes)), row_bytes(bytes) {
    for (int64_t b = 0; b < kBatches; ++b) {
      for (int64_t i = 0; i < 60 + b; ++i) nodes.push_back(static_cast<int32_t>((b * 37 + i * (b % 5 + 1)) % kNodes));
      node_ptr.push_back(static_cast<int64_t>(nodes.size()));
    }
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<uint8_t>(i / static_cast<size_t>(bytes) * 31 + i % 251);
  }
};

/** A file without a name that holds the pages, behind one page. */
struct File {
  int fd;
  std::string path;
  File() : path("/tmp/gust-pack-XXXXXX") { fd = mkstemp(path.data()); }
  ~File() {
    close(fd);
    unlink(path.c_str());
  }
};

void round_trip(int64_t row_bytes, int64_t hot_rows, int64_t budget, bool direct, bool mapped) {
  const Case c(row_bytes);
  int64_t pack;
  succeed(gust_pack_create(kNodes, kBatches, address(c.node_ptr), address(c.nodes), GUST_I32, 0, row_bytes, hot_rows / 2,
                           hot_rows - hot_rows / 2, budget, 0, 5, 0, &pack));
  int64_t sizes[14];
  succeed(gust_pack_sizes(pack, sizes));
  const int64_t hot_count = sizes[0] + sizes[1], segment = sizes[2], segments = sizes[3], pages = sizes[5] + sizes[7];
  std::vector<int64_t> hot(static_cast<size_t>(hot_count)), shared_ptr(static_cast<size_t>(segments + 1)),
      packed_ptr(kBatches + 1), counts(3 * kBatches);
  succeed(gust_pack_tables(pack, address(hot), address(shared_ptr), address(packed_ptr), address(counts)));
  std::vector<int32_t> pos(c.nodes.size()), loc(c.nodes.size());
  succeed(gust_pack_gather(pack, 0, kBatches, address(pos), address(loc)));
  File file;
  GUST_CHECK(ftruncate(file.fd, (pages + 1) * GUST_PAGE) == 0);
  for (int64_t first = 0; first < kNodes; first += 300)
    succeed(gust_pack_put(pack, file.fd, GUST_PAGE, first, std::min<int64_t>(300, kNodes - first),
                          address(c.rows) + first * row_bytes));
  succeed(gust_pack_destroy(pack));

  std::vector<uint8_t> hot_rows_data(static_cast<size_t>(hot_count * row_bytes));
  for (int64_t h = 0; h < hot_count; ++h)
    std::memcpy(hot_rows_data.data() + h * row_bytes, c.rows.data() + hot[h] * row_bytes, static_cast<size_t>(row_bytes));
  int64_t map[3], reader[2];
  succeed(gust_file_map(file.path.c_str(), map));
  succeed(gust_reader_create(mapped ? "" : file.path.c_str(), map[1], map[2], GUST_PAGE, pages, row_bytes,
                             address(hot_rows_data), hot_count, direct ? 1 : 0, reader));
  GUST_CHECK(reader[1] == (mapped ? 2 : direct ? reader[1] : 1));
  std::vector<std::vector<uint8_t>> rooms(kBatches);
  int64_t read = 0;
  const auto start = [&](int64_t b, int64_t at) {
    rooms[b].assign(static_cast<size_t>((c.node_ptr[b + 1] - c.node_ptr[b]) * row_bytes), 0);
    const int64_t s = b / segment;
    succeed(gust_reader_start(reader[0], counts.data() + 3 * b, address(pos) + 4 * c.node_ptr[b], address(loc) + 4 * at,
                              shared_ptr[s], shared_ptr[s + 1] - shared_ptr[s], packed_ptr[b],
                              reinterpret_cast<int64_t>(rooms[b].data())));
  };
  std::vector<int64_t> loc_at{0};
  for (int64_t b = 0; b < kBatches; ++b) loc_at.push_back(loc_at.back() + counts[3 * b] + counts[3 * b + 1]);
  for (int64_t b = 0; b < 3; ++b) start(b, loc_at[b]);
  for (int64_t b = 0; b < kBatches; ++b) {
    int64_t out[4];
    succeed(gust_reader_wait(reader[0], out));
    read += out[1];
    for (int64_t i = c.node_ptr[b]; i < c.node_ptr[b + 1]; ++i)
      GUST_CHECK(std::memcmp(rooms[b].data() + (i - c.node_ptr[b]) * row_bytes, c.rows.data() + c.nodes[i] * row_bytes,
                             static_cast<size_t>(row_bytes)) == 0);
    if (b + 3 < kBatches) start(b + 3, loc_at[b + 3]);
  }
  GUST_CHECK(read == sizes[7] + sizes[11]);
  // Places outside are refused before anything is read; what was begun may be given up.
  const int32_t kept = pos[0];
  pos[0] = 1000;
  GUST_CHECK(gust_reader_start(reader[0], counts.data(), address(pos), address(loc), shared_ptr[0],
                               shared_ptr[1] - shared_ptr[0], packed_ptr[0],
                               reinterpret_cast<int64_t>(rooms[0].data())) == GUST_EDATA);
  pos[0] = kept;
  start(0, 0);
  start(1, loc_at[1]);
  succeed(gust_reader_destroy(reader[0]));
  succeed(gust_mapping_close(map[0]));
}

}  // namespace

GUST_TEST(packed_rows_come_back_in_the_order_of_their_batches) {
  // Reading past the page cache waits for what was just written: a few of those.
  for (int64_t row_bytes : {1, 256, 3000, 5000})
    for (int64_t budget : {int64_t{-1}, kNodes / 2, 2 * kNodes}) {
      succeed(gust_set_num_threads(budget < 0 ? 1 : 4));
      round_trip(row_bytes, 101, budget, false, false);
      round_trip(row_bytes, 0, budget, false, true);
    }
  round_trip(256, 101, 2 * kNodes, true, false);
  succeed(gust_set_num_threads(0));
}

GUST_TEST(a_pack_refuses_nodes_and_pointers_that_lead_outside) {
  Case c(8);
  int64_t pack;
  const auto create = [&] {
    return gust_pack_create(kNodes, kBatches, address(c.node_ptr), address(c.nodes), GUST_I32, 0, 8, 0, 0, 100, 0, 0, 0,
                            &pack);
  };
  c.nodes[5] = kNodes;
  GUST_CHECK(create() == GUST_EDATA);
  c.nodes[5] = 0;
  std::swap(c.node_ptr[2], c.node_ptr[3]);
  GUST_CHECK(create() == GUST_EDATA);
}
