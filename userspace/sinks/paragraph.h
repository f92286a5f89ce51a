// SPDX-License-Identifier: Apache-2.0
// Running text for a terminal of 80 columns.
#pragma once

#include <string>
#include <string_view>

namespace madvtrace {

// Broken between words into lines of at most 80 columns, each indented by two and ended
// by LF. A word that is longer than a line stands on one of its own. The text is ASCII.
std::string paragraph(std::string_view text);

}  // namespace madvtrace
