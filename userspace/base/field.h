// SPDX-License-Identifier: Apache-2.0
// A member with its name. A table of them, a std::tuple beside the struct, says once what
// the struct holds; whatever treats all members alike (JSON both ways, CSV, sums) goes
// through the table, so that a new member is one line in one place. The unit is part of
// the name: bytes, ns, us; without one it is a count.
#pragma once

#include <string_view>
#include <tuple>

namespace madvtrace {

template <class T, class Value>
struct Field {
  std::string_view name;
  Value T::*member;
};
template <class T, class Value>
Field(const char*, Value T::*) -> Field<T, Value>;

// Calls f(field) for each field of a table, in its order.
template <class Fields, class F>
constexpr void for_each_field(const Fields& fields, F&& f) {
  std::apply([&](const auto&... field) { (f(field), ...); }, fields);
}

// Calls f(prefix, name, value) for each member of `object` that is in the table.
template <class Fields, class T, class F>
constexpr void for_each_value(const Fields& fields, T& object, std::string_view prefix, F&& f) {
  for_each_field(fields, [&](const auto& field) { f(prefix, field.name, object.*field.member); });
}

}  // namespace madvtrace
