// SPDX-License-Identifier: Apache-2.0
// Trees that look like machines with cgroup v1, v2 or both, and with each runtime.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "containers/container_group.h"
#include "containers/find_group.h"
#include "tests/support/file_tree.h"

namespace madvtrace {
namespace {

enum class Layout { kV1, kV2, kHybrid };

const std::string kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kOtherId = "0123ffff89abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kPauseId = "99ff456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

std::string name_of(const testing::TestParamInfo<Layout>& info) {
  return info.param == Layout::kV1 ? "V1" : info.param == Layout::kV2 ? "V2" : "Hybrid";
}

class FindGroup : public testing::TestWithParam<Layout> {
 protected:
  void SetUp() override {
    constexpr std::string_view kControllers =
        "| 35 31 0:32 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "| 36 31 0:33 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "| 37 31 0:34 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";
    std::string mounts = "/proc/self/mountinfo\n| 23 28 0:21 / /sys rw - sysfs sysfs rw\n";
    if (GetParam() == Layout::kV2) mounts += "| 31 23 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    if (GetParam() == Layout::kHybrid) mounts += "| 34 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    if (GetParam() != Layout::kV2) mounts += kControllers;
    tree_.add(mounts);
    for (const std::string& top : tops()) tree_.add(top + "/\n");
    // Somebody who is in no container.
    add_process(1, "/init.scope");
  }

  std::vector<std::string> tops() const {
    std::vector<std::string> tops;
    if (GetParam() != Layout::kV2) {
      tops = {"/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/systemd"};
    }
    if (GetParam() == Layout::kV2) tops.emplace_back("/sys/fs/cgroup");
    if (GetParam() == Layout::kHybrid) tops.emplace_back("/sys/fs/cgroup/unified");
    return tops;
  }
  // The directory of a group in the hierarchy in which it should be found.
  std::string expected(const std::string& path) const { return tree_ / (tops().front() + path); }

  void add_group(const std::string& path) {
    for (const std::string& top : tops()) tree_.add(top + path + "/\n");
  }
  void add_process(int pid, const std::string& path) {
    add_group(path);
    std::string text = "/proc/" + std::to_string(pid) + "/cgroup\n";
    if (GetParam() != Layout::kV2) {
      text += "| 9:name=systemd:" + path + "\n| 4:memory:" + path + "\n| 2:cpu,cpuacct:" + path + "\n";
    }
    if (GetParam() != Layout::kV1) text += "| 0::" + path + "\n";
    tree_.add(text);
  }
  // `padding` bytes more than needed.
  void add_runc_state(const std::string& name, const std::string& id, int pid, const std::string& path,
                      std::size_t padding = 0) {
    const std::string controller = GetParam() == Layout::kV2 ? "" : "memory";
    tree_.add("/run/runc/" + name + "/state.json\n| {\"id\": \"" + id +
              "\", \"init_process_pid\": " + std::to_string(pid) + ", \"cgroup_paths\": {\"" + controller + "\": \"" +
              tops().front() + path + "\"}, \"x\": \"" + std::string(padding, 'x') + "\"}\n");
  }
  // A container as containerd's CRI leaves it.
  void add_cri(const std::string& id, int pid, const std::string& annotations) {
    const std::string task = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" + id;
    tree_.add(task + "/init.pid\n| " + std::to_string(pid) + "\n" + task + "/config.json\n| {\"annotations\": {" +
              annotations + "}}\n");
  }
  static std::string cri_names(const std::string& pod, const std::string& name) {
    return R"("io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.container-name": ")" + name +
           R"(", "io.kubernetes.cri.sandbox-namespace": "shop", "io.kubernetes.cri.sandbox-name": ")" + pod + "\"";
  }

  auto find(std::string_view text) const {
    const auto proc = ProcRoot::open(tree_ / "/proc");
    return find_group(tree_.root(), proc.value(), text);
  }
  std::string directory(std::string_view text) const {
    const auto found = find(text);
    return found ? found->directory : "none: " + found.error().message;
  }
  std::string error(std::string_view text) const {
    const auto found = find(text);
    if (found) return "found: " + found->directory;
    EXPECT_EQ(found.error().code, ExitCode::kUsage);
    return found.error().message;
  }

