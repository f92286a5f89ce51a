// SPDX-License-Identifier: Apache-2.0
#include "app/outputs.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/losses.h"
#include "sinks/summary_json.h"
#include "sinks/summary_text.h"

namespace madvtrace {

Result<std::unique_ptr<Outputs>> Outputs::create(const Options& options) {
  std::unique_ptr<Outputs> outputs(new Outputs);
  if (options.output_directory) {
    const std::string& directory = *options.output_directory;
    MADV_TRY(make_output_directory(directory));
    MADV_TAKE(CsvSink set, CsvSink::in_directory(directory));
    outputs->csv_.push_back(std::move(set));
    MADV_TAKE(outputs->summary_, OutputFile::create(directory + "/summary.json", OutputUnit::kAppend));
  }
  if (options.csv) {
    UniqueFd standard_output(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!standard_output) return fail(errno_text("cannot write to standard output", errno));
    outputs->csv_.push_back(
        CsvSink::one_table(*options.csv, OutputFile::over(std::move(standard_output), "standard output")));
  }
  if (!options.quiet) {
    outputs->print_summary_ = true;
    if (options.mode == Mode::kTrace) outputs->table_.emplace();
  }
  outputs->text_fd_ = options.output_directory || options.csv ? STDERR_FILENO : STDOUT_FILENO;
  return outputs;
}

void Outputs::on_call(const CallRow& row) {
  for (CsvSink& sink : csv_) sink.on_call(row);
  if (table_) table_->on_call(row);
}

void Outputs::on_release(const ReleaseRow& row) {
  for (CsvSink& sink : csv_) sink.on_release(row);
}

void Outputs::on_sample(const SampleRow& row) {
  for (CsvSink& sink : csv_) sink.on_sample(row);
  if (table_) table_->on_sample(row);
}

void Outputs::on_stack(const StackRow& row) {
  for (CsvSink& sink : csv_) sink.on_stack(row);
}

void Outputs::on_rss(const RssRow& row) {
  for (CsvSink& sink : csv_) sink.on_rss(row);
}

void Outputs::print(const std::string& text) {
  std::string_view left = text;
  while (!left.empty() && text_error_ == 0) {
    const ssize_t written = ::write(text_fd_, left.data(), left.size());
    if (written >= 0) {
      left.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      text_error_ = errno;
    }
  }
  // Messages that cannot be written are not missed; data are.
  if (text_fd_ != STDOUT_FILENO) text_error_ = 0;
  reader_gone_ = reader_gone_ || text_error_ == EPIPE;
}

void Outputs::end_interval(std::uint64_t lost) {
  if (table_) print(table_->take_interval(lost));
  for (CsvSink& sink : csv_) {
    sink.flush();
    const OutputFile* failed = sink.failed();
    if (failed != nullptr && failed->error() == EPIPE) reader_gone_ = true;
  }
}

void Outputs::finish(const RunTotals& totals) {
  for (CsvSink& sink : csv_) sink.flush();
  if (summary_) {
    RunTotals told = totals;
    // What was traced is complete only if it could also be written.
    if (!status()) told.lost[loss_name(LossCause::kOutputFailed)] += 1;
    summary_->append(summary_json(told));
  }
  if (print_summary_ && !reader_gone_) print((table_ ? "\n" : "") + summary_text(totals));
}

Status Outputs::status() const {
  const auto failure = [](const OutputFile& file) {
    return fail(errno_text("cannot write " + file.name(), file.error()) + "; what was written until then is whole");
  };
  for (const CsvSink& sink : csv_) {
    MADV_TRY(sink.created());
    const OutputFile* failed = sink.failed();
    if (failed != nullptr && failed->error() != EPIPE) return failure(*failed);
  }
  if (summary_ && summary_->failed()) return failure(*summary_);
  if (text_error_ != 0 && text_error_ != EPIPE) return fail(errno_text("cannot write to standard output", text_error_));
  return {};
}

}  // namespace madvtrace
