// SPDX-License-Identifier: Apache-2.0
// Everything that a run writes, chosen by the options: the CSV set or one table, the
// live table, summary.json, the end summary. Data go to standard output; with -o or
// --csv the live table and the summary are messages and go to standard error.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "app/options.h"
#include "base/result.h"
#include "model/rows.h"
#include "model/totals.h"
#include "sinks/csv_sink.h"
#include "sinks/live_table.h"

namespace madvtrace {

class Outputs : public RowSink {
 public:
  // Creates the files.
  static Result<std::unique_ptr<Outputs>> create(const Options& options);

  void on_call(const CallRow& row) override;
  void on_release(const ReleaseRow& row) override;
  void on_sample(const SampleRow& row) override;
  void on_stack(const StackRow& row) override;
  void on_rss(const RssRow& row) override;

  // Once an interval: the live table's lines, and what is buffered to the files.
  void end_interval(std::uint64_t lost);
  // summary.json and the end summary.
  void finish(const RunTotals& totals);

  // The first file that could not be written, or created.
  Status status() const;
  // Standard output was closed by whoever read it: not an error, but an end.
  bool reader_gone() const { return reader_gone_; }

 private:
  Outputs() = default;
  void print(const std::string& text);

  std::vector<CsvSink> csv_;
  std::optional<LiveTable> table_;
  std::optional<OutputFile> summary_;
  bool print_summary_ = false;
  int text_fd_ = -1;
  int text_error_ = 0;  // errno of the first write that failed
  bool reader_gone_ = false;
};

}  // namespace madvtrace
