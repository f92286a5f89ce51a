// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "procfs/status.h"

namespace madvtrace {
namespace {

// 6.18: a process that called itself ") (a\n\b) R 1" with a newline and a backslash,
// traced and in a pid namespace.
constexpr std::string_view kProcess =
    "Name:\t) (a\\n\\\\b) R 1\n"
    "Umask:\t0022\n"
    "State:\tt (tracing stop)\n"
    "Tgid:\t4974\n"
    "Ngid:\t0\n"
    "Pid:\t4974\n"
    "PPid:\t4965\n"
    "TracerPid:\t4999\n"
    "Uid:\t1000\t0\t0\t0\n"
    "Gid:\t0\t0\t0\t0\n"
    "FDSize:\t256\n"
    "Groups:\t \n"
    "NStgid:\t4974\t31\t1\n"
    "NSpid:\t4974\t31\t1\n"
    "NSpgid:\t4965\t31\t1\n"
    "NSsid:\t3557\t31\t1\n"
    "Kthread:\t0\n"
    "VmPeak:\t    2632 kB\n"
    "VmSize:\t    2628 kB\n"
    "VmLck:\t       8 kB\n"
    "VmPin:\t       0 kB\n"
    "VmHWM:\t    1552 kB\n"
    "VmRSS:\t    1548 kB\n"
    "RssAnon:\t     112 kB\n"
    "RssFile:\t    1432 kB\n"
    "RssShmem:\t       4 kB\n"
    "VmData:\t     292 kB\n"
    "VmStk:\t     132 kB\n"
    "VmExe:\t       4 kB\n"
    "VmLib:\t    1528 kB\n"
    "VmPTE:\t      44 kB\n"
    "VmSwap:\t      16 kB\n"
    "HugetlbPages:\t       0 kB\n"
    "CoreDumping:\t0\n"
    "THP_enabled:\t1\n"
    "untag_mask:\t0xffffffffffffffff\n"
    "Threads:\t7\n"
    "SigQ:\t0/96365\n"
    "Seccomp:\t0\n"
    "Speculation_Store_Bypass:\tvulnerable\n"
    "Cpus_allowed:\t3\n"
    "Cpus_allowed_list:\t0-1\n"
    "voluntary_ctxt_switches:\t0\n"
    "nonvoluntary_ctxt_switches:\t0\n";

constexpr std::string_view kKernelThread =
    "Name:\tkworker/u8:0-events_unbound\n"
    "Umask:\t0022\n"
    "State:\tI (idle)\n"
    "Tgid:\t12\n"
    "Ngid:\t0\n"
    "Pid:\t12\n"
    "PPid:\t2\n"
    "TracerPid:\t0\n"
    "Uid:\t0\t0\t0\t0\n"
    "Gid:\t0\t0\t0\t0\n"
    "FDSize:\t64\n"
    "Groups:\t \n"
    "NStgid:\t12\n"
    "NSpid:\t12\n"
    "NSpgid:\t0\n"
    "NSsid:\t0\n"
    "Kthread:\t1\n"
    "Threads:\t1\n"
    "SigQ:\t0/96365\n";

constexpr std::string_view kZombie =
    "Name:\tchild\n"
    "State:\tZ (zombie)\n"
    "Tgid:\t4977\n"
    "Ngid:\t0\n"
    "Pid:\t4977\n"
    "PPid:\t4974\n"
    "TracerPid:\t0\n"
    "Uid:\t0\t0\t0\t0\n"
    "Gid:\t0\t0\t0\t0\n"
    "FDSize:\t0\n"
    "Groups:\t \n"
    "NStgid:\t4977\n"
    "NSpid:\t4977\n"
    "Kthread:\t0\n"
    "Threads:\t1\n";

std::string without_line(std::string_view text, std::string_view key) {
  std::string copy(text);
  const std::size_t at = copy.find("\n" + std::string(key) + ":\t") + 1;
  return copy.erase(at, copy.find('\n', at) + 1 - at);
}

TEST(ProcStatus, SaysWhoAProcessIs) {
  const std::optional<ProcessStatus> status = parse_status(kProcess);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->name, ") (a\n\\b) R 1");
  EXPECT_EQ(status->state, 't');
  EXPECT_EQ(status->tgid, 4974);
  EXPECT_EQ(status->pid, 4974);
  EXPECT_EQ(status->ppid, 4965);
  EXPECT_EQ(status->uid, 1000U);
  EXPECT_EQ(status->tracer_pid, 4999);
  EXPECT_EQ(status->threads, 7U);
  EXPECT_FALSE(status->kernel_thread);
}

TEST(ProcStatus, SaysItsMemoryInBytes) {
  const std::optional<ProcessStatus> status = parse_status(kProcess);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->vm_size_bytes, 2628U * 1024);
  EXPECT_EQ(status->vm_lck_bytes, 8U * 1024);
  EXPECT_EQ(status->vm_rss_bytes, 1548U * 1024);
  EXPECT_EQ(status->rss_anon_bytes, 112U * 1024);
  EXPECT_EQ(status->rss_file_bytes, 1432U * 1024);
  EXPECT_EQ(status->rss_shmem_bytes, 4U * 1024);
  EXPECT_EQ(status->page_tables_bytes, 44U * 1024);
  EXPECT_EQ(status->swap_bytes, 16U * 1024);
}

