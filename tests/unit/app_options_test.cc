// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/options.h"
#include "app/version.h"

namespace madvtrace {
namespace {

using Words = std::vector<std::string>;

Result<Options> parse(Words words) {
  words.insert(words.begin(), "madvtrace");
  return parse_options(words);
}

Options accepted(const Words& words) {
  Result<Options> options = parse(words);
  if (!options) {
    ADD_FAILURE() << options.error().message;
    return {};
  }
  return std::move(*options);
}

// The message of the error that has to come.
std::string refused(const Words& words) {
  const Result<Options> options = parse(words);
  if (options) {
    ADD_FAILURE() << "accepted: " << (words.empty() ? "nothing" : words.front());
    return {};
  }
  EXPECT_EQ(options.error().code, ExitCode::kUsage);
  const std::string& message = options.error().message;
  EXPECT_FALSE(message.empty());
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  return message;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(Options, Defaults) {
  const Options options = accepted({"-p", "7"});
  EXPECT_EQ(options.mode, Mode::kTrace);
  EXPECT_EQ(options.pids, std::vector<std::uint32_t>{7});
  EXPECT_FALSE(options.follow_forks);
  EXPECT_TRUE(options.command.empty());
  EXPECT_EQ(options.duration_ns, std::nullopt);
  EXPECT_EQ(options.interval_ns, 1'000'000'000U);
  EXPECT_EQ(options.output_directory, std::nullopt);
  EXPECT_EQ(options.csv, std::nullopt);
  EXPECT_EQ(options.record_path, std::nullopt);
  EXPECT_TRUE(options.labels.empty());
  EXPECT_EQ(options.ready_fd, std::nullopt);
  EXPECT_EQ(options.ring_bytes, std::uint64_t{16} << 20);
  EXPECT_TRUE(options.page_walk);
  EXPECT_TRUE(options.gc_marks);
  EXPECT_FALSE(options.refaults);
  EXPECT_FALSE(options.quiet);
  EXPECT_FALSE(options.verbose);
  EXPECT_EQ(options.argv, (Words{"madvtrace", "-p", "7"}));
}

TEST(Options, Pids) {
  EXPECT_EQ(accepted({"-p", "1,2"}).pids, (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(accepted({"--pid", "1", "--pid", "2,3"}).pids, (std::vector<std::uint32_t>{1, 2, 3}));
  EXPECT_EQ(accepted({"--pid=5"}).pids, (std::vector<std::uint32_t>{5}));
  EXPECT_EQ(accepted({"-p", "4,4,4"}).pids, (std::vector<std::uint32_t>{4}));
  EXPECT_EQ(accepted({"-p", "2147483647"}).pids, (std::vector<std::uint32_t>{2'147'483'647}));
  for (const char* text : {"0", "-1", "+1", "x", "1x", " 1", "2147483648", "4294967297", "1.5", "0x10"}) {
    EXPECT_TRUE(contains(refused({"-p", text}), "-p")) << text;
  }
  EXPECT_EQ(refused({"-p", "12,x"}), "-p x: not a pid");
}

TEST(Options, TimesAndSizes) {
  EXPECT_EQ(accepted({"-p", "1", "-d", "5m"}).duration_ns, 300'000'000'000U);
  EXPECT_EQ(accepted({"-p", "1", "--duration", "500ms"}).duration_ns, 500'000'000U);
  EXPECT_EQ(accepted({"-p", "1", "-i", "250ms"}).interval_ns, 250'000'000U);
  EXPECT_EQ(accepted({"-p", "1", "--interval", "10ms"}).interval_ns, 10'000'000U);
  EXPECT_EQ(accepted({"-p", "1", "--ring-size", "64KiB"}).ring_bytes, 65'536U);
  EXPECT_EQ(refused({"-p", "1", "-d", "5"}), "-d 5: not a duration; write 500ms, 5s or 2m");
  EXPECT_EQ(refused({"-p", "1", "-d", "0s"}), "-d 0s: not a duration; write 500ms, 5s or 2m");
  EXPECT_EQ(refused({"-p", "1", "-i", "x"}), "-i x: not a duration; write 500ms, 5s or 2m");
  EXPECT_EQ(refused({"-p", "1", "-i", "9ms"}), "-i 9ms: too short; at least 10ms");
  EXPECT_EQ(refused({"-p", "1", "--ring-size", "16MB"}), "--ring-size 16MB: not a size; write 64KiB or 16MiB");
}

TEST(Options, Outputs) {
  const Options options =
      accepted({"-p", "1", "-o", "dir", "--csv", "samples", "--record", "run.mv", "-q", "-v", "--ready-fd", "3"});
  EXPECT_EQ(options.output_directory, "dir");
  EXPECT_EQ(options.csv, TableKind::kSamples);
  EXPECT_EQ(options.record_path, "run.mv");
  EXPECT_TRUE(options.quiet);
  EXPECT_TRUE(options.verbose);
  EXPECT_EQ(options.ready_fd, 3);
  EXPECT_EQ(accepted({"-p", "1", "--output", "d", "--csv=events", "--quiet", "--verbose"}).csv, TableKind::kEvents);
  EXPECT_TRUE(contains(refused({"-p", "1", "--csv", "stacks"}), "--csv stacks: there is no such table"));
  EXPECT_TRUE(contains(refused({"-p", "1", "--ready-fd", "x"}), "--ready-fd"));
}

TEST(Options, Labels) {
  const Options options =
      accepted({"-p", "1", "--label", "service=shop", "--label", "note=a=b c", "--label", "empty="});
  EXPECT_EQ(options.labels,
            (std::map<std::string, std::string>{{"empty", ""}, {"note", "a=b c"}, {"service", "shop"}}));
  EXPECT_EQ(refused({"-p", "1", "--label", "novalue"}), "--label novalue: not of the form KEY=VALUE");
  EXPECT_EQ(refused({"-p", "1", "--label", "=x"}), "--label =x: not of the form KEY=VALUE");
}

TEST(Options, Switches) {
  const Options options = accepted({"-f", "--no-page-walk", "--no-gc-marks", "-p", "1"});
  EXPECT_TRUE(options.follow_forks);
  EXPECT_FALSE(options.page_walk);
  EXPECT_FALSE(options.gc_marks);
  EXPECT_TRUE(accepted({"--follow-forks", "-p", "1"}).follow_forks);
}

TEST(Options, WhatStandsBehindTheDashesIsTheCommands) {
  const Options options = accepted({"-f", "--", "server", "-p", "x", "--help", "--", "-o"});
  EXPECT_EQ(options.mode, Mode::kTrace);
  EXPECT_EQ(options.command, (Words{"server", "-p", "x", "--help", "--", "-o"}));
  EXPECT_TRUE(options.pids.empty());
  EXPECT_EQ(options.output_directory, std::nullopt);
  EXPECT_EQ(accepted({"-p", "5", "--", "server"}).pids, std::vector<std::uint32_t>{5});
  EXPECT_EQ(accepted({"--", "replay"}).mode, Mode::kTrace);
  EXPECT_TRUE(contains(refused({"-p", "1", "--"}), "nothing after --"));
}

TEST(Options, SomethingHasToBeTraced) {
  EXPECT_TRUE(contains(refused({}), "nothing to trace"));
  EXPECT_TRUE(contains(refused({"-d", "5s"}), "nothing to trace"));
  EXPECT_FALSE(parse_options({}));
}

TEST(Options, AGroupIsNamedInOneWay) {
  EXPECT_EQ(accepted({"--cgroup", "/x"}).group, "/x");
  EXPECT_EQ(accepted({"--container", "web"}).group, "web");
  EXPECT_FALSE(accepted({"--container", "web"}).all_programs);
  const Options options = accepted({"--container", "web", "--all", "--wait"});
  EXPECT_TRUE(options.all_programs && options.wait_for_group);
  EXPECT_TRUE(contains(refused({"--container", "web", "--cgroup", "/x"}), "--container excludes --cgroup"));
  EXPECT_EQ(accepted({"--container", "web", "-p", "1"}).pids, std::vector<std::uint32_t>{1});
  EXPECT_EQ(accepted({"--cgroup", "/x", "--", "server"}).command, Words{"server"});
  EXPECT_TRUE(contains(refused({"-p", "1", "--wait"}), "--wait"));
  EXPECT_TRUE(contains(refused({"-p", "1", "--all"}), "--all"));
  EXPECT_TRUE(contains(refused({"--cgroup", "/x", "doctor"}), "doctor excludes --cgroup"));
}

TEST(Options, UnknownOnesAreRefused) {
  for (const Words& words : {Words{"-p", "1", "--bogus"}, Words{"-p", "1", "-x"}, Words{"-Z"}, Words{"--pids", "1"},
                             Words{"server"}, Words{"trace", "-p", "1"}, Words{"-p", "1", "--json"}}) {
    EXPECT_TRUE(contains(refused(words), "see madvtrace --help") || words[0] == "-p") << words.front();
  }
}

TEST(Options, AValueThatIsMissingIsRefused) {
  for (const char* flag : {"-p", "-d", "-i", "-o", "--csv", "--record", "--label", "--cgroup", "--container", "--all",
                           "--wait", "--ready-fd", "--ring-size"}) {
    refused({flag});
  }
}

TEST(Options, Replay) {
  const Options options = accepted({"replay", "run.mv", "-o", "out", "-q"});
  EXPECT_EQ(options.mode, Mode::kReplay);
  EXPECT_EQ(options.recording, "run.mv");
  EXPECT_EQ(options.output_directory, "out");
  EXPECT_TRUE(options.quiet);
  EXPECT_EQ(accepted({"replay", "run.mv", "--csv", "events"}).csv, TableKind::kEvents);
  EXPECT_EQ(accepted({"replay", "run.mv", "--csv", "releases"}).csv, TableKind::kReleases);
  EXPECT_EQ(accepted({"replay", "run.mv", "--csv", "rss_changes"}).csv, TableKind::kRssChanges);
  refused({"replay"});
  refused({"replay", "a", "b"});
  refused({"replay", "run.mv", "--record", "again.mv", "--bogus"});
  EXPECT_TRUE(contains(refused({"replay", "run.mv", "--", "server"}), "can only be traced"));
}

TEST(Options, Doctor) {
  EXPECT_EQ(accepted({"doctor"}).mode, Mode::kDoctor);
  EXPECT_FALSE(accepted({"doctor"}).doctor_json);
  EXPECT_TRUE(accepted({"doctor", "--json"}).doctor_json);
  refused({"doctor", "run.mv"});
  EXPECT_TRUE(contains(refused({"doctor", "--", "server"}), "can only be traced"));
}

TEST(Options, RefaultsNeedThePageWalk) {
  EXPECT_TRUE(accepted({"--refaults", "-p", "1"}).refaults);
  EXPECT_TRUE(contains(refused({"--refaults", "--no-page-walk", "-p", "1"}), "excludes"));
}

TEST(Options, ChangesOfRssNeedTheTierExact) {
  EXPECT_FALSE(accepted({"-p", "1"}).exact);
  EXPECT_TRUE(accepted({"-p", "1", "--exact"}).exact);
  EXPECT_TRUE(contains(refused({"-p", "1", "--csv", "rss_changes"}), "--exact"));
  EXPECT_EQ(accepted({"-p", "1", "--exact", "--csv", "rss_changes"}).csv, TableKind::kRssChanges);
  EXPECT_EQ(accepted({"replay", "run.mv", "--csv", "rss_changes"}).csv, TableKind::kRssChanges);
}

TEST(Options, OneCommandAtATime) { refused({"doctor", "replay", "run.mv"}); }

TEST(Options, Help) {
  for (const Words& words : {Words{"--help"}, Words{"-h"}, Words{"-p", "1", "--help"}}) {
    const Options options = accepted(words);
    EXPECT_EQ(options.mode, Mode::kPrintAndExit);
    EXPECT_TRUE(contains(options.text_to_print, "Usage: madvtrace -p PID[,PID...]")) << options.text_to_print;
    for (const char* flag : {"--pid",      "--follow-forks", "--duration",     "--interval",  "--output",  "--csv",
                             "--record",   "--label",        "--cgroup",       "--container", "--all",     "--wait",
                             "--ready-fd", "--ring-size",    "--no-page-walk", "--quiet",     "--verbose", "--version",
                             "--help",     "replay",         "doctor",         "Exit status:"}) {
      EXPECT_TRUE(contains(options.text_to_print, flag)) << flag;
    }
  }
  EXPECT_TRUE(contains(accepted({"replay", "--help"}).text_to_print, "made with --record"));
}

TEST(Options, Version) {
  const Options options = accepted({"--version"});
  EXPECT_EQ(options.mode, Mode::kPrintAndExit);
  EXPECT_EQ(options.text_to_print, "madvtrace " + std::string(version_text()) + "\n");
}

TEST(Options, ErrorsStayOneLineWhateverWasTyped) {
  refused({"-p", "1\n2"});
  refused({"-d", "5\ns", "-p", "1"});
  refused({"-i", "5\ns", "-p", "1"});
  refused({"--label", "a\nb", "-p", "1"});
  refused({"--csv", "a\nb", "-p", "1"});
  refused({"--ring-size", "a\nb", "-p", "1"});
  refused({"--bo\ngus"});
}

// An empty value is a variable that was not set: never the same as no flag.
TEST(Options, EmptyValuesAreRefused) {
  for (const char* flag : {"-p", "-d", "-i", "-o", "--csv", "--record", "--label", "--ring-size"}) {
    const Result<Options> options = parse({flag, "", "-p", "1"});
    EXPECT_FALSE(options) << flag;
  }
}

// A terminal that is 80 columns wide shows no line broken.
TEST(Options, HelpFitsATerminal) {
  std::istringstream lines(accepted({"--help"}).text_to_print);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
}

TEST(Options, ANegativeReadyFdIsRefused) { refused({"-p", "1", "--ready-fd", "-5"}); }

TEST(Options, ReplayAndDoctorTraceNothing) {
  refused({"-p", "1", "replay", "run.mv"});
  refused({"-p", "1", "doctor"});
}

}  // namespace
}  // namespace madvtrace
