// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bpf/records.h"
#include "stream/collector_record.h"
#include "stream/decoder.h"
#include "stream/recording_format.h"
#include "stream/recording_reader.h"
#include "stream/recording_writer.h"
#include "stream/tee.h"
#include "tests/support/stream_builder.h"
#include "tests/support/temp_directory.h"

namespace madvtrace {
namespace {

using test::StreamBuilder;
using test::view;
using test::walked;

class RecordLog : public RecordSink {
 public:
  void on_record(RecordBytes record) override {
    records.emplace_back(reinterpret_cast<const char*>(record.data()), record.size());
  }
  std::vector<std::string> records;
};

struct Read {
  std::vector<std::string> records;
  bool truncated = false;
  std::uint64_t damaged_chunks = 0;
  std::uint64_t damaged_bytes = 0;
};

class Recording : public testing::Test {
 protected:
  std::string path() const { return temporary / "run.mv"; }

  // One chunk for each list of records.
  std::string written(const std::vector<std::vector<std::string>>& chunks) {
    std::filesystem::remove(path());
    Result<RecordingWriter> writer = RecordingWriter::create(path());
    EXPECT_TRUE(writer);
    for (const auto& chunk : chunks) {
      for (const std::string& record : chunk) writer->on_record(view(record));
      writer->flush();
    }
    EXPECT_FALSE(writer->file().failed());
    return test::read_all(path());
  }

  // Nothing if it is refused.
  std::optional<Read> read(const std::string& bytes) {
    test::write_all(path(), bytes);
    Result<RecordingReader> reader = RecordingReader::open(path());
    if (!reader) {
      EXPECT_EQ(reader.error().code, ExitCode::kUsage);
      return std::nullopt;
    }
    RecordLog log;
    EXPECT_TRUE(reader->drain(log));
    return Read{log.records, reader->truncated(), reader->damaged_chunks(), reader->damaged_bytes()};
  }

