// SPDX-License-Identifier: Apache-2.0
// A code map says where a process has executable memory, and which Go module is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/page_range.h"
#include "procfs/maps.h"
#include "targets/program/executable.h"

namespace madvtrace {

class CodeMap {
 public:
  // Of a process; further ones are left out. There can be 16384 targets: a gigabyte, if all have so many.
  static constexpr std::size_t kMappings = 1024;

  struct Code {
    AddressRange addresses;
    std::uint64_t offset = 0;  // in its file
    bool looked = false;       // whether the file has been looked into; there may be none
    std::shared_ptr<const GoModule> module;
  };

  // `executable` may be null. Mappings of other files have not been looked into.
  CodeMap(const MapsText& maps, const Executable* executable);

  // Null: no executable memory, as far as is known.
  Code* find(std::uint64_t address);

 private:
  std::vector<Code> code_;  // ascending
};

}  // namespace madvtrace
