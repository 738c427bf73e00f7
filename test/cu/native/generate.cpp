// Generators under the sanitizers: every model into heap blocks of exactly the size it asks for, on several threads.
#include "../../../cu/host/generate.h"

#include "check.h"

using namespace gust;
using namespace gust::test;

namespace {

struct Handle {
  int64_t value = 0;
  Handle() = default;
  Handle(const Handle&) = delete;
  ~Handle() { gust_generate_destroy(value); }
};

template <class T>
int64_t address(const std::unique_ptr<T[]>& data) { return reinterpret_cast<int64_t>(data.get()); }

template <class T>
std::unique_ptr<T[]> block(int64_t size) { return std::make_unique<T[]>(static_cast<size_t>(size)); }

/** All that a generator gives, as one vector. */
template <class Id>
std::vector<double> all_of(const Handle& g, int64_t classes) {
  int64_t sizes[2], counts[2], kept, bytes, text_out[2], parts[4];
  succeed(gust_generate_sizes(g.value, sizes));
  const int64_t n = sizes[0], items = sizes[1];
  auto indptr = block<int64_t>(n + 1);
  succeed(gust_generate_count(g.value, address(indptr), counts));
  auto indices = block<Id>(counts[0]);
  succeed(gust_generate_fill(g.value, address(indptr), address(indices), kDType<Id>, &kept));
  std::vector<double> all = {static_cast<double>(kept), static_cast<double>(counts[1])};
  all.insert(all.end(), indptr.get(), indptr.get() + n + 1);
  all.insert(all.end(), indices.get(), indices.get() + kept);
  for (int64_t v = 0; v < n; ++v)
    for (int64_t i = indptr[v]; i < indptr[v + 1]; ++i) {
      GUST_CHECK(indices[i] >= 0 && indices[i] < n && indices[i] != v);
      GUST_CHECK(i == indptr[v] || indices[i - 1] < indices[i]);
    }

  succeed(gust_generate_text_size(g.value, items, &bytes));
  auto text = block<char>(bytes);
  succeed(gust_generate_text(g.value, 0, items, address(text), text_out));
  all.insert(all.end(), text.get(), text.get() + text_out[0]);

  constexpr int64_t kColumns = 3;
  auto features = block<float>(n * kColumns);
  succeed(gust_generate_features(g.value, 0, n, kColumns, 2.5, address(features)));
  all.insert(all.end(), features.get(), features.get() + n * kColumns);
  if (classes == 0) return all;

  auto labels = block<int32_t>(n);
  auto part = block<uint8_t>(n);
  auto nodes = block<int64_t>(n);
  succeed(gust_generate_labels(g.value, int64_t{1} << 30, int64_t{1} << 29, address(labels)));
  succeed(gust_generate_split(g.value, address(labels), 2, 3, address(part), parts));
  GUST_CHECK(parts[1] == 2 * classes && parts[2] == 3 * classes && parts[0] + parts[1] + parts[2] + parts[3] == n);
  all.insert(all.end(), labels.get(), labels.get() + n);
  all.insert(all.end(), part.get(), part.get() + n);
  for (int which = 1; which <= 3; ++which) {
    int64_t count;
    succeed(gust_generate_split_nodes(address(part), 0, n, which, address(nodes), &count));
    GUST_CHECK(count == parts[which]);
  }
  return all;
}

/** The same on any number of threads and with either index type. `create` fills a handle. */
template <class Create>
void check_generator(int64_t classes, Create&& create) {
  Handle g;
  succeed(create(&g.value));
  std::vector<double> all;
  same_on_threads([&] { all = all_of<int32_t>(g, classes); }, [&] { return all; });
  GUST_CHECK(all_of<int64_t>(g, classes) == all);
}

}  // namespace

// More items than one task takes (65536), rows of very unequal length, duplicates.

GUST_TEST(sbm_is_the_same_on_any_threads) {
  check_generator(7, [](int64_t* out) { return gust_generate_sbm(3, 3001, 7, 80'000, int64_t{3} << 30, 1, 0, 1, 0, out); });
}

GUST_TEST(rmat_is_the_same_on_any_threads) {
  check_generator(4, [](int64_t* out) { return gust_generate_rmat(3, 11, 150'000, .57, .19, .19, 1, 1, 4, out); });
}

GUST_TEST(erdos_renyi_is_the_same_on_any_threads) {
  check_generator(0, [](int64_t* out) { return gust_generate_erdos_renyi(3, 1000, 100'000, 0, 0, out); });
}

GUST_TEST(grid_is_the_same_on_any_threads) {
  check_generator(2, [](int64_t* out) { return gust_generate_grid(3, 301, 299, 1, 1, 2, out); });
}

GUST_TEST(generators_refuse_what_cannot_be) {
  int64_t out;
  GUST_CHECK(gust_generate_sbm(0, 1, 1, 1, 0, 1, 0, 1, 0, &out) == GUST_EINVAL);
  for (int64_t skew : {0, 17}) GUST_CHECK(gust_generate_sbm(0, 10, 2, 1, 0, 1, 0, skew, 0, &out) == GUST_EINVAL);
  GUST_CHECK(gust_generate_sbm(0, 10, 0, 1, 0, 1, 0, 1, 0, &out) == GUST_EINVAL);
  GUST_CHECK(gust_generate_rmat(0, 33, 1, .25, .25, .25, 0, 0, 0, &out) == GUST_EINVAL);
  GUST_CHECK(gust_generate_rmat(0, 3, 1, .5, .5, .5, 0, 0, 0, &out) == GUST_EINVAL);
  GUST_CHECK(gust_generate_erdos_renyi(0, 4, 7, 0, 0, &out) == GUST_EINVAL);
  GUST_CHECK(gust_generate_grid(0, int64_t{1} << 31, int64_t{1} << 31, 0, 0, 0, &out) == GUST_EINVAL);
  GUST_CHECK(gust_generate_sizes(0, &out) == GUST_EINVAL);
}

GUST_TEST(a_permutation_meets_every_number_once_and_backward_undoes_it) {
  for (int64_t n = 1; n <= 300; ++n) {
    const Permutation p(n, static_cast<uint64_t>(n), stream_id("test"));
    std::vector<int> seen(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
      const int64_t to = p.forward(i);
      GUST_CHECK(to >= 0 && to < n && seen[to]++ == 0 && p.backward(to) == i);
    }
  }
  for (int64_t n : {int64_t{1} << 31, (int64_t{1} << 40) + 12345, int64_t{1} << 62}) {
    const Permutation p(n, 9, stream_id("test"));
    for (int64_t k = 0; k < 1000; ++k) {
      const auto i = static_cast<int64_t>(mix64(static_cast<uint64_t>(k)) % static_cast<uint64_t>(n));
      GUST_CHECK(p.forward(i) < n && p.backward(p.forward(i)) == i);
    }
  }
}
