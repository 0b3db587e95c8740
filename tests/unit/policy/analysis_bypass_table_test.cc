// SPDX-License-Identifier: Apache-2.0
// docs/upstream-bypasses.md promises tests by title; here the promise is kept.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

// The titles of every test program, adjacent literals of a long title joined.
std::set<std::string> test_titles(const std::filesystem::path& tests) {
  std::set<std::string> titles;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tests)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || !name.ends_with("_test.cc")) continue;
    const std::string source = read(entry.path());
    for (std::size_t at = source.find("\nTEST_CASE("); at != std::string::npos;
         at = source.find("\nTEST_CASE(", at + 1)) {
      std::string title;
      std::size_t position = source.find('"', at);
      while (position != std::string::npos && source[position] == '"') {
        const std::size_t close = source.find('"', position + 1);
        title += source.substr(position + 1, close - position - 1);
        position = source.find_first_not_of(" \n", close + 1);
      }
      titles.insert(title);
    }
  }
  return titles;
}

// Quoted titles of the last cell of each row.
std::vector<std::string> promised_titles(const std::string& document) {
  std::vector<std::string> titles;
  std::size_t line_start = 0;
  while (line_start < document.size()) {
    const std::size_t line_end = document.find('\n', line_start);
    std::string line = document.substr(line_start, line_end - line_start);
    line_start = line_end == std::string::npos ? document.size() : line_end + 1;
    if (!line.starts_with("| ") || !line.ends_with(" |")) continue;
    const std::size_t cell = line.rfind(" | ", line.size() - 3);
    for (std::size_t open = line.find('"', cell); open != std::string::npos;) {
      const std::size_t close = line.find('"', open + 1);
      if (close == std::string::npos) break;
      titles.push_back(line.substr(open + 1, close - open - 1));
      open = line.find('"', close + 1);
    }
  }
  return titles;
}

}  // namespace

TEST_CASE("every test that the table of bypass classes names exists") {
  const std::filesystem::path source(HOSTCLAW_SOURCE_DIR);
  const std::vector<std::string> promised = promised_titles(read(source / "docs/upstream-bypasses.md"));
  REQUIRE(promised.size() > 50);
  const std::set<std::string> titles = test_titles(source / "tests");
  for (const std::string& title : promised) {
    INFO(title);
    CHECK(titles.count(title) == 1);
  }
}
