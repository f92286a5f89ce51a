// SPDX-License-Identifier: Apache-2.0
// Rows to CSV files: the set of an output directory, or one table on standard output.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/output_file.h"
#include "base/result.h"
#include "model/rows.h"

namespace madvtrace {

enum class TableKind { kEvents, kReleases, kSamples, kRssChanges };

class CsvSink : public RowSink {
 public:
  // events.csv, releases.csv, samples.csv and stacks.csv in a directory that exists;
  // rss_changes.csv once there is a row for it.
  static Result<CsvSink> in_directory(const std::string& directory);
  // One table, over any descriptor.
  static CsvSink one_table(TableKind table, OutputFile file);
  CsvSink(CsvSink&&) noexcept = default;
  CsvSink& operator=(CsvSink&&) noexcept = default;

  void on_call(const CallRow& row) override;
  void on_release(const ReleaseRow& row) override;
  void on_sample(const SampleRow& row) override;
  void on_stack(const StackRow& row) override;
  void on_rss(const RssRow& row) override;

  void flush();
  // The first file that could not be written; null while all is well.
  const OutputFile* failed() const;
  // Why rss_changes.csv could not be created; its rows are missing then.
  const Status& created() const { return created_; }

 private:
  CsvSink() = default;
  Status create(std::optional<OutputFile>& file, const char* name, std::string_view header);
  template <class Row>
  void write(std::optional<OutputFile>& file, const Row& row);

  std::optional<OutputFile> events_;
  std::optional<OutputFile> releases_;
  std::optional<OutputFile> samples_;
  std::optional<OutputFile> stacks_;
  std::optional<OutputFile> rss_changes_;
  std::string directory_;  // empty: one table
  Status created_;
  std::string line_;
};

}  // namespace madvtrace
