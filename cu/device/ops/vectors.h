// Several neighbours of a row in one load or store.
#pragma once

#include "../cuda.h"

GUST_OPS_BEGIN

/** V elements that are read and written at once; their address is a multiple of their size. */
template <class E, int V>
struct alignas(sizeof(E) * V) Pack { E at[V]; };

template <class E, int V>
__device__ Pack<E, V> load_pack(const E* from) { return *reinterpret_cast<const Pack<E, V>*>(from); }
template <class E, int V>
__device__ void store_pack(E* to, const Pack<E, V>& pack) { *reinterpret_cast<Pack<E, V>*>(to) = pack; }

/** Whether rows of f elements that begin at `data` can be read in packs of V. */
template <class E>
bool fits_packs(const E* data, int64_t f, int V) {
  return f % V == 0 && reinterpret_cast<uintptr_t>(data) % (sizeof(E) * static_cast<size_t>(V)) == 0;
}

GUST_OPS_END
