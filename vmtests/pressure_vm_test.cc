// SPDX-License-Identifier: Apache-2.0
// What the kernel takes of lazily freed memory, and by whose hand, on a machine where
// nobody else gives memory back: to the page what the kernel's own books say.
#include <sys/mman.h>

#include <cstring>
#include <string>

#include "vmtests/machine.h"

namespace madvtrace {
namespace {

constexpr const char* kLruGen = "/sys/kernel/mm/lru_gen/enabled";

std::int64_t lazyfreed_bytes() { return vmstat({"pglazyfreed"}) * kPage; }

class PressureTest : public VmTest {
 protected:
  // All that went is what the kernel counted, what the program misses, and what was told.
  // `before`: lazyfreed_bytes() when the program had released; `left`: its last answer.
  void expect_all_is_told(std::int64_t before, std::int64_t released_bytes, const json& left) const {
    const std::int64_t lazyfreed = lazyfreed_bytes() - before;
    const std::int64_t still_lazy = left.at("lazy_bytes");
    print("reclaimed", bytes_of("reclaimed"), "pglazyfreed", lazyfreed, "pagemap", released_bytes - still_lazy,
          "| by memcg", reclaimed_by("memcg"), "kswapd", reclaimed_by("kswapd"), "direct", reclaimed_by("direct"),
          "self", reclaimed_by("self"), "nobody named", reclaimed_by(""));
    EXPECT_EQ(bytes_of("reclaimed"), lazyfreed);
    EXPECT_EQ(released_bytes - still_lazy, lazyfreed);
    EXPECT_EQ(bytes_of("pending"), still_lazy);
  }
};

class LruTest : public PressureTest, public testing::WithParamInterface<const char*> {};

// A limit below what the group has, and a command to take more.
TEST_P(LruTest, ALimitAndACommandTakeWhatWasReleasedLazily) {
  const Setting lru(kLruGen, GetParam());
  ASSERT_NO_FATAL_FAILURE(make_group());
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "64"}, group_.get()));
  // Looks when something was reclaimed.
  ASSERT_NO_FATAL_FAILURE(trace_lazy({"-i", "10s"}));
  ASSERT_TRUE(step('f').is_object());
  const std::int64_t before = lazyfreed_bytes();
  const std::string limit = group_->path() + "/memory.max";
  ASSERT_EQ(write_file(limit, std::to_string(group_->usage_bytes() - 24 * kMiB)), 0);
  const json limited = step('s');
  ASSERT_EQ(write_file(limit, "max"), 0);
  group_->take(16 * kMiB);
  const json left = step('s');
  ASSERT_NO_FATAL_FAILURE(end_trace());
  ASSERT_TRUE(limited.is_object() && left.is_object());
  expect_all_is_told(before, mapped_, left);
  // Nobody is named of what is found gone while the reclaim that took it still goes on:
  // the kernel tells how much it took at the end.
  EXPECT_EQ(reclaimed_by("memcg") + reclaimed_by(""), bytes_of("reclaimed"));
  EXPECT_GE(reclaimed_by("memcg"), bytes_of("reclaimed") / 4);
  // Other memory of the group can go as well, but there is little of it.
  const std::int64_t after_limit = limited.at("lazy_bytes");
  EXPECT_LE(after_limit, mapped_ - 20 * kMiB);
  EXPECT_LE(left.at("lazy_bytes").get<std::int64_t>(), after_limit - 12 * kMiB);
  EXPECT_GT(bytes_of("pending"), 0);
}

INSTANTIATE_TEST_SUITE_P(LruGen, LruTest, testing::Values("n", "y"), [](const auto& tested) {
  return std::string(std::strcmp(tested.param, "y") == 0 ? "On" : "Off");
});

// The machine itself runs short of memory.
TEST_F(PressureTest, KswapdTakesWhatWasReleasedLazily) {
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "64"}));
  ASSERT_NO_FATAL_FAILURE(trace_lazy({"-i", "10s"}));
  ASSERT_TRUE(step('f').is_object());
  const std::int64_t before = lazyfreed_bytes();
  {
    // kswapd gets up long before anybody has to help it.
    const Setting margin("/proc/sys/vm/watermark_scale_factor", "1000");
    constexpr std::size_t kHogBytes = std::size_t{896} << 20;
    constexpr std::size_t kStepBytes = std::size_t{1} << 20;
    void* const hog = ::mmap(nullptr, kHogBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(hog, MAP_FAILED);
    std::size_t filled = 0;
    EXPECT_TRUE(wait_until([&] {
      if (filled < kHogBytes) {
        for (const std::size_t end = filled + kStepBytes; filled < end; filled += kPage) {
          static_cast<volatile char*>(hog)[filled] = 1;
        }
      }
      return lazyfreed_bytes() - before >= 16 * kMiB;
    })) << "kswapd took only "
        << lazyfreed_bytes() - before << " bytes, of a machine filled with " << filled;
    ::munmap(hog, kHogBytes);
  }
  // It ends soon, now that there is enough; and then nothing changes any more.
  const std::int64_t wakes = vmstat({"pgscan_kswapd"});
  EXPECT_TRUE(wait_until([last = wakes, times = 0]() mutable {
    const std::int64_t now = vmstat({"pgscan_kswapd"});
    times = now == last ? times + 1 : 0;
    last = now;
    return times == 20;
  }));
  const json left = step('s');
  ASSERT_NO_FATAL_FAILURE(end_trace());
  ASSERT_TRUE(left.is_object());
  expect_all_is_told(before, mapped_, left);
  EXPECT_GE(bytes_of("reclaimed"), 16 * kMiB);
  // As above, of what is found gone while it is still at it.
  EXPECT_EQ(reclaimed_by("kswapd") + reclaimed_by(""), bytes_of("reclaimed"));
  EXPECT_GT(reclaimed_by("kswapd"), 0);
}

// What was released lazily and not touched since is gone for good; what was written again
// goes to swap, and has not been given back.
TEST_F(PressureTest, WhatIsInSwapWasNotGivenBack) {
  swap_ = std::make_unique<ZramSwap>();
  ASSERT_NO_FATAL_FAILURE(make_group());
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "64"}, group_.get()));
  ASSERT_NO_FATAL_FAILURE(trace_lazy({"-i", "10s"}));
  ASSERT_TRUE(step('f').is_object());
  ASSERT_TRUE(step('w').is_object());
  const std::int64_t before = lazyfreed_bytes();
  group_->take(48 * kMiB);
  const json left = step('s');
  ASSERT_TRUE(left.is_object());
  const std::int64_t in_swap =
      mapped_ / 2 + left.at("lazy_bytes").get<std::int64_t>() - left.at("resident_bytes").get<std::int64_t>();
  ASSERT_NO_FATAL_FAILURE(end_trace());
  print("in swap", in_swap, "swap_bytes of the last sample", last_sample("swap_bytes"), "rewritten",
        bytes_of("rewritten"), "truth", mapped_ / 2);
  expect_all_is_told(before, mapped_ / 2, left);
  EXPECT_GT(in_swap, 8 * kMiB);
  EXPECT_GT(bytes_of("reclaimed"), 24 * kMiB);
  EXPECT_EQ(bytes_of("rewritten"), mapped_ / 2);
  // Of the whole process, which has little else.
  EXPECT_GE(last_sample("swap_bytes"), in_swap);
  EXPECT_LE(last_sample("swap_bytes"), in_swap + 4 * kMiB);
}

}  // namespace
}  // namespace madvtrace
