// SPDX-License-Identifier: Apache-2.0
// The Go runtime's own memory statistics ("books"), read from outside: the process is not
// stopped, asked or changed, and needs no endpoint. The names are those of
// runtime.MemStats where there is one.
//
// Where the words are is found once a program, from the best of three sources (a ladder):
//
//   DWARF          types and addresses from the program's debug information
//   symbol table   the address of a variable; the layout of that Go version from a table
//   code           stripped: the address from an instruction of the runtime that uses it
//
// A field that a rung does not know is empty; what two rungs know are the same words. The
// rungs below DWARF know what their table of versions knows (books_anchors.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/enum_names.h"
#include "base/go_heap.h"
#include "base/page_range.h"
#include "base/result.h"
#include "golang/elf_image.h"
#include "golang/go_version.h"
#include "golang/pclntab.h"
#include "golang/process_memory.h"

namespace madvtrace {

struct GoBooks : GoHeap {
  // The address space of the heap, in arenas of 64 MiB, ascending, adjacent ones merged: heap
  // spans, goroutine stacks and gc_work_inuse live there and nothing else. Mapped or only
  // reserved. Empty: not known.
  std::vector<AddressRange> arenas;
};

enum class BooksRung { kNone, kDwarf, kSymtab, kCode };

inline constexpr auto kBooksRungNames = names_of<BooksRung::kCode>({
    {BooksRung::kNone, "none"},
    {BooksRung::kDwarf, "dwarf"},
    {BooksRung::kSymtab, "symtab"},
    {BooksRung::kCode, "code"},
});

// What the caller knows of the process at about the same time; empty: not checked.
struct BooksLimits {
  std::optional<std::uint64_t> address_space_bytes;  // VmSize of /proc/PID/status
};

struct BooksLayout;

// Not for two threads at once.
class BooksReader {
 public:
  // `bias`: run-time minus link-time addresses (load_bias.h). An unknown version is taken
  // for one that is newer than the table. `functions` may be null: then the code is not
  // looked at. The error says for each rung why it has no answer.
  //
  // Debug information is parsed in a child process with limits of time and memory, since
  // the file belongs to the traced program: 10 to 40 ms, at worst two seconds.
  static Result<BooksReader> locate(const ElfImage& image, const std::optional<GoVersion>& version,
                                    const Pclntab* functions, std::uint64_t bias);

  // Of words whose run-time addresses are known.
  BooksReader(BooksRung rung, const BooksLayout& layout);

  BooksRung rung() const { return rung_; }

  // What the books say now. The words are read in one system call, and again, a few times,
  // if they contradict each other because the runtime was changing them. An error if they
  // cannot be read, or cannot be true, or the runtime has not set up its heap yet: never
  // numbers that are known to be wrong. What holds by construction and what is checked:
  //
  //   HeapSys = HeapInuse + HeapIdle   checked up to 1.15, where all three are kept; since
  //                                    then one of them is computed from the others
  //   HeapReleased <= HeapIdle, whole pages, within the address space: checked
  //   mapped_ready covers the heap in use and free: checked, since 1.19
  //   stacks, mallocs, frees: since 1.16 a second set of counters, given out only if it
  //                           agrees with the first about the heap in use
  Result<GoBooks> read(const ProcessMemory& memory, const BooksLimits& limits = {}) const;

 private:
  BooksRung rung_;
  std::shared_ptr<const BooksLayout> layout_;
};

}  // namespace madvtrace
