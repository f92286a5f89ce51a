// SPDX-License-Identifier: Apache-2.0
#include "containers/group_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <initializer_list>
#include <utility>

#include "base/file_text.h"
#include "base/page_range.h"
#include "procfs/text.h"

namespace madvtrace {
namespace {

// memory.stat is the largest, with 2 to 4 KiB.
constexpr std::size_t kLimitBytes = std::size_t{64} * 1024;
// The kernel refuses none, but nobody nests deeper.
constexpr int kAncestorsLimit = 64;

std::optional<std::uint64_t> whole_number(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  std::string_view rest = *text;
  return parse_integer<std::uint64_t>(take_until(rest, '\n'));
}

// What v1 prints for "no limit": PAGE_COUNTER_MAX pages.
std::optional<std::uint64_t> v1_limit(std::optional<std::uint64_t> bytes) {
  constexpr std::uint64_t kNoLimitBytes = page_floor(INT64_MAX);
  return bytes && *bytes < kNoLimitBytes ? bytes : std::nullopt;
}

// Lines of "key value"; of a key that comes twice the first counts.
struct Wanted {
  std::string_view key;
  std::optional<std::uint64_t>* value;
};
void take_values(const std::optional<std::string>& text, std::initializer_list<Wanted> wanted) {
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    std::string_view value = take_until(rest, '\n');
    const std::string_view key = take_until(value, ' ');
    for (const Wanted& one : wanted) {
      if (one.key == key && !*one.value) *one.value = parse_integer<std::uint64_t>(value);
    }
  }
}

// "some avg10=0.00 avg60=0.00 avg300=0.00 total=0"
std::optional<std::uint64_t> pressure_total_us(const std::optional<std::string>& text, std::string_view kind) {
  constexpr std::string_view kTotal = "total=";
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    std::string_view line = take_until(rest, '\n');
    if (take_until(line, ' ') != kind) continue;
    while (!line.empty()) {
      const std::string_view field = take_until(line, ' ');
      if (field.starts_with(kTotal)) return parse_integer<std::uint64_t>(field.substr(kTotal.size()));
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> smaller(std::optional<std::uint64_t> a, std::optional<std::uint64_t> b) {
  return a && b ? std::min(a, b) : (a ? a : b);
}

// The lines of memory.stat that say what is on the LRU lists, and what of it is in use.
struct LruLines {
  std::optional<std::uint64_t> inactive_anon;
  std::optional<std::uint64_t> active_anon;
  std::optional<std::uint64_t> unevictable;
  std::optional<std::uint64_t> page_cache;   // with shmem and the swap cache
  std::optional<std::uint64_t> swap_cached;  // anonymous memory and page cache at once; none before 5.12
};

std::optional<std::uint64_t> deferred_split(const LruLines& lines, const GroupMemory& memory) {
  if (!lines.inactive_anon || !lines.active_anon || !lines.unevictable || !lines.page_cache || !memory.anon_bytes ||
      !memory.active_file_bytes || !memory.inactive_file_bytes) {
    return std::nullopt;
  }
  const std::uint64_t listed = *lines.inactive_anon + *lines.active_anon + *lines.unevictable +
                               *memory.active_file_bytes + *memory.inactive_file_bytes + lines.swap_cached.value_or(0);
  const std::uint64_t used = *memory.anon_bytes + *lines.page_cache;
  return listed > used ? listed - used : 0;
}

bool has_memory_books(const std::string& directory) {
  struct stat status {};
  return ::stat((directory + "/memory.stat").c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

Error group_error(const MemoryGroup& group, int error_number) {
  if (error_number == ENOENT || error_number == ENODEV) {
    return {.message = fmt::format("the memory cgroup {} is gone", group.directory), .failure = Failure::kGone};
  }
  return {.message = errno_text(fmt::format("cannot read the memory cgroup {}", group.directory), error_number)};
}

}  // namespace

GroupMemory parse_group_memory(CgroupVersion version, const GroupMemoryText& text) {
  GroupMemory memory;
  LruLines lines;
  memory.usage_bytes = whole_number(text.usage);
  if (version == CgroupVersion::kV1) {
    take_values(text.stat, {{"total_rss", &memory.anon_bytes},
                            {"total_active_file", &memory.active_file_bytes},
                            {"total_inactive_file", &memory.inactive_file_bytes},
                            {"total_inactive_anon", &lines.inactive_anon},
                            {"total_active_anon", &lines.active_anon},
                            {"total_unevictable", &lines.unevictable},
                            {"total_cache", &lines.page_cache},
                            {"total_swapcached", &lines.swap_cached},
                            {"total_shmem", &memory.shmem_bytes},
                            {"hierarchical_memory_limit", &memory.limit_bytes}});
    memory.own_limit_bytes = v1_limit(whole_number(text.limit));
    memory.limit_bytes = v1_limit(memory.limit_bytes);
    memory.kernel_bytes = whole_number(text.kernel);
  } else {
    take_values(text.stat, {{"anon", &memory.anon_bytes},
                            {"active_file", &memory.active_file_bytes},
                            {"inactive_file", &memory.inactive_file_bytes},
                            {"inactive_anon", &lines.inactive_anon},
                            {"active_anon", &lines.active_anon},
                            {"unevictable", &lines.unevictable},
                            {"file", &lines.page_cache},
                            {"swapcached", &lines.swap_cached},
                            {"shmem", &memory.shmem_bytes},
                            {"kernel", &memory.kernel_bytes}});
    // "max", for no limit, is no number.
    memory.own_limit_bytes = memory.limit_bytes = whole_number(text.limit);
    for (const std::string& limit : text.ancestor_limits) {
      memory.limit_bytes = smaller(memory.limit_bytes, whole_number(limit));
    }
  }
  take_values(text.events,
              {{"oom_kill", &memory.oom_kills}, {"high", &memory.high_events}, {"max", &memory.max_events}});
  memory.pressure_some_us = pressure_total_us(text.pressure, "some");
  memory.pressure_full_us = pressure_total_us(text.pressure, "full");
  memory.deferred_split_bytes = deferred_split(lines, memory);
  if (memory.usage_bytes && memory.inactive_file_bytes) {
    memory.working_set_bytes = *memory.usage_bytes - std::min(*memory.usage_bytes, *memory.inactive_file_bytes);
  }
  return memory;
}

std::optional<MemoryGroup> memory_group_at(const CgroupMount& mount, const std::string& directory) {
  if (!mount.unified()) {
    if (!mount.has_controller("memory") || !has_memory_books(directory)) return std::nullopt;
    return MemoryGroup{.version = CgroupVersion::kV1, .directory = directory};
  }
  if (!directory.starts_with(mount.directory)) return std::nullopt;
  std::filesystem::path ancestor = directory;
  while (!has_memory_books(ancestor)) {
    if (ancestor.native().size() <= mount.directory.size()) return std::nullopt;
    ancestor = ancestor.parent_path();
  }
  return MemoryGroup{.version = CgroupVersion::kV2, .directory = ancestor};
}

std::optional<MemoryGroup> find_memory_group(const std::vector<CgroupMount>& mounts,
                                             const std::vector<CgroupEntry>& entries) {
  const auto v1 = std::find_if(entries.begin(), entries.end(), [](const CgroupEntry& entry) {
    return std::find(entry.controllers.begin(), entry.controllers.end(), "memory") != entry.controllers.end();
  });
  const auto unified =
      std::find_if(entries.begin(), entries.end(), [](const CgroupEntry& entry) { return entry.hierarchy_id == 0; });
  // The controller is in one hierarchy only: if it has a v1 one, the unified one has no
  // books, whether we can see the v1 one or not.
  const auto entry = v1 != entries.end() ? v1 : unified;
  if (entry == entries.end()) return std::nullopt;
  const std::optional<GroupPlace> place = group_place(mounts, *entry);
  return place ? memory_group_at(*place->mount, place->directory) : std::nullopt;
}

Result<GroupMemoryReader> GroupMemoryReader::open(const MemoryGroup& group) {
  UniqueFd directory(::open(group.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail(group_error(group, errno));
  struct stat status {};
  if (::fstat(directory.get(), &status) != 0) return fail(group_error(group, errno));
  return GroupMemoryReader(group, std::move(directory), status.st_ino);
}

bool GroupMemoryReader::is_root() const {
  // kernel/cgroup/: files that the root alone has (CFTYPE_ONLY_ON_ROOT), or has not.
  const bool v1 = group_.version == CgroupVersion::kV1;
  const bool there = ::faccessat(directory_.get(), v1 ? "cgroup.sane_behavior" : "cgroup.type", F_OK, 0) == 0;
  return v1 == there;
}

Result<GroupMemory> GroupMemoryReader::read() const {
  const auto read_file = [this](const std::string& name) -> std::optional<std::string> {
    tl::expected<FileText, int> file = read_text_at(directory_.get(), name, kLimitBytes);
    if (!file || file->truncated) return std::nullopt;
    return std::move(file->text);
  };
  // Every group with the controller has memory.stat, the roots included.
  tl::expected<FileText, int> stat = read_text_at(directory_.get(), "memory.stat", kLimitBytes);
  if (!stat) return fail(group_error(group_, stat.error()));

  const bool v1 = group_.version == CgroupVersion::kV1;
  GroupMemoryText text;
  text.stat = std::move(stat->text);
  text.usage = read_file(v1 ? "memory.usage_in_bytes" : "memory.current");
  text.limit = read_file(v1 ? "memory.limit_in_bytes" : "memory.max");
  text.events = read_file(v1 ? "memory.oom_control" : "memory.events");
  if (v1) text.kernel = read_file("memory.kmem.usage_in_bytes");
  if (!v1) text.pressure = read_file("memory.pressure");
  // The root has no limit; above a mount there is no such file either.
  std::string up = "../";
  for (int ancestor = 0; !v1 && text.limit && ancestor < kAncestorsLimit; ++ancestor, up += "../") {
    std::optional<std::string> limit = read_file(up + "memory.max");
    if (!limit) break;
    text.ancestor_limits.push_back(std::move(*limit));
  }
  return parse_group_memory(group_.version, text);
}

}  // namespace madvtrace
