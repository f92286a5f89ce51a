// SPDX-License-Identifier: Apache-2.0
// The best rung: addresses and types of the runtime's variables from debug information.
// Through libdw, DWARF 2 to 5, compressed or not.
//
// Go writes the location of a variable as DW_FORM_block1, also in DWARF 5, which
// dwarf_getlocation() of elfutils 0.188 refuses: the one operation, DW_OP_addr, is decoded
// here. Its atomic types are structs with a member `value`.
#pragma once

#include "base/result.h"
#include "golang/books_layout.h"
#include "golang/elf_image.h"

namespace madvtrace {

// Link-time addresses. 10 to 30 ms for a usual program. The work is bounded in entries looked
// at, but libdw is not made for hostile files: use layout_from_dwarf().
Result<BooksLayout> read_dwarf(Elf* elf);

// The same in a child process with limits (limited_child.h).
Result<BooksLayout> layout_from_dwarf(const ElfImage& image);

}  // namespace madvtrace
