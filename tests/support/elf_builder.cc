// SPDX-License-Identifier: Apache-2.0
#include "tests/support/elf_builder.h"

#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>
#include <utility>

namespace madvtrace {
namespace {

constexpr std::uint64_t kRelocationsAddress = 0x70000000;

}  // namespace

void ElfBuilder::segment(std::uint64_t address, std::uint32_t flags, std::string bytes, std::uint64_t zeros) {
  segments_.push_back({address, flags, std::move(bytes), zeros});
}

void ElfBuilder::section(std::string name, std::uint64_t address, std::uint64_t bytes) {
  sections_.push_back({std::move(name), {.sh_type = SHT_PROGBITS, .sh_addr = address, .sh_size = bytes}, {}});
}

void ElfBuilder::section(std::string name, std::string bytes, std::uint64_t flags) {
  sections_.push_back({std::move(name), {.sh_type = SHT_PROGBITS, .sh_flags = flags}, std::move(bytes)});
}

void ElfBuilder::symbol(std::string name, std::uint64_t value, std::uint16_t section_index) {
  if (symbols_.size() == 0) symbols_.add(Elf64_Sym{});
  symbols_.add(Elf64_Sym{.st_name = static_cast<Elf64_Word>(symbol_names_.size()),
                         .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
                         .st_other = 0,
                         .st_shndx = section_index,
                         .st_value = value,
                         .st_size = 8});
  symbol_names_ += name + '\0';
}

void ElfBuilder::relocation(std::uint64_t address, std::uint64_t value) {
  const std::uint32_t relative = machine == EM_AARCH64 ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE;
  relocations_.push_back({address, relative, static_cast<std::int64_t>(value)});
}

std::string ElfBuilder::build() const {
  std::vector<Segment> segments = segments_;
  std::size_t dynamic_at = 0;
  if (!relocations_.empty()) {
    ByteWriter bytes;
    for (const Elf64_Rela& each : relocations_) bytes.add(each);
    dynamic_at = bytes.size();
    bytes.add(Elf64_Dyn{.d_tag = DT_RELA, .d_un = {.d_ptr = kRelocationsAddress}});
    bytes.add(Elf64_Dyn{.d_tag = DT_RELASZ, .d_un = {.d_val = dynamic_at}});
    bytes.add(Elf64_Dyn{});
    segments.push_back({kRelocationsAddress, PF_R, bytes.bytes(), 0});
  }
  std::vector<Elf64_Phdr> headers;
  std::string body;
  const std::size_t body_at = sizeof(Elf64_Ehdr) + (segments.size() + (dynamic_at != 0)) * sizeof(Elf64_Phdr);
  for (const Segment& each : segments) {
    body.resize((body.size() + 15) / 16 * 16);
    headers.push_back({.p_type = PT_LOAD,
                       .p_flags = each.flags,
                       .p_offset = body_at + body.size(),
                       .p_vaddr = each.address,
                       .p_paddr = each.address,
                       .p_filesz = each.bytes.size(),
                       .p_memsz = each.bytes.size() + each.zeros,
                       .p_align = 4096});
    body += each.bytes;
  }
  if (dynamic_at != 0) {
    Elf64_Phdr dynamic = headers.back();
    dynamic.p_type = PT_DYNAMIC;
    dynamic.p_offset += dynamic_at;
    dynamic.p_vaddr += dynamic_at;
    dynamic.p_filesz -= dynamic_at;
    headers.push_back(dynamic);
  }
  std::vector<Section> sections;
  if (with_sections) {
    sections = sections_;
    sections.insert(sections.begin(), Section{});
    if (symbols_.size() != 0) {
      sections.push_back({".symtab",
                          {.sh_type = SHT_SYMTAB,
                           .sh_link = static_cast<Elf64_Word>(sections.size() + 1),
                           .sh_entsize = sizeof(Elf64_Sym)},
                          symbols_.bytes()});
      sections.push_back({".strtab", {.sh_type = SHT_STRTAB}, symbol_names_});
    }
    std::string names;
    sections.push_back({".shstrtab", {.sh_type = SHT_STRTAB}, {}});
    for (Section& each : sections) {
      each.header.sh_name = static_cast<Elf64_Word>(names.size());
      names += each.name + '\0';
    }
    sections.back().bytes = names;
  }
  for (Section& each : sections) {
    for (const Elf64_Phdr& header : headers) {
      if (each.header.sh_addr == 0 || each.header.sh_addr < header.p_vaddr) continue;
      if (each.header.sh_addr - header.p_vaddr < header.p_filesz) {
        each.header.sh_offset = header.p_offset + (each.header.sh_addr - header.p_vaddr);
      }
    }
    if (each.header.sh_addr != 0) continue;
    body.resize((body.size() + 7) / 8 * 8);
    each.header.sh_offset = body_at + body.size();
    each.header.sh_size = each.bytes.size();
    body += each.bytes;
  }
  body.resize((body.size() + 7) / 8 * 8);
  Elf64_Ehdr header{.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                    .e_type = type,
                    .e_machine = machine,
                    .e_version = EV_CURRENT,
                    .e_phoff = sizeof(Elf64_Ehdr),
                    .e_ehsize = sizeof(Elf64_Ehdr),
                    .e_phentsize = sizeof(Elf64_Phdr),
                    .e_phnum = static_cast<Elf64_Half>(headers.size()),
                    .e_shentsize = sizeof(Elf64_Shdr)};
  if (with_sections) {
    header.e_shoff = body_at + body.size();
    header.e_shnum = static_cast<Elf64_Half>(sections.size());
    header.e_shstrndx = static_cast<Elf64_Half>(sections.size() - 1);
  }
  ByteWriter file;
  file.add(header);
  for (const Elf64_Phdr& each : headers) file.add(each);
  file.text(body);
  for (const Section& each : sections) file.add(each.header);
  return file.bytes();
}

UniqueFd anonymous_file(std::string_view bytes) {
  UniqueFd fd(::memfd_create("file", MFD_CLOEXEC));
  if (!fd || ::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("cannot make a file in memory");
  }
  return fd;
}

}  // namespace madvtrace
