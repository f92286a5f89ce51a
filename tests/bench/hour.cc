// SPDX-License-Identifier: Apache-2.0
// hour MADVTRACE [MINUTES]: an hour of four busy processes, made by hand, recorded and
// replayed by the built binary. It must come out right to the byte, and an hour must need
// no more memory than a tenth of it does: what is over is forgotten. Exits 1 if not.
//
// Each process gives 64 KiB back by MADV_FREE fifty times a second, going through 1 GiB again
// and again. Of four such pieces one has been reclaimed when it is looked at a second later,
// one has been written again, one is given back for good (MADV_DONTNEED) after two seconds,
// and one is still there when its turn comes again.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "stream/recording_writer.h"
#include "tests/support/stream_builder.h"
#include "tests/support/temp_directory.h"

namespace madvtrace::bench {
namespace {

using test::StreamBuilder;

constexpr std::uint32_t kProcesses = 4;
constexpr std::uint32_t kFirstPid = 100;
constexpr std::uint64_t kReleasesASecond = 50;
constexpr std::uint64_t kPieces = 16384;
constexpr std::uint32_t kPiecePages = 16;
constexpr std::uint64_t kPieceBytes = kPiecePages * 4096;
constexpr std::uint64_t kPiecesOfChunk = WIRE_CHUNK_PAGES / kPiecePages;
constexpr std::uint64_t kHeap = 0xc000000000;
constexpr std::uint64_t kStacks = 100;
constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::int32_t kDontneed = 4;
constexpr std::int32_t kFree = 8;

enum class Piece : std::uint8_t { kDirty, kLazy, kGone };

// What has to come out, in pieces.
struct Truth {
  std::uint64_t released = 0;
  std::uint64_t reclaimed = 0;
  std::uint64_t rewritten = 0;
  std::uint64_t superseded = 0;
  std::uint64_t given_back = 0;  // by MADV_DONTNEED
  std::uint64_t pending() const { return released - reclaimed - rewritten - superseded; }
};

class Hour {
 public:
  Hour() { pieces_.fill(std::vector<Piece>(kPieces, Piece::kDirty)); }

  // The stream of one second of all processes.
  StreamBuilder second(std::uint64_t number);
  const Truth& truth() const { return truth_; }

 private:
  void release(StreamBuilder& stream, std::uint32_t process, std::uint64_t turn, std::uint64_t at_ns);
  void give_back(StreamBuilder& stream, std::uint32_t process, std::uint64_t turn, std::uint64_t at_ns);
  void look(StreamBuilder& stream, std::uint32_t process, std::uint64_t first_turn);
  void one_call(StreamBuilder& stream, std::uint64_t piece, std::int32_t advice, bool lazy, std::uint64_t key,
                std::uint64_t at_ns);

