// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sinks/csv_field.h"
#include "sinks/csv_sink.h"
#include "sinks/sample_columns.h"
#include "sinks/tables.h"
#include "tests/support/temp_directory.h"

namespace madvtrace {
namespace {

using std::string_view_literals::operator""sv;

std::string field(std::string_view text) {
  std::string out;
  CsvLine(out).text(text);
  return out;
}

// A reader by RFC 4180, independent of the writer: the fields of one line.
std::vector<std::string> parse_line(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (quoted && c == '"' && at + 1 < line.size() && line[at + 1] == '"') {
      fields.back() += '"';
      ++at;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else if (c != '\n' || quoted) {
      fields.back() += c;
    }
  }
  EXPECT_FALSE(quoted) << line;
  return fields;
}

Comm comm_of(std::string_view text) {
  Comm comm{};
  std::copy_n(text.begin(), std::min(text.size(), comm.size()), comm.begin());
  return comm;
}

CallRow full_row() {
  return {.ts_ns = 1,
          .mono_ns = 2,
          .pid = 3,
          .tid = 4,
          .comm = comm_of("a,\"b\""),
          .cgroup_id = 5,
          .call = CallKind::kMadvise,
          .advice = 4,
          .addr = 0xc000000000,
          .len_bytes = 6,
          .ret = -12,
          .dur_ns = 7,
          .resident_bytes = 8,
          .lazyfree_bytes = 9,
          .swap_bytes = 10,
          .rss_delta_bytes = -11,
          .quality = Quality::kBounded,
          .stack_id = 12};
}

template <class Row>
std::string line_of(const Row& row) {
  std::string out;
  append_line(out, row);
  return out;
}

TEST(CsvField, PlainTextStandsAsItIs) {
  EXPECT_EQ(field("server"), "server");
  EXPECT_EQ(field(""), "");
  EXPECT_EQ(field("runtime.(*mheap).sysAlloc;main.main"), "runtime.(*mheap).sysAlloc;main.main");
  EXPECT_EQ(field("a b"), "a b");
}

TEST(CsvField, QuotesWhatWouldBreakALine) {
  EXPECT_EQ(field("a,b"), "\"a,b\"");
  EXPECT_EQ(field("say \"hi\""), "\"say \"\"hi\"\"\"");
  EXPECT_EQ(field("\""), "\"\"\"\"");
  EXPECT_EQ(field(" a"), "\" a\"");
  EXPECT_EQ(field("a "), "\"a \"");
  EXPECT_EQ(field(","), "\",\"");
}

TEST(CsvField, ControlCharactersNeverGetThrough) {
  EXPECT_EQ(field("a\nb"), "a\\x0ab");
  EXPECT_EQ(field("a\rb"), "a\\x0db");
  EXPECT_EQ(field("a\0b"sv), "a\\x00b");
  EXPECT_EQ(field("\x1b[31m"), "\\x1b[31m");
  EXPECT_EQ(field("\x7f"), "\\x7f");
  EXPECT_EQ(field("\t"), "\\x09");
}

TEST(CsvField, IsAlwaysUtf8) {
  EXPECT_EQ(field("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(field("\xff"), bad);
  EXPECT_EQ(field("\xc3"), bad);                                // cut off
  EXPECT_EQ(field("\xe2\x82"), bad + bad);                      // cut off
  EXPECT_EQ(field("\xc3("), bad + "(");                         // not continued
  EXPECT_EQ(field("\xc0\xaf"), bad + bad);                      // overlong '/'
  EXPECT_EQ(field("\xe0\x80\xaf"), bad + bad + bad);            // overlong '/'
  EXPECT_EQ(field("\xed\xa0\x80"), bad + bad + bad);            // a surrogate
  EXPECT_EQ(field("\xf4\x90\x80\x80"), bad + bad + bad + bad);  // above U+10FFFF
  EXPECT_EQ(field("\xf5\x80\x80\x80"), bad + bad + bad + bad);
}

TEST(CsvLine, SeparatesFieldsAndLeavesTheUnknownEmpty) {
  std::string out;
  CsvLine line(out);
  line.empty();
  line.number(std::optional<std::uint64_t>());
  line.hex(std::nullopt);
  line.plain("");
  line.number(std::optional<std::uint64_t>(0));
  line.end();
  EXPECT_EQ(out, ",,,,0\n");
}

TEST(CsvLine, WritesPlainIntegers) {
  std::string out;
  CsvLine line(out);
  line.number(std::numeric_limits<std::int64_t>::min());
  line.number(std::numeric_limits<std::uint64_t>::max());
  line.number(std::int32_t{-1});
  line.hex(0xc000000000);
  line.hex(0);
  EXPECT_EQ(out, "-9223372036854775808,18446744073709551615,-1,0xc000000000,0x0");
}

TEST(CsvTables, ACallFillsItsColumns) {
  EXPECT_EQ(line_of(full_row()),
            "1,2,3,4,\"a,\"\"b\"\"\",5,madvise,MADV_DONTNEED,0xc000000000,6,-12,7,8,9,10,-11,bounded,,12\n");
}

TEST(CsvTables, WhatIsUnknownIsEmptyAndNotZero) {
  CallRow row;
  row.call = CallKind::kExit;
  EXPECT_EQ(line_of(row), "0,0,,,,0,exit,,,,,,,,,,,,\n");
  row.rss_delta_bytes = 0;
  row.resident_bytes = 0;
  EXPECT_EQ(line_of(row), "0,0,,,,0,exit,,,,,,0,,,0,,,\n");
}

TEST(CsvTables, ASampleFillsItsColumns) {
  const SampleRow row{.ts_ns = 1,
                      .mono_ns = 2,
                      .pid = 3,
                      .sample = {.rss_bytes = 4,
                                 .rss_anon_bytes = 5,
                                 .rss_file_bytes = 6,
                                 .rss_shmem_bytes = 7,
                                 .swap_bytes = 8,
                                 .page_tables_bytes = 11,
                                 .lazyfree_bytes = 1,
                                 .anon_huge_bytes = 12,
                                 .rss_locked_bytes = 30,
                                 .group = {.usage_bytes = 13,
                                           .working_set_bytes = 14,
                                           .inactive_file_bytes = 15,
                                           .limit_bytes = 16,
                                           .deferred_split_bytes = 27,
                                           .shmem_bytes = 31,
                                           .kernel_bytes = 32,
                                           .active_file_bytes = 33},
                                 .go = {.heap_sys_bytes = 17,
                                        .heap_inuse_bytes = 1,
                                        .heap_idle_bytes = 2,
                                        .heap_released_bytes = 1,
                                        .stack_inuse_bytes = 0,
                                        .next_gc_bytes = 22,
                                        .num_gc = 23,
                                        .pause_total_ns = 24,
                                        .mallocs = 25,
                                        .frees = 26,
                                        .mapped_ready_bytes = 28,
                                        .memory_limit_bytes = 29,
                                        .gc_percent = -1,
                                        .metadata_sys_bytes = 1}}};
  EXPECT_EQ(line_of(row),
            "1,2,3,4,5,6,7,8,1,,11,12,13,14,15,16,17,1,2,1,0,22,23,24,25,26,27,28,29,-1,1,1,1,1,0,1,13,1,-14,30,31,32,"
            "33\n");
}

TEST(CsvTables, WhatIsOfAGroupHasNoPid) {
  EXPECT_EQ(line_of(CallRow{.ts_ns = 1,
                            .mono_ns = 2,
                            .cgroup_id = 3,
                            .call = CallKind::kMemoryPressure,
                            .ret = 4,
                            .dur_ns = 5,
                            .quality = Quality::kSampled}),
            "1,2,,,,3,memory_pressure,,,,4,5,,,,,sampled,,\n");
  for (const auto& [kind, name] :
       {std::pair{CallKind::kOomKill, "oom_kill"sv}, std::pair{CallKind::kMemoryHigh, "memory_high"sv},
        std::pair{CallKind::kMemoryMax, "memory_max"sv}}) {
    EXPECT_EQ(parse_line(line_of(CallRow{.call = kind})).at(6), name);
  }
  // Nothing of what its sums are made of.
  EXPECT_EQ(line_of(SampleRow{.ts_ns = 1,
                              .mono_ns = 2,
                              .pending_bytes = 9,
                              .sample = {.rss_bytes = 3,
                                         .rss_anon_bytes = 4,
                                         .rss_file_bytes = 5,
                                         .rss_shmem_bytes = 6,
                                         .swap_bytes = 7,
                                         .page_tables_bytes = 10,
                                         .lazyfree_bytes = 8,
                                         .anon_huge_bytes = 11,
                                         .group = {.usage_bytes = 12}}}),
            "1,2,,3,4,5,6,7,8,9,10,11,12,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n");
}

TEST(CsvTables, EveryLineHasAsManyFieldsAsItsHeader) {
  EXPECT_EQ(parse_line(line_of(full_row())).size(), parse_line(header_line<CallRow>()).size());
  EXPECT_EQ(parse_line(line_of(CallRow{})).size(), parse_line(header_line<CallRow>()).size());
  EXPECT_EQ(parse_line(line_of(SampleRow{})).size(), parse_line(header_line<SampleRow>()).size());
  EXPECT_EQ(parse_line(line_of(StackRow{.stack_id = 1, .frames = "f,\"g\";h"})).size(),
            parse_line(header_line<StackRow>()).size());
  EXPECT_EQ(parse_line(line_of(RssRow{})).size(), parse_line(header_line<RssRow>()).size());
}

TEST(CsvTables, AChangeOfRssFillsItsColumns) {
  RssRow row{.ts_ns = 1,
             .mono_ns = 2,
             .pid = 3,
             .cause = RssCause::kReclaim,
             .by = Reclaimer::kMemcg,
             .gained_bytes = 4096,
             .lost_bytes = 12288,
             .anon_delta_bytes = -4096,
             .file_delta_bytes = -8192,
             .shmem_delta_bytes = 4096,
             .swap_delta_bytes = 0,
             .quality = Quality::kAfterLoss};
  EXPECT_EQ(line_of(row), "1,2,3,reclaim,memcg,4096,12288,-8192,-4096,-8192,4096,0,after_loss\n");
  for (const auto& [cause, name] :
       {std::pair{RssCause::kFault, "fault"sv}, std::pair{RssCause::kRelease, "release"sv},
        std::pair{RssCause::kKhugepaged, "khugepaged"sv}, std::pair{RssCause::kOomReaper, "oom_reaper"sv},
        std::pair{RssCause::kOther, "other"sv}, std::pair{RssCause::kExit, "exit"sv}}) {
    EXPECT_EQ(parse_line(line_of(RssRow{.cause = cause})).at(3), name);
    EXPECT_EQ(parse_line(line_of(RssRow{.cause = cause})).at(4), "");
  }
}

// Other programs read these by name.
TEST(CsvTables, HeadersAreWhatTheyWere) {
  EXPECT_TRUE(every_sample_column_is_known());
  EXPECT_EQ(header_line<CallRow>(),
            "ts_ns,mono_ns,pid,tid,comm,cgroup_id,call,advice,addr,len_bytes,ret,dur_ns,resident_bytes,lazyfree_bytes,"
            "swap_bytes,rss_delta_bytes,quality,cause,stack_id\n");
  EXPECT_EQ(header_line<SampleRow>(),
            "ts_ns,mono_ns,pid,rss_bytes,rss_anon_bytes,rss_file_bytes,rss_shmem_bytes,swap_bytes,lazyfree_bytes,"
            "pending_bytes,page_tables_bytes,anon_huge_bytes,cgroup_usage_bytes,cgroup_working_set_bytes,"
            "cgroup_inactive_file_bytes,cgroup_limit_bytes,go_heap_sys_bytes,go_heap_inuse_bytes,go_heap_idle_bytes,"
            "go_heap_released_bytes,go_stack_inuse_bytes,go_next_gc_bytes,go_num_gc,go_pause_total_ns,go_mallocs,"
            "go_frees,cgroup_deferred_split_bytes,go_mapped_ready_bytes,go_memory_limit_bytes,go_gc_percent,"
            "go_metadata_sys_bytes,rss_heap_inuse_bytes,rss_heap_idle_bytes,rss_lazyfree_bytes,rss_stacks_bytes,"
            "rss_runtime_bytes,rss_file_backed_bytes,rss_other_anon_bytes,rss_unexplained_bytes,rss_locked_bytes,"
            "cgroup_shmem_bytes,cgroup_kernel_bytes,cgroup_active_file_bytes\n");
  EXPECT_EQ(header_line<StackRow>(), "stack_id,frames\n");
  EXPECT_EQ(header_line<RssRow>(),
            "ts_ns,mono_ns,pid,cause,by,gained_bytes,lost_bytes,rss_delta_bytes,anon_delta_bytes,file_delta_bytes,"
            "shmem_delta_bytes,swap_delta_bytes,quality\n");
}

TEST(CsvTables, AnyNameComesBackFromAReader) {
  CallRow row = full_row();
  for (const std::string_view name : {"a,b"sv, "\"\"\""sv, " x "sv, ",,,,"sv, "\"a\",\"b\""sv}) {
    row.comm = comm_of(name);
    EXPECT_EQ(parse_line(line_of(row)).at(4), name);
  }
}

TEST(CsvSink, WritesThreeFilesWithHeadersAtOnce) {
  const test::TempDirectory temporary;
  Result<CsvSink> sink = CsvSink::in_directory(temporary.path());
  ASSERT_TRUE(sink) << sink.error().message;
  EXPECT_EQ(test::read_all(temporary / "events.csv"), header_line<CallRow>());
  EXPECT_EQ(test::read_all(temporary / "samples.csv"), header_line<SampleRow>());
  EXPECT_EQ(test::read_all(temporary / "stacks.csv"), header_line<StackRow>());
  sink->on_call(full_row());
  sink->on_sample({});
  sink->on_stack({.stack_id = 1, .frames = "f"});
  sink->flush();
  EXPECT_EQ(sink->failed(), nullptr);
  EXPECT_EQ(test::read_all(temporary / "events.csv"), header_line<CallRow>() + line_of(full_row()));
  EXPECT_EQ(test::read_all(temporary / "samples.csv"), header_line<SampleRow>() + line_of(SampleRow{}));
  EXPECT_EQ(test::read_all(temporary / "stacks.csv"), header_line<StackRow>() + "1,f\n");
}

TEST(CsvSink, ChangesOfRssHaveAFileOnceThereAreAny) {
  const test::TempDirectory temporary;
  Result<CsvSink> sink = CsvSink::in_directory(temporary.path());
  ASSERT_TRUE(sink) << sink.error().message;
  sink->on_call(full_row());
  sink->flush();
  EXPECT_FALSE(std::filesystem::exists(temporary / "rss_changes.csv"));
  sink->on_rss({.pid = 1});
  // From the first moment, were the trace to be killed in the next.
  EXPECT_EQ(test::read_all(temporary / "rss_changes.csv"), header_line<RssRow>());
  sink->on_rss({.pid = 2});
  sink->flush();
  EXPECT_TRUE(sink->created());
  EXPECT_EQ(test::read_all(temporary / "rss_changes.csv"),
            header_line<RssRow>() + line_of(RssRow{.pid = 1}) + line_of(RssRow{.pid = 2}));
}

TEST(CsvSink, SaysWhyAFileCouldNotBeCreatedLater) {
  const test::TempDirectory temporary;
  Result<CsvSink> sink = CsvSink::in_directory(temporary.path());
  ASSERT_TRUE(sink) << sink.error().message;
  test::write_all(temporary / "rss_changes.csv", "mine");
  sink->on_rss({});
  sink->on_rss({});
  ASSERT_FALSE(sink->created());
  EXPECT_EQ(sink->created().error().code, ExitCode::kFailed);
  EXPECT_NE(sink->created().error().message.find("rss_changes.csv: File exists"), std::string::npos)
      << sink->created().error().message;
  EXPECT_EQ(test::read_all(temporary / "rss_changes.csv"), "mine");
  // A file that begins in the middle would be worse than none.
  std::filesystem::remove(temporary / "rss_changes.csv");
  sink->on_rss({});
  EXPECT_FALSE(sink->created());
  EXPECT_FALSE(std::filesystem::exists(temporary / "rss_changes.csv"));
}

TEST(CsvSink, OverwritesNothing) {
  const test::TempDirectory temporary;
  test::write_all(temporary / "samples.csv", "mine");
  EXPECT_FALSE(CsvSink::in_directory(temporary.path()));
  EXPECT_EQ(test::read_all(temporary / "samples.csv"), "mine");
}

TEST(CsvSink, OneTableHasNoneOfTheOthers) {
  for (const auto& [table, expected] : {std::pair{TableKind::kEvents, header_line<CallRow>() + line_of(full_row())},
                                        std::pair{TableKind::kSamples, header_line<SampleRow>() + line_of(SampleRow{})},
                                        std::pair{TableKind::kRssChanges, header_line<RssRow>() + line_of(RssRow{})}}) {
    const test::TempDirectory temporary;
    UniqueFd fd(::open((temporary / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    CsvSink sink = CsvSink::one_table(table, OutputFile::over(std::move(fd), "out"));
    sink.on_call(full_row());
    sink.on_sample({});
    sink.on_stack({.stack_id = 1, .frames = "f"});
    sink.on_rss({});
    sink.flush();
    EXPECT_EQ(test::read_all(temporary / "out"), expected);
  }
}

TEST(CsvSink, NamesTheFileThatFailed) {
  CsvSink sink = CsvSink::one_table(TableKind::kEvents,
                                    OutputFile::over(UniqueFd(::open("/dev/full", O_WRONLY | O_CLOEXEC)), "full one"));
  sink.flush();
  ASSERT_NE(sink.failed(), nullptr);
  EXPECT_EQ(sink.failed()->name(), "full one");
  EXPECT_EQ(sink.failed()->error(), ENOSPC);
}

}  // namespace
}  // namespace madvtrace
