// SPDX-License-Identifier: Apache-2.0
// Runs one named scenario and prints, as one JSON object on a line, every traced call
// that it made after the gate and what each did: the ground truth of the live tests.
//
//   script SCENARIO [--calls N] [--exit-status N] [--no-start-gate] [--no-wait-exit]
//
// {"scenario":S,"pid":P,"unlisted_tids":[...],"calls":[{"tid","call","advice","addr",
//  "len_bytes","ret","resident_bytes","lazyfree_bytes","rss_delta_bytes"}, ...], ...}
// A value that is null is not known, or depends on the kernel. Threads in
// unlisted_tids make further calls, in libc's name; all others make none but these.
#include <pthread.h>
#include <sched.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "common.h"

#ifndef MREMAP_MAYMOVE
#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED 2
#endif

enum { kThreads = 8, kCallsOfAThread = 100, kJsonBytes = 1 << 20, kSmallPages = 64 };
static const int kReadWrite = PROT_READ | PROT_WRITE;
static const int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
static const int64_t kUnknown = INT64_MIN;
static const uint64_t kHugeBytes = (uint64_t)2 << 20;

static uint64_t calls_wanted = 10000;
static bool start_gate = true;
static bool wait_exit = true;
static int exit_status;
static char** own_arguments;

// The answer is built in here, without stdio: that would allocate.
static char json[kJsonBytes];
static size_t json_bytes;
static bool first_call = true;

__attribute__((format(printf, 1, 2))) static void put(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(json + json_bytes, sizeof(json) - json_bytes, format, arguments);
  va_end(arguments);
  if (length < 0 || json_bytes + (size_t)length >= sizeof(json)) give_up("the answer is too long");
  json_bytes += (size_t)length;
}

static void put_number(const char* name, int64_t value) {
  if (value == kUnknown) {
    put(",\"%s\":null", name);
  } else {
    put(",\"%s\":%lld", name, (long long)value);
  }
}

struct made {
  int tid;
  const char* call;
  const char* advice;  // NULL: has none
  int64_t addr;
  int64_t bytes;
  int64_t ret;
  int64_t resident;
  int64_t lazyfree;
  int64_t delta;
};

static void put_call(struct made made) {
  put("%s{\"tid\":%d,\"call\":\"%s\",\"advice\":\"%s\"", first_call ? "" : ",", made.tid, made.call,
      made.advice == NULL ? "" : made.advice);
  first_call = false;
  if (made.addr == kUnknown) {
    put(",\"addr\":null");
  } else {
    put(",\"addr\":\"0x%llx\"", (unsigned long long)made.addr);
  }
  put_number("len_bytes", made.bytes);
  put_number("ret", made.ret);
  put_number("resident_bytes", made.resident);
  put_number("lazyfree_bytes", made.lazyfree);
  put_number("rss_delta_bytes", made.delta);
  put("}");
}

static void begin_answer(const char* scenario) {
  put("{\"scenario\":\"%s\",\"pid\":%d,\"calls\":[", scenario, (int)getpid());
}
// Once the calls are told; `main_makes_more` if libc makes calls of its own on the first thread.
static void end_calls(bool main_makes_more) {
  put("],\"unlisted_tids\":[");
  if (main_makes_more || !start_gate) put("%d", (int)getpid());
  put("]");
}
static void end_answer(void) {
  put("}\n");
  write_all(STDOUT_FILENO, json, json_bytes);
  json_bytes = 0;
  first_call = true;
}

static uint64_t pages(uint64_t count) { return count * kPageBytes; }

static uint64_t map(uint64_t bytes) {
  const int64_t addr = raw_mmap(0, bytes, kReadWrite, kAnonymous, -1);
  if (addr < 0) give_up("mmap answered %lld", (long long)addr);
  return (uint64_t)addr;
}

static uint64_t map_touched(uint64_t bytes) {
  const uint64_t addr = map(bytes);
  touch_range(addr, bytes);
  return addr;
}

// An madvise whose outcome is known: frees `resident` bytes, or nothing if it fails whole.
static void advise(int advice, const char* name, uint64_t addr, uint64_t bytes, int64_t resident, int64_t lazyfree,
                   int64_t delta) {
  const int64_t ret = raw_madvise(addr, bytes, advice);
  put_call((struct made){own_tid(), "madvise", name, (int64_t)addr, (int64_t)bytes, ret, resident, lazyfree, delta});
}

