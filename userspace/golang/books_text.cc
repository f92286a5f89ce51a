// SPDX-License-Identifier: Apache-2.0
#include "golang/books_text.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>

namespace madvtrace {
namespace {

constexpr std::size_t kTextLimitBytes = std::size_t{64} << 20;

struct Field {
  std::string_view name;  // in both texts
  std::optional<std::uint64_t> GoBooks::*member;
};
constexpr std::array kFields{Field{"HeapSys", &GoBooks::heap_sys},   Field{"HeapInuse", &GoBooks::heap_inuse},
                             Field{"HeapIdle", &GoBooks::heap_idle}, Field{"HeapReleased", &GoBooks::heap_released},
                             Field{"NextGC", &GoBooks::next_gc},     Field{"NumGC", &GoBooks::num_gc},
                             Field{"Mallocs", &GoBooks::mallocs},    Field{"Frees", &GoBooks::frees}};
// expvar alone; in the other text the stacks are "Stack = INUSE / SYS".
constexpr std::array kExpvarFields{Field{"StackInuse", &GoBooks::stack_inuse},
                                   Field{"PauseTotalNs", &GoBooks::pause_total_ns}};
constexpr std::string_view kStackLine = "Stack";

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void take_line(GoBooks& books, std::string_view line) {
  constexpr std::string_view kMark = "# ";
  constexpr std::string_view kEquals = " = ";
  if (!line.starts_with(kMark)) return;
  line.remove_prefix(kMark.size());
  const std::size_t equals = line.find(kEquals);
  if (equals == std::string_view::npos) return;
  const std::string_view name = line.substr(0, equals);
  const std::string_view value = line.substr(equals + kEquals.size());
  if (name == kStackLine && !books.stack_inuse) books.stack_inuse = parse_number(value.substr(0, value.find(' ')));
  for (const Field& field : kFields) {
    if (field.name == name && !(books.*field.member)) books.*field.member = parse_number(value);
  }
}

std::optional<GoBooks> checked(GoBooks books) {
  if (!books.heap_sys || !books.heap_inuse || !books.heap_idle || !books.heap_released) return std::nullopt;
  if (*books.heap_inuse > *books.heap_sys || *books.heap_idle != *books.heap_sys - *books.heap_inuse ||
      *books.heap_released > *books.heap_idle) {
    return std::nullopt;
  }
  constexpr std::uint64_t kNoGoal = std::uint64_t{1} << 56;  // see books.cc
  if (books.next_gc.value_or(0) >= kNoGoal) books.next_gc.reset();
  return books;
}

}  // namespace

std::optional<GoBooks> parse_pprof_heap(std::string_view text) {
  GoBooks books;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    take_line(books, text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return checked(std::move(books));
}

std::optional<GoBooks> parse_expvar(std::string_view text) {
  if (text.size() > kTextLimitBytes) return std::nullopt;
  const nlohmann::json all = nlohmann::json::parse(text, nullptr, false);
  if (!all.is_object()) return std::nullopt;
  const auto stats = all.find("memstats");
  if (stats == all.end() || !stats->is_object()) return std::nullopt;
  GoBooks books;
  const auto take = [&](const Field& field) {
    const auto value = stats->find(field.name);
    if (value != stats->end() && value->is_number_unsigned()) books.*field.member = value->get<std::uint64_t>();
  };
  for (const Field& field : kFields) take(field);
  for (const Field& field : kExpvarFields) take(field);
  return checked(std::move(books));
}

}  // namespace madvtrace
