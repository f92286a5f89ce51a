// SPDX-License-Identifier: Apache-2.0
// The executable file of a traced program: its segments, sections, symbols and bytes
// by link-time address. 64-bit little-endian ELF, ET_EXEC or ET_DYN, with or without
// section headers.
//
// The file belongs to the traced program, whose owner may have made it by hand and may
// cut it off while it is read. So it is never mapped (a truncated mapping is a SIGBUS):
// every byte comes from pread, at most kReadLimitBytes at a time, and no table is
// believed in before it has been checked against the limits below. The kernel looks at
// program headers alone; sections serve debuggers, and a section table that is not
// sound counts as none.
//
// Not promised: an answer in bounded time from a file system that does not answer
// (FUSE, a dead NFS server).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/page_range.h"
#include "base/result.h"
#include "base/unique_fd.h"

struct Elf;

namespace madvtrace {

// NOLINTNEXTLINE(readability-identifier-naming): the machine's name has the underscore
enum class ElfMachine { kX86_64, kAarch64, kOther };

// A section with bytes in the file.
struct ElfSection {
  std::string name;
  std::uint64_t address = 0;  // link-time; 0 for what is not loaded
  std::uint64_t offset = 0;   // in the file
  std::uint64_t bytes = 0;    // in the file, compressed or not
};

// A PT_LOAD with bytes in the file.
struct ElfSegment {
  AddressRange addresses;        // link-time, the part that the file backs
  std::uint64_t memory_end = 0;  // link-time; beyond addresses.end there are zeros
  std::uint64_t offset = 0;      // in the file, of addresses.begin
  bool writable = false;
  bool executable = false;
};

// A copy is another handle of the same open file. Not for two threads at once.
class ElfImage {
 public:
  // What the kernel loads has at most 64 KiB of program headers (load_elf_phdrs()).
  static constexpr std::size_t kSegmentsLimit = 1170;
  static constexpr std::size_t kSectionsLimit = 4096;  // a Go program with cgo and DWARF: about 45
  static constexpr std::size_t kSymbolsLimit = 4'000'000;
  static constexpr std::size_t kNameLimitBytes = 512;  // a symbol with a longer name is not found
  static constexpr std::size_t kRelocationsLimit = 4'000'000;
  static constexpr std::size_t kReadLimitBytes = std::size_t{256} * 1024 * 1024;

  // `name` is for error texts. Fails for what is not a regular file, or not such an ELF
  // file.
  static Result<ElfImage> open(UniqueFd fd, const std::string& name);

  ElfMachine machine() const;
  bool position_independent() const;  // ET_DYN: loaded anywhere
  const std::string& name() const;

  // In the order of the file.
  const std::vector<ElfSegment>& segments() const;
  const std::vector<ElfSection>& sections() const;
  std::optional<ElfSection> section(std::string_view name) const;

  // Bytes at a link-time address as the file has them; fewer where its segment ends in
  // the file, or the file does; none for an address in no segment.
  std::vector<std::byte> read(std::uint64_t address, std::size_t bytes) const;

  // The same with every relative relocation done as for a load bias of 0. A position
  // independent file has its pointers in relocations (DT_RELA), and what its bytes say
  // in their place differs from linker to linker: GNU ld leaves zeros.
  std::vector<std::byte> read_relocated(std::uint64_t address, std::size_t bytes) const;

  // A pointer, or any other 8 bytes, of read_relocated().
  std::optional<std::uint64_t> word(std::uint64_t address) const;

  // Every relative relocation: at this link-time address belongs this value plus the
  // load bias. At most kRelocationsLimit, in the order of the file.
  void each_relocation(const std::function<void(std::uint64_t address, std::uint64_t value)>& look) const;

  // Link-time address of a symbol that .symtab defines; nothing for a stripped file.
  // The first look-up reads the whole table and keeps 8 bytes a symbol.
  std::optional<std::uint64_t> symbol(std::string_view name) const;

  // For libdw, which wants libelf's own handle (elf_begin with ELF_C_READ: pread, too).
  // Opened when first asked for, and owned by the image. Null if libelf cannot read the
  // file, or if the sections that it would load, uncompressed, are together more than
  // kLibelfLimitBytes: libelf believes what they say.
  static constexpr std::uint64_t kLibelfLimitBytes = std::uint64_t{2} * 1024 * 1024 * 1024;
  Elf* elf() const;

 private:
  struct State;
  explicit ElfImage(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace madvtrace
