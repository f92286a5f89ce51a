// SPDX-License-Identifier: Apache-2.0
// Small ELF files made by hand, with a right or a wrong value in every place.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace madvtrace {

// Bytes, little-endian, one value after the other.
class ByteWriter {
 public:
  template <class T>
  ByteWriter& add(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  ByteWriter& text(std::string_view text) {
    bytes_.append(text);
    return *this;
  }
  ByteWriter& pad_to(std::size_t size) {
    if (bytes_.size() < size) bytes_.resize(size, '\0');
    return *this;
  }
  ByteWriter& align(std::size_t bytes) { return pad_to((bytes_.size() + bytes - 1) / bytes * bytes); }
  std::size_t size() const { return bytes_.size(); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Overwrites, in a finished file, too.
template <class T>
void put(std::string& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

class ElfBuilder {
 public:
  Elf64_Half machine = EM_X86_64;
  Elf64_Half type = ET_EXEC;
  bool with_sections = true;

  // PF_R, PF_W, PF_X. `zeros`: how much of it is in memory only.
  void segment(std::uint64_t address, std::uint32_t flags, std::string bytes, std::uint64_t zeros = 0);
  // Over bytes of a segment that is there already.
  void section(std::string name, std::uint64_t address, std::uint64_t bytes);
  // Over bytes that no segment has.
  void section(std::string name, std::string bytes, std::uint64_t flags = 0);
  void symbol(std::string name, std::uint64_t value, std::uint16_t section_index = SHN_ABS);
  // In a segment of its own, which is found by a dynamic section.
  void relocation(std::uint64_t address, std::uint64_t value);

  std::string build() const;

 private:
  struct Segment {
    std::uint64_t address = 0;
    std::uint32_t flags = 0;
    std::string bytes;
    std::uint64_t zeros = 0;
  };
  struct Section {
    std::string name;
    Elf64_Shdr header{};
    std::string bytes;  // unless it is in a segment
  };
  std::vector<Segment> segments_;
  std::vector<Section> sections_;
  std::vector<Elf64_Rela> relocations_;
  ByteWriter symbols_;
  std::string symbol_names_ = std::string(1, '\0');
};

// A file that no directory has.
UniqueFd anonymous_file(std::string_view bytes);

}  // namespace madvtrace