static void dontneed(uint64_t addr, uint64_t bytes, int64_t resident) {
  advise(MADV_DONTNEED, "MADV_DONTNEED", addr, bytes, resident, 0, -resident);
}

static void unmap(uint64_t addr, uint64_t bytes, int64_t resident) {
  const int64_t ret = raw_munmap(addr, bytes);
  put_call((struct made){own_tid(), "munmap", NULL, (int64_t)addr, (int64_t)bytes, ret, resident, 0, -resident});
}

static void map_listed(uint64_t bytes, int flags, int64_t delta, uint64_t* out) {
  const int64_t ret = raw_mmap(0, bytes, kReadWrite, flags, -1);
  put_call((struct made){own_tid(), "mmap", NULL, 0, (int64_t)bytes, ret, kUnknown, kUnknown, delta});
  *out = (uint64_t)ret;
}

// What exists before the gate; a scenario's two halves share it.
static uint64_t region;
static uint64_t region_bytes;
static uint64_t other;

static void prepare_small(void) { region = map_touched(region_bytes = pages(kSmallPages)); }

static void prepare_hole(void) {
  region = map(region_bytes = pages(20));
  touch_range(region, pages(8));
  touch_range(region + pages(12), pages(8));
  if (raw_munmap(region + pages(8), pages(4)) != 0) give_up("munmap");
}
static void run_enomem_hole(void) { dontneed(region, region_bytes, (int64_t)pages(16)); }

static void run_einval(void) {
  // Touches five pages in part or in whole, and frees none.
  advise(MADV_DONTNEED, "MADV_DONTNEED", region + 100, pages(4), (int64_t)pages(5), 0, 0);
}

static int64_t raw_process_madvise(int pidfd, const struct iovec* ranges, size_t count, int advice) {
  return raw(syscall(SYS_process_madvise, pidfd, ranges, count, advice, 0));
}

static void run_ebadf_process_madvise(void) {
  const struct iovec range = {.iov_base = (void*)region, .iov_len = region_bytes};  // NOLINT
  const int64_t ret = raw_process_madvise(9999, &range, 1, MADV_DONTNEED);
  put_call((struct made){own_tid(), "process_madvise", "MADV_DONTNEED", kUnknown, kUnknown, ret, kUnknown, kUnknown,
                         kUnknown});
}

static void run_process_madvise_self(void) {
  const int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
  if (pidfd < 0) give_up("pidfd_open: errno %d", errno);
  const struct iovec ranges[2] = {{.iov_base = (void*)region, .iov_len = pages(8)},                 // NOLINT
                                  {.iov_base = (void*)(region + pages(16)), .iov_len = pages(4)}};  // NOLINT
  const int64_t ret = raw_process_madvise(pidfd, ranges, 2, MADV_DONTNEED);
  // Only since 6.13 may a process give this advice to itself.
  const int64_t freed = ret < 0 ? 0 : (int64_t)pages(12);
  put_call((struct made){own_tid(), "process_madvise", "MADV_DONTNEED", (int64_t)region, (int64_t)pages(12), ret,
                         (int64_t)pages(12), 0, -freed});
}

static void run_mremap_shrink(void) {
  const int64_t ret = raw_mremap(region, region_bytes, pages(16), 0, 0);
  const int64_t tail = (int64_t)(region_bytes - pages(16));
  put_call((struct made){own_tid(), "mremap", NULL, (int64_t)region, (int64_t)region_bytes, ret, tail, 0, -tail});
}

static void prepare_move(void) {
  prepare_small();
  other = map(pages(kSmallPages));
  touch_range(other, pages(24));
}
static void run_mremap_move(void) {
  const int64_t ret = raw_mremap(region, region_bytes, region_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, other);
  put_call((struct made){own_tid(), "mremap", NULL, (int64_t)region, (int64_t)region_bytes, ret, (int64_t)pages(24), 0,
                         -(int64_t)pages(24)});
  unmap(other, region_bytes, (int64_t)region_bytes);
}

