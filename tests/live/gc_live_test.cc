// SPDX-License-Identifier: Apache-2.0
// The garbage collections of Go programs: against what the runtime counts itself, and
// what it takes to see them done to nobody else, and undone.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <utility>

#include "base/unique_fd.h"
#include "bpf/records.h"
#include "golang/gc_functions.h"
#include "kernel/bpf_session.h"
#include "procfs/maps.h"
#include "tests/live/live_test.h"

namespace madvtrace {
namespace {

using Json = nlohmann::json;

constexpr std::byte kBreakpoint{0xcc};  // int3

GcFunctions gc_functions(const std::string& program) {
  const std::string path = traced_program_path(program);
  const auto image = ElfImage::open(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), path);
  if (!image) throw std::runtime_error(image.error().message);
  const auto table = Pclntab::read(*image);
  if (!table) throw std::runtime_error(table.error().message);
  const auto functions = find_gc_functions(*image, *table);
  if (!functions) throw std::runtime_error(path + ": no functions of a collector");
  return *functions;
}

// The first bytes of both functions in the memory of a process; zeros where it does not
// run this program (any more, or yet).
using Entries = std::array<std::byte, 2>;
constexpr Entries kProbed{kBreakpoint, kBreakpoint};

Entries entries_of(pid_t pid, const std::string& program) {
  const GcFunctions functions = gc_functions(program);
  const auto proc = ProcRoot::open("/proc");
  if (!proc) throw std::runtime_error(proc.error().message);
  Entries entries{};
  const auto maps = read_maps(*proc, pid);
  const UniqueFd memory(::open(fmt::format("/proc/{}/mem", pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!maps || !memory) return entries;
  const std::array<std::uint64_t, 2> offsets{functions.start_offset, functions.end_offset};
  for (const Mapping& mapping : maps->mappings) {
    if (mapping.path != traced_program_path(program) || mapping.perms[2] != 'x') continue;
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      const std::uint64_t offset = offsets.at(i) - mapping.offset_bytes;
      if (offsets.at(i) < mapping.offset_bytes || offset >= mapping.range.bytes()) continue;
      const auto at = static_cast<off_t>(mapping.range.begin + offset);
      if (::pread(memory.get(), &entries.at(i), 1, at) != 1) entries.at(i) = std::byte{0};
    }
  }
  return entries;
}

// What the file has there.
Entries entries_in(const std::string& program) {
  const GcFunctions functions = gc_functions(program);
  const UniqueFd file(::open(traced_program_path(program).c_str(), O_RDONLY | O_CLOEXEC));
  Entries entries{};
  if (::pread(file.get(), &entries[0], 1, static_cast<off_t>(functions.start_offset)) != 1) return {};
  if (::pread(file.get(), &entries[1], 1, static_cast<off_t>(functions.end_offset)) != 1) return {};
  return entries;
}

bool becomes(pid_t pid, const std::string& program, const Entries& wanted) {
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  while (entries_of(pid, program) != wanted) {
    if (std::chrono::steady_clock::now() > until) return false;
    ::sched_yield();
  }
  return true;
}

std::size_t lines_of_gctrace(const std::string& errors) {
  std::size_t lines = errors.starts_with("gc ") ? 1 : 0;
  for (std::size_t at = errors.find("\ngc "); at != std::string::npos; at = errors.find("\ngc ", at + 1)) ++lines;
  return lines;
}

class GcTest : public LiveTest {
 protected:
  void SetUp() override {
    LiveTest::SetUp();
    ::setenv("GODEBUG", "gctrace=1", /*overwrite=*/1);
  }
  void TearDown() override { ::unsetenv("GODEBUG"); }

  // The marks of one process are a start and an end for each of these collections.
  void expect_marks(pid_t pid, const Json& truth) const;
  // A round of work that comes out as it should; null after a failure.
  static Json work(TracedProgram& program);
};

void GcTest::expect_marks(pid_t pid, const Json& truth) const {
  const CsvTable table = events();
  std::vector<std::string> marks;
  std::int64_t forced = 0;
  for (const std::size_t row : table.rows_where("pid", std::to_string(pid))) {
    const std::string& call = table.at(row, "call");
    if (call != "gc_start" && call != "gc_end") continue;
    marks.push_back(call);
    if (call == "gc_end") {
      EXPECT_EQ(table.at(row, "ret"), "");
      continue;
    }
    const auto trigger = table.number(row, "ret");
    EXPECT_TRUE(trigger == WIRE_GC_HEAP || trigger == WIRE_GC_FORCED) << table.text(row);
    forced += trigger == WIRE_GC_FORCED ? 1 : 0;
  }
  ASSERT_EQ(marks.size(), 2 * truth.at("collections").get<std::size_t>());
  for (std::size_t i = 0; i < marks.size(); ++i) EXPECT_EQ(marks[i], i % 2 == 0 ? "gc_start" : "gc_end") << i;
  EXPECT_EQ(forced, truth.at("forced").get<std::int64_t>());
}

Json GcTest::work(TracedProgram& program) {
  const Result<Json> truth = program.work();
  if (!truth) {
    ADD_FAILURE() << truth.error().message << program.process().errors();
    return {};
  }
  EXPECT_TRUE(truth->at("intact")) << *truth;
  return *truth;
}

class GcOfBuilds : public GcTest, public testing::WithParamInterface<std::string> {};

TEST_P(GcOfBuilds, MarksAreWhatTheRuntimeCounts) {
  const auto program = start_program(GetParam(), {"-forced=5", "-garbage=64"});
  ASSERT_TRUE(program);
  const auto trace = start_trace({"-p", program->pid_text()});
  ASSERT_TRUE(trace);
  const Json truth = work(*program);
  ASSERT_FALSE(truth.is_null());
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));

