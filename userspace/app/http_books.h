// SPDX-License-Identifier: Apache-2.0
// The last rung of the ladder to the Go runtime's books (golang/books.h): the program is
// asked for them at its own HTTP endpoint, which stops it for a moment (ReadMemStats).
//
// The page is fetched and parsed by a thread, so that nobody waits for a slow program: who
// asks is given the answer to what was asked before. limited_child.h wants a process of one
// thread; while one of these exists there are two.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/result.h"
#include "golang/books.h"

namespace madvtrace {

class HttpBooks {
 public:
  explicit HttpBooks(std::string url);
  // Waits for a fetch that is under way: HttpPage::kWholeTime at most.
  ~HttpBooks() = default;
  HttpBooks(const HttpBooks&) = delete;
  HttpBooks& operator=(const HttpBooks&) = delete;

  struct Answer {
    Result<GoBooks> books;
    std::uint64_t asked_mono_ns = 0;  // the program said so after this
  };
  // The newest answer there is, which may have been given out before; nothing before the
  // first one. Asks for the next, unless one is still awaited. Does not wait.
  std::optional<Answer> newest_and_ask();

 private:
  void work(const std::stop_token& stop);

  const std::string url_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool asked_ = false;            // until it is answered
  std::optional<Answer> newest_;  // both under the mutex
  std::jthread worker_;           // ends before the others do
};

}  // namespace madvtrace
