// Items grouped by a key in 0 .. groups-1, in order of their numbers inside a group: a stable sort by the key.
#pragma once

#include "../algorithms.h"
#include "../cuda.h"

GUST_OPS_BEGIN

/** An item's group, or any number outside of 0 .. groups-1 to leave it out, and the name under which it is listed. */
struct Item { int64_t group, name; };

template <class Key, class ItemOf>
struct PutItem {
  ItemOf item_of;
  int64_t groups;
  Key* keys;
  int64_t* names;
  __device__ void operator()(int64_t i) const {
    const Item item = item_of(i);
    keys[i] = static_cast<Key>(item.group >= 0 && item.group < groups ? item.group : groups);
    names[i] = item.name;
  }
};

/** starts[g] = the first place whose key is not below g. */
template <class Key>
struct FindStart {
  const Key* keys;
  int64_t items;
  int64_t* starts;
  __device__ void operator()(int64_t g) const {
    int64_t low = 0, high = items;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (keys[middle] < static_cast<Key>(g)) low = middle + 1;
      else high = middle;
    }
    starts[g] = low;
  }
};

template <class Key, class Memory, class ItemOf>
void group_by(Memory& memory, int64_t items, int64_t groups, const ItemOf& item_of, int64_t* starts, int64_t* names) {
  Key *keys = memory.template scratch<Key>(items), *sorted = memory.template scratch<Key>(items);
  int64_t* listed = memory.template scratch<int64_t>(items);
  each(items, PutItem<Key, ItemOf>{item_of, groups, keys, listed});
  if (items > 0) sort_pairs(memory, keys, sorted, listed, names, items, bits_for(groups + 1));
  each(groups + 1, FindStart<Key>{sorted, items, starts});
}

/**
 * starts[g] = the first place of group g, starts[groups] = the number of items that have a group; names[starts[g] ..
 * starts[g + 1]) = the names of group g. ItemOf is a struct with `__device__ Item operator()(int64_t i) const`; `names`
 * has room for all items. Memory: 24 bytes per item besides that of the sort.
 */
template <class Memory, class ItemOf>
void group_stable(Memory& memory, int64_t items, int64_t groups, const ItemOf& item_of, int64_t* starts,
                  int64_t* names) {
  if (groups < int64_t{0xffffffff}) group_by<uint32_t>(memory, items, groups, item_of, starts, names);
  else group_by<uint64_t>(memory, items, groups, item_of, starts, names);
}

GUST_OPS_END
