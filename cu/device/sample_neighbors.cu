// Neighbour sampling, as cu/host/sample_neighbors.cpp does it: for each hop, `fanout` in-neighbours of every node
// reached so far, uniform without replacement; nodes in the order in which they are found.
//
// A hop, over the rows of all batches at once: count arcs and add them up, draw the picks of each row and put them in
// order, look up their sources in a table of (batch, node), give new nodes their positions by a prefix sum over the
// arcs that met them first, put the positions of each row in order. Drawing, looking up and numbering take a warp per
// row with an arc per lane, so that the accesses of a row are under way together. The host waits once per hop, for
// the sizes of the next one.
//
// Draws: Floyd's sampling algorithm, 32 steps at a time: each lane draws as if no word had to be drawn again, and what
// comes after one that has is thrown away. That a number was picked before is asked of the list of picks, or of a hash
// set where there are more than kMostListed.
// Cost: O(arcs + count^2 / 32 per row of `count` picks) time, about 120 bytes per arc of a hop and node reached.
#include "../include/gust.h"
#include "../common/draws.h"
#include "../common/status.h"
#include "sample.h"

using namespace gust;
using namespace gust::cuda;
using namespace gust::cuda::sampling;

namespace {

constexpr int64_t kMostListed = 256;
constexpr int64_t kSetPerPick = 4;  // entries: the set of a row takes the largest power of two that fits

/** The rows of a hop: node r of all batches together has the arcs starts[r] .. starts[r + 1] - 1. */
template <class I>
struct Rows {
  GraphView<I> graph;
  const int64_t *nodes, *node_ptr;
  int64_t batches;
  const int64_t* starts;
  Found* found;

  __device__ int64_t batch(int64_t r) const { return batch_at(node_ptr, batches, r); }
};

/** counts[r] = arcs that are taken of row r, 0 behind the last. */
template <class I>
struct Count {
  GraphView<I> graph;
  const int64_t *nodes, *total;
  int64_t fanout;
  int64_t* counts;
  Found* found;

  __device__ bool is_sound(Row row) const {
    if (!graph.is_sound(row)) return false;
    if (graph.is_damaged)
      for (int64_t e = row.begin; e < row.end; ++e)
        if (!graph.has(graph.source(e))) return false;
    return true;
  }
  __device__ void operator()(int64_t r) const {
    int64_t count = 0;
    if (r < *total && graph.has(nodes[r])) {
      const Row row = graph.row(nodes[r]);
      if (is_sound(row)) count = fanout < 0 || row.size() <= fanout ? row.size() : fanout;
      else found_at(&found->row, r);
    }
    counts[r] = count;
    if (static_cast<Word>(count) > found->longest) atomicMax(&found->longest, static_cast<Word>(count));
  }
};

/** Finds seeds that their batch has before. */
struct FindTwice {
  Table table;
  const int64_t *nodes, *node_ptr;
  int64_t batches;
  Found* found;
  __device__ void operator()(int64_t r) const {
    const int64_t v = nodes[r];
    if (static_cast<uint64_t>(v) < static_cast<uint64_t>(table.num_nodes) &&
        table.find(batch_at(node_ptr, batches, r), v) != r)
      found_at(&found->twice, r);
  }
};

struct ArcPointers {
  const int64_t *starts, *node_ptr;
  int64_t* arc_ptr;
  __device__ void operator()(int64_t b) const { arc_ptr[b] = starts[node_ptr[b]]; }
};

/** The numbers that were picked of a row: a list in the order of picking, and a hash set where the list is long. */
struct Picks {
  int64_t* list;
  Word *set, mask;  // number + 1; 0: free

  __device__ Word slot_of(int64_t pick) const { return static_cast<Word>(pick) * 0x9e3779b97f4a7c15ull >> 32 & mask; }
  /** Whether one of the first `count` is `pick`. */
  __device__ bool has(int64_t pick, int64_t count) const {
    if (!set) {
      bool any = false;
      for (int64_t i = 0; i < count; ++i) any |= list[i] == pick;
      return any;
    }
    for (Word i = slot_of(pick);; i = (i + 1) & mask) {
      if (set[i] == static_cast<Word>(pick) + 1) return true;
      if (set[i] == 0) return false;
    }
  }
  /** Add number k, which is none of those before. */
  __device__ void add(int64_t k, int64_t pick) const {
    list[k] = pick;
    if (!set) return;
    for (Word i = slot_of(pick); atomicCAS(&set[i], Word{0}, static_cast<Word>(pick) + 1) != 0;) i = (i + 1) & mask;
  }
};

/** Ranks of the arcs that are taken of each row, in the order of picking. */
template <class I>
struct Draw {
  Rows<I> rows;
  Random random;  // of the first batch
  Word* sets;     // kSetPerPick entries for each arc, free; null: no row is long
  int64_t* drawn;

