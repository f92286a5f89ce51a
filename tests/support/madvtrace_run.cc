// SPDX-License-Identifier: Apache-2.0
#include "tests/support/madvtrace_run.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"

namespace madvtrace {
namespace {

constexpr int kReadyFdOfChild = 9;

}  // namespace

Result<std::unique_ptr<MadvtraceRun>> MadvtraceRun::start(std::vector<std::string> arguments,
                                                          std::optional<int> stdout_fd) {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return fail(errno_text("pipe2", errno));
  const UniqueFd read_end(fds[0]);
  UniqueFd write_end(fds[1]);
  arguments.insert(arguments.begin(), {MADVTRACE_BINARY, "--ready-fd", std::to_string(kReadyFdOfChild)});
  MADV_TAKE(auto process, ChildProcess::spawn({.argv = std::move(arguments),
                                               .pass_fds = {{kReadyFdOfChild, write_end.get()}},
                                               .stdout_fd = stdout_fd}));
  write_end.reset();

  const auto until = std::chrono::steady_clock::now() + kDeadline;
  std::string line;
  while (!line.ends_with('\n')) {
    const Result<std::size_t> readable = wait_readable({read_end.get()}, until);
    if (!readable) return fail("madvtrace is not ready: " + readable.error().message + "; " + process->errors());
    char byte = 0;
    if (::read(read_end.get(), &byte, 1) != 1) {
      const Result<int> code = process->wait();
      return fail("madvtrace ended with " + (code ? std::to_string(*code) : code.error().message) +
                  " before it was ready: " + process->errors());
    }
    line += byte;
  }
  return std::unique_ptr<MadvtraceRun>(new MadvtraceRun(std::move(process)));
}

Result<int> MadvtraceRun::interrupt() {
  MADV_TRY(process_->signal(SIGINT));
  return process_->wait();
}

Result<Outcome> run_madvtrace(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), MADVTRACE_BINARY);
  return run_program({.argv = std::move(arguments)});
}

}  // namespace madvtrace
