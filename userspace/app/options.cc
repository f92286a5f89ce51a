// SPDX-License-Identifier: Apache-2.0
#include "app/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <functional>
#include <utility>

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

// One line, whatever was typed.
tl::unexpected<Error> usage(const std::string& message) { return fail(ExitCode::kUsage, printable(message)); }

// What a text stands for. The error says what is wrong with the text; each() names the option.
template <class T>
Result<T> taken(const std::optional<T>& value, const char* wrong) {
  if (!value) return fail(wrong);
  return *value;
}

Result<std::uint32_t> take_pid(const std::string& text) {
  std::uint32_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  const bool is_pid = error == std::errc{} && end == text.data() + text.size() && pid != 0 && pid <= INT32_MAX;
  return taken(is_pid ? std::optional(pid) : std::nullopt, "not a pid");
}

Result<std::uint64_t> take_duration(const std::string& text) {
  return taken(parse_duration_ns(text), "not a duration; write 500ms, 5s or 2m");
}

Result<std::uint64_t> take_interval(const std::string& text) {
  constexpr std::uint64_t kShortestIntervalNs = 10'000'000;
  const Result<std::uint64_t> interval_ns = take_duration(text);
  if (interval_ns && *interval_ns < kShortestIntervalNs) return fail("too short; at least 10ms");
  return interval_ns;
}

Result<double> take_share(const std::string& text) {
  return taken(parse_percent(text), "not a share of a CPU; write 1% or 0.5%");
}

Result<std::uint64_t> take_size(const std::string& text) {
  return taken(parse_bytes(text), "not a size; write 64KiB or 16MiB");
}

Result<std::pair<std::string, std::string>> take_label(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return fail("not of the form KEY=VALUE");
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<TableKind> take_table(const std::string& text) {
  if (text == "events") return TableKind::kEvents;
  if (text == "releases") return TableKind::kReleases;
  if (text == "samples") return TableKind::kSamples;
  if (text == "rss_changes") return TableKind::kRssChanges;
  return fail("there is no such table; events, releases, samples or rss_changes");
}

// For an option that takes a text: gives what it stands for to `put`, once for each text.
template <class Take, class Put>
std::function<void(const std::vector<std::string>&)> each(const char* name, Take take, Put put) {
  return [=](const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      const auto value = take(text);
      if (!value) throw CLI::ValidationError(fmt::format("{} {}: {}", name, text, value.error().message));
      put(*value);
    }
  };
}

template <class Take, class Target>
std::function<void(const std::string&)> one(const char* name, Take take, Target& target) {
  return
      [=, &target](const std::string& text) { each(name, take, [&](const auto& value) { target = value; })({text}); };
}

struct Parser {
  Options options;
  CLI::App app{kAbout, "madvtrace"};
  CLI::App* replay = nullptr;
  CLI::App* doctor = nullptr;