  __device__ void operator()(int64_t r) const {
    const int64_t begin = rows.starts[r], count = rows.starts[r + 1] - begin, v = rows.nodes[r];
    const int64_t size = rows.graph.row(v).size();
    if (count == size) return leave_in_order(drawn + begin, 0, count);
    if (count == 0) return;
    Picks picks{drawn + begin, nullptr, 0};
    if (count > kMostListed) {
      picks.set = sets + kSetPerPick * begin;
      picks.mask = (Word{1} << (63 - __clzll(kSetPerPick * count))) - 1;
    }
    Random own = random;
    own.step += static_cast<uint32_t>(rows.batch(r));
    const bool is_done = size <= UINT32_MAX ? draw(own, rows.graph.id(v), size, count, picks)
                                            : draw_one_by_one(own, rows.graph.id(v), size, count, picks);
    if (is_done) return;
    if (lane() == 0) atomicMax(&rows.found->used_up, Word{1});
    leave_in_order(drawn + begin, 0, count);
  }

 private:
  __device__ static void leave_in_order(int64_t* list, int64_t first, int64_t count) {
    for (int64_t i = first + lane(); i < count; i += kLanes) list[i] = i;
  }

  /** Whether there were words enough. */
  __device__ static bool draw(const Random& random, uint64_t id, int64_t size, int64_t count, const Picks& picks) {
    int64_t used = 0;
    for (int64_t first = 0; first < count;) {
      const int64_t k = first + lane(), last = size - count + k;
      const auto bound = static_cast<uint32_t>(last + 1);
      const uint64_t product = static_cast<uint64_t>(random.u32(id, static_cast<uint32_t>(used + lane()))) * bound;
      const unsigned again = __ballot_sync(kAllLanes, k < count && is_drawn_again(product, bound));
      const int taken = again ? __ffs(static_cast<int>(again)) - 1
                              : static_cast<int>(std::min<int64_t>(kLanes, count - first));
      used += taken + (again != 0);
      if (used > kMaxDraws) return false;
      auto pick = static_cast<int64_t>(product >> 32);
      if (lane() < taken && picks.has(pick, first)) pick = last;
      // `last` is above all numbers before: what it takes the place of is never met a second time.
      for (int before = 0; before + 1 < taken; ++before) {
        const int64_t other = __shfl_sync(kAllLanes, pick, before);
        if (lane() > before && pick == other) pick = last;
      }
      if (lane() < taken) picks.add(k, pick);
      __syncwarp();
      first += taken;
    }
    return true;
  }

  /** The same for rows whose numbers take more than 32 bits. */
  __device__ static bool draw_one_by_one(const Random& random, uint64_t id, int64_t size, int64_t count,
                                         const Picks& picks) {
    Draws draws(random, id);
    if (lane() == 0)
      for (int64_t k = 0; k < count; ++k) {
        const int64_t last = size - count + k;
        const auto pick = static_cast<int64_t>(draws.below(static_cast<uint64_t>(last) + 1));
        picks.add(k, picks.has(pick, k) ? last : pick);
      }
    return !__any_sync(kAllLanes, draws.used_up());
  }
};

/** The arcs by their ranks in their rows, and where the table has their sources. */
template <class I>
struct LookUp {
  Rows<I> rows;
  const int64_t* ranks;  // ascending in each row; null: whole rows
  int64_t known;         // nodes, whose places come before those of arcs
  Table table;
  int64_t *arcs, *slots;

