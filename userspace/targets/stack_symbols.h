// SPDX-License-Identifier: Apache-2.0
// Picks the new stacks out of the stream and, between two drains, turns each into text
// and a cause, once. It works a little at a time, so that the ring is not kept waiting.
// Go's functions are named by Go's own table, all others by their symbols.
//
// Every stack is answered, since the model holds rows back until it is: with empty frames
// if the process is gone and was not looked at before.
//
// A process that execs in the meantime has other symbols by the time its stacks are
// looked at. So frames are given out only after the next complete drain, which would
// have shown the exec; what it overtook is answered with nothing. Of a process that has
// ended only what is known already is used: its pid may be another's by now.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "model/event_sink.h"
#include "targets/targets.h"

namespace madvtrace {

class StackSymbols : public EventSink {
 public:
  // They must outlive this, and be told of each event before.
  explicit StackSymbols(const Targets& targets) : targets_(targets) {}

  void on_event(const Event& event) override;

  // Symbolises until `budget_ns` is used up; the rest waits for the next call.
  void work(std::uint64_t budget_ns);
  // What work() made before the drain that has just been completed.
  std::vector<Frames> take_ready();

 private:
  struct Waiting {
    std::shared_ptr<Program> program;
    Stack stack;
  };
  struct Ready {
    std::shared_ptr<Program> program;
    Frames frames;
  };

  const Targets& targets_;
  std::deque<Waiting> waiting_;
  std::vector<Ready> ready_;
};

}  // namespace madvtrace
