// SPDX-License-Identifier: Apache-2.0
// A stream made by hand, through the decoder and the model, to its end.
#pragma once

#include <string>

#include "model/trace.h"
#include "stream/decoder.h"
#include "tests/support/row_log.h"
#include "tests/support/stream_builder.h"

namespace madvtrace::test {

struct TraceRun {
  explicit TraceRun(const StreamBuilder& stream) {
    Decoder decoder({&trace});
    for (const std::string& record : stream.records()) decoder.on_record(view(record));
    trace.finish();
  }
  const RunTotals& totals() const { return trace.totals(); }

  RowLog log;
  Trace trace{log};
};

}  // namespace madvtrace::test
