// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "policy/programs/wrappers.h"

using namespace hostclaw::policy;

namespace {

struct FakeFiles : FileProbe {
  std::map<std::string, FileFacts> known;
  std::map<std::string, std::string> heads;

  FileFacts facts(const std::string& path) override {
    const auto found = known.find(path);
    return found == known.end() ? FileFacts{} : found->second;
  }
  bool is_symlink(const std::string&) override { return false; }
  bool changeable_by_others(const std::string&) override { return false; }
  std::optional<std::string> content_sha256(const std::string&) override { return std::nullopt; }
  std::string head(const std::string& path, std::size_t) override { return heads[path]; }

  void add(const std::string& path, bool is_mutable = true) {
    FileFacts facts;
    facts.kind = FileKind::kRegular;
    facts.real_path = path;
    facts.mutable_by_us = is_mutable;
    known[path] = facts;
  }
};

Argv repeat(const std::string& word, std::size_t count, const Argv& rest) {
  Argv argv(count, word);
  argv.insert(argv.end(), rest.begin(), rest.end());
  return argv;
}

std::optional<std::string> bound(const Argv& argv, RawCommandForm raw = RawCommandForm::kAbsent,
                                 Platform platform = Platform::kPosix) {
  const auto wrapper = find_shell_wrapper(argv, raw, platform);
  return wrapper ? wrapper->bindable : std::nullopt;
}

}  // namespace

TEST_CASE("a program is named by the shorter of its two basenames") {
  CHECK(executable_token("/bin/SH") == "sh");
  CHECK(executable_token("C:\\x\\sh.CMD") == "sh");
  CHECK(executable_token("pwsh.com") == "pwsh");
  CHECK(executable_token(" /tmp/bash ") == "bash");
  CHECK(executable_token("git.exe.exe") == "git.exe");
  CHECK(executable_token(".exe") == ".exe");
  CHECK(executable_token("") == "");
}

TEST_CASE("transparent wrappers are looked through") {
  const std::vector<std::pair<Argv, std::size_t>> rows = {
      {{"env", "git"}, 1},
      {{"env", "--", "git"}, 2},
      {{"nice", "git"}, 1},
      {{"nice", "-5", "git"}, 2},
      {{"nice", "-n5", "git"}, 2},
      {{"nice", "-n", "-5", "git"}, 3},
      {{"nice", "--adjustment=5", "git"}, 2},
      {{"nohup", "--", "git"}, 2},
      {{"timeout", "5", "git"}, 2},
      {{"timeout", "-k", "1", "-s", "TERM", "5", "git"}, 6},
      {{"timeout", "--signal=TERM", "--foreground", "5s", "git"}, 4},
      {{"stdbuf", "-o", "L", "git"}, 3},
      {{"stdbuf", "git"}, 1},
      {{"time", "-p", "git"}, 2},
      {{"time", "-f", "%e", "git"}, 3},
      {{"caffeinate", "-d", "-t", "60", "git"}, 4},
      {{"command", "git"}, 1},
      {{"exec", "--", "git"}, 2},
      {{"/usr/bin/env", "nice", "git"}, 2},
  };
  for (const auto& [argv, index] : rows) {
    INFO(argv[0] << " " << argv[1]);
    const UnwrappedCommand command = unwrap_command(argv);
    CHECK_FALSE(command.blocked);
    CHECK(command.index == index);
    CHECK(command.argv == Argv(argv.begin() + static_cast<std::ptrdiff_t>(index), argv.end()));
    CHECK(command.transparent());
  }
}

