// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bpf/records.h"
#include "stream/collector_record.h"
#include "stream/decoder.h"
#include "tests/support/stream_builder.h"

namespace madvtrace {
namespace {

using test::kStartMonoNs;
using test::StreamBuilder;
using test::view;
using test::walked;

Decoded decode(const std::string& record) { return decode_record(view(record)); }

template <class E>
E decode_as(const std::string& record) {
  const Decoded decoded = decode(record);
  if (!decoded.event || !std::holds_alternative<E>(*decoded.event)) {
    ADD_FAILURE() << "not decoded: " << loss_name(loss_cause(decoded.error));
    return {};
  }
  return std::get<E>(*decoded.event);
}

// The same bytes with a member set to something else.
template <class T>
std::string with(std::string record, std::size_t offset, T value) {
  std::memcpy(record.data() + offset, &value, sizeof(value));
  return record;
}

std::string last(const StreamBuilder& stream) { return stream.records().back(); }

std::string a_call(wire_kind kind = WIRE_RELEASE_BEGIN) {
  StreamBuilder stream;
  stream.at(5).on(10, 11).named("worker").lost(3);
  test::CallSpec call = test::madvise(0x10000, 0x3000, 4);
  call.stack_key = 77;
  wire_walk walk = walked(3, 2, 1, WIRE_WALK_CAPPED | WIRE_WALK_FILE);
  walk.huge_pages = 1;
  if (kind == WIRE_RELEASE_BEGIN) {
    stream.begin(call, walk);
  } else {
    stream.plain(call, 4, -22, walk);
  }
  return last(stream);
}

std::vector<std::string> one_of_each_kind() {
  StreamBuilder stream;
  stream.begin(test::munmap(0x1000, 0x1000), walked(1)).range(0, 0x2000, 0x1000, walked(1)).end(0, 0);
  stream.plain(test::madvise(0x1000, 0x1000, 15), 0, 0);
  stream.refault(0x1000).reclaimed(0x1000, 1, WIRE_RECLAIM_KSWAPD).look({.chunk_addr = 0, .clean = {{0, 1}}});
  stream.rss_begin({.anon = 1}).rss_changes(WIRE_RSS_FAULT, {.anon = 1}, {});
  stream.stack(7, {1, 2, 3}).fork(12, true).gc_start().gc_end().exec().exit(0);
  stream.start();  // two kinds of the collector's
  stream.add(ClockAnchor{.utc_minus_mono_ns = -5}).add(Sample{.rss_bytes = 1}).add(Frames{.stack_key = 7, .text = "f"});
  stream.add(Loss{.cause = "ring", .count = 1}).add(CommandEnd{.pid = 1, .wait_status = 2});
  stream.add(GroupInfo{.name = "web"}).add(GroupSample{.counts = {.oom_kills = 1}}).add(LeftOut{.comm = "sh"});
  stream.finish();
  return stream.records();
}

std::string collector_record(CollectorKind kind, std::string_view body) {
  wire_header header{};
  header.size = static_cast<std::uint32_t>(sizeof(header) + body.size());
  header.kind = static_cast<std::uint16_t>(kind);
  return test::bytes_of(header) + std::string(body);
}

TEST(Decoder, ReadsABegin) {
  const auto begin = decode_as<ReleaseBegin>(a_call());
  EXPECT_EQ(begin.stamp.mono_ns, kStartMonoNs + 5);
  EXPECT_EQ(begin.stamp.pid, 10U);
  EXPECT_EQ(begin.stamp.tid, 11U);
  EXPECT_EQ(begin.stamp.lost, 3U);
  EXPECT_EQ(begin.call.kind, CallKind::kMadvise);
  EXPECT_EQ(begin.call.args, (std::array<std::uint64_t, 6>{0x10000, 0x3000, 4, 0, 0, 0}));
  EXPECT_EQ(begin.call.begin_ns, kStartMonoNs + 5);
  EXPECT_EQ(begin.call.stack_key, 77U);
  EXPECT_EQ(begin.call.cgroup_id, 4242U);
  EXPECT_EQ(std::string_view(begin.call.comm.data()), "worker");
  EXPECT_FALSE(begin.call.remote);
  EXPECT_EQ(begin.range, (AddressRange{0x10000, 0x13000}));
  EXPECT_EQ(begin.walk.resident_pages, 3U);
  EXPECT_EQ(begin.walk.clean_pages, 2U);
  EXPECT_EQ(begin.walk.huge_pages, 1U);
  EXPECT_EQ(begin.walk.swap_pages, 1U);
  EXPECT_TRUE(begin.walk.done);
  EXPECT_TRUE(begin.walk.capped);
  EXPECT_TRUE(begin.walk.file);
  EXPECT_FALSE(begin.walk.sampled);
  EXPECT_FALSE(begin.walk.clean_unknown);
}

TEST(Decoder, ReadsEveryFlag) {
  const std::size_t flags = offsetof(wire_call, flags);
  EXPECT_TRUE(decode_as<ReleaseBegin>(with<std::uint16_t>(a_call(), flags, WIRE_CALL_REMOTE)).call.remote);
  const std::size_t walk_flags = offsetof(wire_call, walk) + offsetof(wire_walk, flags);
  const auto none = decode_as<ReleaseBegin>(with<std::uint32_t>(a_call(), walk_flags, 0)).walk;
  EXPECT_FALSE(none.done || none.capped || none.sampled || none.file || none.clean_unknown);
  EXPECT_TRUE(decode_as<ReleaseBegin>(with<std::uint32_t>(a_call(), walk_flags, WIRE_WALK_SAMPLED)).walk.sampled);
  EXPECT_TRUE(
      decode_as<ReleaseBegin>(with<std::uint32_t>(a_call(), walk_flags, WIRE_WALK_CLEAN_UNKNOWN)).walk.clean_unknown);
}

TEST(Decoder, ReadsTheStartAndTheEndOfACollection) {
  StreamBuilder stream;
  stream.at(5).on(10, 11).named("worker").lost(3).gc_start(WIRE_GC_FORCED);
  const auto start = decode_as<GcMark>(last(stream));
  EXPECT_EQ(start.stamp.mono_ns, kStartMonoNs + 5);
  EXPECT_EQ(start.stamp.pid, 10U);
  EXPECT_EQ(start.stamp.tid, 11U);
  EXPECT_EQ(start.stamp.lost, 3U);
  EXPECT_TRUE(start.is_start);
  EXPECT_EQ(start.trigger, GcTrigger::kForced);
  EXPECT_EQ(start.cgroup_id, 4242U);
  EXPECT_EQ(std::string_view(start.comm.data()), "worker");
  const auto end = decode_as<GcMark>(last(stream.gc_end()));
  EXPECT_FALSE(end.is_start);
  EXPECT_EQ(end.trigger, std::nullopt);
}

// It comes out of a register of the traced program, which may have anything there.
TEST(Decoder, ATriggerThatIsNoneIsUnknown) {
  StreamBuilder stream;
  EXPECT_EQ(decode_as<GcMark>(last(stream.gc_start(WIRE_GC_HEAP))).trigger, GcTrigger::kHeap);
  EXPECT_EQ(decode_as<GcMark>(last(stream.gc_start(WIRE_GC_TIME))).trigger, GcTrigger::kTime);
  for (const std::int32_t trigger : {-1, 3, 255, INT32_MIN, INT32_MAX}) {
    EXPECT_EQ(decode_as<GcMark>(last(stream.gc_start(trigger))).trigger, std::nullopt) << trigger;
  }
  const std::string end = with<std::int32_t>(last(stream.gc_end()), offsetof(wire_gc, trigger), WIRE_GC_TIME);
  EXPECT_EQ(decode_as<GcMark>(end).trigger, std::nullopt) << "an end has none";
}

TEST(Decoder, ReadsAPlainCall) {
  const auto call = decode_as<PlainCall>(a_call(WIRE_CALL));
  EXPECT_EQ(call.ret, -22);
  EXPECT_EQ(call.call.begin_ns, kStartMonoNs + 4);
  EXPECT_EQ(call.stamp.mono_ns, kStartMonoNs + 5);
  EXPECT_EQ(call.walk.resident_pages, 3U);
}

TEST(Decoder, ReadsARangeAndAnEnd) {
  StreamBuilder stream;
  const auto range = decode_as<ReleaseRange>(last(stream.range(9, 0x5000, 0x2000, walked(2))));
  EXPECT_EQ(range.begin_ns, kStartMonoNs + 9);
  EXPECT_EQ(range.range, (AddressRange{0x5000, 0x7000}));
  EXPECT_EQ(range.walk.resident_pages, 2U);
  const auto end = decode_as<ReleaseEnd>(last(stream.end(9, -12, walked(6))));
  EXPECT_EQ(end.begin_ns, kStartMonoNs + 9);
  EXPECT_EQ(end.ret, -12);
  EXPECT_EQ(end.after.resident_pages, 6U);
  EXPECT_FALSE(decode_as<ReleaseEnd>(last(stream.end(9, 0))).after.done);
}

TEST(Decoder, ReadsAStack) {
  const auto stack = decode_as<Stack>(last(StreamBuilder().stack(7, {30, 20, 10})));
  EXPECT_EQ(stack.stack_key, 7U);
  EXPECT_EQ(stack.addresses, (std::vector<std::uint64_t>{30, 20, 10}));
  const std::vector<std::uint64_t> deep(WIRE_STACK_DEPTH, 1);
  EXPECT_EQ(decode_as<Stack>(last(StreamBuilder().stack(7, deep))).addresses, deep);
}

TEST(Decoder, ReadsAForkAnExecAndAnExit) {
  const auto fork = decode_as<Fork>(last(StreamBuilder().on(1, 2).fork(12, true)));
  EXPECT_EQ(fork.stamp.pid, 1U);
  EXPECT_EQ(fork.child_pid, 12U);
  EXPECT_TRUE(fork.followed);
  EXPECT_FALSE(decode_as<Fork>(last(StreamBuilder().fork(12, false))).followed);
  const auto exec = decode_as<Exec>(last(StreamBuilder().named("exactly16bytes!!").exec()));
  EXPECT_EQ(exec.cgroup_id, 4242U);
  EXPECT_EQ(std::string_view(exec.comm.data(), exec.comm.size()), "exactly16bytes!!");
  EXPECT_EQ(decode_as<Exit>(last(StreamBuilder().exit(-1))).wait_status, -1);
}

TEST(Decoder, ReadsBackWhatTheCollectorWrote) {
  StreamBuilder stream;
  stream.start();
  const auto info = decode_as<RunInfo>(stream.records()[0]);
  EXPECT_EQ(info.argv, (std::vector<std::string>{"madvtrace", "-p", "100"}));
  EXPECT_EQ(info.labels, (std::map<std::string, std::string>{{"service", "shop"}}));
  EXPECT_EQ(info.capabilities.at("page_walk"), "yes");
  EXPECT_EQ(info.version, "0.1.0 (test)");
  EXPECT_EQ(info.kernel, "6.18.0 x86_64");
  EXPECT_EQ(info.tier, "base");
  EXPECT_EQ(info.started_mono_ns, kStartMonoNs);
  EXPECT_EQ(info.started_utc_ns, test::kStartUtcNs);
  const auto process = decode_as<ProcessInfo>(stream.records()[1]);
  EXPECT_EQ(process.stamp.pid, 100U);
  EXPECT_EQ(process.exe, "/usr/bin/server");
  EXPECT_EQ(process.build_id, "0123456789abcdef");
  EXPECT_EQ(process.cgroup, "/system.slice/server.service");
  EXPECT_EQ(process.start_utc_ns, test::kStartUtcNs - 60'000'000'000);
  EXPECT_EQ(decode_as<ClockAnchor>(last(stream.add(ClockAnchor{.utc_minus_mono_ns = -5}))).utc_minus_mono_ns, -5);
  const auto frames = decode_as<Frames>(last(stream.add(Frames{.stack_key = UINT64_MAX, .text = "main.f;\"g\""})));
  EXPECT_EQ(frames.stack_key, UINT64_MAX);
  EXPECT_EQ(frames.text, "main.f;\"g\"");
  const auto loss = decode_as<Loss>(last(stream.add(Loss{.cause = "end_ring_full", .count = 9})));
  EXPECT_EQ(loss.cause, "end_ring_full");
  EXPECT_EQ(loss.count, 9U);
  const auto command = decode_as<CommandEnd>(last(stream.add(CommandEnd{.pid = 5, .wait_status = 256})));
  EXPECT_EQ(command.pid, 5U);
  EXPECT_EQ(command.wait_status, 256);
  const auto end = decode_as<RunEnd>(last(stream.at(8).finish()));
  EXPECT_EQ(end.ended_mono_ns, kStartMonoNs + 8);
  EXPECT_EQ(end.self_cpu_ns, 12'000'000U);
  EXPECT_EQ(end.self_max_rss_bytes, 8'388'608U);
}

TEST(Decoder, OfASampleZeroIsNotUnknown) {
  const auto sample = decode_as<Sample>(last(StreamBuilder().on(7, 7).add(
      Sample{.rss_bytes = 4096, .swap_bytes = 0, .page_tables_bytes = 1, .lazyfree_bytes = 2, .anon_huge_bytes = 3})));
  EXPECT_EQ(sample.stamp.pid, 7U);
  EXPECT_EQ(sample.rss_bytes, 4096U);
  EXPECT_EQ(sample.swap_bytes, 0U);
  EXPECT_EQ(sample.page_tables_bytes, 1U);
  EXPECT_EQ(sample.lazyfree_bytes, 2U);
  EXPECT_EQ(sample.anon_huge_bytes, 3U);
  EXPECT_EQ(sample.rss_anon_bytes, std::nullopt);
  EXPECT_EQ(sample.rss_file_bytes, std::nullopt);
  EXPECT_EQ(sample.rss_shmem_bytes, std::nullopt);
}

TEST(Decoder, ReadsBackWhatAGroupIs) {
  const auto info = decode_as<GroupInfo>(last(StreamBuilder().add(GroupInfo{.name = "we\"b\n",
                                                                            .path = "/docker/0123",
                                                                            .controllers = {"cpu", "cpuacct"},
                                                                            .id = UINT64_MAX,
                                                                            .how = "process 17 of /run/x",
                                                                            .container_id = "0123",
                                                                            .container_name = "web",
                                                                            .go_only = true})));
  EXPECT_EQ(info.name, "we\"b\n");
  EXPECT_EQ(info.path, "/docker/0123");
  EXPECT_EQ(info.controllers, (std::vector<std::string>{"cpu", "cpuacct"}));
  EXPECT_EQ(info.id, UINT64_MAX);
  EXPECT_EQ(info.how, "process 17 of /run/x");
  EXPECT_EQ(info.container_id, "0123");
  EXPECT_EQ(info.container_name, "web");
  EXPECT_TRUE(info.go_only);
  const auto nothing = decode_as<GroupInfo>(last(StreamBuilder().add(GroupInfo{})));
  EXPECT_TRUE(nothing.controllers.empty());
  EXPECT_EQ(nothing.container_id, "");
  EXPECT_FALSE(nothing.go_only);

  const auto left_out = decode_as<LeftOut>(
      last(StreamBuilder().on(7, 7).add(LeftOut{.start_utc_ns = 5, .comm = "sh", .exe = "/bin/sh"})));
  EXPECT_EQ(left_out.stamp.pid, 7U);
  EXPECT_EQ(left_out.start_utc_ns, 5U);
  EXPECT_EQ(left_out.comm, "sh");
  EXPECT_EQ(left_out.exe, "/bin/sh");

  EXPECT_TRUE(decode_as<ProcessInfo>(last(StreamBuilder().add(ProcessInfo{.outside_group = true}))).outside_group);
  EXPECT_FALSE(decode_as<ProcessInfo>(last(StreamBuilder().add(ProcessInfo{}))).outside_group);
}

TEST(Decoder, OfAGroupsSampleZeroIsNotUnknown) {
  const auto sample = decode_as<GroupSample>(last(StreamBuilder().at(5).on(0, 0).add(GroupSample{
      .charge = {.usage_bytes = 1,
                 .working_set_bytes = 2,
                 .inactive_file_bytes = 3,
                 .limit_bytes = 4,
                 .deferred_split_bytes = 5},
      .counts = {.oom_kills = 0, .high_events = 6, .max_events = 7, .pressure_some_us = 8, .pressure_full_us = 9},
      .processes = 10})));
  EXPECT_EQ(sample.stamp.mono_ns, kStartMonoNs + 5);
  EXPECT_EQ(sample.stamp.pid, 0U);
  EXPECT_EQ(sample.charge.usage_bytes, 1U);
  EXPECT_EQ(sample.charge.working_set_bytes, 2U);
  EXPECT_EQ(sample.charge.inactive_file_bytes, 3U);
  EXPECT_EQ(sample.charge.limit_bytes, 4U);
  EXPECT_EQ(sample.charge.deferred_split_bytes, 5U);
  EXPECT_EQ(sample.counts.oom_kills, 0U);
  EXPECT_EQ(sample.counts.high_events, 6U);
  EXPECT_EQ(sample.counts.max_events, 7U);
  EXPECT_EQ(sample.counts.pressure_some_us, 8U);
  EXPECT_EQ(sample.counts.pressure_full_us, 9U);
  EXPECT_EQ(sample.processes, 10U);
  const auto unknown = decode_as<GroupSample>(last(StreamBuilder().add(GroupSample{})));
  for (const auto& value :
       {unknown.charge.usage_bytes, unknown.charge.working_set_bytes, unknown.charge.inactive_file_bytes,
        unknown.charge.limit_bytes, unknown.charge.deferred_split_bytes, unknown.counts.oom_kills,
        unknown.counts.high_events, unknown.counts.max_events, unknown.counts.pressure_some_us,
        unknown.counts.pressure_full_us, unknown.processes}) {
    EXPECT_EQ(value, std::nullopt);
  }
}

TEST(Decoder, AHostileGroupIsReadAsFarAsItMakesSense) {
  const auto info = decode_as<GroupInfo>(collector_record(
      CollectorKind::kGroupInfo,
      R"({"name":7,"path":["/"],"controllers":["a",1,{}],"id":-1,"container_id":null,"go_only":"yes"})"));
  EXPECT_EQ(info.name, "");
  EXPECT_EQ(info.path, "");
  EXPECT_EQ(info.controllers, (std::vector<std::string>{"a"}));
  EXPECT_EQ(info.id, 0U);
  EXPECT_FALSE(info.go_only);
  const auto sample = decode_as<GroupSample>(collector_record(
      CollectorKind::kGroupSample, R"({"oom_kills":-1,"high_events":1.5,"max_events":"3","processes":[1]})"));
  EXPECT_EQ(sample.counts.oom_kills, std::nullopt);
  EXPECT_EQ(sample.counts.high_events, std::nullopt);
  EXPECT_EQ(sample.counts.max_events, std::nullopt);
  EXPECT_EQ(sample.processes, std::nullopt);
  for (const CollectorKind kind : {CollectorKind::kGroupInfo, CollectorKind::kGroupSample, CollectorKind::kLeftOut}) {
    EXPECT_TRUE(decode(collector_record(kind, "{}")).event);
    EXPECT_FALSE(decode(collector_record(kind, "[]")).event);
    EXPECT_FALSE(decode(collector_record(kind, "{\"name\":\"\xff\"}")).event);
  }
}

TEST(Decoder, OnlyTheCollectorsEventsAreEncoded) {
  EXPECT_EQ(encode_record(Fork{}, 0), "");
  EXPECT_EQ(encode_record(ReleaseBegin{}, 0), "");
  // Over the limit.
  EXPECT_EQ(encode_record(Frames{.stack_key = 1, .text = std::string(kLargestRecordBytes, 'x')}, 0), "");
}

TEST(Decoder, CollectorRecordsAreAlignedAndSurviveAnyText) {
  for (const char* text : {"", "a", "ab", "\xff\xfe", "\"\\\n", "\x01"}) {
    const std::string record = encode_record(Frames{.stack_key = 1, .text = text}, 3);
    EXPECT_EQ(record.size() % 8, 0U);
    EXPECT_TRUE(decode(record).event) << text;
  }
}

// Every kind, cut off at every length: an error each time. With a header that admits
// to the new length it is the kind's own check that has to notice.
TEST(Decoder, RefusesEveryTruncation) {
  for (const std::string& whole : one_of_each_kind()) {
    ASSERT_TRUE(decode(whole).event);
    const std::size_t body = whole.find_last_not_of(' ') + 1;  // padding may be missing
    const bool collector = static_cast<unsigned char>(whole[4]) >= WIRE_COLLECTOR_FIRST;
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
      // Its own allocation, so that a sanitizer sees one byte too many.
      const std::vector<std::byte> cut(view(whole).begin(), view(whole).begin() + static_cast<std::ptrdiff_t>(bytes));
      const Decoded said_whole = decode_record(cut);
      EXPECT_FALSE(said_whole.event) << bytes;
      EXPECT_EQ(said_whole.error, bytes < sizeof(wire_header) ? DecodeError::kTruncated : DecodeError::kSize);
      if (bytes < sizeof(wire_header) || (collector && bytes >= body)) continue;
      const std::string honest = with(whole.substr(0, bytes), 0, static_cast<std::uint32_t>(bytes));
      EXPECT_FALSE(decode(honest).event) << "kind " << int{honest[4]} << ", " << bytes << " bytes";
    }
  }
}

TEST(Decoder, RefusesWhatIsTooLong) {
  for (const std::string& whole : one_of_each_kind()) {
    if (static_cast<unsigned char>(whole[4]) >= WIRE_COLLECTOR_FIRST) continue;
    const auto bytes = static_cast<std::uint32_t>(whole.size() + 8);
    EXPECT_FALSE(decode(with(whole + std::string(8, '\0'), 0, bytes)).event) << int{whole[4]};
  }
}

TEST(Decoder, RefusesAnotherSizeThanItHas) {
  for (const std::uint32_t size : {0U, 1U, 31U, 32U, 8U, 0x7fffffffU, 0xffffffffU}) {
    const Decoded decoded = decode(with(a_call(), 0, size));
    EXPECT_FALSE(decoded.event);
    EXPECT_EQ(decoded.error, DecodeError::kSize);
  }
}

TEST(Decoder, RefusesUnknownKinds) {
  for (const std::uint16_t kind : std::initializer_list<std::uint16_t>{0, WIRE_KERNEL_KINDS, 63, 76, 65535}) {
    const Decoded decoded = decode(with(a_call(), offsetof(wire_header, kind), kind));
    EXPECT_FALSE(decoded.event) << kind;
    EXPECT_EQ(decoded.error, DecodeError::kUnknownKind) << kind;
  }
}

TEST(Decoder, RefusesACallThatIsNone) {
  for (const std::uint16_t syscall : std::initializer_list<std::uint16_t>{0, 7, 65535}) {
    const Decoded decoded = decode(with(a_call(), offsetof(wire_call, syscall), syscall));
    EXPECT_FALSE(decoded.event);
    EXPECT_EQ(decoded.error, DecodeError::kField);
  }
}

TEST(Decoder, RefusesAWrongStackDepth) {
  const std::string stack = last(StreamBuilder().stack(7, {1, 2, 3}));
  for (const std::uint32_t depth : {0U, 2U, 4U, 64U, 65U, 0x20000003U, 0xffffffffU}) {
    EXPECT_FALSE(decode(with(stack, offsetof(wire_stack, depth), depth)).event) << depth;
  }
  const std::string deep = last(StreamBuilder().stack(7, std::vector<std::uint64_t>(WIRE_STACK_DEPTH, 1)));
  const Decoded too_deep = decode(with(deep, offsetof(wire_stack, depth), std::uint32_t{65}));
  EXPECT_FALSE(too_deep.event);
  EXPECT_EQ(too_deep.error, DecodeError::kField);
}

TEST(Decoder, RefusesMorePagesThanAnAddressSpaceHas) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 45;
  for (const std::size_t member : {offsetof(wire_walk, resident_pages), offsetof(wire_walk, clean_pages),
                                   offsetof(wire_walk, huge_pages), offsetof(wire_walk, swap_pages)}) {
    EXPECT_TRUE(decode(with(a_call(), offsetof(wire_call, walk) + member, kMost)).event);
    EXPECT_FALSE(decode(with(a_call(), offsetof(wire_call, walk) + member, kMost + 1)).event);
    EXPECT_FALSE(decode(with(a_call(WIRE_CALL), offsetof(wire_call, walk) + member, UINT64_MAX)).event);
    const std::string range = last(StreamBuilder().range(0, 0, 0, walked(0)));
    EXPECT_FALSE(decode(with(range, offsetof(wire_range, walk) + member, UINT64_MAX)).event);
    const std::string end = last(StreamBuilder().end(0, 0));
    EXPECT_FALSE(decode(with(end, offsetof(wire_end, after) + member, UINT64_MAX)).event);
  }
}

TEST(Decoder, RefaultsOfWholePagesOnly) {
  const std::string record = last(StreamBuilder().on(7, 8).refault(0xc000001000, /*swapped=*/true));
  const auto refault = decode_as<Refault>(record);
  EXPECT_EQ(refault.stamp.pid, 7U);
  EXPECT_EQ(refault.stamp.tid, 8U);
  EXPECT_EQ(refault.addr, 0xc000001000U);
  EXPECT_TRUE(refault.swapped);
  EXPECT_FALSE(decode_as<Refault>(with(record, offsetof(wire_refault, flags), 0U)).swapped);
  for (const std::uint64_t address : {std::uint64_t{0xc000001001}, UINT64_MAX, UINT64_MAX - 4095}) {
    const Decoded decoded = decode(with(record, offsetof(wire_refault, addr), address));
    EXPECT_FALSE(decoded.event) << address;
    EXPECT_EQ(decoded.error, DecodeError::kField);
  }
}

TEST(Decoder, ReclaimedAreWholePagesInTheAddressSpace) {
  const std::string record =
      last(StreamBuilder().at(5).on(7, 8).lost(3).reclaimed(0xc000001000, 512, WIRE_RECLAIM_DAMON));
  const auto reclaimed = decode_as<Reclaimed>(record);
  EXPECT_EQ(reclaimed.stamp.mono_ns, kStartMonoNs + 5);
  EXPECT_EQ(reclaimed.stamp.pid, 7U);
  EXPECT_EQ(reclaimed.stamp.tid, 0U);
  EXPECT_EQ(reclaimed.stamp.lost, 3U);
  EXPECT_EQ(reclaimed.addr, 0xc000001000U);
  EXPECT_EQ(reclaimed.pages, 512U);
  EXPECT_EQ(reclaimed.by, Reclaimer::kDamon);
  for (std::uint32_t by = 0; by < WIRE_RECLAIMERS; ++by) {
    EXPECT_EQ(decode_as<Reclaimed>(with(record, offsetof(wire_reclaimed, by), by)).by, static_cast<Reclaimer>(by));
  }
  const auto refuses = [](const std::string& bad) {
    const Decoded decoded = decode(bad);
    return !decoded.event && decoded.error == DecodeError::kField;
  };
  for (const std::uint32_t by : {std::uint32_t{WIRE_RECLAIMERS}, UINT32_MAX}) {
    EXPECT_TRUE(refuses(with(record, offsetof(wire_reclaimed, by), by))) << by;
  }
  EXPECT_TRUE(refuses(with(record, offsetof(wire_reclaimed, pages), 0U)));
  for (const std::uint64_t address : {std::uint64_t{0xc000001001}, std::uint64_t{1}, UINT64_MAX}) {
    EXPECT_TRUE(refuses(with(record, offsetof(wire_reclaimed, addr), address))) << address;
  }
  // The last page that still has an end; with two of them it would wrap.
  const std::string at_the_end = with(record, offsetof(wire_reclaimed, addr), UINT64_MAX - 2 * kPageBytes + 1);
  EXPECT_EQ(decode_as<Reclaimed>(with(at_the_end, offsetof(wire_reclaimed, pages), 1U)).addr, UINT64_MAX - 8191);
  EXPECT_TRUE(refuses(with(at_the_end, offsetof(wire_reclaimed, pages), 2U)));
  EXPECT_TRUE(refuses(with(at_the_end, offsetof(wire_reclaimed, pages), UINT32_MAX)));
}

TEST(Decoder, ReadsWhatRssBeginsWithMemberByMember) {
  const auto begin = decode_as<RssBegin>(
      last(StreamBuilder().at(5).on(7, 8).lost(3).rss_begin({.file = 1, .anon = 2, .swap = 3, .shmem = 4})));
  EXPECT_EQ(begin.stamp.mono_ns, kStartMonoNs + 5);
  EXPECT_EQ(begin.stamp.pid, 7U);
  EXPECT_EQ(begin.stamp.lost, 3U);
  EXPECT_EQ(begin.pages.file, 1U);
  EXPECT_EQ(begin.pages.anon, 2U);
  EXPECT_EQ(begin.pages.swap, 3U);
  EXPECT_EQ(begin.pages.shmem, 4U);
}

TEST(Decoder, ReadsWhatChangedRssAndWho) {
  StreamBuilder stream;
  const auto changes =
      decode_as<RssChanges>(last(stream.at(5).on(7, 8).rss_changes(WIRE_RSS_RELEASE, {1, 2, 3, 4}, {5, 6, 7, 8})));
  EXPECT_EQ(changes.stamp.mono_ns, kStartMonoNs + 5);
  EXPECT_EQ(changes.stamp.pid, 7U);
  EXPECT_EQ(changes.gained.file, 1U);
  EXPECT_EQ(changes.gained.shmem, 4U);
  EXPECT_EQ(changes.lost.file, 5U);
  EXPECT_EQ(changes.lost.anon, 6U);
  EXPECT_EQ(changes.lost.swap, 7U);
  EXPECT_EQ(changes.lost.shmem, 8U);
  constexpr std::array kCauses{RssCause::kFault, RssCause::kRelease, RssCause::kKhugepaged, RssCause::kOomReaper,
                               RssCause::kOther};
  for (std::uint32_t cause = 0; cause < WIRE_RSS_CAUSES; ++cause) {
    const auto of_cause = decode_as<RssChanges>(last(stream.rss_changes(cause, {}, {})));
    if (cause < WIRE_RSS_RECLAIM) {
      EXPECT_EQ(of_cause.cause, kCauses.at(cause));
      EXPECT_EQ(of_cause.by, std::nullopt);
    } else {
      EXPECT_EQ(of_cause.cause, RssCause::kReclaim);
      EXPECT_EQ(of_cause.by, static_cast<Reclaimer>(cause - WIRE_RSS_RECLAIM));
    }
  }
}

TEST(Decoder, RefusesRssThatCannotBe) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 51;
  const std::string begin = last(StreamBuilder().rss_begin({}));
  const std::string changes = last(StreamBuilder().rss_changes(WIRE_RSS_FAULT, {}, {}));
  for (const std::string& record : {begin, changes}) {
    for (const std::uint32_t cause : {std::uint32_t{WIRE_RSS_CAUSES}, UINT32_MAX}) {
      const Decoded decoded = decode(with(record, offsetof(wire_rss, cause), cause));
      EXPECT_FALSE(decoded.event) << cause;
      EXPECT_EQ(decoded.error, DecodeError::kField);
    }
    for (const std::size_t members : {offsetof(wire_rss, gained_pages), offsetof(wire_rss, lost_pages)}) {
      for (std::size_t member = 0; member < WIRE_RSS_MEMBERS; ++member) {
        const std::size_t offset = members + member * sizeof(__u64);
        EXPECT_TRUE(decode(with(record, offset, kMost)).event) << offset;
        for (const std::uint64_t pages : {kMost + 1, UINT64_MAX}) {
          const Decoded decoded = decode(with(record, offset, pages));
          EXPECT_FALSE(decoded.event) << offset;
          EXPECT_EQ(decoded.error, DecodeError::kField);
        }
      }
    }
  }
}

