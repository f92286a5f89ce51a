// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "golang/elf_image.h"
#include "golang/little_endian.h"
#include "tests/support/elf_builder.h"

namespace madvtrace {
namespace {

Result<ElfImage> open_bytes(const std::string& bytes) { return ElfImage::open(anonymous_file(bytes), "file"); }

std::string text(const std::vector<std::byte>& bytes) { return std::string(as_text(bytes)); }

ElfBuilder builder() {
  ElfBuilder elf;
  elf.segment(0x401000, PF_R | PF_X, "code of the program");
  elf.segment(0x402000, PF_R | PF_W, "12345678ABCDEFGH", 0x100);
  elf.section(".text", 0x401000, 19);
  elf.section(".data", 0x402000, 16);
  elf.section(".comment", "by hand");
  elf.symbol("main.value", 0x402008);
  elf.symbol("undefined", 0x1234, SHN_UNDEF);
  elf.symbol("main.value", 0x999999);
  return elf;
}

TEST(ElfImage, ReadsAProgramWhole) {
  const auto image = open_bytes(builder().build());
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->machine(), ElfMachine::kX86_64);
  EXPECT_FALSE(image->position_independent());
  ASSERT_EQ(image->segments().size(), 2U);
  EXPECT_EQ(image->segments()[0].addresses, (AddressRange{0x401000, 0x401013}));
  EXPECT_TRUE(image->segments()[0].executable);
  EXPECT_FALSE(image->segments()[0].writable);
  EXPECT_EQ(image->segments()[1].addresses, (AddressRange{0x402000, 0x402010}));
  EXPECT_EQ(image->segments()[1].memory_end, 0x402110U);
  EXPECT_TRUE(image->segments()[1].writable);
  const auto data = image->section(".data");
  ASSERT_TRUE(data);
  EXPECT_EQ(data->address, 0x402000U);
  EXPECT_EQ(data->offset, image->segments()[1].offset);
  EXPECT_EQ(data->bytes, 16U);
  EXPECT_FALSE(image->section(".bss"));
  EXPECT_EQ(image->symbol("main.value"), 0x402008U);
  EXPECT_FALSE(image->symbol("undefined"));
  EXPECT_FALSE(image->symbol("main.valu"));
  EXPECT_FALSE(image->symbol(""));
}

TEST(ElfImage, ReadsByAddressAsFarAsTheFileGoes) {
  const auto image = open_bytes(builder().build());
  ASSERT_TRUE(image);
  EXPECT_EQ(text(image->read(0x401000, 4)), "code");
  EXPECT_EQ(text(image->read(0x40100c, 4096)), "program");
  EXPECT_EQ(text(image->read(0x40100c, SIZE_MAX)), "program");
  EXPECT_TRUE(image->read(0x401013, 1).empty());
  EXPECT_TRUE(image->read(0x402010, 1).empty()) << "zeros that only memory has";
  EXPECT_TRUE(image->read(0, 1).empty());
  EXPECT_TRUE(image->read(UINT64_MAX, 1).empty());
  EXPECT_TRUE(image->read(0x401000, 0).empty());
}

TEST(ElfImage, NeedsNoSections) {
  ElfBuilder elf = builder();
  elf.with_sections = false;
  const auto image = open_bytes(elf.build());
  ASSERT_TRUE(image);
  EXPECT_TRUE(image->sections().empty());
  EXPECT_FALSE(image->symbol("main.value"));
  EXPECT_EQ(image->elf(), nullptr);
  EXPECT_EQ(text(image->read(0x401000, 4)), "code");
}

TEST(ElfImage, ASectionTableThatIsNotSoundIsNone) {
  const std::string good = builder().build();
  const auto with = [&](std::size_t at, auto value) {
    std::string bytes = good;
    put(bytes, at, value);
    const auto image = open_bytes(bytes);
    return image ? image->sections().size() : 999U;
  };
  const auto header = *load<Elf64_Ehdr>(std::as_bytes(std::span(good)));
  const std::size_t first = header.e_shoff + sizeof(Elf64_Shdr);
  EXPECT_EQ(with(0, good[0]), 6U);
  EXPECT_EQ(with(offsetof(Elf64_Ehdr, e_shoff), good.size() - 8), 0U);
  EXPECT_EQ(with(offsetof(Elf64_Ehdr, e_shoff), UINT64_MAX), 0U);
  EXPECT_EQ(with(offsetof(Elf64_Ehdr, e_shnum), std::uint16_t{0}), 0U);
  EXPECT_EQ(with(offsetof(Elf64_Ehdr, e_shnum), std::uint16_t{0xffff}), 0U);
  EXPECT_EQ(with(offsetof(Elf64_Ehdr, e_shentsize), std::uint16_t{1}), 0U);
  EXPECT_EQ(with(offsetof(Elf64_Ehdr, e_shstrndx), header.e_shnum), 0U);
  EXPECT_EQ(with(first + offsetof(Elf64_Shdr, sh_offset), UINT64_MAX), 0U);
  EXPECT_EQ(with(first + offsetof(Elf64_Shdr, sh_offset), std::uint64_t{good.size()}), 0U);
  EXPECT_EQ(with(first + offsetof(Elf64_Shdr, sh_size), UINT64_MAX), 0U);
  EXPECT_EQ(with(first + offsetof(Elf64_Shdr, sh_name), UINT32_MAX), 6U) << "a name alone can be missing";
}

TEST(ElfImage, RefusesWhatIsNoProgram) {
  const std::string good = builder().build();
  const auto refuses = [&](std::size_t at, auto value) {
    std::string bytes = good;
    put(bytes, at, value);
    return !open_bytes(bytes);
  };
  EXPECT_FALSE(open_bytes(""));
  EXPECT_FALSE(open_bytes("#!/bin/sh\n"));
  EXPECT_FALSE(open_bytes(std::string(4096, '\0')));
  EXPECT_TRUE(refuses(EI_CLASS, std::uint8_t{ELFCLASS32}));
  EXPECT_TRUE(refuses(EI_DATA, std::uint8_t{ELFDATA2MSB}));
  EXPECT_TRUE(refuses(offsetof(Elf64_Ehdr, e_type), std::uint16_t{ET_CORE}));
  EXPECT_TRUE(refuses(offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX));
  EXPECT_TRUE(refuses(offsetof(Elf64_Ehdr, e_phnum), std::uint16_t{0}));
  EXPECT_TRUE(refuses(offsetof(Elf64_Ehdr, e_phnum), std::uint16_t{1171}));
  EXPECT_TRUE(refuses(offsetof(Elf64_Ehdr, e_phentsize), std::uint16_t{32}));
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const UniqueFd writer(ends[1]);
  const auto pipe = ElfImage::open(UniqueFd(ends[0]), "pipe");
  ASSERT_FALSE(pipe);
  EXPECT_EQ(pipe.error().message, "pipe: not a regular file");
  EXPECT_FALSE(ElfImage::open(UniqueFd(), "nothing"));
}

TEST(ElfImage, TablesHaveLimits) {
  const auto with_segments = [](std::size_t count) {
    ElfBuilder elf;
    for (std::size_t number = 0; number < count; ++number) elf.segment(number * 0x1000, PF_R, "x");
    return open_bytes(elf.build());
  };
  EXPECT_TRUE(with_segments(ElfImage::kSegmentsLimit));
  EXPECT_FALSE(with_segments(ElfImage::kSegmentsLimit + 1));
  const auto sections = [](std::size_t count) {
    ElfBuilder elf;
    elf.segment(0x1000, PF_R, "x");
    // Beside the empty one in front, and .shstrtab.
    for (std::size_t number = 2; number < count; ++number) elf.section("s", 0x1000, 1);
    return open_bytes(elf.build())->sections().size();
  };
  EXPECT_EQ(sections(ElfImage::kSectionsLimit), ElfImage::kSectionsLimit - 1);
  EXPECT_EQ(sections(ElfImage::kSectionsLimit + 1), 0U);
}

TEST(ElfImage, SegmentsThatTheKernelWouldRefuseAreLeftOut) {
  const std::string good = builder().build();
  const auto segments = [&](std::size_t at, std::uint64_t value) {
    std::string bytes = good;
    put(bytes, sizeof(Elf64_Ehdr) + at, value);
    return open_bytes(bytes)->segments().size();
  };
  EXPECT_EQ(segments(offsetof(Elf64_Phdr, p_filesz), 0), 1U);
  EXPECT_EQ(segments(offsetof(Elf64_Phdr, p_filesz), UINT64_MAX), 1U);
  EXPECT_EQ(segments(offsetof(Elf64_Phdr, p_memsz), UINT64_MAX), 1U);
  EXPECT_EQ(segments(offsetof(Elf64_Phdr, p_vaddr), UINT64_MAX), 1U);
  std::string bytes = good;
  put(bytes, sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_offset), UINT64_MAX);
  EXPECT_TRUE(open_bytes(bytes)->read(0x401001, 4).empty());
}