  __device__ void operator()(int64_t r) const {
    const Row row = rows.graph.row(rows.nodes[r]);
    const int64_t begin = rows.starts[r], end = rows.starts[r + 1], batch = rows.batch(r);
    for (int64_t i = begin + lane(); i < end; i += kLanes) {
      const int64_t arc = rows.graph.arc(row, ranks ? ranks[i] : i - begin);
      int64_t source = rows.graph.source(arc);
      if (!rows.graph.has(source)) {
        found_at(&rows.found->arc, i);
        source = 0;
      }
      arcs[i] = arc;
      slots[i] = table.insert(batch, source, known + i);
    }
  }
};

/** Whether an arc is the first to meet its source; 0 behind the last. */
struct MarkNew {
  Table table;
  const int64_t* slots;
  int64_t arcs, known;
  int32_t* is_new;
  __device__ void operator()(int64_t i) const { is_new[i] = i < arcs && table.place(slots[i]) == known + i; }
};

/** The nodes of each batch before and after the hop. */
struct NodePointers {
  const int64_t *node_ptr, *arc_ptr, *new_before;
  int64_t* next;
  __device__ void operator()(int64_t b) const { next[b] = node_ptr[b] + new_before[arc_ptr[b]]; }
};

/** Positions of the arcs' sources, and the nodes of the next hop: those of a batch, then its new ones. */
struct Number {
  const int64_t *nodes, *node_ptr;
  int64_t batches;
  const int64_t *starts, *arc_ptr, *slots, *new_before;
  int64_t known;
  Table table;
  int64_t* next_nodes;
  int32_t* positions;

  __device__ void operator()(int64_t r) const {
    const int64_t batch = batch_at(node_ptr, batches, r), first = node_ptr[batch], end = node_ptr[batch + 1];
    const int64_t new_of_others = new_before[arc_ptr[batch]];
    if (lane() == 0) next_nodes[r + new_of_others] = nodes[r];
    for (int64_t i = starts[r] + lane(); i < starts[r + 1]; i += kLanes) {
      const int64_t place = table.place(slots[i]);
      if (place < known) {
        positions[i] = static_cast<int32_t>(place - first);
        continue;
      }
      const int64_t at = end + new_before[place - known];
      positions[i] = static_cast<int32_t>(at - first - new_of_others);
      if (place == known + i) next_nodes[at] = table.node(slots[i]);
    }
  }
};

/** Batches that grow hop by hop. */
template <class I>
class NeighborSampler {
 public:
  NeighborSampler(const Sampler& sampler, const GraphView<I>& graph, Batches& batches)
      : sampler_(sampler), pool_(sampler.pool), graph_(graph), batches_(batches), progress_(pool_, batches.count) {}

  void begin(const int64_t* seeds, const int64_t* seed_ptr) {
    std::vector<int64_t> node_ptr(seed_ptr, seed_ptr + batches_.count + 1);
    for (int64_t& at : node_ptr) at -= seed_ptr[0];
    check_batch_sizes(node_ptr);
    const int64_t count = node_ptr.back();
    device::copy(progress_.node_ptr(), node_ptr.data(), 8 * (batches_.count + 1));
    nodes_ = Buffer<int64_t>(pool_, count);
    nodes_.write(seeds + seed_ptr[0], count);
    const OwnedTable seen(pool_, count, batches_.count, graph_.num_nodes);
    insert_nodes(seen.table, count, nodes_.data(), progress_.node_ptr(), batches_.count, progress_.found());
    each(count, FindTwice{seen.table, nodes_.data(), progress_.node_ptr(), batches_.count, progress_.found()});
  }

