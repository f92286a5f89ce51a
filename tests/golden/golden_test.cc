// SPDX-License-Identifier: Apache-2.0
// A stream made by hand -> recording -> replay -> the files of -o DIR, which have to
// be those in tests/golden/<case>/, byte for byte; the end summary is summary.txt
// there, the exit code exit_code.txt. With MADVTRACE_UPDATE_GOLDEN=1 the expected
// files are written anew: read the difference before believing it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "app/replay.h"
#include "stream/recording_writer.h"
#include "tests/golden/group_cases.h"
#include "tests/golden/verdict_cases.h"
#include "tests/support/stream_builder.h"
#include "tests/support/temp_directory.h"

namespace madvtrace {
namespace {

using test::CallSpec;
using test::kMsNs;
using test::kStartMonoNs;
using test::madvise;
using test::munmap;
using test::StreamBuilder;
using test::walked;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kHeap = 0xc000000000;
constexpr std::int32_t kDontneed = 4;
constexpr std::int32_t kFree = 8;
constexpr std::int32_t kNoHugePage = 15;

Sample sample(std::uint64_t rss_mib, std::uint64_t lazyfree_mib = 0) {
  return {.rss_bytes = rss_mib * kMiB,
          .rss_anon_bytes = rss_mib * kMiB - kMiB,
          .rss_file_bytes = kMiB,
          .rss_shmem_bytes = 0,
          .swap_bytes = 0,
          .page_tables_bytes = 65'536,
          .lazyfree_bytes = lazyfree_mib * kMiB};
}

// 1 MiB, all of it resident, gone in 50 us.
void dontneed(StreamBuilder& stream) {
  stream.start().add(sample(20));
  stream.at(100 * kMsNs).stack(7, {0x46a0b1, 0x41f2c0});
  auto call = madvise(kHeap, kMiB, kDontneed);
  call.stack_key = 7;
  stream.begin(call, walked(256)).at(100 * kMsNs + 50'000).end(100 * kMsNs, 0);
  stream.at(200 * kMsNs).add(Frames{.stack_key = 7, .text = "runtime.madvise;runtime.sysUnusedOS"});
  stream.at(1000 * kMsNs).add(sample(19)).finish();
}

// Lazily freed, then taken at once: the second call finds 200 of the 256 pages clean.
void free_then_dontneed(StreamBuilder& stream) {
  stream.start().add(sample(20));
  stream.at(100 * kMsNs).begin(madvise(kHeap, kMiB, kFree), walked(256));
  stream.at(101 * kMsNs).end(100 * kMsNs, 0);
  stream.at(1000 * kMsNs).add(sample(20, 1));
  stream.at(1500 * kMsNs).begin(madvise(kHeap, kMiB, kDontneed), walked(256, 200));
  stream.at(1501 * kMsNs).end(1500 * kMsNs, 0);
  stream.at(2000 * kMsNs).add(sample(19)).finish();
}

// The kernel goes on behind the hole: 156 of 256 pages are gone, and ret is -ENOMEM.
void hole(StreamBuilder& stream) {
  stream.start();
  stream.at(100 * kMsNs).begin(madvise(kHeap, kMiB, kDontneed), walked(256));
  stream.at(101 * kMsNs).end(100 * kMsNs, -12, walked(0));
  stream.at(200 * kMsNs).begin(madvise(kHeap, kMiB, kDontneed), walked(256));
  stream.at(201 * kMsNs).end(200 * kMsNs, -12, walked(100));
  stream.at(1000 * kMsNs).finish();
}

// An address that is none: nothing happened, and the second look says so.
void einval(StreamBuilder& stream) {
  stream.start();
  stream.at(100 * kMsNs).begin(madvise(kHeap + 1, kMiB, kDontneed), walked(257));
  stream.at(101 * kMsNs).end(100 * kMsNs, -22, walked(257));
  // Nothing was resident: no second look is needed.
  stream.at(200 * kMsNs).begin(madvise(kHeap + 1, kMiB, kDontneed), walked(0));
  stream.at(201 * kMsNs).end(200 * kMsNs, -22);
  stream.at(1000 * kMsNs).finish();
}

// The walk stopped after 256 MiB of 1 GiB.
void capped(StreamBuilder& stream) {
  stream.start();
  stream.at(100 * kMsNs).begin(munmap(kHeap, 1024 * kMiB), walked(65'536, 0, 0, WIRE_WALK_CAPPED));
  stream.at(110 * kMsNs).end(100 * kMsNs, 0);
  stream.at(1000 * kMsNs).finish();
}

// No page tables: 32 probes of 1024 pages, 24 of them resident.
void sampled(StreamBuilder& stream) {
  stream.start();
  stream.at(100 * kMsNs)
      .begin(madvise(kHeap, 4 * kMiB, kDontneed), walked(768, 0, 0, WIRE_WALK_SAMPLED | WIRE_WALK_CLEAN_UNKNOWN));
  stream.at(101 * kMsNs).end(100 * kMsNs, 0);
  stream.at(1000 * kMsNs).finish();
}

// Thread 102 begins in the middle of 101's range: each saw pages that the other took.
// 103 is somewhere else, and exact.
void overlapping(StreamBuilder& stream) {
  stream.start();
  stream.at(100 * kMsNs).on(100, 101).begin(madvise(kHeap, kMiB, kDontneed), walked(256));
  stream.at(101 * kMsNs).on(100, 102).begin(madvise(kHeap + kMiB / 2, kMiB, kDontneed), walked(250));
  stream.at(102 * kMsNs).on(100, 103).begin(madvise(kHeap + 8 * kMiB, kMiB, kDontneed), walked(10));
  stream.at(103 * kMsNs).on(100, 102).end(101 * kMsNs, 0);
  stream.at(104 * kMsNs).on(100, 103).end(102 * kMsNs, 0);
  stream.at(105 * kMsNs).on(100, 101).end(100 * kMsNs, 0);
  stream.at(1000 * kMsNs).finish();
}

// Killed inside munmap.
void unfinished_at_exit(StreamBuilder& stream) {
  stream.start().add(sample(20));
  stream.at(100 * kMsNs).on(100, 101).begin(munmap(kHeap, kMiB), walked(256));
  stream.at(110 * kMsNs).on(100, 100).exit(9);
  stream.at(1000 * kMsNs).finish();
}

// One row: the first address, all lengths, all pages.
void process_madvise(StreamBuilder& stream) {
  stream.start();
  stream.at(100 * kMsNs)
      .begin({.syscall = WIRE_PROCESS_MADVISE,
              .args = {5, 0x7ffe0000, 3, static_cast<std::uint64_t>(kDontneed), 0},
              .range_addr = kHeap,
              .range_bytes = kMiB},
             walked(256));
  stream.range(100 * kMsNs, kHeap + 4 * kMiB, 2 * kMiB, walked(512, 512));
  stream.range(100 * kMsNs, kHeap + 16 * kMiB, 4096, walked(0, 0, 1));
  stream.at(101 * kMsNs).end(100 * kMsNs, static_cast<std::int64_t>(3 * kMiB + 4096));
  // On another process: nobody looked.
  stream.at(200 * kMsNs)
      .plain({.syscall = WIRE_PROCESS_MADVISE,
              .args = {6, 0x7ffe0000, 1, static_cast<std::uint64_t>(kFree), 0},
              .flags = WIRE_CALL_REMOTE},
             199 * kMsNs, static_cast<std::int64_t>(kMiB));
  stream.at(1000 * kMsNs).finish();
}

// Shrinks 4 MiB to 1 MiB and moves it over something else: both lose pages.
void mremap_shrink_and_move(StreamBuilder& stream) {
  stream.start();
  constexpr std::uint64_t kTo = 0x7f0000000000;
  stream.at(100 * kMsNs)
      .begin({.syscall = WIRE_MREMAP,
              .args = {kHeap, 4 * kMiB, kMiB, 3, kTo},
              .range_addr = kHeap + kMiB,
              .range_bytes = 3 * kMiB},
             walked(768));
  stream.range(100 * kMsNs, kTo, kMiB, walked(16));
  stream.at(101 * kMsNs).end(100 * kMsNs, static_cast<std::int64_t>(kTo));
  stream.at(1000 * kMsNs).finish();
}

// Back by 1 MiB, forth by 64 KiB, and an answer that says no.
void brk_shrink(StreamBuilder& stream) {
  stream.start();
  constexpr std::uint64_t kBreak = 0x5555'5580'0000;
  stream.at(100 * kMsNs)
      .begin({.syscall = WIRE_BRK, .args = {kBreak}, .range_addr = kBreak, .range_bytes = kMiB}, walked(200));
  stream.at(101 * kMsNs).end(100 * kMsNs, static_cast<std::int64_t>(kBreak));
  stream.at(201 * kMsNs)
      .plain({.syscall = WIRE_BRK, .args = {kBreak + 65'536}}, 200 * kMsNs, static_cast<std::int64_t>(kBreak + 65'536));
  stream.at(300 * kMsNs)
      .begin({.syscall = WIRE_BRK, .args = {kBreak}, .range_addr = kBreak, .range_bytes = 65'536}, walked(16));
  stream.at(301 * kMsNs).end(300 * kMsNs, static_cast<std::int64_t>(kBreak + 65'536), walked(16));
  stream.at(1000 * kMsNs).finish();
}

// A new program in the same process; thread 101 was inside a call.
// A collection that the heap triggered, whose start ran its entry twice, and what the
// scavenger gave back after it; one that was asked for; one that the trace's end cuts off.
void gc_marks(StreamBuilder& stream) {
  stream.start().add(ProcessInfo{.start_utc_ns = test::kStartUtcNs - 60'000'000'000,
                                 .comm = "server",
                                 .exe = "/usr/bin/server",
                                 .cgroup = "/",
                                 .gc_marks = "yes"});
  stream.add(sample(20));
  stream.at(100 * kMsNs).on(100, 103).gc_start().at(100 * kMsNs + 9'000).gc_start();
  stream.at(104 * kMsNs).on(100, 101).gc_end();
  stream.at(300 * kMsNs).on(100, 102).begin(madvise(kHeap, kMiB, kDontneed), walked(256));
  stream.at(301 * kMsNs).end(300 * kMsNs, 0);
  stream.at(500 * kMsNs).on(100, 100).gc_start(WIRE_GC_FORCED).at(502 * kMsNs).gc_end();
  stream.at(900 * kMsNs).gc_start(WIRE_GC_UNKNOWN);
  stream.at(1000 * kMsNs).add(sample(19)).finish();
}

void exec(StreamBuilder& stream) {
  stream.start().add(sample(20));
  stream.at(100 * kMsNs).on(100, 101).begin(madvise(kHeap, kMiB, kDontneed), walked(256));
  stream.at(110 * kMsNs).on(100, 100).named("worker").exec();
  stream.at(111 * kMsNs)
      .add(ProcessInfo{.start_utc_ns = test::kStartUtcNs - 60'000'000'000,
                       .comm = "worker",
                       .exe = "/usr/bin/worker",
                       .cgroup = "/"})
      .add(sample(3));
  stream.at(200 * kMsNs)
      .plain({.syscall = WIRE_MMAP, .args = {0, kMiB, 3, 0x22, ~std::uint64_t{0}, 0}}, 199 * kMsNs, 0x7f0000000000);
  stream.at(1000 * kMsNs).add(sample(4)).finish();
}

// The followed child has rows of its own, the other one none.
void fork(StreamBuilder& stream) {
  stream.start().add(sample(20));
  stream.at(100 * kMsNs).fork(200, true).fork(201, false);
  stream.at(110 * kMsNs)
      .on(200, 200)
      .add(ProcessInfo{.start_utc_ns = test::kStartUtcNs + 100 * kMsNs, .comm = "server", .exe = "/usr/bin/server"});
  stream.at(120 * kMsNs).begin(munmap(kHeap, kMiB), walked(3));
  stream.at(121 * kMsNs).end(120 * kMsNs, 0);
  stream.at(130 * kMsNs).exit(3 << 8);
  stream.at(200 * kMsNs).on(100, 100).plain(madvise(kHeap, kMiB, kNoHugePage), 199 * kMsNs, 0);
  stream.at(900 * kMsNs).add(CommandEnd{.pid = 100, .wait_status = 0}).exit(0);
  stream.at(1000 * kMsNs).finish();
}

// An end and a range are missing, and the stream says how much.
void lost_records(StreamBuilder& stream) {
  stream.start();
  stream.at(100 * kMsNs).begin(madvise(kHeap, kMiB, kDontneed), walked(256));
  stream.at(200 * kMsNs)
      .lost(1)
      .begin({.syscall = WIRE_PROCESS_MADVISE,
              .args = {5, 0x7ffe0000, 2, static_cast<std::uint64_t>(kDontneed), 0},
              .range_addr = kHeap,
              .range_bytes = kMiB},
             walked(256));
  stream.at(201 * kMsNs).lost(2).end(200 * kMsNs, static_cast<std::int64_t>(2 * kMiB));
  stream.at(500 * kMsNs).add(Loss{.cause = "end_ring_full", .count = 1});
  stream.add(Loss{.cause = "range_ring_full", .count = 1});
  stream.at(1000 * kMsNs).finish();
}

// Names that would break a table, a terminal or JSON.
void odd_names(StreamBuilder& stream) {
  stream.start();
  stream.at(10 * kMsNs)
      .add(ProcessInfo{.start_utc_ns = test::kStartUtcNs,
                       .comm = "\x1b]0;x\x07,\xff",
                       .exe = "/tmp/a, \"b\"\n\x1b[31m/\xff",
                       .build_id = "0123",
                       .cgroup = "/a,b/c d"});
  const std::array<std::string_view, 6> names{"a,b",     "say \"hi\"",       "two\nlines\r",
                                              " blank ", "\xff\xfe\xc3\xa9", "exactly16bytes!!"};
  std::uint64_t at_ns = 100 * kMsNs;
  for (const std::string_view name : names) {
    stream.named(name).at(at_ns).begin(munmap(kHeap, 4096), walked(1));
    stream.at(at_ns + kMsNs).end(at_ns, 0);
    at_ns += 10 * kMsNs;
  }
  // An advice that nobody knows, an empty name, and frames with everything.
  auto call = madvise(kHeap, 4096, 77);
  call.stack_key = 9;
  stream.named("").at(at_ns + kMsNs).stack(9, {1}).plain(call, at_ns, 0);
  stream.add(Frames{.stack_key = 9, .text = "main.(*T[go.shape.string,int]).\"quoted\";main.main"});
  stream.at(1000 * kMsNs).finish();
}

// As dontneed, but the tracer was killed inside the second call.
void cut_off(StreamBuilder& stream) {
  stream.start().add(sample(20));
  stream.at(100 * kMsNs).begin(madvise(kHeap, kMiB, kDontneed), walked(256));
  stream.at(101 * kMsNs).end(100 * kMsNs, 0);
  auto call = madvise(kHeap + kMiB, kMiB, kDontneed);
  call.stack_key = 11;
  stream.at(200 * kMsNs).stack(11, {0x1000, 0x2000}).begin(call, walked(256));
}

// UTC is set back by a second during the trace; CLOCK_MONOTONIC is not.
void clock_step(StreamBuilder& stream) {
  stream.start();
  stream.at(100 * kMsNs).begin(munmap(kHeap, 4096), walked(1)).at(101 * kMsNs).end(100 * kMsNs, 0);
  constexpr auto kOffset = static_cast<std::int64_t>(test::kStartUtcNs - kStartMonoNs);
  stream.at(500 * kMsNs).add(ClockAnchor{.utc_minus_mono_ns = kOffset - 1'000'000'000});
  stream.at(600 * kMsNs).begin(munmap(kHeap, 4096), walked(1)).at(601 * kMsNs).end(600 * kMsNs, 0);
  stream.at(1000 * kMsNs).finish();
}

// Records that are none stand between good ones.
void bad_records(StreamBuilder& stream) {
  stream.start().raw(std::string(40, '\0')).raw("short");
  stream.at(100 * kMsNs).begin(munmap(kHeap, 4096), walked(1));
  std::string unknown = stream.records().back();
  unknown[4] = 63;
  std::string field = stream.records().back();
  field[offsetof(wire_call, syscall)] = 99;
  stream.raw(unknown).raw(field);
  stream.at(101 * kMsNs).end(100 * kMsNs, 0);
  stream.at(1000 * kMsNs).finish();
}

// One MiB is lazily freed, 64 pages at a time get another fate each.
void fates(StreamBuilder& stream) {
  stream.start().add(sample(20));
  stream.at(100 * kMsNs).begin(madvise(kHeap, kMiB, kFree), walked(256));
  stream.pages(100 * kMsNs, {.chunk_addr = kHeap, .seen = {0, 256}, .dirty = {{0, 256}}});
  stream.at(101 * kMsNs).end(100 * kMsNs, 0);
  stream.at(500 * kMsNs).look({.chunk_addr = kHeap, .clean = {{0, 256}}});
  stream.at(1000 * kMsNs);
  stream.add(
      Reclaim{.by = Reclaimer::kMemcg, .from_ns = kStartMonoNs + 900 * kMsNs, .to_ns = kStartMonoNs + 1000 * kMsNs});
  // 0-63 are reclaimed, 64-127 rewritten.
  stream.look({.chunk_addr = kHeap, .dirty = {{64, 64}}, .clean = {{128, 128}}}).add(sample(20, 1));
  // 128-191 are released again.
  stream.at(1500 * kMsNs).begin(madvise(kHeap + 128 * 4096, 64 * 4096, kDontneed), walked(64, 64));
  stream.pages(1500 * kMsNs, {.chunk_addr = kHeap, .seen = {128, 64}, .clean = {{128, 64}}});
  stream.at(1501 * kMsNs).end(1500 * kMsNs, 0);
  // 192-223 are unmapped; 224-255 are still there at the end.
  stream.at(2000 * kMsNs).begin(munmap(kHeap + 192 * 4096, 32 * 4096), walked(32, 32));
  stream.pages(2000 * kMsNs, {.chunk_addr = kHeap, .seen = {192, 32}, .clean = {{192, 32}}});
  stream.at(2001 * kMsNs).end(2000 * kMsNs, 0);
  stream.at(2500 * kMsNs).look({.chunk_addr = kHeap, .clean = {{224, 32}}}).add(sample(19)).finish();
}

// What is given back is touched again: by single faults, one of them before the call has
// returned; in a huge page; by khugepaged, in a chunk that had small pages. What is mapped
// anew at the same place has not come back, nor has what a failed call left where it was.
void refaults(StreamBuilder& stream) {
  constexpr std::uint64_t kChunk = 2 * kMiB;
  const auto release = [&](std::uint64_t at_ms, std::uint64_t address, std::uint32_t pages) {
    stream.at(at_ms * kMsNs).begin(madvise(address, std::uint64_t{pages} * 4096, kDontneed), walked(pages));
    stream.pages(at_ms * kMsNs, {.chunk_addr = address, .seen = {0, pages}, .dirty = {{0, pages}}});
  };
  stream.start("refaults").add(sample(20));
  release(100, kHeap, 256);
  stream.at(100 * kMsNs + 500'000).on(100, 101).refault(kHeap + 7 * 4096).on(100, 100);
  stream.at(101 * kMsNs).end(100 * kMsNs, 0);
  stream.at(150 * kMsNs).on(100, 101).refault(kHeap).refault(kHeap + 255 * 4096);
  stream.refault(kHeap + 255 * 4096).on(100, 100);  // told twice: it counts once
  // A chunk that one fault brings back whole.
  release(200, kHeap + kChunk, 512);
  stream.at(201 * kMsNs).end(200 * kMsNs, 0);
  stream.at(1200 * kMsNs).look({.chunk_addr = kHeap + kChunk});
  stream.at(1500 * kMsNs).refault(kHeap + kChunk + 9 * 4096);
  stream.at(2000 * kMsNs).look({.chunk_addr = kHeap + kChunk, .dirty = {{0, 512}}, .huge = true});
  // The other half of this one has stayed: small pages, which khugepaged joins.
  stream.at(2001 * kMsNs).look({.chunk_addr = kHeap, .dirty = {{0, 1}, {7, 1}, {255, 257}}});
  stream.at(15'000 * kMsNs).look({.chunk_addr = kHeap, .dirty = {{0, 512}}, .huge = true});
  // Unmapped before it is touched.
  release(16'000, kHeap + 2 * kChunk, 64);
  stream.at(16'001 * kMsNs).end(16'000 * kMsNs, 0);
  stream.at(16'100 * kMsNs)
      .begin(munmap(kHeap + 2 * kChunk, kMiB), walked(0))
      .at(16'101 * kMsNs)
      .end(16'100 * kMsNs, 0);
  stream.at(16'200 * kMsNs).refault(kHeap + 2 * kChunk);
  // Refused; the kernel side had noted the pages all the same.
  release(17'000, kHeap + 3 * kChunk, 64);
  stream.at(17'001 * kMsNs).end(17'000 * kMsNs, -22, walked(64));
  stream.at(17'100 * kMsNs).refault(kHeap + 3 * kChunk, /*swapped=*/true);
  stream.at(18'000 * kMsNs).add(sample(19)).finish();
}

// Lazily freed: what is touched again is known to have been taken, though no look had
// found it gone; but not what was written before it went to swap.
void refaults_of_lazily_freed(StreamBuilder& stream) {
  stream.start("refaults").add(sample(20));
  stream.at(100 * kMsNs).begin(madvise(kHeap, kMiB, kFree), walked(256));
  stream.pages(100 * kMsNs, {.chunk_addr = kHeap, .seen = {0, 256}, .dirty = {{0, 256}}});
  stream.at(101 * kMsNs).end(100 * kMsNs, 0);
  stream.at(1000 * kMsNs);
  stream.add(Reclaim{.by = Reclaimer::kMemcg,
                     .from_ns = kStartMonoNs + 900 * kMsNs,
                     .to_ns = kStartMonoNs + 1000 * kMsNs,
                     .pages = 128});
  stream.at(1001 * kMsNs).refault(kHeap);
  stream.at(1002 * kMsNs).refault(kHeap + 4096, /*swapped=*/true);
  // 2-127 are gone by now; of them, 64 is touched much later.
  stream.at(1100 * kMsNs).look({.chunk_addr = kHeap, .dirty = {{0, 2}}, .clean = {{128, 128}}});
  stream.at(70'000 * kMsNs).refault(kHeap + 64 * 4096);
  stream.at(71'000 * kMsNs).look({.chunk_addr = kHeap, .clean = {{128, 128}}}).add(sample(20, 1)).finish();
}

// Every change of RSS has a cause: 24 MiB when counting begins; faults; a release; reclaim by
// two hands, one of them into swap; khugepaged fills a hole; an exec, and the exit of what
// runs then. Counts go on from where they were; what did not change has no row.
void rss_changes(StreamBuilder& stream) {
  constexpr std::uint64_t kMiBPages = 256;
  stream.start("exact").add(sample(24)).rss_begin({.file = kMiBPages, .anon = 23 * kMiBPages});
  stream.at(500 * kMsNs).begin(madvise(kHeap, 480 * kMiB, kDontneed), walked(480 * kMiBPages));
  stream.at(510 * kMsNs).end(500 * kMsNs, 0);
  stream.at(1000 * kMsNs).add(sample(44));
  stream.rss_changes(WIRE_RSS_FAULT, {.file = 128, .anon = 500 * kMiBPages}, {});
  stream.rss_changes(WIRE_RSS_RELEASE, {}, {.anon = 480 * kMiBPages});
  stream.at(2000 * kMsNs).add(sample(42));
  stream.rss_changes(WIRE_RSS_FAULT, {.file = 128, .anon = 508 * kMiBPages}, {.swap = 64});
  stream.rss_changes(WIRE_RSS_RELEASE, {}, {.anon = 480 * kMiBPages});
  stream.rss_changes(WIRE_RSS_KHUGEPAGED, {.anon = 512}, {});
  stream.rss_changes(std::uint32_t{WIRE_RSS_RECLAIM} + WIRE_RECLAIM_KSWAPD, {.swap = 7 * kMiBPages},
                     {.file = kMiBPages, .anon = 7 * kMiBPages});
  stream.rss_changes(std::uint32_t{WIRE_RSS_RECLAIM} + WIRE_RECLAIM_MEMCG, {}, {.anon = 4 * kMiBPages});
  // 44.5 MiB are left, and 6.75 in swap.
  stream.at(2500 * kMsNs).rss_changes(WIRE_RSS_FAULT, {.file = 128, .anon = 510 * kMiBPages}, {.swap = 64});
  stream.named("next").exec().rss_begin({.file = 40, .anon = 24});
  stream.at(3000 * kMsNs).rss_changes(WIRE_RSS_FAULT, {.file = 88, .anon = 232, .shmem = 16}, {});
  stream.at(3500 * kMsNs).rss_changes(WIRE_RSS_FAULT, {.file = 88, .anon = 232, .shmem = 32}, {});
  stream.exit(0).at(4000 * kMsNs).finish();
}

// A loss: from there on nothing is sure. The begin of what it runs after the exec is among
// what was lost, so it is not known what leaves at the end.
void rss_changes_after_loss(StreamBuilder& stream) {
  stream.start("exact").add(sample(24)).rss_begin({.file = 256, .anon = 5'888});
  stream.at(1000 * kMsNs).rss_changes(WIRE_RSS_FAULT, {.anon = 1'000}, {});
  stream.at(2000 * kMsNs).rss_changes(WIRE_RSS_OTHER, {}, {.file = 300});
  stream.named("next").exec().lost(1);
  stream.at(3000 * kMsNs).rss_changes(WIRE_RSS_FAULT, {.anon = 900}, {});
  stream.add(Loss{.cause = "rss_ring_full", .count = 1});
  stream.at(3500 * kMsNs).exit(0).at(4000 * kMsNs).finish();
}

// 64 pages go while a group and DAMON reclaim: all but the 5 that DAMON can have taken
// were the group's; those of another release went when nobody was seen to take so many.
void fates_by_several(StreamBuilder& stream) {
  stream.start();
  const auto release = [&](std::uint64_t at_ms, std::uint32_t first) {
    stream.at(at_ms * kMsNs).begin(madvise(kHeap + first * 4096, 64 * 4096, kFree), walked(64));
    stream.pages(at_ms * kMsNs, {.chunk_addr = kHeap, .seen = {first, 64}, .dirty = {{first, 64}}});
    stream.at((at_ms + 1) * kMsNs).end(at_ms * kMsNs, 0);
  };
  const auto reclaim = [&](Reclaimer by, std::uint64_t to_ms, std::uint64_t pages) {
    const std::uint64_t to_ns = kStartMonoNs + to_ms * kMsNs;
    stream.add(Reclaim{.by = by, .from_ns = to_ns - 100 * kMsNs, .to_ns = to_ns, .pages = pages});
  };
  release(100, 0);
  release(120, 128);
  stream.at(500 * kMsNs).look({.chunk_addr = kHeap, .clean = {{0, 64}, {128, 64}}});
  stream.at(1000 * kMsNs);
  reclaim(Reclaimer::kMemcg, 1000, 60);
  reclaim(Reclaimer::kDamon, 1000, 5);
  stream.look({.chunk_addr = kHeap, .clean = {{128, 64}}});
  stream.at(1500 * kMsNs).look({.chunk_addr = kHeap, .clean = {{128, 64}}});
  stream.at(2000 * kMsNs);
  reclaim(Reclaimer::kDamon, 2000, 3);
  stream.look({.chunk_addr = kHeap}).finish();
}

// Whatever was lazily freed goes with the process.
void fate_exited(StreamBuilder& stream) {
  stream.start();
  stream.at(100 * kMsNs).begin(madvise(kHeap, kMiB, kFree), walked(256));
  stream.pages(100 * kMsNs, {.chunk_addr = kHeap, .seen = {0, 256}, .dirty = {{0, 256}}});
  stream.at(101 * kMsNs).end(100 * kMsNs, 0);
  stream.at(700 * kMsNs).exit(0).at(1000 * kMsNs).finish();
}

// What is in swap was written again: found by a look (0-63), and by the next release (64-127);
// the rest was taken.
void fate_swapped(StreamBuilder& stream) {
  stream.start();
  stream.at(100 * kMsNs).begin(madvise(kHeap, kMiB, kFree), walked(256));
  stream.pages(100 * kMsNs, {.chunk_addr = kHeap, .seen = {0, 256}, .dirty = {{0, 256}}});
  stream.at(101 * kMsNs).end(100 * kMsNs, 0);
  stream.at(500 * kMsNs).look({.chunk_addr = kHeap, .clean = {{64, 128}}, .swapped = {{0, 64}}});
  stream.at(900 * kMsNs).begin(madvise(kHeap, kMiB, kDontneed), walked(0, 0, 128));
  stream.pages(900 * kMsNs, {.chunk_addr = kHeap, .seen = {0, 256}, .swapped = {{0, 128}}});
  stream.at(901 * kMsNs).end(900 * kMsNs, 0).at(1000 * kMsNs).finish();
}

// What was still there when a process was moved out of the watched group is pending as of
// then. When it comes back it is listed anew, and what it did outside is not known.
void group_moves(StreamBuilder& stream) {
  stream.start();
  stream.at(50 * kMsNs).join(WIRE_MEMBER_MOVED);
  stream.at(100 * kMsNs).begin(madvise(kHeap, kMiB, kFree), walked(256));
  stream.pages(100 * kMsNs, {.chunk_addr = kHeap, .seen = {0, 256}, .dirty = {{0, 256}}});
  stream.at(101 * kMsNs).end(100 * kMsNs, 0).add(sample(20));
  stream.at(500 * kMsNs).look({.chunk_addr = kHeap, .clean = {{0, 192}}});
  stream.at(700 * kMsNs).leave(WIRE_MEMBER_MOVED);
  stream.at(900 * kMsNs).join(WIRE_MEMBER_MOVED);
  stream.at(950 * kMsNs).begin(madvise(kHeap, kMiB, kDontneed), walked(192, 192));
  stream.pages(950 * kMsNs, {.chunk_addr = kHeap, .seen = {0, 256}, .clean = {{0, 192}}});
  stream.at(951 * kMsNs).end(950 * kMsNs, 0);
  stream.on(200, 200).at(960 * kMsNs).join(WIRE_MEMBER_FOUND).join(WIRE_MEMBER_CALLED).join(WIRE_MEMBER_FORKED);
  stream.at(970 * kMsNs).join(WIRE_MEMBER_EXECED).exec().leave(WIRE_MEMBER_REFUSED).at(1000 * kMsNs).finish();
}

// Half of a call's pages are known to have been released again when a new mapping
// replaces the middle of them; a look that began before a call ended says nothing.
void fates_partly_superseded(StreamBuilder& stream) {
  stream.start();
  stream.at(100 * kMsNs).begin(madvise(kHeap, kMiB, kFree), walked(256));
  stream.pages(100 * kMsNs, {.chunk_addr = kHeap, .seen = {0, 256}, .dirty = {{0, 256}}});
  stream.at(101 * kMsNs).end(100 * kMsNs, 0);
  // 64-191 again: 64-95 had been written to, 96-127 were gone.
  stream.at(600 * kMsNs).begin(madvise(kHeap + 64 * 4096, 128 * 4096, kFree), walked(96, 64));
  stream.pages(600 * kMsNs, {.chunk_addr = kHeap, .seen = {64, 128}, .dirty = {{64, 32}}, .clean = {{128, 64}}});
  stream.at(602 * kMsNs).end(600 * kMsNs, 0);
  stream.look({.chunk_addr = kHeap});
  stream.at(1000 * kMsNs).finish();
}

// What is concluded after records were lost is labelled so.
void fates_after_loss(StreamBuilder& stream) {
  stream.start();
  stream.at(100 * kMsNs).begin(madvise(kHeap, kMiB, kFree), walked(256));
  stream.pages(100 * kMsNs, {.chunk_addr = kHeap, .seen = {0, 256}, .dirty = {{0, 256}}});
  stream.at(101 * kMsNs).end(100 * kMsNs, 0);
  stream.at(500 * kMsNs).lost(3).look({.chunk_addr = kHeap, .clean = {{0, 128}}});
  stream.at(900 * kMsNs).add(Loss{.cause = "call_ring_full", .count = 3}).at(1000 * kMsNs).finish();
}

// MADV_FREE over a hole frees what is mapped and answers ENOMEM; one that is refused
// frees nothing.
void fates_of_errors(StreamBuilder& stream) {
  stream.start();
  stream.at(100 * kMsNs).begin(madvise(kHeap, kMiB, kFree), walked(200));
  stream.pages(100 * kMsNs, {.chunk_addr = kHeap, .seen = {0, 256}, .dirty = {{0, 100}, {156, 100}}});
  stream.at(101 * kMsNs).end(100 * kMsNs, -12, walked(200, 200));
  stream.at(200 * kMsNs).begin(madvise(kHeap + kMiB, kMiB / 2, kFree), walked(128));
  stream.pages(200 * kMsNs, {.chunk_addr = kHeap, .seen = {256, 128}, .dirty = {{256, 128}}});
  stream.at(201 * kMsNs).end(200 * kMsNs, -22, walked(128));
  stream.at(1000 * kMsNs).finish();
}

CallSpec with_stack(CallSpec call, std::uint64_t stack_key) {
  call.stack_key = stack_key;
  return call;
}

// Rows wait for the frames of their stack, and keep their order; an exec and an exit
// among them. What allocated near a memory limit is told from growth for each call.
void causes(StreamBuilder& stream) {
  constexpr std::uint64_t kGrows = 7;
  constexpr std::uint64_t kOther = 8;
  constexpr std::uint64_t kTooLate = 9;
  const auto release = [&](std::uint64_t at_ms, std::uint64_t address, std::int32_t advice, std::uint64_t stack_key) {
    stream.at(at_ms * kMsNs).begin(with_stack(madvise(address, kMiB, advice), stack_key), walked(256));
    if (advice == kFree) stream.pages(at_ms * kMsNs, {.chunk_addr = kHeap, .seen = {0, 256}, .dirty = {{0, 256}}});
    stream.at((at_ms + 1) * kMsNs).end(at_ms * kMsNs, 0);
  };
  stream.start().add(sample(20));
  stream.at(100 * kMsNs).stack(kGrows, {0x46a0b1}).stack(kOther, {0x46a0b1, 0x1000});
  release(100, kHeap + 8 * kMiB, kDontneed, kGrows);
  release(102, kHeap, kFree, kOther);
  stream.at(104 * kMsNs).plain(madvise(kHeap, kMiB, kNoHugePage), 103 * kMsNs, 0);
  stream.at(110 * kMsNs).add(Frames{.stack_key = kOther, .text = "runtime.madvise", .cause = Cause::kBackground});
  Sample near_limit = sample(90);
  near_limit.go.memory_limit_bytes = 100 * kMiB;
  near_limit.go.mapped_ready_bytes = 95 * kMiB;
  stream.at(115 * kMsNs).add(near_limit);
  release(120, kHeap + 16 * kMiB, kDontneed, kGrows);
  stream.at(130 * kMsNs).add(Frames{.stack_key = kGrows, .text = "runtime.madvise", .cause = Cause::kGrowthOrLimit});
  stream.at(140 * kMsNs).stack(kTooLate, {0x46a0b1, 0x2000});
  release(140, kHeap + 24 * kMiB, kDontneed, kTooLate);
  stream.at(150 * kMsNs).exec();
  release(160, kHeap + 32 * kMiB, kDontneed, kGrows);
  stream.at(170 * kMsNs).add(Frames{.stack_key = kTooLate});
  stream.at(180 * kMsNs).exit(0).at(1000 * kMsNs).finish();
}

// The stack of the first was lost, that of the second comes when nobody waits any more.
void frames_that_do_not_come(StreamBuilder& stream) {
  stream.start();
  for (const std::uint64_t at_ms : {100U, 200U, 300U}) {
    stream.at(at_ms * kMsNs).begin(with_stack(munmap(kHeap + at_ms * kMiB, kMiB), at_ms), walked(256));
    stream.at((at_ms + 1) * kMsNs).end(at_ms * kMsNs, 0);
  }
  stream.at(10'150 * kMsNs).add(sample(20));
  stream.at(10'400 * kMsNs).add(sample(20));
  stream.add(Frames{.stack_key = 200, .text = "munmap", .cause = Cause::kMalloc});
  stream.at(10'500 * kMsNs).begin(with_stack(munmap(kHeap, kMiB), 200), walked(256));
  stream.at(10'501 * kMsNs).end(10'500 * kMsNs, 0);
  stream.at(11'000 * kMsNs).begin(with_stack(munmap(kHeap, kMiB), 400), walked(256));
  stream.at(11'001 * kMsNs).end(11'000 * kMsNs, 0);
  stream.at(11'002 * kMsNs).finish();
}

struct Case {
  std::string_view name;
  void (*build)(StreamBuilder&);
};

constexpr std::array kCases{Case{"dontneed", dontneed},
                            Case{"free_then_dontneed", free_then_dontneed},
                            Case{"fates", fates},
                            Case{"fate_exited", fate_exited},
                            Case{"fate_swapped", fate_swapped},
                            Case{"fates_by_several", fates_by_several},
                            Case{"refaults", refaults},
                            Case{"refaults_of_lazily_freed", refaults_of_lazily_freed},
                            Case{"rss_changes", rss_changes},
                            Case{"rss_changes_after_loss", rss_changes_after_loss},
                            Case{"fates_partly_superseded", fates_partly_superseded},
                            Case{"fates_after_loss", fates_after_loss},
                            Case{"fates_of_errors", fates_of_errors},
                            Case{"group_moves", group_moves},
                            Case{"hole", hole},
                            Case{"gc_marks", gc_marks},
                            Case{"einval", einval},
                            Case{"capped", capped},
                            Case{"sampled", sampled},
                            Case{"overlapping", overlapping},
                            Case{"unfinished_at_exit", unfinished_at_exit},
                            Case{"process_madvise", process_madvise},
                            Case{"mremap_shrink_and_move", mremap_shrink_and_move},
                            Case{"brk_shrink", brk_shrink},
                            Case{"exec", exec},
                            Case{"fork", fork},
                            Case{"lost_records", lost_records},
                            Case{"odd_names", odd_names},
                            Case{"cut_off", cut_off},
                            Case{"clock_step", clock_step},
                            Case{"bad_records", bad_records},
                            Case{"causes", causes},
                            Case{"frames_that_do_not_come", frames_that_do_not_come},
                            Case{"verdict_heap_in_use", test::verdict_heap_in_use},
                            Case{"verdict_heap_grows", test::verdict_heap_grows},
                            Case{"verdict_idle_heap", test::verdict_idle_heap},
                            Case{"verdict_idle_heap_kept", test::verdict_idle_heap_kept},
                            Case{"verdict_lazy_by_version", test::verdict_lazy_by_version},
                            Case{"verdict_lazy_by_setting", test::verdict_lazy_by_setting},
                            Case{"verdict_lazy_by_program", test::verdict_lazy_by_program},
                            Case{"verdict_stacks", test::verdict_stacks},
                            Case{"verdict_other_memory", test::verdict_other_memory},
                            Case{"verdict_files", test::verdict_files},
                            Case{"verdict_huge_pages", test::verdict_huge_pages},
                            Case{"verdict_no_books", test::verdict_no_books},
                            Case{"unexpected_advice", test::unexpected_advice},
                            Case{"group_of_few", test::group_of_few},
                            Case{"group_of_many", test::group_of_many},
                            Case{"group_of_lazily_freed", test::group_of_lazily_freed},
                            Case{"group_that_goes", test::group_that_goes},
                            Case{"many_without_a_group", test::many_without_a_group}};

using Files = std::map<std::string, std::string>;

Files files_of(const std::string& directory) {
  Files files;
  if (!std::filesystem::is_directory(directory)) return files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    files[entry.path().filename().string()] = test::read_all(entry.path().string());
  }
  return files;
}

void record(const StreamBuilder& stream, const std::string& path) {
  Result<RecordingWriter> writer = RecordingWriter::create(path);
  ASSERT_TRUE(writer) << writer.error().message;
  for (const std::string& bytes : stream.records()) writer->on_record(test::view(bytes));
  writer->flush();
  ASSERT_FALSE(writer->file().failed());
}

Files replay_to_files(const std::string& recording, const std::string& directory) {
  Options options;
  options.mode = Mode::kReplay;
  options.recording = recording;
  options.output_directory = directory;
  testing::internal::CaptureStderr();
  const Result<ExitCode> code = replay(options);
  const std::string summary = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(code) << code.error().message;
  Files files = files_of(directory);
  files["summary.txt"] = summary;
  files["exit_code.txt"] = std::to_string(static_cast<int>(code.value_or(ExitCode::kFailed))) + "\n";
  return files;
}

class Golden : public testing::TestWithParam<Case> {
 protected:
  test::TempDirectory temporary;
};

TEST_P(Golden, ReplaysToTheExpectedFiles) {
  StreamBuilder stream;
  GetParam().build(stream);
  ASSERT_NO_FATAL_FAILURE(record(stream, temporary / "run.mv"));
  const Files made = replay_to_files(temporary / "run.mv", temporary / "out");

  const std::string expected_in = std::string(MADVTRACE_GOLDEN_DIRECTORY "/") + std::string(GetParam().name);
  if (std::getenv("MADVTRACE_UPDATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(expected_in);
    for (const auto& [name, text] : made) test::write_all(expected_in + "/" + name, text);
  }
  const Files expected = files_of(expected_in);
  std::set<std::string> names;
  for (const Files* files : {&made, &expected}) {
    for (const auto& [name, text] : *files) names.insert(name);
  }
  for (const std::string& name : names) {
    ASSERT_TRUE(expected.contains(name)) << name << " was not expected";
    ASSERT_TRUE(made.contains(name)) << name << " was expected";
    EXPECT_EQ(made.at(name), expected.at(name)) << expected_in << "/" << name;
  }
}

TEST_P(Golden, ReplaysTheSameTwice) {
  StreamBuilder stream;
  GetParam().build(stream);
  ASSERT_NO_FATAL_FAILURE(record(stream, temporary / "run.mv"));
  EXPECT_EQ(replay_to_files(temporary / "run.mv", temporary / "one"),
            replay_to_files(temporary / "run.mv", temporary / "two"));
}

std::string name_of(const testing::TestParamInfo<Case>& info) { return std::string(info.param.name); }

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::ValuesIn(kCases), name_of);

// A folder that no case writes any more would never be compared.
TEST(GoldenFolders, AllBelongToACase) {
  for (const auto& entry : std::filesystem::directory_iterator(MADVTRACE_GOLDEN_DIRECTORY)) {
    if (!entry.is_directory()) continue;
    const std::string name = entry.path().filename().string();
    EXPECT_TRUE(std::any_of(kCases.begin(), kCases.end(), [&](const Case& c) { return c.name == name; })) << name;
  }
}

}  // namespace
}  // namespace madvtrace
