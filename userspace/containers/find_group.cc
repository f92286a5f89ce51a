// SPDX-License-Identifier: Apache-2.0
#include "containers/find_group.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "containers/container_group.h"
#include "containers/container_list.h"
#include "containers/directories.h"
#include "containers/hierarchies.h"
#include "procfs/text.h"

namespace madvtrace {
namespace {

using Found = Result<FoundGroup>;

constexpr std::size_t kTextLimit = 4096;      // PATH_MAX
constexpr std::size_t kSearchLimit = 65'536;  // groups, in the search for a unit
constexpr std::size_t kShownId = 12;          // what Docker prints
constexpr std::size_t kShownCandidates = 20;

// Why this is the name of nothing; messages may quote what passes.
std::optional<std::string> refusal(std::string_view text) {
  if (text.empty()) return "the name of the cgroup or container is empty";
  if (text.size() > kTextLimit) {
    return fmt::format("the name of the cgroup or container has {} bytes: at most {} can be right", text.size(),
                       kTextLimit);
  }
  if (std::any_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; })) {
    return "the name of the cgroup or container has a control character (a line end?): no group has";
  }
  // Only at the beginning: the way from our cgroup namespace to a sibling's.
  std::string_view rest = text;
  while (rest.starts_with("/..") && (rest.size() == 3 || rest[3] == '/')) rest.remove_prefix(3);
  while (!rest.empty()) {
    const std::string_view name = take_until(rest, '/');
    if (name == "." || name == "..") {
      return fmt::format("'{}' goes through '{}': write the path of the cgroup without", text, name);
    }
  }
  return std::nullopt;
}

// In which hierarchy a group that is in several is looked at.
int rank(const CgroupMount& mount) {
  if (mount.has_controller("memory")) return 0;
  if (mount.unified()) return 1;
  return mount.controllers.front().starts_with("name=") ? 3 : 2;
}

std::optional<std::string> real_path(const std::string& path) {
  struct Free {
    void operator()(char* text) const { std::free(text); }  // NOLINT(cppcoreguidelines-no-malloc): realpath's own
  };
  const std::unique_ptr<char, Free> real(::realpath(path.c_str(), nullptr));
  return real ? std::optional<std::string>(real.get()) : std::nullopt;
}

// The rest of the path below this directory: "", or "/a/b".
std::optional<std::string> path_below(const std::string& path, const std::string& directory) {
  if (!path.starts_with(directory)) return std::nullopt;
  std::string below = path.substr(directory.size());
  return below.empty() || below.starts_with('/') ? std::optional(std::move(below)) : std::nullopt;
}

