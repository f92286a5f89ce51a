// SPDX-License-Identifier: Apache-2.0
// Record bytes -> events -> the model. The same for a live trace and for a replay.
#pragma once

#include "model/trace.h"
#include "stream/record_sink.h"

namespace madvtrace {

class Pipeline : public RecordSink {
 public:
  explicit Pipeline(Trace& trace) : trace_(trace) {}
  void on_record(RecordBytes record) override;

 private:
  Trace& trace_;
};

}  // namespace madvtrace
