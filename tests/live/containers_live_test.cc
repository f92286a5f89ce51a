// SPDX-License-Identifier: Apache-2.0
// Real containers in groups that look like those of Kubernetes: found by whatever they
// can be called, with books that say what the kernel's files say.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/page_range.h"
#include "containers/find_group.h"
#include "containers/group_memory.h"
#include "containers/hierarchies.h"
#include "tests/live/live_test.h"
#include "tests/support/file_tree.h"
#include "tests/support/runc_container.h"

namespace madvtrace {
namespace {

constexpr std::uint64_t kLimitBytes = std::uint64_t{64} << 20;

// An id like Docker's that no other test, and no other run of this one, has.
std::string long_id(char kind) {
  std::string id = std::to_string(::getpid()) + "0" + kind;
  id.resize(64, kind);
  return id;
}

std::uint64_t inode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

class ContainersTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::geteuid(), 0U) << "needs root";
    Result<std::vector<CgroupMount>> mounts = read_cgroup_mounts("");
    ASSERT_HAS_VALUE(mounts);
    mounts_ = std::move(*mounts);
    Result<ProcRoot> proc = ProcRoot::open("/proc");
    ASSERT_HAS_VALUE(proc);
    proc_ = std::move(*proc);
  }

  std::unique_ptr<RuncContainer> start(const std::string& id, const std::string& path,
                                       const std::string& script = "echo ready; exec busybox sleep 600") const {
    auto container = RuncContainer::start(
        {.id = id, .cgroups_path = path, .args = {"sh", "-c", script}, .memory_limit_bytes = kLimitBytes});
    EXPECT_HAS_VALUE(container);
    if (!container) return nullptr;
    const Result<std::string> line = (*container)->read_line();
    EXPECT_HAS_VALUE(line);
    return line ? std::move(*container) : nullptr;
  }

  // In the hierarchy whose numbers count.
  std::string memory_directory(pid_t pid) const {
    const auto entries = read_cgroup(*proc_, pid);
    const auto group = entries ? find_memory_group(mounts_, *entries) : std::nullopt;
    EXPECT_TRUE(group.has_value());
    return group ? group->directory : "";
  }

  void expect_found(const std::string& text, const std::string& directory, const std::string& root = "") const {
    const auto found = find_group(root, *proc_, text);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_EQ(found->id, inode_of(directory)) << text << ": " << found->directory << ", " << found->how;
  }

  std::vector<CgroupMount> mounts_;
  std::optional<ProcRoot> proc_;
  const std::string uid_ = std::to_string(::getpid()) + "-6a1c";
};

TEST_F(ContainersTest, OfKubernetesWithCgroupfsAreFoundByEveryName) {
  const std::string id = long_id('a');
  const std::string pod = "/kubepods/burstable/pod" + uid_;
  const std::string path = pod + "/" + id;
  const auto container = start(id, path);
  ASSERT_TRUE(container);
  const std::string directory = memory_directory(container->pid());
  ASSERT_TRUE(directory.ends_with(path)) << directory;
  for (const std::string& text : {directory, path, path.substr(1), id, id.substr(0, 12)}) expect_found(text, directory);
  expect_found(pod, std::filesystem::path(directory).parent_path());
}

TEST_F(ContainersTest, OfKubernetesWithSystemdAreFoundByEveryName) {
  const std::string id = long_id('b');
  const std::string slice =
      "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + std::to_string(::getpid()) + "_6a1c.slice";
  const std::string unit = "cri-containerd-" + id + ".scope";
  const auto container = start(id, slice + "/" + unit);
  ASSERT_TRUE(container);
  const std::string directory = memory_directory(container->pid());
  ASSERT_TRUE(directory.ends_with(slice + "/" + unit)) << directory;
  for (const std::string& text : {directory, slice + "/" + unit, unit, id, id.substr(0, 12)}) {
    expect_found(text, directory);
  }
  expect_found(std::filesystem::path(slice).filename(), std::filesystem::path(directory).parent_path());
}

TEST_F(ContainersTest, AreFoundByTheNamesThatContainerdWroteDown) {
  const std::string id = long_id('c');
  const auto container = start(id, "/kubepods/pod" + uid_ + "/" + id);
  ASSERT_TRUE(container);
  const std::string directory = memory_directory(container->pid());
  // This machine, with the files that containerd would have left.
  const std::string task = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" + id;
  const test::FileTree tree(task + "/init.pid\n| " + std::to_string(container->pid()) + "\n" + task +
                            "/config.json\n| {\"annotations\": {\"io.kubernetes.cri.container-name\": \"app\", "
                            "\"io.kubernetes.cri.sandbox-name\": \"web-1\", "
                            "\"io.kubernetes.cri.sandbox-namespace\": \"shop\"}}\n");
  std::filesystem::create_symlink("/proc", tree / "/proc");
  std::filesystem::create_symlink("/sys", tree / "/sys");
  for (const char* text : {"app", "web-1/app", "shop/web-1/app"}) expect_found(text, directory, tree.root());
  for (const char* text : {"web-1", "shop/web-1"}) {
    expect_found(text, std::filesystem::path(directory).parent_path(), tree.root());
  }
}

