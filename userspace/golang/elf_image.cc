// SPDX-License-Identifier: Apache-2.0
#include "golang/elf_image.h"

#include <elf.h>
#include <libelf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "golang/file_bytes.h"
#include "golang/little_endian.h"
#include "golang/name_index.h"

namespace madvtrace {
namespace {

constexpr std::size_t kSectionNamesLimitBytes = std::size_t{1024} * 1024;
constexpr std::size_t kStringsLimitBytes = std::size_t{128} * 1024 * 1024;
constexpr std::size_t kDynamicLimitBytes = std::size_t{64} * 1024;
constexpr std::size_t kChunkEntries = 4096;  // of a table that is read piece by piece

// Where an entry of the section table says that its bytes are.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

template <class T>
std::vector<T> entries_of(std::span<const std::byte> bytes) {
  std::vector<T> entries(bytes.size() / sizeof(T));
  if (!entries.empty()) std::memcpy(entries.data(), bytes.data(), entries.size() * sizeof(T));
  return entries;
}

std::string_view name_at(std::span<const std::byte> strings, std::uint64_t offset) {
  if (offset >= strings.size()) return {};
  const auto rest = strings.subspan(offset);
  return text_until_nul(rest.first(std::min(rest.size(), ElfImage::kNameLimitBytes)));
}

ElfMachine machine_of(Elf64_Half machine) {
  if (machine == EM_X86_64) return ElfMachine::kX86_64;
  if (machine == EM_AARCH64) return ElfMachine::kAarch64;
  return ElfMachine::kOther;
}

std::optional<std::uint32_t> relative_type(ElfMachine machine) {
  if (machine == ElfMachine::kX86_64) return R_X86_64_RELATIVE;
  if (machine == ElfMachine::kAarch64) return R_AARCH64_RELATIVE;
  return std::nullopt;
}

std::vector<ElfSegment> load_segments(std::span<const Elf64_Phdr> headers) {
  std::vector<ElfSegment> segments;
  for (const Elf64_Phdr& header : headers) {
    if (header.p_type != PT_LOAD || header.p_filesz == 0) continue;
    if (header.p_filesz > header.p_memsz || header.p_memsz > UINT64_MAX - header.p_vaddr) continue;
    segments.push_back({.addresses = {header.p_vaddr, header.p_vaddr + header.p_filesz},
                        .memory_end = header.p_vaddr + header.p_memsz,
                        .offset = header.p_offset,
                        .writable = (header.p_flags & PF_W) != 0,
                        .executable = (header.p_flags & PF_X) != 0});
  }
  return segments;
}

struct ElfEnd {
  void operator()(Elf* elf) const { ::elf_end(elf); }
};

}  // namespace

struct ElfImage::State {
  UniqueFd fd;
  std::string name;
  std::uint64_t file_bytes = 0;
  ElfMachine machine = ElfMachine::kOther;
  bool position_independent = false;
  std::vector<ElfSegment> segments;
  std::vector<ElfSection> sections;
  Extent dynamic;
  Extent symbols;  // .symtab and the strings that belong to it
  Extent symbol_strings;
  std::uint64_t libelf_bytes = 0;  // what libelf would load

  std::optional<NameIndex> symbol_index;
  bool elf_tried = false;
  std::unique_ptr<Elf, ElfEnd> elf;

  // Takes no memory for what the file does not have.
  std::vector<std::byte> read(std::uint64_t offset, std::uint64_t bytes) const {
    if (offset >= file_bytes) return {};
    const std::uint64_t have = std::min<std::uint64_t>({bytes, file_bytes - offset, kReadLimitBytes});
    return read_file_bytes(fd.get(), offset, static_cast<std::size_t>(have));
  }

  void load_sections(const Elf64_Ehdr& header);
  void note_section(const Elf64_Shdr& header, std::string_view section_name);
  Extent relocations() const;
  Elf64_Sym symbol_at(std::uint32_t number) const;
  void index_symbols();
};

// All or nothing: see the header.
void ElfImage::State::load_sections(const Elf64_Ehdr& header) {
  if (header.e_shoff == 0 || header.e_shnum == 0 || header.e_shnum > kSectionsLimit) return;
  if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shstrndx >= header.e_shnum) return;
  const auto headers = entries_of<Elf64_Shdr>(read(header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr)));
  if (headers.size() != header.e_shnum) return;
  for (const Elf64_Shdr& each : headers) {
    if (each.sh_type == SHT_NULL || each.sh_type == SHT_NOBITS) continue;
    if (each.sh_offset > file_bytes || each.sh_size > file_bytes - each.sh_offset) return;
  }
  const Elf64_Shdr& names_header = headers[header.e_shstrndx];
  const auto names =
      read(names_header.sh_offset, std::min<std::uint64_t>(names_header.sh_size, kSectionNamesLimitBytes));
  for (const Elf64_Shdr& each : headers) {
    if (each.sh_type == SHT_NULL || each.sh_type == SHT_NOBITS) continue;
    note_section(each, name_at(names, each.sh_name));
    if (each.sh_type == SHT_SYMTAB && each.sh_link < headers.size() && each.sh_entsize == sizeof(Elf64_Sym)) {
      symbols = {each.sh_offset, each.sh_size};
      symbol_strings = {headers[each.sh_link].sh_offset, headers[each.sh_link].sh_size};
    }
  }
}