// Nothing if it has gone meanwhile, or is no directory.
std::optional<FoundGroup> group_at(const CgroupMount& mount, std::string_view below, std::string how) {
  while (below.ends_with('/')) below.remove_suffix(1);
  FoundGroup group;
  group.controllers = mount.controllers;
  group.directory = mount.directory + std::string(below);
  struct stat status {};
  if (::stat(group.directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
  group.id = status.st_ino;
  const bool root_is_named = mount.root != "/" && !mount.root.starts_with("/..");
  group.path = (root_is_named ? mount.root : std::string()) + std::string(below);
  if (group.path.empty()) group.path = "/";
  group.how = std::move(how);
  return group;
}

bool same_group(const FoundGroup& a, const FoundGroup& b) { return a.id == b.id && a.controllers == b.controllers; }

// One search. Each step says nothing, one group, or that there are several.
class Search {
 public:
  Search(std::string root, const ProcRoot& proc, std::string_view text, std::vector<CgroupMount> mounts)
      : root_(std::move(root)), proc_(proc), text_(text), mounts_(std::move(mounts)) {
    std::stable_sort(mounts_.begin(), mounts_.end(),
                     [](const CgroupMount& a, const CgroupMount& b) { return rank(a) < rank(b); });
  }

  Found run() {
    for (const auto step : {&Search::by_directory, &Search::by_path, &Search::by_unit}) {
      if (std::optional<Found> found = (this->*step)()) return std::move(*found);
    }
    list_ = list_containers(root_);
    for (const auto step : {&Search::by_id, &Search::by_container_name, &Search::by_pod_name, &Search::by_short_id}) {
      if (std::optional<Found> found = (this->*step)()) return std::move(*found);
    }
    return fail(not_found());
  }

 private:
  struct Candidate {
    FoundGroup group;
    std::string label;
  };

  // Symbolic links too: on some machines /sys/fs/cgroup/cpu is one.
  std::optional<Found> by_directory() {
    const std::optional<std::string> path = text_.starts_with('/') ? real_path(root_ + text_) : std::nullopt;
    std::optional<FoundGroup> found;
    std::size_t longest = 0;
    for (const CgroupMount& mount : mounts_) {
      const std::optional<std::string> top = path ? real_path(mount.directory) : std::nullopt;
      const std::optional<std::string> below = top ? path_below(*path, *top) : std::nullopt;
      if (!below || top->size() <= longest) continue;
      longest = top->size();
      found = group_at(mount, *below, "the directory of that name");
    }
    if (!found) return std::nullopt;
    return std::move(*found);
  }

  std::optional<Found> by_path() {
    const std::string below = text_.starts_with('/') ? text_ : "/" + text_;
    for (const CgroupMount& mount : mounts_) {
      std::optional<std::string> rest = below;
      if (below.starts_with("/..")) {
        const std::optional<std::string> directory = group_directory(mount, below);
        rest = directory ? path_below(*directory, mount.directory) : std::nullopt;
      }
      if (!rest) continue;
      if (std::optional<FoundGroup> group =
              group_at(mount, *rest, "a path in the hierarchy " + hierarchy_name(mount))) {
        return std::move(*group);
      }
    }
    return std::nullopt;
  }

  // Units lie in slices, and those of a user's own systemd below user@UID.service.
  std::optional<Found> by_unit() {
    constexpr std::array<std::string_view, 6> kKinds{".service", ".scope", ".slice", ".mount", ".socket", ".swap"};
    if (text_.find('/') != std::string::npos ||
        std::none_of(kKinds.begin(), kKinds.end(), [this](std::string_view kind) { return text_.ends_with(kind); })) {
      return std::nullopt;
    }
    for (const CgroupMount& mount : mounts_) {
      std::vector<Candidate> candidates;
      std::vector<std::string> parents{""};
      for (std::size_t at = 0; at < parents.size(); ++at) {
        for (const std::string& name : list_directories(mount.directory + parents[at], kSearchLimit).names) {
          const std::string below = fmt::format("{}/{}", parents[at], name);
          if (name == text_) add(candidates, group_at(mount, below, "a systemd unit"), "unit");
          const bool has_units = name.ends_with(".slice") || (name.starts_with("user@") && name.ends_with(".service"));
          if (has_units && parents.size() < kSearchLimit) parents.push_back(below);
        }
      }
      if (std::optional<Found> found = decide(candidates)) return found;
    }
    return std::nullopt;
  }

  std::optional<Found> by_id() {
    return of_containers([this](const Container& container) { return container.id == text_; }, false);
  }

  std::optional<Found> by_container_name() {
    return of_containers(
        [this](const Container& container) {
          return std::any_of(container.names.begin(), container.names.end(), [&](const std::string& name) {
            return name == text_ || (!container.pod.empty() &&
                                     (fmt::format("{}/{}", container.pod, name) == text_ ||
                                      fmt::format("{}/{}/{}", container.pod_namespace, container.pod, name) == text_));
          });
        },
        false);
  }

  std::optional<Found> by_pod_name() {
    return of_containers(
        [this](const Container& container) {
          return !container.pod.empty() &&
                 (container.pod == text_ || fmt::format("{}/{}", container.pod_namespace, container.pod) == text_);
        },
        true);
  }

  std::optional<Found> by_short_id() {
    if (!is_short_id(text_)) return std::nullopt;
    // Those that no runtime's file names, as far as we can see the files, count too.
    for (const auto& one : seen()) {
      const auto is_known = [&](const Container& container) { return container.id == one.first; };
      if (!one.first.starts_with(text_) || std::any_of(list_.containers.begin(), list_.containers.end(), is_known)) {
        continue;
      }
      list_.containers.emplace_back();
      list_.containers.back().id = one.first;
    }
    return of_containers(
        [this](const Container& container) { return is_long_id(container.id) && container.id.starts_with(text_); },
        false);
  }

  template <class Matches>
  std::optional<Found> of_containers(Matches matches, bool as_pod) {
    std::vector<Candidate> candidates;
    for (const Container& container : list_.containers) {
      if (!matches(container)) continue;
      const bool pod = as_pod || container.sandbox;
      std::optional<FoundGroup> group = group_of(container, pod);
      if (!group) {
        if (!container.claims.empty()) stale_ = container.claims.front();
        continue;
      }
      if (!pod) {
        group->container_id = container.id;
        if (!container.names.empty()) group->container_name = container.names.front();
      }
      add(candidates, std::move(group), label_of(container, pod));
    }
    return decide(candidates);
  }

  static std::string label_of(const Container& container, bool pod) {
    std::string label =
        container.pod_namespace.empty() ? container.pod : fmt::format("{}/{}", container.pod_namespace, container.pod);
    if (pod) return "pod " + label;
    if (!label.empty()) label += '/';
    if (!container.names.empty()) label += container.names.front();
    return fmt::format("container {} {}", container.id.substr(0, kShownId), label);
  }

  std::optional<FoundGroup> group_of(const Container& container, bool as_pod) {
    for (const Container::Claim& claim : container.claims) {
      std::optional<FoundGroup> group =
          group_of(claimed_groups(proc_, container.id, claim), as_pod,
                   fmt::format("{}: process {} of {}", label_of(container, as_pod), claim.pid, claim.source));
      if (group) return group;
    }
    const auto seen_one = is_long_id(container.id) ? seen().find(container.id) : seen().end();
    if (seen_one == seen().end()) return std::nullopt;
    return group_of(seen_one->second, as_pod, label_of(container, as_pod) + ": processes are in it");
  }

  // The group in the first hierarchy that has one of these.
  std::optional<FoundGroup> group_of(const std::vector<CgroupEntry>& groups, bool as_pod, const std::string& how) {
    for (const CgroupMount& mount : mounts_) {
      for (const CgroupEntry& entry : groups) {
        const std::optional<std::string> directory =
            mount.is_of(entry) ? group_directory(mount, entry.path) : std::nullopt;
        std::optional<std::string> below = directory ? path_below(*directory, mount.directory) : std::nullopt;
        if (below && as_pod) below = pod_path(*below);
        if (!below) continue;
        if (std::optional<FoundGroup> group = group_at(mount, *below, how)) return group;
      }
    }
    return std::nullopt;
  }

  // "/kubepods/burstable/pod<uid>/<id>" -> without the id. Nothing if the container is
  // not in a group that is called after a pod: its parent has other containers then.
  static std::optional<std::string> pod_path(const std::string& below) {
    const std::string parent = below.substr(0, below.rfind('/'));
    const std::string name = parent.substr(parent.rfind('/') + 1);
    const bool is_pod =
        name.starts_with("pod") || name.find("-pod") != std::string::npos || name.find("_pod_") != std::string::npos;
    return is_pod ? std::optional(parent) : std::nullopt;
  }

  const SeenContainers& seen() {
    if (!seen_) seen_ = scan_for_containers(proc_);
    return *seen_;
  }

  static void add(std::vector<Candidate>& candidates, std::optional<FoundGroup> group, std::string label) {
    if (!group || std::any_of(candidates.begin(), candidates.end(),
                              [&](const Candidate& candidate) { return same_group(candidate.group, *group); })) {
      return;
    }
    candidates.push_back({.group = std::move(*group), .label = std::move(label)});
  }

  std::optional<Found> decide(std::vector<Candidate>& candidates) const {
    if (candidates.empty()) return std::nullopt;
    if (candidates.size() == 1) return std::move(candidates.front().group);
    std::string message = fmt::format(
        "'{}' can be {} groups; write the path or the id of one, or POD/CONTAINER:", text_, candidates.size());
    for (std::size_t at = 0; at < candidates.size() && at < kShownCandidates; ++at) {
      message += fmt::format("\n  {}: {}", candidates[at].label, candidates[at].group.path);
    }
    if (candidates.size() > kShownCandidates) {
      message += fmt::format("\n  and {} more", candidates.size() - kShownCandidates);
    }
    return fail(ExitCode::kUsage, std::move(message));
  }

  Error not_found() const {
    std::vector<std::string> hierarchies;
    for (const CgroupMount& mount : mounts_) hierarchies.push_back(hierarchy_name(mount));
    std::string message = fmt::format(
        "there is no cgroup, systemd unit, container or pod '{}': looked in the cgroup hierarchies {}, in {} and in "
        "the "
        "groups of all processes",
        text_, fmt::join(hierarchies, " "),
        list_.looked.empty() ? "no container runtime's directory (there is none)"
                             : fmt::format("{}", fmt::join(list_.looked, ", ")));
    if (!list_.unreadable.empty()) {
      message += fmt::format("; could not read {}: run as root", fmt::join(list_.unreadable, ", "));
    }
    if (stale_) {
      message += fmt::format("; {} names process {}, which is not in that container: has it ended, or is {}",
                             stale_->source, stale_->pid, "/proc not the machine's?");
    }
    return {ExitCode::kUsage, std::move(message), Failure::kAbsent};
  }

  std::string root_;
  const ProcRoot& proc_;
  std::string text_;
  std::vector<CgroupMount> mounts_;
  ContainerList list_;
  std::optional<SeenContainers> seen_;
  std::optional<Container::Claim> stale_;  // a process that is not where a file says
};

}  // namespace

Result<FoundGroup> find_group(const std::string& root, const ProcRoot& proc, std::string_view text) {
  if (std::optional<std::string> refused = refusal(text)) return fail(ExitCode::kUsage, std::move(*refused));
  MADV_TAKE(std::vector<CgroupMount> mounts, read_cgroup_mounts(root));
  return Search(root, proc, text, std::move(mounts)).run();
}

}  // namespace madvtrace
