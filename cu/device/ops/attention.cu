// Attention of graph attention networks, scores and softmax included, without a number per edge in memory.
//
//   s[e, h]   = leaky(z[e, h]),  z[e, h] = row[i, h] + column[j, h] for edge e = (i, j)
//   leaky(z)  = z > 0 ? z : slope z
//   alpha     = softmax of s over the edges of row i;  w = mask * alpha;  t = 1 where z > 0, else slope
//   out[i]    = sum over e of w x[j]        sloped[i] = sum over e of w t x[j]       mean_slope[i] = sum of alpha t
//
// and, with D[i] = <g[i], out[i]> per head, the gradient, by sums over the entries of the transpose:
//
//   d_row[i]    = <g[i], sloped[i] - mean_slope[i] out[i]>
//   d_column[j] = <x[j], sum over i of w t g[i]> - sum over i of alpha t D[i]
//   dx[j]       = sum over i of w g[i] + d_row[j] left + d_column[j] right
//
// Threads: a warp per row and part of its heads (head_rows.h), long rows by a block. Forward goes over the scores of a
//   row twice: for the largest, then for weights, their totals and the gathered rows. Backward first puts what edges
//   need of a node side by side (row, top, 1 / total and D of each head), then takes one pass over the transpose.
// Memory: nnz * f reads at random rows in either pass, 2 h of scores forward and 4 h backward; masks are drawn again.
// Determinism: a row is added up in an order that its length and the shapes decide.
#include "head_rows.h"

GUST_OPS_BEGIN
namespace {

template <class T>
__device__ T leaky(T z, T slope) { return z > 0 ? z : slope * z; }

/** The mask of edges, keyed as in dropout_edges. */
template <class T>
struct EdgeMask {
  StepRandom random;
  RowIds ids;
  uint32_t threshold = 0;
  T scale = 1;
  bool on;

  EdgeMask(const Context& context, const Slot& of, double p, int64_t stream, int64_t layer)
      : random(random_of(context, stream, layer)), ids(of), on(p > 0) {
    if (!on) return;
    threshold = drop_threshold(p);
    scale = static_cast<T>(1 / (1 - p));
  }
  /** Whether a head of an edge is kept. */
  __device__ bool keeps(const Random& draws, uint64_t edge, int64_t head) const {
    const auto draw = static_cast<uint32_t>(head);
    const Philox4 words = draws.block(edge, draw >> 2);
    // An index that varies would put the words into memory.
    const uint32_t low = draw & 1 ? words.x[1] : words.x[0], high = draw & 1 ? words.x[3] : words.x[2];
    return (draw & 2 ? high : low) >= threshold;
  }
  __device__ void apply(bool kept, T& weight, T& sloped) const {
    weight = kept ? weight * scale : T{0};
    sloped = kept ? sloped * scale : T{0};
  }
};

/** Entries of a row that a warp of a team takes, round after round. */
struct Round {
  int64_t entry;  // of this lane
  int count;      // entries of the round
  bool live;      // whether this lane has one, and a head

  __device__ Round(const HeadLane& of, int64_t first, int64_t end)
      : entry(first + of.slot), count(static_cast<int>(end - first < of.slots ? end - first : of.slots)),
        live(of.live && of.slot < count) {}
};

template <class T, class I, int K, bool Saves>
struct Forward {
  const int64_t* indptr;
  const I* indices;
  const T *row, *column, *x;
  T *out, *sloped, *top, *total, *mean_slope;  // null from sloped on unless Saves
  HeadParts cut;
  EdgeMask<T> mask;
  T slope;

  __device__ Range range(int64_t i) const { return {indptr[i], indptr[i + 1]}; }

