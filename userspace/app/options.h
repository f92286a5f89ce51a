// SPDX-License-Identifier: Apache-2.0
// The command line.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sinks/csv_sink.h"

namespace madvtrace {

enum class Mode { kTrace, kReplay, kDoctor, kPrintAndExit };

struct Options {
  Mode mode = Mode::kTrace;
  std::string text_to_print;  // kPrintAndExit: --help or --version

  // Who.
  std::vector<std::uint32_t> pids;
  std::optional<std::string> group;  // --cgroup, --container: as given
  bool wait_for_group = false;
  bool all_programs = false;  // of the group, not Go's alone
  bool follow_forks = false;
  std::vector<std::string> command;  // after --

  // How long, how often.
  std::optional<std::uint64_t> duration_ns;
  std::uint64_t interval_ns = 1'000'000'000;

  // Where to.
  std::optional<std::string> output_directory;
  std::optional<TableKind> csv;
  std::optional<std::string> record_path;
  std::map<std::string, std::string> labels;
  std::optional<int> ready_fd;

  // How.
  std::uint64_t ring_bytes = std::uint64_t{16} << 20;
  bool page_walk = true;
  double walk_budget = 0.01;  // share of one CPU
  bool gc_marks = true;
  bool exact = false;
  bool refaults = false;
  bool quiet = false;
  bool verbose = false;

  // Other commands.
  std::string recording;     // kReplay
  bool doctor_json = false;  // kDoctor

  std::vector<std::string> argv;  // as given
};

// Fails with kUsage and one line for anything that is not right.
Result<Options> parse_options(const std::vector<std::string>& argv);

}  // namespace madvtrace
