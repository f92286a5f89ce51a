// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/fuzz_file.h"

#include <sys/mman.h>
#include <unistd.h>

namespace madvtrace {

std::optional<ElfImage> image_of(const std::uint8_t* data, std::size_t size) {
  static const UniqueFd file(::memfd_create("program", MFD_CLOEXEC));
  if (::ftruncate(file.get(), 0) != 0 || ::pwrite(file.get(), data, size, 0) != static_cast<ssize_t>(size)) {
    return std::nullopt;
  }
  auto image = ElfImage::open(UniqueFd(::dup(file.get())), "program");
  if (!image) return std::nullopt;
  return *image;
}

}  // namespace madvtrace