TEST(Decoder, AHostileRangeDoesNotWrap) {
  std::string record = with(a_call(), offsetof(wire_call, range_addr), UINT64_MAX - 1);
  record = with(record, offsetof(wire_call, range_bytes), UINT64_MAX);
  EXPECT_TRUE(decode_as<ReleaseBegin>(record).range.empty());
}

TEST(Decoder, RefusesABodyThatIsNoJsonObject) {
  for (const std::string_view body : {"", "  ", "null", "1", "[]", "\"x\"", "{", "{}}", "{} {}", "{\"a\":}",
                                      "{\"a\":\"\xff\"}", "\xff\xfe", "{'a':1}"}) {
    const Decoded decoded = decode(collector_record(CollectorKind::kSample, body));
    EXPECT_FALSE(decoded.event) << body;
    EXPECT_EQ(decoded.error, DecodeError::kField) << body;
  }
}

TEST(Decoder, SurvivesDeepNesting) {
  constexpr std::size_t kDepth = 500'000;
  EXPECT_FALSE(decode(collector_record(CollectorKind::kSample, std::string(kDepth, '['))).event);
  const std::string nested = "{\"labels\":" + std::string(kDepth, '[') + std::string(kDepth, ']') + "}";
  EXPECT_TRUE(decode_as<RunInfo>(collector_record(CollectorKind::kRunInfo, nested)).labels.empty());
}

