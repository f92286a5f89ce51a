// SPDX-License-Identifier: Apache-2.0
#include "sinks/summary_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/names.h"
#include "model/verdict.h"
#include "model/waterfall.h"
#include "sinks/json_value.h"
#include "sinks/summary_returns.h"
#include "sinks/summary_rss.h"
#include "sinks/verdict_text.h"

namespace madvtrace {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;

Json causes_json(const CallTotals& totals) {
  Json list = Json::array();
  for (std::size_t i = 0; i < totals.causes.size(); ++i) {
    const CauseTotals& part = totals.causes.at(i);
    if (part.calls == 0) continue;
    Json entry;
    entry["cause"] = i < kCauses ? Json(kCauseNames[static_cast<Cause>(i)]) : Json(nullptr);
    entry["calls"] = part.calls;
    entry["released_bytes"] = part.released_bytes;
    list.push_back(std::move(entry));
  }
  return list;
}

Json calls_json(const CallTotalsByKind& calls) {
  Json list = Json::array();
  for (const auto& [kind, totals] : calls) {
    Json entry;
    entry["call"] = kCallNames[kind.first];
    entry["advice"] = kind.second ? Json(advice_name(*kind.second)) : Json(nullptr);
    entry["calls"] = totals.calls;
    entry["failed"] = totals.failed;
    entry["len_bytes"] = totals.len_bytes;
    const bool known = totals.unknown_resident < totals.calls;
    entry["resident_bytes"] = known ? Json(totals.resident_bytes) : Json(nullptr);
    entry["rss_delta_bytes"] = totals.rss_delta_bytes;
    entry["unknown_resident_calls"] = totals.unknown_resident;
    entry["dur_ns"] = totals.dur_ns;
    entry["causes"] = causes_json(totals);
    list.push_back(std::move(entry));
  }
  return list;
}

Json delays_json(const DelaysByKind& delays) {
  Json list = Json::array();
  for (const auto& [kind, part] : delays) {
    Json entry;
    entry["call"] = kCallNames[kind.first];
    entry["advice"] = kind.second ? Json(advice_name(*kind.second)) : Json(nullptr);
    entry["bytes"] = part.total_bytes();
    for (std::size_t fate = 0; fate < kFates; ++fate) {
      entry[std::string(kFateNames[static_cast<Fate>(fate)]) + "_bytes"] = part.bytes(static_cast<Fate>(fate));
    }
    entry["left_p50_ns"] = or_null(part.left_after_ns(0.5));
    entry["left_p90_ns"] = or_null(part.left_after_ns(0.9));
    entry["left_p99_ns"] = or_null(part.left_after_ns(0.99));
    list.push_back(std::move(entry));
  }
  return list;
}

// Each member of a table by its name; null is unknown.
template <class Fields, class T>
Json fields_json(const Fields& fields, const T& object) {
  Json json;
  for_each_value(fields, object, "", [&](std::string_view, std::string_view name, const auto& value) {
    json[std::string(name)] = or_null(value);
  });
  return json;
}

Json charge_json(const GroupCharge& charge) { return fields_json(kGroupChargeFields, charge); }

Json waterfall_json(const ProcessTotals& process) {
  const auto parts = process.last_sample ? waterfall_of(*process.last_sample) : std::nullopt;
  return parts ? fields_json(kWaterfallFields, *parts) : Json(nullptr);
}

Json go_side_json(const GoSide& side) {
  if (!side.known()) return nullptr;
  return {{"idle_byte_seconds", static_cast<std::uint64_t>(side.idle_byte_seconds())},
          {"released_bytes", side.released_bytes()},
          {"reused_bytes", side.reused_bytes()},
          {"idle_bytes", side.idle_bytes()},
          {"released_p50_ns", or_null(side.released_after_ns(0.5))},
          {"released_p90_ns", or_null(side.released_after_ns(0.9))},
          {"released_p99_ns", or_null(side.released_after_ns(0.99))},
          {"quality", kQualityNames[Quality::kSampled]}};
}

Json process_json(const ProcessTotals& process, const RunInfo& info) {
  Json json;
  json["pid"] = process.pid;
  json["start_ts_ns"] = process.start_ts_ns == 0 ? Json(nullptr) : Json(process.start_ts_ns);
  json["comm"] = process.comm;
  json["exe"] = or_null(process.exe);
  json["build_id"] = or_null(process.build_id);
  json["go_build_id"] = or_null(process.go.build_id);
  json["go_version"] = or_null(process.go.version);
  json["godebug"] = or_null(process.go.godebug);
  json["expected_advice"] = process.go.expected_advice ? Json(advice_name(*process.go.expected_advice)) : Json(nullptr);
  json["cgroup"] = or_null(process.cgroup);
  json["books"] = process.go.books;
  json["books_why_not"] = or_null(process.go.books_why_not);
  json["books_dropped"] = process.books_dropped;
  json["lazyfree_at_start_bytes"] = or_null(process.lazyfree_at_start_bytes);
  const auto rss = [](const std::optional<Sample>& sample) {
    return sample ? or_null(sample->rss_bytes) : Json(nullptr);
  };
  json["rss_at_start_bytes"] = rss(process.first_sample);
  json["rss_at_end_bytes"] = rss(process.last_sample);
  json["rss_max_bytes"] = or_null(process.largest_rss_bytes);
  const auto charge = [](const std::optional<Sample>& sample) {
    return sample && sample->group.usage_bytes ? charge_json(sample->group) : Json(nullptr);
  };
  json["charge_at_start"] = charge(process.first_sample);
  json["charge_at_end"] = charge(process.last_sample);
  json["ended"] = process.ended;
  json["wait_status"] = or_null(process.wait_status);
  if (process.left_group) json["left_group"] = true;
  json["verdict"] = or_null(verdict_text(process));
  const std::optional<Verdict> verdict = verdict_of(process);
  json["verdict_reason"] = verdict ? Json(kReasonNames[verdict->reason]) : Json(nullptr);
  json["rss_parts"] = waterfall_json(process);
  json["go_side"] = go_side_json(process.go_side);
  json["gc_marks"] = or_null(process.gc_marks);
  json["gc_cycles"] = process.gc_marks == "yes" ? Json(process.gc_cycles) : Json(nullptr);
  json["calls"] = calls_json(process.calls);
  json["pending_bytes"] = or_null(process.pending_bytes);
  json["overhang_byte_seconds"] = static_cast<std::uint64_t>(process.overhang_byte_seconds);
  json["delays"] = delays_json(process.delays);
  if (info.records_refaults()) json["returns"] = returns_json(process.returns, info.fault_ns);
  if (info.records_rss()) json["rss_changes"] = rss_json(process.rss);
  return json;
}

Json group_sample_json(const std::optional<SampleRow>& row) {
  return row && row->sample.group.usage_bytes ? charge_json(row->sample.group) : Json(nullptr);
}

Json group_json(const RunTotals& totals) {
  const GroupTotals& group = *totals.group;
  const GroupInfo& info = group.info;
  const auto sums = [](const std::optional<SampleRow>& row) { return row ? row->sample : Sample(); };
  Json json;
  json["name"] = info.name;
  json["path"] = info.path;
  json["controllers"] = info.controllers;
  json["id"] = info.id;
  json["how"] = info.how;
  json["container_id"] = or_null(info.container_id);
  json["container_name"] = or_null(info.container_name);
  json["go_only"] = info.go_only;
  json["charge_at_start"] = group_sample_json(group.first_sample);
  json["charge_at_end"] = group_sample_json(group.last_sample);
  json["rss_at_start_bytes"] = or_null(sums(group.first_sample).rss_bytes);
  json["rss_at_end_bytes"] = or_null(sums(group.last_sample).rss_bytes);
  json["lazyfree_at_end_bytes"] = or_null(sums(group.last_sample).lazyfree_bytes);
  json["pending_bytes"] = or_null(group.last_sample ? group.last_sample->pending_bytes : std::nullopt);
  json.update(fields_json(kGroupCountsFields, group.growth));
  json["processes_at_end"] = or_null(group.processes);
  json["processes_followed"] = std::count_if(totals.processes.begin(), totals.processes.end(),
                                             [](const ProcessTotals& process) { return !process.outside_group; });
  json["left_out"] = group.left_out;
  return json;
}

CallTotalsByKind sum_of_processes(const RunTotals& totals) {
  CallTotalsByKind sum;
  for (const ProcessTotals& process : totals.processes) {
    for (const auto& [kind, part] : process.calls) add_totals(sum[kind], part);
  }
  return sum;
}

}  // namespace

