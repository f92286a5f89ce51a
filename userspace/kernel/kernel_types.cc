// SPDX-License-Identifier: Apache-2.0
#include "kernel/kernel_types.h"

#include <bpf/btf.h>

#include <cerrno>

namespace madvtrace {

void KernelTypes::Deleter::operator()(btf* types) const { btf__free(types); }

Result<KernelTypes> KernelTypes::load() {
  KernelTypes types;
  types.types_.reset(btf__load_vmlinux_btf());
  if (!types.types_) return fail(ExitCode::kUnsupported, errno_text("cannot read the kernel's BTF", errno));
  return types;
}

bool KernelTypes::has_struct(const std::string& name) const {
  return btf__find_by_name_kind(types_.get(), name.c_str(), BTF_KIND_STRUCT) >= 0;
}

std::optional<std::uint32_t> KernelTypes::function(const std::string& name) const {
  const std::int32_t id = btf__find_by_name_kind(types_.get(), name.c_str(), BTF_KIND_FUNC);
  return id < 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(id));
}

std::optional<std::int32_t> KernelTypes::enum_value(const std::string& enumeration, const std::string& value) const {
  const std::int32_t id = btf__find_by_name_kind(types_.get(), enumeration.c_str(), BTF_KIND_ENUM);
  if (id < 0) return std::nullopt;
  const btf_type* const type = btf__type_by_id(types_.get(), static_cast<std::uint32_t>(id));
  const struct btf_enum* const values = ::btf_enum(type);  // the type and the function share a name
  for (std::size_t i = 0; i < btf_vlen(type); ++i) {
    const char* const name = btf__name_by_offset(types_.get(), values[i].name_off);
    if (name != nullptr && name == value) return values[i].val;
  }
  return std::nullopt;
}

}  // namespace madvtrace
