// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "app/http_books.h"
#include "base/clock.h"
#include "tests/support/child_process.h"
#include "tests/support/tiny_server.h"

namespace madvtrace {
namespace {

constexpr const char* kExpvar =
    R"({"memstats": {"HeapSys": 100, "HeapInuse": 60, "HeapIdle": 40, "HeapReleased": 30, "NumGC": 7}})";
constexpr const char* kPprof = "# HeapSys = 10\n# HeapInuse = 6\n# HeapIdle = 4\n# HeapReleased = 3\n";

// Asks until there is an answer to what was asked after `since_mono_ns`.
std::optional<HttpBooks::Answer> answer(HttpBooks& books, std::uint64_t since_mono_ns = 0) {
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  while (std::chrono::steady_clock::now() < until) {
    auto newest = books.newest_and_ask();
    if (newest && newest->asked_mono_ns >= since_mono_ns) return newest;
    std::this_thread::yield();
  }
  ADD_FAILURE() << "no answer";
  return std::nullopt;
}

TEST(HttpBooksTest, TellsBothPagesApart) {
  const TinyServer expvar(TinyServer::ok(kExpvar));
  HttpBooks from_expvar(expvar.url());
  const auto vars = answer(from_expvar);
  ASSERT_TRUE(vars && vars->books);
  EXPECT_EQ(vars->books->heap_sys, 100U);
  EXPECT_EQ(vars->books->num_gc, 7U);

  const TinyServer pprof(TinyServer::ok(kPprof));
  HttpBooks from_pprof(pprof.url());
  const auto heap = answer(from_pprof);
  ASSERT_TRUE(heap && heap->books);
  EXPECT_EQ(heap->books->heap_released, 3U);
  EXPECT_EQ(heap->books->num_gc, std::nullopt);
}

TEST(HttpBooksTest, AnswersGetNewer) {
  const TinyServer server(TinyServer::ok(kPprof));
  HttpBooks books(server.url());
  EXPECT_FALSE(books.newest_and_ask()) << "before it could be asked";
  const std::uint64_t now_ns = mono_now_ns();
  const auto newer = answer(books, now_ns);
  ASSERT_TRUE(newer);
  EXPECT_GE(newer->asked_mono_ns, now_ns);
  EXPECT_LE(newer->asked_mono_ns, mono_now_ns());
}

TEST(HttpBooksTest, SaysWhyNot) {
  const TinyServer empty(TinyServer::ok(""));
  HttpBooks no_books(empty.url());
  const auto none = answer(no_books);
  ASSERT_TRUE(none && !none->books);
  EXPECT_EQ(none->books.error().message, "its page: neither /debug/pprof/heap?debug=1 nor /debug/vars");

  const TinyServer error("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
  HttpBooks no_page(error.url());
  const auto status = answer(no_page);
  ASSERT_TRUE(status && !status->books);
  EXPECT_EQ(status->books.error().message, "its page: HTTP status 500");
}

TEST(HttpBooksTest, ASlowPageHoldsNobodyUp) {
  const TinyServer server("");
  HttpBooks books(server.url());
  const auto begin = std::chrono::steady_clock::now();
  for (int times = 0; times < 100; ++times) EXPECT_FALSE(books.newest_and_ask());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(500));
}

}  // namespace
}  // namespace madvtrace
