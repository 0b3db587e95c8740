// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "policy/programs/wrappers.h"
#include "policy/windows/windows_text.h"

using namespace hostclaw::policy;

namespace {

Argv accepted(std::string_view text) {
  const WindowsTextResult result = parse_windows_text(text);
  INFO(text << " -> " << result.reason);
  REQUIRE(result);
  return *result.argv;
}

}  // namespace

TEST_CASE("a Windows command line is split as the C runtime does") {
  struct Row {
    const char* line;
    Argv argv;
  };
  const std::vector<Row> rows = {
      {"a b c", {"a", "b", "c"}},
      {"a  \t b", {"a", "b"}},
      {"", {""}},
      {"\"a b\" c", {"a b", "c"}},
      {"a \"b c\" d", {"a", "b c", "d"}},
      {"a \"\"", {"a", ""}},
      {"a \"ab\\\"c\" \"\\\\\" d", {"a", "ab\"c", "\\", "d"}},
      {"a a\\\\\\b d\"e f\"g h", {"a", "a\\\\\\b", "de fg", "h"}},
      {"a a\\\\\\\"b c d", {"a", "a\\\"b", "c", "d"}},
      {"a a\\\\\\\\\"b c\" d e", {"a", "a\\\\b c", "d", "e"}},
      {"a \"a\"\"b\"", {"a", "a\"b"}},
      {"a \"b", {"a", "b"}},
      {"a b\\", {"a", "b\\"}},
      {"\"C:\\x\\\" b", {"C:\\x\\", "b"}},
  };
  for (const Row& row : rows) {
    INFO(row.line);
    CHECK(split_windows_command_line(row.line) == row.argv);
  }
}

TEST_CASE("whatever is joined is split into the same arguments") {
  std::mt19937 random(7);
  const std::string alphabet = "ab \t\\\"\\\"'^%";
  for (int round = 0; round < 20000; ++round) {
    Argv argv = {"tool.exe"};
    const std::size_t count = random() % 4;
    for (std::size_t i = 0; i < count; ++i) {
      std::string argument;
      for (std::size_t length = random() % 7; length > 0; --length)
        argument.push_back(alphabet[random() % alphabet.size()]);
      argv.push_back(argument);
    }
    const std::string line = join_windows_command_line(argv);
    if (split_windows_command_line(line) != argv) {
      INFO(line);
      CHECK(split_windows_command_line(line) == argv);
      break;
    }
  }
  SUCCEED();
}

TEST_CASE("one plain command is read out of carrier text") {
  CHECK(accepted("git status") == Argv{"git", "status"});
  CHECK(accepted("\"C:\\Program Files\\T\\t.exe\" --x") == Argv{"C:\\Program Files\\T\\t.exe", "--x"});
  CHECK(accepted("t \"--f=a|b\" \"c>d\" \"e & f\"") == Argv{"t", "--f=a|b", "c>d", "e & f"});
  CHECK(accepted("t 'O''Brien' ''") == Argv{"t", "O'Brien", ""});
  CHECK(accepted("net use \"\\\\host\\C$\"") == Argv{"net", "use", "\\\\host\\C$"});
  CHECK(accepted("& t a") == Argv{"t", "a"});
  CHECK(accepted("powershell -Command \"t \"\"a b\"\"\"") == Argv{"t", "a b"});
  CHECK(accepted("pwsh -NoLogo -c 't ''a b'''") == Argv{"t", "a b"});
  CHECK(accepted("pwsh --command t a") == Argv{"t", "a"});
}

TEST_CASE("anything that a Windows shell would act on is not analysable") {
  for (const char* text :
       {"a & b",        "a && b",       "a | b",  "a > b", "a < b",    "a; b",    "a ^& b", "(a)",
        "a %PATH%",     "a \"%PATH%\"", "a !x!",  "a `n",  "a \"`n\"", "a\nb",    "a\r\nb", "a $x",
        "a \"$env:X\"", "a ${x}",       "a $(b)", "a $?",  "a '&b'",   "a '(x)'", "a \\\nb"}) {
    INFO(text);
    CHECK_FALSE(parse_windows_text(text));
  }
  CHECK(parse_windows_text("").code == "EMPTY");
  CHECK(parse_windows_text("a \"b").code == "UNTERMINATED_QUOTE");
  CHECK(parse_windows_text("git.exe\xC2\xA0status").code == "CONTROL_CHARACTER");
  CHECK(parse_windows_text("a \xE2\x80\x9C&calc").code == "METACHARACTER");
}

