// SPDX-License-Identifier: Apache-2.0
#include "app/admission.h"

#include <cstddef>
#include <cstring>
#include <span>

namespace madvtrace {
namespace {

constexpr std::size_t kProgramsLimit = 4096;

template <class Record>
std::optional<Record> as(RecordBytes bytes) {
  if (bytes.size() != sizeof(Record)) return std::nullopt;
  Record record{};
  std::memcpy(&record, bytes.data(), sizeof(record));
  return record;
}

template <class Record>
RecordBytes bytes_of(const Record& record) {
  return std::as_bytes(std::span(&record, 1));
}

ProgramFile program_of(const wire_program& program) { return {.inode = program.inode, .device = program.device}; }

template <std::size_t kBytes>
std::string text_of(const char (&comm)[kBytes]) {  // NOLINT(modernize-avoid-c-arrays): of a record
  return {comm, ::strnlen(comm, kBytes)};
}

// The same moment, of the process itself.
wire_member member_like(const wire_header& header, wire_kind kind, wire_member_why why, const wire_exec& like) {
  wire_member member{};
  member.header = header;
  member.header.size = sizeof(member);
  member.header.kind = kind;
  member.header.tid = 0;
  member.cgroup_id = like.cgroup_id;
  member.program = like.program;
  member.why = why;
  std::memcpy(member.comm, like.comm, sizeof(member.comm));
  return member;
}

}  // namespace

void Admission::on_record(RecordBytes record) {
  wire_header header{};
  if (record.size() < sizeof(header)) return next_.on_record(record);  // which counts it
  std::memcpy(&header, record.data(), sizeof(header));
  switch (header.kind) {
    case WIRE_JOIN:
      return on_join(record, header);
    case WIRE_EXEC:
      return on_exec(record, header);
    case WIRE_FORK:
      return on_fork(record, header);
    default:
      break;
  }
  if (!processes_.contains(header.pid)) meet(header);
  State& state = processes_[header.pid];
  if (passes(state)) next_.on_record(record);
  if (header.kind == WIRE_EXIT || header.kind == WIRE_LEAVE) state = State::kGone;
}

void Admission::on_join(RecordBytes record, const wire_header& header) {
  const auto member = as<wire_member>(record);
  if (!member) return next_.on_record(record);
  const bool admitted = admit(header.pid, program_of(member->program));
  processes_[header.pid] = admitted ? State::kFollowed : State::kLeftOut;
  if (admitted) {
    next_.on_record(record);
  } else {
    actions_.left_out(header.pid, text_of(member->comm));
  }
}

void Admission::on_exec(RecordBytes record, const wire_header& header) {
  const auto exec = as<wire_exec>(record);
  if (!exec) return next_.on_record(record);
  const auto known = processes_.find(header.pid);
  if (known != processes_.end() && known->second == State::kNamed) return next_.on_record(record);
  const bool was_followed = known != processes_.end() && known->second == State::kFollowed;
  const bool admitted = admit(header.pid, program_of(exec->program));
  processes_[header.pid] = admitted ? State::kFollowed : State::kLeftOut;
  if (was_followed) {
    next_.on_record(record);
    if (!admitted) next_.on_record(bytes_of(member_like(header, WIRE_LEAVE, WIRE_MEMBER_REFUSED, *exec)));
  } else if (admitted) {
    next_.on_record(bytes_of(member_like(header, WIRE_JOIN, WIRE_MEMBER_EXECED, *exec)));
  }
  if (!admitted) actions_.left_out(header.pid, text_of(exec->comm));
}

// A child runs what its parent runs.
void Admission::on_fork(RecordBytes record, const wire_header& header) {
  const auto fork = as<wire_fork>(record);
  if (!fork) return next_.on_record(record);
  if (!processes_.contains(header.pid)) meet(header);
  const State parent = processes_[header.pid];
  if (passes(parent)) next_.on_record(record);
  if (fork->followed == 0) return;
  processes_[fork->child_pid] = parent;
  if (!passes(parent)) {
    if (const auto programs = actions_.programs_run(fork->child_pid)) actions_.leave_out(fork->child_pid, *programs);
  }
}

void Admission::meet(const wire_header& header) {
  const bool admitted = admit(header.pid, {});
  processes_[header.pid] = admitted ? State::kFollowed : State::kLeftOut;
  if (admitted) {
    next_.on_record(bytes_of(member_like(header, WIRE_JOIN, WIRE_MEMBER_CALLED, {})));
  } else {
    actions_.left_out(header.pid, {});
  }
}

bool Admission::admit(std::uint32_t pid, const ProgramFile& program) {
  if (!go_only_) return true;
  // Before its program is looked at: it may run another one as soon as that is done.
  const std::optional<std::uint32_t> programs = actions_.programs_run(pid);
  std::optional<bool> is_go = actions_.is_go(pid);
  const bool is_known = program.inode != 0;
  if (is_go && is_known && is_go_.size() < kProgramsLimit) is_go_[program] = *is_go;
  if (!is_go && is_known) {
    if (const auto known = is_go_.find(program); known != is_go_.end()) is_go = known->second;
  }
  if (is_go.value_or(true)) return true;
  // If it has begun another program, the record of that is on its way.
  if (programs) actions_.leave_out(pid, *programs);
  return false;
}

}  // namespace madvtrace
