// Samplers and sampled batches as handles: creation, sizes, and copies into the flat arrays of a sample document.
#include "../include/gust.h"
#include "sample.h"

using namespace gust;
using namespace gust::sampling;

namespace {

/** Starts of count pieces of the given sizes. */
template <class Size>
std::vector<int64_t> starts_of(int64_t count, Size&& size) {
  std::vector<int64_t> starts(static_cast<size_t>(count + 1));
  for (int64_t b = 0; b < count; ++b) starts[b] = size(b);
  exclusive_scan(starts.data(), count);
  return starts;
}

template <class T>
void copy_to(T* to, const Array<T>& from) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size() * sizeof(T));
}

Batches& batches_at(int64_t handle, int64_t first, int64_t count) {
  auto& batches = *reinterpret_cast<Batches*>(handle);
  if (first < 0 || count < 0 || first + count > static_cast<int64_t>(batches.list.size()))
    fail(GUST_EINVAL, "batches %lld + %lld of %lld", ll(first), ll(count), ll(static_cast<int64_t>(batches.list.size())));
  return batches;
}

}  // namespace

int32_t gust_sampler_create(int64_t num_nodes, int64_t indptr, int64_t num_edges, int64_t indices, int32_t dtype,
                            int64_t ids, int32_t by_position, int32_t keep_edges, int64_t* out) {
  return guard([&] {
    if (num_nodes < 0 || num_edges < 0) fail(GUST_EINVAL, "a graph of %lld nodes, %lld edges", ll(num_nodes), ll(num_edges));
    const auto* ptr = reinterpret_cast<const int64_t*>(indptr);
    const auto* id = reinterpret_cast<const int64_t*>(ids);
    const bool in_id_order = by_position != 0 || !id || ids_rise(num_nodes, id);
    dispatch_index(dtype, [](auto) {});
    auto* sampler = new Sampler{dtype,
                                {num_nodes, num_edges, ptr, reinterpret_cast<const int32_t*>(indices), id, in_id_order},
                                {num_nodes, num_edges, ptr, reinterpret_cast<const int64_t*>(indices), id, in_id_order},
                                keep_edges != 0,
                                by_position != 0,
                                std::make_shared<Pool>(num_nodes)};
    out[0] = reinterpret_cast<int64_t>(sampler);
  });
}

int32_t gust_sampler_destroy(int64_t sampler) {
  return guard([&] { delete reinterpret_cast<Sampler*>(sampler); });
}

int32_t gust_batches_sizes(int64_t batches, int64_t* sizes) {
  return guard([&] {
    const auto& b = *reinterpret_cast<Batches*>(batches);
    for (const Batch& batch : b.list) {
      for (int64_t level : batch.levels) *sizes++ = level;
      for (const Block& block : batch.blocks) *sizes++ = static_cast<int64_t>(block.indices.size());
    }
  });
}

int32_t gust_batches_copy_nodes(int64_t batches, int64_t first, int64_t count, int32_t dtype, int64_t nodes) {
  return guard([&] {
    const Batch* from = batches_at(batches, first, count).list.data() + first;
    const auto starts = starts_of(count, [&](int64_t b) { return static_cast<int64_t>(from[b].nodes.size()); });
    dispatch_index(dtype, [&](auto tag) {
      auto* to = reinterpret_cast<decltype(tag)*>(nodes);
      parallel_tasks(count, [&](int64_t b) {
        std::transform(from[b].nodes.begin(), from[b].nodes.end(), to + starts[b],
                       [](int64_t v) { return static_cast<decltype(tag)>(v); });
      });
    });
  });
}

int32_t gust_batches_copy_block(int64_t batches, int64_t first, int64_t count, int64_t hop, int64_t indptr,
                                int64_t indices, int64_t edges, int64_t weights, int32_t weights_dtype,
                                int64_t edge_weight) {
  return guard([&] {
    auto& all = batches_at(batches, first, count);
    if (hop < 0 || hop >= std::max<int64_t>(all.hops, 1)) fail(GUST_EINVAL, "block %lld of %lld", ll(hop), ll(all.hops));
    const Batch* from = all.list.data() + first;
    const auto block = [&](int64_t b) -> const Block& { return from[b].blocks[static_cast<size_t>(hop)]; };
    const auto rows = starts_of(count, [&](int64_t b) { return static_cast<int64_t>(block(b).indptr.size()); });
    const auto entries = starts_of(count, [&](int64_t b) { return static_cast<int64_t>(block(b).indices.size()); });
    parallel_tasks(count, [&](int64_t b) {
      copy_to(reinterpret_cast<int64_t*>(indptr) + rows[b], block(b).indptr);
      copy_to(reinterpret_cast<int32_t*>(indices) + entries[b], block(b).indices);
      if (!edges) return;
      copy_to(reinterpret_cast<int64_t*>(edges) + entries[b], block(b).edges);
      if (!edge_weight) return;
      auto* to = reinterpret_cast<float*>(edge_weight) + entries[b];
      dispatch_real(weights_dtype, [&](auto tag) {
        const auto* weight = reinterpret_cast<const decltype(tag)*>(weights);
        for (int64_t e : block(b).edges) *to++ = static_cast<float>(weight[e]);
      });
    });
  });
}

int32_t gust_batches_copy_arc_weight(int64_t batches, int64_t first, int64_t count, int64_t hop, int64_t arc_weight) {
  return guard([&] {
    auto& all = batches_at(batches, first, count);
    if (hop < 0 || hop >= std::max<int64_t>(all.hops, 1)) fail(GUST_EINVAL, "block %lld of %lld", ll(hop), ll(all.hops));
    const Batch* from = all.list.data() + first;
    const auto block = [&](int64_t b) -> const Block& { return from[b].blocks[static_cast<size_t>(hop)]; };
    for (int64_t b = 0; b < count; ++b)
      if (block(b).arc_weight.size() != block(b).indices.size()) fail(GUST_EINVAL, "batches without arc weights");
    const auto arcs = starts_of(count, [&](int64_t b) { return static_cast<int64_t>(block(b).indices.size()); });
    parallel_tasks(count, [&](int64_t b) {
      copy_to(reinterpret_cast<float*>(arc_weight) + arcs[b], block(b).arc_weight);
    });
  });
}

int32_t gust_batches_destroy(int64_t batches) {
  return guard([&] { delete reinterpret_cast<Batches*>(batches); });
}
