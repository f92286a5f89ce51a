// SPDX-License-Identifier: Apache-2.0
#include "tests/support/http_get.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>

#include "base/unique_fd.h"
#include "tests/support/child_process.h"

namespace madvtrace {

std::string http_get(const std::string& address, const std::string& path) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) return "";
  std::uint16_t port = 0;
  std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  const UniqueFd connection(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) return "";
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

std::string http_body(const std::string& answer) {
  constexpr std::string_view kEndOfHead = "\r\n\r\n";
  const std::size_t end = answer.find(kEndOfHead);
  return end == std::string::npos ? "" : answer.substr(end + kEndOfHead.size());
}

}  // namespace madvtrace
