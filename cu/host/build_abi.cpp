// The C interface of building: flags to options, and the addresses of what was built.
#include <algorithm>

#include "../include/gust.h"
#include "build_csr.h"

using namespace gust;

namespace {

BuildOptions build_options(int64_t num_rows, int64_t num_columns, int32_t flags) {
  if (num_rows < 0 || num_columns < 0) fail(GUST_EINVAL, "matrix of negative size");
  auto has = [&](int32_t flag) { return (flags & flag) != 0; };
  return {num_rows, num_columns, has(GUST_BUILD_ROW_IS_SOURCE), has(GUST_BUILD_SYMMETRIZE),
          has(GUST_BUILD_REMOVE_SELF_LOOPS), has(GUST_BUILD_SELF_LOOPS), has(GUST_BUILD_WEIGHTED), has(GUST_BUILD_WIDE),
          has(GUST_BUILD_MIRROR)};
}

void describe_built(std::unique_ptr<Built> built, int64_t* out) {
  const Built& b = *built;
  const int64_t results[] = {0, b.nnz, reinterpret_cast<int64_t>(b.indptr.as<char>()),
                             reinterpret_cast<int64_t>(b.indices.as<char>()), b.indices_dtype,
                             reinterpret_cast<int64_t>(b.values.as<char>()), b.values_dtype, b.duplicates, b.added,
                             b.self_removed, b.self_added, b.self_loops, b.conflicts};
  std::copy(std::begin(results), std::end(results), out);
  out[0] = reinterpret_cast<int64_t>(built.release());
}

}  // namespace

int32_t gust_build_create(int64_t handle, int64_t num_rows, int64_t num_columns, int32_t flags, int64_t* out) {
  return guard([&] {
    auto built = std::make_unique<Built>();
    build_csr(edge_list(handle), build_options(num_rows, num_columns, flags), *built);
    describe_built(std::move(built), out);
  });
}

int32_t gust_build_listed(int64_t handle, int64_t num_rows, int64_t num_columns, int32_t flags, int64_t times,
                          int32_t times_dtype, int64_t* out) {
  return guard([&] {
    BuildOptions options = build_options(num_rows, num_columns, flags);
    options.times = reinterpret_cast<const void*>(times);
    options.times_dtype = times_dtype;
    if (times != 0 && times_dtype != GUST_I64 && times_dtype != GUST_F64) fail(GUST_EINVAL, "times of dtype %d", times_dtype);
    if (times != 0 && options.symmetrize) fail(GUST_EINVAL, "rows sorted by time can be mirrored, not symmetrised");
    auto built = std::make_unique<Built>();
    build_listed(edge_list(handle), options, *built);
    describe_built(std::move(built), out);
  });
}

int32_t gust_build_destroy(int64_t built) {
  return guard([&] { delete reinterpret_cast<Built*>(built); });
}
