// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tiny_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace madvtrace {

TinyServer::TinyServer(std::string answer)
    : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  constexpr int kBacklog = 8;
  if (::bind(listener_.get(), name, size) != 0 || ::listen(listener_.get(), kBacklog) != 0 ||
      ::getsockname(listener_.get(), name, &size) != 0) {
    throw std::runtime_error("cannot listen on loopback");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this] { serve(); });
}

TinyServer::~TinyServer() { ::shutdown(listener_.get(), SHUT_RDWR); }  // wakes accept

std::string TinyServer::request() const {
  const std::lock_guard lock(mutex_);
  return request_;
}

void TinyServer::serve() {
  for (;;) {
    const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) return;
    serve_one(connection.get());
  }
}

void TinyServer::serve_one(int connection) {
  std::string request;
  std::array<char, 4096> buffer{};
  const auto read_more = [&] {
    const ssize_t got = ::read(connection, buffer.data(), buffer.size());
    if (got > 0) request.append(buffer.data(), static_cast<std::size_t>(got));
    return got > 0;
  };
  while (request.find("\r\n\r\n") == std::string::npos) {
    if (!read_more()) return;
  }
  {
    const std::lock_guard lock(mutex_);
    request_ = request;
  }
  std::string_view left = answer_;
  while (!left.empty()) {
    const ssize_t sent = ::send(connection, left.data(), left.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    left.remove_prefix(static_cast<std::size_t>(sent));
  }
  while (answer_.empty() && read_more()) {
  }
}

}  // namespace madvtrace
