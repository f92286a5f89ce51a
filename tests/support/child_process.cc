// SPDX-License-Identifier: Apache-2.0
#include "tests/support/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace madvtrace {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return fail(errno_text("pipe2", errno));
  return Pipe{.read = UniqueFd(fds[0]), .write = UniqueFd(fds[1])};
}

// In the child. Sources are first moved out of the way, so that none is overwritten
// before its turn.
[[noreturn]] void become(char* const* argv, std::vector<std::pair<int, int>> fds) {
  constexpr int kOutOfTheWay = 200;
  constexpr int kCannotRun = 126;
  for (auto& [to, from] : fds) {
    from = ::fcntl(from, F_DUPFD, kOutOfTheWay);
    if (from < 0) ::_exit(kCannotRun);
  }
  for (const auto& [to, from] : fds) {
    if (::dup2(from, to) < 0) ::_exit(kCannotRun);
    ::close(from);
  }
  ::signal(SIGPIPE, SIG_DFL);
  ::execvp(argv[0], argv);
  ::_exit(kCannotRun);
}

std::string whole_file(int fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

Result<std::size_t> wait_readable(const std::vector<int>& fds, Clock::time_point until) {
  std::vector<pollfd> polled;
  polled.reserve(fds.size());
  for (const int fd : fds) polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    const int ready = ::poll(polled.data(), polled.size(), static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail(errno_text("poll", errno));
    if (ready == 0) return fail("nothing came before the deadline");
    const auto found = std::find_if(polled.begin(), polled.end(), [](const pollfd& p) { return p.revents != 0; });
    return static_cast<std::size_t>(found - polled.begin());
  }
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::spawn(const SpawnOptions& options) {
  MADV_TAKE(Pipe input, make_pipe());
  MADV_TAKE(Pipe output, make_pipe());
  std::unique_ptr<ChildProcess> child(new ChildProcess);
  child->stderr_.reset(::memfd_create("stderr", MFD_CLOEXEC));
  if (!child->stderr_) return fail(errno_text("memfd_create", errno));

  std::vector<std::pair<int, int>> fds = options.pass_fds;
  fds.emplace_back(STDIN_FILENO, input.read.get());
  fds.emplace_back(STDOUT_FILENO, options.stdout_fd.value_or(output.write.get()));
  fds.emplace_back(STDERR_FILENO, child->stderr_.get());
  std::vector<std::string> arguments = options.argv;
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  child->pid_ = ::fork();
  if (child->pid_ < 0) return fail(errno_text("fork", errno));
  if (child->pid_ == 0) become(argv.data(), std::move(fds));
  child->pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, child->pid_, 0)));
  if (!child->pidfd_) return fail(errno_text("pidfd_open", errno));
  child->stdin_ = std::move(input.write);
  child->stdout_ = std::move(output.read);
  ::fcntl(child->stdout_.get(), F_SETFL, O_NONBLOCK);
  return child;
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0 || exit_code_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool ChildProcess::take_output() {
  if (!stdout_) return false;
  std::array<char, 65536> buffer{};
  const ssize_t got = ::read(stdout_.get(), buffer.data(), buffer.size());
  if (got > 0) {
    output_.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
  }
  if (got == 0) stdout_.reset();
  return false;
}

Result<std::string> ChildProcess::read_line(std::chrono::milliseconds deadline) {
  const Clock::time_point until = Clock::now() + deadline;
  for (;;) {
    if (const std::size_t end = output_.find('\n'); end != std::string::npos) {
      std::string line = output_.substr(0, end);
      output_.erase(0, end + 1);
      return line;
    }
    if (!stdout_) return fail("it printed no further line; its stderr: " + errors());
    const Result<std::size_t> readable = wait_readable({stdout_.get()}, until);
    if (!readable) return fail(readable.error().message + "; its stderr: " + errors());
    take_output();
  }
}

Status ChildProcess::write_input(std::string_view bytes) {
  if (!stdin_) return fail("its standard input is closed");
  if (::write(stdin_.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return fail(errno_text("cannot write to its standard input", errno));
  }
  return {};
}

Status ChildProcess::signal(int number) const {
  if (exit_code_) return fail("it has ended already");
  if (::kill(pid_, number) != 0) return fail(errno_text("kill", errno));
  return {};
}

Status ChildProcess::suspend() const {
  MADV_TRY(signal(SIGSTOP));
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT) != 0) {
    return fail(errno_text("waitid", errno));
  }
  return info.si_code == CLD_STOPPED ? Status{} : fail("it ended instead of stopping; its stderr: " + errors());
}

Result<int> ChildProcess::wait(std::chrono::milliseconds deadline) {
  const Clock::time_point until = Clock::now() + deadline;
  while (!exit_code_) {
    std::vector<int> fds{pidfd_.get()};
    if (stdout_) fds.push_back(stdout_.get());
    const Result<std::size_t> readable = wait_readable(fds, until);
    if (!readable) return fail("it did not end: " + readable.error().message + "; its stderr: " + errors());
    take_output();
    if (*readable != 0) continue;
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) return fail(errno_text("waitpid", errno));
    constexpr int kSignalled = 128;
    exit_code_ = WIFSIGNALED(status) ? kSignalled + WTERMSIG(status) : WEXITSTATUS(status);
    while (take_output()) {
    }
  }
  return *exit_code_;
}

std::string ChildProcess::errors() const { return whole_file(stderr_.get()); }

Result<Outcome> run_program(const SpawnOptions& options, std::chrono::milliseconds deadline) {
  MADV_TAKE(const auto child, ChildProcess::spawn(options));
  child->close_input();
  MADV_TAKE(const int exit_code, child->wait(deadline));
  return Outcome{.exit_code = exit_code, .output = child->output(), .errors = child->errors()};
}

}  // namespace madvtrace
