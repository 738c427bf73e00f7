// Samplers and sampled batches as handles: creation, sizes, and copies into the flat arrays of a sample document.
//
// A sampler has its graph in device memory: copied once, O(nodes + arcs), unless the GPU reaches it where it is.
// Batches stay in device memory; copies go to memory of any kind. Kernels take a thread per element.
#include "../include/gust.h"
#include "../common/status.h"
#include "sample.h"

using namespace gust;
using namespace gust::cuda;
using namespace gust::cuda::sampling;

namespace {

constexpr int64_t kGrain = int64_t{1} << 16;

/** An array where the GPU reaches it: in place, or a copy, which `copy` then owns. */
template <class T, class Owned>
const T* reached(const std::shared_ptr<Pool>& pool, int64_t address, int64_t size, Buffer<Owned>& copy) {
  const auto* given = reinterpret_cast<const T*>(address);
  if (size == 0 || device::reaches(given)) return given;
  copy = Buffer<Owned>(pool, size * static_cast<int64_t>(sizeof(T) / sizeof(Owned)));
  copy.write(reinterpret_cast<const Owned*>(given), copy.size());
  return reinterpret_cast<const T*>(copy.data());
}

/** Finds where ids do not rise. */
struct Falls {
  const int64_t* ids;
  Found* found;
  __device__ void operator()(int64_t i) const {
    if (ids[i] >= ids[i + 1]) atomicMax(&found->unordered, Word{1});
  }
};

template <class I>
struct Narrow {
  const int64_t* from;
  I* to;
  __device__ void operator()(int64_t i) const { to[i] = static_cast<I>(from[i]); }
};

template <class T>
struct Gather {
  const T* weights;
  const int64_t* edges;
  float* to;
  __device__ void operator()(int64_t i) const { to[i] = static_cast<float>(weights[edges[i]]); }
};

Batches& batches_at(int64_t handle, int64_t first, int64_t count) {
  auto& batches = *reinterpret_cast<Batches*>(handle);
  if (first < 0 || count < 0 || first + count > batches.count)
    fail(GUST_EINVAL, "batches %lld + %lld of %lld", ll(first), ll(count), ll(batches.count));
  return batches;
}

/** Weights of `count` edges from `first` on. */
template <class T>
void copy_weights(const Batches& batches, const Buffer<int64_t>& edges, int64_t first, int64_t count, const T* weights,
                  float* to) {
  if (device::reaches(weights)) {
    const Buffer<float> gathered(batches.pool, count);
    each(count, Gather<T>{weights, edges.data() + first, gathered.data()});
    return gathered.read(to, 0, count);
  }
  std::vector<int64_t> edge(static_cast<size_t>(count));
  std::vector<float> gathered(static_cast<size_t>(count));
  edges.read(edge.data(), first, count);
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) gathered[i] = static_cast<float>(weights[edge[i]]);
  });
  device::copy(to, gathered.data(), 4 * count);
}

}  // namespace

int32_t gust_sampler_create(int64_t num_nodes, int64_t indptr, int64_t num_edges, int64_t indices, int32_t dtype,
                            int64_t ids, int32_t by_position, int32_t keep_edges, int64_t* out) {
  return guard([&] {
    if (num_nodes < 0 || num_edges < 0)
      fail(GUST_EINVAL, "a graph of %lld nodes, %lld edges", ll(num_nodes), ll(num_edges));
    const auto own = std::make_shared<Pool>();  // what the sampler alone has goes when it does
    auto sampler = std::make_unique<Sampler>();
    sampler->dtype = dtype;
    sampler->keeps_edges = keep_edges != 0;
    sampler->pool = std::make_shared<Pool>();
    const int64_t* ptr = reached<int64_t>(own, indptr, num_nodes + 1, sampler->indptr);
    const int64_t* id = ids ? reached<int64_t>(own, ids, num_nodes, sampler->ids) : nullptr;
    sampler->ids_rise = true;
    if (id) {
      const Progress progress(sampler->pool, 0);
      each(num_nodes - 1, Falls{id, progress.found()});
      sampler->ids_rise = progress.see().found.unordered == 0;
    }
    dispatch_index(dtype, [&](auto tag) {
      using I = decltype(tag);
      const I* sources = reached<I>(own, indices, num_edges, sampler->indices);
      GraphView<I> view{num_nodes, num_edges, ptr, sources, id, nullptr, false};
      if (by_position == 0 && !sampler->ids_rise) {
        sampler->by_id = order_arcs(own, view);
        view.by_id = sampler->by_id.data();
      }
      if constexpr (sizeof(I) == 4) sampler->view32 = view;
      else sampler->view64 = view;
    });
    out[0] = reinterpret_cast<int64_t>(sampler.release());
  });
}

