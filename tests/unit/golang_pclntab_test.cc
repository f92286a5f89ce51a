// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "golang/pclntab.h"
#include "tests/support/elf_builder.h"
#include "tests/support/go_image.h"

namespace madvtrace {
namespace {

Result<ElfImage> open_bytes(const std::string& bytes) { return ElfImage::open(anonymous_file(bytes), "file"); }

Result<Pclntab> read_table(const GoImage& image) { return Pclntab::read(*open_bytes(image.build())); }

// Layout, text in the module, position independent, with sections, aarch64.
using Shape = std::tuple<PclntabLayout, bool, bool, bool, bool>;

class PclntabShape : public testing::TestWithParam<Shape> {
 protected:
  static GoImage image() {
    const auto [layout, in_module, pie, sections, aarch64] = GetParam();
    return {.layout = layout,
            .text_in_module = in_module,
            .position_independent = pie,
            .aarch64 = aarch64,
            .with_sections = sections};
  }
};

TEST_P(PclntabShape, FindsFunctionsByAddressAndName) {
  const auto table = read_table(image());
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->layout(), image().layout);
  EXPECT_EQ(table->address(), GoImage::kTable);
  const auto& names = GoImage::functions();
  ASSERT_EQ(table->size(), names.size());
  for (std::size_t number = 0; number < names.size(); ++number) {
    const std::uint64_t begin = GoImage::function_address(number);
    const AddressRange code{begin, begin + GoImage::kFunctionBytes};
    for (const std::uint64_t pc : {code.begin, code.begin + 7, code.end - 1}) {
      const auto found = table->at(pc);
      ASSERT_TRUE(found) << number;
      EXPECT_EQ(found->name, names[number]);
      EXPECT_EQ(found->code, code);
    }
  }
  EXPECT_FALSE(table->at(GoImage::function_address(0) - 1));
  EXPECT_FALSE(table->at(GoImage::function_address(names.size())));
  EXPECT_FALSE(table->at(0));
  EXPECT_FALSE(table->at(UINT64_MAX));
  EXPECT_FALSE(table->function(names.size()));

  const auto found = table->find("runtime.(*mheap).freeSpanLocked");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->code.begin, GoImage::function_address(2));
  EXPECT_EQ(found->name, "runtime.(*mheap).freeSpanLocked");
  const auto lowest = table->find("runtime.gcStart");
  ASSERT_TRUE(lowest);
  EXPECT_EQ(lowest->code.begin, GoImage::function_address(1));
  EXPECT_TRUE(table->find(names[3])) << "a name of 309 bytes";
  EXPECT_FALSE(table->find("runtime.gcStar"));
  EXPECT_FALSE(table->find("runtime.gcStart2"));
  EXPECT_FALSE(table->find(""));
}

TEST_P(PclntabShape, SurvivesEveryTruncation) {
  const std::string bytes = image().build();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto file = open_bytes(bytes.substr(0, length));
    if (!file) continue;
    const auto table = Pclntab::read(*file);
    if (!table) continue;
    for (std::size_t number = 0; number < table->size(); ++number) static_cast<void>(table->function(number));
    static_cast<void>(table->find("main.main"));
  }
}

TEST_P(PclntabShape, SurvivesEveryByteBeingWrong) {
  const std::string bytes = image().build();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string spoilt = bytes;
    spoilt[at] = static_cast<char>(~spoilt[at]);
    const auto file = open_bytes(spoilt);
    if (!file) continue;
    const auto table = Pclntab::read(*file);
    if (!table) continue;
    for (std::size_t number = 0; number < table->size(); ++number) static_cast<void>(table->function(number));
    static_cast<void>(table->find("main.main"));
  }
}

std::string shape_name(const testing::TestParamInfo<Shape>& shape) {
  const auto [layout, in_module, pie, sections, aarch64] = shape.param;
  static constexpr const char* kLayouts[]{"Go12", "Go116", "Go118", "Go120"};
  return std::string(kLayouts[static_cast<int>(layout)]) + (in_module ? "_module" : "") + (pie ? "_pie" : "") +
         (sections ? "" : "_stripped") + (aarch64 ? "_aarch64" : "");
}

INSTANTIATE_TEST_SUITE_P(Layouts, PclntabShape,
                         testing::Combine(testing::Values(PclntabLayout::kGo12, PclntabLayout::kGo116,
                                                          PclntabLayout::kGo118, PclntabLayout::kGo120),
                                          testing::Values(false), testing::Bool(), testing::Bool(), testing::Bool()),
                         shape_name);
INSTANTIATE_TEST_SUITE_P(Module, PclntabShape,
                         testing::Combine(testing::Values(PclntabLayout::kGo120), testing::Values(true),
                                          testing::Bool(), testing::Bool(), testing::Bool()),
                         shape_name);

TEST(Pclntab, OutlivesTheImageItWasReadFrom) {
  std::optional<Pclntab> table;
  {
    const auto image = open_bytes(GoImage{}.build());
    table = *Pclntab::read(*image);
  }
  EXPECT_EQ(table->at(GoImage::function_address(4))->name, "main.main");
}

TEST(Pclntab, WithoutATextNothingIsFound) {
  GoImage image{.layout = PclntabLayout::kGo120, .text_in_module = true, .with_sections = false};
  EXPECT_TRUE(read_table(image));
  // The first word of the module, and with it the only pointer to the table.
  std::string bytes = image.build();
  const std::string pointer = ByteWriter().add(GoImage::kTable).bytes();
  // Behind the program headers, which have the same address in them.
  const std::size_t at = bytes.find(pointer, 1024);
  ASSERT_NE(at, std::string::npos);
  put<std::uint64_t>(bytes, at, 0);
  EXPECT_FALSE(Pclntab::read(*open_bytes(bytes)));
}

