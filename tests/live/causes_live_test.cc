// SPDX-License-Identifier: Apache-2.0
// A Go program that provokes each cause on purpose, with and without symbols and cgo.
#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/live/live_test.h"

namespace madvtrace {
namespace {

using Causes = std::set<std::string_view>;

// The causes that a step has to lead to, each of them.
struct Step {
  char byte = 0;
  Causes in_events;
  Causes in_releases;
};

const Step kFreeOsMemory{'o', {"freeosmemory"}, {"freeosmemory"}};
const Step kGrow{'g', {"heap-growth", "heap-reserve", "runtime-metadata"}, {}};
// Told from growth by the runtime's books, which are read once an interval.
const Step kNearLimit{'l', {"memory-limit"}, {"memory-limit"}};
const std::vector<Step> kGoSteps{
    kGrow,      kFreeOsMemory,           {'u', {"reuse"}, {}}, {'b', {"background"}, {"background"}},
    kNearLimit, {'a', {"app"}, {"app"}}, kFreeOsMemory};
const std::vector<Step> kCSteps{
    {'t', {"malloc"}, {"malloc"}}, {'c', {"malloc"}, {"malloc"}}, {'n', {"cgo"}, {"cgo"}}, {'a', {"app"}, {"app"}}};

struct Window {
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
};

class CausesTest : public LiveTest {
 protected:
  // Makes the steps and checks each.
  void provoke(const std::string& program, const std::vector<std::string>& arguments, const std::vector<Step>& steps);
  // Of the rows that are calls: how many have a cause other than unknown.
  static double share_known(const CsvTable& events);
};

double CausesTest::share_known(const CsvTable& events) {
  std::size_t calls = 0;
  std::size_t known = 0;
  for (std::size_t row = 0; row < events.size(); ++row) {
    const std::string& call = events.at(row, "call");
    if (call == "exec" || call == "exit" || call.starts_with("gc_")) continue;
    ++calls;
    const std::string& cause = events.at(row, "cause");
    if (!cause.empty() && cause != "unknown") ++known;
  }
  return calls == 0 ? 0 : static_cast<double>(known) / static_cast<double>(calls);
}

void CausesTest::provoke(const std::string& name, const std::vector<std::string>& arguments,
                         const std::vector<Step>& steps) {
  const auto program = start_program(name, arguments);
  ASSERT_TRUE(program);
  const auto trace = start_trace({"-p", program->pid_text(), "-i", "20ms"});
  ASSERT_TRUE(trace);
  std::vector<Window> windows;
  for (const Step& step : steps) {
    ASSERT_HAS_VALUE(program->process().write_input(std::string(1, step.byte)));
    const Result<nlohmann::json> did = program->read_json();
    ASSERT_HAS_VALUE(did);
    windows.push_back({did->at("begin_ns").get<std::int64_t>(), did->at("end_ns").get<std::int64_t>()});
  }
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));

  const CsvTable table = events();
  const Result<CsvTable> releases = CsvTable::read(file("releases.csv"));
  ASSERT_HAS_VALUE(releases);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    Causes of_events;
    Window utc;  // of its calls
    for (std::size_t row = 0; row < table.size(); ++row) {
      const std::int64_t mono_ns = table.number(row, "mono_ns").value_or(0);
      if (mono_ns < windows[i].begin_ns || mono_ns > windows[i].end_ns) continue;
      const std::int64_t ts_ns = table.number(row, "ts_ns").value_or(0);
      if (utc.begin_ns == 0) utc.begin_ns = ts_ns;
      utc.begin_ns = std::min(utc.begin_ns, ts_ns);
      utc.end_ns = std::max(utc.end_ns, ts_ns);
      of_events.insert(table.at(row, "cause"));
    }
    Causes of_releases;
    for (std::size_t row = 0; row < releases->size(); ++row) {
      // The clock may have been set anew between the call and its row.
      constexpr std::int64_t kClockNs = 100'000;
      const std::int64_t ts_ns = releases->number(row, "released_ts_ns").value_or(0);
      if (ts_ns < utc.begin_ns - kClockNs || ts_ns > utc.end_ns + kClockNs) continue;
      of_releases.insert(releases->at(row, "cause"));
    }
    for (const std::string_view cause : steps[i].in_events) {
      EXPECT_TRUE(of_events.contains(cause)) << "step " << steps[i].byte << ": no call of " << cause;
    }
    for (const std::string_view cause : steps[i].in_releases) {
      EXPECT_TRUE(of_releases.contains(cause)) << "step " << steps[i].byte << ": no release of " << cause;
    }
  }
  EXPECT_GE(share_known(table), 0.99);
}

TEST_F(CausesTest, OfAGoProgram) { provoke("causes", {}, kGoSteps); }
TEST_F(CausesTest, OfAStrippedGoProgram) { provoke("causes_stripped", {}, kGoSteps); }
TEST_F(CausesTest, OfAGoProgramWithCgo) { provoke("causes_cgo", {}, kGoSteps); }
TEST_F(CausesTest, OfCCodeInAGoProgram) { provoke("causes_cgo", {}, kCSteps); }
TEST_F(CausesTest, OfCCodeInAStrippedPositionIndependentGoProgram) { provoke("causes_cgo_stripped", {}, kCSteps); }
TEST_F(CausesTest, OfAStrippedPositionIndependentGoProgramWithCgo) { provoke("causes_cgo_stripped", {}, kGoSteps); }

// GODEBUG=efence=1: what is freed faults when it is touched.
TEST_F(CausesTest, OfMemoryThatIsToFault) { provoke("causes", {"-efence"}, {{'f', {"arena"}, {}}}); }

// Names of functions are Go's, with and without symbols.
TEST_F(CausesTest, StrippedStacksHaveTheirNames) {
  provoke("causes_stripped", {}, {kFreeOsMemory});
  const Result<CsvTable> stacks = CsvTable::read(file("stacks.csv"));
  ASSERT_HAS_VALUE(stacks);
  bool named = false;
  for (std::size_t row = 0; row < stacks->size(); ++row) {
    const std::string& frames = stacks->at(row, "frames");
    EXPECT_EQ(frames.find("causes_stripped+0x"), std::string::npos) << frames;
    named |= frames.starts_with("runtime.madvise;") &&
             frames.find(";main.freeOSMemory;main.run;main.main;") != std::string::npos;
  }
  EXPECT_TRUE(named);
}

// A call of a program that ends at once may be looked at too late; never wrongly.
TEST_F(CausesTest, OfAProgramThatEnds) {
  const auto trace = start_trace(
      {"-f", "--", "/bin/sh", "-c", "printf ougo | " + traced_program_path("causes_stripped") + " >/dev/null"});
  ASSERT_TRUE(trace);
  const Result<int> code = trace->wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 0) << trace->errors();
  const CsvTable table = events();
  EXPECT_FALSE(table.rows_where("cause", "freeosmemory").empty());
  EXPECT_FALSE(table.rows_where("cause", "heap-growth").empty());
  EXPECT_TRUE(table.rows_where("cause", "unknown").empty());
}

}  // namespace
}  // namespace madvtrace
