// SPDX-License-Identifier: Apache-2.0
// The processes that are being traced right now, kept from the stream: those that
// were named, the children that the kernel side follows, the members of a cgroup.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "model/event_sink.h"
#include "targets/target.h"

namespace madvtrace {

class Targets : public EventSink {
 public:
  void on_event(const Event& event) override;

  void add(std::uint32_t pid) { add(Change{.pid = pid}); }
  void remove(std::uint32_t pid);  // one whose end the stream did not tell

  // Null if it is none.
  Target* find(std::uint32_t pid);
  // Ascending; a copy, since processes come and go with every drain.
  std::vector<std::uint32_t> pids() const;
  bool empty() const { return targets_.empty(); }
  bool had_any() const { return had_any_; }

  struct Change {
    std::uint32_t pid = 0;
    bool forked = false;           // new, and running its parent's program still
    std::uint32_t parent_pid = 0;  // if forked,
    std::uint64_t mono_ns = 0;     // and when
  };
  // Processes that are new, or run another program, since the last call.
  std::vector<Change> take_changed();
  // Processes that ended since the last call.
  std::vector<std::uint32_t> take_ended();

 private:
  void add(const Change& change);

  std::map<std::uint32_t, Target> targets_;  // by pid
  std::vector<Change> changed_;
  std::vector<std::uint32_t> ended_;
  bool had_any_ = false;
};

}  // namespace madvtrace
