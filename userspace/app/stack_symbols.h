// SPDX-License-Identifier: Apache-2.0
// Picks the new stacks out of the stream and, between two drains, turns them into
// text, each once. Works a little at a time, so that the ring is not kept waiting.
//
// A process that execs in the meantime has other symbols by the time its stacks are
// looked at. So frames are given out only after the next complete drain, which would
// have shown the exec; what it overtook stays as raw addresses.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "model/event.h"
#include "stream/raw_source.h"
#include "symbols/symbolizer.h"

namespace madvtrace {

class StackSymbols : public RecordSink {
 public:
  void on_record(RecordBytes record) override;

  // Symbolises until `budget_ns` is used up; the rest waits for the next call.
  void work(std::uint64_t budget_ns);
  // What work() made before the drain that has just been completed.
  std::vector<Frames> take_ready();
  bool waiting() const { return !queue_.empty() || !ready_.empty(); }

 private:
  struct Ready {
    std::uint32_t pid = 0;
    Frames frames;
  };

  std::deque<Stack> queue_;
  std::vector<Ready> ready_;
  Symbolizer symbolizer_;
};

}  // namespace madvtrace