void ElfImage::State::note_section(const Elf64_Shdr& header, std::string_view section_name) {
  sections.push_back({.name = std::string(section_name),
                      .address = header.sh_addr,
                      .offset = header.sh_offset,
                      .bytes = header.sh_size});
  std::uint64_t loaded_bytes = header.sh_size;
  if ((header.sh_flags & SHF_COMPRESSED) != 0) {
    const auto compressed = load<Elf64_Chdr>(read(header.sh_offset, sizeof(Elf64_Chdr)));
    if (compressed) loaded_bytes = compressed->ch_size;
  } else if (section_name.starts_with(".zdebug")) {
    // Before SHF_COMPRESSED, and Go's way until 1.18: "ZLIB", then the size, big-endian.
    const auto size = load<std::uint64_t>(read(header.sh_offset + 4, sizeof(std::uint64_t)));
    if (size) loaded_bytes = __builtin_bswap64(*size);
  }
  libelf_bytes = loaded_bytes > UINT64_MAX - libelf_bytes ? UINT64_MAX : libelf_bytes + loaded_bytes;
}

// From the dynamic section, which a program without section headers has, too.
Extent ElfImage::State::relocations() const {
  Extent relocations;
  const auto bytes = read(dynamic.offset, std::min<std::uint64_t>(dynamic.bytes, kDynamicLimitBytes));
  for (const Elf64_Dyn& entry : entries_of<Elf64_Dyn>(bytes)) {
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_RELA) relocations.offset = entry.d_un.d_ptr;
    if (entry.d_tag == DT_RELASZ) relocations.bytes = entry.d_un.d_val;
  }
  return relocations;
}

Elf64_Sym ElfImage::State::symbol_at(std::uint32_t number) const {
  return load<Elf64_Sym>(read(symbols.offset + number * sizeof(Elf64_Sym), sizeof(Elf64_Sym))).value_or(Elf64_Sym{});
}

void ElfImage::State::index_symbols() {
  symbol_index.emplace();
  if (symbol_strings.bytes > kStringsLimitBytes) return;
  const auto strings = read(symbol_strings.offset, symbol_strings.bytes);
  const std::uint64_t count = std::min<std::uint64_t>(symbols.bytes / sizeof(Elf64_Sym), kSymbolsLimit);
  for (std::uint64_t at = 0; at < count; at += kChunkEntries) {
    const std::uint64_t entries = std::min<std::uint64_t>(kChunkEntries, count - at);
    const auto chunk =
        entries_of<Elf64_Sym>(read(symbols.offset + at * sizeof(Elf64_Sym), entries * sizeof(Elf64_Sym)));
    auto number = static_cast<std::uint32_t>(at);
    for (const Elf64_Sym& symbol : chunk) {
      const std::string_view symbol_name = name_at(strings, symbol.st_name);
      if (symbol.st_shndx != SHN_UNDEF && !symbol_name.empty()) symbol_index->add(symbol_name, number);
      ++number;
    }
    if (chunk.size() != entries) break;
  }
  symbol_index->finish();
}

Result<ElfImage> ElfImage::open(UniqueFd fd, const std::string& name) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail(errno_text(name, errno));
  if (!S_ISREG(status.st_mode)) return fail(name + ": not a regular file");
  auto state = std::make_shared<State>();
  state->fd = std::move(fd);
  state->name = name;
  state->file_bytes = static_cast<std::uint64_t>(status.st_size);

  const auto header = load<Elf64_Ehdr>(state->read(0, sizeof(Elf64_Ehdr)));
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return fail(name + ": not an ELF file");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) {
    return fail(name + ": not a 64-bit little-endian ELF file");
  }
  if ((header->e_type != ET_EXEC && header->e_type != ET_DYN) || header->e_phentsize != sizeof(Elf64_Phdr) ||
      header->e_phnum == 0 || header->e_phnum > kSegmentsLimit) {
    return fail(name + ": not an ELF file that Linux runs");
  }
  const auto headers = entries_of<Elf64_Phdr>(state->read(header->e_phoff, header->e_phnum * sizeof(Elf64_Phdr)));
  if (headers.size() != header->e_phnum) return fail(name + ": cut off in its program headers");
  state->machine = machine_of(header->e_machine);
  state->position_independent = header->e_type == ET_DYN;
  state->segments = load_segments(headers);
  if (state->segments.empty()) return fail(name + ": has nothing to load");
  for (const Elf64_Phdr& each : headers) {
    if (each.p_type == PT_DYNAMIC) state->dynamic = {each.p_offset, each.p_filesz};
  }
  state->load_sections(*header);
  return ElfImage(std::move(state));
}

