// SPDX-License-Identifier: Apache-2.0
// Keeps the Go binaries of traced processes: each is read once, however many run it.
//
// A file is known by device, inode, size and time of its last change. Memory and file
// descriptors are bounded: of kFiles files that have been looked at the one whose use
// is longest ago is dropped; a Go binary of them takes a descriptor and 8 to 16 bytes a
// function.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "targets/program/go_module.h"

namespace madvtrace {

class GoModules {
 public:
  static constexpr std::size_t kFiles = 128;

  // Null if the file is not Go's. Looked for everywhere in an executable; a library is
  // believed to be Go's if it has a section that says so. The file stays the caller's.
  std::shared_ptr<const GoModule> get(const UniqueFd& file, bool executable, const std::string& name);

 private:
  using Key = std::array<std::uint64_t, 5>;  // device, inode, size, seconds and nanoseconds of the last change
  struct File {
    Key key{};
    std::shared_ptr<const GoModule> module;
  };

  std::list<File> files_;  // used last in front
  std::map<Key, std::list<File>::iterator> by_key_;
};

}  // namespace madvtrace
