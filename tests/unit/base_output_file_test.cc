// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): SIGXFSZ
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>

#include "base/output_file.h"
#include "tests/support/temp_directory.h"

namespace madvtrace {
namespace {

class OutputFileTest : public testing::Test {
 protected:
  test::TempDirectory temporary;
};

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
}

// In a child process, so that the limit ends with it; 0 if all went as it should.
int in_child_with_file_limit(rlim_t limit_bytes, const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = limit_bytes, .rlim_max = limit_bytes};
    const bool ok = ::setrlimit(RLIMIT_FSIZE, &limit) == 0 && body();
    ::_exit(ok ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST_F(OutputFileTest, IsCreatedForItsOwnerAlone) {
  const mode_t before = ::umask(0);
  const Result<OutputFile> file = OutputFile::create(temporary / "x.csv", OutputUnit::kLine);
  ::umask(before);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(mode_of(temporary / "x.csv"), 0600U);
  EXPECT_EQ(file->name(), temporary / "x.csv");
}

TEST_F(OutputFileTest, IsNeverWrittenOver) {
  test::write_all(temporary / "x.csv", "mine");
  const Result<OutputFile> file = OutputFile::create(temporary / "x.csv", OutputUnit::kLine);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ExitCode::kUsage);
  EXPECT_NE(file.error().message.find("File exists; name one that does not exist yet"), std::string::npos);
  EXPECT_EQ(test::read_all(temporary / "x.csv"), "mine");
}

TEST_F(OutputFileTest, FollowsNoLink) {
  // Also not one that leads nowhere, which O_CREAT alone would fill.
  std::filesystem::create_symlink(temporary / "target", temporary / "link");
  EXPECT_FALSE(OutputFile::create(temporary / "link", OutputUnit::kLine));
  EXPECT_FALSE(std::filesystem::exists(temporary / "target"));
}

TEST_F(OutputFileTest, SaysWhichDirectoryIsMissing) {
  const Result<OutputFile> file = OutputFile::create(temporary / "no/x.csv", OutputUnit::kLine);
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().message.find("no/x.csv: No such file or directory"), std::string::npos);
}

TEST_F(OutputFileTest, HoldsLinesBackUntilTheyAreFlushed) {
  Result<OutputFile> file = OutputFile::create(temporary / "x.csv", OutputUnit::kLine);
  ASSERT_TRUE(file);
  file->append("one\n");
  EXPECT_EQ(test::read_all(temporary / "x.csv"), "");
  file->append("two\n");
  file->flush();
  EXPECT_EQ(test::read_all(temporary / "x.csv"), "one\ntwo\n");
}

TEST_F(OutputFileTest, ManyLinesGoOutByThemselves) {
  Result<OutputFile> file = OutputFile::create(temporary / "x.csv", OutputUnit::kLine);
  ASSERT_TRUE(file);
  const std::string line(1023, 'x');
  for (int i = 0; i < 1'000; ++i) file->append(line + "\n");
  EXPECT_GE(test::read_all(temporary / "x.csv").size(), std::size_t{500} * 1024);
}

TEST_F(OutputFileTest, AppendsThatStayWholeGoOutAtOnce) {
  Result<OutputFile> file = OutputFile::create(temporary / "x.mv", OutputUnit::kAppend);
  ASSERT_TRUE(file);
  file->append("chunk");
  EXPECT_EQ(test::read_all(temporary / "x.mv"), "chunk");
}

TEST_F(OutputFileTest, EndsInAWholeLineWhenTheDiskIsFull) {
  const std::string path = temporary / "x.csv";
  const int status = in_child_with_file_limit(25, [&] {
    Result<OutputFile> file = OutputFile::create(path, OutputUnit::kLine);
    if (!file) return false;
    file->append("123456789\n");
    file->flush();
    if (file->failed()) return false;
    // 25 bytes end in the middle of the third line.
    file->append("123456789\n");
    file->append("123456789\n");
    file->append("123456789\n");
    file->flush();
    return file->failed() && file->error() == EFBIG;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(test::read_all(path), "123456789\n123456789\n");
}

TEST_F(OutputFileTest, LeavesNothingOfALineThatDoesNotFitAtAll) {
  const std::string path = temporary / "x.csv";
  EXPECT_EQ(in_child_with_file_limit(5,
                                     [&] {
                                       Result<OutputFile> file = OutputFile::create(path, OutputUnit::kLine);
                                       file->append("123456789\n");
                                       file->flush();
                                       return file->failed();
                                     }),
            0);
  EXPECT_EQ(test::read_all(path), "");
}

TEST_F(OutputFileTest, EndsInAWholeChunkWhenTheDiskIsFull) {
  const std::string path = temporary / "x.mv";
  const int status = in_child_with_file_limit(25, [&] {
    Result<OutputFile> file = OutputFile::create(path, OutputUnit::kAppend);
    if (!file) return false;
    // A newline in it is no end.
    file->append("12345\n7890");
    file->append("12345\n7890");
    file->append("12345\n7890");
    return file->failed();
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(test::read_all(path), "12345\n789012345\n7890");
}

TEST_F(OutputFileTest, NothingFollowsAFailure) {
  const std::string path = temporary / "x.mv";
  const int status = in_child_with_file_limit(15, [&] {
    Result<OutputFile> file = OutputFile::create(path, OutputUnit::kAppend);
    file->append("0123456789");
    file->append("0123456789");
    // This one would fit: it would stand where another belongs.
    file->append("01");
    file->flush();
    return file->failed();
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(test::read_all(path), "0123456789");
}

TEST_F(OutputFileTest, KeepsTheErrorOfAReaderThatLeft) {
  ::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  OutputFile file = OutputFile::over(UniqueFd(ends[1]), "standard output");
  ::close(ends[0]);
  file.append("line\n");
  file.flush();
  EXPECT_EQ(file.error(), EPIPE);
  ::signal(SIGPIPE, SIG_DFL);
}

TEST_F(OutputFileTest, AnOutputDirectoryIsMadeForItsOwnerAlone) {
  const mode_t before = ::umask(0);
  EXPECT_TRUE(make_output_directory(temporary / "out"));
  ::umask(before);
  EXPECT_EQ(mode_of(temporary / "out"), 0700U);
}

TEST_F(OutputFileTest, AnEmptyOutputDirectoryIsTaken) {
  ASSERT_TRUE(std::filesystem::create_directory(temporary / "out"));
  EXPECT_TRUE(make_output_directory(temporary / "out"));
}

TEST_F(OutputFileTest, AnOutputDirectoryWithAnythingInItIsRefused) {
  ASSERT_TRUE(std::filesystem::create_directory(temporary / "out"));
  test::write_all(temporary / "out/.hidden", "");
  const Status made = make_output_directory(temporary / "out");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ExitCode::kUsage);
  EXPECT_NE(made.error().message.find("is not empty"), std::string::npos);
}

TEST_F(OutputFileTest, WhatIsNoDirectoryIsRefused) {
  test::write_all(temporary / "out", "");
  EXPECT_FALSE(make_output_directory(temporary / "out"));
  EXPECT_FALSE(make_output_directory(temporary / "no/out"));
}

}  // namespace
}  // namespace madvtrace
