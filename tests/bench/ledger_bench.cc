// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include "model/trace.h"
#include "tests/bench/heap_stream.h"
#include "tests/support/no_rows.h"

namespace madvtrace::bench {
namespace {

// Making the events is part of it; MakingTheStream says how large a part.
void ModelOfABusyHeap(benchmark::State& state) {
  test::NoRows rows;
  Trace trace(rows);
  HeapStream stream(1);
  std::uint64_t events = 0;
  for (auto _ : state) events += stream.next([&](const Event& event) { trace.apply(event); });
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
}
BENCHMARK(ModelOfABusyHeap);

void ModelWithoutFrames(benchmark::State& state) {
  test::NoRows rows;
  Trace trace(rows);
  HeapStream stream(1, /*frames=*/false);
  std::uint64_t events = 0;
  for (auto _ : state) events += stream.next([&](const Event& event) { trace.apply(event); });
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
}
BENCHMARK(ModelWithoutFrames);

void MakingTheStream(benchmark::State& state) {
  HeapStream stream(1);
  std::uint64_t events = 0;
  for (auto _ : state) events += stream.next([&](const Event& event) { benchmark::DoNotOptimize(&event); });
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
}
BENCHMARK(MakingTheStream);

}  // namespace
}  // namespace madvtrace::bench
