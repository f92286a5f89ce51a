// SPDX-License-Identifier: Apache-2.0
#include "procfs/smaps_rollup.h"

#include "procfs/text.h"

namespace madvtrace {
namespace {

constexpr std::size_t kSmapsRollupLimitBytes = std::size_t{16} * 1024;

void set_first(std::optional<std::uint64_t>& field, std::string_view value) {
  if (!field) field = parse_kb_as_bytes(value);
}

}  // namespace

std::optional<SmapsRollup> parse_smaps_rollup(std::string_view text) {
  SmapsRollup rollup;
  std::optional<std::uint64_t> rss_bytes;
  while (!text.empty()) {
    const std::optional<KeyValue> line = parse_key_value(take_until(text, '\n'));
    if (!line) continue;
    if (line->key == "Rss") set_first(rss_bytes, line->value);
    if (line->key == "Anonymous") set_first(rollup.anonymous_bytes, line->value);
    if (line->key == "LazyFree") set_first(rollup.lazyfree_bytes, line->value);
    if (line->key == "Swap") set_first(rollup.swap_bytes, line->value);
    if (line->key == "AnonHugePages") set_first(rollup.anon_huge_bytes, line->value);
  }
  if (!rss_bytes) return std::nullopt;
  rollup.rss_bytes = *rss_bytes;
  return rollup;
}

ProcResult<SmapsRollup> read_smaps_rollup(const ProcRoot& root, pid_t pid) {
  const ProcResult<std::string> text = root.read_file(pid, "smaps_rollup", kSmapsRollupLimitBytes);
  if (!text) return tl::unexpected<ProcError>(text.error());
  const std::optional<SmapsRollup> rollup = parse_smaps_rollup(*text);
  if (!rollup) return tl::unexpected<ProcError>(root.malformed(pid, "smaps_rollup", "there is no Rss line"));
  return *rollup;
}

}  // namespace madvtrace
