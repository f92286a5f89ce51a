// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "model/waterfall.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

std::int64_t sum_of(const Waterfall& parts) {
  return static_cast<std::int64_t>(parts.heap_inuse_bytes.value_or(0) + parts.heap_idle_bytes.value_or(0) +
                                   parts.lazyfree_bytes.value_or(0) + parts.stacks_bytes.value_or(0) +
                                   parts.runtime_bytes.value_or(0) + parts.file_bytes + parts.other_anon_bytes) +
         parts.unexplained_bytes;
}

// 100 MiB of RSS: 80 in the arenas, of them 10 lazily freed; 5 of the runtime's own, 3 of
// C's heap, 2 of variables; 10 of files.
Sample a_sample() {
  Sample sample{.rss_bytes = 100 * kMiB,
                .rss_anon_bytes = 90 * kMiB,
                .rss_file_bytes = 9 * kMiB,
                .rss_shmem_bytes = 1 * kMiB,
                .lazyfree_bytes = 10 * kMiB};
  sample.go = {.heap_inuse_bytes = 50 * kMiB,
               .heap_idle_bytes = 60 * kMiB,
               .heap_released_bytes = 45 * kMiB,
               .stack_inuse_bytes = 4 * kMiB,
               .metadata_sys_bytes = 5 * kMiB,
               .gc_work_inuse_bytes = 1 * kMiB};
  sample.anon.go_arenas = {.resident_bytes = 80 * kMiB, .lazyfree_bytes = 10 * kMiB};
  sample.anon.malloc_heap = {.resident_bytes = 3 * kMiB, .lazyfree_bytes = 0};
  return sample;
}

TEST(Waterfall, EveryPartHasItsPlace) {
  const auto parts = waterfall_of(a_sample());
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->heap_inuse_bytes, 50 * kMiB);
  EXPECT_EQ(parts->heap_idle_bytes, 15 * kMiB);
  EXPECT_EQ(parts->lazyfree_bytes, 10 * kMiB);
  EXPECT_EQ(parts->stacks_bytes, 4 * kMiB);
  EXPECT_EQ(parts->runtime_bytes, 6 * kMiB);
  EXPECT_EQ(parts->file_bytes, 10 * kMiB);
  EXPECT_EQ(parts->other_anon_bytes, 5 * kMiB);
  EXPECT_EQ(parts->unexplained_bytes, 0);
  EXPECT_EQ(sum_of(*parts), static_cast<std::int64_t>(100 * kMiB));
}

// Allocated and never touched: it is in HeapInuse and not in RSS.
TEST(Waterfall, HeapInUseIsWhatIsResidentOfIt) {
  Sample sample = a_sample();
  sample.go.heap_inuse_bytes = 500 * kMiB;
  const auto parts = waterfall_of(sample);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->heap_inuse_bytes, 50 * kMiB);
  EXPECT_EQ(parts->unexplained_bytes, 0);
}

// Released by the books and resident all the same.
TEST(Waterfall, WhatTheBooksDoNotAccountForIsUnexplained) {
  Sample sample = a_sample();
  sample.go.heap_inuse_bytes = 20 * kMiB;
  const auto parts = waterfall_of(sample);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->heap_inuse_bytes, 20 * kMiB);
  EXPECT_EQ(parts->unexplained_bytes, static_cast<std::int64_t>(30 * kMiB));
}

TEST(Waterfall, WithoutArenasTheBooksAreTakenForResident) {
  Sample sample = a_sample();
  sample.anon = {};
  const auto parts = waterfall_of(sample);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->heap_inuse_bytes, 50 * kMiB);
  EXPECT_EQ(parts->heap_idle_bytes, 15 * kMiB);
  EXPECT_EQ(parts->runtime_bytes, 6 * kMiB);
  EXPECT_EQ(parts->other_anon_bytes, 5 * kMiB);
  EXPECT_EQ(sum_of(*parts), static_cast<std::int64_t>(100 * kMiB));
}

TEST(Waterfall, WithoutBooksAnonymousMemoryIsOnePart) {
  Sample sample = a_sample();
  sample.go = {};
  const auto parts = waterfall_of(sample);
  ASSERT_TRUE(parts);
  EXPECT_FALSE(parts->heap_inuse_bytes);
  EXPECT_FALSE(parts->heap_idle_bytes);
  EXPECT_FALSE(parts->stacks_bytes);
  EXPECT_FALSE(parts->runtime_bytes);
  EXPECT_EQ(parts->other_anon_bytes, 80 * kMiB);
  EXPECT_EQ(parts->unexplained_bytes, 0);
}

TEST(Waterfall, AnUnknownDivisionIsNone) {
  EXPECT_FALSE(waterfall_of(Sample{}));
  EXPECT_FALSE(waterfall_of(Sample{.rss_bytes = 1}));
  EXPECT_FALSE(waterfall_of(Sample{.rss_bytes = 1, .rss_anon_bytes = 1}));
}

// Whatever the numbers are, they add up.
TEST(Waterfall, AlwaysAddsUp) {
  std::mt19937_64 random(1);
  const auto number = [&random]() -> std::optional<std::uint64_t> {
    const std::uint64_t bits = random();
    if (bits % 5 == 0) return std::nullopt;
    return random() % (std::uint64_t{1} << (bits % 40));
  };
  int seen = 0;
  for (int i = 0; i < 20'000; ++i) {
    Sample sample{.rss_bytes = number(),
                  .rss_anon_bytes = number(),
                  .rss_file_bytes = number(),
                  .rss_shmem_bytes = number(),
                  .lazyfree_bytes = number()};
    sample.go = {.heap_inuse_bytes = number(),
                 .heap_idle_bytes = number(),
                 .heap_released_bytes = number(),
                 .stack_inuse_bytes = number(),
                 .metadata_sys_bytes = number(),
                 .gc_work_inuse_bytes = number()};
    sample.anon.go_arenas = {.resident_bytes = number(), .lazyfree_bytes = number()};
    sample.anon.malloc_heap = {.resident_bytes = number(), .lazyfree_bytes = number()};
    const auto parts = waterfall_of(sample);
    if (!parts) continue;
    ++seen;
    ASSERT_EQ(sum_of(*parts), static_cast<std::int64_t>(*sample.rss_bytes));
  }
  EXPECT_GT(seen, 5000);
}

}  // namespace
}  // namespace madvtrace