static void brk_listed(uint64_t to, int64_t freed, int64_t delta) {
  const int64_t ret = (int64_t)syscall(SYS_brk, to);
  put_call(
      (struct made){own_tid(), "brk", NULL, (int64_t)to, freed, ret, freed, freed == kUnknown ? kUnknown : 0, delta});
  if ((uint64_t)ret != to) give_up("brk answered %lld", (long long)ret);
}
static void prepare_brk(void) {
  region = ((uint64_t)syscall(SYS_brk, 0) + kPageBytes - 1) & ~(uint64_t)(kPageBytes - 1);
  if ((uint64_t)syscall(SYS_brk, region) != region) give_up("brk");
}
static void run_brk_shrink(void) {
  brk_listed(region + pages(kSmallPages), kUnknown, 0);
  touch_range(region, pages(kSmallPages));
  brk_listed(region, (int64_t)pages(kSmallPages), -(int64_t)pages(kSmallPages));
}

static void run_free_lazy(void) {
  const int64_t bytes = (int64_t)region_bytes;
  advise(MADV_FREE, "MADV_FREE", region, region_bytes, bytes, 0, 0);
  advise(MADV_DONTNEED, "MADV_DONTNEED", region, region_bytes, bytes, bytes, -bytes);
}

static void run_populate(void) {
  uint64_t addr = 0;
  map_listed(pages(kSmallPages), kAnonymous | MAP_POPULATE, (int64_t)pages(kSmallPages), &addr);
  unmap(addr, pages(kSmallPages), (int64_t)pages(kSmallPages));
}

static void prepare_big(void) { region = map_touched(region_bytes = (uint64_t)512 << 20); }
static void run_big_munmap(void) { unmap(region, region_bytes, (int64_t)region_bytes); }

static void prepare_fork(void) { region = map_touched(region_bytes = pages(256)); }
static void run_fork(void) {
  const pid_t child = fork();
  if (child < 0) give_up("fork: errno %d", errno);
  if (child == 0) _exit(raw_madvise(region, region_bytes / 2, MADV_DONTNEED) == 0 ? 0 : 1);
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) give_up("the child failed");
  const int64_t half = (int64_t)(region_bytes / 2);
  put_call((struct made){child, "madvise", "MADV_DONTNEED", (int64_t)region, half, 0, half, 0, -half});
  dontneed(region, region_bytes, (int64_t)region_bytes);
}

// fork() write-protects the pages, and since 6.6 keeps their dirty bit elsewhere: they
// are not lazily freed for that.
static void run_fork_clean(void) {
  int go[2];
  if (pipe2(go, O_CLOEXEC) != 0) give_up("pipe2: errno %d", errno);
  const pid_t child = fork();
  if (child < 0) give_up("fork: errno %d", errno);
  if (child == 0) {
    char byte;
    close(go[1]);
    _exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
  }
  unmap(region, region_bytes, (int64_t)region_bytes);
  close(go[1]);
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) give_up("the child failed");
}

static void run_exec(void) {
  dontneed(region, pages(8), (int64_t)pages(8));
  end_calls(/*main_makes_more=*/true);
  end_answer();
  char* arguments[] = {own_arguments[0], (char*)"einval", (char*)"--no-start-gate",
                       wait_exit ? NULL : (char*)"--no-wait-exit", NULL};
  execv("/proc/self/exe", arguments);
  give_up("execv: errno %d", errno);
}

static _Atomic uint64_t calls_made;
static void* release_for_ever(void* unused) {
  (void)unused;
  for (;;) {
    touch_page(region);
    if (raw_madvise(region, kPageBytes, MADV_DONTNEED) != 0) give_up("madvise");
    atomic_fetch_add(&calls_made, 1);
  }
}
static void run_exit_in_middle(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, release_for_ever, NULL) != 0) give_up("pthread_create");
  while (atomic_load(&calls_made) < calls_wanted) sched_yield();
  end_calls(/*main_makes_more=*/true);
  put(",\"calls_at_least\":%llu", (unsigned long long)atomic_load(&calls_made));
  end_answer();
  _exit(exit_status);
}

static struct {
  _Atomic int tid;
  pthread_t thread;
} spawned[kThreads];
static _Atomic int spawned_done;