int32_t gust_sampler_destroy(int64_t sampler) {
  return guard([&] { delete reinterpret_cast<Sampler*>(sampler); });
}

int32_t gust_batches_sizes(int64_t batches, int64_t* sizes) {
  return guard([&] {
    const auto& all = *reinterpret_cast<Batches*>(batches);
    for (int64_t b = 0; b < all.count; ++b) {
      for (const auto& node_ptr : all.node_ptr) *sizes++ = node_ptr[b + 1] - node_ptr[b];
      for (const Block& block : all.blocks) *sizes++ = block.arc_ptr[b + 1] - block.arc_ptr[b];
    }
  });
}

int32_t gust_batches_copy_nodes(int64_t batches, int64_t first, int64_t count, int32_t dtype, int64_t nodes) {
  return guard([&] {
    const auto& all = batches_at(batches, first, count);
    const int64_t begin = all.node_ptr.back()[first], size = all.node_ptr.back()[first + count] - begin;
    dispatch_index(dtype, [&](auto tag) {
      using I = decltype(tag);
      auto* to = reinterpret_cast<I*>(nodes);
      if constexpr (sizeof(I) == 8) {
        all.nodes.read(to, begin, size);
      } else {
        const Buffer<I> narrow(all.pool, size);
        each(size, Narrow<I>{all.nodes.data() + begin, narrow.data()});
        narrow.read(to, 0, size);
      }
    });
  });
}

int32_t gust_batches_copy_block(int64_t batches, int64_t first, int64_t count, int64_t hop, int64_t indptr,
                                int64_t indices, int64_t edges, int64_t weights, int32_t weights_dtype,
                                int64_t edge_weight) {
  return guard([&] {
    const auto& all = batches_at(batches, first, count);
    if (hop < 0 || hop >= std::max<int64_t>(all.hops, 1))
      fail(GUST_EINVAL, "block %lld of %lld", ll(hop), ll(all.hops));
    const Block& block = all.blocks[static_cast<size_t>(hop)];
    const int64_t row = block.row_ptr[first], arc = block.arc_ptr[first], arcs = block.arc_ptr[first + count] - arc;
    block.indptr.read(reinterpret_cast<int64_t*>(indptr), row, block.row_ptr[first + count] - row);
    block.indices.read(reinterpret_cast<int32_t*>(indices), arc, arcs);
    if (!edges || block.edges.size() == 0) return;
    block.edges.read(reinterpret_cast<int64_t*>(edges), arc, arcs);
    if (!edge_weight) return;
    dispatch_real(weights_dtype, [&](auto tag) {
      copy_weights(all, block.edges, arc, arcs, reinterpret_cast<const decltype(tag)*>(weights),
                   reinterpret_cast<float*>(edge_weight));
    });
  });
}

/** No sampler of a GPU makes arc weights. */
int32_t gust_batches_copy_arc_weight(int64_t, int64_t, int64_t, int64_t, int64_t) {
  return guard([&] { fail(GUST_EINVAL, "batches without arc weights"); });
}

int32_t gust_batches_destroy(int64_t batches) {
  return guard([&] { delete reinterpret_cast<Batches*>(batches); });
}
