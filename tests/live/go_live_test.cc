// SPDX-License-Identifier: Apache-2.0
// A Go program: the releases of its runtime, with the stacks that say whose doing it was.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <string>

#include "base/unique_fd.h"
#include "tests/live/live_test.h"

namespace madvtrace {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

class GoTest : public LiveTest {
 protected:
  void SetUp() override;
  // GET on the server: the whole answer, empty if there was none.
  std::string get(const std::string& path) const;

  std::unique_ptr<TracedProgram> server_;
  std::string host_;
  std::uint16_t port_ = 0;
};

void GoTest::SetUp() {
  LiveTest::SetUp();
  if (HasFatalFailure() || IsSkipped()) return;
  server_ = start_program("demo", {"-addr", "127.0.0.1:0"});
  ASSERT_TRUE(server_);
  const std::string address = server_->ready().at("addr");
  const std::size_t colon = address.rfind(':');
  ASSERT_NE(colon, std::string::npos);
  host_ = address.substr(0, colon);
  std::from_chars(address.data() + colon + 1, address.data() + address.size(), port_);
}

std::string GoTest::get(const std::string& path) const {
  const UniqueFd connection(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  ::inet_pton(AF_INET, host_.c_str(), &address.sin_addr);
  if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return "";
  const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
  if (::write(connection.get(), request.data(), request.size()) != static_cast<ssize_t>(request.size())) return "";
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  std::string answer;
  std::array<char, 4096> buffer{};
  while (wait_readable({connection.get()}, until)) {
    const ssize_t got = ::read(connection.get(), buffer.data(), buffer.size());
    if (got <= 0) break;
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return answer;
}

TEST_F(GoTest, ReleasesHaveTheirSizeAndTheirCause) {
  ASSERT_NE(get("/alloc?mb=64").find("200 OK"), std::string::npos);
  ASSERT_NE(get("/free").find("200 OK"), std::string::npos);
  const auto trace = start_trace({"-p", server_->pid_text()});
  ASSERT_TRUE(trace);
  ASSERT_NE(get("/release").find("200 OK"), std::string::npos);
  ASSERT_NO_FATAL_FAILURE(end_cleanly(*trace));

  const CsvTable table = events();
  const Result<CsvTable> stacks = CsvTable::read(file("stacks.csv"));
  ASSERT_HAS_VALUE(stacks);
  std::int64_t left_rss = 0;
  bool asked_for = false;
  for (std::size_t row = 0; row < table.size(); ++row) {
    if (table.at(row, "advice") != "MADV_DONTNEED") continue;
    left_rss -= table.number(row, "rss_delta_bytes").value_or(0);
    const auto stack = stacks->rows_where("stack_id", table.at(row, "stack_id"));
    ASSERT_EQ(stack.size(), 1U) << table.text(row);
    const std::string& frames = stacks->at(stack.front(), "frames");
    EXPECT_TRUE(frames.starts_with("runtime.madvise")) << frames;
    asked_for |= frames.find("reeOSMemory") != std::string::npos;
  }
  // The background scavenger may have had some of it before the trace began.
  EXPECT_GT(left_rss, 16 * kMiB);
  EXPECT_LT(left_rss, 128 * kMiB);
  EXPECT_TRUE(asked_for) << "no stack leads to debug.FreeOSMemory";
}

TEST_F(GoTest, ServerEndsCleanly) {
  ASSERT_HAS_VALUE(server_->process().signal(SIGTERM));
  const Result<int> code = server_->process().wait();
  ASSERT_HAS_VALUE(code);
  EXPECT_EQ(*code, 0) << server_->process().errors();
}

}  // namespace
}  // namespace madvtrace