  template <class Team>
  __device__ void operator()(int64_t i, int64_t part, const Range& range, const Team& team) const {
    const HeadLane of(cut, part);
    const int64_t first = range.begin + team.number() * of.slots, step = team.size() * of.slots;
    const T own = of.live ? row[i * cut.heads + of.head] : T{0};
    T largest = -std::numeric_limits<T>::infinity();
    if (of.live)
      for (int64_t e = first + of.slot; e < range.end; e += step)
        largest = Larger{}(largest, leaky(own + column[static_cast<int64_t>(indices[e]) * cut.heads + of.head], slope));
    largest = team.combine(combine_across(largest, cut.head_lanes, Larger{}), Larger{});

    const Random draws = mask.random();
    const uint64_t own_hash = mask.on ? mix64(mask.ids(i)) : 0;
    for (int64_t panel = 0; panel < of.columns(cut); panel += kLanes * K) {
      const ColumnLanes<K> at(cut, of, panel);
      HeadSums<T, K, Saves> sums;
      double sum = 0, sloped_sum = 0;  // of this lane's head, without the mask
      for (int64_t e = first; e < range.end; e += step) {
        const Round round(of, e, range.end);
        I j = 0;
        T weight = 0, second = 0;
        if (round.live) {
          j = indices[round.entry];
          const T z = own + column[static_cast<int64_t>(j) * cut.heads + of.head];
          weight = std::exp(leaky(z, slope) - largest);
          second = z > 0 ? weight : slope * weight;
          sum += static_cast<double>(weight);
          if constexpr (Saves) sloped_sum += static_cast<double>(second);
          if (mask.on) {
            const uint64_t edge = edge_id(own_hash, mask.ids(static_cast<int64_t>(j)));
            mask.apply(mask.keeps(draws, edge, of.head), weight, second);
          }
        }
        sums.add(cut, at, x + at.first, j, weight, second, round.count);
      }
      sums.finish(cut, team);
      sum = team.combine(sum_across(sum, cut.head_lanes), Add{});
      if constexpr (Saves) sloped_sum = team.combine(sum_across(sloped_sum, cut.head_lanes), Add{});
      const bool empty = range.begin == range.end;
      const T inverse = empty ? T{0} : static_cast<T>(1 / sum);
      for (int k = 0; k < K; ++k) {
        const T factor = __shfl_sync(kAllLanes, inverse, at.head[k]);
        if (!writes_columns(cut, team) || !at.live[k]) continue;
        const int64_t to = i * cut.f + at.first + kLanes * k;
        out[to] = sums.sum[k] * factor;
        if constexpr (Saves) sloped[to] = sums.other[k] * factor;
      }
      if constexpr (Saves) {
        if (panel > 0 || team.number() > 0 || of.slot > 0 || !of.live) continue;
        const int64_t to = i * cut.heads + of.head;
        top[to] = empty ? T{0} : largest;
        total[to] = static_cast<T>(sum);
        mean_slope[to] = empty ? T{0} : static_cast<T>(sloped_sum / sum);
      }
    }
  }
};

/** Numbers of a node that edges to it need, side by side: row, top, 1 / total and D of each head. */
constexpr int64_t kFacts = 4;

/** Facts of n nodes, and d_row; for the nodes behind them d_row = 0. Items: node and head. */
template <class T>
struct Facts {
  const T *row, *g, *out, *sloped, *top, *total, *mean_slope;
  T *facts, *d_row;
  int64_t items, heads, width;  // of the n nodes

  __device__ void operator()(int64_t item, const Group& group) const {
    const bool live = group.live && item < items;
    double product = 0, of_row = 0;
    if (live) {
      const T slope = mean_slope[item];
      for (int64_t k = item * width + group.lane; k < (item + 1) * width; k += group.lanes) {
        const auto factor = static_cast<double>(g[k]);
        product += factor * static_cast<double>(out[k]);
        of_row += factor * static_cast<double>(sloped[k] - slope * out[k]);
      }
    }
    product = sum_inside(product, group.lanes);
    of_row = sum_inside(of_row, group.lanes);
    if (!group.live || group.lane > 0) return;
    d_row[item] = static_cast<T>(of_row);
    if (!live) return;
    const auto [i, h] = cell_of(item, heads);
    T* of = facts + i * kFacts * heads + h;
    of[0] = row[item];
    of[heads] = top[item];
    of[2 * heads] = total[item] > 0 ? 1 / total[item] : T{0};
    of[3 * heads] = static_cast<T>(product);
  }
};

template <class T, class I, int K>
struct Backward {
  const int64_t* indptr;  // of the transpose
  const I* indices;
  const T *facts, *column, *x, *left, *right, *g, *d_row;
  T *dx, *d_column;
  HeadParts cut;
  EdgeMask<T> mask;
  T slope;

