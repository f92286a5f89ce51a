// SPDX-License-Identifier: Apache-2.0
// An HTTP server on loopback that answers everything with the same bytes, good or bad.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace madvtrace {

class TinyServer {
 public:
  // `answer` with its head. The connection is closed behind it, unless it is empty: then
  // nothing comes, for as long as the client waits.
  explicit TinyServer(std::string answer);
  ~TinyServer();
  TinyServer(const TinyServer&) = delete;
  TinyServer& operator=(const TinyServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/page"; }
  // The head of the last request; empty: there was none.
  std::string request() const;

  // An answer with this body.
  static std::string ok(const std::string& body) { return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body; }

 private:
  void serve();
  void serve_one(int connection);

  const std::string answer_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::string request_;  // under the mutex
  std::jthread thread_;
};

}  // namespace madvtrace