  std::array<std::vector<Piece>, kProcesses> pieces_;
  Truth truth_;
};

void Hour::one_call(StreamBuilder& stream, std::uint64_t piece, std::int32_t advice, bool lazy, std::uint64_t key,
                    std::uint64_t at_ns) {
  constexpr std::uint64_t kTakesNs = 20'000;
  const std::uint64_t address = kHeap + piece * kPieceBytes;
  test::CallSpec call = test::madvise(address, kPieceBytes, advice);
  call.stack_key = key;
  const auto first = static_cast<std::uint32_t>(piece % kPiecesOfChunk * kPiecePages);
  test::ChunkSpec chunk{.chunk_addr = address - first * std::uint64_t{4096}, .seen = {first, kPiecePages}};
  (lazy ? chunk.clean : chunk.dirty).push_back({first, kPiecePages});
  stream.at(at_ns).begin(call, test::walked(kPiecePages, lazy ? kPiecePages : 0)).pages(at_ns, chunk);
  stream.at(at_ns + kTakesNs).end(at_ns, 0);
}

void Hour::release(StreamBuilder& stream, std::uint32_t process, std::uint64_t turn, std::uint64_t at_ns) {
  Piece& piece = pieces_.at(process)[turn % kPieces];
  const bool lazy = piece == Piece::kLazy;
  truth_.superseded += lazy ? 1 : 0;
  ++truth_.released;
  one_call(stream, turn % kPieces, kFree, lazy, turn % kStacks + 1, at_ns);
  piece = Piece::kLazy;
}

void Hour::give_back(StreamBuilder& stream, std::uint32_t process, std::uint64_t turn, std::uint64_t at_ns) {
  ++truth_.superseded;
  ++truth_.given_back;
  one_call(stream, turn % kPieces, kDontneed, true, 1, at_ns);
  pieces_.at(process)[turn % kPieces] = Piece::kGone;
}

// At the chunks of the pieces that were released in one second, and what became of those.
void Hour::look(StreamBuilder& stream, std::uint32_t process, std::uint64_t first_turn) {
  std::vector<Piece>& pieces = pieces_.at(process);
  for (std::uint64_t turn = first_turn; turn < first_turn + kReleasesASecond; ++turn) {
    Piece& piece = pieces[turn % kPieces];
    if (turn % 4 == 0) {
      piece = Piece::kGone;
      ++truth_.reclaimed;
    } else if (turn % 4 == 1) {
      piece = Piece::kDirty;
      ++truth_.rewritten;
    }
  }
  constexpr std::uint64_t kChunks = kPieces / kPiecesOfChunk;
  const std::uint64_t last = (first_turn + kReleasesASecond - 1) / kPiecesOfChunk;
  for (std::uint64_t at = first_turn / kPiecesOfChunk; at <= last; ++at) {
    const std::uint64_t number = at % kChunks;
    test::ChunkSpec chunk{.chunk_addr = kHeap + number * kPiecesOfChunk * kPieceBytes};
    for (std::uint32_t i = 0; i < kPiecesOfChunk; ++i) {
      const Piece piece = pieces[number * kPiecesOfChunk + i];
      if (piece == Piece::kGone) continue;
      (piece == Piece::kLazy ? chunk.clean : chunk.dirty).push_back({i * kPiecePages, kPiecePages});
    }
    stream.look(chunk);
  }
}

StreamBuilder Hour::second(std::uint64_t number) {
  constexpr std::uint64_t kApartNs = 15'000'000;
  constexpr std::uint64_t kEachNs = 1'000'000;
  const std::uint64_t begin_ns = number * kSecondNs;
  StreamBuilder stream;
  for (std::uint32_t process = 0; process < kProcesses; ++process) {
    stream.on(kFirstPid + process, kFirstPid + process);
    if (number == 0) {
      if (process == 0) stream.start();
      if (process != 0) stream.at(0).add(ProcessInfo{.start_utc_ns = test::kStartUtcNs, .comm = "server"});
      // A stack is told once.
      for (std::uint64_t key = 1; process == 0 && key <= kStacks; ++key) {
        stream.stack(key, {0x400000 + key * 16});
        stream.add(Frames{.stack_key = key, .text = fmt::format("main.f{}", key), .cause = Cause::kBackground});
      }
    }
  }
  // One after the other in time, whoever makes them.
  for (std::uint64_t i = 0; i < kReleasesASecond; ++i) {
    for (std::uint32_t process = 0; process < kProcesses; ++process) {
      stream.on(kFirstPid + process, kFirstPid + process);
      release(stream, process, number * kReleasesASecond + i, begin_ns + (i + 1) * kApartNs + process * kEachNs);
    }
  }
  std::uint64_t at_ns = begin_ns + 800'000'000;
  for (std::uint32_t process = 0; process < kProcesses; ++process) {
    stream.on(kFirstPid + process, kFirstPid + process);
    for (std::uint64_t i = 0; number >= 2 && i < kReleasesASecond; ++i) {
      const std::uint64_t turn = (number - 2) * kReleasesASecond + i;
      if (turn % 4 == 2) give_back(stream, process, turn, at_ns += kEachNs);
    }
    if (number >= 1) {
      stream.at(at_ns += kEachNs);
      stream.add(Reclaim{.by = Reclaimer::kMemcg,
                         .from_ns = test::kStartMonoNs + at_ns - kSecondNs,
                         .to_ns = test::kStartMonoNs + at_ns});
      look(stream, process, (number - 1) * kReleasesASecond);
    }
    stream.at(at_ns += kEachNs)
        .add(Sample{.rss_bytes = kPieces * kPieceBytes, .rss_anon_bytes = kPieces * kPieceBytes});
  }
  return stream;
}

// Records it, a second at a time, so that making it takes no memory to speak of.
Truth record(const std::string& path, std::uint64_t seconds) {
  Result<RecordingWriter> writer = RecordingWriter::create(path);
  if (!writer) throw std::runtime_error(writer.error().message);
  Hour hour;
  for (std::uint64_t number = 0; number <= seconds; ++number) {
    const StreamBuilder stream =
        number < seconds ? hour.second(number) : StreamBuilder().at(number * kSecondNs).finish();
    for (const std::string& record : stream.records()) writer->on_record(test::view(record));
  }
  writer->flush();
  if (writer->file().failed()) throw std::runtime_error("cannot write " + path);
  return hour.truth();
}

struct Cost {
  int exit_code = -1;
  double seconds = 0;
  long peak_kib = 0;
};

Cost run(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const auto begin = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    ::execv(argv[0], argv.data());
    ::_exit(126);
  }
  int status = -1;
  rusage usage{};
  if (child < 0 || ::wait4(child, &status, 0, &usage) != child) return {};
  return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
          .peak_kib = usage.ru_maxrss};
}