  ASSERT_GE(truth.at("forced"), 5);
  ASSERT_GT(truth.at("collections"), truth.at("forced")) << "the heap has triggered none";
  EXPECT_EQ(lines_of_gctrace(program->process().errors()), truth.at("collections"));
  ASSERT_NO_FATAL_FAILURE(expect_marks(program->pid(), truth));
  const Json process = summary().at("processes").at(0);
  EXPECT_EQ(process.at("gc_marks"), "yes");
  EXPECT_EQ(process.at("gc_cycles"), truth.at("collections"));
  EXPECT_EQ(summary().at("capabilities").at("gc_marks"), "yes");
}

INSTANTIATE_TEST_SUITE_P(Builds, GcOfBuilds,
                         testing::Values("collect", "collect_stripped", "collect_pie", "collect_cgo"),
                         [](const auto& build) { return build.param; });

TEST_F(GcTest, WithoutMarksNothingIsTouched) {
  const auto program = start_program("collect", {"-forced=2"});
  ASSERT_TRUE(program);
  const auto trace = start_trace({"--no-gc-marks", "-p", program->pid_text()});
  ASSERT_TRUE(trace);
  EXPECT_EQ(entries_of(program->pid(), "collect"), entries_in("collect"));
  ASSERT_FALSE(work(*program).is_null());
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  EXPECT_TRUE(rows_of(events(), program->pid(), "gc_start").empty());
  EXPECT_TRUE(rows_of(events(), program->pid(), "gc_end").empty());
  EXPECT_EQ(summary().at("processes").at(0).at("gc_cycles"), nullptr);
  EXPECT_EQ(summary().at("capabilities").at("gc_marks"), "switched off by --no-gc-marks");
}

