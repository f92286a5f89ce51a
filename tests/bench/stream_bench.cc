// SPDX-License-Identifier: Apache-2.0
// What stands between the ring and the rows: events (records) a second.
#include <benchmark/benchmark.h>

#include "model/trace.h"
#include "stream/decoder.h"
#include "tests/bench/wire_stream.h"
#include "tests/support/no_rows.h"
#include "tests/support/stream_builder.h"

namespace madvtrace::bench {
namespace {

constexpr std::uint64_t kCalls = 200'000;

std::int64_t items(const benchmark::State& state, const std::vector<std::string>& stream) {
  return state.iterations() * std::ssize(stream);
}

void Decoding(benchmark::State& state) {
  const std::vector<std::string> stream = churn(kCalls);
  for (auto _ : state) {
    for (const std::string& record : stream) {
      const Decoded decoded = decode_record(test::view(record));
      benchmark::DoNotOptimize(&decoded);
    }
  }
  state.SetItemsProcessed(items(state, stream));
}
BENCHMARK(Decoding)->Unit(benchmark::kMillisecond);

// By how many threads make the calls.
void DecodingAndModel(benchmark::State& state) {
  const std::vector<std::string> stream = churn(kCalls, static_cast<std::uint32_t>(state.range(0)));
  test::NoRows rows;
  for (auto _ : state) {
    Trace trace(rows);
    Decoder decoder({&trace});
    for (const std::string& record : stream) decoder.on_record(test::view(record));
    trace.finish();
  }
  state.SetItemsProcessed(items(state, stream));
}
BENCHMARK(DecodingAndModel)->Arg(1)->Arg(4)->Arg(256)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace madvtrace::bench
