// SPDX-License-Identifier: Apache-2.0
// Every struct of bpf/records.h and bpf/control.h as the BPF compiler laid it out, by the BTF of the
// built object, against what this compiler makes of the same headers. Needs no root.
#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "bpf/control.h"

namespace madvtrace {
namespace {

struct Layout {
  std::size_t bytes = 0;
  std::map<std::string, std::size_t> offsets;  // in bytes
};

bool operator==(const Layout& left, const Layout& right) {
  return left.bytes == right.bytes && left.offsets == right.offsets;
}

std::ostream& operator<<(std::ostream& out, const Layout& layout) {
  out << layout.bytes << " bytes:";
  for (const auto& [name, offset] : layout.offsets) out << ' ' << name << '@' << offset;
  return out;
}

#define MEMBER(type, member) \
  { #member, offsetof(type, member) }

const std::map<std::string, Layout>& expected() {
  static const std::map<std::string, Layout> layouts{
      {"wire_header",
       {sizeof(wire_header),
        {MEMBER(wire_header, size), MEMBER(wire_header, kind), MEMBER(wire_header, reserved),
         MEMBER(wire_header, mono_ns), MEMBER(wire_header, pid), MEMBER(wire_header, tid), MEMBER(wire_header, lost)}}},
      {"wire_walk",
       {sizeof(wire_walk),
        {MEMBER(wire_walk, resident_pages), MEMBER(wire_walk, clean_pages), MEMBER(wire_walk, huge_pages),
         MEMBER(wire_walk, swap_pages), MEMBER(wire_walk, walked_end), MEMBER(wire_walk, flags),
         MEMBER(wire_walk, walk_ns)}}},
      {"wire_call",
       {sizeof(wire_call),
        {MEMBER(wire_call, header), MEMBER(wire_call, begin_ns), MEMBER(wire_call, stack_key),
         MEMBER(wire_call, cgroup_id), MEMBER(wire_call, args), MEMBER(wire_call, ret), MEMBER(wire_call, range_addr),
         MEMBER(wire_call, range_bytes), MEMBER(wire_call, walk), MEMBER(wire_call, syscall), MEMBER(wire_call, flags),
         MEMBER(wire_call, reserved), MEMBER(wire_call, comm)}}},
      {"wire_range",
       {sizeof(wire_range),
        {MEMBER(wire_range, header), MEMBER(wire_range, begin_ns), MEMBER(wire_range, range_addr),
         MEMBER(wire_range, range_bytes), MEMBER(wire_range, walk)}}},
      {"wire_end",
       {sizeof(wire_end),
        {MEMBER(wire_end, header), MEMBER(wire_end, begin_ns), MEMBER(wire_end, ret), MEMBER(wire_end, after)}}},
      {"wire_stack",
       {sizeof(wire_stack),
        {MEMBER(wire_stack, header), MEMBER(wire_stack, stack_key), MEMBER(wire_stack, depth),
         MEMBER(wire_stack, reserved), MEMBER(wire_stack, addresses)}}},
      {"wire_fork",
       {sizeof(wire_fork),
        {MEMBER(wire_fork, header), MEMBER(wire_fork, child_pid), MEMBER(wire_fork, followed),
         MEMBER(wire_fork, comm)}}},
      {"wire_exec",
       {sizeof(wire_exec),
        {MEMBER(wire_exec, header), MEMBER(wire_exec, cgroup_id), MEMBER(wire_exec, program),
         MEMBER(wire_exec, comm)}}},
      {"wire_program",
       {sizeof(wire_program),
        {MEMBER(wire_program, inode), MEMBER(wire_program, device), MEMBER(wire_program, reserved)}}},
      {"wire_member",
       {sizeof(wire_member),
        {MEMBER(wire_member, header), MEMBER(wire_member, cgroup_id), MEMBER(wire_member, program),
         MEMBER(wire_member, why), MEMBER(wire_member, reserved), MEMBER(wire_member, comm)}}},
      {"wire_rss_request",
       {sizeof(wire_rss_request), {MEMBER(wire_rss_request, pid), MEMBER(wire_rss_request, reserved)}}},
      {"wire_leave_out",
       {sizeof(wire_leave_out),
        {MEMBER(wire_leave_out, pid), MEMBER(wire_leave_out, programs), MEMBER(wire_leave_out, done),
         MEMBER(wire_leave_out, reserved)}}},
      {"wire_exit",
       {sizeof(wire_exit),
        {MEMBER(wire_exit, header), MEMBER(wire_exit, cgroup_id), MEMBER(wire_exit, wait_status),
         MEMBER(wire_exit, reserved), MEMBER(wire_exit, comm)}}},
      {"wire_reclaimed",
       {sizeof(wire_reclaimed),
        {MEMBER(wire_reclaimed, header), MEMBER(wire_reclaimed, addr), MEMBER(wire_reclaimed, pages),
         MEMBER(wire_reclaimed, by)}}},
      {"wire_rss",
       {sizeof(wire_rss),
        {MEMBER(wire_rss, header), MEMBER(wire_rss, cause), MEMBER(wire_rss, reserved), MEMBER(wire_rss, gained_pages),
         MEMBER(wire_rss, lost_pages)}}},
      {"wire_refault",
       {sizeof(wire_refault),
        {MEMBER(wire_refault, header), MEMBER(wire_refault, addr), MEMBER(wire_refault, flags),
         MEMBER(wire_refault, reserved)}}},
      {"wire_gc",
       {sizeof(wire_gc),
        {MEMBER(wire_gc, header), MEMBER(wire_gc, cgroup_id), MEMBER(wire_gc, trigger), MEMBER(wire_gc, reserved),
         MEMBER(wire_gc, comm)}}},
      {"wire_walk_job",
       {sizeof(wire_walk_job),
        {MEMBER(wire_walk_job, pid), MEMBER(wire_walk_job, gone), MEMBER(wire_walk_job, addr),
         MEMBER(wire_walk_job, bytes), MEMBER(wire_walk_job, flags), MEMBER(wire_walk_job, reserved),
         MEMBER(wire_walk_job, walk)}}},
      {"wire_pages",
       {sizeof(wire_pages),
        {MEMBER(wire_pages, header), MEMBER(wire_pages, begin_ns), MEMBER(wire_pages, chunk_addr),
         MEMBER(wire_pages, first_page), MEMBER(wire_pages, pages), MEMBER(wire_pages, flags),
         MEMBER(wire_pages, resident), MEMBER(wire_pages, clean)}}},
      {"wire_walk_request",
       {sizeof(wire_walk_request), {MEMBER(wire_walk_request, jobs), MEMBER(wire_walk_request, reserved)}}},
      {"wire_target",
       {sizeof(wire_target),
        {MEMBER(wire_target, mm), MEMBER(wire_target, flags), MEMBER(wire_target, programs),
         MEMBER(wire_target, reclaims)}}},
      {"wire_reclaim_sum",
       {sizeof(wire_reclaim_sum),
        {MEMBER(wire_reclaim_sum, ended), MEMBER(wire_reclaim_sum, pages), MEMBER(wire_reclaim_sum, begun),
         MEMBER(wire_reclaim_sum, begun_ns)}}},
  };
  return layouts;
}

#undef MEMBER

// Every struct wire_* in the object.
std::map<std::string, Layout> layouts_in(const btf* types) {
  std::map<std::string, Layout> layouts;
  for (std::uint32_t id = 1; id < btf__type_cnt(types); ++id) {
    const btf_type* const type = btf__type_by_id(types, id);
    const std::string name = btf__name_by_offset(types, type->name_off);
    if (BTF_INFO_KIND(type->info) != BTF_KIND_STRUCT || !name.starts_with("wire_")) continue;
    Layout& layout = layouts[name];
    layout.bytes = type->size;
    const auto* const members = reinterpret_cast<const btf_member*>(type + 1);
    for (std::uint32_t at = 0; at < BTF_INFO_VLEN(type->info); ++at) {
      layout.offsets[btf__name_by_offset(types, members[at].name_off)] = members[at].offset / 8;
    }
  }
  return layouts;
}

TEST(WireBtf, TheBpfCompilerLaysEveryRecordOutAlike) {
  const std::unique_ptr<btf, void (*)(btf*)> types(btf__parse(MADVTRACE_BPF_OBJECT, nullptr), btf__free);
  ASSERT_NE(types, nullptr) << "no BTF in " MADVTRACE_BPF_OBJECT;
  const std::map<std::string, Layout> got = layouts_in(types.get());
  for (const auto& [name, layout] : expected()) {
    const auto found = got.find(name);
    if (found == got.end()) {
      ADD_FAILURE() << "struct " << name << " is not in the object's BTF: a type that only goes through the ring needs"
                    << " a global pointer to it in bpf/";
      continue;
    }
    EXPECT_EQ(found->second, layout) << name;
  }
  // A struct that this test does not know would go unchecked.
  for (const auto& [name, layout] : got) EXPECT_TRUE(expected().contains(name)) << name;
}

}  // namespace
}  // namespace madvtrace