TEST(ProcStatus, AKernelThreadHasNoMemory) {
  const std::optional<ProcessStatus> status = parse_status(kKernelThread);
  ASSERT_TRUE(status);
  EXPECT_TRUE(status->kernel_thread);
  EXPECT_EQ(status->name, "kworker/u8:0-events_unbound");
  EXPECT_EQ(status->tracer_pid, std::nullopt);
  EXPECT_EQ(status->vm_rss_bytes, std::nullopt);
  EXPECT_EQ(status->swap_bytes, std::nullopt);
}

TEST(ProcStatus, AZombieIsNotAKernelThread) {
  const std::optional<ProcessStatus> status = parse_status(kZombie);
  ASSERT_TRUE(status);
  EXPECT_FALSE(status->kernel_thread);
  EXPECT_EQ(status->state, 'Z');
  EXPECT_EQ(status->vm_rss_bytes, std::nullopt);
}

TEST(ProcStatus, OlderKernelsDoNotSayKthread) {
  const auto process = parse_status(without_line(kProcess, "Kthread"));
  const auto kernel_thread = parse_status(without_line(kKernelThread, "Kthread"));
  const auto zombie = parse_status(without_line(kZombie, "Kthread"));
  ASSERT_TRUE(process && kernel_thread && zombie);
  EXPECT_FALSE(process->kernel_thread);
  EXPECT_TRUE(kernel_thread->kernel_thread);
  EXPECT_FALSE(zombie->kernel_thread);
}

TEST(ProcStatus, AKthreadLineOutweighsMissingMemory) {
  // A process whose memory is gone already, but which is not yet a zombie.
  std::string exiting(kZombie);
  exiting.replace(exiting.find("Z (zombie)"), 10, "R (running)");
  const auto status = parse_status(exiting);
  ASSERT_TRUE(status);
  EXPECT_FALSE(status->kernel_thread);
}

TEST(ProcStatus, NeedsEveryLineThatIdentifies) {
  for (const std::string_view key : {"State", "Tgid", "Pid", "PPid", "Uid"}) {
    EXPECT_FALSE(parse_status(without_line(kProcess, key))) << key;
  }
  EXPECT_FALSE(parse_status(kProcess.substr(kProcess.find('\n') + 1)));
  for (const std::string_view key : {"TracerPid", "NSpid", "Threads", "VmRSS", "Umask"}) {
    EXPECT_TRUE(parse_status(without_line(kProcess, key))) << key;
  }
}

TEST(ProcStatus, WhatDoesNotFitIsUnknown) {
  std::string text(kProcess);
  text.replace(text.find("    1548 kB"), 11, "18014398509481984 kB");
  text.replace(text.find("     112 kB"), 11, "-112 kB");
  const auto status = parse_status(text);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->vm_rss_bytes, std::nullopt);
  EXPECT_EQ(status->rss_anon_bytes, std::nullopt);
  EXPECT_EQ(status->rss_file_bytes, 1432U * 1024);

  std::string pid(kProcess);
  pid.replace(pid.find("\nPid:\t4974"), 10, "\nPid:\t99999999999");
  EXPECT_FALSE(parse_status(pid));
}

TEST(ProcStatus, OfALineThatComesTwiceTheFirstCounts) {
  const auto status = parse_status(std::string(kProcess) + "Pid:\t1\nVmRSS:\t1 kB\nKthread:\t1\nName:\tother\n");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->pid, 4974);
  EXPECT_EQ(status->vm_rss_bytes, 1548U * 1024);
  EXPECT_FALSE(status->kernel_thread);
  EXPECT_EQ(status->name, ") (a\n\\b) R 1");
}

TEST(ProcStatus, NamesMayBeEmptyOrEndInABackslash) {
  for (const auto& [written, meant] : std::array<std::array<std::string_view, 2>, 5>{
           {{"", ""}, {" a b ", " a b "}, {"\\", "\\"}, {"\\x", "\\x"}, {"\\\\n", "\\n"}}}) {
    std::string text(kZombie);
    text.replace(6, 5, written);
    const auto status = parse_status(text);
    ASSERT_TRUE(status) << written;
    EXPECT_EQ(status->name, meant);
  }
}

TEST(ProcStatus, SurvivesEveryTruncation) {
  const std::size_t identified = kProcess.find("\nUid:") + 6;
  for (std::size_t length = 0; length < kProcess.size(); ++length) {
    // A heap copy of just that length, so that the sanitizer sees a read behind it.
    const std::vector<char> cut(kProcess.begin(), kProcess.begin() + static_cast<std::ptrdiff_t>(length));
    const auto status = parse_status(std::string_view(cut.data(), cut.size()));
    EXPECT_EQ(status.has_value(), length > identified) << length;
  }
}

TEST(ProcStatus, SurvivesGarbage) {
  EXPECT_FALSE(parse_status(""));
  EXPECT_FALSE(parse_status(std::string(10'000'000, '\0')));
  EXPECT_FALSE(parse_status(std::string(10'000'000, ':')));
  EXPECT_FALSE(parse_status(std::string(10'000'000, '\n')));
  EXPECT_FALSE(parse_status("Name:\t" + std::string(10'000'000, '\\')));
}

}  // namespace
}  // namespace madvtrace