TEST_F(GcTest, AnotherProcessOfTheSameFileIsNotTouched) {
  const auto traced = start_program("collect", {"-forced=2", "-garbage=16"});
  const auto other = start_program("collect", {"-forced=2", "-garbage=16"});
  ASSERT_TRUE(traced && other);
  const auto trace = start_trace({"-p", traced->pid_text()});
  ASSERT_TRUE(trace);
  EXPECT_EQ(entries_of(traced->pid(), "collect"), kProbed);
  EXPECT_EQ(entries_of(other->pid(), "collect"), entries_in("collect"));
  const Json truth = work(*traced);
  ASSERT_FALSE(truth.is_null());
  ASSERT_FALSE(work(*other).is_null());
  EXPECT_EQ(entries_of(other->pid(), "collect"), entries_in("collect"));
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  ASSERT_NO_FATAL_FAILURE(expect_marks(traced->pid(), truth));
  EXPECT_TRUE(rows_of(events(), other->pid(), "gc_start").empty());
  EXPECT_EQ(entries_of(traced->pid(), "collect"), entries_in("collect")) << "breakpoints are left behind";
}

TEST_F(GcTest, AKilledTracerLeavesNoBreakpoint) {
  const auto program = start_program("collect", {"-forced=2", "-garbage=16"});
  ASSERT_TRUE(program);
  const auto trace = start_trace({"-p", program->pid_text()});
  ASSERT_TRUE(trace);
  const Json before = work(*program);
  ASSERT_FALSE(before.is_null());
  ASSERT_EQ(entries_of(program->pid(), "collect"), kProbed);
  ASSERT_HAS_VALUE(trace->process().signal(SIGKILL));
  ASSERT_HAS_VALUE(trace->wait());
  EXPECT_TRUE(becomes(program->pid(), "collect", entries_in("collect"))) << "breakpoints are left behind";
  const Json after = work(*program);
  ASSERT_FALSE(after.is_null());
  EXPECT_EQ(after.at("checksum"), before.at("checksum"));
}

TEST_F(GcTest, AFollowedChild) {
  const auto parent = start_program("collect", {"-child", "-forced=3", "-garbage=16"});
  ASSERT_TRUE(parent);
  const auto trace = start_trace({"-f", "-p", parent->pid_text()});
  ASSERT_TRUE(trace);
  const Result<Json> ready = parent->work();
  ASSERT_HAS_VALUE(ready);
  const pid_t child = ready->at("pid");
  ASSERT_NE(child, parent->pid());
  ASSERT_TRUE(becomes(child, "collect", kProbed));
  const Json truth = work(*parent);
  ASSERT_FALSE(truth.is_null());
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  EXPECT_NO_FATAL_FAILURE(expect_marks(child, truth));
}

TEST_F(GcTest, AfterAnExec) {
  const auto program =
      start_program("collect", {"-exec", traced_program_path("collect_stripped"), "-forced=3", "-garbage=16"});
  ASSERT_TRUE(program);
  const auto trace = start_trace({"-p", program->pid_text()});
  ASSERT_TRUE(trace);
  ASSERT_HAS_VALUE(program->work());
  ASSERT_TRUE(becomes(program->pid(), "collect_stripped", kProbed));
  const Json truth = work(*program);
  ASSERT_FALSE(truth.is_null());
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  EXPECT_NO_FATAL_FAILURE(expect_marks(program->pid(), truth));
}

// The breakpoints of before would go on serving it, beside the new ones.
TEST_F(GcTest, AnExecOfTheSameFileTellsNothingTwice) {
  const auto program = start_program("collect", {"-exec", traced_program_path("collect"), "-forced=3", "-garbage=16"});
  ASSERT_TRUE(program);
  const auto trace = start_trace({"-i", "10ms", "-p", program->pid_text()});
  ASSERT_TRUE(trace);
  ASSERT_HAS_VALUE(program->work());
  // Which breakpoints are in place cannot be seen, nor when they change: rounds, until
  // some are in the table.
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  std::size_t collections = 0;
  do {
    const Json truth = work(*program);
    ASSERT_FALSE(truth.is_null());
    collections += truth.at("collections").get<std::size_t>();
    ASSERT_LT(std::chrono::steady_clock::now(), until) << "no collection is seen after the exec";
  } while (rows_of(events(), program->pid(), "gc_end").empty());
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  EXPECT_LE(rows_of(events(), program->pid(), "gc_end").size(), collections);
}