TEST_CASE("wrappers that change what runs are blocked") {
  const std::vector<Argv> rows = {
      {"env", "A=1", "git"},
      {"env", "-i", "git"},
      {"env", "-u", "PATH", "git"},
      {"env", "-C", "/tmp", "./git"},
      {"env", "-S", "git status"},
      {"env", "-iS", "git status"},
      {"env", "--split-string=git status"},
      {"env", "-S", "git\\_status"},
      {"env"},
      {"env", "--bogus", "git"},
      {"nice"},
      {"nice", "-x", "git"},
      {"timeout", "5"},
      {"timeout", "-k1", "5", "git"},
      {"stdbuf", "-o0", "git"},
      {"time", "-o", "/tmp/x", "git"},
      {"time", "--output=/tmp/x", "git"},
      {"flock", "/tmp/l", "-c", "git"},
      {"flock", "-u", "9"},
      {"flock", "-w1", "/tmp/l", "git"},
      {"sudo", "git"},
      {"doas", "git"},
      {"setsid", "git"},
      {"script", "-q", "/dev/null", "git"},
      {"xcrun", "git"},
      {"arch", "-x86_64", "git"},
      {"busybox", "ls"},
      {"busybox"},
      {"toybox", "--", "wget"},
      {"command", "-v", "git"},
      {"command", "eval", "id"},
      {"exec", "source", "x"},
      {"npx", "git"},
      {"npm", "exec", "git"},
      {"npm", "--prefix", "x", "run", "y"},
      {"pnpm", "dlx", "git"},
      {"pnpm", "git"},
      {"yarn", "run", "x"},
      {"bunx", "git"},
  };
  for (const Argv& argv : rows) {
    INFO(argv[0] << " " << (argv.size() > 1 ? argv[1] : ""));
    const UnwrappedCommand command = unwrap_command(argv);
    CHECK(command.blocked);
    CHECK_FALSE(command.blocked_reason.empty());
  }
}

TEST_CASE("ordinary programs and a package manager's own commands are left alone") {
  for (const Argv& argv : std::vector<Argv>{{"git", "status"},
                                            {"npm", "run", "x"},
                                            {"npm", "test"},
                                            {"pnpm", "run", "x"},
                                            {"yarn", "install"},
                                            {"xargs", "id"},
                                            {"find", "."},
                                            {"npm", "--version"}}) {
    const UnwrappedCommand command = unwrap_command(argv);
    CHECK_FALSE(command.blocked);
    CHECK_FALSE(command.unwrapped());
    CHECK(command.argv == argv);
  }
}

TEST_CASE("four layers are looked through and a fifth is blocked") {
  CHECK_FALSE(unwrap_command(repeat("env", 3, {"git"})).blocked);
  CHECK_FALSE(unwrap_command(repeat("env", 4, {"git"})).blocked);
  CHECK(unwrap_command(repeat("env", 4, {"git"})).argv == Argv{"git"});
  CHECK(unwrap_command(repeat("env", 5, {"git"})).blocked);
}

TEST_CASE("a wrapper with a side effect of its own is looked through but not transparent") {
  const UnwrappedCommand lock = unwrap_command({"flock", "/tmp/l", "git"});
  CHECK_FALSE(lock.blocked);
  CHECK_FALSE(lock.transparent());
  CHECK_FALSE(unwrap_command({"env", "-", "git"}).transparent());
  CHECK_FALSE(unwrap_command({"exec", "-a", "x", "git"}).transparent());
}

TEST_CASE("arch and xcrun are looked through on macOS only") {
  UnwrapOptions options;
  options.macos = true;
  CHECK(unwrap_command({"arch", "-arm64", "git"}, options).argv == Argv{"git"});
  CHECK(unwrap_command({"xcrun", "git"}, options).argv == Argv{"git"});
  CHECK(unwrap_command({"xcrun", "--sdk", "macosx", "git"}, options).blocked);
}

TEST_CASE("the inline text of a shell is found") {
  struct Row {
    Argv argv;
    const char* payload;
    std::size_t trailing;
  };
  const std::vector<Row> rows = {
      {{"sh", "-c", "echo hi"}, "echo hi", 0},
      {{"bash", "-ec", " echo hi "}, "echo hi", 0},
      {{"sh", "-c", "echo", "x", "y"}, "echo", 2},
      {{"bash", "-o", "pipefail", "-c", "a"}, "a", 0},
      {{"bash", "-oc", "pipefail", "a"}, "a", 0},
      {{"bash", "-x", "-c", "a"}, "a", 0},
      {{"bash", "--norc", "-c", "a"}, "a", 0},
      {{"bash", "-cx", "a b"}, "a b", 0},
      {{"bash", "-c", "--", "a"}, "--", 1},
      {{"fish", "--command", "a"}, "a", 0},
      {{"sh", "-cecho hi"}, "echo hi", 0},
      {{"nu", "--commands=a"}, "a", 0},
      {{"cmd.exe", "/d", "/s", "/c", "dir"}, "dir", 0},
      {{"cmd", "/C", "echo", "hi"}, "echo hi", 0},
      {{"pwsh", "-NoProfile", "-Command", "a", "b"}, "a b", 0},
      {{"pwsh", "-ep", "Bypass", "/c", "a"}, "a", 0},
      {{"pwsh",
        "\xE2\x80\x93"
        "Command",
        "a"},
       "a",
       0},
  };
  for (const Row& row : rows) {
    INFO(row.argv[0] << " " << row.argv[1]);
    const auto shell = read_shell_invocation(row.argv);
    REQUIRE(shell);
    REQUIRE(shell->payload);
    CHECK(*shell->payload == row.payload);
    CHECK(shell->trailing == row.trailing);
  }
}

