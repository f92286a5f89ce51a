// SPDX-License-Identifier: Apache-2.0
// The runtime's books, read from outside, against runtime.ReadMemStats of the same
// process, on every rung of the ladder and for every way to link a program. The numbers
// are printed side by side. Needs no bpf().
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "golang/books.h"
#include "procfs/status.h"
#include "tests/live/live_test.h"
#include "tests/support/go_process.h"

namespace madvtrace {
namespace {

using nlohmann::json;

// What the background scavenger, the idle Ps and the runtime's own threads move in
// between, and the program does not.
constexpr std::uint64_t kHeapBytes = std::uint64_t{256} << 10;
// What the caches of the Ps hold back.
constexpr std::uint64_t kObjects = 1000;

struct Program {
  const char* name;
  BooksRung rung;
};

std::ostream& operator<<(std::ostream& stream, const Program& program) { return stream << program.name; }

std::uint64_t apart(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : b - a; }

class BooksTest : public testing::TestWithParam<Program> {
 protected:
  void SetUp() override {
    auto program = TracedProgram::start(GetParam().name, {});
    ASSERT_HAS_VALUE(program);
    program_ = std::move(*program);
    memory_.emplace(program_->pid());
    const auto reader = locate_books(program_->pid());
    ASSERT_HAS_VALUE(reader);
    EXPECT_EQ(reader->rung(), GetParam().rung) << kBooksRungNames[reader->rung()];
    reader_ = *reader;
  }

  json tell(const char* command) {
    EXPECT_HAS_VALUE(program_->process().write_input(command));
    const Result<json> told = program_->read_json();
    EXPECT_HAS_VALUE(told);
    return told ? *told : json();
  }

  Result<GoBooks> read() {
    const auto status = read_status(*proc_, program_->pid());
    EXPECT_TRUE(status.has_value());
    return reader_->read(*memory_, {.address_space_bytes = status->vm_size_bytes});
  }

  // What the program tells, while what it told before and after the reading is the same.
  std::pair<json, GoBooks> read_between(json before) {
    constexpr int kTries = 50;
    for (int tries = 1;; ++tries) {
      const Result<GoBooks> books = read();
      EXPECT_HAS_VALUE(books);
      const json after = tell("s");
      bool still = books.has_value();
      for (const char* const name : {"heap_inuse", "heap_released", "stack_inuse", "num_gc", "next_gc"}) {
        still &= before.at(name) == after.at(name);
      }
      if (still || tries == kTries || HasFailure()) {
        EXPECT_TRUE(still) << "the program never held still: " << before << " " << after;
        return {before, books.value_or(GoBooks{})};
      }
      before = after;
    }
  }

  void expect_near(const json& told, const char* name, const std::optional<std::uint64_t>& read, std::uint64_t most) {
    ASSERT_TRUE(read.has_value()) << name;
    const std::uint64_t truth = told.at(name);
    std::cout << "[  NUMBERS ] " << GetParam().name << " " << told.at("phase").get<std::string>() << " " << name << " "
              << truth << " read " << *read << std::endl;
    EXPECT_LE(apart(truth, *read), most) << name;
  }

