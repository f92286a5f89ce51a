// SPDX-License-Identifier: Apache-2.0
#include "tests/support/runc_container.h"

#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "containers/hierarchies.h"

namespace madvtrace {
namespace {

// The program has to succeed.
Status run_well(const std::vector<std::string>& argv) {
  MADV_TAKE(const Outcome outcome, run_program({.argv = argv}));
  if (outcome.exit_code == 0) return {};
  return fail(argv[0] + " " + argv[1] + " exited with " + std::to_string(outcome.exit_code) + ": " + outcome.errors);
}

// Of this group in each hierarchy: what has to be made for it, leaves first.
std::vector<std::string> missing_groups(const std::string& path) {
  std::vector<std::string> missing;
  const auto mounts = read_cgroup_mounts("");
  if (!mounts) return missing;
  for (const CgroupMount& mount : *mounts) {
    std::filesystem::path group = mount.directory + path;
    for (; group.native().size() > mount.directory.size(); group = group.parent_path()) {
      std::error_code ignored;
      if (!std::filesystem::exists(group, ignored)) missing.push_back(group);
    }
  }
  return missing;
}

}  // namespace

Status RuncContainer::write_bundle(const RuncOptions& options) const {
  namespace fs = std::filesystem;
  std::error_code error;
  for (const char* name : {"bin", "proc", "sys", "dev", "tmp"})
    fs::create_directories(bundle_ / "rootfs/" + name, error);
  fs::copy_file("/usr/bin/busybox", bundle_ / "rootfs/bin/busybox", error);
  if (error) return fail("cannot copy /usr/bin/busybox (package busybox-static): " + error.message());
  fs::create_symlink("busybox", bundle_ / "rootfs/bin/sh", error);
  MADV_TRY(run_well({"runc", "spec", "--bundle", bundle_.path()}));

  const std::string file = bundle_ / "config.json";
  nlohmann::json config = nlohmann::json::parse(test::read_all(file), nullptr, false);
  if (!config.is_object()) return fail("runc spec wrote no JSON object");
  config["process"]["terminal"] = false;
  config["process"]["args"] = options.args;
  config["root"]["readonly"] = false;
  config["linux"]["cgroupsPath"] = options.cgroups_path;
  if (options.memory_limit_bytes != 0) {
    config["linux"]["resources"]["memory"]["limit"] = options.memory_limit_bytes;
  }
  test::write_all(file, config.dump());
  return {};
}

Result<std::unique_ptr<RuncContainer>> RuncContainer::start(const RuncOptions& options) {
  std::unique_ptr<RuncContainer> container(new RuncContainer);
  MADV_TRY(container->write_bundle(options));
  container->new_groups_ = missing_groups(options.cgroups_path);
  container->id_ = options.id;
  const std::string pid_file = container->bundle_ / "pid";
  MADV_TAKE(container->runc_,
            ChildProcess::spawn({.argv = {"runc", "run", "--detach", "--bundle", container->bundle_.path(),
                                          "--pid-file", pid_file, options.id}}));
  container->runc_->close_input();
  MADV_TAKE(const int code, container->runc_->wait());
  if (code != 0) return fail("runc run exited with " + std::to_string(code) + ": " + container->runc_->errors());
  const std::string pid = test::read_all(pid_file);
  std::from_chars(pid.data(), pid.data() + pid.size(), container->pid_);
  if (container->pid_ <= 0) return fail("runc wrote no pid: '" + pid + "'");
  return container;
}

Status RuncContainer::remove() {
  if (id_.empty()) return {};
  const std::string id = std::exchange(id_, {});
  return run_well({"runc", "delete", "--force", id});
}

RuncContainer::~RuncContainer() {
  static_cast<void>(remove());
  for (const std::string& group : new_groups_) ::rmdir(group.c_str());
}

}  // namespace madvtrace
