// SPDX-License-Identifier: Apache-2.0
#include "app/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "app/version.h"
#include "base/units.h"
#include "sinks/csv_field.h"

namespace madvtrace {
namespace {

constexpr const char* kAbout =
    "madvtrace follows the memory that Go programs give back to the kernel: which\n"
    "pages, by which call, what became of them, and what RSS did.\n";

constexpr const char* kExamples = R"(
Examples:
  sudo madvtrace -p 1234                    watch a running service until Ctrl-C
  sudo madvtrace -p 1234 -d 5m -o out       five minutes, as CSV files in ./out
  sudo madvtrace --container web            every Go process of a container, by
                                            its name or id (docker, containerd,
                                            kubernetes, cri-o, podman, runc)
  sudo madvtrace --cgroup nginx.service     ... of a systemd unit, a pod, ...
  sudo madvtrace -f -- ./server -addr :80   start a program and trace it from
                                            its first call on, with its children
  sudo madvtrace -p 1234 --csv events       one table as CSV on standard output
  sudo madvtrace -p 1234 --record run.mv    keep the raw stream ...
  madvtrace replay run.mv -o out            ... and make the same files from it
  sudo madvtrace doctor                     what this kernel lets it do

Most releases of a Go program come one to five minutes after its load ended: a
short trace of an idle program misses them.

Exit status: 0 clean, 1 failed while running, 2 usage, 4 events were lost and
the answer depends on them, 5 this kernel or these privileges do not allow it.
)";

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() {
    constexpr std::size_t kColumn = 30;
    column_width(kColumn);
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    if (app->get_parent() != nullptr) return CLI::Formatter::make_usage(app, std::move(name));
    return "Usage: madvtrace -p PID[,PID...] [OPTIONS]\n"
           "       madvtrace --container NAME|ID [OPTIONS]\n"
           "       madvtrace --cgroup PATH [OPTIONS]\n"
           "       madvtrace [OPTIONS] -- CMD [ARGS...]\n"
           "       madvtrace replay FILE [-o DIR]\n"
           "       madvtrace doctor [--json]\n";
  }
};

struct Parser {
  Options options;
  CLI::App app{kAbout, "madvtrace"};
  std::vector<std::string> pids;
  std::string cgroup;
  std::string container;
  std::string duration;
  std::string interval = "1s";
  std::string output;
  std::string csv;
  std::string record;
  std::vector<std::string> labels;
  std::string walk_budget = "1%";
  std::string ring_size = "16MiB";
  int ready_fd = -1;
  bool no_page_walk = false;
  bool no_gc_marks = false;
  CLI::App* replay = nullptr;
  CLI::App* doctor = nullptr;

