// Dictionaries of names, as handles: filled by tables, by lists of texts, or by an older graph's names.
#include "../include/gust.h"
#include "names.h"

using namespace gust;

int32_t gust_names_create(int64_t* out) {
  return guard([&] { out[0] = reinterpret_cast<int64_t>(new Names()); });
}

int32_t gust_names_destroy(int64_t names) {
  return guard([&] { delete reinterpret_cast<Names*>(names); });
}

int32_t gust_names_sizes(int64_t names, int64_t* out) {
  return guard([&] {
    const Names& n = names_of(names);
    out[0] = n.count();
    out[1] = n.bytes();
  });
}

int32_t gust_names_copy(int64_t names, int64_t bytes, int64_t ptr) {
  return guard([&] {
    auto* to = reinterpret_cast<char*>(bytes);
    auto* begin = reinterpret_cast<int64_t*>(ptr);
    *begin = 0;
    for (std::string_view name : names_of(names).all()) {
      if (!name.empty()) std::memcpy(to + *begin, name.data(), name.size());
      begin[1] = *begin + static_cast<int64_t>(name.size());
      ++begin;
    }
  });
}

int32_t gust_names_number(int64_t names, int64_t bytes, int64_t ptr, int64_t count, int32_t add, int64_t numbers) {
  return guard([&] {
    Names& n = names_of(names);
    const auto* text = reinterpret_cast<const char*>(bytes);
    const auto* begin = reinterpret_cast<const int64_t*>(ptr);
    auto* number = reinterpret_cast<int32_t*>(numbers);
    for (int64_t i = 0; i < count; ++i) {
      std::string_view name(text + begin[i], static_cast<size_t>(begin[i + 1] - begin[i]));
      number[i] = static_cast<int32_t>(add ? n.add(name) : n.find(name));
    }
  });
}
