// SPDX-License-Identifier: Apache-2.0
// What the running kernel's own type information (BTF) says about its types. Reading it
// takes 40 to 100 ms and 6 MB for as long as it is kept.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"

struct btf;

namespace madvtrace {

class KernelTypes {
 public:
  // kUnsupported for a kernel that has none.
  static Result<KernelTypes> load();

  bool has_struct(const std::string& name) const;
  // Its number, for a program of type fentry or fexit; nothing if there is none.
  std::optional<std::uint32_t> function(const std::string& name) const;
  // Nothing if there is no such enumeration, or no such value in it.
  std::optional<std::int32_t> enum_value(const std::string& enumeration, const std::string& value) const;

 private:
  struct Deleter {
    void operator()(btf* types) const;
  };

  std::unique_ptr<btf, Deleter> types_;
};

}  // namespace madvtrace
