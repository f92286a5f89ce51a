// SPDX-License-Identifier: Apache-2.0
#include "app/http_books.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): pthread_sigmask is POSIX

#include <utility>

#include "app/http_page.h"
#include "base/clock.h"
#include "golang/books_text.h"

namespace madvtrace {
namespace {

Result<GoBooks> parse(const Result<std::string>& page) {
  if (!page) return tl::unexpected(page.error());
  std::optional<GoBooks> books = page->starts_with('{') ? parse_expvar(*page) : parse_pprof_heap(*page);
  if (!books) return fail("its page: neither /debug/pprof/heap?debug=1 nor /debug/vars");
  return std::move(*books);
}

}  // namespace

HttpBooks::HttpBooks(std::string url) : url_(std::move(url)) {
  // Signals are for the thread that waits for them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  worker_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

std::optional<HttpBooks::Answer> HttpBooks::newest_and_ask() {
  const std::lock_guard lock(mutex_);
  asked_ = true;
  wake_.notify_one();
  return newest_;
}

void HttpBooks::work(const std::stop_token& stop) {
  HttpPage page(url_);
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, stop, [this] { return asked_; }) && !stop.stop_requested()) {
    lock.unlock();
    const std::uint64_t asked_mono_ns = mono_now_ns();
    Answer answer{.books = parse(page.fetch()), .asked_mono_ns = asked_mono_ns};
    lock.lock();
    newest_ = std::move(answer);
    asked_ = false;
  }
}

}  // namespace madvtrace
