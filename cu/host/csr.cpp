// Questions about and copies of CSR matrices.
#include <algorithm>
#include <iterator>
#include <vector>

#include "../include/gust.h"
#include "../common/dtype.h"
#include "../common/parallel.h"
#include "csr_view.h"

using namespace gust;

namespace {
constexpr int64_t kRows = 4096;  // rows per task
}  // namespace

int32_t gust_csr_count_self_loops(int64_t rows, int64_t indptr, int64_t indices, int32_t dtype, int64_t* out) {
  return guard([&] {
    dispatch_index(dtype, [&](auto tag) {
      auto a = csr_at<decltype(tag)>(rows, indptr, indices);
      out[0] = parallel_sum<int64_t>(rows, kRows, [&](int64_t begin, int64_t end) {
        int64_t count = 0;
        for (int64_t v = begin; v < end; ++v)
          for (int64_t e = a.indptr[v]; e < a.indptr[v + 1]; ++e) count += a.indices[e] == v;
        return count;
      });
    });
  });
}

int32_t gust_csr_without_self_loops(int64_t rows, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                    int32_t value_size, int64_t out_indptr, int64_t out_indices, int64_t out_values) {
  return guard([&] {
    dispatch_index(dtype, [&](auto tag) {
      using I = decltype(tag);
      auto a = csr_at<I>(rows, indptr, indices);
      auto* starts = reinterpret_cast<int64_t*>(out_indptr);
      auto* kept = reinterpret_cast<I*>(out_indices);
      const auto* from = reinterpret_cast<const char*>(values);
      auto* to = reinterpret_cast<char*>(out_values);
      parallel_for(rows, kRows, [&](int64_t begin, int64_t end) {
        for (int64_t v = begin; v < end; ++v) {
          starts[v] = 0;
          for (int64_t e = a.indptr[v]; e < a.indptr[v + 1]; ++e) starts[v] += a.indices[e] != v;
        }
      });
      exclusive_scan(starts, rows);
      parallel_for(rows, kRows, [&](int64_t begin, int64_t end) {
        for (int64_t v = begin; v < end; ++v) {
          int64_t at = starts[v];
          for (int64_t e = a.indptr[v]; e < a.indptr[v + 1]; ++e) {
            if (a.indices[e] == v) continue;
            kept[at] = a.indices[e];
            if (from) std::memcpy(to + at * value_size, from + e * value_size, value_size);
            ++at;
          }
        }
      });
    });
  });
}

int32_t gust_csr_with_self_loops(int64_t rows, int64_t indptr, int64_t indices, int32_t dtype, int64_t out_indptr,
                                 int64_t out_indices) {
  return guard([&] {
    dispatch_index(dtype, [&](auto tag) {
      using I = decltype(tag);
      auto a = csr_at<I>(rows, indptr, indices);
      auto* starts = reinterpret_cast<int64_t*>(out_indptr);
      auto* out = reinterpret_cast<I*>(out_indices);
      parallel_for(rows + 1, kRows, [&](int64_t begin, int64_t end) {
        for (int64_t v = begin; v < end; ++v) starts[v] = a.indptr[v] - a.indptr[0] + v;
      });
      parallel_for(rows, kRows, [&](int64_t begin, int64_t end) {
        for (int64_t v = begin; v < end; ++v) {
          const I *first = a.indices + a.indptr[v], *last = a.indices + a.indptr[v + 1];
          const I* after = std::find_if(first, last, [=](I u) { return u > v; });
          I* to = std::copy(first, after, out + starts[v]);
          *to++ = static_cast<I>(v);
          std::copy(after, last, to);
        }
      });
    });
  });
}

int32_t gust_csr_two_hops(int64_t rows, int64_t indptr, int64_t indices, int32_t dtype, int64_t out_indptr,
                          int64_t out_indices) {
  return guard([&] {
    dispatch_index(dtype, [&](auto tag) {
      using I = decltype(tag);
      auto a = csr_at<I>(rows, indptr, indices);
      auto* starts = reinterpret_cast<int64_t*>(out_indptr);
      auto* out = reinterpret_cast<I*>(out_indices);
      // Few rows per task: the square of a row is far longer than the row.
      parallel_for(rows, 64, [&](int64_t begin, int64_t end) {
        std::vector<I> near, reached, kept;
        for (int64_t v = begin; v < end; ++v) {
          near.assign(a.indices + a.indptr[v], a.indices + a.indptr[v + 1]);
          reached.clear();
          for (I u : near) reached.insert(reached.end(), a.indices + a.indptr[u], a.indices + a.indptr[u + 1]);
          std::sort(near.begin(), near.end());  // rows may be in order of time
          std::sort(reached.begin(), reached.end());
          reached.erase(std::unique(reached.begin(), reached.end()), reached.end());
          kept.clear();
          std::set_difference(reached.begin(), reached.end(), near.begin(), near.end(), std::back_inserter(kept));
          std::erase(kept, static_cast<I>(v));
          if (out) std::copy(kept.begin(), kept.end(), out + starts[v]);
          else starts[v] = static_cast<int64_t>(kept.size());
        }
      });
      if (!out) exclusive_scan(starts, rows);
    });
  });
}

int32_t gust_csr_is_symmetric(int64_t rows, int64_t indptr, int64_t indices, int32_t dtype, int64_t* out) {
  return guard([&] {
    dispatch_index(dtype, [&](auto tag) {
      auto a = csr_at<decltype(tag)>(rows, indptr, indices);
      int64_t missing = parallel_sum<int64_t>(rows, kRows, [&](int64_t begin, int64_t end) {
        int64_t count = 0;
        for (int64_t v = begin; v < end; ++v)
          for (int64_t e = a.indptr[v]; e < a.indptr[v + 1]; ++e) {
            int64_t u = a.indices[e];
            count += !std::binary_search(a.indices + a.indptr[u], a.indices + a.indptr[u + 1], v);
          }
        return count;
      });
      out[0] = missing == 0;
    });
  });
}
