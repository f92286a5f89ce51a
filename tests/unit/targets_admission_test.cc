// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "targets/admission.h"

namespace madvtrace {
namespace {

constexpr std::uint32_t kPid = 17;
constexpr std::uint32_t kChild = 18;
constexpr std::uint64_t kInode = 1000;

// What came through, as "kind:pid" and, of members, why.
class Log : public RecordSink {
 public:
  void on_record(RecordBytes record) override {
    wire_header header{};
    ASSERT_GE(record.size(), sizeof(header));
    std::memcpy(&header, record.data(), sizeof(header));
    std::string line = std::to_string(header.kind) + ":" + std::to_string(header.pid);
    if (record.size() == sizeof(wire_member)) {
      ASSERT_EQ(header.size, sizeof(wire_member));
      wire_member member{};
      std::memcpy(&member, record.data(), sizeof(member));
      line += " why " + std::to_string(member.why);
    }
    lines.push_back(line);
  }
  std::vector<std::string> take() { return std::exchange(lines, {}); }

  std::vector<std::string> lines;
};

std::string line(wire_kind kind, std::uint32_t pid = kPid) { return std::to_string(kind) + ":" + std::to_string(pid); }
std::string line(wire_kind kind, wire_member_why why, std::uint32_t pid = kPid) {
  return line(kind, pid) + " why " + std::to_string(why);
}

class AdmissionTest : public testing::Test {
 protected:
  template <class Record>
  void write(Record record, wire_kind kind, std::uint32_t pid) {
    record.header.size = sizeof(record);
    record.header.kind = kind;
    record.header.pid = pid;
    admission_.on_record(std::as_bytes(std::span(&record, 1)));
  }
  void join(std::uint64_t inode = kInode, std::uint32_t pid = kPid) {
    wire_member member{};
    member.program.inode = inode;
    std::memcpy(member.comm, "sh", 3);
    write(member, WIRE_JOIN, pid);
  }
  void exec(std::uint64_t inode = kInode, std::uint32_t pid = kPid) {
    wire_exec record{};
    record.program.inode = inode;
    write(record, WIRE_EXEC, pid);
  }
  void fork(std::uint32_t followed = 1) {
    wire_fork record{};
    record.child_pid = kChild;
    record.followed = followed;
    write(record, WIRE_FORK, kPid);
  }
  void call(std::uint32_t pid = kPid) { write(wire_call{}, WIRE_CALL, pid); }
  void exit(std::uint32_t pid = kPid) { write(wire_exit{}, WIRE_EXIT, pid); }

