// SPDX-License-Identifier: Apache-2.0
#include "golang/pclntab.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "golang/little_endian.h"
#include "golang/pointer_scan.h"

namespace madvtrace {
namespace {

constexpr std::size_t kHeaderBytes = 72;  // of the longest
constexpr std::size_t kShortNameBytes = 128;
// Beyond the beginning of the last function's record: the rest of it, and its name.
constexpr std::uint64_t kTailBytes = std::uint64_t{64} * 1024;

// A hostile file can look like a table everywhere, and each look costs reads.
constexpr std::size_t kTablesLimit = 8;
constexpr std::size_t kModulesLimit = 16;

constexpr std::array<std::string_view, 2> kSections{".gopclntab", ".data.rel.ro.gopclntab"};

// runtime.moduledata since 1.16 (src/runtime/symtab.go): pcHeader, six slices, and then
// findfunctab, minpc, maxpc, text.
constexpr std::uint64_t kModuleMinPc = 160;
constexpr std::uint64_t kModuleMaxPc = 168;
constexpr std::uint64_t kModuleText = 176;

std::optional<PclntabLayout> layout_of(std::uint32_t magic) {
  switch (magic) {
    case 0xfffffffb:
      return PclntabLayout::kGo12;
    case 0xfffffffa:
      return PclntabLayout::kGo116;
    case 0xfffffff0:
      return PclntabLayout::kGo118;
    case 0xfffffff1:
      return PclntabLayout::kGo120;
    default:
      return std::nullopt;
  }
}

// The magic, two zeros, the size of an instruction's unit (1 on x86-64, 4 on arm64), the
// size of a pointer.
std::optional<PclntabLayout> layout_at(std::span<const std::byte> bytes, std::uint64_t offset) {
  const auto start = load<std::uint64_t>(bytes, offset);
  if (!start) return std::nullopt;
  const std::uint64_t rest = *start >> 32;
  if (rest != 0x08010000 && rest != 0x08040000) return std::nullopt;
  return layout_of(static_cast<std::uint32_t>(*start));
}

bool is_code(const ElfImage& image, AddressRange range) {
  return std::any_of(image.segments().begin(), image.segments().end(), [&](const ElfSegment& segment) {
    return segment.executable && range.begin >= segment.addresses.begin && range.end <= segment.addresses.end;
  });
}

}  // namespace

bool Pclntab::read_header(std::uint64_t address) {
  address_ = address;
  const auto header = image_.read(address, kHeaderBytes);
  const auto layout = layout_at(header, 0);
  if (!layout) return false;
  layout_ = *layout;
  const auto field = [&](std::size_t number) { return load<std::uint64_t>(header, 8 + number * 8).value_or(0); };
  const std::uint64_t count = field(0);
  if (count == 0 || count > kFunctionsLimit) return false;
  count_ = static_cast<std::size_t>(count);
  // Sums may wrap: reads at a nonsensical address give nothing.
  if (layout_ == PclntabLayout::kGo12) {
    funcs_ = names_ = address;
    return read_entries(address + 16);
  }
  // Fields: functions, files, since 1.18 text, names, units, files, pc data, functions.
  const std::size_t names_field = layout_ == PclntabLayout::kGo116 ? 2 : 3;
  names_ = address + field(names_field);
  funcs_ = address + field(names_field + 4);
  return read_entries(funcs_);
}

bool Pclntab::read_entries(std::uint64_t address) {
  const std::size_t bytes = (count_ * 2 + 1) * word_bytes();
  entries_ = is_wide() ? image_.read_relocated(address, bytes) : image_.read(address, bytes);
  return entries_.size() == bytes;
}

// Without it, entries that count from the text mean nothing.
bool Pclntab::find_text() {
  if (is_wide()) {
    text_ = entry(0).pc;
    return true;
  }
  text_ = image_.word(address_ + 24).value_or(0);
  if (text_ != 0) return true;
  const std::uint64_t begin = entry(0).pc;
  const std::uint64_t end = end_pc(count_ - 1);
  const auto try_module = [&](std::uint64_t module) {
    const auto bytes = image_.read_relocated(module, kModuleText + 8);
    const auto field = [&](std::uint64_t offset) { return load<std::uint64_t>(bytes, offset).value_or(0); };
    const std::uint64_t text = field(kModuleText);
    if (text == 0 || field(0) != address_ || field(kModuleMinPc) != text + begin || field(kModuleMaxPc) != text + end) {
      return false;
    }
    text_ = text;
    return true;
  };
  const auto section = image_.section(".go.module");
  if (section && try_module(section->address)) return true;
  const auto pointers = find_pointers(image_, kModulesLimit, [&](std::uint64_t value) { return value == address_; });
  return std::any_of(pointers.places.begin(), pointers.places.end(), try_module);
}

// The runtime itself stops if the entries are not sorted (moduledataverify1).
bool Pclntab::is_sound() const {
  for (std::size_t number = 0; number < count_; ++number) {
    if (entry(number).pc > end_pc(number)) return false;
  }
  if (!is_code(image_, {entry(0).pc, end_pc(count_ - 1)})) return false;
  // Each function's record begins with its entry again.
  for (const std::size_t number : {std::size_t{0}, count_ / 2, count_ - 1}) {
    const Entry each = entry(number);
    const auto record = is_wide() ? image_.read_relocated(each.func, 8) : image_.read(each.func, 4);
    const std::uint64_t pc =
        is_wide() ? load<std::uint64_t>(record).value_or(0) : text_ + load<std::uint32_t>(record).value_or(0);
    if (pc != each.pc || name_of(each).empty()) return false;
  }
  return true;
}

std::optional<Pclntab> Pclntab::read_at(const ElfImage& image, std::uint64_t address) {
  Pclntab table(image);
  if (!table.read_header(address) || !table.find_text() || !table.is_sound()) return std::nullopt;
  return table;
}

Result<Pclntab> Pclntab::read(const ElfImage& image) {
  for (const std::string_view name : kSections) {
    const auto section = image.section(name);
    if (!section) continue;
    if (auto table = read_at(image, section->address)) return std::move(*table);
  }
  // No section: none at all, or a linker (GNU ld with -pie) merged it into another. The
  // table begins at a multiple of 16 or more.
  std::size_t tried = 0;
  std::optional<Pclntab> table;
  each_piece(
      image, [](const ElfSegment&) { return true; },
      [&](std::uint64_t address, std::span<const std::byte> bytes) {
        for (std::uint64_t at = (16 - address % 16) % 16; at < bytes.size(); at += 16) {
          if (!layout_at(bytes, at)) continue;
          table = read_at(image, address + at);
          if (table || ++tried == kTablesLimit) return false;
        }
        return true;
      });
  if (table) return std::move(*table);
  return fail(image.name() + ": has no table of Go functions that can be read");
}

std::uint64_t Pclntab::raw_word(std::size_t number) const {
  const std::uint64_t offset = number * word_bytes();
  return is_wide() ? load<std::uint64_t>(entries_, offset).value_or(0)
                   : load<std::uint32_t>(entries_, offset).value_or(0);
}

Pclntab::Entry Pclntab::entry(std::size_t number) const {
  const std::uint64_t base = is_wide() ? 0 : text_;
  return {.pc = base + raw_word(number * 2), .func = funcs_ + raw_word(number * 2 + 1)};
}

std::uint64_t Pclntab::end_pc(std::size_t number) const { return entry(number + 1).pc; }

std::string Pclntab::name_of(const Entry& entry) const {
  const auto offset = load<std::int32_t>(image_.read(entry.func + word_bytes(), sizeof(std::int32_t)));
  if (!offset || *offset < 0) return {};
  const std::uint64_t address = names_ + static_cast<std::uint64_t>(*offset);
  for (const std::size_t bytes : {kShortNameBytes, kNameLimitBytes}) {
    const auto read = image_.read(address, bytes);
    const std::string_view name = text_until_nul(read);
    if (name.size() < bytes || bytes == kNameLimitBytes) return std::string(name);
  }
  return {};
}

std::optional<GoFunction> Pclntab::function(std::size_t number) const {
  if (number >= count_) return std::nullopt;
  const Entry found = entry(number);
  return GoFunction{.name = name_of(found), .code = {found.pc, end_pc(number)}};
}

std::optional<GoFunction> Pclntab::at(std::uint64_t link_time_pc) const {
  std::size_t begin = 0;
  std::size_t end = count_;
  // The last function that does not begin after the pc, if there is one.
  while (begin < end) {
    const std::size_t middle = begin + (end - begin) / 2;
    if (entry(middle).pc <= link_time_pc) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  if (begin == 0 || link_time_pc >= end_pc(begin - 1)) return std::nullopt;
  return function(begin - 1);
}

void Pclntab::index_names() const {
  name_index_.emplace();
  // All names stand before this, in every layout.
  const std::uint64_t last = entry(count_ - 1).func;
  if (last < address_) return;
  const auto table = image_.read(address_, static_cast<std::size_t>(std::min<std::uint64_t>(
                                               last - address_ + kTailBytes, ElfImage::kReadLimitBytes)));
  for (std::size_t number = 0; number < count_; ++number) {
    const auto offset = load<std::int32_t>(table, entry(number).func - address_ + word_bytes());
    if (!offset || *offset < 0) continue;
    const std::uint64_t name_offset = names_ - address_ + static_cast<std::uint64_t>(*offset);
    if (name_offset >= table.size()) continue;
    const auto rest = std::span(table).subspan(name_offset);
    const std::string_view name = text_until_nul(rest.first(std::min(rest.size(), kNameLimitBytes)));
    if (!name.empty()) name_index_->add(name, static_cast<std::uint32_t>(number));
  }
  name_index_->finish();
}

std::optional<GoFunction> Pclntab::find(std::string_view name) const {
  if (!name_index_) index_names();
  const auto number =
      name_index_->find(name, [&](std::uint32_t candidate) { return name_of(entry(candidate)) == name; });
  if (!number) return std::nullopt;
  return function(*number);
}

}  // namespace madvtrace
