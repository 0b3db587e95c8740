// SPDX-License-Identifier: Apache-2.0
// Command lines against the parser that programs use.
#include <windows.h>
// Order matters.
#include <shellapi.h>

#include <catch2/catch.hpp>
#include <memory>

#include "node-host/system/process/command_line_windows.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

std::vector<std::string> parsed(const std::wstring& line) {
  int count = 0;
  const std::unique_ptr<wchar_t*, HLOCAL (*)(HLOCAL)> words(::CommandLineToArgvW(line.c_str(), &count),
                                                            ::LocalFree);
  std::vector<std::string> result;
  for (int i = 0; i < count; ++i) result.push_back(from_wide(words.get()[i]));
  return result;
}

std::string batch_error(const std::string& word) {
  const auto line = batch_command_line(L"C:\\windows\\system32\\cmd.exe", L"C:\\tools\\x.cmd", {"x", word});
  return line ? std::string() : line.error().code;
}

TEST_CASE("every argument is read back as it was") {
  const std::vector<std::vector<std::string>> lists = {
      {"tool"},
      {"tool", ""},
      {"tool", "", ""},
      {"C:\\Program Files\\a tool.exe", "x"},
      {"", "x"},
      {"tool", "a b", "a\tb", "\"", "\\", "\\\\", "\\\"", "\\\\\"", "a\\", "a b\\", "a b\\\\", "\"a b\""},
      {"tool", "%PATH%", "^", "&calc", "|", ">x", "<x", "!x!", "'a b'", "*", "?", "a\"b\"c",
       "\xC3\xA9\xE2\x82\xAC"},
      {"tool", "\n", "a\r\nb", "\v", "/c", "--x=\"y z\""},
  };
  for (const auto& argv : lists) {
    const auto line = command_line(argv);
    REQUIRE(line.has_value());
    CHECK(parsed(*line) == argv);
  }
}

TEST_CASE("made-up arguments of every kind of character are read back as they were") {
  std::uint32_t state = 4711;
  const auto random = [&state](std::uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  // Mostly what has a meaning for the parser.
  const std::string alphabet = "\\\\\\\"\"\" \t\nab'^%&|<>()!";
  for (int round = 0; round < 5'000; ++round) {
    std::vector<std::string> argv{"tool"};
    for (std::uint32_t count = random(5); count > 0; --count) {
      std::string word;
      for (std::uint32_t length = random(9); length > 0; --length)
        word += alphabet[random(static_cast<std::uint32_t>(alphabet.size()))];
      argv.push_back(std::move(word));
    }
    const auto line = command_line(argv);
    REQUIRE(line.has_value());
    REQUIRE(parsed(*line) == argv);
  }
}

TEST_CASE("what a command line cannot say is an error and not something else") {
  CHECK(command_line({"to\"ol"}).error().code == "EINVAL");
  CHECK(command_line({"tool", "a\xFF"}).error().code == "EILSEQ");
  CHECK(command_line({"tool", std::string(40'000, 'x')}).error().code == "E2BIG");
  CHECK(command_line({"tool", std::string(32'000, 'x')}).has_value());
}

TEST_CASE("a batch file gets only what cmd.exe cannot read as more than an argument") {
  const auto line = batch_command_line(L"C:\\windows\\system32\\cmd.exe", L"C:\\my tools\\x.cmd",
                                       {"x", "a b", "", "C:\\dir\\", "(x)", "k=v"});
  REQUIRE(line.has_value());
  CHECK(from_wide(*line) ==
        "\"C:\\windows\\system32\\cmd.exe\" /d /e:on /v:off /s /c "
        "\"\"C:\\my tools\\x.cmd\" \"a b\" \"\" \"C:\\dir\\\\\" \"(x)\" \"k=v\"\"");
  for (const char* word :
       {"\"", "%PATH%", "!x!", "^", "&calc", "a|b", "<x", ">x", "\n", "a\rb", "\x01", "\x7F"})
    CHECK(batch_error(word) == "EINVAL");
  CHECK(batch_error("a\xFF") == "EILSEQ");
  CHECK(batch_error(std::string(9'000, 'x')) == "E2BIG");
  CHECK(batch_command_line(L"cmd.exe", L"C:\\50%\\x.cmd", {"x"}).error().code == "EINVAL");
}

TEST_CASE("batch files are known by their extension, whatever its case") {
  CHECK(is_batch_file(L"C:\\x.bat"));
  CHECK(is_batch_file(L"C:\\x.CmD"));
  CHECK_FALSE(is_batch_file(L"C:\\x.exe"));
  CHECK_FALSE(is_batch_file(L"C:\\dir.bat\\x"));
  CHECK_FALSE(is_batch_file(L"C:\\bat"));
}

}  // namespace
}  // namespace hostclaw::node_host
