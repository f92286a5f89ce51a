// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "model/reclaims.h"

namespace madvtrace {
namespace {

constexpr std::uint32_t kPid = 7;

Reclaim reclaim(Reclaimer by, std::uint64_t from_ns, std::uint64_t to_ns, std::optional<std::uint64_t> pages,
                std::uint32_t pid = 0) {
  return {.by = by, .from_ns = from_ns, .to_ns = to_ns, .pages = pages, .pid = pid};
}

TEST(Reclaims, NobodySeenIsNobodyNamed) {
  Reclaims reclaims;
  EXPECT_FALSE(reclaims.who(kPid, {0, 1000}).by);
  reclaims.add(reclaim(Reclaimer::kMemcg, 100, 200, 5));
  EXPECT_FALSE(reclaims.who(kPid, {0, 99}).by);
  EXPECT_FALSE(reclaims.who(kPid, {201, 300}).by);
  EXPECT_EQ(reclaims.who(kPid, {0, 100}).by, Reclaimer::kMemcg);
  EXPECT_EQ(reclaims.who(kPid, {200, 300}).by, Reclaimer::kMemcg);
}

TEST(Reclaims, WhoTookMostIsNamedAndTheOthersAreCounted) {
  Reclaims reclaims;
  reclaims.add(reclaim(Reclaimer::kMemcg, 100, 200, 50));
  reclaims.add(reclaim(Reclaimer::kDamon, 100, 200, 30));
  reclaims.add(reclaim(Reclaimer::kDirect, 200, 300, 7));
  reclaims.add(reclaim(Reclaimer::kDamon, 300, 400, 1000));
  const Reclaims::Answer early = reclaims.who(kPid, {100, 250});
  ASSERT_EQ(early.by, Reclaimer::kMemcg);
  EXPECT_EQ(reclaims.pages(kPid, Reclaimer::kMemcg, early.span).by, 50U);
  EXPECT_EQ(reclaims.pages(kPid, Reclaimer::kMemcg, early.span).others, 37U);
  const Reclaims::Answer all = reclaims.who(kPid, {100, 400});
  ASSERT_EQ(all.by, Reclaimer::kDamon);
  EXPECT_EQ(reclaims.pages(kPid, Reclaimer::kDamon, all.span).by, 1030U);
  EXPECT_EQ(reclaims.pages(kPid, Reclaimer::kDamon, all.span).others, 57U);
}

// kswapd does not say how much it took: it can have been everything.
TEST(Reclaims, AnUnknownNumberOutweighsEveryKnownOne) {
  Reclaims reclaims;
  reclaims.add(reclaim(Reclaimer::kMemcg, 100, 200, 1'000'000));
  reclaims.add(reclaim(Reclaimer::kKswapd, 100, 200, std::nullopt));
  const Reclaims::Answer answer = reclaims.who(kPid, {0, 1000});
  ASSERT_EQ(answer.by, Reclaimer::kKswapd);
  EXPECT_EQ(reclaims.pages(kPid, Reclaimer::kKswapd, answer.span).others, 1'000'000U);
}

TEST(Reclaims, OnesOwnIsSelfAndForOthersDirect) {
  Reclaims reclaims;
  reclaims.add(reclaim(Reclaimer::kSelf, 100, 200, 20, kPid));
  reclaims.add(reclaim(Reclaimer::kSelf, 100, 200, 5, kPid + 1));
  EXPECT_EQ(reclaims.who(kPid, {0, 1000}).by, Reclaimer::kSelf);
  EXPECT_EQ(reclaims.who(kPid + 1, {0, 1000}).by, Reclaimer::kDirect);
  const Reclaims::Span both{0, 2};
  EXPECT_EQ(reclaims.pages(kPid, Reclaimer::kSelf, both).by, 20U);
  EXPECT_EQ(reclaims.pages(kPid, Reclaimer::kSelf, both).others, 5U);
  EXPECT_EQ(reclaims.pages(kPid + 1, Reclaimer::kDirect, both).by, 20U);
}

// What is not kept any more may have been somebody else's.
TEST(Reclaims, NothingIsSaidOfATimeThatWasForgotten) {
  Reclaims reclaims;
  for (std::uint64_t i = 0; i < Reclaims::kKept + 10; ++i) {
    reclaims.add(reclaim(i == 0 ? Reclaimer::kMemcg : Reclaimer::kDamon, i * 10, i * 10 + 10, 1));
  }
  EXPECT_FALSE(reclaims.who(kPid, {50, 1'000'000}).by);
  const Reclaims::Answer recent = reclaims.who(kPid, {1000, 1'000'000});
  ASSERT_EQ(recent.by, Reclaimer::kDamon);
  EXPECT_EQ(reclaims.pages(kPid, Reclaimer::kDamon, recent.span).by, recent.span.end - recent.span.first);
  EXPECT_EQ(reclaims.pages(kPid, Reclaimer::kDamon, {0, 10}).by, 0U);
}

TEST(Reclaims, TimesThatGoBackDoNoHarm) {
  Reclaims reclaims;
  reclaims.add(reclaim(Reclaimer::kMemcg, 500, 400, 5));
  reclaims.add(reclaim(Reclaimer::kDirect, 100, 200, ~std::uint64_t{0}));
  EXPECT_EQ(reclaims.who(kPid, {0, ~std::uint64_t{0}}).by, Reclaimer::kDirect);
  EXPECT_FALSE(reclaims.who(kPid, {~std::uint64_t{0}, 0}).by);
}

}  // namespace
}  // namespace madvtrace