  std::map<std::uint32_t, std::optional<bool>> is_go_;
  std::map<std::uint32_t, std::uint32_t> programs_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> told_kernel_;
  std::vector<std::string> left_out_;
  Log log_;
  Admission admission_{
      log_,
      /*go_only=*/true,
      {.is_go = [this](std::uint32_t pid) { return is_go_.contains(pid) ? is_go_.at(pid) : std::nullopt; },
       .programs_run = [this](std::uint32_t pid) { return std::optional(programs_[pid]); },
       .leave_out =
           [this](std::uint32_t pid, std::uint32_t programs) {
             told_kernel_.emplace_back(pid, programs);
             return true;
           },
       .left_out = [this](std::uint32_t pid,
                          const std::string& comm) { left_out_.push_back(std::to_string(pid) + " " + comm); }}};
};

TEST_F(AdmissionTest, GoProgramsPass) {
  is_go_[kPid] = true;
  join();
  call();
  exit();
  EXPECT_EQ(log_.take(), (std::vector{line(WIRE_JOIN, WIRE_MEMBER_FOUND), line(WIRE_CALL), line(WIRE_EXIT)}));
  EXPECT_TRUE(told_kernel_.empty() && left_out_.empty());
}

TEST_F(AdmissionTest, OthersAreLeftOutAndTheKernelIsToldWithWhatProgramItWas) {
  is_go_[kPid] = false;
  programs_[kPid] = 5;
  join();
  call();
  EXPECT_TRUE(log_.lines.empty());
  EXPECT_EQ(told_kernel_, (std::vector<std::pair<std::uint32_t, std::uint32_t>>{{kPid, 5}}));
  EXPECT_EQ(left_out_, std::vector<std::string>{"17 sh"});
}

TEST_F(AdmissionTest, AProcessThatIsGoneIsJudgedByItsProgram) {
  is_go_[kPid] = false;
  join(kInode, kPid);
  join(kInode, kChild);
  EXPECT_TRUE(log_.lines.empty());
  EXPECT_EQ(left_out_.size(), 2U);
}

TEST_F(AdmissionTest, WhatNobodyKnowsMayBeGos) {
  join(kInode);
  join(/*inode=*/0, kChild);
  EXPECT_EQ(log_.lines.size(), 2U);
}

TEST_F(AdmissionTest, AnUnknownFileIsNoProgram) {
  is_go_[kPid] = false;
  join(/*inode=*/0, kPid);
  join(/*inode=*/0, kChild);
  EXPECT_EQ(log_.take(), std::vector{line(WIRE_JOIN, WIRE_MEMBER_FOUND, kChild)});
}

TEST_F(AdmissionTest, ALeftOutProcessCanBecomeAGoProgram) {
  is_go_[kPid] = false;
  join();
  is_go_[kPid] = true;
  exec(kInode + 1);
  call();
  EXPECT_EQ(log_.take(), (std::vector{line(WIRE_JOIN, WIRE_MEMBER_EXECED), line(WIRE_CALL)}));
}

TEST_F(AdmissionTest, AGoProcessCanBecomeAnother) {
  is_go_[kPid] = true;
  join();
  is_go_[kPid] = false;
  exec(kInode + 1);
  call();
  exit();
  EXPECT_EQ(log_.take(),
            (std::vector{line(WIRE_JOIN, WIRE_MEMBER_FOUND), line(WIRE_EXEC), line(WIRE_LEAVE, WIRE_MEMBER_REFUSED)}));
  EXPECT_EQ(told_kernel_.size(), 1U);
}

TEST_F(AdmissionTest, ChildrenRunWhatTheirParentRuns) {
  is_go_[kPid] = true;
  join();
  fork();
  call(kChild);
  EXPECT_EQ(log_.take(), (std::vector{line(WIRE_JOIN, WIRE_MEMBER_FOUND), line(WIRE_FORK), line(WIRE_CALL, kChild)}));
}

TEST_F(AdmissionTest, ChildrenOfTheLeftOutAreLeftOut) {
  is_go_[kPid] = false;
  join();
  fork();
  call(kChild);
  EXPECT_TRUE(log_.lines.empty());
  EXPECT_EQ(told_kernel_.back().first, kChild);
}

TEST_F(AdmissionTest, WhatWasNamedIsFollowedWhateverItRuns) {
  is_go_[kPid] = false;
  EXPECT_FALSE(admission_.is_named(kPid));
  admission_.name(kPid);
  EXPECT_TRUE(admission_.is_named(kPid));
  exec(kInode);
  fork();
  exec(kInode + 1, kChild);
  exit();
  EXPECT_EQ(log_.take(), (std::vector{line(WIRE_EXEC), line(WIRE_FORK), line(WIRE_EXEC, kChild), line(WIRE_EXIT)}));
  EXPECT_TRUE(told_kernel_.empty() && left_out_.empty());
}

TEST_F(AdmissionTest, WhatHasLeftIsNotMetAgain) {
  is_go_[kPid] = true;
  join();
  wire_member member{};
  member.why = WIRE_MEMBER_MOVED;
  write(member, WIRE_LEAVE, kPid);
  call();
  EXPECT_EQ(log_.take(), (std::vector{line(WIRE_JOIN, WIRE_MEMBER_FOUND), line(WIRE_LEAVE, WIRE_MEMBER_MOVED)}));
  join();
  call();
  EXPECT_EQ(log_.take(), (std::vector{line(WIRE_JOIN, WIRE_MEMBER_FOUND), line(WIRE_CALL)}));
}

TEST_F(AdmissionTest, IfItsJoinWasLostItsFirstRecordStandsForIt) {
  is_go_[kPid] = true;
  call();
  is_go_[kChild] = false;
  call(kChild);
  EXPECT_EQ(log_.take(), (std::vector{line(WIRE_JOIN, WIRE_MEMBER_CALLED), line(WIRE_CALL)}));
  EXPECT_EQ(left_out_.size(), 1U);
}

TEST_F(AdmissionTest, RecordsOfOddSizesGoToWhoCountsThem) {
  std::vector<std::byte> bytes(sizeof(wire_header) + 8);
  for (const wire_kind kind : {WIRE_JOIN, WIRE_EXEC, WIRE_FORK}) {
    const wire_header header{.size = static_cast<__u32>(bytes.size()), .kind = static_cast<__u16>(kind)};
    std::memcpy(bytes.data(), &header, sizeof(header));
    admission_.on_record(bytes);
  }
  EXPECT_EQ(log_.take().size(), 3U);
}

}  // namespace
}  // namespace madvtrace
