// SPDX-License-Identifier: Apache-2.0
// One stream to several sinks, in the order in which they were added.
#pragma once

#include <vector>

#include "stream/record_sink.h"

namespace madvtrace {

class Tee : public RecordSink {
 public:
  void add(RecordSink& sink) { sinks_.push_back(&sink); }
  void on_record(RecordBytes record) override {
    for (RecordSink* sink : sinks_) sink->on_record(record);
  }

 private:
  std::vector<RecordSink*> sinks_;
};

}  // namespace madvtrace
