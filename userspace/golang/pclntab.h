// SPDX-License-Identifier: Apache-2.0
// Go's own table of functions, which the runtime needs for its stack traces: so it is in
// every Go program, stripped or not.
//
// Layouts, from the Go sources (src/runtime/symtab.go, type pcHeader; src/cmd/link/
// internal/ld/pcln.go; before 1.16 "Go 1.2 Runtime Symbol Table"):
//
//   magic       Go         entries                     names at
//   0xfffffffb  1.2-1.15   (pc u64, func u64)          table + nameoff, @8 of the func
//   0xfffffffa  1.16-1.17  (pc u64, func u64)          funcname table, @8
//   0xfffffff0  1.18-1.19  (pc - text u32, func u32)   funcname table, @4
//   0xfffffff1  1.20-      the same; since 1.26 the header does not say where the text
//                          begins any more: runtime.moduledata does (.go.module)
//
// Not promised: a function at a pc is the one whose code was emitted there. What the
// compiler inlined into it is not shown. Functions of C (cgo) are not in the table.
// Text that the linker split into several sections (ppc64; others beyond their branches'
// reach, with an external linker) is not put together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/page_range.h"
#include "base/result.h"
#include "golang/elf_image.h"
#include "golang/name_index.h"

namespace madvtrace {

// Link-time addresses. The code ends where the next function begins, so padding counts.
struct GoFunction {
  // As Go prints it, at most Pclntab::kNameLimitBytes: since 1.18 with "[...]" for type
  // arguments.
  std::string name;
  AddressRange code;
};

enum class PclntabLayout { kGo12, kGo116, kGo118, kGo120 };

// Keeps a handle of the image, and 8 or 16 bytes a function. Not for two threads at once.
class Pclntab {
 public:
  static constexpr std::size_t kFunctionsLimit = 4'000'000;
  static constexpr std::size_t kNameLimitBytes = 4096;

  // Fails if there is no table, or none that holds together: then this is no Go program,
  // or one that was packed or damaged.
  static Result<Pclntab> read(const ElfImage& image);

  // The function whose code holds this link-time address. Reads its name from the file:
  // a few microseconds.
  std::optional<GoFunction> at(std::uint64_t link_time_pc) const;

  // The function of this name, as Go prints it ("runtime.(*mheap).grow"). Where an
  // assembly function and the wrapper that the compiler makes for it have one name, the
  // one at the lower address. The first call reads all names, and keeps 8 bytes for each.
  std::optional<GoFunction> find(std::string_view name) const;

  // All functions, in the order of their addresses.
  std::size_t size() const { return count_; }
  std::optional<GoFunction> function(std::size_t number) const;

  PclntabLayout layout() const { return layout_; }
  std::uint64_t address() const { return address_; }  // of the header, link-time
  std::uint64_t text() const { return text_; }        // where Go's own code begins, link-time

 private:
  struct Entry {
    std::uint64_t pc = 0;
    std::uint64_t func = 0;  // address of its runtime._func
  };
  explicit Pclntab(const ElfImage& image) : image_(image) {}
  static std::optional<Pclntab> read_at(const ElfImage& image, std::uint64_t address);
  bool read_header(std::uint64_t address);
  bool read_entries(std::uint64_t address);
  bool find_text();
  bool is_sound() const;

  bool is_wide() const { return layout_ == PclntabLayout::kGo12 || layout_ == PclntabLayout::kGo116; }
  std::size_t word_bytes() const { return is_wide() ? sizeof(std::uint64_t) : sizeof(std::uint32_t); }
  std::uint64_t raw_word(std::size_t number) const;
  Entry entry(std::size_t number) const;
  std::uint64_t end_pc(std::size_t number) const;
  std::string name_of(const Entry& entry) const;
  void index_names() const;

  ElfImage image_;
  PclntabLayout layout_ = PclntabLayout::kGo12;
  std::uint64_t address_ = 0;
  std::uint64_t text_ = 0;
  std::uint64_t funcs_ = 0;  // what offsets of functions count from
  std::uint64_t names_ = 0;
  std::size_t count_ = 0;
  std::vector<std::byte> entries_;  // count_ pairs, and the pc where the last one ends
  mutable std::optional<NameIndex> name_index_;
};

}  // namespace madvtrace
