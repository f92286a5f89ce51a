// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): setenv is POSIX

#include <chrono>
#include <string>

#include "app/http_page.h"
#include "tests/support/tiny_server.h"

namespace madvtrace {
namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The message of the error that has to come.
std::string refused(const std::string& url) {
  const Result<std::string> page = HttpPage(url).fetch();
  if (page) {
    ADD_FAILURE() << url << " answered with " << page->size() << " bytes";
    return "";
  }
  EXPECT_TRUE(page.error().message.starts_with("its page: ")) << page.error().message;
  return page.error().message;
}

TEST(HttpPageTest, AnAnswer) {
  const TinyServer server(TinyServer::ok("some text"));
  HttpPage page(server.url());
  for (int times = 0; times < 3; ++times) EXPECT_EQ(page.fetch().value_or("no answer"), "some text");
  EXPECT_TRUE(server.request().starts_with("GET /page HTTP/1.1\r\n")) << server.request();
  EXPECT_TRUE(contains(server.request(), "\r\nUser-Agent: madvtrace\r\n")) << server.request();
}

TEST(HttpPageTest, ASizeIsTheLargest) {
  const TinyServer most(TinyServer::ok(std::string(HttpPage::kBodyLimitBytes, 'x')));
  EXPECT_EQ(HttpPage(most.url()).fetch().value_or("").size(), HttpPage::kBodyLimitBytes);
  const TinyServer more(TinyServer::ok(std::string(HttpPage::kBodyLimitBytes + 1, 'x')));
  EXPECT_EQ(refused(more.url()), "its page: more than 8 MiB");
  const TinyServer much(TinyServer::ok(std::string(std::size_t{100} << 20, 'x')));
  EXPECT_EQ(refused(much.url()), "its page: more than 8 MiB");
}

TEST(HttpPageTest, OneThatNeverComesIsNotWaitedFor) {
  const TinyServer server("");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(contains(refused(server.url()), "timed out"));
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, HttpPage::kWholeTime);
  EXPECT_LT(took, 5 * HttpPage::kWholeTime) << "on a busy machine";
}

TEST(HttpPageTest, ARedirectIsNotFollowed) {
  const TinyServer elsewhere(TinyServer::ok("elsewhere"));
  const TinyServer server("HTTP/1.1 302 Found\r\nLocation: " + elsewhere.url() + "\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(refused(server.url()), "its page: HTTP status 302");
  EXPECT_EQ(elsewhere.request(), "");
}

TEST(HttpPageTest, OnlyStatus200IsAnAnswer) {
  const TinyServer server("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(refused(server.url()), "its page: HTTP status 404");
}

TEST(HttpPageTest, WhatIsNotHttp) {
  const TinyServer garbage(std::string(1000, '\xff'));
  refused(garbage.url());
  const TinyServer cut_off("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all");
  refused(cut_off.url());
}

TEST(HttpPageTest, NobodyThere) {
  std::string url;
  {
    const TinyServer server("");
    url = server.url();
  }
  EXPECT_TRUE(contains(refused(url), "127.0.0.1"));
}

TEST(HttpPageTest, OnlyHttp) {
  EXPECT_TRUE(contains(refused("file:///etc/passwd"), "not supported"));
  refused("");
}

TEST(HttpPageTest, NoProxyOfTheEnvironment) {
  const TinyServer proxy(TinyServer::ok("the proxy"));
  const TinyServer server(TinyServer::ok("the page"));
  ::setenv("http_proxy", proxy.url().c_str(), /*overwrite=*/1);
  const Result<std::string> page = HttpPage(server.url()).fetch();
  ::unsetenv("http_proxy");
  EXPECT_EQ(page.value_or("no answer"), "the page");
}

}  // namespace
}  // namespace madvtrace