TEST_CASE("a shell without inline text has no payload") {
  for (const Argv& argv : std::vector<Argv>{{"sh"},
                                            {"sh", "-c"},
                                            {"sh", "-c", "  "},
                                            {"sh", "x.sh", "-c", "a"},
                                            {"bash", "--", "-c", "a"},
                                            {"tcsh", "-c", "a"},
                                            {"pwsh", "x.ps1", "-c", "a"}}) {
    REQUIRE(read_shell_invocation(argv));
    CHECK_FALSE(read_shell_invocation(argv)->payload);
  }
  CHECK_FALSE(read_shell_invocation({"git", "-c", "a"}));
}

TEST_CASE("only text that the shell would run unchanged is bound") {
  CHECK(bound({"sh", "-c", "echo hi"}) == "echo hi");
  CHECK(bound({"nice", "sh", "-c", "echo hi"}) == "echo hi");
  CHECK(bound({"busybox", "sh", "-c", "echo hi"}) == "echo hi");
  CHECK(bound({"/bin/sh", "-lc", "a"}, RawCommandForm::kPayload) == "a");
  CHECK(bound({"/bin/sh", "-lc", "a"}, RawCommandForm::kCommandText) == "a");
  CHECK(bound({"cmd.exe", "/d", "/s", "/c", "dir"}, RawCommandForm::kAbsent, Platform::kWindows) == "dir");
  const std::vector<Argv> unbound = {
      {"/bin/sh", "-lc", "a"},
      {"bash", "-lc", "a"},
      {"bash", "-ic", "a"},
      {"bash", "--login", "-c", "a"},
      {"bash", "-l", "-c", "a"},
      {"bash", "--rcfile", "/tmp/x", "-c", "a"},
      {"bash", "--init-file", "/tmp/x", "-c", "a"},
      {"fish", "-C", "x", "-c", "a"},
      {"fish", "-cecho hi"},
      {"nu", "-c", "a"},
      {"xonsh", "-c", "a"},
      {"pwsh", "-c", "a"},
      {"cmd", "/c", "a"},
      {"env", "A=1", "sh", "-c", "a"},
      {"env", "-C", "/x", "sh", "-c", "./a"},
      {"env", "-S", "sh -c a"},
      {"time", "-o", "/x", "sh", "-c", "true"},
      {"flock", "/x", "sh", "-c", "true"},
      {"command", "sh", "-c", "a"},
  };
  for (const Argv& argv : unbound) {
    INFO(argv[0] << " " << argv[1]);
    const auto wrapper = find_shell_wrapper(argv, RawCommandForm::kAbsent, Platform::kPosix);
    REQUIRE(wrapper);
    CHECK_FALSE(wrapper->bindable);
    CHECK_FALSE(wrapper->not_bindable_reason.empty());
  }
  CHECK_FALSE(bound({"bash", "-lc", "a"}, RawCommandForm::kCommandText));
}

TEST_CASE("unreviewed options and operands after the text are told") {
  const auto plain = [](const Argv& argv) {
    return find_shell_wrapper(argv, RawCommandForm::kAbsent, Platform::kPosix)->is_plain();
  };
  CHECK(plain({"sh", "-c", "a"}));
  CHECK(plain({"sh", "-euc", "a"}));
  CHECK(plain({"bash", "-euo", "pipefail", "-c", "a"}));
  CHECK_FALSE(plain({"bash", "-xc", "a"}));
  CHECK_FALSE(plain({"bash", "--norc", "-c", "a"}));
  CHECK_FALSE(plain({"bash", "-O", "extglob", "-c", "a"}));
  CHECK_FALSE(plain({"bash", "-o", "history", "-c", "a"}));
  CHECK_FALSE(plain({"sh", "-c", "a", "x"}));
}

