// SPDX-License-Identifier: Apache-2.0
// What is answered about a program (program.h): values. They know nothing of the files that
// they were read from, which can be closed, cut off or replaced meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "golang/books.h"
#include "golang/cause.h"
#include "golang/gc_functions.h"
#include "golang/go_version.h"

namespace madvtrace {

struct GoFacts {
  std::optional<GoVersion> version;
  std::string build_id;                     // of Go's linker; empty: none
  std::string default_godebug;              // that it was built with; empty: none
  std::optional<GcFunctions> gc_functions;  // nothing: not found
};

struct ProgramFacts {
  std::string build_id;       // GNU's, lower-case hex; empty: it has none
  std::optional<GoFacts> go;  // nothing: it is no Go program
};

// Where the runtime's books are in a process of this program.
struct FoundBooks {
  std::shared_ptr<const BooksReader> reader;  // null: they were not found,
  std::string why_not;                        // for this reason
};

// The name of an address.
struct CodeName {
  StackFrame::Kind kind = StackFrame::Kind::kNone;
  std::string name;          // of the function; empty: none is known
  std::string module;        // not of Go's; name of the file, without directories; empty: in none
  std::uint64_t offset = 0;  // in the module
};

}  // namespace madvtrace