TEST_F(ContainersTest, OfRuncAreFoundByWhatItRecorded) {
  // Neither the path nor any process tells the id.
  const std::string id = "madvtrace-test-" + std::to_string(::getpid());
  const auto container = start(id, "/kubepods/pod" + uid_ + "/other");
  ASSERT_TRUE(container);
  const std::string directory = memory_directory(container->pid());
  expect_found(id, directory);
  ASSERT_HAS_VALUE(container->remove());
  const auto found = find_group("", *proc_, id);
  ASSERT_FALSE(found.has_value()) << found->directory;
  EXPECT_EQ(found.error().failure, Failure::kAbsent);
}

TEST_F(ContainersTest, BooksAreWhatTheFilesSay) {
  const std::string id = long_id('d');
  // 8 MiB of page cache, and one kill for want of memory.
  const auto container = start(id, "/kubepods/pod" + uid_ + "/" + id,
                               "busybox dd if=/dev/zero of=/file bs=1048576 count=8 2>/dev/null; "
                               "busybox tail /dev/zero >/dev/null 2>&1; "
                               "busybox dd if=/file of=/dev/null bs=1048576 2>/dev/null; "
                               "echo ready; exec busybox sleep 600");
  ASSERT_TRUE(container);
  const auto entries = read_cgroup(*proc_, container->pid());
  ASSERT_HAS_VALUE(entries);
  const auto group = find_memory_group(mounts_, *entries);
  ASSERT_TRUE(group.has_value());
  const auto reader = GroupMemoryReader::open(*group);
  ASSERT_HAS_VALUE(reader);
  EXPECT_EQ(reader->id(), inode_of(group->directory));

  const std::string usage_file =
      group->directory + (group->version == CgroupVersion::kV1 ? "/memory.usage_in_bytes" : "/memory.current");
  // The kernel may settle a batch between two reads: wanted is a read with the same
  // number before and after it.
  constexpr int kTries = 1'000;
  std::string before = test::read_all(usage_file);
  auto memory = reader->read();
  std::string after = test::read_all(usage_file);
  for (int tries = 0; memory && before != after && tries < kTries; ++tries) {
    before = std::move(after);
    memory = reader->read();
    after = test::read_all(usage_file);
  }
  ASSERT_HAS_VALUE(memory);
  EXPECT_EQ(std::to_string(memory->usage_bytes.value_or(0)) + "\n", after);
  EXPECT_EQ(memory->own_limit_bytes, kLimitBytes);
  EXPECT_EQ(memory->limit_bytes, kLimitBytes);
  EXPECT_EQ(memory->oom_kills, 1U);
  ASSERT_TRUE(memory->usage_bytes && memory->inactive_file_bytes && memory->active_file_bytes);
  ASSERT_TRUE(memory->working_set_bytes && memory->anon_bytes);
  // Page tables and stacks of its processes at least; not all of the charge.
  ASSERT_TRUE(memory->shmem_bytes && memory->kernel_bytes);
  EXPECT_GT(*memory->kernel_bytes, 0U);
  EXPECT_LT(*memory->kernel_bytes, *memory->usage_bytes);
  // Each processor keeps the last pages back before it puts them on a list (PAGEVEC_SIZE).
  const auto kept_back = static_cast<std::uint64_t>(::sysconf(_SC_NPROCESSORS_ONLN)) * 31 * kPageBytes;
  EXPECT_GE(*memory->inactive_file_bytes + *memory->active_file_bytes, (std::uint64_t{8} << 20) - kept_back);
  EXPECT_LE(*memory->usage_bytes, kLimitBytes);
  EXPECT_EQ(*memory->working_set_bytes, *memory->usage_bytes - *memory->inactive_file_bytes);

  ASSERT_HAS_VALUE(container->remove());
  const auto gone = reader->read();
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(gone.error().failure, Failure::kGone) << gone.error().message;
}

TEST_F(ContainersTest, TheLimitOfAPodIsItsContainersToo) {
  const std::string id = long_id('e');
  const std::string pod = "/kubepods/pod" + uid_;
  const auto container = start(id, pod + "/" + id);
  ASSERT_TRUE(container);
  const std::string directory = memory_directory(container->pid());
  const auto found = find_group("", *proc_, id);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  const bool v1 = !found->unified();
  test::write_all(
      std::filesystem::path(directory).parent_path().string() + (v1 ? "/memory.limit_in_bytes" : "/memory.max"),
      std::to_string(kLimitBytes / 2));
  const auto reader =
      GroupMemoryReader::open({.version = v1 ? CgroupVersion::kV1 : CgroupVersion::kV2, .directory = directory});
  ASSERT_HAS_VALUE(reader);
  const auto memory = reader->read();
  ASSERT_HAS_VALUE(memory);
  EXPECT_EQ(memory->own_limit_bytes, kLimitBytes);
  EXPECT_EQ(memory->limit_bytes, kLimitBytes / 2);
}

}  // namespace
}  // namespace madvtrace
