// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/group_cases.h"

#include <optional>
#include <string>

#include "model/advice.h"

namespace madvtrace::test {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kSecondNs = 1'000 * kMsNs;
constexpr std::uint64_t kHeap = 0xc000000000;
constexpr std::uint32_t kPagesOfAMiB = 256;

void start(StreamBuilder& stream) {
  stream.at(0).on(0, 0).add(RunInfo{.version = "0.1.0 (test)",
                                    .kernel = "6.18.0 x86_64",
                                    .tier = "base",
                                    .argv = {"madvtrace", "--container", "web"},
                                    .capabilities = {{"page_walk", "yes"}, {"syscall_tracepoints", "yes"}},
                                    .started_mono_ns = kStartMonoNs,
                                    .started_utc_ns = kStartUtcNs});
}

GroupInfo container() {
  return {.name = "web",
          .path = "/docker/0123456789abcdef",
          .controllers = {"memory"},
          .id = 4711,
          .how = "container 0123456789ab (web), process 17 of /run/runc/web/state.json",
          .container_id = "0123456789abcdef",
          .container_name = "web",
          .go_only = true};
}

// In MiB.
GroupCharge charge(std::uint64_t usage, std::uint64_t inactive_file) {
  return {.usage_bytes = usage * kMiB,
          .working_set_bytes = (usage - inactive_file) * kMiB,
          .inactive_file_bytes = inactive_file * kMiB,
          .limit_bytes = 1024 * kMiB,
          .deferred_split_bytes = 0};
}

Sample memory(std::uint64_t rss_mib, std::optional<std::uint64_t> lazyfree_mib = 0) {
  Sample sample{.rss_bytes = rss_mib * kMiB,
                .rss_anon_bytes = rss_mib * kMiB - kMiB,
                .rss_file_bytes = kMiB,
                .rss_shmem_bytes = 0,
                .swap_bytes = 0};
  if (lazyfree_mib) sample.lazyfree_bytes = *lazyfree_mib * kMiB;
  return sample;
}

void look_at(StreamBuilder& stream, std::uint32_t pid, const std::string& name, const Sample& sample) {
  ProcessInfo info{.start_utc_ns = kStartUtcNs - 60 * kSecondNs, .comm = name, .exe = "/usr/bin/" + name};
  info.go = {.version = "go1.15.5", .expected_advice = kMadvFree, .books = "none", .is_go = true};
  stream.on(pid, pid).named(name).add(info).add(sample);
}

void release(StreamBuilder& stream, std::uint32_t pid, std::uint64_t at_ns, std::int32_t advice) {
  stream.on(pid, pid).at(at_ns).begin(madvise(kHeap, kMiB, advice), walked(kPagesOfAMiB));
  if (advice == kMadvFree) {
    stream.pages(at_ns, {.chunk_addr = kHeap, .seen = {0, kPagesOfAMiB}, .dirty = {{0, kPagesOfAMiB}}});
  }
  stream.at(at_ns + kMsNs).end(at_ns, 0);
}

void leave_out(StreamBuilder& stream, std::uint32_t pid, const std::string& name) {
  stream.on(pid, pid).add(LeftOut{.start_utc_ns = kStartUtcNs - 30 * kSecondNs, .comm = name, .exe = "/bin/" + name});
}

// More than are told of one by one: who has most pending, who released most, those of one
// program that ended, and the rest.
void many(StreamBuilder& stream, bool watched) {
  constexpr std::uint32_t kServers = 12;
  constexpr std::uint32_t kFirstWorker = 200;
  constexpr std::uint32_t kWorkers = 4;
  for (std::uint32_t pid = 100; pid < 100 + kServers; ++pid) look_at(stream, pid, "server", memory(pid - 90));
  if (watched) stream.on(0, 0).add(GroupSample{.charge = charge(300, 0), .processes = kServers + 2});
  for (std::uint32_t pid = kFirstWorker; pid < kFirstWorker + kWorkers; ++pid) {
    look_at(stream, pid, "worker", memory(5));
    release(stream, pid, 100 * kMsNs, kMadvDontneed);
    stream.on(pid, pid).exit(pid == kFirstWorker ? 256 : 0);
  }
  release(stream, 103, 200 * kMsNs, kMadvFree);
  release(stream, 105, 210 * kMsNs, kMadvDontneed);
  stream.on(107, 107).exit(9);
  // A pid that is used again is another process.
  stream.on(100, 100).fork(107, true);
  look_at(stream, 107, "again", memory(3));
  stream.at(kSecondNs);
  for (std::uint32_t pid = 100; pid < 100 + kServers; ++pid)
    stream.on(pid, pid).add(memory(pid - 90, pid == 103 ? 1 : 0));
  if (watched) stream.on(0, 0).add(GroupSample{.charge = charge(310, 100), .processes = kServers + 2});
  stream.finish();
}

}  // namespace

