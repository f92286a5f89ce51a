// SPDX-License-Identifier: Apache-2.0
#include "app/command.h"

#include <fcntl.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigprocmask is POSIX
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace madvtrace {
namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return fail(errno_text("cannot make a pipe", errno));
  return Pipe{.read = UniqueFd(fds[0]), .write = UniqueFd(fds[1])};
}

// In the child; only async-signal-safe calls from here to exec.
[[noreturn]] void wait_and_exec(char* const* argv, const UniqueFd& go, const UniqueFd& failure) {
  char byte = 0;
  ssize_t got = 0;
  do {
    got = ::read(go.get(), &byte, 1);
  } while (got < 0 && errno == EINTR);
  constexpr int kNeverRan = 127;
  if (got != 1) ::_exit(kNeverRan);  // the tracer gave up
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  ::execvp(argv[0], argv);
  const int error = errno;
  if (::write(failure.get(), &error, sizeof(error)) < 0) ::_exit(kNeverRan);
  ::_exit(kNeverRan);
}

}  // namespace

Status check_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (::access(name.c_str(), X_OK) == 0) return {};
    return fail(ExitCode::kUsage, errno_text("cannot run " + name, errno));
  }
  const char* const variable = std::getenv("PATH");
  std::string_view path = variable == nullptr ? "/bin:/usr/bin" : variable;
  while (!path.empty()) {
    const std::string_view directory = path.substr(0, path.find(':'));
    path.remove_prefix(std::min(path.size(), directory.size() + 1));
    if (::access((std::string(directory) + "/" + name).c_str(), X_OK) == 0) return {};
  }
  return fail(ExitCode::kUsage, "cannot run " + name + ": there is no such program in PATH");
}

Result<Command> Command::start_held(const std::vector<std::string>& argv) {
  MADV_TAKE(Pipe go, make_pipe());
  MADV_TAKE(Pipe failure, make_pipe());
  std::vector<char*> arguments;
  arguments.reserve(argv.size() + 1);
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return fail(errno_text("cannot start " + argv[0], errno));
  if (pid == 0) {
    go.write.reset();
    failure.read.reset();
    wait_and_exec(arguments.data(), go.read, failure.write);
  }
  return Command(static_cast<std::uint32_t>(pid), std::move(go.write), std::move(failure.read), argv[0]);
}

Status Command::let_go() {
  const char byte = 1;
  if (::write(go_.get(), &byte, 1) != 1) return fail(errno_text("cannot start " + name_, errno));
  go_.reset();
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(failure_.get(), &error, sizeof(error));
  } while (got < 0 && errno == EINTR);
  failure_.reset();
  if (got == sizeof(error)) return fail(ExitCode::kUsage, errno_text("cannot run " + name_, error));
  return {};
}

std::optional<std::int32_t> Command::poll_end() {
  int status = 0;
  if (!wait_status_ && ::waitpid(static_cast<pid_t>(pid_), &status, WNOHANG) == static_cast<pid_t>(pid_)) {
    wait_status_ = status;
  }
  return wait_status_;
}

}  // namespace madvtrace
