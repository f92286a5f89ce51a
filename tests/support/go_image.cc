// SPDX-License-Identifier: Apache-2.0
#include "tests/support/go_image.h"

#include <elf.h>

#include <utility>

#include "tests/support/elf_builder.h"

namespace madvtrace {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kModules =
    "0w\xaf\x0c\x92t\x08\x02"
    "A\xe1\xc1\x07\xe6\xd6\x18\xe6"
    "path\tmadvtrace.test/tiny/cmd\n"
    "mod\tmadvtrace.test/tiny\tv1.2.3\t\n"
    "dep\tmadvtrace.test/other\tv0.0.1\t\n"
    "build\t-tags=netgo,osusergo\n"
    "build\tCGO_ENABLED=0\n"
    "\xf9"
    "2C1\x86\x18 r\x00\x82"
    "B\x10"
    "A\x16\xd8\xf2"sv;

// The table, and where in it pointers to code stand.
struct Table {
  ByteWriter bytes;
  std::vector<std::pair<std::size_t, std::uint64_t>> pointers;

  void pointer(std::uint64_t address) {
    pointers.emplace_back(bytes.size(), address);
    bytes.add(address);
  }
};

bool is_wide(PclntabLayout layout) { return layout == PclntabLayout::kGo12 || layout == PclntabLayout::kGo116; }

std::uint32_t magic_of(PclntabLayout layout) {
  switch (layout) {
    case PclntabLayout::kGo12:
      return 0xfffffffb;
    case PclntabLayout::kGo116:
      return 0xfffffffa;
    case PclntabLayout::kGo118:
      return 0xfffffff0;
    case PclntabLayout::kGo120:
      break;
  }
  return 0xfffffff1;
}

Table make_table(const GoImage& image) {
  const auto& names = GoImage::functions();
  const bool wide = is_wide(image.layout);
  std::string all_names(1, '\0');
  std::vector<std::uint32_t> name_offsets;
  for (const std::string& name : names) {
    name_offsets.push_back(static_cast<std::uint32_t>(all_names.size()));
    all_names += name + '\0';
  }
  const std::size_t header_bytes = image.layout == PclntabLayout::kGo12    ? 16
                                   : image.layout == PclntabLayout::kGo116 ? 64
                                                                           : 72;
  const std::size_t names_at = header_bytes;
  const std::size_t entries_at =
      image.layout == PclntabLayout::kGo12 ? header_bytes : (names_at + all_names.size() + 7) / 8 * 8;
  const std::size_t word = wide ? 8 : 4;
  const std::size_t records_at = (entries_at + (names.size() * 2 + 1) * word + 7) / 8 * 8;
  const std::size_t record_bytes = 40;
  // The Go 1.2 layout has no part for the names: they are behind the functions.
  const std::size_t go12_names_at = records_at + names.size() * record_bytes;

  Table table;
  table.bytes.add(magic_of(image.layout)).add<std::uint16_t>(0).add<std::uint8_t>(image.aarch64 ? 4 : 1);
  table.bytes.add<std::uint8_t>(8).add<std::uint64_t>(names.size());
  if (image.layout != PclntabLayout::kGo12) {
    table.bytes.add<std::uint64_t>(1);
    if (!wide && image.text_in_module) table.bytes.add<std::uint64_t>(0);
    if (!wide && !image.text_in_module) table.pointer(GoImage::kText);
    table.bytes.add<std::uint64_t>(names_at);
    for (int part = 0; part < 3; ++part) table.bytes.add<std::uint64_t>(entries_at);
    table.bytes.add<std::uint64_t>(entries_at);
    table.bytes.text(all_names);
  }
  table.bytes.pad_to(entries_at);
  const std::size_t base = image.layout == PclntabLayout::kGo12 ? 0 : entries_at;
  for (std::size_t number = 0; number <= names.size(); ++number) {
    const std::uint64_t address = GoImage::function_address(number);
    const std::uint64_t record = records_at - base + number * record_bytes;
    if (wide) {
      table.pointer(address);
      if (number < names.size()) table.bytes.add(record);
    } else {
      table.bytes.add(static_cast<std::uint32_t>(address - GoImage::kText));
      if (number < names.size()) table.bytes.add(static_cast<std::uint32_t>(record));
    }
  }
  for (std::size_t number = 0; number < names.size(); ++number) {
    table.bytes.pad_to(records_at + number * record_bytes);
    const std::uint64_t address = GoImage::function_address(number);
    if (wide) {
      table.pointer(address);
    } else {
      table.bytes.add(static_cast<std::uint32_t>(address - GoImage::kText));
    }
    const std::size_t names_base = image.layout == PclntabLayout::kGo12 ? go12_names_at : 0;
    table.bytes.add(static_cast<std::uint32_t>(names_base + name_offsets[number]));
  }
  table.bytes.pad_to(go12_names_at);
  if (image.layout == PclntabLayout::kGo12) table.bytes.text(all_names);
  return table;
}

}  // namespace

