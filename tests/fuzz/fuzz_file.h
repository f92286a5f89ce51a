// SPDX-License-Identifier: Apache-2.0
// The bytes of a fuzzer as a program's file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "golang/elf_image.h"

namespace madvtrace {

// Nothing if the bytes are no ELF file. One file in memory, written anew each time: an
// image of an earlier call must be gone.
std::optional<ElfImage> image_of(const std::uint8_t* data, std::size_t size);

}  // namespace madvtrace
