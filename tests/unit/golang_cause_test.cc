// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "golang/cause.h"

namespace madvtrace {
namespace {

// A frame as golang_cause_stacks.txt writes it.
struct Written {
  StackFrame::Kind kind = StackFrame::Kind::kGo;
  std::string name;
  std::string module;
};

Written frame_of(const std::string& text) {
  if (text.starts_with("0x")) return {.kind = StackFrame::Kind::kNone};
  if (text.starts_with('.')) return {.name = "runtime" + text};
  if (!text.starts_with('[')) return {.name = text};
  const std::size_t end = text.find(']');
  return {.kind = StackFrame::Kind::kNative, .name = text.substr(end + 1), .module = text.substr(1, end - 1)};
}

struct Options {
  bool go_program = true;
  bool cut_off = false;
};

Cause cause_of(const std::string& text, Options options = {}) {
  std::vector<Written> written;
  std::istringstream in(text);
  for (std::string frame; std::getline(in, frame, ';');) written.push_back(frame_of(frame));
  std::vector<StackFrame> frames;
  frames.reserve(written.size());
  for (const Written& frame : written) {
    frames.push_back({.kind = frame.kind, .name = frame.name, .module = frame.module});
  }
  return cause_of_stack(frames, options.go_program, options.cut_off);
}

TEST(CauseOfStack, StacksOfRealPrograms) {
  std::ifstream file(MADVTRACE_UNIT_DIRECTORY "/golang_cause_stacks.txt");
  ASSERT_TRUE(file);
  std::map<Cause, int> seen;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t blank = line.find(' ');
    const auto expected = kCauseNames.value_of(line.substr(0, blank));
    ASSERT_TRUE(expected) << line;
    const Cause found = cause_of(line.substr(blank + 1));
    EXPECT_EQ(found, *expected) << kCauseNames[found] << " for " << line;
    ++seen[*expected];
  }
  for (const Cause cause :
       {Cause::kBackground, Cause::kFreeOsMemory, Cause::kHeapGrowth, Cause::kHeapReserve, Cause::kReuse,
        Cause::kRuntimeMetadata, Cause::kApp, Cause::kMalloc, Cause::kCgo, Cause::kGrowthOrLimit}) {
    EXPECT_GT(seen[cause], 0) << kCauseNames[cause];
  }
}

TEST(CauseOfStack, SysmonReleasesUntil112) {
  EXPECT_EQ(cause_of(".madvise;.(*mspan).scavenge;.(*mheap).scavengeAll;.(*mheap).scavenge;.sysmon;.mstart1"),
            Cause::kBackground);
  EXPECT_EQ(cause_of(".madvise;.(*mspan).scavenge;.(*mheap).scavengeAll;runtime/debug.freeOSMemory.func1"),
            Cause::kFreeOsMemory);
  // What sysmon does besides is not the scavenger.
  EXPECT_EQ(cause_of(".sysMmap;.mmap;.newosproc;.newm;.startm;.sysmon"), Cause::kUnknown);
}

TEST(CauseOfStack, ArenasAndMemoryThatFaults) {
  EXPECT_EQ(cause_of(".sysMmap;.mmap;.sysFaultOS;.sysFault;.(*mheap).freeSpanLocked"), Cause::kArena);
  EXPECT_EQ(cause_of(".sysMmap;.sysMapOS;.sysMap;.(*mheap).allocUserArenaChunk;.newUserArenaChunk;arena.NewArena"),
            Cause::kArena);
}

// An allocation inside of what FreeOSMemory does is an allocation.
TEST(CauseOfStack, TheFrameNearestToTheCallDecides) {
  EXPECT_EQ(cause_of(".sysMmap;.sysMap;.(*mheap).grow;.(*mheap).allocSpan;.GC;.runtime_debug_freeOSMemory"),
            Cause::kHeapGrowth);
  EXPECT_EQ(cause_of(".sysMmap;.sysAlloc;.persistentalloc1;.(*mheap).sysAlloc;.(*mheap).grow"),
            Cause::kRuntimeMetadata);
}

// systemstack hides its caller before 1.21; mcall and morestack end the stack since 1.25.
TEST(CauseOfStack, FramesThatAreHiddenOrCutOff) {
  EXPECT_EQ(cause_of(".madvise;.(*pageAlloc).scavengeOne;.(*pageAlloc).scavenge.func1;.systemstack", {.cut_off = true}),
            Cause::kUnknown);
  EXPECT_EQ(cause_of(".madvise;.(*pageAlloc).scavengeOne;.(*pageAlloc).scavenge;.(*mheap).scavengeAll;.systemstack"),
            Cause::kFreeOsMemory);
  EXPECT_EQ(cause_of(".madvise;.(*pageAlloc).scavengeOne;.(*pageAlloc).scavenge;.(*mheap).allocSpan;"
                     ".(*mheap).allocManual;.stackalloc;.copystack;.newstack;.morestack"),
            Cause::kGrowthOrLimit);
  EXPECT_EQ(cause_of(".madvise"), Cause::kUnknown);
  EXPECT_EQ(cause_of(""), Cause::kUnknown);
  EXPECT_EQ(cause_of("0x0;0x1"), Cause::kUnknown);
}

TEST(CauseOfStack, TheProgramsOwnCalls) {
  EXPECT_EQ(cause_of("syscall.Syscall;golang.org/x/sys/unix.Madvise;go.etcd.io/bbolt.mmap;main.main"), Cause::kApp);
  EXPECT_EQ(cause_of("internal/runtime/syscall.Syscall6;syscall.RawSyscall6;syscall.Syscall;syscall.Munmap"),
            Cause::kApp);
  // Assembly of its own.
  EXPECT_EQ(cause_of("example.org/raw.madvise;main.main;.main"), Cause::kApp);
}

TEST(CauseOfStack, CodeOfOtherLanguages) {
  const std::string in_c = "[libc.so.6]munmap;[server]drop_cache;[server]main";
  EXPECT_EQ(cause_of(in_c, {.go_program = false}), Cause::kApp);
  EXPECT_EQ(cause_of(in_c, {.go_program = true}), Cause::kCgo);
  EXPECT_EQ(cause_of("[libjemalloc.so.2]je_pages_purge;[libjemalloc.so.2]", {.go_program = false}), Cause::kMalloc);
  EXPECT_EQ(cause_of("[server]__munmap;[server]free;0x0", {.go_program = false}), Cause::kMalloc);
  // Generated code, as a JIT makes it, is the program's.
  EXPECT_EQ(cause_of("[libc.so.6]madvise;[]", {.go_program = false}), Cause::kApp);
  // A thread that C made calls into Go, which allocates.
  EXPECT_EQ(cause_of("[libc.so.6]mmap;.mmap.func1;.systemstack;.mmap;.sysMap;.(*mheap).grow;.mallocgc;main.exported;"
                     ".cgocallbackg;[libpthread.so.0]start_thread"),
            Cause::kHeapGrowth);
  // With frame pointers the runtime's own way through C is seen.
  EXPECT_EQ(cause_of("[libc.so.6]mmap;[server]x_cgo_mmap;.asmcgocall;.callCgoMmap;.mmap.func1;.mmap;.sysAlloc"),
            Cause::kRuntimeMetadata);
  EXPECT_EQ(cause_of("[libc.so.6]mmap;[server]_cgo_try_pthread_create;.asmcgocall;.newm1;.newm"), Cause::kCgo);
}

TEST(CauseOfStack, NothingButTheCLibraryHasToBeAll) {
  EXPECT_EQ(cause_of("[libc.so.6]madvise;[libc.so.6]", {.cut_off = true}), Cause::kUnknown);
  EXPECT_EQ(cause_of("[libc.so.6]madvise;[libc.so.6]"), Cause::kMalloc);
  EXPECT_EQ(cause_of("[libc.so.6]madvise;0x1;0x2", {.cut_off = true}), Cause::kMalloc);
}

TEST(CauseOfStack, CLibrariesByTheirFiles) {
  for (const char* name : {"libc.so.6", "libc-2.31.so", "libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1",
                           "ld-linux-x86-64.so.2", "libpthread.so.0", "libjemalloc.so.2", "libtcmalloc_minimal.so.4"}) {
    EXPECT_TRUE(is_c_library(name)) << name;
  }
  for (const char* name : {"", "libcrypto.so.3", "libcurl.so.4", "server", "libc++.so.1", "libcap.so.2"}) {
    EXPECT_FALSE(is_c_library(name)) << name;
  }
}

}  // namespace
}  // namespace madvtrace
