// SPDX-License-Identifier: Apache-2.0
// ProcRoot on a tree of files made by the test, where everything is known.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "procfs/cgroup.h"
#include "procfs/environ.h"
#include "procfs/maps.h"
#include "procfs/proc_root.h"
#include "procfs/stat.h"
#include "procfs/status.h"

namespace madvtrace {
namespace {

class ProcTree : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "madvtrace_proc.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    // Others may look in: one test gives up root.
    ASSERT_EQ(::chmod(name.c_str(), 0755), 0);
    Result<ProcRoot> root = ProcRoot::open(name);
    ASSERT_TRUE(root) << root.error().message;
    root_.emplace(std::move(*root));
  }

  void TearDown() override {
    root_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  void write(const std::string& path, std::string_view text) {
    const std::filesystem::path file = directory_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream out(file, std::ios::binary);
    out << text;
    out.close();
    ASSERT_TRUE(out) << file;
  }
  void make_directory(const std::string& path) { std::filesystem::create_directories(directory_ / path); }

  const ProcRoot& root() const { return *root_; }

  std::filesystem::path directory_;

 private:
  std::optional<ProcRoot> root_;
};

TEST_F(ProcTree, ReadsAFile) {
  write("17/status", std::string_view("some\0thing\n", 11));
  const Result<std::string> text = root().read_file(17, "status", 100);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, std::string("some\0thing\n", 11));
}

TEST_F(ProcTree, ReadsUpToTheLimitExactly) {
  // Across several reads, and at the limit itself.
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{65'535}, std::size_t{65'536},
                                  std::size_t{65'537}, std::size_t{200'000}}) {
    const std::string content(bytes, 'x');
    write("17/maps", content);
    const Result<std::string> fits = root().read_file(17, "maps", bytes);
    ASSERT_TRUE(fits) << fits.error().message;
    EXPECT_EQ(*fits, content);
    const Result<FileText> whole = root().read_prefix(17, "maps", bytes);
    ASSERT_TRUE(whole);
    EXPECT_FALSE(whole->truncated);
    if (bytes == 0) continue;
    const Result<std::string> over = root().read_file(17, "maps", bytes - 1);
    ASSERT_FALSE(over);
    EXPECT_EQ(over.error().failure, Failure::kTooLarge);
    const Result<FileText> cut = root().read_prefix(17, "maps", bytes - 1);
    ASSERT_TRUE(cut);
    EXPECT_TRUE(cut->truncated);
    EXPECT_EQ(cut->text.size(), bytes - 1);
  }
}

TEST_F(ProcTree, TellsNoProcessFromNoSuchFile) {
  make_directory("17");
  const Result<std::string> absent = root().read_file(17, "maps", 100);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().failure, Failure::kAbsent);
  const Result<std::string> gone = root().read_file(18, "maps", 100);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().failure, Failure::kGone);
  EXPECT_EQ(gone.error().code, ExitCode::kFailed);
  EXPECT_EQ(root().read_link(17, "exe").error().failure, Failure::kAbsent);
  EXPECT_EQ(root().read_link(18, "exe").error().failure, Failure::kGone);
}

TEST_F(ProcTree, ErrorsSayWhatAndWhy) {
  const Result<std::string> gone = root().read_file(18, "maps", 100);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().message, "cannot read " + directory_.string() + "/18/maps: there is no process 18 (any more)");
}

TEST_F(ProcTree, ErrorsConvertToTheCommonError) {
  const auto as_result = [this]() -> Result<std::string> { return root().read_file(18, "maps", 100); };
  const Result<std::string> gone = as_result();
  ASSERT_FALSE(gone);
  EXPECT_NE(gone.error().message.find("no process 18"), std::string::npos);
}

TEST_F(ProcTree, TellsPermission) {
  write("17/environ", "A=1");
  ASSERT_EQ(::chmod((directory_ / "17/environ").c_str(), 0), 0);
  constexpr uid_t kNobody = 65534;
  const bool was_root = ::geteuid() == 0;
  if (was_root && ::seteuid(kNobody) != 0) GTEST_SKIP() << "root that cannot give up its rights sees everything";
  const Result<std::string> text = root().read_file(17, "environ", 100);
  ASSERT_TRUE(!was_root || ::seteuid(0) == 0);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().failure, Failure::kPermission);
  EXPECT_EQ(text.error().code, ExitCode::kUnsupported);
}

TEST_F(ProcTree, ADirectoryIsNoFile) {
  make_directory("17/maps");
  const Result<std::string> text = root().read_file(17, "maps", 100);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().failure, Failure::kOther);
}

TEST_F(ProcTree, APipeDoesNotMakeTheReaderWait) {
  make_directory("17");
  ASSERT_EQ(::mkfifo((directory_ / "17/maps").c_str(), 0600), 0);
  const Result<std::string> text = root().read_file(17, "maps", 100);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, "");
}

