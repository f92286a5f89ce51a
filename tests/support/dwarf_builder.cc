// SPDX-License-Identifier: Apache-2.0
#include "tests/support/dwarf_builder.h"

#include <dwarf.h>

#include <initializer_list>

namespace madvtrace {
namespace {

enum Abbreviation : std::uint8_t { kUnit = 1, kBase, kStructure, kMember, kArray, kTypedef, kVariable };

void add_uleb(ByteWriter& bytes, std::uint64_t value) {
  constexpr std::uint64_t kSevenBits = 0x7f;
  while (value > kSevenBits) {
    bytes.add(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  bytes.add(static_cast<std::uint8_t>(value));
}

void add_abbreviation(ByteWriter& bytes, Abbreviation code, std::uint8_t tag, bool children,
                      std::initializer_list<std::pair<std::uint8_t, std::uint8_t>> attributes) {
  bytes.add(static_cast<std::uint8_t>(code)).add(tag).add(static_cast<std::uint8_t>(children ? 1 : 0));
  for (const auto& [name, form] : attributes) bytes.add(name).add(form);
  bytes.add(std::uint16_t{0});
}

}  // namespace

DwarfBuilder::DwarfBuilder(std::string_view unit_name) {
  entries_.add(static_cast<std::uint8_t>(kUnit));
  add_name(unit_name);
}

void DwarfBuilder::add_name(std::string_view name) { entries_.text(name).add('\0'); }

DwarfBuilder::Type DwarfBuilder::base(std::string_view name, std::uint8_t bytes) {
  const Type type = here();
  entries_.add(static_cast<std::uint8_t>(kBase));
  add_name(name);
  entries_.add(bytes);
  return type;
}

DwarfBuilder::Type DwarfBuilder::structure(std::string_view name, std::uint64_t bytes,
                                           const std::vector<Member>& members) {
  const Type type = here();
  entries_.add(static_cast<std::uint8_t>(kStructure));
  add_name(name);
  add_uleb(entries_, bytes);
  for (const Member& member : members) {
    entries_.add(static_cast<std::uint8_t>(kMember));
    add_name(member.name);
    add_uleb(entries_, member.offset);
    entries_.add(member.type);
  }
  entries_.add(std::uint8_t{0});
  return type;
}

DwarfBuilder::Type DwarfBuilder::array(std::string_view name, std::uint64_t bytes, Type element) {
  const Type type = here();
  entries_.add(static_cast<std::uint8_t>(kArray));
  add_name(name);
  add_uleb(entries_, bytes);
  entries_.add(element);
  return type;
}

DwarfBuilder::Type DwarfBuilder::name_for(std::string_view name, Type type) {
  const Type named = here();
  entries_.add(static_cast<std::uint8_t>(kTypedef));
  add_name(name);
  entries_.add(type);
  return named;
}

void DwarfBuilder::variable(std::string_view name, std::uint64_t address, Type type) {
  entries_.add(static_cast<std::uint8_t>(kVariable));
  add_name(name);
  entries_.add(std::uint8_t{1 + sizeof(address)}).add(std::uint8_t{DW_OP_addr}).add(address).add(type);
}

std::string DwarfBuilder::info() const {
  constexpr std::uint16_t kVersion = 4;
  constexpr std::uint8_t kAddressBytes = 8;
  const auto length = static_cast<std::uint32_t>(kHeaderBytes - sizeof(std::uint32_t) + entries_.size() + 1);
  ByteWriter all;
  all.add(length).add(kVersion).add(std::uint32_t{0}).add(kAddressBytes).text(entries_.bytes()).add(std::uint8_t{0});
  return all.bytes();
}

std::string DwarfBuilder::abbreviations() {
  ByteWriter all;
  add_abbreviation(all, kUnit, DW_TAG_compile_unit, true, {{DW_AT_name, DW_FORM_string}});
  add_abbreviation(all, kBase, DW_TAG_base_type, false,
                   {{DW_AT_name, DW_FORM_string}, {DW_AT_byte_size, DW_FORM_data1}});
  add_abbreviation(all, kStructure, DW_TAG_structure_type, true,
                   {{DW_AT_name, DW_FORM_string}, {DW_AT_byte_size, DW_FORM_udata}});
  add_abbreviation(
      all, kMember, DW_TAG_member, false,
      {{DW_AT_name, DW_FORM_string}, {DW_AT_data_member_location, DW_FORM_udata}, {DW_AT_type, DW_FORM_ref4}});
  add_abbreviation(all, kArray, DW_TAG_array_type, false,
                   {{DW_AT_name, DW_FORM_string}, {DW_AT_byte_size, DW_FORM_udata}, {DW_AT_type, DW_FORM_ref4}});
  add_abbreviation(all, kTypedef, DW_TAG_typedef, false, {{DW_AT_name, DW_FORM_string}, {DW_AT_type, DW_FORM_ref4}});
  add_abbreviation(all, kVariable, DW_TAG_variable, false,
                   {{DW_AT_name, DW_FORM_string}, {DW_AT_location, DW_FORM_block1}, {DW_AT_type, DW_FORM_ref4}});
  all.add(std::uint8_t{0});
  return all.bytes();
}

DwarfBuilder DwarfBuilder::runtime() {
  DwarfBuilder dwarf("runtime");
  const Type u64 = dwarf.base("uint64", 8);
  const Type i32 = dwarf.base("int32", 4);
  const Type atomic = dwarf.structure("atomic.Uint64", 8, {{"_", 0, i32}, {"value", 0, u64}});
  const Type stat = dwarf.name_for("runtime.sysMemStat", u64);
  const Type controller = dwarf.name_for("runtime.gcControllerState", dwarf.structure("runtime.gcControllerState", 64,
                                                                                      {{"gcPercent", 0, i32},
                                                                                       {"heapInUse", 8, stat},
                                                                                       {"heapReleased", 16, stat},
                                                                                       {"heapFree", 24, stat},
                                                                                       {"mappedReady", 48, atomic}}));
  const Type classes = dwarf.array("[2]uint64", 16, u64);
  const Type delta = dwarf.structure("runtime.heapStatsDelta", 88,
                                     {{"released", 0, u64},
                                      {"inHeap", 8, u64},
                                      {"inStacks", 16, u64},
                                      {"inWorkBufs", 24, u64},
                                      {"tinyAllocCount", 32, u64},
                                      {"largeAllocCount", 40, u64},
                                      {"largeFreeCount", 48, u64},
                                      {"smallAllocCount", 56, classes},
                                      {"smallFreeCount", 72, classes}});
  const Type consistent = dwarf.structure("runtime.consistentHeapStats", 272,
                                          {{"stats", 0, dwarf.array("[3]runtime.heapStatsDelta", 264, delta)}});
  const Type memstats = dwarf.structure("runtime.mstats", 4096, {{"heapStats", 0, consistent}, {"numgc", 512, i32}});
  const Type slice = dwarf.structure("[]runtime.arenaIdx", 24, {{"array", 0, u64}, {"len", 8, u64}, {"cap", 16, u64}});
  const Type heap = dwarf.structure("runtime.mheap", 4096, {{"allArenas", 128, slice}});
  dwarf.variable("runtime.gcController", 0x10000, controller);
  dwarf.variable("runtime.memstats", 0x11000, memstats);
  dwarf.variable("runtime.mheap_", 0x13000, heap);
  return dwarf;
}

std::string elf_with_dwarf(const std::string& info, const std::string& abbreviations) {
  ElfBuilder builder;
  builder.segment(0x10000, PF_R | PF_W, std::string(16, '\0'), 0x4000);
  builder.section(".debug_info", info);
  builder.section(".debug_abbrev", abbreviations);
  return builder.build();
}

}  // namespace madvtrace
