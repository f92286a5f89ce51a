// SPDX-License-Identifier: Apache-2.0
// A kernel that is locked down: for integrity everything works, for confidentiality nothing
// can, and that is said in one line. The last test of a machine: nothing unlocks a kernel.
#include <algorithm>
#include <string>

#include "vmtests/machine.h"

namespace madvtrace {
namespace {

constexpr const char* kLockdown = "/sys/kernel/security/lockdown";

class LockdownTest : public VmTest {};

TEST_F(LockdownTest, IntegrityIsNoHindranceAndConfidentialityIsNamed) {
  ASSERT_EQ(write_file(kLockdown, "integrity"), 0);
  ASSERT_NO_FATAL_FAILURE(start_lazy({"--mib", "8"}));
  ASSERT_NO_FATAL_FAILURE(trace_lazy());
  ASSERT_TRUE(step('d').is_object());
  ASSERT_NO_FATAL_FAILURE(end_trace());
  EXPECT_EQ(bytes_of("freed"), mapped_);

  ASSERT_EQ(write_file(kLockdown, "confidentiality"), 0);
  const Result<Outcome> refused = run_madvtrace({"-p", lazy_->pid_text(), "-d", "1s"});
  ASSERT_HAS_VALUE(refused);
  EXPECT_EQ(refused->exit_code, 5);
  EXPECT_EQ(refused->output, "");
  EXPECT_EQ(std::count(refused->errors.begin(), refused->errors.end(), '\n'), 1) << refused->errors;
  EXPECT_NE(refused->errors.find("locked down"), std::string::npos) << refused->errors;
  EXPECT_NE(refused->errors.find("lockdown=integrity"), std::string::npos) << refused->errors;
}

}  // namespace
}  // namespace madvtrace
