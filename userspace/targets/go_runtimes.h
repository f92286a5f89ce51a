// SPDX-License-Identifier: Apache-2.0
// The Go runtimes of traced processes: what each is, and what its own books say, read
// from outside (golang/books.h).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/page_range.h"
#include "golang/books.h"
#include "model/event.h"
#include "procfs/proc_root.h"
#include "targets/go_modules.h"

namespace madvtrace {

class GoRuntimes {
 public:
  // Both must outlive this.
  GoRuntimes(const ProcRoot& proc, GoModules& modules) : proc_(proc), modules_(modules) {}

  // Whether it runs a Go program; nothing if it is gone, or its program cannot be opened.
  std::optional<bool> is_go(std::uint32_t pid);

  // Of a process that is new, or runs another program now. The first process of a binary
  // costs 10 to 40 ms, the next ones that are loaded at the same address nothing.
  GoProgram look_at(std::uint32_t pid);
  void forget(std::uint32_t pid) { readers_.erase(pid); }

  struct Reading {
    GoHeap heap;
    std::vector<AddressRange> arenas;  // empty: not known
    std::string dropped;               // what was read was not believed, and why; of memory only if it has been before
  };
  Reading read(std::uint32_t pid, std::optional<std::uint64_t> address_space_bytes);

 private:
  struct Program {
    std::shared_ptr<const GoModule> module;  // keeps the key alive
    std::shared_ptr<const BooksReader> reader;
    std::string why_not;
  };
  struct Reader {
    std::shared_ptr<const BooksReader> books;
    bool has_answered = false;
  };
  const Program& program(const std::shared_ptr<const GoModule>& module, std::uint64_t bias);
  // In the memory of the process.
  void find_books(std::uint32_t pid, const std::shared_ptr<const GoModule>& module, std::uint64_t inode, GoProgram& go);

  const ProcRoot& proc_;
  GoModules& modules_;
  std::map<std::pair<const GoModule*, std::uint64_t>, Program> programs_;  // by load bias
  std::unordered_map<std::uint32_t, Reader> readers_;                      // pid -> its books
};

}  // namespace madvtrace