  Result<ProcRoot> proc_ = ProcRoot::open("/proc");
  std::unique_ptr<TracedProgram> program_;
  std::optional<LiveProcessMemory> memory_;
  std::optional<BooksReader> reader_;
};

bool holds(const std::vector<AddressRange>& arenas, std::uint64_t address) {
  return std::any_of(arenas.begin(), arenas.end(),
                     [&](const AddressRange& arena) { return address >= arena.begin && address < arena.end; });
}

TEST_P(BooksTest, SaysWhatReadMemStatsSays) {
  const int phases = program_->ready().at("phases");
  std::uint64_t cycles = 0;
  for (int phase = 0; phase < phases && !HasFailure(); ++phase) {
    const auto [told, books] = read_between(tell("g"));
    ASSERT_FALSE(HasFailure());
    SCOPED_TRACE(told.dump());
    expect_near(told, "heap_sys", books.heap_sys_bytes, kHeapBytes);
    expect_near(told, "heap_inuse", books.heap_inuse_bytes, kHeapBytes);
    expect_near(told, "heap_idle", books.heap_idle_bytes, kHeapBytes);
    expect_near(told, "heap_released", books.heap_released_bytes, kHeapBytes);
    expect_near(told, "stack_inuse", books.stack_inuse_bytes, kHeapBytes);
    expect_near(told, "num_gc", books.num_gc, 0);
    expect_near(told, "pause_total_ns", books.pause_total_ns, 0);
    expect_near(told, "mallocs", books.mallocs, kObjects);
    expect_near(told, "frees", books.frees, kObjects);
    expect_near(told, "memory_limit", books.memory_limit_bytes, 0);
    const std::string name = told.at("phase");
    if (name == "off") {
      EXPECT_FALSE(books.next_gc_bytes.has_value());
    } else {
      // Under a memory limit the goal follows the heap; otherwise it stands still.
      expect_near(told, "next_gc", books.next_gc_bytes, name == "limit" || name == "collected" ? kHeapBytes : 0);
    }
    EXPECT_EQ(books.gc_percent, name == "limit" || name == "collected" ? 50 : name == "off" ? -1 : 100);

    // The parts that MemStats has under other names add up, to the byte but for what the
    // runtime mapped meanwhile.
    ASSERT_TRUE(books.metadata_sys_bytes && books.gc_work_inuse_bytes && books.mapped_ready_bytes);
    EXPECT_LE(apart(told.at("metadata_sys"), *books.metadata_sys_bytes + *books.gc_work_inuse_bytes), kHeapBytes);
    const std::uint64_t sys = told.at("sys");
    EXPECT_LE(apart(sys - told.at("heap_released").get<std::uint64_t>(), *books.mapped_ready_bytes), kHeapBytes);

    EXPECT_TRUE(holds(books.arenas, told.at("heap_address")));
    EXPECT_TRUE(holds(books.arenas, told.at("stack_address")));
    cycles = *books.num_gc;
  }
  // As many as the phases asked for, at least: the comparison saw them change.
  EXPECT_GE(cycles, 4U);
}

TEST_P(BooksTest, HoldsTogetherWhileEverythingChanges) {
  // The program is not asked anything, and is busy with its phases while it is read.
  const int phases = program_->ready().at("phases");
  int reads = 0;
  int refused = 0;
  int without_stacks = 0;
  for (int phase = 0; phase < phases; ++phase) {
    ASSERT_HAS_VALUE(program_->process().write_input("g"));
    // Its answer is waited for below, and is in the pipe when it is done.
    for (int round = 0; round < 300; ++round) {
      const Result<GoBooks> books = read();
      ++reads;
      if (!books) {
        ++refused;
        continue;
      }
      without_stacks += books->stack_inuse_bytes ? 0 : 1;
      EXPECT_EQ(*books->heap_sys_bytes, *books->heap_inuse_bytes + *books->heap_idle_bytes);
      EXPECT_LE(*books->heap_released_bytes, *books->heap_idle_bytes);
      EXPECT_FALSE(books->arenas.empty());
    }
    ASSERT_HAS_VALUE(program_->read_json());
  }
  std::cout << "[  NUMBERS ] " << GetParam().name << " " << reads << " reads, " << refused << " refused, "
            << without_stacks << " without the second set" << std::endl;
  EXPECT_LE(refused, reads / 100);
  EXPECT_LE(without_stacks, reads / 20);
}

TEST_P(BooksTest, SaysNothingOfAProcessThatIsGone) {
  const Result<int> code = program_->finish();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 0);
  EXPECT_FALSE(reader_->read(*memory_).has_value());
}

INSTANTIATE_TEST_SUITE_P(
    Rungs, BooksTest,
    testing::Values(Program{"books_dwarf", BooksRung::kDwarf}, Program{"books_symtab", BooksRung::kSymtab},
                    Program{"books_code", BooksRung::kCode}, Program{"books_pie", BooksRung::kDwarf},
                    Program{"books_cgo", BooksRung::kDwarf}, Program{"books_cgo_code", BooksRung::kCode}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace madvtrace
