// SPDX-License-Identifier: Apache-2.0
// The server that leaks, and its twin that does not: that they are what they say, and
// what of it can be seen from outside.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#include "tests/live/live_test.h"
#include "tests/support/http_get.h"

namespace madvtrace {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

class SoftDelete : public LiveTest, public testing::WithParamInterface<std::string> {
 protected:
  // 64 MiB of projects, deleted again.
  void start_and_delete(const std::vector<std::string>& arguments);
  bool get(const std::string& path) const {
    return http_get(server_->ready().at("addr"), path).find("200 OK") != std::string::npos;
  }
  Json stats() const { return Json::parse(http_body(http_get(server_->ready().at("addr"), "/stats"))); }
  // What left RSS inside of the server's calls while it was asked to release.
  std::int64_t left_rss_in_release();

  std::unique_ptr<TracedProgram> server_;
  Json before_;
};

void SoftDelete::start_and_delete(const std::vector<std::string>& arguments) {
  server_ = start_program(GetParam(), arguments);
  ASSERT_TRUE(server_);
  before_ = stats();
  ASSERT_TRUE(get("/fill?mib=64"));
  const Json filled = stats();
  ASSERT_EQ(filled.at("Projects"), 16);
  ASSERT_GE(filled.at("HeapInuse"), 64 * kMiB);
  // And perhaps one that has not quite ended with its connection.
  ASSERT_GE(filled.at("Goroutines").get<int>(), before_.at("Goroutines").get<int>() + 16);
  ASSERT_TRUE(get("/delete"));
  ASSERT_EQ(stats().at("Projects"), 0);
}

std::int64_t SoftDelete::left_rss_in_release() {
  const auto trace = start_trace({"-p", server_->pid_text()});
  if (!trace || !get("/release")) return -1;
  end_cleanly(*trace);
  const CsvTable table = events();
  std::int64_t left = 0;
  for (const std::size_t row : table.rows_where("advice", "MADV_DONTNEED")) {
    left -= table.number(row, "rss_delta_bytes").value_or(0);
  }
  EXPECT_EQ(rows_of(table, server_->pid(), "gc_end").size(), 1U) << "releasing collects first";
  return left;
}

TEST_P(SoftDelete, TheLeakStaysInUse) {
  ASSERT_NO_FATAL_FAILURE(start_and_delete({}));
  const std::int64_t left = left_rss_in_release();
  EXPECT_GE(left, 0);
  EXPECT_LT(left, 4 * kMiB);
  const Json after = stats();
  EXPECT_EQ(after.at("Deleted"), 16);
  EXPECT_GE(after.at("HeapInuse"), 64 * kMiB);
  EXPECT_GE(after.at("Goroutines").get<int>(), before_.at("Goroutines").get<int>() + 16);
}

TEST_P(SoftDelete, WithoutItTheMemoryGoes) {
  ASSERT_NO_FATAL_FAILURE(start_and_delete({"-fixed"}));
  EXPECT_GE(left_rss_in_release(), 60 * kMiB);
  const Json after = stats();
  EXPECT_EQ(after.at("Deleted"), 0);
  EXPECT_LT(after.at("HeapInuse"), 4 * kMiB);
  EXPECT_LT(after.at("Goroutines").get<int>(), before_.at("Goroutines").get<int>() + 16);
}

// What a user sees who was told that the projects are gone, and looks at RSS.
class SoftDeleteVerdict : public SoftDelete {
 protected:
  // What summary.json says of the server, traced while `paths` are asked for.
  Json traced(const std::vector<std::string>& paths);
  void expect_parts_add_up(const Json& process) const;
  std::int64_t smaps_lazyfree_bytes() const {
    std::istringstream lines(test::read_all("/proc/" + server_->pid_text() + "/smaps_rollup"));
    for (std::string line; std::getline(lines, line);) {
      std::int64_t kib = 0;
      if (line.starts_with("LazyFree:") && std::istringstream(line.substr(line.find(':') + 1)) >> kib)
        return kib * 1024;
    }
    return -1;
  }
};

Json SoftDeleteVerdict::traced(const std::vector<std::string>& paths) {
  const auto trace = start_trace({"-p", server_->pid_text()});
  if (!trace) return {};
  for (const std::string& path : paths) EXPECT_TRUE(get(path)) << path;
  end_cleanly(*trace);
  const Json told = summary();
  const Json process = told.is_object() ? told.at("processes").at(0) : Json();
  std::cout << "[  VERDICT ] " << process.value("verdict_reason", Json()) << " " << process.value("rss_parts", Json())
            << std::endl;
  return process;
}

void SoftDeleteVerdict::expect_parts_add_up(const Json& process) const {
  const Json& parts = process.at("rss_parts");
  std::int64_t sum = 0;
  for (const auto& [name, bytes] : parts.items()) sum += bytes.is_null() ? 0 : bytes.get<std::int64_t>();
  const auto rss = process.at("rss_at_end_bytes").get<std::int64_t>();
  EXPECT_EQ(sum, rss) << parts;
  EXPECT_LT(std::abs(parts.at("unexplained_bytes").get<std::int64_t>()), rss / 20) << parts;
  // Nothing has run since: the books are ReadMemStats' own numbers, but for what the
  // request itself allocates.
  const Result<CsvTable> samples = CsvTable::read(file("samples.csv"));
  ASSERT_HAS_VALUE(samples);
  const Json now = stats();
  EXPECT_NEAR(static_cast<double>(samples->number(samples->size() - 1, "go_heap_inuse_bytes").value_or(-1)),
              now.at("HeapInuse").get<double>(), kMiB);
  EXPECT_EQ(samples->number(samples->size() - 1, "go_num_gc"), now.at("NumGC").get<std::int64_t>());
}

TEST_P(SoftDeleteVerdict, TheLeakIsHeapInUse) {
  ASSERT_NO_FATAL_FAILURE(start_and_delete({}));
  const Json process = traced({"/collect", "/collect", "/release"});
  ASSERT_TRUE(process.is_object());
  EXPECT_EQ(process.at("verdict_reason"), "heap_in_use");
  EXPECT_GE(process.at("rss_parts").at("heap_inuse_bytes"), 64 * kMiB);
  EXPECT_EQ(process.at("gc_cycles"), 3);
  expect_parts_add_up(process);
}

// Collected, and not given back yet: the scavenger takes its time.
TEST_P(SoftDeleteVerdict, ItsTwinIsIdleHeapThatIsStillToCome) {
  ASSERT_NO_FATAL_FAILURE(start_and_delete({"-fixed"}));
  const Json process = traced({"/collect"});
  ASSERT_TRUE(process.is_object());
  EXPECT_EQ(process.at("verdict_reason"), "idle_heap");
  EXPECT_GE(process.at("rss_parts").at("heap_idle_bytes"), 32 * kMiB);
  EXPECT_LT(process.at("rss_parts").at("heap_inuse_bytes"), 8 * kMiB);
  expect_parts_add_up(process);
}

TEST_P(SoftDeleteVerdict, WithMadvFreeTheTwoAreToldApartAsWell) {
  ASSERT_EQ(::setenv("GODEBUG", "madvdontneed=0", 1), 0);
  ASSERT_NO_FATAL_FAILURE(start_and_delete({"-fixed"}));
  ::unsetenv("GODEBUG");
  const Json twin = traced({"/release"});
  ASSERT_TRUE(twin.is_object());
  EXPECT_EQ(twin.at("verdict_reason"), "lazy_free");
  EXPECT_GE(twin.at("rss_parts").at("lazyfree_bytes"), 60 * kMiB);
  EXPECT_EQ(twin.at("expected_advice"), "MADV_FREE");
  expect_parts_add_up(twin);
  // All of it was released in the trace, and is where the kernel's own books have it, but
  // for what each processor keeps back (PAGEVEC_SIZE) and what the last request has written.
  const std::int64_t lazyfree = smaps_lazyfree_bytes();
  const std::int64_t slack = 31 * 4096 * ::sysconf(_SC_NPROCESSORS_ONLN) + kMiB / 2;
  const auto pending = twin.at("pending_bytes").get<std::int64_t>();
  std::cout << "[  NUMBERS ] pending " << pending << " smaps LazyFree " << lazyfree << std::endl;
  EXPECT_NEAR(static_cast<double>(pending), static_cast<double>(lazyfree), static_cast<double>(slack));
}

TEST_P(SoftDeleteVerdict, WithMadvFreeTheLeakIsHeapInUse) {
  ASSERT_EQ(::setenv("GODEBUG", "madvdontneed=0", 1), 0);
  ASSERT_NO_FATAL_FAILURE(start_and_delete({}));
  ::unsetenv("GODEBUG");
  const Json leak = traced({"/collect", "/collect", "/release"});
  ASSERT_TRUE(leak.is_object());
  EXPECT_EQ(leak.at("verdict_reason"), "heap_in_use");
  EXPECT_GE(leak.at("rss_parts").at("heap_inuse_bytes"), 64 * kMiB);
}

INSTANTIATE_TEST_SUITE_P(Builds, SoftDeleteVerdict, testing::Values("soft_delete", "soft_delete_stripped"),
                         [](const auto& build) { return build.param; });

INSTANTIATE_TEST_SUITE_P(Builds, SoftDelete, testing::Values("soft_delete", "soft_delete_stripped"),
                         [](const auto& build) { return build.param; });

}  // namespace
}  // namespace madvtrace
