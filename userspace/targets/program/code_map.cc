// SPDX-License-Identifier: Apache-2.0
#include "targets/program/code_map.h"

#include <algorithm>
#include <iterator>

namespace madvtrace {

CodeMap::CodeMap(const MapsText& maps, const Executable* executable) {
  for (const Mapping& mapping : maps.mappings) {
    if (mapping.perms[2] != 'x' || code_.size() >= kMappings) continue;
    const bool own = executable != nullptr && mapping.inode == executable->inode && mapping.inode != 0;
    code_.push_back({.addresses = mapping.range,
                     .offset = mapping.offset_bytes,
                     .looked = own || mapping.inode == 0,
                     .module = own ? executable->go : nullptr});
  }
}

CodeMap::Code* CodeMap::find(std::uint64_t address) {
  const auto after = std::upper_bound(code_.begin(), code_.end(), address,
                                      [](std::uint64_t a, const Code& code) { return a < code.addresses.begin; });
  if (after == code_.begin()) return nullptr;
  Code& code = *std::prev(after);
  return address < code.addresses.end ? &code : nullptr;
}

}  // namespace madvtrace
