// SPDX-License-Identifier: Apache-2.0
#include "procfs/cgroup.h"

#include <algorithm>
#include <utility>

#include "procfs/text.h"

namespace madvtrace {
namespace {

// One path of up to 4 KiB in each of some dozen hierarchies.
constexpr std::size_t kCgroupLimitBytes = std::size_t{256} * 1024;
constexpr std::size_t kEntriesLimit = 64;

// "4:memory:/docker/0123" and "0::/system.slice/x.service". Only the first two colons
// separate: a path may contain more.
std::optional<CgroupEntry> parse_entry(std::string_view line) {
  if (std::count(line.begin(), line.end(), ':') < 2) return std::nullopt;
  const auto hierarchy_id = parse_integer<std::uint32_t>(take_until(line, ':'));
  std::string_view controllers = take_until(line, ':');
  if (!hierarchy_id || !line.starts_with('/')) return std::nullopt;
  CgroupEntry entry;
  entry.hierarchy_id = *hierarchy_id;
  while (!controllers.empty()) entry.controllers.emplace_back(take_until(controllers, ','));
  // Only the unified hierarchy marks a removed group; elsewhere it is part of a name.
  const PrintedPath printed = entry.hierarchy_id == 0 ? split_deleted(line) : PrintedPath{line, false};
  entry.path = printed.path;
  entry.deleted = printed.deleted;
  return entry;
}

}  // namespace

std::vector<CgroupEntry> parse_cgroup(std::string_view text) {
  std::vector<CgroupEntry> entries;
  while (!text.empty() && entries.size() < kEntriesLimit) {
    std::optional<CgroupEntry> entry = parse_entry(take_until(text, '\n'));
    if (entry) entries.push_back(std::move(*entry));
  }
  return entries;
}

Result<std::vector<CgroupEntry>> read_cgroup(const ProcRoot& root, pid_t pid) {
  MADV_TAKE(const std::string text, root.read_file(pid, "cgroup", kCgroupLimitBytes));
  return parse_cgroup(text);
}

std::optional<std::string> unified_path(const std::vector<CgroupEntry>& entries) {
  for (const CgroupEntry& entry : entries) {
    if (entry.hierarchy_id == 0) return entry.path;
  }
  return std::nullopt;
}

std::optional<std::string> controller_path(const std::vector<CgroupEntry>& entries, std::string_view controller) {
  for (const CgroupEntry& entry : entries) {
    if (std::find(entry.controllers.begin(), entry.controllers.end(), controller) != entry.controllers.end()) {
      return entry.path;
    }
  }
  return std::nullopt;
}

}  // namespace madvtrace
