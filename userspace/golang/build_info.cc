// SPDX-License-Identifier: Apache-2.0
#include "golang/build_info.h"

#include <algorithm>
#include <set>
#include <span>
#include <utility>

#include "golang/little_endian.h"
#include "golang/pclntab.h"
#include "golang/pointer_scan.h"

namespace madvtrace {
namespace {

constexpr std::string_view kMagic = "\xff Go buildinf:";
constexpr std::size_t kAlignment = 16;
constexpr std::size_t kBuildInfoHeaderBytes = 32;
constexpr std::size_t kVersionLimitBytes = 256;
// What the scan for a version's text may come to.
constexpr std::size_t kTextsLimit = 4096;
constexpr std::size_t kPointersLimit = 1024;

// The two strings of the blob; the second is empty for a program built without modules.
struct Blob {
  std::string version;
  std::string modules;
};

std::optional<std::string> read_text(const ElfImage& image, std::uint64_t address, std::uint64_t bytes,
                                     std::size_t limit_bytes) {
  if (bytes > limit_bytes) return std::nullopt;
  const auto read = image.read(address, static_cast<std::size_t>(bytes));
  if (read.size() != bytes) return std::nullopt;
  return std::string(as_text(read));
}

// A Go string variable: pointer and length.
std::optional<std::string> read_string(const ElfImage& image, std::uint64_t address, std::size_t limit_bytes) {
  const auto header = image.read_relocated(address, 16);
  const auto text = load<std::uint64_t>(header, 0);
  const auto bytes = load<std::uint64_t>(header, 8);
  if (!text || !bytes) return std::nullopt;
  return read_text(image, *text, *bytes, limit_bytes);
}

// A length as encoding/binary's Uvarint has it, then so many bytes. Moves `address` behind.
std::optional<std::string> take_counted_text(const ElfImage& image, std::uint64_t& address, std::size_t limit_bytes) {
  constexpr std::size_t kVarintBytes = 10;
  const auto encoded = image.read(address, kVarintBytes);
  std::uint64_t bytes = 0;
  for (std::size_t at = 0; at < encoded.size(); ++at) {
    const auto byte = std::to_integer<std::uint64_t>(encoded[at]);
    bytes |= (byte & 0x7f) << (at * 7);
    if ((byte & 0x80) != 0) continue;
    auto text = read_text(image, address + at + 1, bytes, limit_bytes);
    if (text) address += at + 1 + bytes;
    return text;
  }
  return std::nullopt;
}

std::optional<Blob> read_blob(const ElfImage& image, std::uint64_t address) {
  const auto header = image.read_relocated(address, kBuildInfoHeaderBytes);
  if (header.size() != kBuildInfoHeaderBytes || !as_text(header).starts_with(kMagic)) return std::nullopt;
  const auto pointer_bytes = std::to_integer<unsigned>(header[14]);
  const auto flags = std::to_integer<unsigned>(header[15]);
  constexpr unsigned kBigEndian = 1;
  constexpr unsigned kInline = 2;
  std::optional<std::string> version;
  std::optional<std::string> modules;
  if ((flags & kInline) != 0) {
    address += kBuildInfoHeaderBytes;
    version = take_counted_text(image, address, kVersionLimitBytes);
    if (version) modules = take_counted_text(image, address, BuildInfo::kTextLimitBytes);
  } else if (pointer_bytes == 8 && (flags & kBigEndian) == 0) {
    version = read_string(image, *load<std::uint64_t>(header, 16), kVersionLimitBytes);
    modules = read_string(image, *load<std::uint64_t>(header, 24), BuildInfo::kTextLimitBytes);
  }
  if (!version || version->empty()) return std::nullopt;
  return Blob{.version = std::move(*version), .modules = std::move(modules).value_or("")};
}

// The section, or else the first blob in the program's data.
std::optional<Blob> find_blob(const ElfImage& image) {
  if (const auto section = image.section(".go.buildinfo")) {
    if (auto blob = read_blob(image, section->address)) return blob;
  }
  constexpr std::size_t kTriesLimit = 16;
  std::size_t tried = 0;
  std::optional<Blob> blob;
  each_piece(
      image, [](const ElfSegment& segment) { return segment.writable; },
      [&](std::uint64_t address, std::span<const std::byte> bytes) {
        const std::string_view text = as_text(bytes);
        for (std::size_t at = text.find(kMagic); at != std::string_view::npos; at = text.find(kMagic, at + 1)) {
          if ((address + at) % kAlignment != 0) continue;
          blob = read_blob(image, address + at);
          if (blob || ++tried == kTriesLimit) return false;
        }
        return true;
      });
  return blob;
}

std::string_view take_until(std::string_view& text, char end) {
  const std::string_view taken = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return taken;
}

// src/runtime/debug/mod.go: lines of fields with tabs between.
void parse_settings(std::string_view text, BuildInfo& info) {
  // 16 bytes before and after it, for tools that look for it in a core file.
  constexpr std::size_t kMarkBytes = 16;
  if (text.size() < 2 * kMarkBytes + 1 || text[text.size() - kMarkBytes - 1] != '\n') return;
  text = text.substr(kMarkBytes, text.size() - 2 * kMarkBytes);
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const std::string_view kind = take_until(line, '\t');
    if (kind == "build") {
      const std::string_view key = take_until(line, '=');
      info.settings.emplace_back(key, line);
    }
  }
}

// "go1.19", "go1.19.8", "go1.21rc2", and no more.
bool is_release(std::string_view text) {
  const auto take = [&](std::string_view prefix) {
    const bool there = text.starts_with(prefix);
    if (there) text.remove_prefix(prefix.size());
    return there;
  };
  const auto take_digits = [&] {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(digits);
    return digits > 0 && digits <= 4;
  };
  if (!take("go1.") || !take_digits()) return false;
  if (take(".") || take("rc") || take("beta")) return take_digits() && text.empty();
  return text.empty();
}

// Where a text that could be a version stands in data that cannot be written; nothing if
// there may be more of them.
std::optional<std::vector<std::uint64_t>> find_texts(const ElfImage& image) {
  std::vector<std::uint64_t> places;
  const bool all = each_piece(
      image, [](const ElfSegment& segment) { return !segment.writable; },
      [&](std::uint64_t address, std::span<const std::byte> bytes) {
        const std::string_view text = as_text(bytes);
        for (std::size_t at = text.find("go1."); at != std::string_view::npos; at = text.find("go1.", at + 1)) {
          if (places.size() == kTextsLimit) return false;
          places.push_back(address + at);
        }
        return true;
      });
  if (!all) return std::nullopt;
  std::sort(places.begin(), places.end());
  return places;
}

// A text in a program is not yet the version of that program, nor is every program Go's:
// its table of functions must be one of that version.
bool fits_functions(const ElfImage& image, const GoVersion& version) {
  const auto table = Pclntab::read(image);
  if (!table) return false;
  switch (table->layout()) {
    case PclntabLayout::kGo12:
      return !version.at_least(16);
    case PclntabLayout::kGo116:
      return version.at_least(16) && !version.at_least(18);
    case PclntabLayout::kGo118:
      return version.at_least(18) && !version.at_least(20);
    case PclntabLayout::kGo120:
      return version.at_least(20);
  }
  return false;
}

std::optional<GoVersion> find_version(const ElfImage& image) {
  const auto texts = find_texts(image);
  if (!texts) return std::nullopt;
  const Pointers pointers = find_pointers(image, kPointersLimit, [&](std::uint64_t value) {
    return std::binary_search(texts->begin(), texts->end(), value);
  });
  // A part of what there is proves nothing.
  if (!pointers.all) return std::nullopt;
  std::set<std::string> found;
  for (const std::uint64_t pointer : pointers.places) {
    const auto text = read_string(image, pointer, kVersionLimitBytes);
    if (text && is_release(*text)) found.insert(*text);
  }
  if (found.size() != 1) return std::nullopt;
  const auto version = GoVersion::parse(*found.begin());
  return version && fits_functions(image, *version) ? version : std::nullopt;
}

// The ELF note of Go's linker (ELF_NOTE_GOBUILDID_TAG, src/cmd/link/internal/ld/elf.go).
std::optional<std::string> build_id_in_note(const ElfImage& image) {
  const std::optional<ElfSection> section = image.section(".note.go.buildid");
  if (!section) return std::nullopt;
  constexpr std::string_view kOwner("Go\0\0", 4);
  constexpr std::uint32_t kTag = 4;
  constexpr std::size_t kHeaderBytes = 12;  // sizes of owner and text, tag; then the owner
  const auto note = image.read(section->address, kHeaderBytes + kOwner.size() + BuildInfo::kBuildIdLimitBytes);
  const auto bytes = load<std::uint32_t>(note, 4);
  if (load<std::uint32_t>(note, 0) != kOwner.size() || load<std::uint32_t>(note, 8) != kTag || !bytes)
    return std::nullopt;
  const std::string_view rest = as_text(note).substr(kHeaderBytes);
  if (!rest.starts_with(kOwner) || *bytes > rest.size() - kOwner.size()) return std::nullopt;
  return std::string(rest.substr(kOwner.size(), *bytes));
}

// The same text stands at the beginning of the code, for systems without ELF notes
// (readRaw(), src/cmd/internal/buildid/buildid.go).
std::optional<std::string> build_id_in_code(const ElfImage& image) {
  constexpr std::string_view kBefore = "\xff Go build ID: \"";
  constexpr std::string_view kAfter = "\"\n \xff";
  constexpr std::size_t kLookedAtBytes = std::size_t{8} * 1024;
  for (const ElfSegment& segment : image.segments()) {
    if (!segment.executable) continue;
    const auto code = image.read(segment.addresses.begin, kLookedAtBytes);
    const std::string_view text = as_text(code);
    const std::size_t found = text.find(kBefore);
    if (found == std::string_view::npos) continue;
    const std::string_view rest = text.substr(found + kBefore.size());
    const std::size_t end = rest.find(kAfter);
    if (end <= BuildInfo::kBuildIdLimitBytes) return std::string(rest.substr(0, end));
  }
  return std::nullopt;
}

std::string build_id_of(const ElfImage& image) {
  const std::optional<std::string> in_note = build_id_in_note(image);
  return in_note ? *in_note : build_id_in_code(image).value_or("");
}

}  // namespace

std::optional<std::string_view> BuildInfo::setting(std::string_view key) const {
  const auto found =
      std::find_if(settings.begin(), settings.end(), [&](const auto& each) { return each.first == key; });
  if (found == settings.end()) return std::nullopt;
  return found->second;
}

BuildInfo read_build_info(const ElfImage& image) {
  BuildInfo info{.build_id = build_id_of(image)};
  const auto take_version = [&](std::optional<GoVersion> version, VersionSource source) {
    info.version = std::move(version);
    if (info.version) info.found_in = source;
    return info.version.has_value();
  };
  if (const auto blob = find_blob(image)) {
    parse_settings(blob->modules, info);
    // If it names none ("devel +0123abcd"), no other place would.
    take_version(GoVersion::parse(blob->version), VersionSource::kBuildInfo);
    return info;
  }
  if (const auto symbol = image.symbol("runtime.buildVersion")) {
    const auto text = read_string(image, *symbol, kVersionLimitBytes);
    if (text && take_version(GoVersion::parse(*text), VersionSource::kSymbol)) return info;
  }
  take_version(find_version(image), VersionSource::kString);
  return info;
}

}  // namespace madvtrace