const std::vector<std::string>& GoImage::functions() {
  static const std::vector<std::string> names{
      "runtime.text", "runtime.gcStart", "runtime.(*mheap).freeSpanLocked",         "main.long" + std::string(300, 'g'),
      "main.main",    "runtime.gcStart", "runtime.(*gcControllerState).startCycle", "runtime.gcSweep"};
  return names;
}

std::string GoImage::build() const {
  ElfBuilder elf;
  elf.type = position_independent ? ET_DYN : ET_EXEC;
  elf.machine = aarch64 ? EM_AARCH64 : EM_X86_64;
  elf.with_sections = with_sections;
  Table table = make_table(*this);

  ByteWriter read_only;
  const auto place_text = [&](std::string_view text) {
    const std::uint64_t address = kReadOnly + read_only.size();
    read_only.text(text);
    return address;
  };
  place_text("other text");
  const std::uint64_t version_at = place_text(version);
  const std::uint64_t modules_at = place_text(kModules);

  ByteWriter data;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> pointers;  // in the data
  const auto add_pointer = [&](std::uint64_t value) {
    pointers.emplace_back(kData + data.size(), value);
    data.add(position_independent ? std::uint64_t{0} : value);
  };
  const auto add_string = [&](std::uint64_t text, std::uint64_t bytes) {
    const std::uint64_t address = kData + data.size();
    add_pointer(text);
    data.add(bytes);
    return address;
  };
  const std::uint64_t version_string = add_string(version_at, version.size());
  const std::uint64_t modules_string = add_string(modules_at, kModules.size());
  for (const std::string& each : strings) add_string(place_text(each), each.size());

  if (build_info != BuildInfoFormat::kNone) {
    data.align(16);
    const std::uint64_t begin = kData + data.size();
    data.text("\xff Go buildinf:").add<std::uint8_t>(8);
    if (build_info == BuildInfoFormat::kPointers) {
      data.add<std::uint8_t>(0);
      add_pointer(version_string);
      add_pointer(modules_string);
    } else {
      data.add<std::uint8_t>(2).align(16).pad_to(data.size() + 16);
      // A length of two bytes: all of the modules' lines are longer than 127.
      data.add(static_cast<std::uint8_t>(version.size())).text(version);
      data.add(static_cast<std::uint8_t>(kModules.size() | 0x80)).add(static_cast<std::uint8_t>(kModules.size() >> 7));
      data.text(kModules);
    }
    elf.section(".go.buildinfo", begin, kData + data.size() - begin);
  }
  if (layout == PclntabLayout::kGo120 && text_in_module) {
    data.align(16);
    for (std::size_t number = 0; number < table_pointers; ++number) add_pointer(kTable);
    const std::uint64_t begin = kData + data.size();
    add_pointer(kTable);
    data.pad_to(data.size() + 152);
    add_pointer(function_address(0));
    add_pointer(function_address(functions().size()));
    add_pointer(kText);
    elf.section(".go.module", begin, kData + data.size() - begin);
  }

  std::string table_bytes = table.bytes.bytes();
  for (const auto& [offset, value] : table.pointers) {
    if (!position_independent) continue;
    put<std::uint64_t>(table_bytes, offset, 0);
    elf.relocation(kTable + offset, value);
  }
  for (const auto& [address, value] : pointers) {
    if (position_independent) elf.relocation(address, value);
  }
  if (spoil_table != nullptr) spoil_table(table_bytes);

  elf.section(position_independent ? ".data.rel.ro.gopclntab" : ".gopclntab", kTable, table_bytes.size());
  elf.segment(kText, PF_R | PF_X, std::string(0x10 + functions().size() * kFunctionBytes, '\xcc'));
  elf.segment(kReadOnly, PF_R, read_only.bytes());
  elf.segment(kTable, position_independent ? PF_R | PF_W : PF_R, table_bytes);
  elf.segment(kData, PF_R | PF_W, data.bytes(), 0x1000);
  if (with_symbols) {
    elf.symbol("runtime.buildVersion", version_string);
    elf.symbol("runtime.gcStart", function_address(1));
  }
  return elf.build();
}

}  // namespace madvtrace