TEST_F(ProcTree, ReadsALink) {
  make_directory("17");
  std::filesystem::create_symlink("/usr/bin/ser\nver (deleted)", directory_ / "17/exe");
  const Result<std::string> exe = root().read_link(17, "exe");
  ASSERT_TRUE(exe) << exe.error().message;
  EXPECT_EQ(*exe, "/usr/bin/ser\nver (deleted)");
  // As long as a link can get.
  const std::string longest(4095, 'x');
  std::filesystem::create_symlink(longest, directory_ / "17/cwd");
  const Result<std::string> cwd = root().read_link(17, "cwd");
  ASSERT_TRUE(cwd) << cwd.error().message;
  EXPECT_EQ(*cwd, longest);
}

TEST_F(ProcTree, OpensAFileForOthersToRead) {
  write("17/task/18/comm", "x");
  const Result<UniqueFd> fd = root().open_file(17, "task/18/comm");
  ASSERT_TRUE(fd) << fd.error().message;
  char byte = 0;
  EXPECT_EQ(::read(fd->get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
  EXPECT_NE(::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(ProcTree, ListsNumbersOnlyInOrder) {
  for (const char* name : {"300", "2", "17", "self", "007", "0", "-5", "+9", "1x", "99999999999", "sys"}) {
    make_directory(name);
  }
  const Result<std::vector<pid_t>> pids = root().list_pids();
  ASSERT_TRUE(pids) << pids.error().message;
  EXPECT_EQ(*pids, (std::vector<pid_t>{2, 17, 300}));
  // A second time: the directory is not read from where the first ended.
  EXPECT_EQ(*root().list_pids(), *pids);
}

TEST_F(ProcTree, RefusesARootThatIsNoDirectory) {
  write("17/status", "x");
  const Result<ProcRoot> file = ProcRoot::open((directory_ / "17/status").string());
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().failure, Failure::kOther);
  EXPECT_FALSE(ProcRoot::open((directory_ / "none").string()));
}

TEST_F(ProcTree, KeepsReadingTheTreeItOpened) {
  write("17/comm", "first");
  const std::filesystem::path moved = directory_.string() + ".moved";
  std::filesystem::rename(directory_, moved);
  const Result<std::string> text = root().read_file(17, "comm", 100);
  std::filesystem::rename(moved, directory_);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, "first");
}

TEST_F(ProcTree, EveryReaderTakesTheRoot) {
  write("17/status",
        "Name:\tserver\nState:\tS (sleeping)\nTgid:\t17\nPid:\t17\nPPid:\t1\nUid:\t5\t5\t5\t5\nVmSize:\t4 kB\n");
  write("17/stat", "17 (server) S 1 17 17 0 -1 0 0 0 0 0 0 0 0 0 20 0 3 0 4711 0 0\n");
  write("17/maps", "1000-2000 rw-p 00000000 00:00 0 \nbad\n");
  write("17/cgroup", "0::/x\n");
  write("17/environ", std::string_view("A=1\0B=2\0", 8));
  EXPECT_EQ(read_status(root(), 17)->name, "server");
  EXPECT_EQ(read_stat(root(), 17)->start_time_ticks, 4711U);
  EXPECT_EQ(read_maps(root(), 17)->mappings.size(), 1U);
  EXPECT_EQ(read_maps(root(), 17)->lines_bad, 1U);
  EXPECT_EQ(unified_path(*read_cgroup(root(), 17)), "/x");
  EXPECT_EQ(read_environ(root(), 17)->find("B"), "2");
}

TEST_F(ProcTree, ReadersSayWhatIsMalformed) {
  for (const char* name : {"17/status", "17/stat"}) write(name, "garbage\n");
  EXPECT_EQ(read_status(root(), 17).error().failure, Failure::kMalformed);
  EXPECT_EQ(read_stat(root(), 17).error().failure, Failure::kMalformed);
  EXPECT_EQ(read_status(root(), 18).error().failure, Failure::kGone);
}

TEST_F(ProcTree, AnEnvironmentOverTheLimitIsCutBetweenVariables) {
  write("17/environ", std::string_view("A=1\0", 4));
  {
    std::ofstream out(directory_ / "17/environ", std::ios::binary | std::ios::app);
    out << "B=" << std::string(kEnvironLimitBytes, 'x');
  }
  const Result<Environment> environment = read_environ(root(), 17);
  ASSERT_TRUE(environment) << environment.error().message;
  EXPECT_TRUE(environment->truncated);
  EXPECT_EQ(environment->find("A"), "1");
  EXPECT_EQ(environment->find("B"), std::nullopt);
}

}  // namespace
}  // namespace madvtrace