  Parser() {
    app.footer(kExamples);
    app.formatter(std::make_shared<HelpFormatter>());
    CLI::Option* const pid =
        app.add_option_function("-p,--pid", each("-p", take_pid, [this](std::uint32_t number) { add_pid(number); }),
                                "trace these processes, with all their threads")
            ->delimiter(',')
            ->type_name("PID[,PID...]")
            ->group("Whom to trace");
    CLI::Option* const container = app.add_option("--container", options.group,
                                                  "trace the Go processes of this container, those\n"
                                                  "that run now and those that will")
                                       ->type_name("NAME|ID")
                                       ->group("Whom to trace");
    CLI::Option* const cgroup = app.add_option("--cgroup", options.group,
                                               "the same for a cgroup and all below it: a\n"
                                               "directory, a path in any hierarchy, a systemd\n"
                                               "unit, a pod")
                                    ->type_name("PATH")
                                    ->group("Whom to trace")
                                    ->excludes(container);
    app.add_flag("--all", options.all_programs, "its processes that are not Go programs too")->group("Whom to trace");
    app.add_flag("--wait", options.wait_for_group, "wait until there is such a container or cgroup")
        ->group("Whom to trace");
    app.add_flag("-f,--follow-forks", options.follow_forks, "trace children too, from their first call on")
        ->group("Whom to trace");
    app.add_option_function("-d,--duration", one("-d", take_duration, options.duration_ns),
                            "stop after this long (500ms, 5s, 2m); default:\nuntil Ctrl-C")
        ->type_name("TIME")
        ->group("When");
    app.add_option_function("-i,--interval", one("-i", take_interval, options.interval_ns),
                            "time between two samples (default 1s)")
        ->type_name("TIME")
        ->group("When");
    add_outputs(app);
    app.add_option("--record", options.record_path, "keep the raw stream in a new file, for replay")
        ->type_name("FILE")
        ->group("Output");
    app.add_option_function(
           "--label",
           each("--label", take_label, [this](const auto& label) { options.labels[label.first] = label.second; }),
           "goes into summary.json; repeatable")
        ->type_name("KEY=VALUE")
        ->group("Output");
    app.add_option("--ready-fd", options.ready_fd, "write a line there once every hook is attached")
        ->check(CLI::NonNegativeNumber)
        ->type_name("N")
        ->group("Output");
    CLI::Option* const refaults = app.add_flag("--refaults", options.refaults,
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
    app.add_option_function("--walk-budget", one("--walk-budget", take_share, options.walk_budget),
                            "CPU that watching lazily freed pages may take\n(default 1%)")
        ->type_name("PERCENT")
        ->group("How");
    app.add_option_function("--ring-size", one("--ring-size", take_size, options.ring_bytes),
                            "buffer between kernel and collector (default\n16MiB)")
        ->type_name("BYTES")
        ->group("How");
    app.add_flag_callback(
           "--no-page-walk", [this] { options.page_walk = false; },
           "do not read page tables: resident bytes are\nsampled")
        ->group("How")
        ->excludes(refaults);
    app.add_flag_callback(
           "--no-gc-marks", [this] { options.gc_marks = false; },
           "no rows for Go's garbage collections, no\nbreakpoints for them")
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
    for (CLI::App* const command : {replay, doctor}) {
      for (CLI::Option* const whom : {pid, container, cgroup}) command->excludes(whom);
    }
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
    to.add_option("-o,--output", options.output_directory, "CSV files and summary.json into a new or empty\ndirectory")
        ->type_name("DIR")
        ->group("Output");
    to.add_option_function("--csv", one("--csv", take_table, options.csv),
                           "one table as CSV on standard output: events,\nreleases, samples or rss_changes")
        ->type_name("TABLE")
        ->group("Output");
    to.add_flag("-q,--quiet", options.quiet, "no table, no summary: only errors")->group("Output");
  }

  void add_pid(std::uint32_t pid) {
    if (std::find(options.pids.begin(), options.pids.end(), pid) == options.pids.end()) options.pids.push_back(pid);
  }

  // Where CLI11 has no words for what belongs together.
  Status check() const;
};

Status Parser::check() const {
  const bool traces = options.mode == Mode::kTrace;
  if (options.wait_for_group && !options.group) return usage("--wait is for --cgroup or --container");
  if (options.all_programs && !options.group) {
    return usage("--all is for --cgroup or --container; -p follows any program");
  }
  if (options.csv == TableKind::kRssChanges && !options.exact && options.mode != Mode::kReplay) {
    return usage("--csv rss_changes: only --exact records what changes RSS; add it");
  }
  if (traces && options.pids.empty() && options.command.empty() && !options.group) {
    return usage("nothing to trace: give -p PID, --container NAME, or a command after --; see madvtrace --help");
  }
  if (!traces && !options.command.empty()) {
    return usage("a command after -- can only be traced, not with replay or doctor");
  }
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
  } catch (const CLI::ValidationError& error) {
    return usage(error.what());
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    return usage(message + "; see madvtrace --help");
  }
  if (parser.replay->parsed()) parser.options.mode = Mode::kReplay;
  if (parser.doctor->parsed()) parser.options.mode = Mode::kDoctor;
  MADV_TRY(parser.check());
  return parser.options;
}

}  // namespace madvtrace
