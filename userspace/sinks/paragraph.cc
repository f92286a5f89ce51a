// SPDX-License-Identifier: Apache-2.0
#include "sinks/paragraph.h"

#include <algorithm>

namespace madvtrace {

std::string paragraph(std::string_view text) {
  constexpr std::size_t kColumns = 80;
  constexpr std::string_view kIndent = "  ";
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (word.empty()) continue;
    if (column != 0 && column + 1 + word.size() > kColumns) {
      out += '\n';
      column = 0;
    }
    const std::string_view before = column == 0 ? kIndent : std::string_view(" ");
    out += before;
    out += word;
    column += before.size() + word.size();
  }
  if (column != 0) out += '\n';
  return out;
}

}  // namespace madvtrace
