// SPDX-License-Identifier: Apache-2.0
// The running kernel's own files, read by the process itself and by its child: what
// the fixtures of the other tests were copied from may change with the kernel.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/page_range.h"
#include "base/unique_fd.h"
#include "procfs/cgroup.h"
#include "procfs/environ.h"
#include "procfs/maps.h"
#include "procfs/proc_root.h"
#include "procfs/stat.h"
#include "procfs/status.h"
#include "procfs/text.h"

namespace madvtrace {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{16} * 1024 * 1024;

class KernelFormat : public testing::Test {
 protected:
  void SetUp() override {
    Result<ProcRoot> root = ProcRoot::open("/proc");
    ASSERT_TRUE(root) << root.error().message;
    root_.emplace(std::move(*root));
  }
  const ProcRoot& root() const { return *root_; }

 private:
  std::optional<ProcRoot> root_;
};

// Private memory of the test, or a file's.
class Mapped {
 public:
  Mapped(std::size_t bytes, int flags, int fd)
      : bytes_(bytes), address_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0)) {}
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  ~Mapped() {
    if (good()) ::munmap(address_, bytes_);
  }
  bool good() const { return address_ != MAP_FAILED; }
  char* data() const { return static_cast<char*>(address_); }
  std::uint64_t address() const { return reinterpret_cast<std::uintptr_t>(address_); }

 private:
  std::size_t bytes_;
  void* address_;
};

std::optional<Mapping> find_mapping(const MapsText& maps, std::uint64_t address) {
  const auto at = std::find_if(maps.mappings.begin(), maps.mappings.end(), [&](const Mapping& mapping) {
    return mapping.range.begin <= address && address < mapping.range.end;
  });
  if (at == maps.mappings.end()) return std::nullopt;
  return *at;
}

TEST_F(KernelFormat, StatusAndStatAgreeOnANameFullOfSeparators) {
  constexpr std::string_view kName = ") (a\n\\b) R 1";
  std::array<char, 16> before{};
  ASSERT_EQ(::prctl(PR_GET_NAME, before.data()), 0);
  ASSERT_EQ(::prctl(PR_SET_NAME, kName.data()), 0);
  const Result<ProcessStatus> status = read_status(root(), ::getpid());
  const Result<ProcessStat> stat = read_stat(root(), ::getpid());
  ASSERT_EQ(::prctl(PR_SET_NAME, before.data()), 0);
  ASSERT_TRUE(status) << status.error().message;
  ASSERT_TRUE(stat) << stat.error().message;
  EXPECT_EQ(status->name, kName);
  EXPECT_EQ(stat->comm, kName);
  EXPECT_EQ(status->pid, ::getpid());
  EXPECT_EQ(stat->pid, ::getpid());
  EXPECT_EQ(status->tgid, ::getpid());
  EXPECT_EQ(status->ppid, ::getppid());
  EXPECT_EQ(stat->ppid, ::getppid());
  EXPECT_EQ(status->uid, ::getuid());
  EXPECT_EQ(status->threads, stat->num_threads);
  EXPECT_FALSE(status->kernel_thread);
  EXPECT_FALSE(stat->kernel_thread());
}

