// SPDX-License-Identifier: Apache-2.0
#include "sinks/csv_sink.h"

#include "sinks/tables.h"

namespace madvtrace {

Status CsvSink::create(std::optional<OutputFile>& file, const char* name, std::string_view header) {
  MADV_TAKE(file, OutputFile::create(directory_ + "/" + name, OutputUnit::kLine));
  file->append(header);
  // At once: a table that ends before its first row is a table.
  file->flush();
  return {};
}

Result<CsvSink> CsvSink::in_directory(const std::string& directory) {
  CsvSink sink;
  sink.directory_ = directory;
  MADV_TRY(sink.create(sink.events_, "events.csv", header_line<CallRow>()));
  MADV_TRY(sink.create(sink.releases_, "releases.csv", header_line<ReleaseRow>()));
  MADV_TRY(sink.create(sink.samples_, "samples.csv", header_line<SampleRow>()));
  MADV_TRY(sink.create(sink.stacks_, "stacks.csv", header_line<StackRow>()));
  return sink;
}

CsvSink CsvSink::one_table(TableKind table, OutputFile file) {
  CsvSink sink;
  switch (table) {
    case TableKind::kEvents:
      file.append(header_line<CallRow>());
      sink.events_.emplace(std::move(file));
      break;
    case TableKind::kReleases:
      file.append(header_line<ReleaseRow>());
      sink.releases_.emplace(std::move(file));
      break;
    case TableKind::kSamples:
      file.append(header_line<SampleRow>());
      sink.samples_.emplace(std::move(file));
      break;
    case TableKind::kRssChanges:
      file.append(header_line<RssRow>());
      sink.rss_changes_.emplace(std::move(file));
      break;
  }
  return sink;
}

template <class Row>
void CsvSink::write(std::optional<OutputFile>& file, const Row& row) {
  if (!file) return;
  line_.clear();
  append_line(line_, row);
  file->append(line_);
}

void CsvSink::on_call(const CallRow& row) { write(events_, row); }
void CsvSink::on_release(const ReleaseRow& row) { write(releases_, row); }
void CsvSink::on_sample(const SampleRow& row) { write(samples_, row); }
void CsvSink::on_stack(const StackRow& row) { write(stacks_, row); }

// Only a trace with --exact has such rows, and only it has the file.
void CsvSink::on_rss(const RssRow& row) {
  if (!rss_changes_ && !directory_.empty() && created_) {
    created_ = create(rss_changes_, "rss_changes.csv", header_line<RssRow>()).map_error([](const Error& error) {
      return Error{ExitCode::kFailed, error.message};
    });
  }
  write(rss_changes_, row);
}

void CsvSink::flush() {
  for (std::optional<OutputFile>* file : {&events_, &releases_, &samples_, &stacks_, &rss_changes_}) {
    if (*file) (*file)->flush();
  }
}

const OutputFile* CsvSink::failed() const {
  for (const std::optional<OutputFile>* file : {&events_, &releases_, &samples_, &stacks_, &rss_changes_}) {
    if (*file && (*file)->failed()) return &**file;
  }
  return nullptr;
}

}  // namespace madvtrace
