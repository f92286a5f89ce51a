// SPDX-License-Identifier: Apache-2.0
// ledger_load EVENTS: that many events of a busy 64 GiB heap through the model, for
// perf stat and /usr/bin/time -v.
#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdlib>

#include "model/trace.h"
#include "tests/bench/heap_stream.h"

namespace {

class CountRows : public madvtrace::RowSink {
 public:
  void on_call(const madvtrace::CallRow&) override { ++calls; }
  void on_release(const madvtrace::ReleaseRow& row) override {
    ++releases;
    bytes += row.bytes;
  }
  void on_sample(const madvtrace::SampleRow&) override {}
  void on_stack(const madvtrace::StackRow&) override {}
  void on_rss(const madvtrace::RssRow&) override {}

  std::uint64_t calls = 0;
  std::uint64_t releases = 0;
  std::uint64_t bytes = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t wanted = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20'000'000;
  CountRows rows;
  madvtrace::Trace trace(rows);
  madvtrace::bench::HeapStream stream(1);
  std::uint64_t events = 0;
  while (events < wanted) events += stream.next([&](const madvtrace::Event& event) { trace.apply(event); });
  const std::uint64_t pending = trace.pending_bytes(100);
  trace.finish();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{} events, {} calls, {} rows of releases, {} GiB pending at the end, peak memory {} MiB\n", events,
             rows.calls, rows.releases, pending >> 30, usage.ru_maxrss / 1024);
  constexpr long kMostKiB = 512L * 1024;
  return trace.totals().lost.empty() && usage.ru_maxrss <= kMostKiB ? 0 : 1;
}
