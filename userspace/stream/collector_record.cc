// SPDX-License-Identifier: Apache-2.0
#include "stream/collector_record.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>
#include <type_traits>

#include "bpf/records.h"

namespace madvtrace {
namespace {

using Json = nlohmann::json;

// Writing: member by member.

void put(Json& json, const char* name, const std::optional<std::uint64_t>& value) {
  if (value) json[name] = *value;
}

// What is unknown has no member.
constexpr auto putting_into(Json& json) {
  return [&json](std::string_view prefix, std::string_view name, const auto& value) {
    if (value) json[std::string(prefix).append(name)] = *value;
  };
}

struct Body {
  CollectorKind kind;
  Stamp stamp;
  Json json;
};

Body body_of(const RunInfo& e) {
  Json json{{"version", e.version},
            {"kernel", e.kernel},
            {"tier", e.tier},
            {"argv", e.argv},
            {"labels", e.labels},
            {"capabilities", e.capabilities},
            {"started_mono_ns", e.started_mono_ns},
            {"started_utc_ns", e.started_utc_ns}};
  if (e.fault_ns) json["fault_ns"] = *e.fault_ns;
  return {CollectorKind::kRunInfo, {}, std::move(json)};
}

Body body_of(const ClockAnchor& e) {
  return {CollectorKind::kClockAnchor, {}, {{"utc_minus_mono_ns", e.utc_minus_mono_ns}}};
}

Body body_of(const ProcessInfo& e) {
  Json json{{"start_utc_ns", e.start_utc_ns}, {"comm", e.comm},     {"exe", e.exe},
            {"build_id", e.build_id},         {"cgroup", e.cgroup}, {"gc_marks", e.gc_marks}};
  if (e.go.is_go) {
    json["is_go"] = 1U;
    for_each_field(kGoProgramTexts, [&](const auto& field) { json[std::string(field.name)] = e.go.*field.member; });
    if (e.go.expected_advice) json["expected_advice"] = *e.go.expected_advice;
  }
  if (e.outside_group) json["outside_group"] = 1U;
  return {CollectorKind::kProcessInfo, e.stamp, std::move(json)};
}

Body body_of(const Sample& e) {
  Json json = Json::object();
  for_each_sample_value(e, putting_into(json));
  if (!e.go_dropped.empty()) json["go_dropped"] = e.go_dropped;
  return {CollectorKind::kSample, e.stamp, std::move(json)};
}

Body body_of(const Frames& e) {
  Json json = {{"stack_key", e.stack_key}, {"text", e.text}};
  if (e.cause) json["cause"] = kCauseNames[*e.cause];
  return {CollectorKind::kFrames, {}, std::move(json)};
}

Body body_of(const Loss& e) { return {CollectorKind::kLoss, {}, {{"cause", e.cause}, {"count", e.count}}}; }

Body body_of(const Reclaim& e) {
  Json json{{"by", static_cast<unsigned>(e.by)}, {"from_ns", e.from_ns}, {"to_ns", e.to_ns}, {"pid", e.pid}};
  put(json, "pages", e.pages);
  return {CollectorKind::kReclaim, {}, std::move(json)};
}

Body body_of(const CommandEnd& e) {
  return {CollectorKind::kCommandEnd, {}, {{"pid", e.pid}, {"wait_status", e.wait_status}}};
}

Body body_of(const RunEnd& e) {
  return {CollectorKind::kRunEnd,
          {},
          {{"ended_mono_ns", e.ended_mono_ns},
           {"self_cpu_ns", e.self_cpu_ns},
           {"self_max_rss_bytes", e.self_max_rss_bytes}}};
}

Body body_of(const GroupInfo& e) {
  Json json{{"name", e.name}, {"path", e.path}, {"controllers", e.controllers}, {"id", e.id}, {"how", e.how}};
  if (!e.container_id.empty()) json["container_id"] = e.container_id;
  if (!e.container_name.empty()) json["container_name"] = e.container_name;
  if (e.go_only) json["go_only"] = 1U;
  return {CollectorKind::kGroupInfo, {}, std::move(json)};
}

Body body_of(const GroupSample& e) {
  Json json = Json::object();
  for_each_value(kGroupChargeFields, e.charge, "cgroup_", putting_into(json));
  for_each_value(kGroupCountsFields, e.counts, "", putting_into(json));
  put(json, "processes", e.processes);
  return {CollectorKind::kGroupSample, e.stamp, std::move(json)};
}

Body body_of(const LeftOut& e) {
  return {CollectorKind::kLeftOut, e.stamp, {{"start_utc_ns", e.start_utc_ns}, {"comm", e.comm}, {"exe", e.exe}}};
}

// Reading: a member that is missing or of another type leaves the default.

std::uint64_t get_u64(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::int64_t get_i64(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::string get_text(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::map<std::string, std::string> get_text_map(const Json& json, const char* name) {
  std::map<std::string, std::string> map;
  const auto found = json.find(name);
  if (found == json.end() || !found->is_object()) return map;
  for (const auto& [key, value] : found->items()) {
    if (value.is_string()) map[key] = value.get<std::string>();
  }
  return map;
}

std::vector<std::string> get_text_list(const Json& json, const char* name) {
  std::vector<std::string> list;
  const auto found = json.find(name);
  if (found == json.end() || !found->is_array()) return list;
  for (const Json& value : *found) {
    if (value.is_string()) list.push_back(value.get<std::string>());
  }
  return list;
}

void take(const Json& json, const std::string& name, std::optional<std::uint64_t>& value) {
  const auto found = json.find(name);
  if (found != json.end() && found->is_number_unsigned()) value = found->get<std::uint64_t>();
}

void take(const Json& json, const std::string& name, std::optional<std::int64_t>& value) {
  const auto found = json.find(name);
  if (found != json.end() && found->is_number_integer()) value = found->get<std::int64_t>();
}

std::optional<std::uint64_t> get_optional(const Json& json, const char* name) {
  std::optional<std::uint64_t> value;
  take(json, name, value);
  return value;
}

constexpr auto taking_from(const Json& json) {
  return [&json](std::string_view prefix, std::string_view name, auto& value) {
    take(json, std::string(prefix).append(name), value);
  };
}

Sample sample_of(const Stamp& stamp, const Json& json) {
  Sample sample{.stamp = stamp, .go_dropped = get_text(json, "go_dropped")};
  for_each_sample_value(sample, taking_from(json));
  return sample;
}

GroupSample group_sample_of(const Stamp& stamp, const Json& json) {
  GroupSample sample{.stamp = stamp};
  for_each_value(kGroupChargeFields, sample.charge, "cgroup_", taking_from(json));
  for_each_value(kGroupCountsFields, sample.counts, "", taking_from(json));
  take(json, "processes", sample.processes);
  return sample;
}

GoProgram go_program_of(const Json& json) {
  GoProgram go{.is_go = get_u64(json, "is_go") != 0};
  for_each_field(kGoProgramTexts, [&](const auto& field) {
    if (std::string text = get_text(json, std::string(field.name).c_str()); !text.empty())
      go.*field.member = std::move(text);
  });
  if (json.contains("expected_advice"))
    go.expected_advice = static_cast<std::int32_t>(get_i64(json, "expected_advice"));
  return go;
}

std::optional<Event> event_of(CollectorKind kind, const Stamp& stamp, const Json& json) {
  switch (kind) {
    case CollectorKind::kRunInfo:
      return RunInfo{.version = get_text(json, "version"),
                     .kernel = get_text(json, "kernel"),
                     .tier = get_text(json, "tier"),
                     .argv = get_text_list(json, "argv"),
                     .labels = get_text_map(json, "labels"),
                     .capabilities = get_text_map(json, "capabilities"),
                     .started_mono_ns = get_u64(json, "started_mono_ns"),
                     .started_utc_ns = get_u64(json, "started_utc_ns"),
                     .fault_ns = get_optional(json, "fault_ns")};
    case CollectorKind::kClockAnchor:
      return ClockAnchor{.utc_minus_mono_ns = get_i64(json, "utc_minus_mono_ns")};
    case CollectorKind::kProcessInfo:
      return ProcessInfo{.stamp = stamp,
                         .start_utc_ns = get_u64(json, "start_utc_ns"),
                         .comm = get_text(json, "comm"),
                         .exe = get_text(json, "exe"),
                         .build_id = get_text(json, "build_id"),
                         .cgroup = get_text(json, "cgroup"),
                         .gc_marks = get_text(json, "gc_marks"),
                         .go = go_program_of(json),
                         .outside_group = get_u64(json, "outside_group") != 0};
    case CollectorKind::kSample:
      return sample_of(stamp, json);
    case CollectorKind::kFrames:
      return Frames{.stack_key = get_u64(json, "stack_key"),
                    .text = get_text(json, "text"),
                    .cause = kCauseNames.value_of(get_text(json, "cause"))};
    case CollectorKind::kLoss:
      return Loss{.cause = get_text(json, "cause"), .count = get_u64(json, "count")};
    case CollectorKind::kReclaim: {
      const std::uint64_t by = get_u64(json, "by");
      if (by > static_cast<std::uint64_t>(Reclaimer::kSelf)) return std::nullopt;
      return Reclaim{.by = static_cast<Reclaimer>(by),
                     .from_ns = get_u64(json, "from_ns"),
                     .to_ns = get_u64(json, "to_ns"),
                     .pages = get_optional(json, "pages"),
                     .pid = static_cast<std::uint32_t>(get_u64(json, "pid"))};
    }
    case CollectorKind::kCommandEnd:
      return CommandEnd{.pid = static_cast<std::uint32_t>(get_u64(json, "pid")),
                        .wait_status = static_cast<std::int32_t>(get_i64(json, "wait_status"))};
    case CollectorKind::kRunEnd:
      return RunEnd{.ended_mono_ns = get_u64(json, "ended_mono_ns"),
                    .self_cpu_ns = get_u64(json, "self_cpu_ns"),
                    .self_max_rss_bytes = get_u64(json, "self_max_rss_bytes")};
    case CollectorKind::kGroupInfo:
      return GroupInfo{.name = get_text(json, "name"),
                       .path = get_text(json, "path"),
                       .controllers = get_text_list(json, "controllers"),
                       .id = get_u64(json, "id"),
                       .how = get_text(json, "how"),
                       .container_id = get_text(json, "container_id"),
                       .container_name = get_text(json, "container_name"),
                       .go_only = get_u64(json, "go_only") != 0};
    case CollectorKind::kGroupSample:
      return group_sample_of(stamp, json);
    case CollectorKind::kLeftOut:
      return LeftOut{.stamp = stamp,
                     .start_utc_ns = get_u64(json, "start_utc_ns"),
                     .comm = get_text(json, "comm"),
                     .exe = get_text(json, "exe")};
  }
  return std::nullopt;
}

std::string encode_body(const Body& body, std::uint64_t mono_ns) {
  const std::string text = body.json.dump(-1, ' ', false, Json::error_handler_t::replace);
  constexpr std::size_t kAlign = 8;
  const std::size_t bytes = (sizeof(wire_header) + text.size() + kAlign - 1) / kAlign * kAlign;
  if (bytes > kLargestRecordBytes) return {};
  const wire_header header{.size = static_cast<std::uint32_t>(bytes),
                           .kind = static_cast<std::uint16_t>(body.kind),
                           .reserved = 0,
                           .mono_ns = mono_ns,
                           .pid = body.stamp.pid,
                           .tid = body.stamp.tid,
                           .lost = body.stamp.lost};
  std::string record(bytes, ' ');
  std::memcpy(record.data(), &header, sizeof(header));
  std::memcpy(record.data() + sizeof(header), text.data(), text.size());
  return record;
}

template <class E, class = void>
struct IsCollectorEvent : std::false_type {};
template <class E>
struct IsCollectorEvent<E, std::void_t<decltype(body_of(std::declval<const E&>()))>> : std::true_type {};

}  // namespace

std::string encode_record(const Event& event, std::uint64_t mono_ns) {
  return std::visit(
      [&](const auto& e) -> std::string {
        if constexpr (IsCollectorEvent<std::decay_t<decltype(e)>>::value) {
          return encode_body(body_of(e), mono_ns);
        } else {
          return {};
        }
      },
      event);
}

std::optional<Event> decode_collector_record(RecordBytes record) {
  wire_header header{};
  if (record.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, record.data(), sizeof(header));
  const RecordBytes body = record.subspan(sizeof(header));
  const auto* const text = reinterpret_cast<const char*>(body.data());
  const Json json = Json::parse(text, text + body.size(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  const Stamp stamp{.mono_ns = header.mono_ns, .pid = header.pid, .tid = header.tid, .lost = header.lost};
  return event_of(static_cast<CollectorKind>(header.kind), stamp, json);
}

}  // namespace madvtrace
