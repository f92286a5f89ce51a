// SPDX-License-Identifier: Apache-2.0
#include "procfs/maps.h"

#include <algorithm>
#include <utility>

#include "procfs/text.h"

namespace madvtrace {
namespace {

// kMappingsLimit lines of ordinary length.
constexpr std::size_t kMapsLimitBytes = std::size_t{256} * 1024 * 1024;

std::string decode_newlines(std::string_view printed) {
  constexpr std::string_view kEscaped = "\\012";
  std::string path;
  path.reserve(printed.size());
  while (!printed.empty()) {
    const std::size_t at = printed.find(kEscaped);
    path.append(printed.substr(0, at));
    if (at == std::string_view::npos) break;
    path.push_back('\n');
    printed.remove_prefix(at + kEscaped.size());
  }
  return path;
}

std::optional<std::array<char, 4>> parse_perms(std::string_view text) {
  constexpr std::array<std::string_view, 4> kAllowed{"r-", "w-", "x-", "ps"};
  std::array<char, 4> perms{};
  if (text.size() != perms.size()) return std::nullopt;
  for (std::size_t at = 0; at < perms.size(); ++at) {
    if (kAllowed[at].find(text[at]) == std::string_view::npos) return std::nullopt;
    perms[at] = text[at];
  }
  return perms;
}

}  // namespace

// "7fb1e5db5000-7fb1e5db6000 r--p 00001000 fe:00 10952801      /usr/lib/x.so"
std::optional<Mapping> parse_mapping(std::string_view line) {
  const auto begin = parse_integer<std::uint64_t>(take_until(line, '-'), 16);
  const auto end = parse_integer<std::uint64_t>(take_until(line, ' '), 16);
  const auto perms = parse_perms(take_until(line, ' '));
  const auto offset_bytes = parse_integer<std::uint64_t>(take_until(line, ' '), 16);
  const auto dev_major = parse_integer<std::uint32_t>(take_until(line, ':'), 16);
  const auto dev_minor = parse_integer<std::uint32_t>(take_until(line, ' '), 16);
  const auto inode = parse_integer<std::uint64_t>(take_until(line, ' '));
  if (!begin || !end || *begin >= *end || !perms || !offset_bytes || !dev_major || !dev_minor || !inode) {
    return std::nullopt;
  }
  Mapping mapping{.range = {*begin, *end},
                  .perms = *perms,
                  .offset_bytes = *offset_bytes,
                  .dev_major = *dev_major,
                  .dev_minor = *dev_minor,
                  .inode = *inode,
                  .path = {},
                  .deleted = false};
  // The kernel pads in front of the name; blanks behind it are the name's.
  const std::size_t name_at = line.find_first_not_of(' ');
  if (name_at == std::string_view::npos) return mapping;
  const PrintedPath printed = split_deleted(line.substr(name_at));
  mapping.path = decode_newlines(printed.path);
  mapping.deleted = printed.deleted;
  return mapping;
}

MapsText parse_maps(std::string_view text, std::size_t limit) {
  MapsText maps;
  while (!text.empty()) {
    if (maps.mappings.size() >= limit) {
      maps.lines_over =
          static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')) + (text.ends_with('\n') ? 0U : 1U);
      break;
    }
    std::optional<Mapping> mapping = parse_mapping(take_until(text, '\n'));
    if (mapping) {
      maps.mappings.push_back(std::move(*mapping));
    } else {
      ++maps.lines_bad;
    }
  }
  return maps;
}

Result<MapsText> read_maps(const ProcRoot& root, pid_t pid) {
  MADV_TAKE(const std::string text, root.read_file(pid, "maps", kMapsLimitBytes));
  return parse_maps(text);
}

bool is_anonymous_private(const Mapping& mapping) {
  if (mapping.perms[3] != 'p' || mapping.inode != 0 || mapping.dev_major != 0 || mapping.dev_minor != 0) return false;
  const std::string_view path = mapping.path;
  // Until 4.5 thread stacks were printed as "[stack:TID]".
  return path.empty() || path == "[heap]" || path == "[stack]" || path.starts_with("[stack:") ||
         path.starts_with("[anon:");
}

}  // namespace madvtrace