TEST(Decoder, MembersThatAreMissingHaveDefaults) {
  EXPECT_TRUE(decode_as<RunInfo>(collector_record(CollectorKind::kRunInfo, "{}")).argv.empty());
  EXPECT_EQ(decode_as<ClockAnchor>(collector_record(CollectorKind::kClockAnchor, "{}")).utc_minus_mono_ns, 0);
  EXPECT_EQ(decode_as<ProcessInfo>(collector_record(CollectorKind::kProcessInfo, "{}")).exe, "");
  EXPECT_EQ(decode_as<Sample>(collector_record(CollectorKind::kSample, "{}")).rss_bytes, std::nullopt);
  EXPECT_EQ(decode_as<Frames>(collector_record(CollectorKind::kFrames, "{}")).stack_key, 0U);
  EXPECT_EQ(decode_as<Loss>(collector_record(CollectorKind::kLoss, "{}")).count, 0U);
  EXPECT_EQ(decode_as<CommandEnd>(collector_record(CollectorKind::kCommandEnd, "{}")).pid, 0U);
  EXPECT_EQ(decode_as<RunEnd>(collector_record(CollectorKind::kRunEnd, "{}")).ended_mono_ns, 0U);
}

TEST(Decoder, MembersOfAnotherTypeAreAsIfMissing) {
  for (const std::string_view value :
       {"null", "\"1\"", "-1", "1.5", "[]", "{}", "1e999", "true", "99999999999999999999999"}) {
    const std::string body = "{\"rss_bytes\":" + std::string(value) + "}";
    const Decoded decoded = decode(collector_record(CollectorKind::kSample, body));
    // A number that no double holds makes the whole text bad.
    if (!decoded.event) continue;
    EXPECT_EQ(std::get<Sample>(*decoded.event).rss_bytes, std::nullopt) << value;
  }
  const auto info = decode_as<RunInfo>(collector_record(
      CollectorKind::kRunInfo, R"({"version":1,"argv":["a",2,null,"b"],"labels":{"k":1,"l":"v"},"capabilities":[]})"));
  EXPECT_EQ(info.version, "");
  EXPECT_EQ(info.argv, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(info.labels, (std::map<std::string, std::string>{{"l", "v"}}));
  EXPECT_TRUE(info.capabilities.empty());
}

TEST(Decoder, MembersOfALaterVersionAreIgnored) {
  EXPECT_EQ(decode_as<Loss>(collector_record(CollectorKind::kLoss, R"({"cause":"x","count":2,"new":[{}]})")).count, 2U);
}

TEST(Decoder, EveryErrorHasAName) {
  EXPECT_EQ(loss_name(loss_cause(DecodeError::kTruncated)), "bad_record_truncated");
  EXPECT_EQ(loss_name(loss_cause(DecodeError::kSize)), "bad_record_size");
  EXPECT_EQ(loss_name(loss_cause(DecodeError::kUnknownKind)), "bad_record_unknown_kind");
  EXPECT_EQ(loss_name(loss_cause(DecodeError::kField)), "bad_record_field");
}

}  // namespace
}  // namespace madvtrace
