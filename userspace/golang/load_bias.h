// SPDX-License-Identifier: Apache-2.0
// How far from its link-time addresses a program was loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/page_range.h"
#include "golang/elf_image.h"

namespace madvtrace {

// A part of the executable file as the process has it mapped.
struct FileMapping {
  AddressRange addresses;    // run-time
  std::uint64_t offset = 0;  // in the file, of addresses.begin
};

// Run-time minus link-time address, modulo 2^64, a multiple of kPageBytes; 0 for what is
// not position independent. Of a PIE it is not where the first mapping begins: a Go PIE's first segment
// is at 0x400000, not at 0 (Go's own linker).
//
// `mappings`: those of the executable file alone, in any order; neighbours may be one
// mapping split by mprotect or madvise. The answer is what most of them agree on, so that
// a program may have its own file mapped once more; nothing if there is no such answer.
// Only the first kBiasMappings and kBiasSegments of them are looked at.
inline constexpr std::size_t kBiasMappings = 1024;
inline constexpr std::size_t kBiasSegments = 64;  // a program has two to eight
std::optional<std::uint64_t> load_bias(std::span<const FileMapping> mappings, std::span<const ElfSegment> segments);

}  // namespace madvtrace
