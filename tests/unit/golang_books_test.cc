// SPDX-License-Identifier: Apache-2.0
// Reading books out of a memory made by hand: what belongs together, what is refused,
// what is read again. That the words are the right ones is for the live tests.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "golang/books.h"
#include "golang/books_layout.h"

namespace madvtrace {
namespace {

using enum BooksWord;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kBase = 0x4f0000;
constexpr std::uint64_t kSets = 0x500000;
constexpr std::uint64_t kArenaNumbers = 0x600000;

std::uint64_t address_of(BooksWord word) { return kBase + 8 * static_cast<std::uint64_t>(word); }

// Words at addresses; what is not there is not mapped. `before_read` may change it.
class FakeMemory final : public ProcessMemory {
 public:
  Status read(std::span<const MemoryPiece> pieces) const override {
    ++reads_;
    if (before_read) before_read(reads_);
    for (const MemoryPiece& piece : pieces) {
      for (std::size_t i = 0; i < piece.into.size(); i += 8) {
        const auto word = words_.find(piece.address + i);
        if (word == words_.end()) return fail("not mapped");
        std::memcpy(piece.into.data() + i, &word->second, std::min<std::size_t>(8, piece.into.size() - i));
      }
    }
    return {};
  }
  void set(std::uint64_t address, std::uint64_t value) { words_[address] = value; }
  void set(BooksWord word, std::uint64_t value) { set(address_of(word), value); }
  int reads() const { return reads_; }

  std::function<void(int)> before_read;

 private:
  std::map<std::uint64_t, std::uint64_t> words_;
  mutable int reads_ = 0;
};

// Each test has the words of one version of Go.
class BooksReadTest : public testing::Test {
 protected:
  void know(BooksWord word, std::uint64_t value, std::uint32_t bytes = 8) {
    layout_[word] = {address_of(word), bytes};
    memory_.set(word, value);
  }

  void know_sets(std::uint64_t in_heap, std::uint64_t released) {
    layout_.heap_stats = {.address = kSets,
                          .set_bytes = 96,
                          .released = 8,
                          .in_heap = 16,
                          .in_stacks = 24,
                          .in_work_bufs = 32,
                          .tiny_alloc_count = 40,
                          .large_alloc_count = 48,
                          .large_free_count = 56,
                          .small_alloc_count = 64,
                          .small_free_count = 80,
                          .size_classes = 2};
    for (std::uint64_t i = 0; i < 36; ++i) memory_.set(kSets + 8 * i, 0);
    // The first set takes back more than it gave: only the sum is right.
    set_of(0, 16, 0 - kMiB);
    set_of(1, 16, in_heap + kMiB);
    set_of(2, 8, released);
    set_of(0, 24, 3 * kMiB);  // in_stacks
    set_of(2, 24, kMiB);
    set_of(1, 32, 8192);  // in_work_bufs
    set_of(0, 40, 5);     // tiny_alloc_count
    set_of(1, 48, 10);    // large_alloc_count
    set_of(1, 56, 4);
    set_of(0, 64, 100);  // small_alloc_count
    set_of(2, 72, 1);
    set_of(0, 88, 50);  // small_free_count
  }
  void set_of(std::uint64_t set, std::uint64_t offset, std::uint64_t value) {
    memory_.set(kSets + set * 96 + offset, value);
  }

  // Go 1.19 and later: 40 MiB in use, 10 free, 14 released.
  void know_go119() {
    know(kHeapInuse, 40 * kMiB);
    know(kHeapReleased, 14 * kMiB);
    know(kHeapFree, 10 * kMiB);
    know(kMappedReady, 60 * kMiB);
  }

  Result<GoBooks> read(std::optional<std::uint64_t> address_space_bytes = std::nullopt) {
    return BooksReader(BooksRung::kDwarf, layout_).read(memory_, {.address_space_bytes = address_space_bytes});
  }
  std::string error(std::optional<std::uint64_t> address_space_bytes = std::nullopt) {
    const Result<GoBooks> books = read(address_space_bytes);
    return books ? "no error" : books.error().message;
  }