  Parser() {
    app.footer(kExamples);
    app.formatter(std::make_shared<HelpFormatter>());
    app.add_option("-p,--pid", pids, "trace these processes, with all their threads")
        ->delimiter(',')
        ->type_name("PID[,PID...]")
        ->group("Whom to trace");
    app.add_option("--container", container,
                   "trace the Go processes of this container, those\n"
                   "that run now and those that will")
        ->type_name("NAME|ID")
        ->group("Whom to trace");
    app.add_option("--cgroup", cgroup,
                   "the same for a cgroup and all below it: a\n"
                   "directory, a path in any hierarchy, a systemd\n"
                   "unit, a pod")
        ->type_name("PATH")
        ->group("Whom to trace");
    app.add_flag("--all", options.all_programs, "its processes that are not Go programs too")->group("Whom to trace");
    app.add_flag("--wait", options.wait_for_group, "wait until there is such a container or cgroup")
        ->group("Whom to trace");
    app.add_flag("-f,--follow-forks", options.follow_forks, "trace children too, from their first call on")
        ->group("Whom to trace");
    app.add_option("-d,--duration", duration, "stop after this long (500ms, 5s, 2m); default:\nuntil Ctrl-C")
        ->type_name("TIME")
        ->group("When");
    app.add_option("-i,--interval", interval, "time between two samples (default 1s)")
        ->type_name("TIME")
        ->group("When");
    add_outputs(app);
    app.add_option("--record", record, "keep the raw stream in a new file, for replay")
        ->type_name("FILE")
        ->group("Output");
    app.add_option("--label", labels, "goes into summary.json; repeatable")->type_name("KEY=VALUE")->group("Output");
    app.add_option("--ready-fd", ready_fd, "write a line there once every hook is attached")
        ->type_name("N")
        ->group("Output");
    app.add_flag("--refaults", options.refaults,
                 "also tell which pages are touched again after\n"
                 "they left RSS; a page fault of the traced\n"
                 "processes takes about 15% longer")
        ->group("How");
    app.add_flag("--exact", options.exact,
                 "also tell what changes RSS, by cause, and the\n"
                 "moment at which a lazily freed page is taken; a\n"
                 "page fault takes about 20% longer in the traced\n"
                 "processes, 8% in all others while it runs")
        ->group("How");
    app.add_option("--walk-budget", walk_budget, "CPU that watching lazily freed pages may take\n(default 1%)")
        ->type_name("PERCENT")
        ->group("How");
    app.add_option("--ring-size", ring_size, "buffer between kernel and collector (default\n16MiB)")
        ->type_name("BYTES")
        ->group("How");
    app.add_flag("--no-page-walk", no_page_walk, "do not read page tables: resident bytes are\nsampled")->group("How");
    app.add_flag("--no-gc-marks", no_gc_marks, "no rows for Go's garbage collections, no\nbreakpoints for them")
        ->group("How");
    app.add_flag("-v,--verbose", options.verbose, "say what is being done, and libbpf's own messages")->group("How");
    app.set_version_flag("--version", "madvtrace " + std::string(version_text()),
                         "print the version and the git revision");
    app.set_help_flag("-h,--help", "print this help");

    replay = app.add_subcommand("replay", "the same outputs, from a recording");
    replay->add_option("FILE", options.recording, "made with --record")->required();
    add_outputs(*replay);
    doctor = app.add_subcommand("doctor", "what this kernel lets madvtrace do, and why not");
    doctor->add_flag("--json", options.doctor_json, "for programs");
    app.require_subcommand(0, 1);
    refuse_empty_values(app);
    refuse_empty_values(*replay);
  }

  // Most likely a shell variable that is not set: not the same as no flag.
  static void refuse_empty_values(CLI::App& of) {
    for (CLI::Option* option : of.get_options({})) {
      if (option->get_expected_max() == 0) continue;
      option->check(CLI::Validator([](std::string& value) { return value.empty() ? "is empty" : std::string(); }, ""));
    }
  }

  void add_outputs(CLI::App& to) {
    to.add_option("-o,--output", output, "CSV files and summary.json into a new or empty\ndirectory")
        ->type_name("DIR")
        ->group("Output");
    to.add_option("--csv", csv, "one table as CSV on standard output: events,\nreleases, samples or rss_changes")
        ->type_name("TABLE")
        ->group("Output");
    to.add_flag("-q,--quiet", options.quiet, "no table, no summary: only errors")->group("Output");
  }

  Status take_values();
  Status take_pids();
  Status take_group();
  Status take_labels();
};

std::optional<CsvTable> csv_table(std::string_view name) {
  if (name == "events") return CsvTable::kEvents;
  if (name == "releases") return CsvTable::kReleases;
  if (name == "samples") return CsvTable::kSamples;
  if (name == "rss_changes") return CsvTable::kRssChanges;
  return std::nullopt;
}

// One line, whatever was typed.
tl::unexpected<Error> usage(const std::string& message) { return fail(ExitCode::kUsage, printable(message)); }

Status Parser::take_pids() {
  for (const std::string& text : pids) {
    std::uint32_t pid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (error != std::errc{} || end != text.data() + text.size() || pid == 0 || pid > INT32_MAX) {
      return usage(fmt::format("-p {}: not a pid", text));
    }
    if (std::find(options.pids.begin(), options.pids.end(), pid) == options.pids.end()) options.pids.push_back(pid);
  }
  return {};
}

Status Parser::take_group() {
  if (!cgroup.empty() && !container.empty()) return usage("--cgroup and --container: give one of them");
  if (!cgroup.empty()) options.group = cgroup;
  if (!container.empty()) options.group = container;
  if (!options.group) {
    if (options.wait_for_group) return usage("--wait is for --cgroup or --container");
    if (options.all_programs) return usage("--all is for --cgroup or --container; -p follows any program");
  }
  return {};
}

Status Parser::take_labels() {
  for (const std::string& label : labels) {
    const std::size_t equals = label.find('=');
    if (equals == std::string::npos || equals == 0)
      return usage(fmt::format("--label {}: not of the form KEY=VALUE", label));
    options.labels[label.substr(0, equals)] = label.substr(equals + 1);
  }
  return {};
}

