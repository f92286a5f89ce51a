// SPDX-License-Identifier: Apache-2.0
#include "model/process.h"

namespace madvtrace {

void Process::add_to(ProcessTotals& totals) const {
  for (const auto& [kind, part] : ledger.delays()) totals.delays[kind].add(part);
  totals.overhang_byte_seconds += ledger.overhang_byte_seconds();
  totals.returns.add(ledger.returns());
  totals.rss.add(rss.totals());
}

}  // namespace madvtrace
