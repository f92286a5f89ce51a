// SPDX-License-Identifier: Apache-2.0
// A page of an HTTP server, fetched again and again over one connection. libcurl is seen
// in http_page.cc only.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "base/result.h"

namespace madvtrace {

// Not for two threads at once.
class HttpPage {
 public:
  static constexpr std::chrono::milliseconds kConnectTime{300};
  static constexpr std::chrono::milliseconds kWholeTime{1000};
  static constexpr std::size_t kBodyLimitBytes = std::size_t{8} << 20;

  // http:// or https://; anything else fails when it is fetched.
  explicit HttpPage(const std::string& url);

  // The body of an answer with status 200. Waits for kWholeTime at most, the look-up of a
  // name included. An error for any other status, a redirect too, for a certificate that
  // is not trusted, and for more than kBodyLimitBytes. No proxy is used: the page is that
  // of a program on this machine, and what is in the environment is not for it.
  Result<std::string> fetch();

 private:
  struct Closer {
    void operator()(void* curl) const;
  };
  std::unique_ptr<void, Closer> curl_;  // null: it cannot be used
};

}  // namespace madvtrace
