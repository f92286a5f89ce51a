// SPDX-License-Identifier: Apache-2.0
// Names of Go functions by address, anywhere in a real binary: a stack of 32 frames is 32
// of them, once for each stack. And what the first look into that binary takes.
#include <benchmark/benchmark.h>
#include <fcntl.h>

#include <random>

#include "targets/program/go_modules.h"

namespace madvtrace::bench {
namespace {

constexpr const char* kBinary = TARGETS_DIR "/demo";

UniqueFd open_binary() { return UniqueFd(::open(kBinary, O_RDONLY | O_CLOEXEC)); }

void NamesOfGoFunctions(benchmark::State& state) {
  GoModules modules;
  const auto module = modules.get(open_binary(), /*executable=*/true, kBinary);
  if (!module) return state.SkipWithError("no Go binary to look into");
  const ElfSegment* code = nullptr;
  for (const ElfSegment& segment : module->segments()) {
    if (segment.executable) code = &segment;
  }
  if (code == nullptr) return state.SkipWithError("the Go binary has no code");
  std::mt19937_64 random(1);
  std::uint64_t named = 0;
  for (auto _ : state) named += module->at(code->offset + random() % code->addresses.bytes()) ? 1U : 0U;
  if (named < static_cast<std::uint64_t>(state.iterations()) * 9 / 10) state.SkipWithError("addresses have no names");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(NamesOfGoFunctions);

void FirstLookIntoAGoBinary(benchmark::State& state) {
  for (auto _ : state) {
    GoModules modules;
    benchmark::DoNotOptimize(modules.get(open_binary(), /*executable=*/true, kBinary));
  }
}
BENCHMARK(FirstLookIntoAGoBinary)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace madvtrace::bench