// Under memory pressure; one process is the target by itself and not in the group.
void group_of_few(StreamBuilder& stream) {
  start(stream);
  stream.add(container());
  look_at(stream, 100, "server", memory(40, 2));
  stream.on(102, 102).add(ProcessInfo{.comm = "other", .exe = "/usr/bin/other", .outside_group = true}).add(memory(70));
  leave_out(stream, 17, "sh");
  leave_out(stream, 18, "sleep");
  leave_out(stream, 19, "sleep");
  GroupSample group{.charge = charge(60, 10),
                    .counts = {.oom_kills = 1,
                               .high_events = 100,
                               .max_events = 0,
                               .pressure_some_us = 5'000'000,
                               .pressure_full_us = 4'000'000},
                    .processes = 5};
  stream.on(0, 0).add(group);
  release(stream, 100, 300 * kMsNs, kMadvDontneed);
  // What was started in the group since, and is looked at once before it is killed.
  look_at(stream, 101, "server", memory(20, std::nullopt));
  stream.at(900 * kMsNs).exit(9);
  stream.at(kSecondNs).on(100, 100).add(memory(39, 2));
  group.charge = charge(50, 9);
  group.counts.oom_kills = 2;
  group.counts.high_events = 112;
  group.counts.max_events = 3;
  group.counts.pressure_some_us = 5'400'000;
  group.counts.pressure_full_us = 4'001'000;
  stream.on(0, 0).add(group);
  // Nothing more happens; whatever is lazily freed of one process is not known.
  stream.at(2 * kSecondNs).on(100, 100).add(memory(39, std::nullopt));
  group.counts.pressure_some_us = 5'405'000;
  stream.on(0, 0).add(group).finish();
}

void group_of_many(StreamBuilder& stream) {
  start(stream);
  stream.add(container());
  leave_out(stream, 17, "sh");
  many(stream, /*watched=*/true);
}

void many_without_a_group(StreamBuilder& stream) {
  start(stream);
  many(stream, /*watched=*/false);
}

// What RSS has and the working set has not is what the kernel may take.
void group_of_lazily_freed(StreamBuilder& stream) {
  start(stream);
  GroupInfo pod = container();
  pod.name = pod.path = "/kubepods.slice/kubepods-pod1.slice";
  pod.container_id = pod.container_name = "";
  pod.controllers = {};
  stream.add(pod);
  look_at(stream, 100, "server", memory(700));
  look_at(stream, 101, "helper", memory(40));
  stream.on(0, 0).add(GroupSample{.charge = charge(745, 4)});
  stream.at(kSecondNs).on(100, 100).add(memory(700, 528)).on(101, 101).add(memory(40));
  stream.on(0, 0).add(GroupSample{.charge = charge(745, 533)}).finish();
}

// Its process ends, and what it is charged is not known any more.
void group_that_goes(StreamBuilder& stream) {
  start(stream);
  stream.add(container());
  look_at(stream, 100, "server", memory(700, 100));
  stream.on(0, 0).add(GroupSample{.charge = charge(900, 200)});
  stream.at(kSecondNs).on(100, 100).add(memory(700, 100));
  stream.on(0, 0).add(GroupSample{.charge = charge(900, 200)});
  stream.at(1500 * kMsNs).on(100, 100).exit(0);
  stream.at(2 * kSecondNs).on(0, 0).add(GroupSample{}).finish();
}

}  // namespace madvtrace::test