TEST_CASE("a raw command is the command text, the payload, or a mismatch") {
  const Argv direct = {"sh", "-c", "echo hi"};
  CHECK(classify_raw_command(direct, "", "x") == RawCommandForm::kAbsent);
  CHECK(classify_raw_command(direct, " sh -c \"echo hi\" ", "sh -c \"echo hi\"") ==
        RawCommandForm::kCommandText);
  CHECK(classify_raw_command(direct, "echo hi", "x") == RawCommandForm::kPayload);
  CHECK(classify_raw_command(direct, "echo ho", "x") == RawCommandForm::kMismatch);
  CHECK(classify_raw_command({"/bin/sh", "-lc", "a"}, "a", "x") == RawCommandForm::kPayload);
  CHECK(classify_raw_command({"bash", "-lc", "a"}, "a", "x") == RawCommandForm::kMismatch);
  CHECK(classify_raw_command({"sh", "-c", "a", "y"}, "a", "x") == RawCommandForm::kMismatch);
  CHECK(classify_raw_command({"env", "A=1", "sh", "-c", "a"}, "a", "x") == RawCommandForm::kMismatch);
  CHECK(classify_raw_command({"git", "a"}, "a", "git a") == RawCommandForm::kMismatch);
}

TEST_CASE("the gateway's carriers are known exactly") {
  CHECK(is_gateway_carrier({"/bin/sh", "-lc", "a"}));
  CHECK(is_gateway_carrier({"/bin/sh", "-c", "a"}));
  CHECK(is_gateway_carrier({"cmd.exe", "/d", "/s", "/c", "a"}));
  CHECK_FALSE(is_gateway_carrier({"/bin/sh", "-c", "a", "b"}));
  CHECK_FALSE(is_gateway_carrier({"/tmp/sh", "-c", "a"}));
  CHECK_FALSE(is_gateway_carrier({"bash", "-c", "a"}));
}

TEST_CASE("errexit becomes && where that says the same") {
  auto program = *parse_shell_text("a; b\nc").program;
  CHECK(apply_errexit(program));
  CHECK(program.pipelines[1].connector == Connector::kAnd);
  CHECK(program.pipelines[2].connector == Connector::kAnd);
  for (const char* text : {"a; b || c", "a && b; c", "! a; b"}) {
    auto other = *parse_shell_text(text).program;
    CHECK_FALSE(apply_errexit(other));
  }
}

TEST_CASE("environment assignments in front of a command are listed") {
  CHECK(env_assignment_keys({"env", "FOO=1", "BAR=2", "git"}) == std::vector<std::string>{"BAR", "FOO"});
  CHECK(env_assignment_keys({"nice", "env", "-u", "PATH", "TERM=x", "git"}) ==
        std::vector<std::string>{"TERM"});
  CHECK(env_assignment_keys({"env", "-i", "BASH_ENV=/x", "sh", "-c", "a"}) ==
        std::vector<std::string>{"BASH_ENV"});
  CHECK(env_assignment_keys({"env", "A=1", "env", "B=2", "git"}) == std::vector<std::string>{"A", "B"});
  CHECK(env_assignment_keys({"env", "-S", "A=1 git"}).empty());
  CHECK(env_assignment_keys({"git", "A=1"}).empty());
  CHECK(env_assignment_keys({"sudo", "LD_PRELOAD=/x", "git"}).empty());
}

TEST_CASE("the script operand of a shell is found") {
  CHECK(find_script_candidate({"sh", "x.sh", "a"})->index == 1);
  CHECK(find_script_candidate({"bash", "-e", "-o", "errexit", "x.sh"})->index == 4);
  CHECK(find_script_candidate({"sh", "--", "-x.sh"})->index == 2);
  CHECK(find_script_candidate({"pwsh", "-NoProfile", "-File", "x.ps1", "a"})->index == 3);
  for (const Argv& argv : std::vector<Argv>{{"sh"},
                                            {"sh", "-c", "a"},
                                            {"sh", "-c"},
                                            {"sh", "-s", "x.sh"},
                                            {"bash", "--rcfile", "y", "x.sh"},
                                            {"tcsh", "x.sh"},
                                            {"git", "x.sh"}}) {
    CHECK_FALSE(find_script_candidate(argv));
  }
}

