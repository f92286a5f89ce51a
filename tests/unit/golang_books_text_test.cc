// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

#include "golang/books_text.h"

namespace madvtrace {
namespace {

// Go 1.19.8, shortened.
constexpr std::string_view kPprof =
    "heap profile: 3: 2097184 [5: 4194400] @ heap/1048576\n"
    "1: 1048576 [1: 1048576] @ 0x4c5c19 0x4c5be5 0x4380f2 0x462a41\n"
    "#\t0x4c5c18\tmain.main+0x38\t/tmp/main.go:9\n"
    "\n"
    "# runtime.MemStats\n"
    "# Alloc = 4501840\n"
    "# Mallocs = 1563\n"
    "# Frees = 240\n"
    "# HeapAlloc = 4501840\n"
    "# HeapSys = 7929856\n"
    "# HeapIdle = 2490368\n"
    "# HeapInuse = 5439488\n"
    "# HeapReleased = 2408448\n"
    "# HeapObjects = 1323\n"
    "# Stack = 458752 / 458752\n"
    "# MSpan = 54176 / 65280\n"
    "# NextGC = 5054608\n"
    "# PauseNs = [27311 0 0]\n"
    "# NumGC = 1\n"
    "# NumForcedGC = 0\n";

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result(text);
  result.replace(result.find(from), from.size(), to);
  return result;
}

TEST(BooksText, ReadsPprof) {
  const std::optional<GoBooks> books = parse_pprof_heap(kPprof);
  ASSERT_TRUE(books.has_value());
  EXPECT_EQ(books->heap_sys, 7929856U);
  EXPECT_EQ(books->heap_idle, 2490368U);
  EXPECT_EQ(books->heap_inuse, 5439488U);
  EXPECT_EQ(books->heap_released, 2408448U);
  EXPECT_EQ(books->stack_inuse, 458752U);
  EXPECT_EQ(books->next_gc, 5054608U);
  EXPECT_EQ(books->num_gc, 1U);
  EXPECT_EQ(books->mallocs, 1563U);
  EXPECT_EQ(books->frees, 240U);
  EXPECT_EQ(books->pause_total_ns, std::nullopt);
}

TEST(BooksText, RefusesWhatDoesNotHoldTogether) {
  EXPECT_FALSE(parse_pprof_heap(replaced(kPprof, "HeapIdle = 2490368", "HeapIdle = 2490369")));
  EXPECT_FALSE(parse_pprof_heap(replaced(kPprof, "HeapReleased = 2408448", "HeapReleased = 2490369")));
  EXPECT_FALSE(parse_pprof_heap(replaced(kPprof, "HeapSys = 7929856", "HeapSys = 7929856x")));
  EXPECT_FALSE(parse_pprof_heap(replaced(kPprof, "HeapSys = 7929856", "HeapSys = -1")));
  EXPECT_FALSE(parse_pprof_heap(replaced(kPprof, "HeapSys = 7929856", "HeapSys = 99999999999999999999")));
  EXPECT_FALSE(parse_pprof_heap(replaced(kPprof, "# HeapSys", "# Heapsys")));
  EXPECT_FALSE(parse_pprof_heap("404 page not found\n"));
  EXPECT_FALSE(parse_pprof_heap(""));
}

TEST(BooksText, ReadsALastLineThatWasCutOff) {
  const std::string text = std::string(kPprof) + "# NumGC";
  EXPECT_TRUE(parse_pprof_heap(text).has_value());
  EXPECT_TRUE(parse_pprof_heap(std::string_view(kPprof).substr(0, kPprof.size() - 1)).has_value());
}

TEST(BooksText, HasNoGoalWhereGogcIsOff) {
  const std::optional<GoBooks> books =
      parse_pprof_heap(replaced(kPprof, "NextGC = 5054608", "NextGC = 18446744073709551615"));
  ASSERT_TRUE(books.has_value());
  EXPECT_EQ(books->next_gc, std::nullopt);
}

constexpr std::string_view kExpvar =
    R"({"cmdline": ["/tmp/a"], "memstats": {"Alloc":4501840,"Mallocs":1563,"Frees":240,"HeapSys":7929856,)"
    R"("HeapIdle":2490368,"HeapInuse":5439488,"HeapReleased":2408448,"StackInuse":458752,"NextGC":5054608,)"
    R"("PauseTotalNs":27311,"PauseNs":[27311,0,0],"NumGC":1,"GCCPUFraction":0.5,"BySize":[{"Size":8}]}})";

TEST(BooksText, ReadsExpvar) {
  const std::optional<GoBooks> books = parse_expvar(kExpvar);
  ASSERT_TRUE(books.has_value());
  EXPECT_EQ(books->heap_sys, 7929856U);
  EXPECT_EQ(books->heap_idle, 2490368U);
  EXPECT_EQ(books->heap_inuse, 5439488U);
  EXPECT_EQ(books->heap_released, 2408448U);
  EXPECT_EQ(books->stack_inuse, 458752U);
  EXPECT_EQ(books->next_gc, 5054608U);
  EXPECT_EQ(books->num_gc, 1U);
  EXPECT_EQ(books->pause_total_ns, 27311U);
  EXPECT_EQ(books->mallocs, 1563U);
  EXPECT_EQ(books->frees, 240U);
}

TEST(BooksText, RefusesOtherJson) {
  EXPECT_FALSE(parse_expvar(""));
  EXPECT_FALSE(parse_expvar("[]"));
  EXPECT_FALSE(parse_expvar("{}"));
  EXPECT_FALSE(parse_expvar(R"({"memstats": 1})"));
  EXPECT_FALSE(parse_expvar(R"({"memstats": {}})"));
  EXPECT_FALSE(parse_expvar(kExpvar.substr(0, kExpvar.size() - 1)));
  EXPECT_FALSE(parse_expvar(replaced(kExpvar, "7929856", "-7929856")));
  EXPECT_FALSE(parse_expvar(replaced(kExpvar, "7929856", "7929856.5")));
  EXPECT_FALSE(parse_expvar(replaced(kExpvar, "7929856", "\"7929856\"")));
}

}  // namespace
}  // namespace madvtrace
