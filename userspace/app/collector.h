// SPDX-License-Identifier: Apache-2.0
// What a live trace collects and where it goes:
//
//   ring ----+
//            +--> tee --> recording
//   collector's own records   --> decoder --> model --> outputs
//                                         --> targets, stacks to symbolise
//
// Everything the model gets to know passes through the tee as a record.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "app/outputs.h"
#include "containers/find_group.h"
#include "kernel/bpf_session.h"
#include "model/trace.h"
#include "stream/decoder.h"
#include "stream/recording_writer.h"
#include "stream/tee.h"
#include "targets/admission.h"
#include "targets/group_watch.h"
#include "targets/reclaim_watch.h"
#include "targets/sampler.h"
#include "targets/stack_symbols.h"
#include "targets/targets.h"

namespace madvtrace {

class Collector {
 public:
  Collector(BpfSession& session, const ProcRoot& proc, Outputs& outputs, std::optional<RecordingWriter> recording,
            double walk_budget);

  void emit(const Event& event);

  // From here on the kernel side says who is followed, and of them only those that are
  // admitted (admission.h); the group as a whole is sampled (group_watch.h). `name`: as
  // the user wrote it.
  Status watch_group(const FoundGroup& group, const std::string& name, bool go_only);

  // Takes what the ring holds (all of it, if `all`) and looks at processes that are
  // new in it. True: there is more to take at once.
  Result<bool> drain(bool all);
  // If the kernel has reclaimed since the last time: what of the watched pages is left.
  Status look_if_reclaimed();
  // The end of an interval: clock, watched pages, samples, losses, the live table.
  Status tick();
  // Before recording stops: what is still in RSS, once more, whatever it costs.
  Status last_look();
  // After the hooks are detached and the ring is drained.
  void finish(const RunEnd& end);

  // The watched group was removed; nothing that could be traced can be in it any more.
  bool group_gone() const { return group_ && group_->gone(); }

  Targets& targets() { return targets_; }
  const RunTotals& totals() const { return trace_.totals(); }
  // Whether all that was to be written could be.
  Status written() const;

 private:
  void look_at_changed();
  void notice_reclaim();
  void pass_budgets();
  Status tell_rss();
  Status look_at_watched(bool always);
  Status look_at_left(bool always);
  Status look_at(std::uint32_t pid, std::span<const std::uint64_t> chunks);
  void sample(Target& target, bool always);
  void sample_all(bool always);
  void sample_group();
  void emit_clock();
  void emit_losses();
  std::uint64_t lost() const;

  BpfSession& session_;
  const ProcRoot& proc_;
  Outputs& outputs_;
  std::optional<RecordingWriter> recording_;
  Trace trace_;
  Targets targets_;
  StackSymbols stacks_;
  WalkBudget look_budget_;    // half of the budget for the watched pages,
  WalkBudget sample_budget_;  // half for the samples
  GroupBooks groups_;
  Sampler sampler_;
  std::optional<GroupWatch> group_;
  bool group_sampled_ = false;
  Decoder decoder_;
  Tee tee_;
  std::optional<Admission> admission_;  // of the processes of a group
  std::map<std::string, std::uint64_t> losses_told_;
  ReclaimWatch reclaim_watch_;
  bool reclaimed_since_look_ = false;
  std::uint64_t budget_passed_ns_ = 0;
  std::pair<std::uint32_t, std::uint64_t> next_left_;  // process and chunk: where look_at_left() goes on
};

}  // namespace madvtrace
