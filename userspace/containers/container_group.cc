// SPDX-License-Identifier: Apache-2.0
#include "containers/container_group.h"

#include <algorithm>
#include <utility>

#include "procfs/text.h"

namespace madvtrace {
namespace {

constexpr std::size_t kLongId = 64;
constexpr std::size_t kShortestId = 4;
constexpr std::size_t kSeenLimit = 65'536;
constexpr std::string_view kScope = ".scope";

bool is_hex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

// The shortest path first: "/a", then "/a/b", of "/a/b".
template <class Matches>
std::optional<std::string> first_ancestor(std::string_view path, Matches matches) {
  for (std::size_t end = 0; end < path.size();) {
    const std::size_t begin = end + 1;
    end = std::min(path.find('/', begin), path.size());
    if (matches(path.substr(0, end), path.substr(begin, end - begin))) return std::string(path.substr(0, end));
  }
  return std::nullopt;
}

// The groups of one process that are, or lie below, one of the container.
std::vector<CgroupEntry> cut_down(const std::vector<CgroupEntry>& entries, std::string_view id,
                                  std::string_view recorded) {
  std::vector<CgroupEntry> groups;
  for (const CgroupEntry& entry : entries) {
    std::optional<std::string> path = container_path(entry.path, id, recorded);
    if (entry.deleted || !path) continue;
    groups.push_back(entry);
    groups.back().path = std::move(*path);
  }
  return groups;
}

}  // namespace

bool is_long_id(std::string_view text) { return text.size() == kLongId && is_hex(text); }

bool is_short_id(std::string_view text) { return text.size() >= kShortestId && text.size() <= kLongId && is_hex(text); }

std::string_view long_id_in(std::string_view group_name) {
  if (group_name.find("-conmon-") != std::string_view::npos) return {};
  if (group_name.ends_with(kScope)) group_name.remove_suffix(kScope.size());
  const std::string_view id = group_name.substr(group_name.rfind('-') + 1);
  return is_long_id(id) ? id : std::string_view();
}

bool is_group_of(std::string_view group_name, std::string_view id) {
  return !id.empty() && (group_name == id || long_id_in(group_name) == id);
}

std::optional<std::string> container_path(std::string_view path, std::string_view id, std::string_view recorded) {
  std::string_view known = path;
  while (known.starts_with("/..") && (known.size() == 3 || known[3] == '/')) known.remove_prefix(3);
  const std::size_t above = path.size() - known.size();
  const auto is_recorded = [&](std::string_view ancestor) {
    if (above == 0) return ancestor == recorded;
    return ancestor.size() > above && recorded.ends_with(ancestor.substr(above));
  };
  return first_ancestor(path, [&](std::string_view ancestor, std::string_view name) {
    return is_group_of(name, id) || (recorded.size() > 1 && is_recorded(ancestor));
  });
}

std::vector<CgroupEntry> claimed_groups(const ProcRoot& proc, const std::string& id, const Container::Claim& claim) {
  const Result<std::vector<CgroupEntry>> entries = read_cgroup(proc, claim.pid);
  return entries ? cut_down(*entries, id, claim.cgroup_path) : std::vector<CgroupEntry>();
}

SeenContainers scan_for_containers(const ProcRoot& proc) {
  SeenContainers seen;
  const Result<std::vector<pid_t>> pids = proc.list_pids();
  for (const pid_t pid : pids ? *pids : std::vector<pid_t>()) {
    const Result<std::vector<CgroupEntry>> entries = read_cgroup(proc, pid);
    if (!entries) continue;
    for (const CgroupEntry& entry : *entries) {
      // A container in a container is one as well.
      first_ancestor(entry.path, [&](std::string_view, std::string_view name) {
        const std::string_view id = long_id_in(name);
        if (!entry.deleted && !id.empty() && seen.size() < kSeenLimit && !seen.contains(id)) {
          seen.emplace(id, cut_down(*entries, id, {}));
        }
        return false;
      });
    }
  }
  return seen;
}

}  // namespace madvtrace
