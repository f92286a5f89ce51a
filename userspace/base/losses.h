// SPDX-License-Identifier: Apache-2.0
// This is the table of all that can be lost or dropped: under which name `lost` in summary.json counts it, and what
// is doubtful then. Whoever counts a loss takes its name from here; docs/csv-schema.md says what each means for a user.
//
// A recording can hold a name that this version does not know. Such a loss counts as doing all the harm that one can
// do.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace madvtrace {

enum class LossCause : std::uint8_t {
  // The kernel side counts these, in the order of enum wire_loss.
  kCallRingFull,
  kEndRingFull,
  kRangeRingFull,
  kStackRingFull,
  kProcessRingFull,
  kInflightNoMemory,
  kTargetTableFull,
  kStackUnreadable,
  kPageWalkFailed,
  kPagesRingFull,
  kGcRingFull,
  kRefaultRingFull,
  kReleasedTableFull,
  kReclaimedRingFull,
  kRssRingFull,
  kRssTableFull,
  // The collector counts these,
  kProgramNotRun,
  kFaultsNotWatched,
  kOutputFailed,
  // whoever reads the stream these,
  kRecordingDamaged,
  kBadRecordTruncated,
  kBadRecordSize,
  kBadRecordUnknownKind,
  kBadRecordField,
  // and the model these.
  kOrphanRecords,
  kLedgerNotConserved,
  kMomentsUnmatched,
  kRefaultsUnmatched,
  kStackTableFull,
};

enum class Harm : std::uint8_t {
  kStacks,      // stacks are missing, and every number is right
  kNumbers,     // numbers can be too small, and where it is known which, their rows say so
  kRssChanges,  // so can those of rss_changes.csv, and no record after it tells
};

struct LossKind {
  LossCause cause;
  std::string_view name;
  Harm harm = Harm::kNumbers;
  bool ring_full = false;  // a larger ring buffer keeps more
};

inline constexpr std::size_t kLossCauses = static_cast<std::size_t>(LossCause::kStackTableFull) + 1;

inline constexpr std::array<LossKind, kLossCauses> kLosses{{
    {LossCause::kCallRingFull, "call_ring_full", Harm::kNumbers, true},
    {LossCause::kEndRingFull, "end_ring_full", Harm::kNumbers, true},
    {LossCause::kRangeRingFull, "range_ring_full", Harm::kNumbers, true},
    {LossCause::kStackRingFull, "stack_ring_full", Harm::kStacks, true},
    {LossCause::kProcessRingFull, "process_ring_full", Harm::kNumbers, true},
    {LossCause::kInflightNoMemory, "inflight_no_memory"},
    {LossCause::kTargetTableFull, "target_table_full"},
    {LossCause::kStackUnreadable, "stack_unreadable", Harm::kStacks},
    {LossCause::kPageWalkFailed, "page_walk_failed"},
    {LossCause::kPagesRingFull, "pages_ring_full", Harm::kNumbers, true},
    {LossCause::kGcRingFull, "gc_ring_full", Harm::kNumbers, true},
    {LossCause::kRefaultRingFull, "refault_ring_full", Harm::kNumbers, true},
    {LossCause::kReleasedTableFull, "released_table_full"},
    {LossCause::kReclaimedRingFull, "reclaimed_ring_full", Harm::kNumbers, true},
    {LossCause::kRssRingFull, "rss_ring_full", Harm::kRssChanges, true},
    {LossCause::kRssTableFull, "rss_table_full", Harm::kRssChanges},
    {LossCause::kProgramNotRun, "program_not_run"},
    {LossCause::kFaultsNotWatched, "faults_not_watched"},
    {LossCause::kOutputFailed, "output_failed"},
    {LossCause::kRecordingDamaged, "recording_damaged"},
    {LossCause::kBadRecordTruncated, "bad_record_truncated", Harm::kRssChanges},
    {LossCause::kBadRecordSize, "bad_record_size", Harm::kRssChanges},
    {LossCause::kBadRecordUnknownKind, "bad_record_unknown_kind", Harm::kRssChanges},
    {LossCause::kBadRecordField, "bad_record_field", Harm::kRssChanges},
    {LossCause::kOrphanRecords, "orphan_records"},
    {LossCause::kLedgerNotConserved, "ledger_not_conserved"},
    {LossCause::kMomentsUnmatched, "moments_unmatched"},
    {LossCause::kRefaultsUnmatched, "refaults_unmatched"},
    {LossCause::kStackTableFull, "stack_table_full", Harm::kStacks},
}};

static_assert(
    [] {
      for (std::size_t i = 0; i < kLosses.size(); ++i) {
        if (static_cast<std::size_t>(kLosses[i].cause) != i || kLosses[i].name.empty()) return false;
      }
      return true;
    }(),
    "each loss has its row, in the order of the causes");

inline std::string loss_name(LossCause cause) { return std::string(kLosses.at(static_cast<std::size_t>(cause)).name); }

// Gives null for a name that this version does not know.
constexpr const LossKind* find_loss(std::string_view name) {
  const auto* const found =
      std::find_if(kLosses.begin(), kLosses.end(), [&](const LossKind& loss) { return loss.name == name; });
  return found == kLosses.end() ? nullptr : found;
}

constexpr Harm harm_of(std::string_view name) {
  const LossKind* const known = find_loss(name);
  return known == nullptr ? Harm::kRssChanges : known->harm;
}

}  // namespace madvtrace
