// SPDX-License-Identifier: Apache-2.0
#include "targets/group_watch.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/file_text.h"
#include "containers/directories.h"
#include "procfs/cgroup.h"
#include "procfs/text.h"
#include "targets/group_books.h"

namespace madvtrace {
namespace {

// A pod has some; a machine that runs thousands is not what one group is.
constexpr std::size_t kGroupsLimit = 256;
constexpr std::size_t kProcsLimitBytes = std::size_t{1} << 20;

std::optional<std::uint64_t> inode_of(const std::string& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
  return status.st_ino;
}

// The directory itself, or one below it.
bool is_at_or_below(const std::string& path, const std::string& directory) {
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

}  // namespace

GroupWatch::GroupWatch(const std::string& root, const ProcRoot& proc, FoundGroup group)
    : proc_(proc),
      group_(std::move(group)),
      directory_(::open(group_.directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
  if (auto mounts = read_cgroup_mounts(root)) mounts_ = std::move(*mounts);
}

GroupInfo GroupWatch::info(std::string name, bool go_only) const {
  return {.name = std::move(name),
          .path = group_.path,
          .controllers = group_.controllers,
          .id = group_.id,
          .how = group_.how,
          .container_id = group_.container_id,
          .container_name = group_.container_name,
          .go_only = go_only};
}

bool GroupWatch::gone() const { return inode_of(group_.directory) != group_.id; }

// The one in which the group was found.
const CgroupMount* GroupWatch::mount() const {
  const CgroupMount* found = nullptr;
  for (const CgroupMount& mount : mounts_) {
    if (mount.controllers != group_.controllers || !is_at_or_below(group_.directory, mount.directory)) continue;
    if (found == nullptr || mount.directory.size() > found->directory.size()) found = &mount;
  }
  return found;
}

GroupWatch::Members GroupWatch::members() const {
  Members members{.count = 0};
  std::vector<std::string> groups{group_.directory};
  for (std::size_t at = 0; at < groups.size(); ++at) {
    // By value: the list grows.
    const std::string directory = groups[at];
    const auto text = read_text_at(AT_FDCWD, directory + "/cgroup.procs", kProcsLimitBytes);
    if (text) {
      std::string_view rest = text->text;
      while (!rest.empty()) {
        const auto pid = parse_integer<std::uint32_t>(take_until(rest, '\n'));
        if (!pid) continue;
        if (members.count) ++*members.count;
        if (!members.first && *pid != 0) members.first = pid;
      }
      if (text->truncated) members.count.reset();
    } else if (text.error() != EOPNOTSUPP && text.error() != ENOENT && text.error() != ENODEV) {
      // A group of threads only cannot be asked, its processes are an ancestor's; others
      // have gone meanwhile.
      members.count.reset();
    }
    const Directories below = list_directories(directory, kGroupsLimit);
    if (groups.size() + below.names.size() > kGroupsLimit) {
      members.count.reset();
      if (members.first) break;
    }
    for (const std::string& name : below.names) {
      if (groups.size() < kGroupsLimit) groups.emplace_back(directory).append("/").append(name);
    }
  }
  return members;
}

void GroupWatch::find_memory(const std::optional<std::uint32_t>& first_process) {
  const auto open = [this](const std::optional<MemoryGroup>& where) {
    if (!where || reader_) return;
    if (auto reader = GroupMemoryReader::open(*where); reader && !reader->is_root())
      reader_.emplace(*std::move(reader));
  };
  if (const CgroupMount* const its = mount()) open(memory_group_at(*its, group_.directory));
  if (reader_ || !first_process) return;
  const auto entries = read_cgroup(proc_, static_cast<pid_t>(*first_process));
  if (entries) open(find_memory_group(mounts_, *entries));
}

std::optional<GroupSample> GroupWatch::sample() {
  if (gone()) return std::nullopt;
  const Members in_it = members();
  if (!reader_) find_memory(in_it.first);
  GroupSample sample{.processes = in_it.count};
  if (!reader_) return sample;
  const auto memory = reader_->read();
  if (!memory) {
    // Another than the one that is watched: the next interval looks for one again.
    if (memory.error().failure == Failure::kGone) reader_.reset();
    return sample;
  }
  sample.charge = static_cast<const GroupCharge&>(*memory);
  sample.counts = static_cast<const GroupCounts&>(*memory);
  return sample;
}

bool GroupWatch::contains(std::uint32_t pid) const {
  const CgroupMount* const its = mount();
  const auto entries = read_cgroup(proc_, static_cast<pid_t>(pid));
  if (its == nullptr || !entries) return false;
  return std::any_of(entries->begin(), entries->end(), [&](const CgroupEntry& entry) {
    const auto directory = its->is_of(entry) ? group_directory(*its, entry.path) : std::nullopt;
    return directory && is_at_or_below(*directory, group_.directory);
  });
}

}  // namespace madvtrace
