// SPDX-License-Identifier: Apache-2.0
// Recoverable errors are values, of one type. An Error carries what a person needs, in
// one line: what failed, why, and what to do; which of the tool's exit codes it means;
// and for callers that go on, what kind of failure it is. Only app/main.cc turns one
// into an exit.
//
//   Result<Pipe> make_pipe();
//   Status send(const Pipe& pipe);
//
//   MADV_TAKE(const Pipe pipe, make_pipe());   // the value, or the caller returns the error
//   MADV_TRY(send(pipe));                      // goes on, or the caller returns the error
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

// What a caller may want to tell apart; the function that fails says which of them it means by what.
enum class Failure {
  kOther,
  kGone,        // what it was about has ended or was removed
  kAbsent,      // there is no such thing now
  kPermission,  // these privileges do not suffice
  kTooLarge,    // it is over the limit that the caller gave
  kMalformed,   // it was read, and does not look like what it should be
};

struct Error {
  ExitCode code = ExitCode::kFailed;
  std::string message;  // one line, no trailing full stop needed, no newline
  Failure failure = Failure::kOther;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }
inline tl::unexpected<Error> fail(ExitCode code, std::string message) {
  return fail(Error{.code = code, .message = std::move(message)});
}
inline tl::unexpected<Error> fail(std::string message) { return fail(ExitCode::kFailed, std::move(message)); }

// "what: No such file or directory", for an errno value.
std::string errno_text(const std::string& what, int error);

}  // namespace madvtrace

// The function around returns the error of a Status or Result, if it has one.
#define MADV_TRY(...)                                                                          \
  do {                                                                                         \
    if (auto&& tried = (__VA_ARGS__); !tried) return tl::unexpected(std::move(tried).error()); \
  } while (false)

// The same, and the value goes to what is declared (`const auto pipe`) or named (`pipe_`).
#define MADV_TAKE(declaration, ...) MADV_TAKE_BY_WAY_OF(MADV_JOINED(taken_, __LINE__), declaration, __VA_ARGS__)
#define MADV_TAKE_BY_WAY_OF(taken, declaration, ...)           \
  auto&& taken = (__VA_ARGS__);                                \
  if (!taken) return tl::unexpected(std::move(taken).error()); \
  declaration = *std::move(taken) /* NOLINT(bugprone-macro-parentheses): it is no expression */
#define MADV_JOINED(a, b) MADV_JOINED_AS_THEY_ARE(a, b)
#define MADV_JOINED_AS_THEY_ARE(a, b) a##b
