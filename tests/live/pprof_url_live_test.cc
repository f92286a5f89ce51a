// SPDX-License-Identifier: Apache-2.0
// --pprof-url: the numbers of a program whose memory tells nothing, and only of such.
#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/live/live_test.h"
#include "tests/support/http_get.h"

namespace madvtrace {
namespace {

using Json = nlohmann::json;

// A stripped program that has other names for what its books are found by, as obfuscators
// give them. Names are for stack traces only: the program is the same.
std::string without_names(const std::string& name, const std::string& to) {
  std::string bytes = test::read_all(traced_program_path(name));
  using namespace std::string_view_literals;
  for (const std::string_view function :
       {"\0runtime.gcMarkTermination\0"sv, "\0runtime.gcPaceScavenger\0"sv, "\0runtime.gcMarkRootPrepare\0"sv,
        "\0runtime.gcPrepareMarkRoots\0"sv, "\0runtime.(*scavengerState).init.func3\0"sv}) {
    const std::size_t at = bytes.find(function);
    if (at != std::string::npos) bytes.at(at + 1) = 'x';
  }
  test::write_all(to, bytes);
  constexpr mode_t kExecutable = 0755;
  EXPECT_EQ(::chmod(to.c_str(), kExecutable), 0);
  return to;
}

class PprofUrl : public LiveTest {
 protected:
  // Traces the server for some samples.
  void trace(const std::string& program, const std::string& path) {
    server_ = start_program(program, {});
    ASSERT_TRUE(server_);
    const std::string address = server_->ready().at("addr");
    ASSERT_NE(http_get(address, "/fill?mib=64").find("200 OK"), std::string::npos);
    const auto run =
        start_trace({"-p", server_->pid_text(), "-i", "200ms", "-d", "3s", "--pprof-url", "http://" + address + path});
    ASSERT_TRUE(run);
    const Result<int> code = run->wait();
    ASSERT_HAS_VALUE(code);
    EXPECT_EQ(*code, 0) << run->errors();
    stats_ = Json::parse(http_body(http_get(address, "/stats")));
  }
  Json process() const { return summary().at("processes").at(0); }

  std::unique_ptr<TracedProgram> server_;
  Json stats_;  // at the end
};

TEST_F(PprofUrl, ItsPageSaysWhatItsMemoryDoesNot) {
  const std::string program = without_names("soft_delete_stripped", directory_ / "server");
  ASSERT_NO_FATAL_FAILURE(trace(program, "/debug/vars"));
  EXPECT_EQ(process().at("books"), "http");
  EXPECT_EQ(process().at("books_dropped"), 0) << process();
  const Result<CsvTable> samples = CsvTable::read(file("samples.csv"));
  ASSERT_HAS_VALUE(samples);
  ASSERT_GE(samples->size(), 5U);
  EXPECT_EQ(samples->at(0, "go_heap_sys_bytes"), "") << "nobody waits for the first answer";
  const std::size_t last = samples->size() - 1;
  constexpr std::int64_t kMovesBytes = std::int64_t{1} << 20;
  const auto expect_near = [&](const char* column, const char* name) {
    const auto bytes = samples->number(last, column);
    ASSERT_TRUE(bytes.has_value()) << samples->text(last);
    EXPECT_NEAR(static_cast<double>(*bytes), stats_.at(name).get<double>(), kMovesBytes) << column;
  };
  expect_near("go_heap_sys_bytes", "HeapSys");
  expect_near("go_heap_inuse_bytes", "HeapInuse");
  expect_near("go_stack_inuse_bytes", "StackInuse");
  EXPECT_EQ(samples->at(last, "go_mapped_ready_bytes"), "") << "the page does not say";
}

TEST_F(PprofUrl, APageThatIsNotThereIsCounted) {
  const std::string program = without_names("soft_delete_stripped", directory_ / "server");
  ASSERT_NO_FATAL_FAILURE(trace(program, "/nothing"));
  EXPECT_EQ(process().at("books"), "http");
  EXPECT_GE(process().at("books_dropped"), 5);
}

TEST_F(PprofUrl, AProgramThatCanBeReadIsNotAsked) {
  // Its page would not answer: nothing is dropped since nobody asks.
  ASSERT_NO_FATAL_FAILURE(trace("soft_delete_stripped", "/nothing"));
  EXPECT_EQ(process().at("books"), "code");
  EXPECT_EQ(process().at("books_dropped"), 0);
}

}  // namespace
}  // namespace madvtrace