std::string summary_json(const RunTotals& totals) {
  Json json;
  json["schema"] = kSchema;
  json["argv"] = totals.info.argv;
  json["version"] = totals.info.version;
  json["kernel"] = totals.info.kernel;
  json["tier"] = totals.info.tier;
  json["capabilities"] = totals.info.capabilities;
  json["labels"] = totals.info.labels;
  json["started_ts_ns"] = totals.info.started_utc_ns;
  json["duration_ns"] = totals.end ? Json(totals.duration_ns) : Json(nullptr);
  json["processes"] = Json::array();
  for (const ProcessTotals& process : totals.processes) json["processes"].push_back(process_json(process, totals.info));
  json["totals"] = {{"event_rows", totals.call_rows}, {"calls", calls_json(sum_of_processes(totals))}};
  DelaysByKind delays;
  for (const ProcessTotals& process : totals.processes) {
    for (const auto& [kind, part] : process.delays) delays[kind].add(part);
  }
  json["delays"] = delays_json(delays);
  if (totals.info.records_refaults()) {
    ReturnTotals returns;
    for (const ProcessTotals& process : totals.processes) returns.add(process.returns);
    json["returns"] = returns_json(returns, totals.info.fault_ns);
  }
  if (totals.info.records_rss()) {
    RssTotals rss;
    for (const ProcessTotals& process : totals.processes) rss.add(process.rss);
    json["rss_changes"] = rss_json(rss);
  }
  if (totals.group) json["group"] = group_json(totals);
  json["lost"] = totals.lost;
  if (json["lost"].is_null()) json["lost"] = Json::object();
  json["self"] = {{"cpu_ns", totals.end ? Json(totals.end->self_cpu_ns) : Json(nullptr)},
                  {"max_rss_bytes", totals.end ? Json(totals.end->self_max_rss_bytes) : Json(nullptr)}};
  if (totals.command_end) {
    json["command"] = {{"pid", totals.command_end->pid}, {"wait_status", totals.command_end->wait_status}};
  }
  json["complete"] = totals.complete();
  constexpr int kIndent = 2;
  return json.dump(kIndent, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace madvtrace
