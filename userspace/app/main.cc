// SPDX-License-Identifier: Apache-2.0
#include <signal.h>  // NOLINT(modernize-deprecated-headers): SIGPIPE
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <exception>

#include "app/doctor.h"
#include "app/options.h"
#include "app/replay.h"
#include "app/tracer.h"

namespace {

using madvtrace::ExitCode;
using madvtrace::Mode;
using madvtrace::Options;
using madvtrace::Result;

// Everything that is not data: one line each, to standard error.
void set_up_log(const Options& options) {
  auto logger = spdlog::stderr_logger_st("madvtrace");
  logger->set_pattern("%n: %v");
  logger->set_level(options.verbose ? spdlog::level::debug : spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

Result<ExitCode> run(const Options& options) {
  switch (options.mode) {
    case Mode::kTrace:
      return madvtrace::trace(options);
    case Mode::kReplay:
      return madvtrace::replay(options);
    case Mode::kDoctor:
      return madvtrace::doctor(options);
    case Mode::kPrintAndExit:
      std::fputs(options.text_to_print.c_str(), stdout);
      return ExitCode::kClean;
  }
  return ExitCode::kFailed;
}

int run_main(int argc, char** argv) {
  // A reader that goes away is an answer to a write, not a reason to die.
  signal(SIGPIPE, SIG_IGN);
  const Result<Options> options = madvtrace::parse_options({argv, argv + argc});
  set_up_log(options ? *options : Options{});
  const Result<ExitCode> code = options ? run(*options) : tl::unexpected(options.error());
  if (code) return static_cast<int>(*code);
  spdlog::error("{}", code.error().message);
  return static_cast<int>(code.error().code);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_main(argc, argv);
  } catch (const std::exception& error) {  // out of memory, most likely
    std::fprintf(stderr, "madvtrace: %s\n", error.what());
    return static_cast<int>(ExitCode::kFailed);
  }
}
