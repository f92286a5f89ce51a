// SPDX-License-Identifier: Apache-2.0
#include "containers/hierarchies.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "base/file_text.h"
#include "containers/directories.h"
#include "procfs/text.h"

namespace madvtrace {
namespace {

// A node with thousands of containers has some MiB of mounts.
constexpr std::size_t kMountinfoLimitBytes = std::size_t{16} * 1024 * 1024;
// Groups that are looked at to find the ancestors of our own cgroup namespace.
constexpr std::size_t kGroupsLimit = 65'536;

// The kernel writes blank, tab, newline and backslash as \ooo (mangle_path).
std::string unescape(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    constexpr std::size_t kDigits = 3;
    const auto code = text.front() == '\\' && text.size() > kDigits
                          ? parse_integer<unsigned char>(text.substr(1, kDigits), 8)
                          : std::optional<unsigned char>{};
    plain += code ? static_cast<char>(*code) : text.front();
    text.remove_prefix(code ? kDigits + 1 : 1);
  }
  return plain;
}

// What a v1 hierarchy's super block prints beside its controllers
// (kernel/cgroup/cgroup-v1.c, cgroup1_show_options).
bool is_controller(std::string_view option) {
  constexpr std::array<std::string_view, 8> kOthers{
      "", "rw", "ro", "noprefix", "xattr", "clone_children", "cpuset_v2_mode", "favordynmods"};
  if (option.starts_with("name=")) return true;
  return option.find('=') == std::string_view::npos &&
         std::find(kOthers.begin(), kOthers.end(), option) == kOthers.end();
}

// "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory",
// with any number of optional fields before the "-".
std::optional<CgroupMount> parse_mount(std::string_view line) {
  constexpr int kFieldsBeforeRoot = 3;
  for (int field = 0; field < kFieldsBeforeRoot; ++field) take_until(line, ' ');
  const std::string_view root = take_until(line, ' ');
  const std::string_view directory = take_until(line, ' ');
  while (!line.empty() && take_until(line, ' ') != "-") {
  }
  const std::string_view type = take_until(line, ' ');
  take_until(line, ' ');  // the source, which can be any text
  if ((type != "cgroup" && type != "cgroup2") || !root.starts_with('/') || !directory.starts_with('/')) {
    return std::nullopt;
  }
  CgroupMount mount{.controllers = {}, .root = unescape(root), .directory = unescape(directory)};
  if (type == "cgroup2") return mount;
  while (!line.empty()) {
    const std::string_view option = take_until(line, ',');
    if (is_controller(option)) mount.controllers.push_back(unescape(option));
  }
  if (mount.controllers.empty()) return std::nullopt;
  return mount;
}

// "/../../a/b": two up, then a and b.
struct Steps {
  std::size_t up = 0;
  std::vector<std::string_view> down;
};

std::optional<Steps> parse_steps(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  Steps steps;
  while (!path.empty()) {
    const std::string_view name = take_until(path, '/');
    if (name.empty()) continue;
    if (name != "..") {
      steps.down.push_back(name);
    } else if (steps.down.empty()) {
      ++steps.up;
    } else {
      return std::nullopt;
    }
  }
  return steps;
}

// Every directory `depth` levels below `top` that has `below` in it; all of them count
// against the limit, so that the answer is never "the only one so far".
std::optional<std::string> only_directory(const std::string& top, std::size_t depth, const std::string& below) {
  std::vector<std::string> level{top};
  std::size_t seen = 0;
  for (std::size_t step = 0; step < depth; ++step) {
    std::vector<std::string> next;
    for (const std::string& parent : level) {
      for (const std::string& name : list_directories(parent, kGroupsLimit).names)
        next.push_back(fmt::format("{}/{}", parent, name));
      if (seen + next.size() > kGroupsLimit) return std::nullopt;
    }
    seen += next.size();
    level = std::move(next);
  }
  std::optional<std::string> found;
  for (const std::string& parent : level) {
    std::string path = parent + below;
    if (!is_directory(path)) continue;
    if (found) return std::nullopt;
    found = std::move(path);
  }
  return found;
}

// Those that show most come first; of equals the one that is mounted first.
void sort_by_view(std::vector<CgroupMount>& mounts) {
  const auto view = [](const CgroupMount& mount) {
    const std::optional<Steps> steps = parse_steps(mount.root);
    return steps ? std::tuple(-static_cast<std::ptrdiff_t>(steps->up), steps->down.size())
                 : std::tuple(std::ptrdiff_t{1}, std::size_t{0});
  };
  std::stable_sort(mounts.begin(), mounts.end(),
                   [&](const CgroupMount& a, const CgroupMount& b) { return view(a) < view(b); });
}

}  // namespace

