// Refinement by rounds of simultaneous moves ("Jet", Gilbert, Madduri, Boman, Rajamanickam 2023; rounds of
// falling temperature after Krause, Gottesbueren, Maas 2025). A round looks at every boundary node and the
// other part that it is connected to best, and
//
//   1. takes the nodes that gain by going there, or lose less than temperature * (weight of their edges inside their
//      part): this is how it climbs hills;
//   2. of those, keeps the ones that still gain if every neighbour with a better gain has moved before them;
//   3. moves them all at once, whatever the parts then weigh, and rebalances.
//
// A node that moved rests for one round. A temperature ends when a few rounds have not brought a better state within
// the limits, and the next one starts from the best state seen, which is also the result. Hills are climbed on small
// graphs alone, where it costs little and decides most; `Effort` says what is small, how many rounds are waited, and
// how many arcs moves may touch, which matters for graphs with hubs. Before the rounds comes a pass of single moves.
#include "partition.h"

namespace gust::partition {
namespace {

constexpr double kTemperatures[] = {0.75, 0.375, 0};
constexpr int64_t kLeastBudget = 10000;
constexpr int64_t kClimbPatience = 100;
constexpr int64_t kCandidateGrain = 4096;

/** A node that may move: to the part where it gains most (or loses least), whatever that part weighs. */
struct Candidate {
  int32_t node, to, gain;
};

/** Which of two neighbouring candidates is taken to move first. */
bool is_before(const Candidate& a, const Candidate& b) {
  return a.gain != b.gain ? a.gain > b.gain : a.node < b.node;
}

Candidate best_of(const Parts& parts, int32_t v) {
  const Link best = parts.best_link(v);
  return {v, best.part, best.weight - parts.internal(v)};
}

class Refinement {
 public:
  Refinement(Parts& parts, SearchSpace& space, const Effort& effort)
      : parts_(parts), graph_(parts.graph), space_(space), effort_(effort) {
    space_.round += 2;  // no mark of an earlier use reads as "moved in the last round"
  }

  /** Returns the quality of the best state; `part` holds it, `parts` is of no more use. */
  Quality run(int32_t* part) {
    rebalance(parts_, log_);
    note_best();
    // Where most nodes are at the boundary, single moves are many and rounds do better.
    if (has_best_ && 2 * static_cast<int64_t>(parts_.boundary().size()) < graph_.n) {
      climb(parts_, space_, kClimbPatience, graph_.arcs.size() + kLeastBudget);
      note_best();
    }
    const bool is_small = graph_.n <= effort_.small;
    for (double temperature : kTemperatures) {
      if (temperature > 0 && !is_small) continue;
      go_back();
      cool(temperature);
    }
    if (!has_best_) return {parts_.overload(), parts_.cut()};
    for (; !log_.empty(); log_.pop_back()) part[log_.back().node] = log_.back().to;
    return {0, best_};
  }

 private:
  /** Whether the present state is the best within the limits so far. */
  bool note_best() {
    if (parts_.overload() > 0 || (has_best_ && parts_.cut() >= best_)) return false;
    has_best_ = true;
    best_ = parts_.cut();
    log_.clear();
    return true;
  }
  void go_back() {
    if (!has_best_) return;
    // Of a node that moved several times, the first step says where it was.
    ++space_.round;
    steps_.clear();
    for (const Step& s : log_) {
      if (space_.moved[s.node] == space_.round) continue;
      space_.moved[s.node] = space_.round;
      if (parts_.part_of(s.node) != s.to) steps_.push_back(s);  // it may have come back by itself
    }
    ++space_.round;
    parts_.move_all(steps_.data(), static_cast<int64_t>(steps_.size()));
    log_.clear();
  }

