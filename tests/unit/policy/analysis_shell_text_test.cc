// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "policy/shell/shell_text.h"

using namespace hostclaw::policy;

namespace {

using Argvs = std::vector<std::vector<std::string>>;

Argvs argvs_of(const ShellProgram& program) {
  Argvs result;
  for (const ShellPipeline& pipeline : program.pipelines) {
    for (const ShellCommand& command : pipeline.commands) result.push_back(command.argv());
  }
  return result;
}

// The code of the refusal, or "ok".
std::string outcome(std::string_view text) {
  const ShellTextResult result = parse_shell_text(text);
  return result ? "ok" : result.failure.code;
}

Argvs accepted(std::string_view text) {
  const ShellTextResult result = parse_shell_text(text);
  INFO("text: " << text << " -> " << result.failure.code << " " << result.failure.reason);
  REQUIRE(result);
  return argvs_of(*result.program);
}

}  // namespace

TEST_CASE("a fully quoted word may hold a wildcard and a literal dollar sign") {
  CHECK(accepted("echo \"n?$;'l\"") == Argvs{{"echo", "n?$;'l"}});
  CHECK(accepted("echo 'n?$;l'") == Argvs{{"echo", "n?$;l"}});
}

TEST_CASE("words are split and decoded as a shell does") {
  struct Row {
    const char* text;
    Argvs expect;
  };
  const std::vector<Row> rows = {
      {"echo a", {{"echo", "a"}}},
      {"  echo \t a  ", {{"echo", "a"}}},
      {"echo ''", {{"echo", ""}}},
      {"echo \"\" ''\"\"", {{"echo", "", ""}}},
      {"echo 'a b' \"c d\"", {{"echo", "a b", "c d"}}},
      {"echo 'it'\\''s'", {{"echo", "it's"}}},
      {"echo a\\ b", {{"echo", "a b"}}},
      {"echo \"a\\\"b\\\\c\\$d\\`e\"", {{"echo", "a\"b\\c$d`e"}}},
      {"echo \"a\\n\"", {{"echo", "a\\n"}}},
      {"echo '$(id) `id` $HOME'", {{"echo", "$(id) `id` $HOME"}}},
      {"echo \\$HOME", {{"echo", "$HOME"}}},
      {"echo \"costs 5$\"", {{"echo", "costs 5$"}}},
      {"echo '*' \\* \"?\" '[a]'", {{"echo", "*", "*", "?", "[a]"}}},
      {"e\"ch\"o a", {{"echo", "a"}}},
      {"'/opt/my tool/run' x", {{"/opt/my tool/run", "x"}}},
      {"git show HEAD~1", {{"git", "show", "HEAD~1"}}},
      {"find . -name '*.cc' ! -path x", {{"find", ".", "-name", "*.cc", "!", "-path", "x"}}},
      {"echo {}", {{"echo", "{}"}}},
      {"make CFLAGS=-O2 all", {{"make", "CFLAGS=-O2", "all"}}},
      {"echo a#b", {{"echo", "a#b"}}},
      {"echo a # not b", {{"echo", "a"}}},
      {"echo \xC3\xA9", {{"echo", "\xC3\xA9"}}},
      {"echo 'a\nb'", {{"echo", "a\nb"}}},
      {"echo '\xE2\x80\xA8'", {{"echo", "\xE2\x80\xA8"}}},
      {"echo $ a$", {{"echo", "$", "a$"}}},
      {"grep -E \"a$|b$\" \"^x$\"", {{"grep", "-E", "a$|b$", "^x$"}}},
      {"[ -f /etc/passwd ]", {{"[", "-f", "/etc/passwd", "]"}}},
  };
  for (const Row& row : rows) {
    INFO("text: " << row.text);
    CHECK(accepted(row.text) == row.expect);
  }
}

