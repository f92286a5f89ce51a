// SPDX-License-Identifier: Apache-2.0
// Recoverable errors are values. An Error carries what a person needs, in one
// line: what failed, why, and what to do; and which of the tool's exit codes it
// means. Only app/main.cc turns one into an exit.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace madvtrace {

// Exit codes; scripts rely on them.
enum class ExitCode {
  kClean = 0,
  kFailed = 1,        // failed while running
  kUsage = 2,         // the command line, or what it names, is wrong
  kGate = 3,          // a gate failed
  kInconclusive = 4,  // events were lost and the answer depends on them
  kUnsupported = 5,   // this kernel, or these privileges, cannot
};

struct Error {
  ExitCode code = ExitCode::kFailed;
  std::string message;  // one line, no trailing full stop needed, no newline
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(ExitCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}
inline tl::unexpected<Error> fail(std::string message) { return fail(ExitCode::kFailed, std::move(message)); }

// "what: No such file or directory", for an errno value.
std::string errno_text(const std::string& what, int error);

}  // namespace madvtrace
