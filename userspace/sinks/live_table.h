// SPDX-License-Identifier: Apache-2.0
// The live table: a line per interval and process, for people, 80 columns wide.
// With many processes those that count most are shown and the rest are one line; of a
// watched group there are two more, with the sums and what it is charged.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/rows.h"

namespace madvtrace {

class LiveTable : public RowSink {
 public:
  static constexpr std::size_t kProcessesShown = 10;

  void on_call(const CallRow& row) override;
  void on_release(const ReleaseRow&) override {}
  void on_sample(const SampleRow& row) override;
  void on_stack(const StackRow&) override {}
  void on_rss(const RssRow&) override {}

  // The lines of the interval that has just been sampled; `lost` is everything lost
  // so far.
  std::string take_interval(std::uint64_t lost);

 private:
  struct Line {
    std::uint64_t calls = 0;
    std::uint64_t left_rss_bytes = 0;      // by the calls of the interval
    std::uint64_t lazily_freed_bytes = 0;  // resident bytes given to MADV_FREE in the interval
    std::optional<SampleRow> sample;
    bool ended = false;
  };
  using Lines = std::vector<std::pair<std::uint32_t, Line>>;

  Line& line_of(std::uint32_t pid);
  static void sort(Lines& lines);
  std::string change_of(std::uint32_t pid, const std::optional<std::uint64_t>& rss_bytes);
  std::string name_of(std::uint32_t pid, const Line& line, bool many) const;
  std::string time_of(const SampleRow& row) const;  // since the first sample
  std::string header_if_due();
  static std::string rest_line(const Lines& lines);
  std::string group_lines(std::size_t processes, const SampleRow& group);

  std::map<std::uint32_t, Line> interval_;      // pid -> what has come since the last one
  std::map<std::uint32_t, std::uint64_t> rss_;  // pid -> RSS at the end of the last one
  std::map<std::uint32_t, Comm> comms_;
  // Of the interval: the group, and all calls, those of processes without a line as well.
  std::optional<SampleRow> group_;
  std::uint64_t calls_ = 0;
  std::uint64_t left_rss_bytes_ = 0;
  std::uint64_t first_mono_ns_ = 0;
  unsigned lines_since_header_ = 0;
};

}  // namespace madvtrace
