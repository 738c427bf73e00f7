// A CSR matrix without values as ABI calls hand it over.
#pragma once

#include <cstdint>

namespace gust {

template <class Index>
struct CsrView {
  int64_t n;  // rows
  const int64_t* indptr;
  const Index* indices;
};

template <class Index>
CsrView<Index> csr_at(int64_t n, int64_t indptr, int64_t indices) {
  return {n, reinterpret_cast<const int64_t*>(indptr), reinterpret_cast<const Index*>(indices)};
}

}  // namespace gust
