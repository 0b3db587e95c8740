// SPDX-License-Identifier: Apache-2.0
#include "service-win/windows_words.h"

#include <catch2/catch.hpp>

namespace hostclaw::service_win {

TEST_CASE("every word comes back from a command line as it went in") {
  for (const std::string word : {"", "plain", "two words", "tab\there", "C:\\dir\\", "C:\\my dir\\",
                                 "quote\"inside", "\"", "\\\"", "a\\\\\"b", "ends in backslashes \\\\",
                                 "--name=100% $x", "\xC3\xA9", "line\nbreak", "\"\"", "\\", "a\\b c"}) {
    INFO(word);
    const std::vector<std::string> words{"C:\\Program Files\\hostclaw\\hostclaw.exe", word, "end"};
    CHECK(split_command_line(command_line_of(words)) == words);
  }
}

TEST_CASE("the program is always in quotes, so that a space in its path does not name another program") {
  CHECK(command_line_of({"C:\\Program Files\\hostclaw.exe", "service"}) ==
        "\"C:\\Program Files\\hostclaw.exe\" service");
  CHECK(command_line_of({"C:\\hostclaw.exe"}) == "\"C:\\hostclaw.exe\"");
  CHECK(command_line_of({}).empty());
}

TEST_CASE("a command line is split as Windows splits it") {
  // The examples of Microsoft's page about parsing command-line arguments.
  CHECK(split_command_line(R"(x "abc" d e)") == std::vector<std::string>{"x", "abc", "d", "e"});
  CHECK(split_command_line(R"(x a\\b d"e f"g h)") == std::vector<std::string>{"x", R"(a\\b)", "de fg", "h"});
  CHECK(split_command_line(R"(x a\\\"b c d)") == std::vector<std::string>{"x", R"(a\"b)", "c", "d"});
  CHECK(split_command_line(R"(x a\\\\"b c" d e)") == std::vector<std::string>{"x", R"(a\\b c)", "d", "e"});
  CHECK(split_command_line(R"(x "a""b" c)") == std::vector<std::string>{"x", "a\"b", "c"});
  CHECK(split_command_line("").empty());
  CHECK(split_command_line("  \t").empty());
  CHECK(split_command_line(R"("C:\dir\" a)") == std::vector<std::string>{R"(C:\dir\)", "a"});
}

TEST_CASE("paths are told apart as Windows tells them apart") {
  CHECK(file_name_of("C:\\a\\HostClaw.exe") == "HostClaw.exe");
  CHECK(file_name_of("C:/a/hostclaw.exe") == "hostclaw.exe");
  CHECK(file_name_of("hostclaw.exe") == "hostclaw.exe");
  CHECK(same_path("C:/ProgramData/Hostclaw", "c:\\programdata\\hostclaw"));
  CHECK_FALSE(same_path("C:\\a", "C:\\b"));
  CHECK(is_absolute_path("C:\\x"));
  CHECK(is_absolute_path("c:/x"));
  CHECK(is_absolute_path("\\\\server\\share"));
  CHECK_FALSE(is_absolute_path("C:x"));
  CHECK_FALSE(is_absolute_path("\\x"));
  CHECK_FALSE(is_absolute_path("x"));
  CHECK_FALSE(is_absolute_path(""));
}

}  // namespace hostclaw::service_win