TEST_CASE("operators join commands and keep their meaning") {
  const ShellTextResult result = parse_shell_text("a && b || c; d\n! e | f |& g;");
  REQUIRE(result);
  const auto& pipelines = result.program->pipelines;
  REQUIRE(pipelines.size() == 5);
  CHECK(pipelines[0].connector == Connector::kFirst);
  CHECK(pipelines[1].connector == Connector::kAnd);
  CHECK(pipelines[2].connector == Connector::kOr);
  CHECK(pipelines[3].connector == Connector::kSequence);
  CHECK(pipelines[4].connector == Connector::kSequence);
  CHECK(pipelines[4].negate);
  CHECK(pipelines[4].stderr_to_pipe == std::vector<bool>{false, true, false});
  CHECK(result.program->command_count() == 7);
}

TEST_CASE("a word knows where it stands in the text") {
  const ShellTextResult result = parse_shell_text("echo  'a b'x");
  REQUIRE(result);
  const ShellWord& word = result.program->pipelines[0].commands[0].words[1];
  CHECK(word.offset == 6);
  CHECK(word.length == 6);
  CHECK(word.had_quotes);
}

TEST_CASE("line ends may follow operators and comments may stand between commands") {
  CHECK(accepted("a &&\n b |\n\n c\n\n# x\nd") == Argvs{{"a"}, {"b"}, {"c"}, {"d"}});
  CHECK(accepted("a;#c") == Argvs{{"a"}});
  CHECK(accepted("# first\na") == Argvs{{"a"}});
}