static void* release_page(void* argument) {
  const int index = (int)(intptr_t)argument;
  const uint64_t page = region + pages((uint64_t)index);
  for (int i = 0; i < kCallsOfAThread; i++) {
    touch_page(page);
    if (raw_madvise(page, kPageBytes, MADV_DONTNEED) != 0) give_up("madvise");
  }
  atomic_store(&spawned[index].tid, own_tid());
  atomic_fetch_add(&spawned_done, 1);
  park();
}
static void run_threads(void) {
  for (int i = 0; i < kThreads; i++) {
    if (pthread_create(&spawned[i].thread, NULL, release_page, (void*)(intptr_t)i) != 0) {  // NOLINT
      give_up("pthread_create");
    }
  }
  while (atomic_load(&spawned_done) < kThreads) sched_yield();
  for (int i = 0; i < kThreads * kCallsOfAThread; i++) {
    const int thread = i / kCallsOfAThread;
    put_call((struct made){atomic_load(&spawned[thread].tid), "madvise", "MADV_DONTNEED",
                           (int64_t)(region + pages((uint64_t)thread)), kPageBytes, 0, kPageBytes, 0, -kPageBytes});
  }
  end_calls(/*main_makes_more=*/true);
}

static void run_storm(void) {
  for (uint64_t i = 0; i < calls_wanted; i++) {
    touch_page(region);
    if (raw_madvise(region, kPageBytes, MADV_DONTNEED) != 0) give_up("madvise");
  }
  end_calls(/*main_makes_more=*/true);
  put(",\"calls_made\":%llu", (unsigned long long)calls_wanted);
}

static void run_weird_comm(void) {
  static const char kName[] = "a,\"b\n\xff\xfe";
  if (prctl(PR_SET_NAME, kName, 0, 0, 0) != 0) give_up("PR_SET_NAME: errno %d", errno);
  dontneed(region, pages(1), (int64_t)pages(1));
}

// The AnonHugePages of the mapping that holds `addr`, from smaps; -1 if unreadable.
static int64_t huge_bytes_at(uint64_t addr) {
  static char text[1 << 20];
  const int fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  size_t bytes = 0;
  for (ssize_t got; bytes < sizeof(text) - 1 && (got = read(fd, text + bytes, sizeof(text) - 1 - bytes)) > 0;) {
    bytes += (size_t)got;
  }
  close(fd);
  text[bytes] = '\0';
  bool inside = false;
  for (char* line = text; line != NULL; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    unsigned long long begin = 0;
    unsigned long long end = 0;
    unsigned long long kb = 0;
    if (sscanf(line, "%llx-%llx ", &begin, &end) == 2) inside = addr >= begin && addr < end;
    if (inside && sscanf(line, "AnonHugePages: %llu kB", &kb) == 1) return (int64_t)kb * 1024;
  }
  return -1;
}

static void prepare_huge(void) {
  const uint64_t reserved = map(2 * kHugeBytes);
  region = (reserved + kHugeBytes - 1) & ~(kHugeBytes - 1);
  region_bytes = kHugeBytes;
  if (raw_madvise(region, kHugeBytes, MADV_HUGEPAGE) != 0) give_up("MADV_HUGEPAGE");
  touch_range(region, kHugeBytes);
  other = (uint64_t)huge_bytes_at(region);
}
static void run_huge(void) {
  dontneed(region + kHugeBytes / 4, kHugeBytes / 2, (int64_t)kHugeBytes / 2);
  unmap(region, kHugeBytes, (int64_t)kHugeBytes / 2);
  end_calls(/*main_makes_more=*/false);
  put_number("huge_bytes", (int64_t)other);
}

// Reading what was never written maps the huge zero page, which RSS does not count.
static int64_t read_huge_bytes;  // of it that count, on a kernel without zero pages
static void prepare_zero_huge(void) {
  if (reading_takes_memory()) read_huge_bytes = (int64_t)kHugeBytes;
  const uint64_t reserved = map(2 * kHugeBytes);
  region = (reserved + kHugeBytes - 1) & ~(kHugeBytes - 1);
  region_bytes = kHugeBytes;
  if (raw_madvise(region, kHugeBytes, MADV_HUGEPAGE) != 0) give_up("MADV_HUGEPAGE");
  read_range(region, kHugeBytes);
}
static void run_zero_huge(void) { unmap(region, kHugeBytes, read_huge_bytes); }