Status Parser::take_values() {
  if (const Status status = take_pids(); !status) return status;
  if (const Status status = take_group(); !status) return status;
  if (const Status status = take_labels(); !status) return status;
  if (!duration.empty()) {
    options.duration_ns = parse_duration_ns(duration);
    if (!options.duration_ns) return usage(fmt::format("-d {}: not a duration; write 500ms, 5s or 2m", duration));
  }
  const auto interval_ns = parse_duration_ns(interval);
  constexpr std::uint64_t kShortestIntervalNs = 10'000'000;
  if (!interval_ns) return usage(fmt::format("-i {}: not a duration; write 500ms, 5s or 2m", interval));
  if (*interval_ns < kShortestIntervalNs) return usage(fmt::format("-i {}: too short; at least 10ms", interval));
  options.interval_ns = *interval_ns;
  const auto walk_budget_share = parse_percent(walk_budget);
  if (!walk_budget_share)
    return usage(fmt::format("--walk-budget {}: not a share of a CPU; write 1% or 0.5%", walk_budget));
  options.walk_budget = *walk_budget_share;
  const auto ring_bytes = parse_bytes(ring_size);
  if (!ring_bytes) return usage(fmt::format("--ring-size {}: not a size; write 64KiB or 16MiB", ring_size));
  options.ring_bytes = *ring_bytes;
  if (!csv.empty()) {
    options.csv = csv_table(csv);
    if (!options.csv) {
      return usage(fmt::format("--csv {}: there is no such table; events, releases, samples or rss_changes", csv));
    }
  }
  if (options.csv == CsvTable::kRssChanges && !options.exact && !replay->parsed()) {
    return usage("--csv rss_changes: only --exact records what changes RSS; add it");
  }
  if (!output.empty()) options.output_directory = output;
  if (!record.empty()) options.record_path = record;
  if (app.count("--ready-fd") != 0) {
    if (ready_fd < 0) return usage(fmt::format("--ready-fd {}: not a file descriptor", ready_fd));
    options.ready_fd = ready_fd;
  }
  options.page_walk = !no_page_walk;
  if (options.refaults && no_page_walk) return usage("--refaults needs the page walk: leave out --no-page-walk");
  options.gc_marks = !no_gc_marks;
  return {};
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& argv) {
  Parser parser;
  parser.options.argv = argv;
  // What stands behind -- is a command, with options that are none of ours.
  const auto end = std::find(argv.begin(), argv.end(), "--");
  std::vector<std::string> own(argv.begin() + (argv.empty() ? 0 : 1), end);
  if (end != argv.end()) {
    parser.options.command.assign(end + 1, argv.end());
    if (parser.options.command.empty()) return usage("nothing after --: give the command to start");
  }
  std::reverse(own.begin(), own.end());  // as CLI11 wants them
  try {
    parser.app.parse(own);
  } catch (const CLI::CallForHelp&) {
    parser.options.mode = Mode::kPrintAndExit;
    parser.options.text_to_print = parser.app.help();
    return parser.options;
  } catch (const CLI::CallForVersion& version) {
    parser.options.mode = Mode::kPrintAndExit;
    parser.options.text_to_print = std::string(version.what()) + "\n";
    return parser.options;
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    return usage(message + "; see madvtrace --help");
  }
  if (const Status status = parser.take_values(); !status) return tl::unexpected(status.error());
  if (parser.replay->parsed()) parser.options.mode = Mode::kReplay;
  if (parser.doctor->parsed()) parser.options.mode = Mode::kDoctor;
  const bool has_target =
      !parser.options.pids.empty() || !parser.options.command.empty() || parser.options.group.has_value();
  if (parser.options.mode == Mode::kTrace && !has_target) {
    return usage("nothing to trace: give -p PID, --container NAME, or a command after --; see madvtrace --help");
  }
  if (parser.options.mode != Mode::kTrace && !parser.options.command.empty()) {
    return usage("a command after -- can only be traced, not with replay or doctor");
  }
  if (parser.options.mode != Mode::kTrace && !parser.options.pids.empty()) {
    return usage("-p is for tracing, not for replay or doctor");
  }
  if (parser.options.mode != Mode::kTrace && parser.options.group) {
    return usage("--cgroup and --container are for tracing, not for replay or doctor");
  }
  return parser.options;
}

}  // namespace madvtrace
