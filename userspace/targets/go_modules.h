// SPDX-License-Identifier: Apache-2.0
// The Go binaries of traced processes, each read once, however many processes run it.
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
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "golang/build_info.h"
#include "golang/elf_image.h"
#include "golang/pclntab.h"

namespace madvtrace {

struct GoModule {
  ElfImage image;
  Pclntab functions;
  BuildInfo build;  // of an executable; of a library nothing

  const std::vector<ElfSegment>& segments() const { return image.segments(); }

  // The function at an offset in the file; nothing where there is no Go code.
  std::optional<GoFunction> at(std::uint64_t file_offset) const;
};

class GoModules {
 public:
  static constexpr std::size_t kFiles = 128;

  // Null if the file is not Go's. Looked for everywhere in an executable; a library is
  // believed to be Go's if it has a section that says so.
  std::shared_ptr<const GoModule> get(UniqueFd fd, bool executable, const std::string& name);

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