ElfMachine ElfImage::machine() const { return state_->machine; }
bool ElfImage::position_independent() const { return state_->position_independent; }
const std::string& ElfImage::name() const { return state_->name; }
const std::vector<ElfSegment>& ElfImage::segments() const { return state_->segments; }
const std::vector<ElfSection>& ElfImage::sections() const { return state_->sections; }

std::optional<ElfSection> ElfImage::section(std::string_view name) const {
  const auto found = std::find_if(state_->sections.begin(), state_->sections.end(),
                                  [&](const ElfSection& section) { return section.name == name; });
  if (found == state_->sections.end()) return std::nullopt;
  return *found;
}

std::vector<std::byte> ElfImage::read(std::uint64_t address, std::size_t bytes) const {
  for (const ElfSegment& segment : state_->segments) {
    if (address < segment.addresses.begin || address >= segment.addresses.end) continue;
    const std::uint64_t skip = address - segment.addresses.begin;
    if (segment.offset > UINT64_MAX - skip) return {};
    return state_->read(segment.offset + skip, std::min<std::uint64_t>(bytes, segment.addresses.end - address));
  }
  return {};
}

void ElfImage::each_relocation(const std::function<void(std::uint64_t, std::uint64_t)>& look) const {
  const auto relative = relative_type(state_->machine);
  const Extent table = state_->relocations();
  if (!relative || table.bytes == 0) return;
  const std::uint64_t count = std::min<std::uint64_t>(table.bytes / sizeof(Elf64_Rela), kRelocationsLimit);
  for (std::uint64_t at = 0; at < count; at += kChunkEntries) {
    const std::uint64_t entries = std::min<std::uint64_t>(kChunkEntries, count - at);
    const auto chunk = entries_of<Elf64_Rela>(
        read(table.offset + at * sizeof(Elf64_Rela), static_cast<std::size_t>(entries) * sizeof(Elf64_Rela)));
    for (const Elf64_Rela& entry : chunk) {
      if (ELF64_R_TYPE(entry.r_info) == *relative) look(entry.r_offset, static_cast<std::uint64_t>(entry.r_addend));
    }
    if (chunk.size() != entries) break;
  }
}

std::vector<std::byte> ElfImage::read_relocated(std::uint64_t address, std::size_t bytes) const {
  std::vector<std::byte> read_bytes = read(address, bytes);
  if (!state_->position_independent || read_bytes.size() < sizeof(std::uint64_t)) return read_bytes;
  const std::uint64_t last = read_bytes.size() - sizeof(std::uint64_t);
  each_relocation([&](std::uint64_t at, std::uint64_t value) {
    if (at < address || at - address > last) return;
    std::memcpy(read_bytes.data() + (at - address), &value, sizeof(value));
  });
  return read_bytes;
}

std::optional<std::uint64_t> ElfImage::word(std::uint64_t address) const {
  return load<std::uint64_t>(read_relocated(address, sizeof(std::uint64_t)));
}

std::optional<std::uint64_t> ElfImage::symbol(std::string_view name) const {
  if (!state_->symbol_index) state_->index_symbols();
  if (name.size() >= kNameLimitBytes) return std::nullopt;
  const auto number = state_->symbol_index->find(name, [&](std::uint32_t candidate) {
    const std::uint64_t at = state_->symbol_at(candidate).st_name;
    return at < state_->symbol_strings.bytes &&
           text_until_nul(state_->read(state_->symbol_strings.offset + at, name.size() + 1)) == name;
  });
  if (!number) return std::nullopt;
  return state_->symbol_at(*number).st_value;
}

Elf* ElfImage::elf() const {
  if (!state_->elf_tried) {
    state_->elf_tried = true;
    // Without a section table that we believe in, it would read one that we did not check.
    const bool bounded = !state_->sections.empty() && state_->libelf_bytes <= kLibelfLimitBytes;
    if (bounded && ::elf_version(EV_CURRENT) != EV_NONE) {
      state_->elf.reset(::elf_begin(state_->fd.get(), ELF_C_READ, nullptr));
    }
  }
  return state_->elf.get();
}

}  // namespace madvtrace
