// SPDX-License-Identifier: Apache-2.0
// Finds the numbers of named things without keeping their names: 8 bytes each. Names
// stay in the file, which is asked whether a candidate is the right one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace madvtrace {

class NameIndex {
 public:
  void add(std::string_view name, std::uint32_t number) { entries_.push_back({hash(name), number}); }
  void finish();  // after the last add()

  // The first added number whose name has this hash and for which is_it(number) holds.
  template <class IsIt>
  std::optional<std::uint32_t> find(std::string_view name, const IsIt& is_it) const {
    const std::uint32_t wanted = hash(name);
    // Names are the file's: it can be full of collisions, each of which costs reads.
    std::size_t tries = 0;
    for (auto entry = first(wanted); entry != entries_.end() && entry->hash == wanted; ++entry) {
      if (is_it(entry->number)) return entry->number;
      if (++tries == kTriesLimit) break;
    }
    return std::nullopt;
  }

 private:
  static constexpr std::size_t kTriesLimit = 64;
  struct Entry {
    std::uint32_t hash = 0;
    std::uint32_t number = 0;
    friend bool operator<(const Entry& left, const Entry& right) {
      return left.hash != right.hash ? left.hash < right.hash : left.number < right.number;
    }
  };
  static std::uint32_t hash(std::string_view name);
  std::vector<Entry>::const_iterator first(std::uint32_t hash) const;

  std::vector<Entry> entries_;
};

}  // namespace madvtrace
