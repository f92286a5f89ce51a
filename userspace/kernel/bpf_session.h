// SPDX-License-Identifier: Apache-2.0
// The kernel side of one trace.
//
//   opened -> loaded -> attached -> (targets added) -> stopped -> detached -> drained -> closed
//
// Hooks are attached before there is any target, so that a process is traced from
// the moment it is added. Nothing is pinned: when this process dies, however, the
// kernel removes it all.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/direct_map.h"
#include "kernel/hooks.h"
#include "kernel/reclaim_sums.h"
#include "kernel/ring_source.h"
#include "kernel/tiers/base.h"
#include "kernel/tiers/exact.h"
#include "kernel/tiers/group.h"
#include "kernel/tiers/refaults.h"

struct madvtrace_bpf;

namespace madvtrace {

struct SessionOptions {
  std::uint64_t ring_bytes = std::uint64_t{16} << 20;  // rounded up to a power of two of pages
  std::optional<DirectMap> direct_map;                 // without: no page walk, ranges are probed
  bool gc_marks = true;                                // whether gc_probes() will be asked for
  bool group = false;                                  // whether watch_group() will be called
  bool refaults = false;                               // whether fault_events() will be asked for
  bool exact = false;                                  // whether changes of RSS are recorded, by cause
};

class BpfSession {
 public:
  // kUnsupported where the kernel or the privileges do not allow it.
  static Result<std::unique_ptr<BpfSession>> load(const SessionOptions& options);
  ~BpfSession();
  BpfSession(const BpfSession&) = delete;
  BpfSession& operator=(const BpfSession&) = delete;

  // All hooks, or none: a missing one would be a hole in what is claimed.
  Status attach_all();
  // At once, for all hooks together: no call that begins after it is recorded, calls
  // that are under way still get their ends.
  void stop_recording();
  // Takes about a tenth of a second: the kernel waits for grace periods. What gc_probes() and
  // fault_events() have given out, process by process, ends with whoever holds it.
  void detach_all();

  // From here on its calls are recorded; `follow`: its children's too.
  Status add_target(std::uint32_t pid, bool follow);
  void remove_target(std::uint32_t pid);
  // Looks through all tasks: for the address spaces of targets that were running before
  // they were added (until then the walker says "gone" of them).
  Status find_targets();

  // From here on whatever is in this cgroup, or in one below it, is a target, and leaves a
  // WIRE_JOIN. `id` is the inode number of its directory; `controllers` are its v1
  // hierarchy's, none for the unified one. kUsage for a hierarchy without a controller.
  Status watch_group(std::uint64_t id, const std::vector<std::string>& controllers);
  // The programs that a target has run; nothing if it is none.
  std::optional<std::uint32_t> programs_run(std::uint32_t pid) const;
  // No call of this target is recorded until it runs another program. False if it does
  // already, by what programs_run() said before its program was looked at.
  bool leave_out(std::uint32_t pid, std::uint32_t programs_run);

  RingSource& ring() { return *ring_; }
  // Null without the page walk.
  PageWalker* walker() { return base_->walker(); }
  // Null where this kernel has no uprobes for BPF programs, or if they were not asked for.
  GcProbes* gc_probes() { return base_->gc_probes(); }
  // Null if not asked for.
  FaultEvents* fault_events() { return refaults_ != nullptr ? &refaults_->events() : nullptr; }
  // Forgets what processes had given back that are no targets any more, if that takes up
  // much of the room there is for it.
  void make_room_for_released();

  bool records_rss() const { return exact_ != nullptr; }
  // Writes into the ring what has changed this target's RSS. Only if that is recorded.
  void tell_rss(std::uint32_t pid);
  // Fine if the moment at which a page is reclaimed is recorded; else why not.
  Status reclaim_moments() const;

  // What the kernel side has lost so far, by cause; causes that never happened are
  // left out.
  std::map<std::string, std::uint64_t> losses() const;

  // What was reclaimed on the whole machine; and of that, by one target.
  ReclaimSums reclaims() const;
  ReclaimSum reclaims_by(std::uint32_t pid) const;

  // Of all its tiers, in the order in which they are attached; those that may be missing come last.
  std::vector<Hook> hooks() const;

 private:
  struct SkeletonDeleter {
    void operator()(madvtrace_bpf* skeleton) const;
  };

  BpfSession() = default;

  void add_tiers(const SessionOptions& options);

  // Order matters on destruction: links before programs.
  std::unique_ptr<madvtrace_bpf, SkeletonDeleter> skeleton_;
  std::vector<std::unique_ptr<Tier>> tiers_;  // those that were asked for, and the base
  // Each of them again, for what it alone can do; null if it was not asked for.
  BaseTier* base_ = nullptr;
  GroupTier* group_ = nullptr;
  RefaultsTier* refaults_ = nullptr;
  ExactTier* exact_ = nullptr;
  std::unique_ptr<RingSource> ring_;
  std::vector<Link> links_;
  std::map<std::string, std::uint64_t> misses_;  // of the programs, taken when they are detached
};

}  // namespace madvtrace
