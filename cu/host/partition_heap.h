// A binary max-heap of nodes whose keys change, in an order that depends on nothing but the calls made.
#pragma once

#include "partition.h"

namespace gust::partition {

template <class Key>
class Heap {
 public:
  /** `position` has an item for every node, all -1, and is all -1 again whenever the heap is empty. */
  explicit Heap(int32_t* position) : position_(position) {}

  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }
  bool has(int32_t node) const { return position_[node] >= 0; }
  int32_t top() const { return items_[0].node; }
  Key top_key() const { return items_[0].key; }
  Key key(int32_t node) const { return items_[position_[node]].key; }

  /** Insert the node or change its key. */
  void set(int32_t node, Key key) {
    int32_t at = position_[node];
    if (at < 0) {
      items_.push_back({key, node});
      up(items_.size() - 1);
    } else if (key > items_[at].key) {
      items_[at].key = key;
      up(at);
    } else if (key < items_[at].key) {
      items_[at].key = key;
      down(at);
    }
  }
  void remove(int32_t node) {
    size_t at = position_[node];
    position_[node] = -1;
    Item last = items_.back();
    items_.pop_back();
    if (at == items_.size()) return;
    Key old = items_[at].key;
    items_[at] = last;
    position_[last.node] = static_cast<int32_t>(at);
    if (last.key > old) up(at);
    else down(at);
  }
  int32_t pop() {
    int32_t node = top();
    remove(node);
    return node;
  }
  void clear() {
    for (const Item& item : items_) position_[item.node] = -1;
    items_.clear();
  }

 private:
  struct Item {
    Key key;
    int32_t node;
  };
  void put(size_t at, Item item) {
    items_[at] = item;
    position_[item.node] = static_cast<int32_t>(at);
  }
  void up(size_t at) {
    Item item = items_[at];
    for (; at > 0 && items_[(at - 1) / 2].key < item.key; at = (at - 1) / 2) put(at, items_[(at - 1) / 2]);
    put(at, item);
  }
  void down(size_t at) {
    Item item = items_[at];
    for (;;) {
      size_t child = 2 * at + 1;
      if (child >= items_.size()) break;
      if (child + 1 < items_.size() && items_[child + 1].key > items_[child].key) ++child;
      if (items_[child].key <= item.key) break;
      put(at, items_[child]);
      at = child;
    }
    put(at, item);
  }

  std::vector<Item> items_;
  int32_t* position_;
};

}  // namespace gust::partition