  test::FileTree tree_;
};

INSTANTIATE_TEST_SUITE_P(Layouts, FindGroup, testing::Values(Layout::kV1, Layout::kV2, Layout::kHybrid), name_of);

TEST_P(FindGroup, EveryLayoutByPathAndById) {
  const std::string slice = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod6a1c_11.slice";
  for (const std::string& path :
       {"/docker/" + kId, "/system.slice/docker-" + kId + ".scope", "/kubepods/burstable/pod6a1c-11/" + kId,
        "/kubepods/besteffort/pod6a1c-11/" + kId, "/kubepods/pod6a1c-11/" + kId,
        slice + "/cri-containerd-" + kId + ".scope", slice + "/crio-" + kId + ".scope",
        slice + "/docker-" + kId + ".scope", "/libpod_parent/libpod-" + kId, "/machine.slice/libpod-" + kId + ".scope",
        "/k8s.io/" + kId}) {
    SCOPED_TRACE(path);
    add_process(17, path);
    struct stat status {};
    ASSERT_EQ(::stat(expected(path).c_str(), &status), 0);
    for (const std::string& text :
         {tops().front() + path, path, path.substr(1), path + "/", kId, kId.substr(0, 12), kId.substr(0, 4)}) {
      const auto found = find(text);
      ASSERT_TRUE(found.has_value()) << found.error().message;
      EXPECT_EQ(found->directory, expected(path)) << text;
      EXPECT_EQ(found->path, path) << text;
      EXPECT_EQ(found->id, status.st_ino) << text;
      EXPECT_EQ(found->unified(), GetParam() == Layout::kV2) << text;
      EXPECT_FALSE(found->how.empty()) << text;
    }
    EXPECT_EQ(find(kId)->container_id, kId);
    EXPECT_EQ(find(kId.substr(0, 3)).error().failure, Failure::kAbsent);
  }
}

TEST_P(FindGroup, ADirectoryIsTakenInItsOwnHierarchy) {
  add_group("/a");
  for (const std::string& top : tops()) {
    EXPECT_EQ(directory(top + "/a"), tree_ / (top + "/a"));
    EXPECT_EQ(directory(top), tree_ / top);
  }
}

TEST_P(FindGroup, OneThatIsInOneHierarchyOnly) {
  const std::string top = tops().back();
  tree_.add(top + "/only/here/\n");
  EXPECT_EQ(directory("/only/here"), tree_ / (top + "/only/here"));
  EXPECT_EQ(directory("only/here"), tree_ / (top + "/only/here"));
}

TEST_P(FindGroup, Units) {
  add_group("/system.slice/nginx.service");
  add_group("/system.slice/system-getty.slice/getty@tty1.service");
  add_group("/user.slice/user-1000.slice/user@1000.service/app.slice/shell.service");
  add_group("/docker/" + kId + "/system.slice/inside.service");
  EXPECT_EQ(directory("nginx.service"), expected("/system.slice/nginx.service"));
  EXPECT_EQ(directory("system.slice"), expected("/system.slice"));
  EXPECT_EQ(directory("getty@tty1.service"), expected("/system.slice/system-getty.slice/getty@tty1.service"));
  EXPECT_EQ(directory("shell.service"),
            expected("/user.slice/user-1000.slice/user@1000.service/app.slice/shell.service"));
  EXPECT_TRUE(error("inside.service").starts_with("there is no")) << error("inside.service");

  add_group("/user.slice/user-1001.slice/user@1001.service/app.slice/shell.service");
  const std::string message = error("shell.service");
  EXPECT_TRUE(message.starts_with("'shell.service' can be 2 groups")) << message;
  EXPECT_NE(message.find("\n  unit: /user.slice/user-1001.slice/user@1001.service/app.slice/shell.service"),
            std::string::npos)
      << message;
}

TEST_P(FindGroup, AUnitThatOneHierarchyHas) {
  tree_.add(tops().back() + "/system.slice/x.service/\n");
  EXPECT_EQ(directory("x.service"), tree_ / (tops().back() + "/system.slice/x.service"));
}

TEST_P(FindGroup, RuncByItsRecordedPath) {
  // The id is not in the path, as with a cgroupsPath of one's own.
  add_process(17, "/kubepods/pod1/own/init.scope");
  add_runc_state("web", "web", 17, "/kubepods/pod1/own");
  EXPECT_EQ(directory("web"), expected("/kubepods/pod1/own"));
  EXPECT_EQ(find("web")->container_id, "web");

  // The pid is another process's now.
  add_process(17, "/system.slice/sshd.service");
  const std::string message = error("web");
  EXPECT_TRUE(message.starts_with("there is no")) << message;
  EXPECT_NE(message.find("/run/runc/web/state.json names process 17"), std::string::npos) << message;
  // Or nobody's.
  tree_.remove("/proc/17");
  EXPECT_TRUE(error("web").starts_with("there is no")) << error("web");
}

TEST_P(FindGroup, AStateFileOfAnotherContainerIsNotBelieved) {
  add_process(17, "/kubepods/other");
  add_runc_state("web", "other", 17, "/kubepods/other");
  EXPECT_TRUE(error("web").starts_with("there is no")) << error("web");
}

TEST_P(FindGroup, GroupsThatAContainerMadeAreWithinIt) {
  add_process(17, "/docker/" + kId + "/system.slice/" + kId + "/a");
  EXPECT_EQ(directory(kId), expected("/docker/" + kId));
}

TEST_P(FindGroup, Ctr) {
  add_process(17, "/default/web1");
  tree_.add("/run/containerd/io.containerd.runtime.v2.task/default/web1/init.pid\n| 17\n");
  EXPECT_EQ(directory("web1"), expected("/default/web1"));
}

TEST_P(FindGroup, Docker) {
  add_process(17, "/system.slice/docker-" + kId + ".scope");
  tree_.add("/var/lib/docker/containers/" + kId + "/config.v2.json\n| {\"ID\": \"" + kId +
            "\", \"Name\": \"/shop\", \"State\": {\"Pid\": 17}}\n" + "/var/lib/docker/containers/" + kOtherId +
            "/config.v2.json\n| {\"ID\": \"" + kOtherId + "\", \"Name\": \"/ended\", \"State\": {\"Pid\": 0}}\n");
  EXPECT_EQ(directory("shop"), expected("/system.slice/docker-" + kId + ".scope"));
  EXPECT_EQ(find("shop")->container_id, kId);
  EXPECT_EQ(find("shop")->container_name, "shop");
  EXPECT_EQ(find(kId.substr(0, 4))->container_name, "shop");
  EXPECT_TRUE(error("ended").starts_with("there is no")) << error("ended");
  EXPECT_TRUE(error(kOtherId).starts_with("there is no")) << error(kOtherId);
}

TEST_P(FindGroup, Podman) {
  add_process(17, "/machine.slice/libpod-" + kId + ".scope/container");
  add_process(16, "/machine.slice/libpod-conmon-" + kId + ".scope");
  tree_.add("/var/lib/containers/storage/overlay-containers/containers.json\n| [{\"id\": \"" + kId +
            "\", \"names\": [\"shop\"]}]\n" + "/run/containers/storage/overlay-containers/" + kId +
            "/userdata/pidfile\n| 17\n");
  EXPECT_EQ(directory("shop"), expected("/machine.slice/libpod-" + kId + ".scope"));
  EXPECT_EQ(directory(kId), expected("/machine.slice/libpod-" + kId + ".scope"));
}

TEST_P(FindGroup, Crio) {
  const std::string pod = "/kubepods.slice/kubepods-pod6a1c_11.slice";
  add_process(17, pod + "/crio-" + kId + ".scope");
  tree_.add("/run/containers/storage/overlay-containers/" + kId +
            "/userdata/pidfile\n| 17\n"
            "/var/lib/containers/storage/overlay-containers/" +
            kId +
            "/userdata/config.json\n| {\"annotations\": {\"io.kubernetes.container.name\": \"app\","
            "\"io.kubernetes.pod.name\": \"web-1\", \"io.kubernetes.pod.namespace\": \"shop\"}}\n");
  for (const char* text : {"app", "web-1/app", "shop/web-1/app"}) {
    EXPECT_EQ(directory(text), expected(pod + "/crio-" + kId + ".scope")) << text;
  }
  for (const char* text : {"web-1", "shop/web-1"}) EXPECT_EQ(directory(text), expected(pod)) << text;
  EXPECT_EQ(find("web-1")->container_id, "");
}

TEST_P(FindGroup, PodsAndTheirContainers) {
  add_process(17, "/kubepods/burstable/pod1/" + kId);
  add_process(18, "/kubepods/burstable/pod2/" + kOtherId);
  add_process(19, "/kubepods/burstable/pod1/" + kPauseId);
  add_cri(kId, 17, cri_names("web-1", "app"));
  add_cri(kOtherId, 18, cri_names("web-2", "app"));
  add_cri(kPauseId, 19,
          R"("io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-name": "web-1",)"
          R"("io.kubernetes.cri.sandbox-namespace": "shop")");
  EXPECT_EQ(directory("web-1"), expected("/kubepods/burstable/pod1"));
  EXPECT_EQ(directory("shop/web-2"), expected("/kubepods/burstable/pod2"));
  EXPECT_EQ(directory("web-1/app"), expected("/kubepods/burstable/pod1/" + kId));
  EXPECT_EQ(directory("shop/web-2/app"), expected("/kubepods/burstable/pod2/" + kOtherId));
  // The pod's id, as it is listed by crictl, is its sandbox's.
  EXPECT_EQ(directory(kPauseId), expected("/kubepods/burstable/pod1"));
  EXPECT_EQ(directory("99ff45"), expected("/kubepods/burstable/pod1"));

  const std::string message = error("app");
  EXPECT_EQ(message,
            "'app' can be 2 groups; write the path or the id of one, or POD/CONTAINER:\n"
            "  container 0123456789ab shop/web-1/app: /kubepods/burstable/pod1/" +
                kId + "\n  container 0123ffff89ab shop/web-2/app: /kubepods/burstable/pod2/" + kOtherId);
  EXPECT_NE(find("app").error().failure, Failure::kAbsent);
  EXPECT_TRUE(error("0123").starts_with("'0123' can be 2 groups")) << error("0123");
}

TEST_P(FindGroup, AContainerIsMeantBeforeAPodOfItsName) {
  add_process(17, "/kubepods/pod1/" + kId);
  add_cri(kId, 17, cri_names("web", "web"));
  EXPECT_EQ(directory("web"), expected("/kubepods/pod1/" + kId));
  EXPECT_EQ(directory("shop/web"), expected("/kubepods/pod1"));
}

TEST_P(FindGroup, APodWithoutAGroupOfItsOwnIsNotFound) {
  add_process(17, "/docker/" + kId);
  add_cri(kId, 17, cri_names("web", "app"));
  EXPECT_TRUE(error("web").starts_with("there is no")) << error("web");
  EXPECT_EQ(directory("web/app"), expected("/docker/" + kId));
}

TEST_P(FindGroup, AStalePidDoesNotHideTheContainer) {
  // Restarted: the pid is another container's now, and the state file was not written
  // again; but there are processes in a group with the id.
  add_process(17, "/kubepods/pod1/" + kOtherId);
  add_process(18, "/kubepods/pod1/" + kId);
  add_cri(kId, 17, cri_names("web", "app"));
  EXPECT_EQ(directory("app"), expected("/kubepods/pod1/" + kId));
}

TEST_P(FindGroup, ManyCandidatesAreNotAllListed) {
  for (int at = 10; at < 35; ++at) {
    const std::string id = std::to_string(at) + kId.substr(2);
    add_process(at, "/kubepods/pod" + std::to_string(at) + "/" + id);
    add_cri(id, at, cri_names("web-" + std::to_string(at), "app"));
  }
  const std::string message = error("app");
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 21) << message;
  EXPECT_TRUE(message.ends_with("\n  and 5 more")) << message;
}

