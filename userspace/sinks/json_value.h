// SPDX-License-Identifier: Apache-2.0
// Values as summary.json has them: null is "unknown".
#pragma once

#include <concepts>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace madvtrace {

template <class T>
nlohmann::ordered_json or_null(const std::optional<T>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

template <std::integral T>
nlohmann::ordered_json or_null(T value) {
  return value;
}

inline nlohmann::ordered_json or_null(const std::string& text) {
  return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

}  // namespace madvtrace
