// SPDX-License-Identifier: Apache-2.0
// Names of functions in Go programs by Go's own table, which stripped binaries have as
// well, and as Go prints them.
//
// A process is looked at when it is first asked about: its mappings of code, and when an
// address falls into one, the file behind it, by /proc/PID/map_files or exe, so that
// neither deleted files nor mount namespaces matter. What was seen stays known after the
// process has ended, until it is forgotten. Memory: bounded by kProcesses and
// kCodeMappings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/page_range.h"
#include "procfs/proc_root.h"
#include "targets/go_modules.h"

namespace madvtrace {

class GoSymbols {
 public:
  static constexpr std::size_t kProcesses = 4096;
  static constexpr std::size_t kCodeMappings = 4096;  // of a process

  // Both must outlive this.
  GoSymbols(const ProcRoot& proc, GoModules& modules) : proc_(proc), modules_(modules) {}

  // Looks at a process, unless it has before. False: it is gone.
  bool look_at(std::uint32_t pid);
  bool knows(std::uint32_t pid) const { return processes_.contains(pid); }
  void forget(std::uint32_t pid) { processes_.erase(pid); }

  // Of a process that is known. The name of the Go function at an address; nothing if it
  // is no Go code.
  std::optional<std::string> name_at(std::uint32_t pid, std::uint64_t address);
  // Whether the address is in executable memory, of a file or generated.
  bool is_code(std::uint32_t pid, std::uint64_t address) const;
  bool is_go_program(std::uint32_t pid) const;

 private:
  struct Code {
    AddressRange addresses;
    std::uint64_t offset = 0;
    bool looked = false;
    std::shared_ptr<const GoModule> module;
  };
  struct Process {
    std::vector<Code> code;  // ascending
    std::shared_ptr<const GoModule> executable;
    std::uint64_t read_ns = 0;
  };

  std::optional<Process> read(std::uint32_t pid);
  static const Code* find(const Process& process, std::uint64_t address);
  void look_into(std::uint32_t pid, Code& code);

  const ProcRoot& proc_;
  GoModules& modules_;
  std::unordered_map<std::uint32_t, Process> processes_;
};

}  // namespace madvtrace
