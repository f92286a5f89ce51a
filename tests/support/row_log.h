// SPDX-License-Identifier: Apache-2.0
// Keeps every row that it is given.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/rows.h"

namespace madvtrace::test {

class RowLog : public RowSink {
 public:
  void on_call(const CallRow& row) override { calls.push_back(row); }
  void on_release(const ReleaseRow& row) override { releases.push_back(row); }
  void on_sample(const SampleRow& row) override { samples.push_back(row); }
  void on_rss(const RssRow& row) override { rss.push_back(row); }
  void on_stack(const StackRow& row) override { stacks.emplace_back(row.stack_id, std::string(row.frames)); }

  std::vector<CallRow> calls;
  std::vector<ReleaseRow> releases;
  std::vector<SampleRow> samples;
  std::vector<RssRow> rss;
  std::vector<std::pair<std::uint32_t, std::string>> stacks;
};

}  // namespace madvtrace::test
