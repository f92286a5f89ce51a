// SPDX-License-Identifier: Apache-2.0
// Addresses of a process to names, by BCC's symbol tables: ELF symbols and debug
// files, through the process's own mount namespace. Slow the first time (it reads
// the process's mappings and binaries): for a quiet moment, never for a hot path.
// Names are whatever the process's files say.
//
// Memory: about 0.5 MB a process with a C library, more with large ones; bounded by
// Symbolizer::kProcesses. Beyond, what is known of the one that was asked about longest ago
// is dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

namespace madvtrace {

struct NativeSymbol {
  std::string name;          // empty: none is known
  std::string module;        // name of the file, without directories; empty: in none
  std::uint64_t offset = 0;  // in the module
};

class ProcessSymbols;

// It bounds what is known of all processes together.
class Symbolizer {
 public:
  static constexpr std::size_t kProcesses = 64;

 private:
  friend class ProcessSymbols;
  void on_asked(ProcessSymbols& process);
  void on_gone(ProcessSymbols& process) { known_.remove(&process); }

  std::list<ProcessSymbols*> known_;  // asked about last in front
};

// It knows the symbols of one process, of the program that this runs when it is first asked
// about.
class ProcessSymbols {
 public:
  // The symbolizer must outlive this.
  ProcessSymbols(Symbolizer& symbolizer, std::uint32_t pid);
  ~ProcessSymbols();
  ProcessSymbols(const ProcessSymbols&) = delete;
  ProcessSymbols& operator=(const ProcessSymbols&) = delete;

  NativeSymbol symbol(std::uint64_t address);

  // Whether it has looked at the process before, and still knows: its files may be known
  // then, also when it is gone.
  bool known() const { return cache_ != nullptr; }

 private:
  friend class Symbolizer;
  class Cache;

  Symbolizer& symbolizer_;
  std::uint32_t pid_;
  std::unique_ptr<Cache> cache_;
};

// The GNU build id of an ELF file, lower-case hex; empty if it has none.
std::string build_id(const std::string& path);

}  // namespace madvtrace