  __device__ Range range(int64_t j) const { return {indptr[j], indptr[j + 1]}; }

  template <class Team>
  __device__ void operator()(int64_t j, int64_t part, const Range& range, const Team& team) const {
    const HeadLane of(cut, part);
    const int64_t first = range.begin + team.number() * of.slots, step = team.size() * of.slots;
    const int64_t score = j * cut.heads + of.head;
    const T own = of.live ? column[score] : T{0}, from_row = of.live ? d_row[score] : T{0};
    const Random draws = mask.random();
    const uint64_t own_id = mask.on ? mask.ids(j) : 0;
    double dot = 0;
    for (int64_t panel = 0;; panel += kLanes * K) {
      const ColumnLanes<K> at(cut, of, panel);
      HeadSums<T, K, true> sums;
      double common = 0;  // sum of alpha t D of this lane's head
      for (int64_t e = first; e < range.end; e += step) {
        const Round round(of, e, range.end);
        I i = 0;
        T weight = 0, second = 0;
        if (round.live) {
          i = indices[round.entry];
          const T* fact = facts + static_cast<int64_t>(i) * kFacts * cut.heads + of.head;
          const T z = fact[0] + own;
          weight = std::exp(leaky(z, slope) - fact[cut.heads]) * fact[2 * cut.heads];
          second = z > 0 ? weight : slope * weight;
          common += static_cast<double>(second * fact[3 * cut.heads]);
          if (mask.on) {
            const uint64_t edge = edge_id(mix64(mask.ids(static_cast<int64_t>(i))), own_id);
            mask.apply(mask.keeps(draws, edge, of.head), weight, second);
          }
        }
        sums.add(cut, at, g + at.first, i, weight, second, round.count);
      }
      sums.finish(cut, team);
      dot += dot_of_head(j, of, panel, at, sums);
      const bool last = panel + kLanes * K >= of.columns(cut);
      T from_column = 0;
      if (last) {
        common = team.combine(sum_across(common, cut.head_lanes), Add{});
        from_column = static_cast<T>(dot - common);
        if (team.number() == 0 && of.slot == 0 && of.live) d_column[score] = from_column;
      }
      for (int k = 0; k < K; ++k) {
        const T by_row = __shfl_sync(kAllLanes, from_row, at.head[k]);
        const T by_column = __shfl_sync(kAllLanes, from_column, at.head[k]);
        if (!writes_columns(cut, team) || !at.live[k]) continue;
        const int64_t c = at.first + kLanes * k;
        dx[j * cut.f + c] = sums.sum[k] + (by_row * left[c] + (last ? by_column * right[c] : T{0}));
      }
      if (!last) continue;
      // Of a head of several panels the first ones lack d_column: each lane adds it to what it has written itself.
      if (team.number() == 0)
        for (int64_t c = of.first * cut.width + lane(); c < of.first * cut.width + panel; c += kLanes)
          dx[j * cut.f + c] += from_column * right[c];
      return;
    }
  }