bool CgroupMount::has_controller(std::string_view name) const {
  return std::find(controllers.begin(), controllers.end(), name) != controllers.end();
}

bool CgroupMount::is_of(const CgroupEntry& entry) const {
  if (unified() || entry.hierarchy_id == 0) return unified() && entry.hierarchy_id == 0;
  return std::any_of(entry.controllers.begin(), entry.controllers.end(),
                     [this](const std::string& name) { return has_controller(name); });
}

std::string hierarchy_name(const CgroupMount& mount) {
  return mount.unified() ? "unified" : fmt::format("{}", fmt::join(mount.controllers, ","));
}

std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo) {
  std::vector<CgroupMount> mounts;
  while (!mountinfo.empty() && mounts.size() < kCgroupMountsLimit) {
    std::optional<CgroupMount> mount = parse_mount(take_until(mountinfo, '\n'));
    if (mount) mounts.push_back(std::move(*mount));
  }
  sort_by_view(mounts);
  return mounts;
}

Result<std::vector<CgroupMount>> read_cgroup_mounts(const std::string& root) {
  const std::string path = root + "/proc/self/mountinfo";
  const tl::expected<FileText, int> file = read_text_at(AT_FDCWD, path, kMountinfoLimitBytes);
  if (!file) return fail(errno_text(fmt::format("cannot read {}", path), file.error()));
  std::vector<CgroupMount> mounts = parse_cgroup_mounts(file->text);
  for (CgroupMount& mount : mounts) mount.directory.insert(0, root);
  if (mounts.empty()) {
    return fail(
        ExitCode::kUnsupported,
        fmt::format("no cgroup hierarchy is mounted ({}); in a container, mount the host's /sys/fs/cgroup", path));
  }
  return mounts;
}

std::optional<std::string> group_directory(const CgroupMount& mount, std::string_view path) {
  const std::optional<Steps> top = parse_steps(mount.root);
  const std::optional<Steps> group = parse_steps(path);
  if (!top || !group || group->up > top->up) return std::nullopt;
  if (group->up == top->up) {
    const auto [rest_of_top, below] =
        std::mismatch(top->down.begin(), top->down.end(), group->down.begin(), group->down.end());
    if (rest_of_top != top->down.end()) return std::nullopt;
    const std::vector<std::string_view> names(below, group->down.end());
    std::string directory = mount.directory;
    for (const std::string_view name : names) directory.append("/").append(name);
    return is_directory(directory) ? std::optional(std::move(directory)) : std::nullopt;
  }
  // The mount begins above the group's common ancestor with our namespace. A mount of
  // a sibling ("/../x") shows nothing of the way to us.
  if (!top->down.empty()) return std::nullopt;
  std::string below;
  for (const std::string_view name : group->down) below.append("/").append(name);
  return only_directory(mount.directory, top->up - group->up, below);
}

std::optional<GroupPlace> group_place(const std::vector<CgroupMount>& mounts, const CgroupEntry& entry) {
  for (const CgroupMount& mount : mounts) {
    if (!mount.is_of(entry)) continue;
    if (std::optional<std::string> directory = group_directory(mount, entry.path)) {
      return GroupPlace{.mount = &mount, .directory = std::move(*directory)};
    }
  }
  return std::nullopt;
}

}  // namespace madvtrace