  test::TempDirectory temporary;
};

// Three chunks with one, two and one record.
std::vector<std::vector<std::string>> small_chunks() {
  StreamBuilder stream;
  stream.begin(test::munmap(0x1000, 0x1000), walked(1)).stack(7, {1}).fork(2, true).exit(0);
  const auto& r = stream.records();
  return {{r[0]}, {r[1], r[2]}, {r[3]}};
}

std::size_t chunk_bytes(const std::vector<std::string>& records) {
  std::size_t bytes = sizeof(ChunkHeader);
  for (const std::string& record : records) bytes += record.size();
  return bytes;
}

TEST_F(Recording, GivesBackWhatWentIn) {
  StreamBuilder stream;
  // Well over a chunk's size, of all lengths.
  for (std::uint64_t i = 0; i < 5'000; ++i) {
    stream.at(i).begin(test::munmap(i << 12, 0x1000), walked(1)).stack(i, std::vector<std::uint64_t>(1 + i % 64, i));
  }
  stream.add(Frames{.stack_key = 1, .text = std::string(900'000, 'x')});
  const std::string bytes = written({stream.records()});
  const auto got = read(bytes);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->records, stream.records());
  EXPECT_FALSE(got->truncated);
  EXPECT_EQ(got->damaged_chunks, 0U);
  ChunkHeader first{};
  std::memcpy(&first, bytes.data() + sizeof(RecordingHeader), sizeof(first));
  EXPECT_EQ(first.magic, kChunkMagic);
  EXPECT_LT(first.bytes, bytes.size() / 2) << "one chunk only";
  EXPECT_GT(first.records, 100U);
}

TEST_F(Recording, AnEmptyOneIsInOrder) {
  const auto got = read(written({}));
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->records.empty());
  EXPECT_FALSE(got->truncated);
}

TEST_F(Recording, FlushingNothingWritesNothing) {
  const std::string bytes = written({{}, {}});
  EXPECT_EQ(bytes.size(), sizeof(RecordingHeader));
}

TEST_F(Recording, BeginsWithItsName) { EXPECT_EQ(written({}).substr(0, 8), "MADVREC\n"); }

TEST_F(Recording, IsNotWrittenOver) {
  test::write_all(path(), "mine");
  const Result<RecordingWriter> writer = RecordingWriter::create(path());
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, ExitCode::kUsage);
  EXPECT_EQ(test::read_all(path()), "mine");
}

// Cut off anywhere: whole chunks are there, nothing of a torn one is, and only an
// end between two chunks looks like one that was meant.
TEST_F(Recording, CutOffAnywhereKeepsItsWholeChunks) {
  const auto chunks = small_chunks();
  const std::string whole = written(chunks);
  for (std::size_t bytes = 0; bytes <= whole.size(); ++bytes) {
    const auto got = read(whole.substr(0, bytes));
    ASSERT_EQ(got.has_value(), bytes >= sizeof(RecordingHeader)) << bytes;
    if (!got) continue;
    std::vector<std::string> expected;
    std::size_t at = sizeof(RecordingHeader);
    for (const auto& chunk : chunks) {
      if (at + chunk_bytes(chunk) > bytes) break;
      at += chunk_bytes(chunk);
      expected.insert(expected.end(), chunk.begin(), chunk.end());
    }
    EXPECT_EQ(got->records, expected) << bytes;
    EXPECT_EQ(got->truncated, at != bytes) << bytes;
    EXPECT_EQ(got->damaged_chunks, 0U) << bytes;
  }
}

// One bit flipped anywhere behind the file header: what is handed over is always
// whole chunks as they were written, and what is missing is counted.
TEST_F(Recording, ADamagedChunkIsLeftOutAndCounted) {
  const auto chunks = small_chunks();
  const std::string whole = written(chunks);
  std::size_t begin = sizeof(RecordingHeader);
  for (std::size_t damaged = 0; damaged < chunks.size(); ++damaged) {
    const std::size_t end = begin + chunk_bytes(chunks[damaged]);
    for (std::size_t at = begin; at < end; ++at) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ 1);
      const auto got = read(bytes);
      ASSERT_TRUE(got);
      std::vector<std::string> before;
      std::vector<std::string> others;
      std::vector<std::string> all;
      for (std::size_t i = 0; i < chunks.size(); ++i) {
        all.insert(all.end(), chunks[i].begin(), chunks[i].end());
        if (i != damaged) others.insert(others.end(), chunks[i].begin(), chunks[i].end());
        if (i < damaged) before.insert(before.end(), chunks[i].begin(), chunks[i].end());
      }
      const std::size_t in_header = at - begin;
      if (in_header >= offsetof(ChunkHeader, records) && in_header < sizeof(ChunkHeader)) {
        EXPECT_EQ(got->records, all) << at;  // the count is for people
      } else if (in_header < offsetof(ChunkHeader, crc32)) {
        // Its magic or its length: where the next one begins cannot be known.
        EXPECT_EQ(got->records, before) << at;
        EXPECT_TRUE(got->truncated || got->damaged_chunks != 0) << at;
      } else {
        EXPECT_EQ(got->records, others) << at;
        EXPECT_EQ(got->damaged_chunks, 1U) << at;
        EXPECT_EQ(got->damaged_bytes, chunk_bytes(chunks[damaged]) - sizeof(ChunkHeader)) << at;
        EXPECT_FALSE(got->truncated) << at;
      }
    }
    begin = end;
  }
}

TEST_F(Recording, AHugeChunkIsNotBelieved) {
  std::string bytes = written({});
  bytes += test::bytes_of(ChunkHeader{.magic = kChunkMagic, .bytes = 0xffffffff, .crc32 = 0, .records = 1});
  const auto got = read(bytes);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->damaged_chunks, 1U);
  EXPECT_TRUE(got->truncated);
}

TEST_F(Recording, WhatFollowsTheLastChunkIsNoChunk) {
  const auto got = read(written(small_chunks()) + std::string(100, 'x'));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->records.size(), 4U);
  EXPECT_EQ(got->damaged_chunks, 1U);
  EXPECT_TRUE(got->truncated);
}

