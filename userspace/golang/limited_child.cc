// SPDX-License-Identifier: Apache-2.0
#include "golang/limited_child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/unique_fd.h"

namespace madvtrace {
namespace {

// Private writable memory that counts against RLIMIT_DATA: what the child has already is
// on top of its limit, and may be a lot (sanitizers).
std::uint64_t data_bytes() {
  const UniqueFd file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  std::array<char, 256> text{};
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  std::string_view rest(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  constexpr int kDataColumn = 5;
  for (int column = 0; column < kDataColumn; ++column) {
    const std::size_t blank = rest.find(' ');
    rest.remove_prefix(blank == std::string_view::npos ? rest.size() : blank + 1);
  }
  std::uint64_t pages = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), pages);
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void limit(decltype(RLIMIT_CPU) resource, std::uint64_t value) {
  const rlimit both{value, value};
  ::setrlimit(resource, &both);
}

[[noreturn]] void run_child(int answer_fd, const ChildLimits& limits,
                            const std::function<std::vector<std::byte>()>& work) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, static_cast<std::uint64_t>(limits.time.count()) / 1000 + 1);
  limit(RLIMIT_DATA, data_bytes() + limits.memory_bytes);
  // What a C library says of a corrupted heap is not for the user's terminal.
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) ::dup2(nowhere, STDERR_FILENO);

  const std::vector<std::byte> answer = work();
  std::size_t done = 0;
  while (done < answer.size()) {
    const ssize_t wrote = ::write(answer_fd, answer.data() + done, answer.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) ::_exit(EXIT_FAILURE);
    done += static_cast<std::size_t>(wrote);
  }
  ::_exit(EXIT_SUCCESS);
}

// Up to one byte over the limit; nothing if the time is over first.
bool read_answer(int fd, const ChildLimits& limits, std::vector<std::byte>& answer) {
  const auto until = std::chrono::steady_clock::now() + limits.time;
  std::array<std::byte, 4096> buffer{};
  while (answer.size() <= limits.answer_bytes) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd waited{fd, POLLIN, 0};
    const int ready = ::poll(&waited, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    answer.insert(answer.end(), buffer.data(), buffer.data() + got);
  }
  return true;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

Result<std::vector<std::byte>> run_in_limited_child(const std::string& what, const ChildLimits& limits,
                                                    const std::function<std::vector<std::byte>()>& work) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(errno_text(what + ": pipe", errno));
  UniqueFd from_child(ends[0]);
  UniqueFd to_parent(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return fail(errno_text(what + ": fork", errno));
  if (pid == 0) run_child(to_parent.get(), limits, work);
  to_parent.reset();

  std::vector<std::byte> answer;
  const bool in_time = read_answer(from_child.get(), limits, answer);
  const bool too_long = answer.size() > limits.answer_bytes;
  if (!in_time || too_long) ::kill(pid, SIGKILL);
  const int status = wait_for(pid);
  if (!in_time) return fail(what + ": not done after " + std::to_string(limits.time.count()) + " ms");
  if (too_long) return fail(what + ": the answer is too long");
  if (WIFSIGNALED(status)) return fail(what + ": ended by signal " + std::to_string(WTERMSIG(status)));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) return fail(what + ": failed");
  return answer;
}

}  // namespace madvtrace