  void cool(double temperature) {
    const int64_t budget = static_cast<int64_t>(effort_.budget * static_cast<double>(graph_.arcs.size())) + kLeastBudget;

    double reference = static_cast<double>(has_best_ ? best_ : parts_.cut());
    for (int since = 0; since < effort_.patience && work_ < budget; ++since) {
      collect(temperature);
      keep_gaining();
      if (candidates_.empty() && has_best_) return;
      ++space_.round;
      steps_.clear();
      for (const Candidate& c : candidates_) {
        log_.push_back({c.node, parts_.part_of(c.node)});
        steps_.push_back({c.node, c.to});
        space_.moved[c.node] = space_.round;
        work_ += graph_.degree(c.node);
      }
      parts_.move_all(steps_.data(), static_cast<int64_t>(steps_.size()));
      size_t moved = log_.size();
      rebalance(parts_, log_);
      for (; moved < log_.size(); ++moved) work_ += graph_.degree(log_[moved].node);
      if (note_best() && static_cast<double>(best_) < reference * (1 - effort_.least_gain)) {
        reference = static_cast<double>(best_);
        since = -1;
      }
    }
  }

  void collect(double temperature) {
    const std::vector<int32_t>& boundary = parts_.boundary();
    const int64_t count = static_cast<int64_t>(boundary.size());
    found_.resize(num_chunks(count, kGrain));
    parallel_for(count, kGrain, [&](int64_t begin, int64_t end) {
      std::vector<Candidate>& found = found_[begin / kGrain];
      found.clear();
      for (int64_t i = begin; i < end; ++i) {
        const int32_t v = boundary[i];
        if (space_.moved[v] == space_.round) continue;
        const Candidate c = best_of(parts_, v);
        if (c.gain >= 0 || -c.gain < temperature * parts_.internal(v)) found.push_back(c);
      }
    });
    candidates_.clear();
    for (const std::vector<Candidate>& found : found_)
      candidates_.insert(candidates_.end(), found.begin(), found.end());
  }

  void keep_gaining() {
    const int64_t count = static_cast<int64_t>(candidates_.size());
    for (int64_t i = 0; i < count; ++i) space_.index[candidates_[i].node] = static_cast<int32_t>(i);
    keep_.resize(count);
    parallel_for(count, kCandidateGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) keep_[i] = gain_after(candidates_[i]) >= 0;
    });
    int64_t kept = 0;
    for (int64_t i = 0; i < count; ++i) {
      space_.index[candidates_[i].node] = -1;
      if (keep_[i]) candidates_[kept++] = candidates_[i];
    }
    candidates_.resize(kept);
  }

  /** Gain of c once the candidates before it have moved. */
  int64_t gain_after(const Candidate& c) const {
    const int32_t own = parts_.part_of(c.node);
    int64_t gain = c.gain;
    for (const Arc *a = graph_.begin(c.node), *end = graph_.end(c.node); a != end; ++a) {
      const int32_t i = space_.index[a->node];
      if (i < 0 || !is_before(candidates_[i], c)) continue;
      const int32_t from = parts_.part_of(a->node), to = candidates_[i].to;
      if (from == own) gain += a->weight;
      else if (from == c.to) gain -= a->weight;
      if (to == c.to) gain += a->weight;
      else if (to == own) gain -= a->weight;
    }
    return gain;
  }

  Parts& parts_;
  const Graph& graph_;
  SearchSpace& space_;
  const Effort& effort_;
  std::vector<std::vector<Candidate>> found_;  // per chunk of the boundary
  std::vector<Candidate> candidates_;
  std::vector<uint8_t> keep_;
  std::vector<Step> steps_;
  std::vector<Step> log_;  // where nodes were, since the best state
  bool has_best_ = false;
  int64_t best_ = 0, work_ = 0;
};

}  // namespace

Quality refine(const Graph& graph, int32_t k, const int64_t* limits, int32_t* part, SearchSpace& space,
               const Effort& effort) {
  Parts parts(graph, k, limits, part);
  return Refinement(parts, space, effort).run(part);
}

}  // namespace gust::partition
