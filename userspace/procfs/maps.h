// SPDX-License-Identifier: Apache-2.0
// /proc/PID/maps: what is mapped where.
//
// The kernel prints it in pieces, and the process may map and unmap between them.
// It promises (Documentation/filesystems/proc.rst) that addresses never go back and
// no two lines overlap, and that what was mapped all the time is printed; a mapping
// that changed meanwhile may be there, in part, or not. Reading takes the target's
// mmap_lock for short moments; it does not walk its pages.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/page_range.h"
#include "procfs/proc_root.h"

namespace madvtrace {

struct Mapping {
  AddressRange range;
  std::array<char, 4> perms{'-', '-', '-', 'p'};  // r w x, and p (private) or s (shared)
  std::uint64_t offset_bytes = 0;                 // in the file
  std::uint32_t dev_major = 0;
  std::uint32_t dev_minor = 0;
  std::uint64_t inode = 0;
  // A path as seen from the reader's root, "[heap]", "[anon: Go: heap]", or empty.
  // The kernel writes a newline in it as \012 but leaves a backslash alone, so a file
  // that is really called \012 cannot be told from one with a newline.
  std::string path;
  bool deleted = false;  // unlinked; " (deleted)" is not part of the path
};

struct MapsText {
  std::vector<Mapping> mappings;
  std::uint64_t lines_bad = 0;   // could not be parsed
  std::uint64_t lines_over = 0;  // not looked at: over the limit
};

// Above every sensible vm.max_map_count, whose default is 65,530.
inline constexpr std::size_t kMappingsLimit = 1'000'000;

std::optional<Mapping> parse_mapping(std::string_view line);
MapsText parse_maps(std::string_view text, std::size_t limit = kMappingsLimit);

// Empty for kernel threads and zombies.
Result<MapsText> read_maps(const ProcRoot& root, pid_t pid);

// Private memory with no file behind it, which is what programs release by madvise:
// no name, [heap], [stack], or a name given by prctl(PR_SET_VMA_ANON_NAME) (since
// 5.17; Go 1.25 and later name theirs). Not the kernel's own ([vdso], [vvar], …), not
// shared anonymous memory ([anon_shmem:…], "/dev/zero (deleted)"), and not the
// anonymous pages of a private file mapping.
bool is_anonymous_private(const Mapping& mapping);

}  // namespace madvtrace
