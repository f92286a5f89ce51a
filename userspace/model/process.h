// SPDX-License-Identifier: Apache-2.0
// Process is what the model knows of one that is traced, as long as it runs one program: its
// pages, and whatever else ends with its address space. When it ends, all of this ends at
// once. Its totals outlive it; the calls that its threads have open (call_assembler.h) end
// just before.
//
// A process that becomes another program (exec) is another Process with the same totals.
// It is pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "model/event.h"
#include "model/ledger.h"
#include "model/rows.h"
#include "model/rss_ledger.h"
#include "model/totals.h"

namespace madvtrace {

struct Process {
  // `totals_index`: which of RunTotals::processes it is. `context` outlives it.
  Process(std::uint32_t pid, std::size_t totals_index, ReleaseContext& context)
      : index(totals_index), ledger(pid, context), rss(pid) {}

  // Adds what is known only at its end, after Ledger::end_returns().
  void add_to(ProcessTotals& totals) const;

  std::size_t index;
  Ledger ledger;                      // the fate of pages that it released
  RssLedger rss;                      // only if changes of RSS are recorded
  std::optional<Stamp> gc_started;    // of the collection under way
  std::optional<SampleRow> in_group;  // its part in the group's next sum
};

}  // namespace madvtrace