TEST_F(KernelFormat, RssCountsWhatWasTouched) {
  const Result<ProcessStatus> before = read_status(root(), ::getpid());
  const Mapped buffer(kBufferBytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  ASSERT_TRUE(buffer.good());
  std::fill_n(buffer.data(), kBufferBytes, 'x');
  const Result<ProcessStatus> after = read_status(root(), ::getpid());
  ASSERT_TRUE(before && after);
  ASSERT_TRUE(before->rss_anon_bytes && after->rss_anon_bytes && after->vm_rss_bytes && after->swap_bytes);
  ASSERT_TRUE(after->page_tables_bytes && after->vm_size_bytes && after->rss_file_bytes && after->rss_shmem_bytes);
  EXPECT_GT(*after->page_tables_bytes, 0U);
  // Half of it: the counters may lag, and the rest of the process moves too.
  EXPECT_GT(*after->rss_anon_bytes + *after->swap_bytes, *before->rss_anon_bytes + kBufferBytes / 2);
  EXPECT_EQ(*after->vm_rss_bytes, *after->rss_anon_bytes + *after->rss_file_bytes + *after->rss_shmem_bytes);
}

TEST_F(KernelFormat, StartTimeIsShortlyBeforeNow) {
  const Result<ProcessStat> stat = read_stat(root(), ::getpid());
  ASSERT_TRUE(stat) << stat.error().message;
  const long ticks_per_second = ::sysconf(_SC_CLK_TCK);
  ASSERT_GT(ticks_per_second, 0);
  const auto started_ns = start_time_ns(*stat, static_cast<std::uint64_t>(ticks_per_second));
  ASSERT_TRUE(started_ns);
  const std::uint64_t now_ns = clock_ns(CLOCK_BOOTTIME);
  EXPECT_LE(*started_ns, now_ns);
  // Ten thousand seconds is longer than any test may take.
  EXPECT_GT(*started_ns + 10'000'000'000'000U, now_ns);
}

TEST_F(KernelFormat, MapsNameAnonymousMemoryAndFiles) {
  const Mapped anonymous(kPageBytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  const Mapped shared(kPageBytes, MAP_SHARED | MAP_ANONYMOUS, -1);
  std::string name = "/tmp/madvtrace a\nb\\c.XXXXXX";
  const UniqueFd file(::mkstemp(name.data()));
  ASSERT_TRUE(file);
  ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(kPageBytes)), 0);
  const Mapped of_file(kPageBytes, MAP_PRIVATE, file.get());
  const Result<MapsText> maps = read_maps(root(), ::getpid());
  ASSERT_EQ(::unlink(name.c_str()), 0);
  const Result<MapsText> unlinked_maps = read_maps(root(), ::getpid());
  ASSERT_TRUE(anonymous.good() && shared.good() && of_file.good());
  ASSERT_TRUE(maps) << maps.error().message;
  ASSERT_TRUE(unlinked_maps);
  EXPECT_EQ(maps->lines_bad, 0U);
  EXPECT_EQ(maps->lines_over, 0U);

  const auto found_anonymous = find_mapping(*maps, anonymous.address());
  const auto found_shared = find_mapping(*maps, shared.address());
  const auto found_file = find_mapping(*maps, of_file.address());
  const auto found_unlinked = find_mapping(*unlinked_maps, of_file.address());
  ASSERT_TRUE(found_anonymous && found_shared && found_file && found_unlinked);
  EXPECT_TRUE(is_anonymous_private(*found_anonymous));
  EXPECT_EQ(found_anonymous->perms, (std::array{'r', 'w', '-', 'p'}));
  EXPECT_FALSE(is_anonymous_private(*found_shared));
  EXPECT_FALSE(is_anonymous_private(*found_file));
  EXPECT_TRUE(found_file->path.ends_with(name.substr(name.rfind('/')))) << found_file->path;
  EXPECT_FALSE(found_file->deleted);
  EXPECT_TRUE(found_unlinked->deleted);
  EXPECT_EQ(found_unlinked->path, found_file->path);
  EXPECT_EQ(found_unlinked->inode, found_file->inode);
}

TEST_F(KernelFormat, OnlyKnownKindsOfMemoryAreAnonymousPrivate) {
  const Result<MapsText> maps = read_maps(root(), ::getpid());
  ASSERT_TRUE(maps) << maps.error().message;
  // Of a sanitizer's locals not even the stack is where it was.
  const auto stack = find_mapping(*maps, reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)));
  ASSERT_TRUE(stack);
  EXPECT_EQ(stack->path, "[stack]");
  EXPECT_TRUE(is_anonymous_private(*stack));
  const auto code = find_mapping(*maps, reinterpret_cast<std::uintptr_t>(&parse_mapping));
  ASSERT_TRUE(code);
  EXPECT_FALSE(is_anonymous_private(*code));
  EXPECT_EQ(code->perms[2], 'x');
}

TEST_F(KernelFormat, ExeIsTheRunningBinary) {
  const Result<std::string> exe = root().read_link(::getpid(), "exe");
  ASSERT_TRUE(exe) << exe.error().message;
  EXPECT_EQ(::access(exe->c_str(), X_OK), 0) << *exe;
  const Result<UniqueFd> fd = root().open_file(::getpid(), "exe");
  ASSERT_TRUE(fd) << fd.error().message;
  std::array<char, 4> magic{};
  ASSERT_EQ(::read(fd->get(), magic.data(), magic.size()), 4);
  EXPECT_EQ(magic, (std::array{'\x7f', 'E', 'L', 'F'}));
}

