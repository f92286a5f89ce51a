// SPDX-License-Identifier: Apache-2.0
// Picks the new stacks out of the stream and, between two drains, turns each into text
// and a cause, once. Works a little at a time, so that the ring is not kept waiting.
// Go's functions are named by Go's own table, all others by their symbols.
//
// Every stack is answered: the model holds rows back until it is. With empty frames if
// the process is gone and was not looked at before.
//
// A process that execs in the meantime has other symbols by the time its stacks are
// looked at. So frames are given out only after the next complete drain, which would
// have shown the exec; what it overtook is answered with nothing. Of a process that has
// ended only what is known already is used: its pid may be another's by now.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "model/event.h"
#include "model/event_sink.h"
#include "symbols/symbolizer.h"
#include "targets/go_symbols.h"

namespace madvtrace {

class StackSymbols : public EventSink {
 public:
  // Both must outlive this.
  StackSymbols(const ProcRoot& proc, GoModules& modules) : go_(proc, modules) {}

  void on_event(const Event& event) override;

  // Symbolises until `budget_ns` is used up; the rest waits for the next call.
  void work(std::uint64_t budget_ns);
  // What work() made before the drain that has just been completed.
  std::vector<Frames> take_ready();

 private:
  struct Ready {
    std::uint32_t pid = 0;
    Frames frames;
  };

  void forget(std::uint32_t pid);
  void on_exec(std::uint32_t pid);
  void on_program_end(std::uint32_t pid);
  Frames symbolise(const Stack& stack);

  std::deque<Stack> queue_;                                  // without addresses: there the process's program ended
  std::unordered_map<std::uint32_t, std::uint32_t> ending_;  // pid -> how many of these are in the queue
  std::vector<Ready> ready_;
  GoSymbols go_;
  Symbolizer symbolizer_;
};

}  // namespace madvtrace
