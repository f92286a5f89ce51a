// SPDX-License-Identifier: Apache-2.0
#include "app/http_page.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <array>

namespace madvtrace {
namespace {

struct Body {
  std::string bytes;
  bool too_long = false;
};

std::size_t take(const char* data, std::size_t /*always_one*/, std::size_t size, void* to) {
  Body& body = *static_cast<Body*>(to);
  body.too_long = size > HttpPage::kBodyLimitBytes - body.bytes.size();
  if (body.too_long) return 0;  // ends the transfer
  body.bytes.append(data, size);
  return size;
}

bool set_up(CURL* curl, const std::string& url) {
  bool all = true;
  const auto set = [&](CURLoption option, auto value) { all &= curl_easy_setopt(curl, option, value) == CURLE_OK; };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");
  set(CURLOPT_USERAGENT, "madvtrace");
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(HttpPage::kConnectTime.count()));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(HttpPage::kWholeTime.count()));
  set(CURLOPT_NOSIGNAL, 1L);
  // Names are looked up by a thread of libcurl's. Do not wait for it longer than for the page.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_WRITEFUNCTION, &take);
  return all;
}

}  // namespace

void HttpPage::Closer::operator()(void* curl) const { curl_easy_cleanup(curl); }

HttpPage::HttpPage(const std::string& url) : curl_(curl_easy_init()) {
  if (curl_ && !set_up(curl_.get(), url)) curl_.reset();
}

Result<std::string> HttpPage::fetch() {
  if (!curl_) return fail("its page: this libcurl cannot do what is needed");
  Body body;
  std::array<char, CURL_ERROR_SIZE> text{};
  curl_easy_setopt(curl_.get(), CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(curl_.get(), CURLOPT_ERRORBUFFER, text.data());
  const CURLcode code = curl_easy_perform(curl_.get());
  curl_easy_setopt(curl_.get(), CURLOPT_ERRORBUFFER, nullptr);
  if (body.too_long) return fail(fmt::format("its page: more than {} MiB", kBodyLimitBytes >> 20));
  if (code != CURLE_OK) {
    return fail(fmt::format("its page: {}", text.front() != '\0' ? text.data() : curl_easy_strerror(code)));
  }
  long status = 0;
  curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &status);
  constexpr long kOk = 200;
  if (status != kOk) return fail(fmt::format("its page: HTTP status {}", status));
  return std::move(body.bytes);
}

}  // namespace madvtrace