TEST_CASE("what a shell would expand, redirect or compound is not analysable") {
  struct Row {
    const char* text;
    const char* code;
  };
  const std::vector<Row> rows = {
      {"", "EMPTY"},
      {" \n\t", "EMPTY"},
      {"# only", "EMPTY"},
      {"echo $HOME", "EXPANSION"},
      {"echo \"$HOME\"", "EXPANSION"},
      {"echo ${x:-y}", "EXPANSION"},
      {"echo $1", "EXPANSION"},
      {"echo $[1+1]", "EXPANSION"},
      // Partly quoted, with a wildcard and a literal $; fully quoted it is fine.
      {"echo \"n?$;'\"l", "EXPANSION"},
      {"echo 'n?$;'l", "EXPANSION"},
      {"$0 \"$@\"", "EXPANSION"},
      {"echo $(id)", "COMMAND_SUBSTITUTION"},
      {"echo \"$(id)\"", "COMMAND_SUBSTITUTION"},
      {"echo $((1))", "COMMAND_SUBSTITUTION"},
      {"echo `id`", "COMMAND_SUBSTITUTION"},
      {"echo \"`id`\"", "COMMAND_SUBSTITUTION"},
      {"cat <(id)", "COMMAND_SUBSTITUTION"},
      {"echo >(id)", "COMMAND_SUBSTITUTION"},
      {"true $'\\'; id #'", "ANSI_C_QUOTE"},
      {"echo $\"x\"", "ANSI_C_QUOTE"},
      {"echo a > b", "REDIRECTION"},
      {"echo a 2>&1", "REDIRECTION"},
      {"echo a &> b", "REDIRECTION"},
      {"cat < a", "REDIRECTION"},
      {"cat <<EOF\nx\nEOF", "HEREDOC"},
      {"cat <<< x", "HEREDOC"},
      {"a & b", "BACKGROUND"},
      {"a &", "BACKGROUND"},
      {"(a)", "SUBSHELL"},
      {"a && (b)", "SUBSHELL"},
      {"{ a; }", "GROUP"},
      {"f() { a; }", "FUNCTION"},
      {"if a; then b; fi", "RESERVED_WORD"},
      {"for x in a; do b; done", "RESERVED_WORD"},
      {"while a; do b; done", "RESERVED_WORD"},
      {"case a in b) c;; esac", "RESERVED_WORD"},
      {"function f { a; }", "RESERVED_WORD"},
      {"[[ -f x ]]", "GLOB"},
      {"coproc a", "RESERVED_WORD"},
      {"time if a; then b; fi", "RESERVED_WORD"},
      {"A=1", "ASSIGNMENT"},
      {"A=1 b", "ASSIGNMENT"},
      {"PATH=/evil; uname", "ASSIGNMENT"},
      {"LD_PRELOAD+=/x git", "ASSIGNMENT"},
      {"a[0]=1 b", "GLOB"},
      {"A=(1 2) b", "FUNCTION"},
      {"time A=1 b", "ASSIGNMENT"},
      {"time exec b", "RESERVED_WORD"},
      {"time -p command b", "RESERVED_WORD"},
      {"ls *.c", "GLOB"},
      {"ls a?", "GLOB"},
      {"ls [a]", "GLOB"},
      {"echo a]", "GLOB"},
      {"/usr/bin/gi?", "GLOB"},
      {"echo {a,b}", "BRACE"},
      {"echo {1..3}", "BRACE"},
      {"{git,status}", "BRACE"},
      {"echo ~", "TILDE"},
      {"echo ~root/x", "TILDE"},
      {"make prefix=~/x", "TILDE"},
      {"echo a:~/b", "TILDE"},
      {"eval id", "SHELL_STATE"},
      {". ./x", "SHELL_STATE"},
      {"source x", "SHELL_STATE"},
      {"alias git=id", "SHELL_STATE"},
      {"command eval id", "SHELL_STATE"},
      {"builtin -- source x", "SHELL_STATE"},
      {"set -e; a", "SHELL_STATE"},
      {"trap id EXIT", "SHELL_STATE"},
      {"hash -p /x git", "SHELL_STATE"},
      {"'eval' id", "SHELL_STATE"},
      {"exec a; b", "SHELL_STATE"},
      {"exec a && b", "SHELL_STATE"},
      {"cd /x | ls", "SHELL_STATE"},
      {"!a", "HISTORY"},
      {"! ! a", "HISTORY"},
      {"'' a", "EMPTY_COMMAND"},
      {"echo 'a", "UNTERMINATED_QUOTE"},
      {"echo \"a", "UNTERMINATED_QUOTE"},
      {"echo a\\", "TRAILING_BACKSLASH"},
      {"echo $\\\n(id)", "LINE_CONTINUATION"},
      {"echo 'a\\\nb'", "LINE_CONTINUATION"},
      {"a # c\\\nb", "LINE_CONTINUATION"},
      {"echo ok\n\\id", "LINE_CONTINUATION"},
      {"a\r\nb", "CONTROL_CHARACTER"},
      {"a\x0b"
       "b",
       "CONTROL_CHARACTER"},
      {"git\xC2\xA0status", "CONTROL_CHARACTER"},
      {"git status\xE2\x80\xA8id", "CONTROL_CHARACTER"},
      {"git status\xEF\xBC\x9Bid", "CONTROL_CHARACTER"},
      {"git status\xE3\x80\x80;id", "CONTROL_CHARACTER"},
      {"echo \xFF", "INVALID_UTF8"},
      {"a ;; b", "SYNTAX"},
      {"; a", "SYNTAX"},
      {"a\n;b", "SYNTAX"},
      {"&& a", "SYNTAX"},
      {"a &&", "SYNTAX"},
      {"a |", "SYNTAX"},
      {"a | | b", "SYNTAX"},
      {"a )", "SYNTAX"},
      {"!", "HISTORY"},
      {"! \n a", "SYNTAX"},
      {"[ a ]b ]", "GLOB"},
      {"[ -v x ]", "SYNTAX"},
      {"[ a", "SYNTAX"},
  };
  for (const Row& row : rows) {
    INFO("text: " << row.text);
    CHECK(outcome(row.text) == row.code);
  }
}

TEST_CASE("a NUL in the text is not analysable") {
  CHECK(outcome(std::string_view("git status\0; id", 15)) == "CONTROL_CHARACTER");
}

TEST_CASE("the failure names the place") {
  CHECK(parse_shell_text("echo a > b").failure.position == 7);
  CHECK(parse_shell_text("echo 'x").failure.position == 5);
  CHECK_FALSE(parse_shell_text("echo 'x").failure.reason.empty());
}

TEST_CASE("exec is accepted only where a shell would run nothing after it") {
  CHECK(outcome("exec a b") == "ok");
  CHECK(outcome("a; exec b\n") == "ok");
  CHECK(outcome("a | exec b; c") == "ok");
  CHECK(outcome("exec a\nb") == "SHELL_STATE");
  CHECK(outcome("command exec a; b") == "SHELL_STATE");
}

