// SPDX-License-Identifier: Apache-2.0
// Addresses of a process to names, by BCC's symbol tables: ELF symbols and debug
// files, through the process's own mount namespace. Slow the first time (it reads
// the process's mappings and binaries): for a quiet moment, never for a hot path.
// Names are whatever the process's files say.
//
// Memory: about 0.5 MB a process with a C library, more with large ones; bounded by
// kProcesses. Beyond, what is known of the one that was asked about longest ago is dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

namespace madvtrace {

struct NativeSymbol {
  std::string name;          // empty: none is known
  std::string module;        // name of the file, without directories; empty: in none
  std::uint64_t offset = 0;  // in the module
};

class Symbolizer {
 public:
  static constexpr std::size_t kProcesses = 64;

  Symbolizer();
  ~Symbolizer();
  Symbolizer(const Symbolizer&) = delete;
  Symbolizer& operator=(const Symbolizer&) = delete;

  NativeSymbol symbol(std::uint32_t pid, std::uint64_t address);

  // Whether it has looked at the process before, and still knows: its files may be known
  // then, also when it is gone.
  bool knows(std::uint32_t pid) const { return caches_.contains(pid); }
  // The process runs another program now, or is gone.
  void forget(std::uint32_t pid);

 private:
  class Cache;
  Cache& cache_of(std::uint32_t pid);

  std::unordered_map<std::uint32_t, std::unique_ptr<Cache>> caches_;
  std::uint64_t asked_ = 0;  // so often
};

// The GNU build id of an ELF file, lower-case hex; empty if it has none.
std::string build_id(const std::string& path);

}  // namespace madvtrace
