// SPDX-License-Identifier: Apache-2.0
// Any bytes as an ELF file: everything that is read of it, and libelf with what it is
// handed.
#include <gelf.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "golang/load_bias.h"
#include "tests/fuzz/fuzz_file.h"

namespace {

void walk_with_libelf(Elf* elf) {
  if (elf == nullptr) return;
  std::size_t names = 0;
  if (::elf_getshdrstrndx(elf, &names) != 0) return;
  for (Elf_Scn* section = nullptr; (section = ::elf_nextscn(elf, section)) != nullptr;) {
    GElf_Shdr header{};
    if (::gelf_getshdr(section, &header) == nullptr) continue;
    static_cast<void>(::elf_strptr(elf, names, header.sh_name));
    static_cast<void>(::elf_rawdata(section, nullptr));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto image = madvtrace::image_of(data, size);
  if (!image) return 0;
  std::vector<madvtrace::FileMapping> mappings;
  for (const madvtrace::ElfSegment& segment : image->segments()) {
    if (segment.addresses.empty()) __builtin_trap();
    if (image->read(segment.addresses.begin, 64).size() > 64) __builtin_trap();
    static_cast<void>(image->read(segment.addresses.end - 1, SIZE_MAX));
    static_cast<void>(image->read_relocated(segment.addresses.begin, 4096));
    mappings.push_back({segment.addresses, segment.offset});
  }
  static_cast<void>(madvtrace::load_bias(mappings, image->segments()));
  for (const madvtrace::ElfSection& section : image->sections()) {
    if (section.bytes > size || section.offset > size - section.bytes) __builtin_trap();
  }
  static_cast<void>(image->section(".text"));
  for (const char* name : {"main.main", "runtime.gcStart", "runtime.buildVersion"}) {
    static_cast<void>(image->symbol(name));
  }
  walk_with_libelf(image->elf());
  return 0;
}
