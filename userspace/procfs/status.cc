// SPDX-License-Identifier: Apache-2.0
#include "procfs/status.h"

#include <array>
#include <utility>

#include "procfs/text.h"

namespace madvtrace {
namespace {

constexpr std::size_t kStatusLimitBytes = std::size_t{256} * 1024;

// The kernel writes a newline as \n and a backslash as \\, and nothing else.
std::string unescape_name(std::string_view escaped) {
  std::string name;
  name.reserve(escaped.size());
  for (std::size_t at = 0; at < escaped.size(); ++at) {
    const char next = at + 1 < escaped.size() ? escaped[at + 1] : '\0';
    if (escaped[at] == '\\' && (next == 'n' || next == '\\')) {
      name.push_back(next == 'n' ? '\n' : '\\');
      ++at;
    } else {
      name.push_back(escaped[at]);
    }
  }
  return name;
}

std::string_view first_word(std::string_view text) { return text.substr(0, text.find_first_of(" \t")); }

struct BytesLine {
  std::string_view key;
  std::optional<std::uint64_t> ProcessStatus::*member;
};

constexpr std::array kBytesLines{
    BytesLine{"VmSize", &ProcessStatus::vm_size_bytes},    BytesLine{"VmLck", &ProcessStatus::vm_lck_bytes},
    BytesLine{"VmRSS", &ProcessStatus::vm_rss_bytes},      BytesLine{"RssAnon", &ProcessStatus::rss_anon_bytes},
    BytesLine{"RssFile", &ProcessStatus::rss_file_bytes},  BytesLine{"RssShmem", &ProcessStatus::rss_shmem_bytes},
    BytesLine{"VmPTE", &ProcessStatus::page_tables_bytes}, BytesLine{"VmSwap", &ProcessStatus::swap_bytes}};

// The lines that identify the process, before they are known to be all there.
struct Identity {
  std::optional<std::string> name;
  std::optional<char> state;
  std::optional<pid_t> tgid;
  std::optional<pid_t> pid;
  std::optional<pid_t> ppid;
  std::optional<uid_t> uid;
  std::optional<bool> kernel_thread;
};

template <class T>
void set_first(std::optional<T>& field, std::optional<T> value) {
  if (!field) field = std::move(value);
}

void parse_bytes_line(const KeyValue& line, ProcessStatus& status) {
  for (const BytesLine& known : kBytesLines) {
    if (line.key == known.key) set_first(status.*known.member, parse_kb_as_bytes(line.value));
  }
}

void parse_line(std::string_view text, Identity& identity, ProcessStatus& status) {
  // Not through parse_key_value: the blanks of a name are part of it.
  constexpr std::string_view kName = "Name:\t";
  if (text.starts_with(kName)) {
    return set_first(identity.name, std::optional(unescape_name(text.substr(kName.size()))));
  }
  const std::optional<KeyValue> line = parse_key_value(text);
  if (!line) return;
  if (line->key == "State") {
    if (!line->value.empty()) set_first(identity.state, std::optional(line->value.front()));
  } else if (line->key == "Tgid") {
    set_first(identity.tgid, parse_integer<pid_t>(line->value));
  } else if (line->key == "Pid") {
    set_first(identity.pid, parse_integer<pid_t>(line->value));
  } else if (line->key == "PPid") {
    set_first(identity.ppid, parse_integer<pid_t>(line->value));
  } else if (line->key == "Uid") {
    set_first(identity.uid, parse_integer<uid_t>(first_word(line->value)));
  } else if (line->key == "TracerPid") {
    const std::optional<pid_t> tracer = parse_integer<pid_t>(line->value);
    if (tracer && *tracer != 0) set_first(status.tracer_pid, tracer);
  } else if (line->key == "Kthread") {
    set_first(identity.kernel_thread, std::optional(line->value == "1"));
  } else if (line->key == "Threads") {
    set_first(status.threads, parse_integer<std::uint32_t>(line->value));
  } else {
    parse_bytes_line(*line, status);
  }
}

}  // namespace

std::optional<ProcessStatus> parse_status(std::string_view text) {
  Identity identity;
  ProcessStatus status;
  while (!text.empty()) parse_line(take_until(text, '\n'), identity, status);
  if (!identity.name || !identity.state || !identity.tgid || !identity.pid || !identity.ppid || !identity.uid) {
    return std::nullopt;
  }
  status.name = std::move(*identity.name);
  status.state = *identity.state;
  status.tgid = *identity.tgid;
  status.pid = *identity.pid;
  status.ppid = *identity.ppid;
  status.uid = *identity.uid;
  status.kernel_thread =
      identity.kernel_thread.value_or(!status.vm_size_bytes && status.state != 'Z' && status.state != 'X');
  return status;
}

Result<ProcessStatus> read_status(const ProcRoot& root, pid_t pid) {
  MADV_TAKE(const std::string text, root.read_file(pid, "status", kStatusLimitBytes));
  std::optional<ProcessStatus> status = parse_status(text);
  if (!status) return fail(root.malformed(pid, "status", "a line that identifies it is missing"));
  return std::move(*status);
}

}  // namespace madvtrace
