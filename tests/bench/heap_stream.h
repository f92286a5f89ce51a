// SPDX-License-Identifier: Apache-2.0
// A synthetic stream: a busy 64 GiB heap that is given back by MADV_FREE, 64 KiB at a
// time and descending as the Go scavenger does it, over and over, while looks find a
// part of it reclaimed and a part rewritten. The same events for the same seed.
#pragma once

#include <cstdint>
#include <functional>
#include <random>

#include "model/event.h"

namespace madvtrace::bench {

class HeapStream {
 public:
  static constexpr std::uint64_t kHeapBytes = std::uint64_t{64} << 30;

  // Without frames every row waits for its cause as long as it may.
  explicit HeapStream(std::uint32_t seed, bool frames = true) : random_(seed), frames_(frames) {}

  // The next few events; how many.
  std::uint64_t next(const std::function<void(const Event&)>& sink);

 private:
  std::uint64_t stack(const std::function<void(const Event&)>& sink);
  std::uint64_t release(const std::function<void(const Event&)>& sink);
  std::uint64_t look(const std::function<void(const Event&)>& sink);

  std::mt19937 random_;
  bool frames_;
  std::uint64_t now_ns_ = 1'000'000'000;
  std::uint64_t at_ = kHeapBytes;  // descending
  std::uint64_t releases_ = 0;
};

}  // namespace madvtrace::bench