static void prepare_file(void) {
  char name[] = "/tmp/madvtrace-script-XXXXXX";
  const int fd = mkstemp(name);
  if (fd < 0) give_up("mkstemp: errno %d", errno);
  unlink(name);
  static char page[kPageBytes];
  memset(page, 'x', sizeof(page));
  for (int i = 0; i < kSmallPages; i++) write_all(fd, page, sizeof(page));
  // Dirty page cache is mapped like any other, but its state is the disk's affair.
  if (fsync(fd) != 0) give_up("fsync: errno %d", errno);
  region_bytes = pages(kSmallPages);
  const int64_t addr = raw_mmap(0, region_bytes, PROT_READ, MAP_PRIVATE, fd);
  if (addr < 0) give_up("mmap answered %lld", (long long)addr);
  region = (uint64_t)addr;
  read_range(region, region_bytes);
}
static void run_file_map(void) { unmap(region, region_bytes, (int64_t)region_bytes); }

static void prepare_shared(void) {
  region_bytes = pages(kSmallPages);
  region = (uint64_t)raw_mmap(0, region_bytes, kReadWrite, MAP_SHARED | MAP_ANONYMOUS, -1);
  touch_range(region, region_bytes);
}
static void run_shared_anon(void) {
  dontneed(region, region_bytes, (int64_t)region_bytes);
  // The pages are still in the shared object: they come back with what was in them.
  read_range(region, region_bytes);
  unmap(region, region_bytes, (int64_t)region_bytes);
}

static void run_nothing(void) {}

struct scenario {
  const char* name;
  void (*prepare)(void);
  void (*run)(void);
  bool ends_calls;  // closes the list of calls itself
};

static const struct scenario kScenarios[] = {
    {"enomem-hole", prepare_hole, run_enomem_hole, false},
    {"einval", prepare_small, run_einval, false},
    {"ebadf-process-madvise", prepare_small, run_ebadf_process_madvise, false},
    {"process-madvise-self", prepare_small, run_process_madvise_self, false},
    {"mremap-shrink", prepare_small, run_mremap_shrink, false},
    {"mremap-move", prepare_move, run_mremap_move, false},
    {"brk-shrink", prepare_brk, run_brk_shrink, false},
    {"free-lazy", prepare_small, run_free_lazy, false},
    {"populate", run_nothing, run_populate, false},
    {"big-munmap", prepare_big, run_big_munmap, false},
    {"fork", prepare_fork, run_fork, false},
    {"fork-clean", prepare_small, run_fork_clean, false},
    {"exec", prepare_small, run_exec, true},
    {"exit-in-middle", prepare_small, run_exit_in_middle, true},
    {"threads", prepare_small, run_threads, true},
    {"storm", prepare_small, run_storm, true},
    {"weird-comm", prepare_small, run_weird_comm, false},
    {"huge", prepare_huge, run_huge, true},
    {"zero-huge", prepare_zero_huge, run_zero_huge, false},
    {"file-map", prepare_file, run_file_map, false},
    {"shared-anon", prepare_shared, run_shared_anon, false},
    {"idle", run_nothing, run_nothing, false},
};

static const struct scenario* find_scenario(const char* name) {
  for (size_t i = 0; name != NULL && i < sizeof(kScenarios) / sizeof(kScenarios[0]); i++) {
    if (strcmp(kScenarios[i].name, name) == 0) return &kScenarios[i];
  }
  give_up("no such scenario: %s; see the end of script.c", name == NULL ? "none given" : name);
}

int main(int argc, char** argv) {
  own_arguments = argv;
  const struct scenario* scenario = find_scenario(argc > 1 ? argv[1] : NULL);
  for (char** at = argv + 2; *at != NULL; at++) {
    if (strcmp(*at, "--no-start-gate") == 0) {
      start_gate = false;
    } else if (strcmp(*at, "--no-wait-exit") == 0) {
      wait_exit = false;
    } else if (strcmp(*at, "--calls") == 0) {
      calls_wanted = number(*++at, 0, UINT64_MAX);
    } else if (strcmp(*at, "--exit-status") == 0) {
      exit_status = (int)number(*++at, 0, UINT64_MAX);
    } else {
      give_up("what is %s? See the top of script.c", *at);
    }
  }
  // Else a touched page may bring 511 others along.
  const bool wants_huge = scenario->run == run_huge || scenario->run == run_zero_huge;
  if (!wants_huge && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) give_up("PR_SET_THP_DISABLE: errno %d", errno);
  scenario->prepare();
  if (start_gate) announce_and_wait();
  begin_answer(scenario->name);
  scenario->run();
  if (!scenario->ends_calls) end_calls(/*main_makes_more=*/false);
  end_answer();
  if (wait_exit) wait_for_byte();
  _exit(exit_status);
}
