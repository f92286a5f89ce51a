// SPDX-License-Identifier: Apache-2.0
// One thread, one epoll: descriptors with something to do when they are readable,
// timers, and the signals that end a trace.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace madvtrace {

class EventLoop {
 public:
  using Handler = std::function<void()>;

  static Result<std::unique_ptr<EventLoop>> create();
  // The signals that were taken over are the process's again.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // The descriptor stays the caller's; it must be drained by the handler.
  Status on_readable(int fd, Handler handler);
  Status every(std::uint64_t interval_ns, Handler handler);
  Status after(std::uint64_t delay_ns, Handler handler);
  // SIGINT, SIGTERM and SIGHUP, and SIGCHLD.
  Status on_signals(std::function<void(int signal)> handler);

  // Until stop(); a handler that has begun always finishes.
  Status run();
  void stop() { stopped_ = true; }

 private:
  EventLoop() = default;
  Status add_timer(std::uint64_t first_ns, std::uint64_t interval_ns, Handler handler);

  UniqueFd epoll_;
  UniqueFd signals_;
  std::vector<UniqueFd> timers_;
  std::map<int, Handler> handlers_;
  bool stopped_ = false;
};

}  // namespace madvtrace
