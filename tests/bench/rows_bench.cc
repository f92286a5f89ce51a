// SPDX-License-Identifier: Apache-2.0
// Rows of CSV a second; and a recording to CSV files, end to end.
#include <benchmark/benchmark.h>

#include "app/replay.h"
#include "sinks/tables.h"
#include "stream/recording_writer.h"
#include "tests/bench/wire_stream.h"
#include "tests/support/row_log.h"
#include "tests/support/stream_builder.h"
#include "tests/support/temp_directory.h"
#include "tests/support/trace_run.h"

namespace madvtrace::bench {
namespace {

constexpr std::uint64_t kCalls = 200'000;

test::RowLog rows_of(const std::vector<std::string>& stream) {
  test::RowLog log;
  Trace trace(log);
  Decoder decoder({&trace});
  for (const std::string& record : stream) decoder.on_record(test::view(record));
  trace.finish();
  return log;
}

template <class Row>
void write_rows(benchmark::State& state, const std::vector<Row>& rows) {
  std::string text;
  for (auto _ : state) {
    text.clear();
    for (const Row& row : rows) append_line(text, row);
    benchmark::DoNotOptimize(text.data());
  }
  state.SetItemsProcessed(state.iterations() * std::ssize(rows));
}

void RowsOfEventsCsv(benchmark::State& state) { write_rows(state, rows_of(churn(kCalls)).calls); }
BENCHMARK(RowsOfEventsCsv)->Unit(benchmark::kMillisecond);

void RowsOfReleasesCsv(benchmark::State& state) { write_rows(state, rows_of(churn(kCalls)).releases); }
BENCHMARK(RowsOfReleasesCsv)->Unit(benchmark::kMillisecond);

// By how many calls it holds; items are rows of all tables.
void ReplayToCsv(benchmark::State& state) {
  const std::vector<std::string> stream = churn(static_cast<std::uint64_t>(state.range(0)));
  const test::TempDirectory directory;
  const std::string recording = directory.path() + "/recording";
  {
    Result<RecordingWriter> writer = RecordingWriter::create(recording);
    for (const std::string& record : stream) writer->on_record(test::view(record));
    writer->flush();
  }
  const test::RowLog log = rows_of(stream);
  Options options{.mode = Mode::kReplay, .recording = recording};
  options.quiet = true;
  std::uint64_t times = 0;
  for (auto _ : state) {
    options.output_directory = directory.path() + "/" + std::to_string(++times);
    if (!replay(options)) state.SkipWithError("the replay failed");
  }
  state.SetItemsProcessed(state.iterations() * (std::ssize(log.calls) + std::ssize(log.releases)));
}
BENCHMARK(ReplayToCsv)->Arg(10'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace madvtrace::bench