  void hop(const Random& random, int64_t fanout, Block& block) {
    // Of the nodes, an upper bound is known; how many there are, the GPU knows.
    Buffer<int64_t> starts(pool_, nodes_.size() + 1);
    each(starts.size(), Count<I>{graph_, nodes_.data(), progress_.node_ptr() + batches_.count, fanout, starts.data(),
                                 progress_.found()});
    Scratch scratch(pool_);
    exclusive_sum(scratch, starts.data(), starts.data(), starts.size());
    each(batches_.count + 1, ArcPointers{starts.data(), progress_.node_ptr(), progress_.arc_ptr()});
    const Progress::Seen seen = finish_hop();
    block = make_block(sampler_, progress_, seen, starts.data());

    const int64_t known = seen.node_ptr.back(), arcs = seen.arc_ptr.back(), count = batches_.count;
    const auto longest = static_cast<int64_t>(seen.found.longest);
    Progress next(pool_, count);
    const Rows<I> rows{graph_, nodes_.data(), progress_.node_ptr(), count, starts.data(), next.found()};
    const Buffer<int64_t> ranks = fanout < 0 ? Buffer<int64_t>() : draw(rows, random, known, arcs, longest);
    const OwnedTable owned(pool_, known + arcs, count, graph_.num_nodes);
    const Table& table = owned.table;
    insert_nodes(table, known, nodes_.data(), progress_.node_ptr(), count, nullptr);
    arcs_ = Buffer<int64_t>(pool_, arcs);
    const Buffer<int64_t> slots(pool_, arcs), new_before(pool_, arcs + 1);
    each_warp(known, LookUp<I>{rows, ranks.data(), known, table, arcs_.data(), slots.data()});

    const Buffer<int32_t> is_new(pool_, arcs + 1), positions(pool_, arcs);
    each(arcs + 1, MarkNew{table, slots.data(), arcs, known, is_new.data()});
    exclusive_sum(scratch, is_new.data(), new_before.data(), arcs + 1);
    each(count + 1, NodePointers{progress_.node_ptr(), progress_.arc_ptr(), new_before.data(), next.node_ptr()});
    Buffer<int64_t> next_nodes(pool_, std::min(known + arcs, count * graph_.num_nodes));
    each_warp(known, Number{nodes_.data(), progress_.node_ptr(), count, starts.data(), progress_.arc_ptr(),
                            slots.data(), new_before.data(), known, table, next_nodes.data(), positions.data()});
    order_rows(pool_, known, starts.data(), arcs, longest, 31, positions.data(),
               sampler_.keeps_edges ? arcs_.data() : nullptr, block.indices.data(), block.edges.data());
    nodes_ = std::move(next_nodes);
    progress_ = std::move(next);
  }

  void end() {
    finish_hop();
    batches_.nodes = std::move(nodes_);
  }

 private:
  /** The ranks that are drawn, ascending in each row. */
  Buffer<int64_t> draw(const Rows<I>& rows, const Random& random, int64_t known, int64_t arcs, int64_t longest) {
    const Buffer<int64_t> drawn(pool_, arcs);
    Buffer<int64_t> ranks(pool_, arcs);
    Buffer<Word> sets(pool_, longest > kMostListed ? kSetPerPick * arcs : 0);
    sets.clear();
    each_warp(known, Draw<I>{rows, random, sets.data(), drawn.data()});
    order_rows(pool_, known, rows.starts, arcs, longest, bits_for(graph_.num_edges), drawn.data(), nullptr,
               ranks.data(), nullptr);
    return ranks;
  }

  /** Wait for the hop that was run, and see that it went well; keeps how many nodes each batch has now. */
  Progress::Seen finish_hop() {
    Progress::Seen seen = progress_.see();
    const int64_t node = place_of(seen.found.node), twice = place_of(seen.found.twice);
    if (node >= 0 && (twice < 0 || node < twice)) fail_node(nodes_.at(node), graph_.num_nodes);
    if (twice >= 0) fail_twice(nodes_.at(twice));
    if (seen.found.arc != 0) fail_arc(graph_, arcs_.at(place_of(seen.found.arc)));
    if (seen.found.used_up != 0) fail(GUST_EINVAL, "%s", kDrawsUsedUp);
    check_batch_sizes(seen.node_ptr);
    if (seen.found.row != 0) fail_row(graph_, nodes_.at(place_of(seen.found.row)));
    batches_.node_ptr.push_back(seen.node_ptr);
    return seen;
  }

  const Sampler& sampler_;
  const std::shared_ptr<Pool>& pool_;
  const GraphView<I>& graph_;
  Batches& batches_;
  Progress progress_;
  Buffer<int64_t> nodes_, arcs_;  // reached so far; of the last hop, in the order of places
};

}  // namespace

int32_t gust_sample_neighbors(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                              const int64_t* fanout, int64_t hops, int64_t seed, int64_t epoch, int64_t first_step,
                              int64_t* out) {
  return guard([&] {
    const auto& s = *reinterpret_cast<Sampler*>(sampler);
    auto batches = std::make_unique<Batches>(s.pool, num_batches, hops);
    s.dispatch([&](const auto& graph) {
      NeighborSampler work(s, graph, *batches);
      work.begin(reinterpret_cast<const int64_t*>(seeds), seed_ptr);
      for (int64_t h = 0; h < hops; ++h)
        work.hop(Random(static_cast<uint64_t>(seed), stream_id("sample"), static_cast<uint32_t>(epoch),
                        static_cast<uint32_t>(first_step), static_cast<uint32_t>(h)),
                 fanout[h], batches->blocks[h]);
      work.end();
    });
    out[0] = reinterpret_cast<int64_t>(batches.release());
  });
}