TEST_CASE("a backslash before a quote is not analysable, one inside of quotes is a part of a path") {
  // One reader ends the quotes there, the other has a quote in its argument.
  for (const char* text : {R"(tool "C:\dir\" x)", R"(tool "a\" & calc")", R"(tool \"x\")"})
    CHECK(parse_windows_text(text).code == "METACHARACTER");
  CHECK(accepted(R"(tool "C:\a dir\x.txt" y)") == Argv{"tool", R"(C:\a dir\x.txt)", "y"});
  CHECK(accepted(R"(tool C:\dir\ y)") == Argv{"tool", R"(C:\dir\)", "y"});
}

TEST_CASE("options of a stripped PowerShell are told") {
  CHECK(parse_windows_text("pwsh -NoProfile -c a").reviewed_options);
  CHECK_FALSE(parse_windows_text("pwsh -WorkingDirectory \"C:\\x y\" -c a").reviewed_options);
  CHECK_FALSE(parse_windows_text("powershell -NoExit -c a").reviewed_options);
}

TEST_CASE("batch files are known under every name Windows accepts for them") {
  for (const char* path :
       {"t.bat", "T.CMD", "C:\\x\\t.cmd", "t.bat ", "t.bat. .", "t.bat::$DATA", "t.cmd:x", "C:t.bat"}) {
    INFO(path);
    CHECK(is_batch_target(path));
  }
  for (const char* path : {"t.exe", "bat", "t.bat\\x", "t.bat.exe", "cmd"})
    CHECK_FALSE(is_batch_target(path));
}

TEST_CASE("arguments of a batch file are quoted, or refused") {
  CHECK(batch_command_line({"C:\\t.cmd", "a b", "c\\"}) == "\"\"C:\\t.cmd\" \"a b\" \"c\\\\\"\"");
  for (const char* argument :
       {"&", "|", "<", ">", "%PATH%", "100%", "x\ny", "x\ry", "!x!", "^", "a\"b", "\xE2\x80\x9C&calc"}) {
    INFO(argument);
    CHECK_FALSE(batch_command_line({"t.cmd", argument}));
  }
  CHECK_FALSE(batch_command_line({"t.cmd", std::string("x\0y", 3)}));
  CHECK(batch_command_line({"t.cmd", "a\\\""}, false) == "\"\"t.cmd\" \"a\\\\\"\"\"\"");
}

TEST_CASE("an argument of a batch file is plain when no reading of it means anything else") {
  for (const char* argument : {"a", "--x=y", "C:\\x\\y", "./a", "i@1.2", "+x", "#1"})
    CHECK(is_plain_batch_argument(argument));
  for (const char* argument :
       {"", " ", "a b", "a,b", "a;b", "(a)", "%a", "~", "'a'", "[a]", "{a}", "*", "\xC3\xBC"}) {
    INFO(argument);
    CHECK_FALSE(is_plain_batch_argument(argument));
  }
}

TEST_CASE("short names are known by their form") {
  for (const char* path : {"PROGRA~1", "C:\\x\\POWERS~1.EXE", "a~2.txt"}) CHECK(has_short_name_form(path));
  for (const char* path : {"~1", "a~b", "PROGRA~1\\x.exe", "longername~1", "x~"}) {
    INFO(path);
    CHECK_FALSE(has_short_name_form(path));
  }
}

TEST_CASE("words that name another file than they seem to are told") {
  for (const char* word : {"git.exe ",
                           "git.exe.",
                           " git",
                           "git.exe:evil",
                           "C:git.exe",
                           "\\\\srv\\share\\git.exe",
                           "//srv/x",
                           "\\\\?\\C:\\x",
                           "nul",
                           "C:\\x\\con.exe",
                           "com1",
                           "LPT9.txt",
                           "C:\\x.\\git.exe",
                           "git\xE2\x80\xA4"
                           "exe",
                           "git.exe\xE2\x80\xAE",
                           "\xE2\x84\xAA.exe",
                           "git\t.exe",
                           "gi*.exe",
                           "C:\\x\\git.exe::$DATA",
                           "\\/srv/x",
                           "COM\xC2\xB9",
                           "C:\\aux\\git.exe",
                           ""}) {
    INFO(word);
    CHECK_FALSE(suspicious_windows_word(word).empty());
  }
  for (const char* word :
       {"git", "git.exe", "C:\\Program Files\\Git\\git.exe", "C:/x/git.exe", ".\\git", "..\\x\\y.exe", "com",
        "console.exe", "com10", "C:\\Users\\J\xC3\xBCrgen\\x.exe"}) {
    INFO(word);
    CHECK(suspicious_windows_word(word).empty());
  }
}
