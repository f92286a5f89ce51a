// SPDX-License-Identifier: Apache-2.0
#include "app/event_loop.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigprocmask is POSIX
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <array>
#include <cerrno>

namespace madvtrace {
namespace {

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&set, number);
  return set;
}

timespec to_timespec(std::uint64_t ns) {
  constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
  return {.tv_sec = static_cast<time_t>(ns / kNsPerSecond), .tv_nsec = static_cast<long>(ns % kNsPerSecond)};
}

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
  std::unique_ptr<EventLoop> loop(new EventLoop);
  loop->epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!loop->epoll_) return fail(errno_text("epoll_create1", errno));
  return loop;
}

EventLoop::~EventLoop() {
  if (!signals_) return;
  const sigset_t set = handled_signals();
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

Status EventLoop::on_readable(int fd, Handler handler) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail(errno_text("epoll_ctl", errno));
  handlers_[fd] = std::move(handler);
  return {};
}

Status EventLoop::add_timer(std::uint64_t first_ns, std::uint64_t interval_ns, Handler handler) {
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer) return fail(errno_text("timerfd_create", errno));
  const itimerspec when{.it_interval = to_timespec(interval_ns), .it_value = to_timespec(first_ns)};
  if (::timerfd_settime(timer.get(), 0, &when, nullptr) != 0) return fail(errno_text("timerfd_settime", errno));
  const int fd = timer.get();
  timers_.push_back(std::move(timer));
  return on_readable(fd, [fd, handler = std::move(handler)] {
    // Intervals that passed while something else was done count as one.
    std::uint64_t expirations = 0;
    if (::read(fd, &expirations, sizeof(expirations)) == sizeof(expirations)) handler();
  });
}

Status EventLoop::every(std::uint64_t interval_ns, Handler handler) {
  return add_timer(interval_ns, interval_ns, std::move(handler));
}

Status EventLoop::after(std::uint64_t delay_ns, Handler handler) { return add_timer(delay_ns, 0, std::move(handler)); }

Status EventLoop::on_signals(std::function<void(int)> handler) {
  const sigset_t set = handled_signals();
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return fail(errno_text("sigprocmask", errno));
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return fail(errno_text("signalfd", errno));
  return on_readable(signals_.get(), [fd = signals_.get(), handler = std::move(handler)] {
    signalfd_siginfo info{};
    while (::read(fd, &info, sizeof(info)) == sizeof(info)) handler(static_cast<int>(info.ssi_signo));
  });
}

Status EventLoop::run() {
  constexpr int kAtOnce = 16;
  std::array<epoll_event, kAtOnce> events{};
  while (!stopped_) {
    const int ready = ::epoll_wait(epoll_.get(), events.data(), kAtOnce, -1);
    if (ready < 0 && errno != EINTR) return fail(errno_text("epoll_wait", errno));
    for (int i = 0; i < ready; ++i) {
      const auto found = handlers_.find(events.at(static_cast<std::size_t>(i)).data.fd);
      if (found == handlers_.end()) continue;
      found->second();
    }
  }
  return {};
}

}  // namespace madvtrace