TEST(ElfImage, TheFileCanBeCutOffWhileItIsRead) {
  const std::string bytes = builder().build();
  UniqueFd fd = anonymous_file(bytes);
  const int number = fd.get();
  const auto image = ElfImage::open(std::move(fd), "file");
  ASSERT_TRUE(image);
  ASSERT_EQ(::ftruncate(number, static_cast<off_t>(image->segments()[0].offset + 4)), 0);
  EXPECT_EQ(text(image->read(0x401000, 19)), "code");
  EXPECT_TRUE(image->read(0x402000, 16).empty());
  EXPECT_FALSE(image->symbol("main.value"));
  EXPECT_FALSE(image->word(0x402000));
}

TEST(ElfImage, SurvivesEveryTruncation) {
  ElfBuilder elf = builder();
  elf.type = ET_DYN;
  elf.relocation(0x402000, 0x401000);
  const std::string bytes = elf.build();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto image = open_bytes(bytes.substr(0, length));
    if (!image) continue;
    EXPECT_TRUE(image->sections().empty()) << "the table is at the end";
    static_cast<void>(image->read_relocated(0x402000, 16));
    static_cast<void>(image->symbol("main.value"));
    static_cast<void>(image->elf());
  }
}

TEST(ElfImage, PointersComeFromRelocations) {
  for (const Elf64_Half machine : {Elf64_Half{EM_X86_64}, Elf64_Half{EM_AARCH64}}) {
    ElfBuilder elf = builder();
    elf.machine = machine;
    elf.type = ET_DYN;
    elf.with_sections = false;
    elf.relocation(0x402008, 0x401004);
    elf.relocation(0x402014, 0x401004);  // beyond the bytes of the file
    const auto image = open_bytes(elf.build());
    ASSERT_TRUE(image);
    EXPECT_TRUE(image->position_independent());
    EXPECT_EQ(image->word(0x402008), 0x401004U);
    EXPECT_EQ(image->word(0x402000), 0x3837363534333231U) << "no relocation: the file's own";
    EXPECT_EQ(text(image->read(0x402008, 8)), "ABCDEFGH");
    EXPECT_FALSE(image->word(0x402009)) << "not whole";
    // Half of a relocated word is not relocated.
    EXPECT_EQ(text(image->read_relocated(0x402000, 12)), "12345678ABCD");
    EXPECT_EQ(text(image->read_relocated(0x40200c, 4)), "EFGH");
  }
}