TEST_P(FindGroup, RefusesWhatCannotBeAName) {
  add_group("/a");
  for (const std::string& text :
       {std::string(), std::string("a\0b", 3), std::string("a\nb"), std::string("a\x7f"), std::string(5'000, 'a'),
        std::string("/a/../a"), std::string("a/.."), std::string(".."), std::string("./a"),
        std::string("/sys/fs/cgroup/../cgroup"), std::string("/../a/../b")}) {
    const std::string message = error(text);
    EXPECT_FALSE(message.starts_with("found") || message.starts_with("there is no")) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 200U) << message;
    EXPECT_NE(find(text).error().failure, Failure::kAbsent) << message;
  }
}

TEST_P(FindGroup, TellsWhereItLooked) {
  tree_.add("/run/runc/\n");
  const std::string message = error("nobody");
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  const std::string hierarchies = GetParam() == Layout::kV1   ? "memory cpu,cpuacct name=systemd"
                                  : GetParam() == Layout::kV2 ? "unified"
                                                              : "memory unified cpu,cpuacct name=systemd";
  EXPECT_NE(message.find("hierarchies " + hierarchies + ", in " + (tree_ / "/run/runc") + " and"), std::string::npos)
      << message;
  EXPECT_EQ(find("nobody").error().failure, Failure::kAbsent);
}

