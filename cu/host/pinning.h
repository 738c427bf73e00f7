// Which rows of the right operand of a row-wise sparse product are worth keeping near while the rows of one cluster are
// computed: those that its columns name most often. Shared by what counts traffic and by what multiplies.
//
// Source: the HDN cache of GROW, Hwang et al. 2023, HPCA, arXiv:2203.00158, section IV.
#pragma once

#include <algorithm>
#include <vector>

#include "../common/status.h"
#include "../include/gust.h"
#include "partition.h"

namespace gust::pinning {

using partition::Array;

template <class T>
T* at(int64_t address) { return reinterpret_cast<T*>(address); }

/** A square CSR pattern whose rows are walked in an order: order[i] is the i-th row, NULL: by number. */
template <class I>
struct Stream {
  int64_t n;
  const int64_t* indptr;
  const I* indices;
  const int64_t* order;
  int64_t row(int64_t i) const { return order ? order[i] : i; }
  const I* begin(int64_t v) const { return indices + indptr[v]; }
  const I* end(int64_t v) const { return indices + indptr[v + 1]; }
  int64_t nnz() const { return indptr[n]; }
};

/** Refuse clusters ptr[c] .. ptr[c + 1], c < k, that do not cover n places in order. */
inline void check_clusters(int64_t n, const int64_t* ptr, int64_t k) {
  bool rises = k >= 1 && ptr[0] == 0 && ptr[k] == n;
  for (int64_t c = 0; rises && c < k; ++c) rises = ptr[c] <= ptr[c + 1];
  if (!rises) fail(GUST_EDATA, "tensor \"part_ptr\" does not rise from 0 to %lld", static_cast<long long>(n));
}

/** Times that each node is a column. */
using Uses = Array<int64_t>;

template <class I>
Uses count_uses(const Stream<I>& s) {
  Uses uses(s.n, 0);
  for (int64_t e = 0; e < s.nnz(); ++e) ++uses[s.indices[e]];
  return uses;
}

/** Keep the `room` candidates with the greatest counts; of equal ones the lower nodes. */
inline void keep_greatest(std::vector<int64_t>& candidates, int64_t room, const Uses& count) {
  if (static_cast<int64_t>(candidates.size()) <= room) return;
  std::nth_element(candidates.begin(), candidates.begin() + room, candidates.end(),
                   [&](int64_t a, int64_t b) { return count[a] != count[b] ? count[a] > count[b] : a < b; });
  candidates.resize(static_cast<size_t>(room));
}

/** Asked for one cluster after another, by one thread; O(n) memory. */
template <class I>
class PinChoice {
 public:
  /**
   * @param total  uses in the whole matrix: clusters pin nodes of their own, those of most uses. NULL: they pin any
   *               nodes, those of most uses in their rows, and none of a single one.
   */
  PinChoice(const Stream<I>& s, const int64_t* ptr, int64_t room, const Uses* total)
      : s_(s), ptr_(ptr), room_(room), total_(total), uses_(total ? 0 : s.n, 0) {}

  /** Nodes that cluster c pins, at most `room`, in no order. */
  const std::vector<int64_t>& of(int64_t c) {
    kept_.clear();
    if (total_) {
      for (int64_t i = ptr_[c]; i < ptr_[c + 1]; ++i) kept_.push_back(s_.row(i));
      keep_greatest(kept_, room_, *total_);
      return kept_;
    }
    seen_.clear();
    for (int64_t i = ptr_[c]; i < ptr_[c + 1]; ++i)
      for (const I *j = s_.begin(s_.row(i)), *end = s_.end(s_.row(i)); j != end; ++j)
        if (uses_[*j]++ == 0) seen_.push_back(*j);
    for (int64_t v : seen_)
      if (uses_[v] >= 2) kept_.push_back(v);
    keep_greatest(kept_, room_, uses_);
    for (int64_t v : seen_) uses_[v] = 0;
    return kept_;
  }

 private:
  const Stream<I>& s_;
  const int64_t* ptr_;
  int64_t room_;
  const Uses* total_;
  Uses uses_;
  std::vector<int64_t> kept_, seen_;
};

}  // namespace gust::pinning
