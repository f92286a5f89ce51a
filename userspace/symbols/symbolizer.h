// SPDX-License-Identifier: Apache-2.0
// Addresses of a process to names, by BCC's symbol tables: ELF symbols and debug
// files, through the process's own mount namespace. Slow the first time (it reads
// the process's mappings and binaries): for a quiet moment, never for a hot path.
//
// What has no symbol becomes "module+0x1234", what has no module "0x7f…". Names are
// whatever the process's files say.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>

namespace madvtrace {

class Symbolizer {
 public:
  Symbolizer();
  ~Symbolizer();
  Symbolizer(const Symbolizer&) = delete;
  Symbolizer& operator=(const Symbolizer&) = delete;

  // Leaf first, ';' between; a ';' inside a name becomes ':'.
  std::string frames(std::uint32_t pid, std::span<const std::uint64_t> addresses);

  // The process runs another program now, or is gone.
  void forget(std::uint32_t pid);

 private:
  class Cache;
  std::unordered_map<std::uint32_t, std::unique_ptr<Cache>> caches_;
};

// The GNU build id of an ELF file, lower-case hex; empty if it has none.
std::string build_id(const std::string& path);

}  // namespace madvtrace