TEST_P(FindGroup, FilesThatAreNotInHierarchiesAreNoGroups) {
  tree_.add("/etc/passwd\n| x\n" + tops().front() + "/a/cgroup.procs\n| 1\n" + tops().front() + "2/a/\n");
  for (const std::string& text :
       {std::string("/etc"), std::string("/etc/passwd"), tops().front() + "2/a", tops().front() + "/a/cgroup.procs"}) {
    EXPECT_TRUE(error(text).starts_with("there is no")) << error(text);
  }
}

TEST_P(FindGroup, HostileStateFilesArePassedOver) {
  add_process(17, "/docker/" + kId);
  tree_.add(
      "/run/runc/a/state.json\n| {{{\n/run/runc/b/state.json/\n/run/runc/c/\n"
      "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" +
      kId +
      "/init.pid\n| 17\n"
      "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" +
      kId +
      "/config.json\n| [\n"
      "/var/lib/containers/storage/overlay-containers/containers.json\n| {}\n");
  // Larger than any runtime writes.
  add_runc_state("c", "c", 17, "/docker/" + kId, 2'000'000);
  add_runc_state("d", "d", 17, "/docker/" + kId, 500'000);
  tree_.add("/run/runc/e/\n");
  ASSERT_EQ(::mkfifo((tree_ / "/run/runc/e/state.json").c_str(), 0600), 0);
  EXPECT_EQ(directory("d"), expected("/docker/" + kId));
  EXPECT_EQ(directory(kId), expected("/docker/" + kId));
  for (const char* text : {"a", "b", "c", "e"}) EXPECT_TRUE(error(text).starts_with("there is no")) << text;
}

TEST(FindGroupInAContainer, WithTheMachinesDirectoriesBelowHost) {
  // We are in a pod with hostPID and a cgroup namespace of our own.
  const std::string ours = "/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + kPauseId + ".scope";
  const std::string theirs = "/kubepods.slice/kubepods-pod2.slice/cri-containerd-" + kId + ".scope";
  test::FileTree tree(
      "/proc/self/mountinfo\n"
      "| 1 0 0:29 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
      "| 2 0 0:29 /../../.. /host/sys/fs/cgroup ro - cgroup2 cgroup2 rw\n"
      "/proc/9/cgroup\n| 0::/\n"
      "/proc/17/cgroup\n| 0::/../../kubepods-pod2.slice/cri-containerd-" +
      kId +
      ".scope\n"
      "/proc/18/cgroup\n| 0::/../../../system.slice/x.service\n"
      "/sys/fs/cgroup/init/\n"
      "/host/sys/fs/cgroup" +
      ours +
      "/init/\n"
      "/host/sys/fs/cgroup" +
      theirs +
      "/\n"
      "/host/sys/fs/cgroup/system.slice/x.service/\n"
      "/host/run/containerd/io.containerd.runtime.v2.task/k8s.io/" +
      kId +
      "/init.pid\n| 17\n"
      "/host/run/containerd/io.containerd.runtime.v2.task/k8s.io/" +
      kId +
      "/config.json\n"
      "| {\"annotations\": {\"io.kubernetes.cri.container-name\": \"app\","
      "\"io.kubernetes.cri.sandbox-name\": \"web\", \"io.kubernetes.cri.sandbox-namespace\": \"shop\"}}\n");
  const auto proc = ProcRoot::open(tree / "/proc");
  ASSERT_TRUE(proc.has_value());
  const auto directory = [&](const std::string& text) {
    const auto found = find_group(tree.root(), *proc, text);
    return found ? found->directory : "none: " + found.error().message;
  };
  const std::string expected = tree / ("/host/sys/fs/cgroup" + theirs);
  for (const std::string& text :
       {"/host/sys/fs/cgroup" + theirs, theirs, theirs.substr(1), kId, kId.substr(0, 12), std::string("app"),
        std::string("web/app"), "/../../kubepods-pod2.slice/cri-containerd-" + kId + ".scope"}) {
    EXPECT_EQ(directory(text), expected) << text;
  }
  EXPECT_EQ(directory("web"), tree / "/host/sys/fs/cgroup/kubepods.slice/kubepods-pod2.slice");
  EXPECT_EQ(directory("x.service"), tree / "/host/sys/fs/cgroup/system.slice/x.service");
  EXPECT_EQ(find_group(tree.root(), *proc, kId)->path, theirs);
}

TEST(FindGroupInAContainer, OfV1SeesItsOwnPartOnly) {
  test::FileTree tree(
      "/proc/self/mountinfo\n"
      "| 1 0 0:29 /docker/" +
      kId +
      " /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
      "/proc/9/cgroup\n| 4:memory:/docker/" +
      kId +
      "\n"
      "/sys/fs/cgroup/memory/sub/\n");
  const auto proc = ProcRoot::open(tree / "/proc");
  ASSERT_TRUE(proc.has_value());
  const auto own = find_group(tree.root(), *proc, kId);
  ASSERT_TRUE(own.has_value()) << own.error().message;
  EXPECT_EQ(own->directory, tree / "/sys/fs/cgroup/memory");
  EXPECT_EQ(own->path, "/docker/" + kId);
  EXPECT_EQ(find_group(tree.root(), *proc, "/sub")->path, "/docker/" + kId + "/sub");
}

TEST(FindGroupInAContainer, WithoutAnyHierarchy) {
  test::FileTree tree("/proc/self/mountinfo\n| 23 28 0:21 / /sys rw - sysfs sysfs rw\n");
  const auto proc = ProcRoot::open(tree / "/proc");
  ASSERT_TRUE(proc.has_value());
  const auto found = find_group(tree.root(), *proc, "a");
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, ExitCode::kUnsupported);
  EXPECT_NE(found.error().failure, Failure::kAbsent);
}

