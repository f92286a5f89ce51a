// SPDX-License-Identifier: Apache-2.0
// Takes rows and does nothing with them.
#pragma once

#include "model/rows.h"

namespace madvtrace::test {

class NoRows : public RowSink {
 public:
  void on_call(const CallRow&) override {}
  void on_release(const ReleaseRow&) override {}
  void on_sample(const SampleRow&) override {}
  void on_stack(const StackRow&) override {}
  void on_rss(const RssRow&) override {}
};

}  // namespace madvtrace::test
