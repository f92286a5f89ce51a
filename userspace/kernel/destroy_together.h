// SPDX-License-Identifier: Apache-2.0
// Destroys things of which each waits for a grace period of the kernel (50 to 100 ms), as
// everything does that detaches a BPF program: in threads that do nothing else they wait
// together. It returns when all of them are destroyed and the threads have ended: whoever
// forks afterwards forks a process of one thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

namespace madvtrace {

template <class T>
void destroy_together(std::vector<T> things) {
  constexpr std::size_t kMostThreads = 64;
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t at = next++; at < things.size(); at = next++) const T destroyed = std::move(things[at]);
  };
  std::vector<std::jthread> threads;
  try {
    while (threads.size() < std::min(things.size(), kMostThreads)) threads.emplace_back(work);
  } catch (const std::system_error&) {
    work();  // no (more) threads to be had: it takes longer
  }
}

}  // namespace madvtrace
