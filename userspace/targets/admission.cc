// SPDX-License-Identifier: Apache-2.0
#include "targets/admission.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <span>
#include <variant>

#include "model/names.h"
#include "stream/decoder.h"

namespace madvtrace {
namespace {

constexpr std::size_t kProgramsLimit = 4096;

RecordBytes bytes_of(const wire_member& record) { return std::as_bytes(std::span(&record, 1)); }

// The same moment, of the process itself.
wire_member member_like(const wire_header& header, wire_kind kind, wire_member_why why, const Exec& like) {
  wire_member member{};
  member.header = header;
  member.header.size = sizeof(member);
  member.header.kind = kind;
  member.header.tid = 0;
  member.cgroup_id = like.cgroup_id;
  member.program = {.inode = like.program.inode, .device = like.program.device, .reserved = 0};
  member.why = why;
  std::copy(like.comm.begin(), like.comm.end(), std::begin(member.comm));
  return member;
}

}  // namespace

void Admission::on_record(RecordBytes record) {
  wire_header header{};
  if (record.size() < sizeof(header)) return next_.on_record(record);  // which counts it
  std::memcpy(&header, record.data(), sizeof(header));
  if (header.kind == WIRE_JOIN || header.kind == WIRE_EXEC || header.kind == WIRE_FORK) {
    const Decoded decoded = decode_record(record);
    if (!decoded.event) return next_.on_record(record);
    if (const auto* join = std::get_if<Join>(&*decoded.event)) return on_join(record, *join);
    if (const auto* exec = std::get_if<Exec>(&*decoded.event)) return on_exec(record, header, *exec);
    if (const auto* fork = std::get_if<Fork>(&*decoded.event)) return on_fork(record, header, *fork);
  }
  if (!processes_.contains(header.pid)) meet(header);
  State& state = processes_[header.pid];
  if (passes(state)) next_.on_record(record);
  if (header.kind == WIRE_EXIT || header.kind == WIRE_LEAVE) state = State::kGone;
}

void Admission::on_join(RecordBytes record, const Join& join) {
  if (admit(join.stamp.pid, join.program)) {
    next_.on_record(record);
  } else {
    actions_.left_out(join.stamp.pid, std::string(comm_text(join.comm)));
  }
}

void Admission::on_exec(RecordBytes record, const wire_header& header, const Exec& exec) {
  const auto known = processes_.find(header.pid);
  if (known != processes_.end() && known->second == State::kNamed) return next_.on_record(record);
  const bool was_followed = known != processes_.end() && known->second == State::kFollowed;
  const bool admitted = admit(header.pid, exec.program);
  if (was_followed) {
    next_.on_record(record);
    if (!admitted) next_.on_record(bytes_of(member_like(header, WIRE_LEAVE, WIRE_MEMBER_REFUSED, exec)));
  } else if (admitted) {
    next_.on_record(bytes_of(member_like(header, WIRE_JOIN, WIRE_MEMBER_EXECED, exec)));
  }
  if (!admitted) actions_.left_out(header.pid, std::string(comm_text(exec.comm)));
}

// A child runs what its parent runs.
void Admission::on_fork(RecordBytes record, const wire_header& header, const Fork& fork) {
  if (!processes_.contains(header.pid)) meet(header);
  const State parent = processes_[header.pid];
  if (passes(parent)) next_.on_record(record);
  if (!fork.followed) return;
  processes_[fork.child_pid] = parent;
  if (passes(parent)) return;
  if (const auto programs = actions_.programs_run(fork.child_pid)) actions_.leave_out(fork.child_pid, *programs);
}

void Admission::meet(const wire_header& header) {
  if (admit(header.pid, {})) {
    next_.on_record(bytes_of(member_like(header, WIRE_JOIN, WIRE_MEMBER_CALLED, {})));
  } else {
    actions_.left_out(header.pid, {});
  }
}

bool Admission::admit(std::uint32_t pid, const ProgramFile& program) {
  const bool admitted = !go_only_ || !is_left_out(pid, program);
  processes_[pid] = admitted ? State::kFollowed : State::kLeftOut;
  return admitted;
}

bool Admission::is_left_out(std::uint32_t pid, const ProgramFile& program) {
  // Before its program is looked at: it may run another one as soon as that is done.
  const std::optional<std::uint32_t> programs = actions_.programs_run(pid);
  std::optional<bool> is_go = actions_.is_go(pid);
  const bool is_known = program.inode != 0;
  if (is_go && is_known && is_go_.size() < kProgramsLimit) is_go_[program] = *is_go;
  if (!is_go && is_known) {
    if (const auto known = is_go_.find(program); known != is_go_.end()) is_go = known->second;
  }
  if (is_go.value_or(true)) return false;
  // If it has begun another program, the record of that is on its way.
  if (programs) actions_.leave_out(pid, *programs);
  return true;
}

}  // namespace madvtrace
