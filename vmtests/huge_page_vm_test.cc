// SPDX-License-Identifier: Apache-2.0
// Half of each 2 MiB is given back, with the kernel set to give huge pages to everybody, to
// those who ask, to nobody: RSS falls alike, the charge only where pages are small.
#include <string>

#include "vmtests/machine.h"

namespace madvtrace {
namespace {

struct HugePages {
  const char* setting;
  const char* option;  // of lazy.c
  bool are_given;
};

class HugePagesTest : public VmTest, public testing::WithParamInterface<HugePages> {};

TEST_P(HugePagesTest, HalfOfEach) {
  const Setting enabled("/sys/kernel/mm/transparent_hugepage/enabled", GetParam().setting);
  ASSERT_NO_FATAL_FAILURE(make_group());
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "64", GetParam().option}, group_.get()));
  const std::string recording = directory_ / "run.mv";
  ASSERT_NO_FATAL_FAILURE(trace_lazy({"--record", recording}));
  const std::int64_t charged_before = group_->usage_bytes();
  ASSERT_TRUE(step('h').is_object());
  const std::int64_t charged_after = group_->usage_bytes();
  ASSERT_NO_FATAL_FAILURE(end_trace());
  const Result<Outcome> replay = run_madvtrace({"replay", recording});
  ASSERT_HAS_VALUE(replay);

  const std::int64_t deferred = last_sample("cgroup_deferred_split_bytes");
  const std::int64_t fell = charged_before - charged_after;
  print("freed", bytes_of("freed"), "truth", mapped_ / 2, "| charge", charged_before, "->", charged_after, "deferred",
        deferred, "anon_huge_bytes", last_sample("anon_huge_bytes"));
  EXPECT_EQ(bytes_of("freed"), mapped_ / 2);
  // What the kernel has charged and not yet given to anybody lies in batches.
  constexpr std::int64_t kBatches = 4 * kMiB;
  EXPECT_NEAR(static_cast<double>(deferred + fell), static_cast<double>(mapped_ / 2), kBatches);
  const bool is_said = replay->output.find("has left RSS and is charged all the same") != std::string::npos;
  EXPECT_EQ(is_said, GetParam().are_given) << replay->output;
  if (GetParam().are_given) {
    EXPECT_LT(fell, kBatches);
  } else {
    EXPECT_LT(deferred, kBatches);
  }
}

INSTANTIATE_TEST_SUITE_P(Are, HugePagesTest,
                         testing::Values(HugePages{"always", "--as-set", true}, HugePages{"madvise", "--huge", true},
                                         HugePages{"never", "--huge", false}),
                         [](const auto& tested) { return std::string(tested.param.setting); });

}  // namespace
}  // namespace madvtrace