// The CRC says only that it is as it was written.
TEST_F(Recording, ARecordInsideThatLiesAboutItsSizeEndsItsChunk) {
  for (const std::uint32_t lie : {0U, 31U, 0xffffffffU}) {
    std::string good = StreamBuilder().fork(2, true).records().back();
    wire_header header{};
    std::memcpy(&header, good.data(), sizeof(header));
    header.size = lie;
    // The writer refuses it, so it goes in behind a record that covers both.
    std::string bad = good;
    std::memcpy(bad.data(), &header, sizeof(header));
    std::string both = good + bad;
    header.size = static_cast<std::uint32_t>(both.size());
    std::memcpy(both.data(), &header, sizeof(header));
    std::string file = written({{both}, {good}});
    const std::size_t body = sizeof(RecordingHeader) + sizeof(ChunkHeader);
    std::memcpy(file.data() + body, good.data(), good.size());
    ChunkHeader chunk{};
    std::memcpy(&chunk, file.data() + sizeof(RecordingHeader), sizeof(chunk));
    chunk.crc32 = static_cast<std::uint32_t>(
        ::crc32(0, reinterpret_cast<const Bytef*>(file.data() + body), static_cast<uInt>(both.size())));
    std::memcpy(file.data() + sizeof(RecordingHeader), &chunk, sizeof(chunk));
    const auto got = read(file);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->records, (std::vector<std::string>{good, good}));
    EXPECT_EQ(got->damaged_chunks, 1U);
    EXPECT_EQ(got->damaged_bytes, bad.size());
  }
}

// Live, such a record is counted and the next one read: so it has to be in a replay.
TEST_F(Recording, WhatIsNoRecordIsWrittenAsTheLossThatItIs) {
  const std::string good = StreamBuilder().fork(2, true).records().back();
  const auto got = read(written({{good, "", "short", std::string(40, '\0'), good.substr(0, 40), good}}));
  ASSERT_TRUE(got);
  ASSERT_EQ(got->records.size(), 6U);
  EXPECT_EQ(got->records.front(), good);
  EXPECT_EQ(got->records.back(), good);
  EXPECT_EQ(got->damaged_chunks, 0U);
  const char* const causes[] = {"bad_record_truncated", "bad_record_truncated", "bad_record_size", "bad_record_size"};
  for (std::size_t i = 0; i < 4; ++i) {
    const Decoded decoded = decode_record(view(got->records[i + 1]));
    ASSERT_TRUE(decoded.event);
    ASSERT_TRUE(std::holds_alternative<Loss>(*decoded.event));
    EXPECT_EQ(std::get<Loss>(*decoded.event).cause, causes[i]);
    EXPECT_EQ(std::get<Loss>(*decoded.event).count, 1U);
  }
}

TEST_F(Recording, AnotherVersionIsRefused) {
  const std::string whole = written(small_chunks());
  for (const std::size_t member : {offsetof(RecordingHeader, version), offsetof(RecordingHeader, wire_version)}) {
    std::string newer = whole;
    ++newer[member];
    test::write_all(path(), newer);
    const Result<RecordingReader> reader = RecordingReader::open(path());
    ASSERT_FALSE(reader);
    EXPECT_EQ(reader.error().code, ExitCode::kUsage);
    EXPECT_NE(reader.error().message.find("this madvtrace reads 1." + std::to_string(WIRE_VERSION)), std::string::npos)
        << reader.error().message;
  }
}

TEST_F(Recording, WhatIsNoneIsRefused) {
  for (const std::string& bytes : {std::string(), std::string("MADVREC\n"), std::string(1'000, 'x'),
                                   std::string("ts_ns,mono_ns,pid,tid,comm,cgroup_id\n")}) {
    EXPECT_FALSE(read(bytes));
  }
  const Result<RecordingReader> missing = RecordingReader::open(temporary / "missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ExitCode::kUsage);
  EXPECT_NE(missing.error().message.find("No such file or directory"), std::string::npos);
  EXPECT_FALSE(RecordingReader::open(temporary.path()));
}

TEST_F(Recording, IsReadFromAPipeToo) {
  const std::string bytes = written(small_chunks());
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ASSERT_EQ(::write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  ::close(ends[1]);
  Result<RecordingReader> reader = RecordingReader::over(UniqueFd(ends[0]), "pipe");
  ASSERT_TRUE(reader);
  RecordLog log;
  EXPECT_TRUE(reader->drain(log));
  EXPECT_EQ(log.records.size(), 4U);
}

TEST(Tee, HandsOnInOrder) {
  RecordLog one;
  RecordLog two;
  Tee tee;
  tee.on_record(view("dropped"));
  tee.add(one);
  tee.on_record(view("a"));
  tee.add(two);
  tee.on_record(view("b"));
  EXPECT_EQ(one.records, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(two.records, (std::vector<std::string>{"b"}));
}

}  // namespace
}  // namespace madvtrace
