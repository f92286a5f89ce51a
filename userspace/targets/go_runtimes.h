// SPDX-License-Identifier: Apache-2.0
// The Go runtimes of traced processes: what each is, and what its own books say, read
// from outside (golang/books.h).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/page_range.h"
#include "golang/books.h"
#include "model/event.h"
#include "procfs/proc_root.h"
#include "targets/go_modules.h"
#include "targets/program.h"
#include "targets/target.h"

namespace madvtrace {

class GoRuntimes {
 public:
  // `proc` must outlive this.
  explicit GoRuntimes(const ProcRoot& proc) : proc_(proc) {}

  // Of a process that is new, or runs another program now: `program`. Its books, if they are
  // found, become the target's. The first process of a binary costs 10 to 40 ms, the next
  // ones that are loaded at the same address nothing.
  GoProgram look_at(std::uint32_t pid, const Program& program, Target& target);

  struct Reading {
    GoHeap heap;
    std::vector<AddressRange> arenas;  // empty: not known
    std::string dropped;               // what was read was not believed, and why; of memory only if it has been before
  };
  // Empty if the books of the target are not known.
  static Reading read(std::uint32_t pid, Target& target, std::optional<std::uint64_t> address_space_bytes);

 private:
  // A binary, loaded at some address.
  struct Loaded {
    std::shared_ptr<const GoModule> module;  // keeps the key alive
    std::shared_ptr<const BooksReader> reader;
    std::string why_not;
  };

  const Loaded& loaded(const std::shared_ptr<const GoModule>& module, std::uint64_t bias);
  // In the memory of the process.
  void find_books(std::uint32_t pid, const Program& program, Target& target, GoProgram& go);

  const ProcRoot& proc_;
  std::map<std::pair<const GoModule*, std::uint64_t>, Loaded> loaded_;  // by load bias
};

}  // namespace madvtrace
