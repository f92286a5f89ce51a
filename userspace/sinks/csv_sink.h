// SPDX-License-Identifier: Apache-2.0
// Rows to CSV files: the set of an output directory, or one table on standard output.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/output_file.h"
#include "base/result.h"
#include "model/rows.h"

namespace madvtrace {

enum class CsvTable { kEvents, kReleases, kSamples };

class CsvSink : public RowSink {
 public:
  // events.csv, releases.csv, samples.csv and stacks.csv in a directory that exists.
  static Result<CsvSink> in_directory(const std::string& directory);
  // One table, over any descriptor.
  static CsvSink one_table(CsvTable table, OutputFile file);
  CsvSink(CsvSink&&) noexcept = default;
  CsvSink& operator=(CsvSink&&) noexcept = default;

  void on_call(const CallRow& row) override;
  void on_release(const ReleaseRow& row) override;
  void on_sample(const SampleRow& row) override;
  void on_stack(const StackRow& row) override;

  void flush();
  // The first file that could not be written; null while all is well.
  const OutputFile* failed() const;

 private:
  CsvSink() = default;
  template <class Row>
  void write(std::optional<OutputFile>& file, const Row& row);

  std::optional<OutputFile> events_;
  std::optional<OutputFile> releases_;
  std::optional<OutputFile> samples_;
  std::optional<OutputFile> stacks_;
  std::string line_;
};

}  // namespace madvtrace