TEST(ElfImage, OtherMachinesHaveOtherRelocations) {
  ElfBuilder elf = builder();
  elf.machine = EM_RISCV;
  elf.type = ET_DYN;
  elf.relocation(0x402008, 0x401004);
  const auto image = open_bytes(elf.build());
  ASSERT_TRUE(image);
  EXPECT_EQ(image->machine(), ElfMachine::kOther);
  EXPECT_EQ(image->word(0x402008), 0x4847464544434241U);
}

TEST(ElfImage, ManyLookUpsReadTheSymbolsOnce) {
  ElfBuilder elf = builder();
  constexpr std::size_t kSymbols = 50'000;
  for (std::size_t number = 0; number < kSymbols; ++number) elf.symbol("s" + std::to_string(number), number);
  const auto image = open_bytes(elf.build());
  ASSERT_TRUE(image);
  // Quadratic would be 2.5 billion comparisons.
  for (std::size_t number = 0; number < kSymbols; ++number) {
    ASSERT_EQ(image->symbol("s" + std::to_string(number)), number);
  }
}

TEST(ElfImage, LibelfGetsOnlyWhatFitsIntoMemory) {
  EXPECT_NE(open_bytes(builder().build())->elf(), nullptr);

  ElfBuilder modern = builder();
  ByteWriter header;
  header.add(Elf64_Chdr{.ch_type = ELFCOMPRESS_ZLIB, .ch_size = ElfImage::kLibelfLimitBytes});
  modern.section(".debug_info", header.bytes(), SHF_COMPRESSED);
  EXPECT_EQ(open_bytes(modern.build())->elf(), nullptr);

  ElfBuilder old = builder();
  ByteWriter text_header;
  text_header.text("ZLIB").add(__builtin_bswap64(ElfImage::kLibelfLimitBytes));
  old.section(".zdebug_info", text_header.bytes());
  EXPECT_EQ(open_bytes(old.build())->elf(), nullptr);

  ElfBuilder wraps = builder();
  ByteWriter huge;
  huge.add(Elf64_Chdr{.ch_type = ELFCOMPRESS_ZLIB, .ch_size = UINT64_MAX});
  wraps.section(".debug_a", huge.bytes(), SHF_COMPRESSED);
  wraps.section(".debug_b", huge.bytes(), SHF_COMPRESSED);
  EXPECT_EQ(open_bytes(wraps.build())->elf(), nullptr);
}

TEST(ElfImage, ACopyIsTheSameFile) {
  std::vector<ElfImage> copies;
  {
    const auto image = open_bytes(builder().build());
    ASSERT_TRUE(image);
    copies.push_back(*image);
  }
  EXPECT_EQ(text(copies[0].read(0x401000, 4)), "code");
}

}  // namespace
}  // namespace madvtrace