TEST_CASE("text, commands and words are bounded") {
  CHECK(outcome("a " + std::string(kMaxShellTextUnits - 2, 'b')) == "ok");
  CHECK(outcome("a " + std::string(kMaxShellTextUnits, 'b')) == "TOO_LONG");
  std::string many;
  for (std::size_t i = 0; i < kMaxShellCommands; ++i) many += "a;";
  CHECK(outcome(many) == "ok");
  CHECK(outcome(many + "a") == "TOO_MANY_COMMANDS");
  std::string words = "a";
  for (std::size_t i = 0; i < kMaxShellWords; ++i) words += " b";
  CHECK(outcome(words) == "TOO_MANY_COMMANDS");
}

TEST_CASE("text that OpenClaw's parser reads differently from a shell is not analysable") {
  // Found by comparing the two on generated text.
  for (const char* text :
       {"b@c x", "b# x", "if\"a\" b", "echo ==", "echo \"a\"\\ b", "echo -e\"a\"\\n", "echo a\\\tb",
        "echo \\ b", "time+: x", "'a?' b", "echo a 1#b", "./'?$x' y", "echo 'a'\"*$\"x"}) {
    INFO("text: " << text);
    CHECK(outcome(text) != "ok");
  }
}

TEST_CASE("ANSI-C quoting is decoded only for shells that have it") {
  ShellTextOptions bash;
  bash.ansi_c_quotes = true;
  const auto words = [&](const char* text) {
    const ShellTextResult result = parse_shell_text(text, bash);
    return result ? argvs_of(*result.program) : Argvs{{result.failure.code}};
  };
  CHECK(words("echo $'a\\'; id #'") == Argvs{{"echo", "a'; id #"}});
  CHECK(words("echo $'\\n\\t\\\\\\x41\\101'x") == Argvs{{"echo", "\n\t\\AAx"}});
  CHECK(words("echo $'a\\0b'") == Argvs{{"ANSI_C_QUOTE"}});
  CHECK(words("echo $'\\xe9'") == Argvs{{"ANSI_C_QUOTE"}});
  CHECK(words("echo $'\\u00e9'") == Argvs{{"ANSI_C_QUOTE"}});
  CHECK(words("echo $'\\cA'") == Argvs{{"ANSI_C_QUOTE"}});
  CHECK(words("echo $'a") == Argvs{{"UNTERMINATED_QUOTE"}});
  CHECK(words("echo $\"a\"") == Argvs{{"ANSI_C_QUOTE"}});
}

TEST_CASE("a plain unset may be left out, but not from a condition") {
  ShellTextOptions options;
  options.ignore_unset = true;
  const auto words = [&](const char* text) {
    const ShellTextResult result = parse_shell_text(text, options);
    return result ? argvs_of(*result.program) : Argvs{{result.failure.code}};
  };
  CHECK(words("unset A B; echo a") == Argvs{{"echo", "a"}});
  CHECK(words("echo a\nunset A\necho b") == Argvs{{"echo", "a"}, {"echo", "b"}});
  CHECK(words("unset A && echo a") == Argvs{{"SHELL_STATE"}});
  CHECK(words("echo a || unset A") == Argvs{{"SHELL_STATE"}});
  CHECK(words("unset A | cat") == Argvs{{"SHELL_STATE"}});
  CHECK(words("unset -f A; echo a") == Argvs{{"SHELL_STATE"}});
  CHECK(words("unset 'a[0]'; echo a") == Argvs{{"SHELL_STATE"}});
  CHECK(words("unset A") == Argvs{{"EMPTY"}});
  CHECK(outcome("unset A; echo a") == "SHELL_STATE");
}

TEST_CASE("carriage return, vertical tab and form feed may be parts of words, never separators") {
  ShellTextOptions options;
  options.control_characters = true;
  const ShellTextResult result = parse_shell_text("a b\rc d\v'\f'\r\ne", options);
  REQUIRE(result);
  CHECK(argvs_of(*result.program) == Argvs{{"a", "b\rc", "d\v\f\r"}, {"e"}});
  CHECK_FALSE(parse_shell_text("a \x01", options));
  CHECK_FALSE(parse_shell_text("a \x7F", options));
}
