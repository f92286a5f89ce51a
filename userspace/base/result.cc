// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <system_error>

namespace madvtrace {

std::string errno_text(const std::string& what, int error) {
  return what + ": " + std::generic_category().message(error);
}

}  // namespace madvtrace
