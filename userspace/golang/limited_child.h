// SPDX-License-Identifier: Apache-2.0
// Work on hostile input with a library that was not written for it: in a child process
// that is limited in time and memory and answers with bytes. Whatever it does to itself
// (a crash, an endless loop, all memory taken) is an error here and nothing more.
//
// The process that calls must have one thread (the child goes on after fork() as if
// nothing had happened). The child is waited for: no SIGCHLD handler may reap it. It keeps
// what the parent has open until it ends.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace madvtrace {

struct ChildLimits {
  std::chrono::milliseconds time{2000};
  std::size_t memory_bytes = std::size_t{512} << 20;  // on top of what the parent has
  std::size_t answer_bytes = std::size_t{64} << 10;
};

// What `work` returned, at most limits.answer_bytes. `what` is for error texts.
Result<std::vector<std::byte>> run_in_limited_child(const std::string& what, const ChildLimits& limits,
                                                    const std::function<std::vector<std::byte>()>& work);

}  // namespace madvtrace
