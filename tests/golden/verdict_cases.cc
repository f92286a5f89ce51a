// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/verdict_cases.h"

#include "model/advice.h"

namespace madvtrace::test {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kSecondNs = 1'000 * kMsNs;
constexpr std::uint64_t kHeap = 0xc000000000;

// In MiB.
struct Memory {
  std::uint64_t inuse = 10;
  std::uint64_t idle = 0;  // not given back
  std::uint64_t lazy = 0;
  std::uint64_t stacks = 1;
  std::uint64_t runtime = 4;
  std::uint64_t files = 5;
  std::uint64_t others = 2;
  std::uint64_t unaccounted = 0;
  std::uint64_t next_gc = 20;
  std::uint64_t num_gc = 10;
};

Sample sample_of(const Memory& mib) {
  const std::uint64_t arenas = mib.inuse + mib.idle + mib.lazy + mib.stacks + mib.unaccounted;
  const std::uint64_t anon = arenas + mib.runtime + mib.others;
  Sample sample{.rss_bytes = (anon + mib.files) * kMiB,
                .rss_anon_bytes = anon * kMiB,
                .rss_file_bytes = mib.files * kMiB,
                .rss_shmem_bytes = 0,
                .lazyfree_bytes = mib.lazy * kMiB};
  sample.go = {.heap_sys_bytes = (mib.inuse + mib.idle + 100) * kMiB,
               .heap_inuse_bytes = mib.inuse * kMiB,
               .heap_idle_bytes = (mib.idle + 100) * kMiB,
               .heap_released_bytes = 100 * kMiB,
               .stack_inuse_bytes = mib.stacks * kMiB,
               .next_gc_bytes = mib.next_gc * kMiB,
               .num_gc = mib.num_gc,
               .gc_percent = 100,
               .metadata_sys_bytes = mib.runtime * kMiB};
  sample.anon.go_arenas = {.resident_bytes = arenas * kMiB, .lazyfree_bytes = mib.lazy * kMiB};
  sample.anon.malloc_heap = {.resident_bytes = mib.others * kMiB, .lazyfree_bytes = 0};
  return sample;
}

ProcessInfo program(const char* version, std::int32_t advice, const char* godebug = "") {
  ProcessInfo info{.start_utc_ns = kStartUtcNs - 60 * kSecondNs, .comm = "server", .exe = "/usr/bin/server"};
  info.go = {.version = version, .godebug = godebug, .expected_advice = advice, .books = "code", .is_go = true};
  return info;
}

void run(StreamBuilder& stream, const ProcessInfo& info, const Sample& first, const Sample& last) {
  stream.start().add(info).add(first);
  stream.at(10 * kSecondNs).add(last).finish();
}

void run(StreamBuilder& stream, const ProcessInfo& info, const Memory& first, const Memory& last) {
  run(stream, info, sample_of(first), sample_of(last));
}

}  // namespace

void verdict_heap_in_use(StreamBuilder& stream) {
  run(stream, program("go1.19.8", kMadvDontneed), Memory{.inuse = 200, .next_gc = 220},
      Memory{.inuse = 200, .next_gc = 220, .num_gc = 10});
}

// What the first collection of the trace finds may have grown before it.
void verdict_heap_grows(StreamBuilder& stream) {
  stream.start().add(program("go1.26.5", kMadvDontneed)).add(sample_of({.inuse = 50, .next_gc = 20}));
  stream.at(5 * kSecondNs).add(sample_of({.inuse = 50, .next_gc = 100, .num_gc = 11}));
  stream.at(10 * kSecondNs).add(sample_of({.inuse = 200, .next_gc = 400, .num_gc = 15})).finish();
}

// 100 MiB are free and not given back: 20 of them the scavenger keeps.
void verdict_idle_heap(StreamBuilder& stream) {
  run(stream, program("go1.19.8", kMadvDontneed), Memory{.inuse = 150, .next_gc = 200},
      Memory{.inuse = 50, .idle = 190, .next_gc = 200, .num_gc = 12});
}

void verdict_idle_heap_kept(StreamBuilder& stream) {
  run(stream, program("go1.16.3", kMadvDontneed), Memory{.inuse = 20, .idle = 25, .next_gc = 45},
      Memory{.inuse = 20, .idle = 25, .next_gc = 45, .num_gc = 12});
}

void verdict_lazy_by_version(StreamBuilder& stream) {
  run(stream, program("go1.15.5", kMadvFree), Memory{.inuse = 150}, Memory{.inuse = 30, .lazy = 130, .num_gc = 12});
}

void verdict_lazy_by_setting(StreamBuilder& stream) {
  run(stream, program("go1.22.1", kMadvFree, "madvdontneed=0"), Memory{.inuse = 150},
      Memory{.inuse = 30, .lazy = 130, .num_gc = 12});
}

// Not by the runtime, then.
void verdict_lazy_by_program(StreamBuilder& stream) {
  run(stream, program("go1.22.1", kMadvDontneed), Memory{.inuse = 150}, Memory{.inuse = 30, .lazy = 130, .num_gc = 12});
}

void verdict_stacks(StreamBuilder& stream) {
  run(stream, program("go1.19.8", kMadvDontneed), Memory{.stacks = 100}, Memory{.stacks = 150, .num_gc = 12});
}

void verdict_other_memory(StreamBuilder& stream) {
  run(stream, program("go1.19.8", kMadvDontneed), Memory{.others = 100}, Memory{.others = 150, .num_gc = 12});
}

void verdict_files(StreamBuilder& stream) {
  run(stream, program("go1.19.8", kMadvDontneed), Memory{.files = 100}, Memory{.files = 150, .num_gc = 12});
}

void verdict_huge_pages(StreamBuilder& stream) {
  run(stream, program("go1.21.0", kMadvDontneed), Memory{.inuse = 30},
      Memory{.inuse = 30, .unaccounted = 90, .num_gc = 12});
}

void verdict_no_books(StreamBuilder& stream) {
  ProcessInfo info = program("", kMadvDontneed);
  info.go.expected_advice.reset();
  info.go.books = "none";
  info.go.books_why_not = "no debug information, no symbols, and no code that is known";
  Sample sample = sample_of({.inuse = 150});
  sample.go = {};
  sample.anon.go_arenas = {};
  run(stream, info, sample, sample);
}

// The runtime of a version that releases by MADV_DONTNEED releases by MADV_FREE; and its
// books are not believed once.
void unexpected_advice(StreamBuilder& stream) {
  stream.start().add(program("go1.19.8", kMadvDontneed)).add(sample_of({.inuse = 150}));
  stream.stack(7, {0x401000});
  stream.add(Frames{.stack_key = 7, .text = "runtime.madvise;runtime.bgscavenge", .cause = Cause::kBackground});
  CallSpec call = madvise(kHeap, kMiB, kMadvFree);
  call.stack_key = 7;
  stream.at(kSecondNs).begin(call, walked(256));
  stream.pages(kSecondNs, {.chunk_addr = kHeap, .seen = {0, 256}, .dirty = {{0, 256}}});
  stream.at(kSecondNs + kMsNs).end(kSecondNs, 0);
  Sample dropped = sample_of({.inuse = 149, .lazy = 1});
  dropped.go = {};
  dropped.go_dropped = "more is released than is idle";
  stream.at(2 * kSecondNs).look({.chunk_addr = kHeap, .clean = {{0, 256}}}).add(dropped);
  stream.at(3 * kSecondNs).add(sample_of({.inuse = 149, .lazy = 1})).finish();
}

}  // namespace madvtrace::test
