// SPDX-License-Identifier: Apache-2.0
#include "tests/live/live_test.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string_view>

#include "base/unique_fd.h"

namespace madvtrace {
namespace {

// 0, or why bpf() was refused.
int bpf_error() {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_RINGBUF;
  attributes.max_entries = static_cast<unsigned>(::sysconf(_SC_PAGESIZE));
  const UniqueFd map(static_cast<int>(::syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes))));
  return map ? 0 : errno;
}

std::string thread_of(const nlohmann::json& call) { return std::to_string(call.at("tid").get<int>()); }

bool is_row_of(const nlohmann::json& call, const CsvTable& events, std::size_t row) {
  const auto& addr = call.at("addr");
  const auto& ret = call.at("ret");
  return events.at(row, "call") == call.at("call") && (addr.is_null() || events.at(row, "addr") == addr) &&
         (ret.is_null() || events.number(row, "ret") == ret.get<std::int64_t>());
}

// Where scripts/test wants recordings of all traces, for a build with sanitizers to replay:
// "--record FILE", named after the test. Nothing if the test records itself.
std::vector<std::string> recording_arguments(const std::vector<std::string>& arguments) {
  static int traces = 0;
  const char* const directory = std::getenv("MADVTRACE_RECORD_INTO");
  if (directory == nullptr || std::find(arguments.begin(), arguments.end(), "--record") != arguments.end()) return {};
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(test.test_suite_name()) + "." + test.name() + "." + std::to_string(++traces) + ".mv";
  std::replace(name.begin(), name.end(), '/', '_');
  return {"--record", std::string(directory) + "/" + name};
}

}  // namespace

void LiveTest::SetUp() {
  const int error = bpf_error();
  if (error == 0) return;
  const char* const may_skip = std::getenv("MADVTRACE_NO_BPF");
  if (may_skip != nullptr && std::string_view(may_skip) == "1") GTEST_SKIP() << "bpf() is refused";
  FAIL() << "bpf() is refused: " << std::strerror(error)
         << "; run as root on a kernel that allows it, or set MADVTRACE_NO_BPF=1 to leave these tests out";
}

std::unique_ptr<TracedProgram> LiveTest::start_program(const std::string& name,
                                                       const std::vector<std::string>& arguments) {
  Result<std::unique_ptr<TracedProgram>> program = TracedProgram::start(name, arguments);
  EXPECT_HAS_VALUE(program);
  return program ? std::move(*program) : nullptr;
}

std::unique_ptr<MadvtraceRun> LiveTest::start_trace(std::vector<std::string> arguments) {
  std::vector<std::string> more = recording_arguments(arguments);
  more.insert(more.end(), {"-q", "-o", output()});
  arguments.insert(std::find(arguments.begin(), arguments.end(), "--"), more.begin(), more.end());
  Result<std::unique_ptr<MadvtraceRun>> trace = MadvtraceRun::start(std::move(arguments));
  EXPECT_HAS_VALUE(trace);
  return trace ? std::move(*trace) : nullptr;
}

void LiveTest::end_cleanly(MadvtraceRun& trace) {
  const Result<int> code = trace.interrupt();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 0) << trace.errors();
}

CsvTable LiveTest::events() const {
  Result<CsvTable> table = CsvTable::read(file("events.csv"));
  EXPECT_HAS_VALUE(table);
  return table ? std::move(*table) : CsvTable();
}

nlohmann::json LiveTest::summary() const {
  nlohmann::json json = nlohmann::json::parse(test::read_all(file("summary.json")), nullptr, false);
  EXPECT_TRUE(json.is_object()) << "summary.json is no JSON object";
  return json;
}

std::vector<std::size_t> calls_of_thread(const CsvTable& events, const std::string& tid) {
  std::vector<std::size_t> rows = events.rows_where("tid", tid);
  std::erase_if(rows, [&](std::size_t row) {
    const std::string& call = events.at(row, "call");
    return call == "exec" || call == "exit" || call == "gc_start" || call == "gc_end";
  });
  return rows;
}

std::vector<std::size_t> rows_of(const CsvTable& events, pid_t pid, const std::string& call) {
  std::vector<std::size_t> rows = events.rows_where("pid", std::to_string(pid));
  std::erase_if(rows, [&](std::size_t row) { return events.at(row, "call") != call; });
  return rows;
}

void expect_call(const nlohmann::json& call, const CsvTable& events, std::size_t row) {
  const std::string both = call.dump() + "\n" + events.text(row);
  const auto expect_number = [&](const char* name) {
    if (call.at(name).is_null()) return;
    EXPECT_EQ(events.number(row, name), call.at(name).get<std::int64_t>()) << name << " of\n" << both;
  };
  EXPECT_EQ(events.at(row, "call"), call.at("call")) << both;
  EXPECT_EQ(events.at(row, "advice"), call.at("advice").is_null() ? "" : call.at("advice").get<std::string>()) << both;
  if (!call.at("addr").is_null()) {
    EXPECT_EQ(events.at(row, "addr"), call.at("addr")) << both;
  }
  for (const char* name : {"len_bytes", "ret", "resident_bytes", "lazyfree_bytes", "rss_delta_bytes"}) {
    expect_number(name);
  }
}

void expect_calls(const nlohmann::json& truth, const CsvTable& events) {
  std::map<std::string, std::vector<nlohmann::json>> calls_by_thread;
  for (const auto& call : truth.at("calls")) calls_by_thread[thread_of(call)].push_back(call);
  for (const auto& of_thread : calls_by_thread) {
    // Not a structured binding: clang 14 lets no lambda have one.
    const auto& calls = of_thread.second;
    std::vector<std::size_t> rows = calls_of_thread(events, of_thread.first);
    const auto& unlisted = truth.at("unlisted_tids");
    if (std::find(unlisted.begin(), unlisted.end(), calls.front().at("tid")) != unlisted.end()) {
      // The listed ones, in order; what lies between is the C library's affair.
      std::size_t next = 0;
      std::erase_if(rows, [&](std::size_t row) {
        if (next == calls.size() || !is_row_of(calls[next], events, row)) return true;
        ++next;
        return false;
      });
    }
    ASSERT_EQ(rows.size(), calls.size()) << "thread " << of_thread.first << ", truth: " << truth.dump();
    for (std::size_t i = 0; i < calls.size(); ++i) expect_call(calls[i], events, rows[i]);
  }
}

}  // namespace madvtrace