TEST_CASE("operands whose content must be bound are found") {
  using Kind = MutableOperand::Kind;
  FakeFiles files;
  for (const char* name : {"/w/script.sh", "/w/script.py", "/w/run.ts", "/w/data.txt", "/w/tool"})
    files.add(name);
  files.add("/usr/bin/uname", false);
  files.heads["/usr/bin/uname"] =
      "\x7F"
      "ELF";
  struct Row {
    Argv argv;
    const char* payload;
    Kind kind;
    std::size_t index;
  };
  const std::vector<Row> rows = {
      {{"sh", "./script.sh", "a"}, nullptr, Kind::kIndex, 1},
      {{"nice", "sh", "script.sh"}, nullptr, Kind::kIndex, 2},
      {{"python3", "script.py", "data.txt"}, nullptr, Kind::kIndex, 1},
      {{"python3", "-u", "script.py"}, nullptr, Kind::kIndex, 2},
      {{"python3", "-u", "script.py", "data.txt"}, nullptr, Kind::kUnbindable, 0},
      {{"python3", "-c", "1"}, nullptr, Kind::kUnbindable, 0},
      {{"python3.11", "-V"}, nullptr, Kind::kUnbindable, 0},
      {{"perl", "-I", "x", "script.py"}, nullptr, Kind::kUnbindable, 0},
      {{"node", "--import=./run.ts", "script.py"}, nullptr, Kind::kUnbindable, 0},
      {{"bun", "run", "./run.ts"}, nullptr, Kind::kIndex, 2},
      {{"bun", "--cwd", "/x", "run", "./run.ts"}, nullptr, Kind::kRuntimeOptions, 0},
      {{"deno", "run", "-A", "--", "./run.ts"}, nullptr, Kind::kIndex, 4},
      {{"deno", "eval", "1"}, nullptr, Kind::kUnbindable, 0},
      {{"pnpm", "exec", "tsx", "./run.ts"}, nullptr, Kind::kIndex, 3},
      {{"pnpm", "dlx", "cowsay", "hello"}, nullptr, Kind::kNone, 0},
      {{"/w/tool", "x"}, nullptr, Kind::kIndex, 0},
      {{"/usr/bin/uname"}, nullptr, Kind::kNone, 0},
      {{"/w/missing"}, nullptr, Kind::kUnbindable, 0},
      {{"git", "status"}, nullptr, Kind::kNone, 0},
      {{"env", "-C", "/x", "git"}, nullptr, Kind::kDispatchCwd, 0},
      {{"bash", "--rcfile", "x", "-c", "a"}, "a", Kind::kStartupFiles, 0},
      {{"sh", "-c", "$0", "uname", "-s"}, "$0", Kind::kStartupFiles, 0},
      {{"env", "BASH_ENV=x", "bash", "-c", "a"}, "a", Kind::kStartupEnvironment, 0},
      {{"busybox", "sh", "script.sh"}, nullptr, Kind::kUnbindable, 0},
      {{"bash", "-lc", "uname"}, nullptr, Kind::kUnbindable, 0},
      {{"sh", "-c", "uname $X"}, "uname $X", Kind::kNone, 0},
      {{"sh", "-c", "a && b"}, "a && b", Kind::kUnbindable, 0},
      {{"sh", "-c", "echo 'a;b'"}, "echo 'a;b'", Kind::kUnbindable, 0},
      {{"sh", "-c", "python3 x"}, "python3 x", Kind::kUnbindable, 0},
      {{"sh", "-c", ". ./x"}, ". ./x", Kind::kUnbindable, 0},
      {{"sh", "-c", "./tool"}, "./tool", Kind::kUnbindable, 0},
      {{"sh", "-c", "/w/tool"}, "/w/tool", Kind::kUnbindable, 0},
      {{"sh", "-c", "/usr/bin/uname -s"}, "/usr/bin/uname -s", Kind::kNone, 0},
  };
  for (const Row& row : rows) {
    INFO(row.argv[0] << " " << (row.argv.size() > 1 ? row.argv[1] : "") << " "
                     << (row.argv.size() > 2 ? row.argv[2] : ""));
    MutableOperandInput input{row.argv, std::nullopt, "/w", false, Platform::kPosix};
    if (row.payload != nullptr) input.shell_payload = row.payload;
    const MutableOperand operand = find_mutable_operand(input, files);
    CHECK(operand.kind == row.kind);
    if (row.kind == Kind::kIndex) CHECK(operand.index == row.index);
  }
}
