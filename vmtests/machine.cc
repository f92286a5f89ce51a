// SPDX-License-Identifier: Apache-2.0
#include "vmtests/machine.h"

#include <sys/swap.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "tests/support/child_process.h"

namespace madvtrace {
namespace {

constexpr const char* kZram = "/dev/zram0";

// Files that offer a choice put the one in force into brackets.
std::string value_in_force(const std::string& text) {
  const auto open = text.find('[');
  if (open != std::string::npos) return text.substr(open + 1, text.find(']') - open - 1);
  return text.substr(0, text.find('\n'));
}

void run(std::vector<std::string> argv) {
  const std::string name = argv.at(1);
  const Result<Outcome> outcome = run_program({.argv = std::move(argv)});
  ASSERT_HAS_VALUE(outcome);
  ASSERT_EQ(outcome->exit_code, 0) << name << ": " << outcome->errors;
}

}  // namespace

void VmTest::SetUp() {
  ASSERT_TRUE(std::getenv("VMTEST_KERNEL") != nullptr && std::filesystem::exists("/run/vmtest"))
      << "this is no machine of vmtests/run, and would be turned upside down: run vmtests/run";
  LazyTest::SetUp();
}

void VmTest::TearDown() {
  trace_.reset();
  lazy_.reset();
  swap_.reset();
  group_.reset();
}

void VmTest::make_group() {
  group_ = std::make_unique<PressureGroup>();
  ASSERT_TRUE(group_->made()) << group_->why_not();
}

std::int64_t VmTest::reclaimed_by(const std::string& by) const {
  std::int64_t sum = 0;
  for (const std::size_t row : releases_.rows_where("fate", "reclaimed")) {
    if (releases_.at(row, "by") == by) sum += releases_.number(row, "bytes").value_or(0);
  }
  return sum;
}

Setting::Setting(std::string path, const std::string& value)
    : path_(std::move(path)), before_(value_in_force(test::read_all(path_))) {
  const int error = write_file(path_, value);
  EXPECT_EQ(error, 0) << path_ << " = " << value << ": " << std::strerror(error);
}

Setting::~Setting() {
  const int error = write_file(path_, before_);
  EXPECT_EQ(error, 0) << path_ << " = " << before_ << ": " << std::strerror(error);
}

ZramSwap::ZramSwap() {
  run({"busybox", "modprobe", "zram"});
  EXPECT_EQ(write_file("/sys/block/zram0/disksize", "256M"), 0);
  run({"busybox", "mkswap", kZram});
  EXPECT_EQ(::swapon(kZram, 0), 0) << std::strerror(errno);
}

ZramSwap::~ZramSwap() {
  EXPECT_EQ(::swapoff(kZram), 0) << std::strerror(errno);
  EXPECT_EQ(write_file("/sys/block/zram0/reset", "1"), 0);
}

bool wait_until(const std::function<bool()>& done, std::chrono::seconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (!done()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace madvtrace
