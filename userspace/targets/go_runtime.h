// SPDX-License-Identifier: Apache-2.0
// Knows what the Go runtime of a process is, and reads what its own books say, from outside
// (golang/books.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/page_range.h"
#include "model/event.h"
#include "procfs/proc_root.h"
#include "targets/program/answers.h"

namespace madvtrace {

class GoRuntime {
 public:
  // Of a process that runs this program.
  GoRuntime(const ProcRoot& proc, std::uint32_t pid, const GoFacts& facts, FoundBooks books);

  const GoProgram& program() const { return program_; }

  struct Reading {
    GoHeap heap;
    std::vector<AddressRange> arenas;  // empty: not known
    std::string dropped;               // what was read was not believed, and why; of memory only if it has been before
  };
  // Empty if its books were not found.
  Reading read(std::optional<std::uint64_t> address_space_bytes);

 private:
  std::uint32_t pid_;
  GoProgram program_;
  FoundBooks books_;
  bool has_answered_ = false;
};

}  // namespace madvtrace
