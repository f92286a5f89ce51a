// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup_subsystem.h"

#include <bpf/btf.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>

namespace madvtrace {
namespace {

struct BtfDeleter {
  void operator()(btf* types) const { btf__free(types); }
};

std::optional<std::int32_t> value_of(const btf* types, const btf_type* enumeration, std::string_view name) {
  const struct btf_enum* const values = ::btf_enum(enumeration);  // the type and the function share a name
  for (std::size_t i = 0; i < btf_vlen(enumeration); ++i) {
    const char* const value_name = btf__name_by_offset(types, values[i].name_off);
    if (value_name != nullptr && name == value_name) return values[i].val;
  }
  return std::nullopt;
}

}  // namespace

Result<std::int32_t> cgroup_subsystem(const std::vector<std::string>& controllers) {
  const std::unique_ptr<btf, BtfDeleter> types(btf__load_vmlinux_btf());
  if (!types) return fail(ExitCode::kUnsupported, errno_text("cannot read the kernel's BTF", errno));
  const std::int32_t id = btf__find_by_name_kind(types.get(), "cgroup_subsys_id", BTF_KIND_ENUM);
  if (id < 0) return fail(ExitCode::kUnsupported, "this kernel has no cgroup controllers");
  const btf_type* const enumeration = btf__type_by_id(types.get(), static_cast<std::uint32_t>(id));
  std::string all;
  for (const std::string& controller : controllers) {
    // cgroup v1 calls it by an older name (block/blk-cgroup.c, legacy_name).
    const std::string name = controller == "blkio" ? "io" : controller;
    if (const auto value = value_of(types.get(), enumeration, name + "_cgrp_id")) return *value;
    all += (all.empty() ? "" : ",") + controller;
  }
  return fail(ExitCode::kUsage,
              "the hierarchy " + all +
                  " has no controller by which processes could be told apart; name the group as it is "
                  "in another one: below /sys/fs/cgroup/memory, or in the unified one");
}

}  // namespace madvtrace
