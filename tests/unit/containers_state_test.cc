// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "containers/container_state.h"

namespace madvtrace {
namespace {

using Names = std::vector<std::string>;

TEST(RuncState, OfV1AndHybrid) {
  const auto state = parse_runc_state(R"({"id": "web", "init_process_pid": 17, "init_process_start": 159930,
      "cgroup_paths": {"": "/sys/fs/cgroup/unified/u", "cpu": "/sys/fs/cgroup/cpu,cpuacct/c",
                       "memory": "/sys/fs/cgroup/memory/kubepods/pod1/web"}, "config": {"rootfs": "/x"}})");
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->id, "web");
  EXPECT_EQ(state->pid, 17);
  EXPECT_EQ(state->cgroup_path, "/kubepods/pod1/web");
  EXPECT_EQ(parse_runc_state(R"({"cgroup_paths": {"": "/sys/fs/cgroup/unified/u"}})")->cgroup_path, "/u");
}

TEST(RuncState, OfV2) {
  const auto state = parse_runc_state(
      R"({"id": "web", "init_process_pid": 17, "cgroup_paths": {"": "/sys/fs/cgroup/system.slice/web.scope"}})");
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->cgroup_path, "/system.slice/web.scope");
}

TEST(RuncState, PathsThatAreNotOfCgroupfsAreUnknown) {
  for (const char* path : {"/mnt/web", "/sys/fs/cgroup", "/sys/fs/cgroup2/web", ""}) {
    const auto state = parse_runc_state(R"({"cgroup_paths": {"": ")" + std::string(path) + R"("}})");
    ASSERT_TRUE(state.has_value()) << path;
    EXPECT_EQ(state->cgroup_path, "") << path;
  }
}

TEST(OciConfig, AnnotationsOfContainerd) {
  const auto state = parse_oci_config(R"({"ociVersion": "1.0.2", "annotations": {
      "io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.container-name": "app",
      "io.kubernetes.cri.sandbox-name": "web-5d9c", "io.kubernetes.cri.sandbox-namespace": "shop"}})");
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->names, Names{"app"});
  EXPECT_EQ(state->pod, "web-5d9c");
  EXPECT_EQ(state->pod_namespace, "shop");
  EXPECT_FALSE(state->sandbox);
}

TEST(OciConfig, AnnotationsOfCrio) {
  const auto state = parse_oci_config(R"({"annotations": {
      "io.kubernetes.cri-o.ContainerType": "sandbox", "io.kubernetes.container.name": "POD",
      "io.kubernetes.pod.name": "web-5d9c", "io.kubernetes.pod.namespace": "shop"}})");
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->names, Names{});
  EXPECT_EQ(state->pod, "web-5d9c");
  EXPECT_TRUE(state->sandbox);
}

TEST(OciConfig, WithoutAnnotationsHasNoNames) {
  const auto state = parse_oci_config(R"({"annotations": null})");
  ASSERT_TRUE(state.has_value());
  EXPECT_TRUE(state->names.empty());
  EXPECT_TRUE(state->pod.empty());
}

TEST(DockerConfig, HasNamePidAndLabels) {
  const auto state = parse_docker_config(R"({"ID": "101ad4", "Name": "/k8s_app_web", "State": {"Pid": 22899},
      "Config": {"Labels": {"io.kubernetes.docker.type": "container", "io.kubernetes.container.name": "app",
                            "io.kubernetes.pod.name": "web", "io.kubernetes.pod.namespace": "shop"}}})");
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->id, "101ad4");
  EXPECT_EQ(state->names, (Names{"k8s_app_web", "app"}));
  EXPECT_EQ(state->pid, 22899);
  EXPECT_EQ(state->pod, "web");
  EXPECT_EQ(parse_docker_config(R"({"State": {"Pid": 0}})")->pid, 0);
}

TEST(StorageNames, AreById) {
  const auto names = parse_storage_names(
      R"([{"id": "a", "names": ["one", "two"], "metadata": "{}"}, {"id": "b"}, {"names": ["x"]}, 7, null])");
  ASSERT_EQ(names.size(), 1U);
  EXPECT_EQ(names.at("a"), (Names{"one", "two"}));
}

TEST(PidFile, HoldsOnePid) {
  EXPECT_EQ(parse_pid_file("17"), 17);
  EXPECT_EQ(parse_pid_file("17\n"), 17);
  for (const char* text : {"", "\n", "0", "-1", "17 18", "x", "99999999999"})
    EXPECT_EQ(parse_pid_file(text), 0) << text;
}

TEST(ContainerState, OtherTypesAreUnknown) {
  for (const char* json : {R"({"id": 7, "init_process_pid": "17", "cgroup_paths": [], "ID": {}, "Name": [], "State": 1,
                              "Config": {"Labels": "x"}, "annotations": ["a"]})",
                           R"({"init_process_pid": -17, "cgroup_paths": {"memory": {}}, "State": {"Pid": -1}})",
                           R"({"init_process_pid": 4294967313, "State": {"Pid": 1e3}})",
                           R"({"init_process_pid": 17.5, "annotations": {"io.kubernetes.pod.name": {"a": 1}}})"}) {
    for (const auto& state : {parse_runc_state(json), parse_oci_config(json), parse_docker_config(json)}) {
      ASSERT_TRUE(state.has_value()) << json;
      EXPECT_EQ(state->id, "") << json;
      EXPECT_EQ(state->pid, 0) << json;
      EXPECT_TRUE(state->names.empty()) << json;
      EXPECT_EQ(state->pod, "") << json;
      EXPECT_EQ(state->cgroup_path, "") << json;
    }
  }
}

TEST(ContainerState, NamesThatWouldSpoilAMessageAreUnknown) {
  EXPECT_TRUE(parse_docker_config(R"({"Name": "/a\nb"})")->names.empty());
  EXPECT_TRUE(parse_docker_config(R"({"Name": "/a\u0000b"})")->names.empty());
  EXPECT_TRUE(parse_docker_config(R"({"Name": "/\u001b[2J"})")->names.empty());
  EXPECT_TRUE(parse_docker_config(R"({"Name": "/)" + std::string(300, 'a') + R"("})")->names.empty());
  EXPECT_TRUE(parse_docker_config(R"({"Name": ""})")->names.empty());
}

TEST(ContainerState, WhatIsNoObjectIsNothing) {
  const std::string deep(1'000'000, '[');
  for (const std::string_view text :
       {std::string_view(), std::string_view("{"), std::string_view("[]"), std::string_view("17"),
        std::string_view("{\"id\": \"\xff\"}"), std::string_view("\0{}", 3), std::string_view(deep)}) {
    EXPECT_FALSE(parse_runc_state(text).has_value());
    EXPECT_FALSE(parse_oci_config(text).has_value());
    EXPECT_FALSE(parse_docker_config(text).has_value());
    EXPECT_TRUE(parse_storage_names(text).empty());
  }
}

}  // namespace
}  // namespace madvtrace