  /** <x[j], sloped sums> over the columns of this lane's head in a panel. */
  __device__ double dot_of_head(int64_t j, const HeadLane& of, int64_t panel, const ColumnLanes<K>& at,
                                const HeadSums<T, K, true>& sums) const {
    __shared__ double of_warps[kWarps][kLanes * K];
    double* products = of_warps[threadIdx.x / kLanes];
    if (lane() < cut.column_lanes)
      for (int k = 0; k < K; ++k)
        if (at.live[k])
          products[lane() + kLanes * k] =
              static_cast<double>(x[j * cut.f + at.first + kLanes * k]) * static_cast<double>(sums.other[k]);
    __syncwarp();
    double sum = 0;
    if (of.live) {
      const int64_t begin = of.local * cut.width - panel, end = begin + cut.width;
      const int64_t stop = end < kLanes * K ? end : kLanes * K;
      for (int64_t c = (begin > 0 ? begin : 0) + of.slot; c < stop; c += of.slots) sum += products[c];
    }
    __syncwarp();
    return sum_across(sum, cut.head_lanes);
  }
};

/** As on the host: draws of an edge, one per head. */
void check_mask(double p, int64_t heads) {
  if (!(p >= 0 && p < 1)) fail(GUST_EINVAL, "dropout probability %g, expected 0 to below 1", p);
  if (p > 0 && heads > int64_t{1} << 18)
    fail(GUST_EINVAL, "row 0 needs %lld random draws, expected at most 2^18", static_cast<long long>(heads));
}

}  // namespace

void attention(const attention_args& args, Context& context) {
  const Slot &indices = context.slot(args.indices), &row = context.slot(args.row), &out = context.slot(args.out);
  check_mask(args.p, row.cols);
  if (out.rows == 0 || out.cols == 0) return;
  const HeadParts cut(out.cols, row.cols);
  const auto* indptr = context.slot(args.indptr).as<int64_t>();
  const bool saves = context.slot(args.sloped).live;
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    auto at = [&](int64_t slot) { return context.slot(slot).as<T>(); };
    const EdgeMask<T> mask(context, context.slot(args.ids), args.p, args.stream, args.layer);
    dispatch_index(indices.dtype, [&](auto index) {
      using I = decltype(index);
      with_panels(cut, [&](auto panels) {
        auto run = [&](auto with) {
          using Pass = Forward<T, I, panels(), with()>;
          for_rows(out.rows, cut.parts, indices.size(),
                   Pass{indptr, indices.as<I>(), row.as<T>(), at(args.column), at(args.x), out.as<T>(), at(args.sloped),
                        at(args.top), at(args.total), at(args.mean_slope), cut, mask, static_cast<T>(args.slope)});
        };
        if (saves) run(std::true_type{});
        else run(std::false_type{});
      });
    });
  });
}

void attention_backward(const attention_backward_args& args, Context& context) {
  const Slot &indices = context.slot(args.indices), &row = context.slot(args.row), &dx = context.slot(args.dx);
  const int64_t n = row.rows, m = dx.rows, f = dx.cols, heads = row.cols;
  check_mask(args.p, heads);
  dispatch_real(dx.dtype, [&](auto tag) {
    using T = decltype(tag);
    auto at = [&](int64_t slot) { return context.slot(slot).as<T>(); };
    T *facts = context.scratch<T>(n * kFacts * heads), *d_row = at(args.d_row), *d_column = at(args.d_column);
    for_groups(m * heads, lanes_for(f / heads),
               Facts<T>{row.as<T>(), at(args.g), at(args.out), at(args.sloped), at(args.top), at(args.total),
                        at(args.mean_slope), facts, d_row, n * heads, heads, f / heads});
    if (f == 0) return device::clear(reinterpret_cast<char*>(d_column), m * heads * static_cast<int64_t>(sizeof(T)));
    const HeadParts cut(f, heads);
    const EdgeMask<T> mask(context, context.slot(args.ids), args.p, args.stream, args.layer);
    dispatch_index(indices.dtype, [&](auto index) {
      using I = decltype(index);
      with_panels(cut, [&](auto panels) {
        for_rows(m, cut.parts, indices.size(),
                 Backward<T, I, panels()>{context.slot(args.indptr).as<int64_t>(), indices.as<I>(), facts,
                                          at(args.column), at(args.x), at(args.left), at(args.right), at(args.g), d_row,
                                          dx.as<T>(), d_column, cut, mask, static_cast<T>(args.slope)});
      });
    });
  });
}

GUST_OPS_END