TEST(Pclntab, RefusesTablesThatDoNotHoldTogether) {
  // Each spoils the Go 1.18 layout: header of 72 bytes, entries, records.
  const auto spoilt = [](void (*spoil)(std::string&)) {
    const auto table = read_table({.spoil_table = spoil});
    return !table;
  };
  EXPECT_FALSE(spoilt([](std::string&) {}));
  EXPECT_TRUE(spoilt([](std::string& table) { put<std::uint32_t>(table, 0, 0xfffffff2); }));
  EXPECT_TRUE(spoilt([](std::string& table) { put<std::uint16_t>(table, 4, 1); }));
  EXPECT_TRUE(spoilt([](std::string& table) { put<std::uint8_t>(table, 6, 2); }));
  EXPECT_TRUE(spoilt([](std::string& table) { put<std::uint8_t>(table, 7, 4); })) << "32-bit";
  for (const std::uint64_t count :
       {std::uint64_t{0}, std::uint64_t{1} << 32, UINT64_MAX, UINT64_MAX / 8, std::uint64_t{Pclntab::kFunctionsLimit},
        std::uint64_t{GoImage::functions().size() + 1}}) {
    std::string bytes = GoImage{}.build();
    const std::size_t at = bytes.find(ByteWriter().add<std::uint32_t>(0xfffffff0).bytes());
    put(bytes, at + 8, count);
    EXPECT_FALSE(Pclntab::read(*open_bytes(bytes))) << count;
  }
  EXPECT_TRUE(spoilt([](std::string& table) { put<std::uint64_t>(table, 24, 0x402000); })) << "text is not code";
  EXPECT_TRUE(spoilt([](std::string& table) { put<std::uint64_t>(table, 64, UINT64_MAX - 7); })) << "entries";
  EXPECT_TRUE(spoilt([](std::string& table) { put<std::uint64_t>(table, 64, table.size()); })) << "entries";
  EXPECT_TRUE(spoilt([](std::string& table) { put<std::uint64_t>(table, 32, UINT64_MAX / 2); })) << "names";
  EXPECT_TRUE(spoilt([](std::string& table) {
    std::uint64_t entries = 0;
    std::memcpy(&entries, table.data() + 64, sizeof(entries));
    put<std::uint32_t>(table, entries + 8, 0x400);
  })) << "not sorted";
  EXPECT_TRUE(spoilt([](std::string& table) {
    std::uint64_t entries = 0;
    std::memcpy(&entries, table.data() + 64, sizeof(entries));
    put<std::uint32_t>(table, entries + 4, 0xfffffff0);
  })) << "a record that is not there";
  EXPECT_TRUE(spoilt([](std::string& table) { put<std::int32_t>(table, table.size() - 36, -1); })) << "a name";
}

TEST(Pclntab, TheSectionLeadsToTheModule) {
  GoImage image{.layout = PclntabLayout::kGo120, .text_in_module = true, .table_pointers = 15};
  EXPECT_TRUE(read_table(image));
  image.table_pointers = 16;
  EXPECT_TRUE(read_table(image));
  image.with_sections = false;
  EXPECT_FALSE(read_table(image)) << "enough looked at";
  image.table_pointers = 15;
  EXPECT_TRUE(read_table(image));
}

// A file that looks like a table everywhere must not take for ever.
TEST(Pclntab, DoesNotTryForEver) {
  const auto with_decoys = [](std::size_t count) {
    std::string bytes = GoImage{.with_sections = false}.build();
    const std::size_t text = bytes.find(std::string(64, '\xcc'));
    for (std::size_t number = 0; number < count; ++number) {
      put<std::uint64_t>(bytes, text + number * 16, 0x08010000fffffff1);
    }
    return bytes;
  };
  EXPECT_TRUE(Pclntab::read(*open_bytes(with_decoys(7))));
  EXPECT_FALSE(Pclntab::read(*open_bytes(with_decoys(8))));
}

TEST(Pclntab, TheNumberOfFunctionsHasALimit) {
  // Nothing but empty functions at the beginning of the text, all with one record: zeros.
  const auto with_functions = [](std::uint64_t count) {
    ByteWriter table;
    table.add<std::uint64_t>(0x08010000fffffff1).add(count).add<std::uint64_t>(0).add(GoImage::kText);
    table.add<std::uint64_t>(72).pad_to(64).add<std::uint64_t>(80).text("name").pad_to(80 + (count * 2 + 1) * 4);
    ElfBuilder elf;
    elf.segment(GoImage::kText, PF_R | PF_X, "code");
    elf.segment(0x10000000, PF_R, table.bytes());
    return Pclntab::read(*open_bytes(elf.build()));
  };
  EXPECT_TRUE(with_functions(Pclntab::kFunctionsLimit));
  EXPECT_FALSE(with_functions(Pclntab::kFunctionsLimit + 1));
}

TEST(Pclntab, ProgramsThatAreNotGosHaveNone) {
  ElfBuilder elf;
  elf.segment(0x400000, PF_R | PF_X, std::string(100'000, 'x'));
  const auto table = Pclntab::read(*open_bytes(elf.build()));
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().message, "file: has no table of Go functions that can be read");
}

}  // namespace
}  // namespace madvtrace
