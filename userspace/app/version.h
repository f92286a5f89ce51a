// SPDX-License-Identifier: Apache-2.0
// "0.1.0 (1a2b3c4d5e6f)": the version and the git revision that it was built from.
#pragma once

#include <string_view>

namespace madvtrace {

std::string_view version_text();

}  // namespace madvtrace
