// SPDX-License-Identifier: Apache-2.0
// A program is what a process runs from one exec to the next, or to its exit. Here, and
// nowhere else, a live trace asks what a program is and what names the addresses in it have.
// The answers are values (answers.h); the files that they come from stay in this folder.
//
// A target holds the program that it runs now; each stack that waits for its names holds
// the one that it was taken in. So what was seen of a program lasts as long as somebody
// needs it, and no pid has to be remembered:
//
//               exec of the process                   the last of its stacks is named
//   kRuns ----> kReplaced: its stacks have no names ------> destroyed
//        \----> kExited: they have those that are known --/
//               exit of the process
//
// Everything is looked up when it is first asked for, by the pid, and so only while the
// program runs: later the pid may be another's, or this process's with other code.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "procfs/proc_root.h"
#include "symbols/symbolizer.h"
#include "targets/program/answers.h"
#include "targets/program/code_map.h"
#include "targets/program/executable.h"
#include "targets/program/go_modules.h"

namespace madvtrace {

// All programs are read with these, each file once.
struct Binaries {
  const ProcRoot& proc;
  GoModules modules{};
  Symbolizer symbolizer{};
};

class Program {
 public:
  enum class State : std::uint8_t { kRuns, kExited, kReplaced };

  // `binaries` must outlive this.
  Program(Binaries& binaries, std::uint32_t pid)
      : binaries_(binaries), pid_(pid), native_symbols_(binaries.symbolizer, pid) {}

  std::uint32_t pid() const { return pid_; }
  State state() const { return state_; }
  void end(State how) { state_ = how; }

  // Its file is opened when it is first asked about, and then stays the same. Nothing: it
  // cannot be opened, or the process is gone.
  std::optional<bool> is_go();
  // The same. The first process of a file takes some milliseconds.
  std::optional<ProgramFacts> facts();
  // The first process of a file takes 10 to 40 ms and may fork (golang/books.h), the next ones
  // that have it loaded at the same address nothing.
  FoundBooks books();

  // A path of ours to the very file that was opened, for whoever attaches to it; only until
  // close_file(), and only if is_go() has an answer.
  std::string path() const { return executable_->path(); }
  // Nobody needs that path any more.
  void close_file();

  // A name for each of these addresses. Go's functions have theirs from Go's own table, which
  // stripped binaries have as well, all others from the symbols of their files, slowly
  // (symbols/symbolizer.h). Nothing: its code is not known, so nothing can be said.
  std::optional<std::vector<CodeName>> names_of(std::span<const std::uint64_t> addresses);

 private:
  const Executable* executable();
  bool has_code();
  bool read_code();
  void look_into(CodeMap::Code& code);
  CodeName name_of(std::uint64_t address);
  std::optional<std::string> go_name(std::uint64_t address);

  Binaries& binaries_;
  std::uint32_t pid_;
  State state_ = State::kRuns;
  std::optional<Executable> executable_;
  std::optional<CodeMap> code_;
  std::uint64_t code_read_ns_ = 0;
  ProcessSymbols native_symbols_;
};

}  // namespace madvtrace