bool same(const char* what, std::uint64_t got_bytes, std::uint64_t pieces) {
  if (got_bytes == pieces * kPieceBytes) return true;
  fmt::print("{}: {} bytes, and it should be {}\n", what, got_bytes, pieces * kPieceBytes);
  return false;
}

bool is_right(const std::string& summary, const Truth& truth) {
  const nlohmann::json told = nlohmann::json::parse(test::read_all(summary));
  bool right = told.at("complete").get<bool>() && told.at("lost").empty();
  right = told.at("totals").at("event_rows") == truth.released + truth.given_back && right;
  std::size_t advices = 0;
  for (const auto& delays : told.at("delays")) {
    const auto bytes = [&](const char* name) { return delays.at(name).get<std::uint64_t>(); };
    ++advices;
    if (delays.at("advice") == "MADV_DONTNEED") {
      right = same("given back", bytes("freed_bytes"), truth.given_back) && right;
      continue;
    }
    right = same("released", bytes("bytes"), truth.released) && right;
    right = same("reclaimed", bytes("reclaimed_bytes"), truth.reclaimed) && right;
    right = same("rewritten", bytes("rewritten_bytes"), truth.rewritten) && right;
    right = same("superseded", bytes("superseded_bytes"), truth.superseded) && right;
    right = same("pending", bytes("pending_bytes"), truth.pending()) && right;
  }
  return right && advices == 2;
}

bool replayed(const std::string& madvtrace, std::uint64_t seconds, Cost& cost) {
  const test::TempDirectory directory;
  const std::string recording = directory / "run.mv";
  const Truth truth = record(recording, seconds);
  cost = run({madvtrace, "replay", recording, "-q", "-o", directory / "out"});
  fmt::print("{} s replayed in {:.1f} s, peak memory {} MiB, {} calls, exit code {}\n", seconds, cost.seconds,
             cost.peak_kib / 1024, truth.released + truth.given_back, cost.exit_code);
  return cost.exit_code == 0 && is_right(directory / "out/summary.json", truth);
}

}  // namespace
}  // namespace madvtrace::bench

int main(int argc, char** argv) {
  using madvtrace::bench::Cost;
  if (argc < 2) return 2;
  const std::uint64_t minutes = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 60;
  constexpr std::uint64_t kSecondsOfMinute = 60;
  constexpr std::uint64_t kTimesLonger = 10;
  constexpr long kMoreKiB = 16L * 1024;
  Cost tenth;
  Cost whole;
  const bool right = madvtrace::bench::replayed(argv[1], minutes * kSecondsOfMinute / kTimesLonger, tenth) &&
                     madvtrace::bench::replayed(argv[1], minutes * kSecondsOfMinute, whole);
  if (!right) return 1;
  // A hundred times as fast as it happened, on any machine.
  constexpr double kTimesFaster = 100;
  const bool fast = whole.seconds * kTimesFaster <= static_cast<double>(minutes * kSecondsOfMinute);
  return fast && whole.peak_kib <= tenth.peak_kib + kMoreKiB ? 0 : 1;
}