TEST_F(GcTest, TwoHundredOfOneFile) {
  constexpr std::size_t kTargets = 200;
  std::vector<std::unique_ptr<TracedProgram>> programs;
  std::string pids;
  while (programs.size() < kTargets) {
    programs.push_back(start_program("collect", {"-forced=1", "-kept=1"}));
    ASSERT_TRUE(programs.back());
    pids += (pids.empty() ? "" : ",") + programs.back()->pid_text();
  }
  const auto trace = start_trace({"-p", pids});
  ASSERT_TRUE(trace);
  for (const auto& program : programs) ASSERT_HAS_VALUE(program->go());
  std::size_t collections = 0;
  for (const auto& program : programs) {
    const Result<Json> truth = program->read_json();
    ASSERT_HAS_VALUE(truth);
    collections += truth->at("collections").get<std::size_t>();
  }
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));
  EXPECT_EQ(events().rows_where("call", "gc_end").size(), collections);
  const Json told = summary();
  for (const Json& process : told.at("processes")) EXPECT_EQ(process.at("gc_marks"), "yes");
}

// While it works, breakpoints come and go under it.
TEST_F(GcTest, SurvivesAHundredAttachments) {
  constexpr int kAttachments = 100;
  const auto program = start_program("collect", {"-forced=2", "-garbage=32"});
  ASSERT_TRUE(program);
  auto session = BpfSession::load({});
  ASSERT_HAS_VALUE(session);
  ASSERT_NE((*session)->gc_probes(), nullptr);
  const auto pid = static_cast<std::uint32_t>(program->pid());
  ASSERT_HAS_VALUE((*session)->add_target(pid, /*follow=*/false));
  const GcFunctions functions = gc_functions("collect");
  const GcPlaces places{
      .start_offset = functions.start_offset, .end_offset = functions.end_offset, .has_trigger = functions.has_trigger};
  const Json first = work(*program);
  ASSERT_FALSE(first.is_null());
  for (int i = 0; i < kAttachments; ++i) {
    ASSERT_HAS_VALUE(program->go());
    {
      GcProbe probe;
      ASSERT_HAS_VALUE((*session)->gc_probes()->attach(probe, pid, traced_program_path("collect"), places));
    }
    (*session)->gc_probes()->detach_retired();
    const Result<Json> truth = program->read_json();
    ASSERT_HAS_VALUE(truth);
    EXPECT_TRUE(truth->at("intact"));
    EXPECT_EQ(truth->at("checksum"), first.at("checksum"));
  }
  EXPECT_EQ(entries_of(program->pid(), "collect"), entries_in("collect"));
  EXPECT_EQ(program->finish(), 0) << program->process().errors();
}

Json doctor_finding(const Json& findings, const std::string& what) {
  const auto found =
      std::find_if(findings.begin(), findings.end(), [&](const Json& finding) { return finding.at("what") == what; });
  EXPECT_NE(found, findings.end()) << what << ": not in " << findings;
  return found != findings.end() ? *found : Json();
}

TEST_F(GcTest, DoctorSeesItsOwnHit) {
  const Result<Outcome> outcome = run_madvtrace({"doctor", "--json"});
  ASSERT_HAS_VALUE(outcome);
  const Json findings = Json::parse(outcome->output).at("findings");
  EXPECT_EQ(doctor_finding(findings, "gc marks (uprobe)").value("answer", ""), "yes") << findings;
  // Where there is one it has counted its own pages, whatever else went on beside.
  const Json walk = doctor_finding(findings, "page walk");
  EXPECT_TRUE(walk.value("answer", "") == "yes" || walk.value("detail", "").starts_with("no page walk")) << walk;
}

}  // namespace
}  // namespace madvtrace
