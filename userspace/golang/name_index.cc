// SPDX-License-Identifier: Apache-2.0
#include "golang/name_index.h"

#include <algorithm>
#include <functional>

namespace madvtrace {

void NameIndex::finish() {
  std::sort(entries_.begin(), entries_.end());
  entries_.shrink_to_fit();
}

std::uint32_t NameIndex::hash(std::string_view name) {
  return static_cast<std::uint32_t>(std::hash<std::string_view>{}(name));
}

std::vector<NameIndex::Entry>::const_iterator NameIndex::first(std::uint32_t hash) const {
  return std::lower_bound(entries_.begin(), entries_.end(), Entry{hash, 0});
}

}  // namespace madvtrace