TEST(ContainerGroup, NamesOfGroups) {
  EXPECT_TRUE(is_group_of(kId, kId));
  EXPECT_TRUE(is_group_of("docker-" + kId + ".scope", kId));
  EXPECT_TRUE(is_group_of("libpod-" + kId, kId));
  EXPECT_FALSE(is_group_of("crio-conmon-" + kId + ".scope", kId));
  EXPECT_FALSE(is_group_of(kOtherId, kId));
  EXPECT_TRUE(is_group_of("web", "web"));
  // "session-1.scope" is not container 1.
  EXPECT_FALSE(is_group_of("docker-web.scope", "web"));
  EXPECT_FALSE(is_group_of("", ""));
}

TEST(ContainerGroup, TheRecordedPathIsComparedAsAWhole) {
  EXPECT_EQ(container_path("/a/b/c", "x", "/a/b"), "/a/b");
  EXPECT_EQ(container_path("/b/c", "x", "/a/b"), std::nullopt);
  EXPECT_EQ(container_path("/a/bc", "x", "/a/b"), std::nullopt);
  EXPECT_EQ(container_path("/a", "x", "/"), std::nullopt);
  EXPECT_EQ(container_path("/", "x", "/"), std::nullopt);
  // From a namespace, its end.
  EXPECT_EQ(container_path("/../pod2/b/c", "x", "/kubepods/pod2/b"), "/../pod2/b");
  EXPECT_EQ(container_path("/../pod3/b", "x", "/kubepods/pod2/b"), std::nullopt);
  EXPECT_EQ(container_path("/..", "x", "/kubepods/pod2/b"), std::nullopt);
}

}  // namespace
}  // namespace madvtrace