  BooksLayout layout_;
  FakeMemory memory_;
};

TEST_F(BooksReadTest, Go119) {
  know_go119();
  const Result<GoBooks> books = read();
  ASSERT_TRUE(books.has_value()) << error();
  EXPECT_EQ(books->heap_inuse_bytes, 40 * kMiB);
  EXPECT_EQ(books->heap_idle_bytes, 24 * kMiB);
  EXPECT_EQ(books->heap_sys_bytes, 64 * kMiB);
  EXPECT_EQ(books->heap_released_bytes, 14 * kMiB);
  EXPECT_EQ(books->mapped_ready_bytes, 60 * kMiB);
  EXPECT_EQ(memory_.reads(), 1);
  for (const auto& unknown :
       {books->stack_inuse_bytes, books->next_gc_bytes, books->num_gc, books->pause_total_ns, books->mallocs,
        books->frees, books->memory_limit_bytes, books->metadata_sys_bytes, books->gc_work_inuse_bytes}) {
    EXPECT_EQ(unknown, std::nullopt);
  }
  EXPECT_EQ(books->gc_percent, std::nullopt);
  EXPECT_TRUE(books->arenas.empty());
}

TEST_F(BooksReadTest, Go116KeepsNoIdle) {
  know(kHeapSys, 64 * kMiB);
  know(kHeapInuse, 40 * kMiB);
  know(kHeapReleased, 14 * kMiB);
  const Result<GoBooks> books = read();
  ASSERT_TRUE(books.has_value()) << error();
  EXPECT_EQ(books->heap_idle_bytes, 24 * kMiB);
  memory_.set(kHeapInuse, 65 * kMiB);
  EXPECT_EQ(error(), "books: HeapInuse is more than HeapSys");
}

TEST_F(BooksReadTest, Go112KeepsAllOfThem) {
  know(kHeapSys, 64 * kMiB);
  know(kHeapIdle, 24 * kMiB);
  know(kHeapInuse, 40 * kMiB);
  know(kHeapReleased, 14 * kMiB);
  know(kStacksInuse, kMiB);
  const Result<GoBooks> books = read();
  ASSERT_TRUE(books.has_value()) << error();
  EXPECT_EQ(books->stack_inuse_bytes, kMiB);
  memory_.set(kHeapIdle, 25 * kMiB);
  EXPECT_EQ(error(), "books: HeapInuse + HeapIdle is not HeapSys");
}

TEST_F(BooksReadTest, ReadsAgainWhatWasChanging) {
  know(kHeapSys, 64 * kMiB);
  know(kHeapIdle, 25 * kMiB);
  know(kHeapInuse, 40 * kMiB);
  know(kHeapReleased, 14 * kMiB);
  memory_.before_read = [&](int reads) {
    if (reads == 3) memory_.set(kHeapIdle, 24 * kMiB);
  };
  EXPECT_TRUE(read().has_value()) << error();
  EXPECT_EQ(memory_.reads(), 3);
}

TEST_F(BooksReadTest, GivesUpAfterAFewReads) {
  know_go119();
  memory_.set(kMappedReady, 49 * kMiB);
  EXPECT_EQ(error(), "books: more heap than mapped memory");
  EXPECT_EQ(memory_.reads(), 8);
}

TEST_F(BooksReadTest, RefusesWhatCannotBe) {
  know(kHeapSys, 64 * kMiB);
  know(kHeapInuse, 40 * kMiB);
  know(kHeapReleased, 25 * kMiB);
  EXPECT_EQ(error(), "books: HeapReleased is more than HeapIdle");
  memory_.set(kHeapReleased, 14 * kMiB + 8);
  EXPECT_EQ(error(), "books: not a number of whole pages");
  memory_.set(kHeapReleased, 14 * kMiB);
  memory_.set(kHeapInuse, 40 * kMiB + 512);
  EXPECT_EQ(error(), "books: not a number of whole pages");
  memory_.set(kHeapInuse, 0xc000'1234'5670'0000);  // a pointer, or a time
  EXPECT_EQ(error(), "books: more than the address space of the process");
}

TEST_F(BooksReadTest, SumsDoNotWrapAround) {
  know_go119();
  memory_.set(kHeapFree, UINT64_MAX - 50 * kMiB + 1);
  EXPECT_EQ(error(), "books: more than the address space of the process");
}

TEST_F(BooksReadTest, RefusesMoreThanTheProcessHas) {
  know_go119();
  EXPECT_EQ(error(64 * kMiB), "no error");
  // 256 MiB of growth since the caller looked are allowed for.
  memory_.set(kHeapReleased, 512 * kMiB);
  EXPECT_EQ(error(64 * kMiB), "books: more than the address space of the process");
  EXPECT_EQ(error(1024 * kMiB), "no error");
  // Each alone would fit.
  memory_.set(kHeapReleased, 300 * kMiB);
  EXPECT_EQ(error(64 * kMiB), "books: more than the address space of the process");
}

TEST_F(BooksReadTest, WaitsForTheRuntimeToStart) {
  know(kHeapInuse, 0);
  know(kHeapReleased, 0);
  know(kHeapFree, 0);
  EXPECT_EQ(error(), "books: the runtime has not set up its heap");
}

TEST_F(BooksReadTest, FailsWithTheMemory) {
  know_go119();
  layout_[kNumGc] = {0x10, 4};
  EXPECT_EQ(error(), "not mapped");
  EXPECT_EQ(memory_.reads(), 1);
}

TEST_F(BooksReadTest, AddsUpTheSecondSet) {
  know_go119();
  know_sets(40 * kMiB, 14 * kMiB);
  const Result<GoBooks> books = read();
  ASSERT_TRUE(books.has_value()) << error();
  EXPECT_EQ(memory_.reads(), 1);
  EXPECT_EQ(books->stack_inuse_bytes, 4 * kMiB);
  EXPECT_EQ(books->gc_work_inuse_bytes, 8192U);
  EXPECT_EQ(books->mallocs, 116U);
  EXPECT_EQ(books->frees, 59U);
}

TEST_F(BooksReadTest, LeavesOutASecondSetThatDisagrees) {
  know_go119();
  know_sets(40 * kMiB, 11 * kMiB);
  Result<GoBooks> books = read();
  ASSERT_TRUE(books.has_value()) << error();
  EXPECT_EQ(books->heap_inuse_bytes, 40 * kMiB);
  EXPECT_EQ(books->stack_inuse_bytes, std::nullopt);
  EXPECT_EQ(books->mallocs, std::nullopt);
  EXPECT_EQ(books->frees, std::nullopt);
  EXPECT_EQ(books->gc_work_inuse_bytes, std::nullopt);

  know_sets(37 * kMiB, 14 * kMiB);
  books = read();
  ASSERT_TRUE(books.has_value());
  EXPECT_EQ(books->mallocs, std::nullopt);
  // A little apart after a few reads: the process is busy.
  know_sets(40 * kMiB - 8192, 14 * kMiB);
  books = read();
  ASSERT_TRUE(books.has_value());
  EXPECT_EQ(books->mallocs, 116U);
  // A little, but not of a little heap.
  know_sets(0, 14 * kMiB);
  memory_.set(kHeapInuse, 8192);
  books = read();
  ASSERT_TRUE(books.has_value());
  EXPECT_EQ(books->mallocs, std::nullopt);
}

TEST_F(BooksReadTest, HasNoObjectsWithoutTheTinyOnes) {
  know_go119();
  know_sets(40 * kMiB, 14 * kMiB);
  layout_.heap_stats.tiny_alloc_count = HeapStatsPlace::kAbsent;
  EXPECT_EQ(read()->mallocs, std::nullopt);
  EXPECT_EQ(read()->stack_inuse_bytes, 4 * kMiB);
  know(kTinyAllocs, 7);  // Go 1.16 keeps them apart
  EXPECT_EQ(read()->mallocs, 118U);
}

TEST_F(BooksReadTest, ReadsWhatThePacerKnows) {
  know_go119();
  know(kGcPercent, 0xffff'ffff'0000'0032, 4);
  know(kMemoryLimit, kNoGoMemoryLimit);
  know(kGcPercentGoal, 60 * kMiB);
  know(kSweepMinTrigger, 0);
  know(kTriggered, UINT64_MAX);
  know(kHeapMarked, 30 * kMiB);
  know(kTotalAlloc, 100 * kMiB);
  know(kTotalFree, 65 * kMiB);
  Result<GoBooks> books = read();
  ASSERT_TRUE(books.has_value()) << error();
  EXPECT_EQ(books->gc_percent, 50);
  EXPECT_EQ(books->memory_limit_bytes, kNoGoMemoryLimit);
  EXPECT_EQ(books->next_gc_bytes, 60 * kMiB);

  memory_.set(kMemoryLimit, 64 * kMiB);
  EXPECT_EQ(read()->memory_limit_bytes, 64 * kMiB);
  EXPECT_EQ(read()->next_gc_bytes, (64 - 15 - 1) * kMiB);
  layout_.goal_headroom_percent = true;
  EXPECT_EQ(read()->next_gc_bytes, 49 * kMiB - 49 * kMiB / 100 * 3);

  memory_.set(kMemoryLimit, kNoGoMemoryLimit);
  memory_.set(kGcPercent, 0xffff'ffff);
  memory_.set(kGcPercentGoal, UINT64_MAX);
  books = read();
  ASSERT_TRUE(books.has_value());
  EXPECT_EQ(books->gc_percent, -1);
  EXPECT_EQ(books->next_gc_bytes, std::nullopt);

  // Before the runtime has read GOGC and GOMEMLIMIT.
  memory_.set(kGcPercentGoal, 0);
  memory_.set(kMemoryLimit, 0);
  books = read();
  ASSERT_TRUE(books.has_value());
  EXPECT_EQ(books->gc_percent, std::nullopt);
  EXPECT_EQ(books->memory_limit_bytes, std::nullopt);
}

TEST_F(BooksReadTest, ReadsCyclesAndMetadata) {
  know_go119();
  know(kNumGc, 0xffff'ffff'0000'0007, 4);
  know(kPauseTotalNs, 12345);
  know(kMspanSys, 1);
  know(kMcacheSys, 20);
  know(kBuckhashSys, 300);
  know(kGcSys, 4000);
  EXPECT_EQ(read()->metadata_sys_bytes, std::nullopt);
  know(kOtherSys, 50000);
  EXPECT_EQ(read()->metadata_sys_bytes, 54321U);
  EXPECT_EQ(read()->num_gc, 7U);
  EXPECT_EQ(read()->pause_total_ns, 12345U);
}

TEST_F(BooksReadTest, MergesArenas) {
  know_go119();
  know(kArenas, kArenaNumbers);
  know(kArenasCount, 3);
  layout_.arena_base = 0xffff'8000'0000'0000;
  // 0xc000000000, and the next one but one before it.
  constexpr std::uint64_t kFirst = 0x203000;
  memory_.set(kArenaNumbers, kFirst);
  memory_.set(kArenaNumbers + 8, kFirst - 2);
  memory_.set(kArenaNumbers + 16, kFirst + 1);
  EXPECT_EQ(read()->arenas, (std::vector<AddressRange>{{0xbff8000000, 0xbffc000000}, {0xc000000000, 0xc008000000}}));

  memory_.set(kArenaNumbers + 16, kFirst);  // twice
  EXPECT_TRUE(read()->arenas.empty());
  memory_.set(kArenaNumbers + 16, 1 << 22);  // beyond the address space
  EXPECT_TRUE(read()->arenas.empty());
  memory_.set(kArenaNumbers + 16, 0);  // in the kernel's half
  EXPECT_TRUE(read()->arenas.empty());
  memory_.set(kArenasCount, 1 << 20);  // more than is read
  EXPECT_TRUE(read()->arenas.empty());
  memory_.set(kArenasCount, 4);  // not mapped
  EXPECT_TRUE(read()->arenas.empty());
  memory_.set(kArenasCount, 1);
  EXPECT_EQ(read()->arenas.size(), 1U);
  memory_.set(kHeapInuse, 128 * kMiB);  // does not fit into it
  memory_.set(kMappedReady, 256 * kMiB);
  EXPECT_TRUE(read()->arenas.empty());
  EXPECT_EQ(read()->heap_inuse_bytes, 128 * kMiB);
}

TEST(BooksRungName, IsThatOfTheSummary) {
  EXPECT_EQ(kBooksRungNames[BooksRung::kNone], "none");
  EXPECT_EQ(kBooksRungNames[BooksRung::kDwarf], "dwarf");
  EXPECT_EQ(kBooksRungNames[BooksRung::kSymtab], "symtab");
  EXPECT_EQ(kBooksRungNames[BooksRung::kCode], "code");
}

}  // namespace
}  // namespace madvtrace