TEST_F(KernelFormat, ListsItself) {
  const auto pids = root().list_pids();
  ASSERT_TRUE(pids);
  EXPECT_TRUE(std::binary_search(pids->begin(), pids->end(), ::getpid()));
}

TEST_F(KernelFormat, EveryCgroupLineIsUnderstood) {
  const auto text = root().read_file(::getpid(), "cgroup", 1'000'000);
  if (!text) GTEST_SKIP() << "a kernel without cgroups: " << text.error().message;
  const auto entries = read_cgroup(root(), ::getpid());
  ASSERT_TRUE(entries) << entries.error().message;
  EXPECT_EQ(entries->size(), static_cast<std::size_t>(std::count(text->begin(), text->end(), '\n')));
}

TEST_F(KernelFormat, EnvironmentIsThatOfTheStart) {
  std::array<int, 2> to_child{};
  std::array<int, 2> from_child{};
  ASSERT_EQ(::pipe2(to_child.data(), O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(from_child.data(), O_CLOEXEC), 0);
  const UniqueFd child_in(to_child[0]);
  UniqueFd write_end(to_child[1]);
  const UniqueFd read_end(from_child[0]);
  UniqueFd child_out(from_child[1]);
  std::string program = "cat";
  std::string path_variable = "PATH=/usr/bin:/bin";
  std::string go_variable = "GODEBUG=madvdontneed=0,x=\n";
  std::array<char*, 2> arguments{program.data(), nullptr};
  std::array<char*, 3> variables{path_variable.data(), go_variable.data(), nullptr};
  posix_spawn_file_actions_t actions;
  ASSERT_EQ(::posix_spawn_file_actions_init(&actions), 0);
  ASSERT_EQ(::posix_spawn_file_actions_adddup2(&actions, child_in.get(), STDIN_FILENO), 0);
  ASSERT_EQ(::posix_spawn_file_actions_adddup2(&actions, child_out.get(), STDOUT_FILENO), 0);
  pid_t child = 0;
  const int spawned = ::posix_spawnp(&child, "cat", &actions, nullptr, arguments.data(), variables.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ASSERT_EQ(spawned, 0);
  child_out.reset();
  // What comes back says that it runs; if it ended instead, the read ends too.
  char byte = 'x';
  const bool answered = ::write(write_end.get(), &byte, 1) == 1 && ::read(read_end.get(), &byte, 1) == 1;
  const Result<Environment> environment = read_environ(root(), child);
  write_end.reset();
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ASSERT_TRUE(answered);
  ASSERT_TRUE(environment) << environment.error().message;
  EXPECT_FALSE(environment->truncated);
  EXPECT_EQ(environment->variables.size(), 2U);
  EXPECT_EQ(environment->find("GODEBUG"), "madvdontneed=0,x=\n");
}

TEST_F(KernelFormat, AProcessGoesFromZombieToGone) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  const Result<ProcessStatus> zombie = read_status(root(), child);
  const Result<ProcessStat> zombie_stat = read_stat(root(), child);
  const Result<std::string> zombie_exe = root().read_link(child, "exe");
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const Result<ProcessStatus> gone = read_status(root(), child);

  ASSERT_TRUE(zombie) << zombie.error().message;
  EXPECT_EQ(zombie->state, 'Z');
  EXPECT_FALSE(zombie->kernel_thread);
  EXPECT_EQ(zombie->vm_rss_bytes, std::nullopt);
  ASSERT_TRUE(zombie_stat);
  EXPECT_EQ(zombie_stat->state, 'Z');
  ASSERT_FALSE(zombie_exe);
  EXPECT_EQ(zombie_exe.error().failure, Failure::kAbsent);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().failure, Failure::kGone);
}

TEST_F(KernelFormat, KernelThreadsAreTold) {
  constexpr pid_t kKthreadd = 2;
  const Result<ProcessStat> stat = read_stat(root(), kKthreadd);
  if (!stat || stat->comm != "kthreadd") GTEST_SKIP() << "no kernel threads in this pid namespace";
  EXPECT_TRUE(stat->kernel_thread());
  const Result<ProcessStatus> status = read_status(root(), kKthreadd);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_TRUE(status->kernel_thread);
}

}  // namespace
}  // namespace madvtrace
