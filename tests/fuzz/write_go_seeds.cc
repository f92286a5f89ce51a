// SPDX-License-Identifier: Apache-2.0
// Writes the seeds of the fuzzers that read Go programs.
//   write_go_seeds DIRECTORY      the one with the corpora, tests/fuzz/corpus
#include <elf.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/dwarf_builder.h"
#include "tests/support/elf_builder.h"
#include "tests/support/go_image.h"

namespace madvtrace {
namespace {

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

void write_all(const std::filesystem::path& corpus) {
  ElfBuilder tiny;
  tiny.type = ET_DYN;
  tiny.segment(0x1000, PF_R | PF_X, "code");
  tiny.segment(0x2000, PF_R | PF_W, "12345678", 64);
  tiny.section(".text", 0x1000, 4);
  tiny.section(".debug_info", ByteWriter().add(Elf64_Chdr{.ch_type = ELFCOMPRESS_ZLIB, .ch_size = 64}).bytes(),
               SHF_COMPRESSED);
  tiny.symbol("main.main", 0x1000);
  tiny.relocation(0x2000, 0x1000);
  write(corpus / "elf" / "everything", tiny.build());
  tiny.with_sections = false;
  tiny.machine = EM_AARCH64;
  write(corpus / "elf" / "no_sections", tiny.build());

  for (const auto& [name, image] : {
           std::pair{"go12", GoImage{.layout = PclntabLayout::kGo12}},
           std::pair{"go116_pie", GoImage{.layout = PclntabLayout::kGo116, .position_independent = true}},
           std::pair{"go118_stripped", GoImage{.layout = PclntabLayout::kGo118, .with_sections = false}},
           std::pair{"go120_aarch64", GoImage{.layout = PclntabLayout::kGo120, .aarch64 = true}},
           std::pair{"go126_pie_stripped", GoImage{.layout = PclntabLayout::kGo120,
                                           .text_in_module = true,
                                           .position_independent = true,
                                           .with_sections = false}},
       }) {
    write(corpus / "pclntab" / name, image.build());
  }
  write(corpus / "dwarf" / "runtime", elf_with_dwarf(DwarfBuilder::runtime().info(), DwarfBuilder::abbreviations()));
  write(corpus / "code" / "program", GoImage{}.build());
  write(corpus / "build_info" / "inline", GoImage{}.build());
  write(corpus / "build_info" / "pointers_pie",
        GoImage{.position_independent = true, .build_info = BuildInfoFormat::kPointers}.build());
  write(corpus / "build_info" / "symbol", GoImage{.build_info = BuildInfoFormat::kNone}.build());
  write(corpus / "build_info" / "string",
        GoImage{.with_sections = false, .build_info = BuildInfoFormat::kNone, .strings = {"go1.18 or so"}}.build());
}

}  // namespace
}  // namespace madvtrace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("write_go_seeds DIRECTORY\n", stderr);
    return 2;
  }
  madvtrace::write_all(argv[1]);
  return 0;
}
