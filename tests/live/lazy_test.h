// SPDX-License-Identifier: Apache-2.0
// What the live tests of fates share: tests/targets/c/lazy.c under a trace, the sums of
// what releases.csv says of it, and the kernel's own counters. The numbers are printed
// side by side.
#pragma once

#include <cstdint>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/live/live_test.h"
#include "tests/live/pressure_group.h"

namespace madvtrace {

using nlohmann::json;

inline constexpr std::int64_t kPage = 4096;
inline constexpr std::int64_t kMiB = std::int64_t{1} << 20;
// A processor keeps up to so many folios back before it marks them (PAGEVEC_SIZE).
inline constexpr std::int64_t kBatchPages = 31;

std::int64_t smaps_lag_bytes();

template <typename... Values>
void print(const char* what, const Values&... values) {
  std::cout << "[  NUMBERS ] " << what;
  ((std::cout << " " << values), ...);
  std::cout << std::endl;
}

// Sum of the counters of these names in /proc/vmstat.
std::int64_t vmstat(const std::vector<std::string>& names);

class LazyTest : public LiveTest {
 protected:
  // tests/targets/c/lazy.c, with its memory touched; in `group` before it has any.
  void start_lazy(const std::vector<std::string>& arguments, const PressureGroup* group = nullptr);

  void trace_lazy(std::vector<std::string> more = {});

  // The answer; null after a failure.
  json step(char name);

  void end_trace();

  void read_releases();

  // Bytes of the rows with this fate (and of this advice or call, if given).
  std::int64_t bytes_of(const std::string& fate, const std::string& advice = "") const;

  // Resident bytes of all releases with this advice.
  std::int64_t released(const std::string& advice) const;

  // The last sample of the process.
  std::int64_t last_sample(const std::string& column) const;

  // What is pending in three places of the output, against what the program has left:
  // `before` and `after` the trace's end, which differ only by what the kernel took.
  void expect_pending(const json& before, const json& after) const;

  std::unique_ptr<TracedProgram> lazy_;
  std::unique_ptr<MadvtraceRun> trace_;
  std::int64_t mapped_ = 0;
  CsvTable releases_;
  json delays_;

 private:
  void expect_conservation() const;
};

}  // namespace madvtrace
