// SPDX-License-Identifier: Apache-2.0
// Programs that Go built, in the ways in which it can, against what Go's own tools and the
// programs themselves say.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "golang/build_info.h"
#include "golang/elf_image.h"
#include "golang/load_bias.h"
#include "golang/pclntab.h"
#include "procfs/maps.h"
#include "tests/support/child_process.h"

namespace madvtrace {
namespace {

std::string path_of(const std::string& name) { return std::string(TARGETS_DIR) + "/" + name; }

ElfImage open_program(const std::string& name) {
  const std::string path = path_of(name);
  auto image = ElfImage::open(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), path);
  if (!image) throw std::runtime_error(image.error().message);
  return *image;
}

Pclntab read_functions(const ElfImage& image) {
  auto table = Pclntab::read(image);
  if (!table) throw std::runtime_error(table.error().message);
  return std::move(*table);
}

std::string output_of(const std::vector<std::string>& argv) {
  const auto child = ChildProcess::spawn({.argv = argv});
  if (!child) throw std::runtime_error(child.error().message);
  const auto status = (*child)->wait();
  if (!status || *status != 0) throw std::runtime_error(argv[0] + " failed: " + (*child)->errors());
  return (*child)->output();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Names by address, as `go tool nm` reads them from the symbol table.
std::map<std::uint64_t, std::set<std::string>> code_symbols(const std::string& program) {
  std::map<std::uint64_t, std::set<std::string>> symbols;
  for (const std::string& line : lines_of(output_of({"go", "tool", "nm", path_of(program)}))) {
    std::istringstream fields(line);
    std::uint64_t address = 0;
    std::string type;
    std::string name;
    if (!(fields >> std::hex >> address >> type) || (type != "T" && type != "t")) continue;
    std::getline(fields >> std::ws, name);
    // In the symbol table, assembly functions are told from their wrappers.
    constexpr std::string_view kAssembly = ".abi0";
    if (name.ends_with(kAssembly)) name.resize(name.size() - kAssembly.size());
    // The linker leaves what is in brackets out of the table (nameToOffset in pclntab.go).
    const std::size_t open = name.find('[');
    const std::size_t close = name.rfind(']');
    if (open != std::string::npos && close != std::string::npos) name.replace(open, close - open + 1, "[...]");
    symbols[address].insert(name);
  }
  return symbols;
}

std::vector<std::pair<std::string, AddressRange>> all_functions(const Pclntab& table) {
  std::vector<std::pair<std::string, AddressRange>> functions;
  for (std::size_t number = 0; number < table.size(); ++number) {
    const auto function = table.function(number);
    if (!function) throw std::runtime_error("a function without a record");
    functions.emplace_back(function->name, function->code);
  }
  return functions;
}

class GoBinaries : public testing::TestWithParam<std::string> {};
class GoBinariesWithSymbols : public GoBinaries {};

TEST_P(GoBinariesWithSymbols, EveryFunctionIsWhereGoToolNmHasIt) {
  const ElfImage image = open_program(GetParam());
  const Pclntab table = read_functions(image);
  auto symbols = code_symbols(GetParam());
  const auto functions = all_functions(table);
  ASSERT_GT(functions.size(), 1000U);
  for (const auto& [name, code] : functions) {
    const auto symbol = symbols.find(code.begin);
    ASSERT_NE(symbol, symbols.end()) << name;
    EXPECT_TRUE(symbol->second.contains(name)) << name << " is " << *symbol->second.begin();
    EXPECT_EQ(table.at(code.begin)->name, name);
    EXPECT_EQ(table.at(code.end - 1)->name, name);
    symbols.erase(symbol);
  }
  // What is left is not Go's, or no function.
  for (const auto& [address, names] : symbols) {
    if (address < functions.front().second.begin || address >= functions.back().second.end) continue;
    ADD_FAILURE() << *names.begin() << " is missing";
  }
}

TEST_P(GoBinariesWithSymbols, SymbolsAreFound) {
  const ElfImage image = open_program(GetParam());
  const auto symbols = code_symbols(GetParam());
  for (const char* name : {"main.main", "runtime.gcStart", "runtime.(*mheap).freeSpanLocked"}) {
    const auto address = image.symbol(name);
    ASSERT_TRUE(address) << name;
    EXPECT_TRUE(symbols.at(*address).contains(name));
    EXPECT_EQ(read_functions(image).find(name)->code.begin, *address);
  }
  EXPECT_FALSE(image.symbol("main.nothing"));
}

INSTANTIATE_TEST_SUITE_P(Programs, GoBinariesWithSymbols, testing::Values("go_plain", "go_pie", "go_cgo"),
                         [](const auto& program) { return program.param; });

TEST(GoBinary, StrippedHasTheFunctionsOfThePlainOne) {
  const ElfImage stripped = open_program("go_stripped");
  EXPECT_FALSE(stripped.symbol("main.main"));
  EXPECT_EQ(all_functions(read_functions(stripped)), all_functions(read_functions(open_program("go_plain"))));
}

TEST_P(GoBinaries, BuildIsWhatGoVersionSays) {
  const BuildInfo info = read_build_info(open_program(GetParam()));
  const auto lines = lines_of(output_of({"go", "version", "-m", path_of(GetParam())}));
  ASSERT_FALSE(lines.empty());
  ASSERT_TRUE(info.version);
  EXPECT_EQ(lines[0], path_of(GetParam()) + ": " + info.version->text);
  EXPECT_EQ(info.found_in, VersionSource::kBuildInfo);
  EXPECT_EQ(info.build_id + "\n", output_of({"go", "tool", "buildid", path_of(GetParam())}));
  EXPECT_FALSE(info.build_id.empty());
  std::vector<std::string> settings;
  for (const auto& [key, value] : info.settings) settings.push_back("\tbuild\t" + key + "=" + value);
  std::vector<std::string> said;
  for (const std::string& line : lines) {
    if (line.starts_with("\tbuild\t")) said.push_back(line);
  }
  EXPECT_EQ(settings, said);
  EXPECT_EQ(info.setting("CGO_ENABLED"), GetParam().starts_with("go_cgo") ? "1" : "0");
  const auto tags = GetParam() == "go_plain" ? std::optional<std::string_view>("one,two") : std::nullopt;
  EXPECT_EQ(info.setting("-tags"), tags);
}

// The program knows where its main.main is.
TEST_P(GoBinaries, LoadedWhereTheProgramSaysItIs) {
  const ElfImage image = open_program(GetParam());
  const std::string output = output_of({path_of(GetParam())});
  const auto lines = lines_of(output);
  ASSERT_GT(lines.size(), 2U);
  const std::uint64_t main_address = std::stoull(lines[1], nullptr, 16);
  std::vector<FileMapping> mappings;
  for (std::size_t number = 2; number < lines.size(); ++number) {
    const auto mapping = parse_mapping(lines[number]);
    ASSERT_TRUE(mapping) << lines[number];
    if (mapping->path == path_of(GetParam())) mappings.push_back({mapping->range, mapping->offset_bytes});
  }
  const auto bias = load_bias(mappings, image.segments());
  ASSERT_TRUE(bias);
  EXPECT_EQ(image.position_independent(), GetParam().ends_with("pie"));
  EXPECT_EQ(*bias != 0, image.position_independent());
  const Pclntab table = read_functions(image);
  const auto function = table.at(main_address - *bias);
  ASSERT_TRUE(function);
  EXPECT_EQ(function->name, "main.main");
  EXPECT_EQ(function->code.begin + *bias, main_address);
  EXPECT_EQ(table.find("main.main")->code, function->code);
}

INSTANTIATE_TEST_SUITE_P(Programs, GoBinaries,
                         testing::Values("go_plain", "go_stripped", "go_pie", "go_cgo", "go_cgo_pie"),
                         [](const auto& program) { return program.param; });

}  // namespace
}  // namespace madvtrace
