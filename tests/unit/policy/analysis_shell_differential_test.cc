// SPDX-License-Identifier: Apache-2.0
// What we derive from a text is what a shell executes: accepted texts are run by the real dash and bash, with
// a PATH that holds one recording program under several names, and the recorded argument lists are compared
// with ours.
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "policy/programs/builtins.h"
#include "policy/shell/shell_text.h"

using namespace hostclaw::policy;

namespace {

using Words = std::vector<std::string>;
using Commands = std::vector<Words>;

constexpr std::array<const char*, 4> kShells = {"/bin/dash", "/bin/bash", "/bin/sh", "/usr/bin/bash"};
constexpr const char* kRecorderNames[] = {"a", "b", "c"};

// The recorder appends its arguments to $RECORD, each ended by NUL, the list ended by one more byte, and
// succeeds when its name is not `b`: both branches of && and || are taken. One write, so that stages of a
// pipeline do not mix.
class Workshop {
 public:
  Workshop() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hostclaw-differential-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    std::filesystem::create_directory(folder_ + "/bin");
    const std::string source = folder_ + "/recorder.c";
    std::ofstream(source)
        << "#include <fcntl.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n"
           "int main(int argc, char** argv) { static char line[65536]; size_t n = 0;\n"
           "for (int i = 0; i < argc; ++i) { size_t l = strlen(argv[i]) + 1; if (n + l + 1 > sizeof line) "
           "return 9;"
           " memcpy(line + n, argv[i], l); n += l; }\nline[n++] = 1;\n"
           "int out = open(getenv(\"RECORD\"), O_WRONLY | O_APPEND); if (write(out, line, n) < 0) return 9;\n"
           "return strcmp(argv[0], \"b\") == 0; }\n";
    const std::string compile = "cc -O1 -o '" + folder_ + "/bin/a' '" + source + "' 2>/dev/null";
    usable_ = std::system(compile.c_str()) == 0;  // NOLINT: a fixed command of our own
    for (const char* name : kRecorderNames) {
      std::error_code ignored;
      if (name != std::string("a"))
        std::filesystem::create_hard_link(folder_ + "/bin/a", folder_ + "/bin/" + name, ignored);
    }
  }
  ~Workshop() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;

  bool usable() const { return usable_; }

  Commands run(const std::string& shell, const std::string& text) const {
    const std::string record = folder_ + "/record";
    std::ofstream(record, std::ios::trunc).close();
    const std::string record_variable = "RECORD=" + record;
    const std::string path_variable = "PATH=" + folder_ + "/bin";
    std::vector<std::string> words = {shell, "-c", text};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::vector<std::string> variables = {record_variable, path_variable, "LC_ALL=C.UTF-8"};
    std::vector<char*> environment;
    for (std::string& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (const int descriptor : {0, 1, 2}) {
      posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null",
                                       descriptor == 0 ? O_RDONLY : O_WRONLY, 0);
    }
    posix_spawn_file_actions_addchdir_np(&actions, folder_.c_str());
    pid_t child = 0;
    REQUIRE(posix_spawn(&child, shell.c_str(), &actions, nullptr, argv.data(), environment.data()) == 0);
    posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return read(record);
  }

 private:
  static Commands read(const std::string& record) {
    std::ifstream file(record, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    Commands commands;
    Words words;
    std::size_t position = 0;
    while (position < bytes.size()) {
      if (bytes[position] == '\1') {
        commands.push_back(std::exchange(words, Words()));
        ++position;
        continue;
      }
      const std::size_t end = bytes.find('\0', position);
      words.push_back(bytes.substr(position, end - position));
      position = end + 1;
    }
    return commands;
  }

  std::string folder_;
  bool usable_ = false;
};

// Runs the program as ExecutionPlan says: pipelines one after the other, the exit status decides && and ||.
Commands execute(const ShellProgram& program) {
  Commands commands;
  int status = 0;
  for (const ShellPipeline& pipeline : program.pipelines) {
    if (pipeline.connector == Connector::kAnd && status != 0) continue;
    if (pipeline.connector == Connector::kOr && status == 0) continue;
    for (const ShellCommand& command : pipeline.commands) {
      const Words argv = command.argv();
      const BuiltinUse use = classify_builtin(argv);
      // A name that is no recorder is not found, which is a failure too.
      const bool succeeds = use.builtin == Builtin::kTrue || argv[0] == "a" || argv[0] == "c";
      status = succeeds ? 0 : 1;
      if (use.kind == BuiltinUse::Kind::kNotBuiltin) commands.push_back(argv);
    }
    if (pipeline.negate) status = status == 0 ? 1 : 0;
  }
  return commands;
}

// Stages of a pipeline run at the same time, so that only their set is known.
void normalize(Commands& commands) { std::sort(commands.begin(), commands.end()); }

std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> kPieces = {"a",
                                                   "b",
                                                   "c",
                                                   "x",
                                                   "1",
                                                   "-n",
                                                   "'q r'",
                                                   "\"s t\"",
                                                   "''",
                                                   "\"\"",
                                                   "\\ ",
                                                   "\\$",
                                                   "\\\"",
                                                   "\\'",
                                                   "\\\\",
                                                   "'$x'",
                                                   "\"\\$x\"",
                                                   "\"\\a\"",
                                                   "'\\'",
                                                   "'*'",
                                                   "\"*\"",
                                                   "\\*",
                                                   "{}",
                                                   "$",
                                                   "\"$\"",
                                                   "#",
                                                   "!",
                                                   "~",
                                                   "=",
                                                   ":",
                                                   ",",
                                                   "/",
                                                   ".",
                                                   "%",
                                                   "@",
                                                   "+",
                                                   "^",
                                                   "-",
                                                   "\xC3\xA9",
                                                   "\xC4\x81",
                                                   "\xE2\x82\xAC",
                                                   "'\xE3\x80\x80'",
                                                   "'\n'",
                                                   "\"\n\"",
                                                   "[",
                                                   "]",
                                                   "'a'b"};
  static const std::vector<std::string> kJoints = {
      " ",    " ",  " ",   " ", "  ",     "\t",   ";",          "; ",          "\n",  "\n\n",
      " && ", "||", " | ", "|", " # c\n", "&&\n", "; true && ", "\nfalse || ", "; ! "};
  std::string text = kPieces[random() % 3];
  for (std::size_t count = random() % 8; count > 0; --count) {
    const std::string& joint = kJoints[random() % kJoints.size()];
    text += joint;
    const bool starts_command = joint.find_first_not_of(" \t") != std::string::npos;
    for (std::size_t parts = 1 + random() % 3; parts > 0; --parts)
      text += kPieces[starts_command ? random() % 3 : random() % kPieces.size()];
    if (starts_command) text += " ";
  }
  return text;
}

}  // namespace

TEST_CASE("dash and bash execute exactly the argument lists that were derived") {
  const Workshop workshop;
  std::vector<std::string> shells;
  for (const char* shell : kShells) {
    if (access(shell, X_OK) == 0 && shells.size() < 2) shells.emplace_back(shell);
  }
  if (!workshop.usable() || shells.empty()) {
    WARN("skipped: needs a C compiler (cc) and a shell");
    return;
  }
  std::mt19937 random(20260921);
  std::size_t accepted = 0;
  for (std::size_t round = 0; round < 20000 && accepted < 600; ++round) {
    const std::string text = random_text(random);
    const ShellTextResult result = parse_shell_text(text);
    if (!result) continue;
    ++accepted;
    Commands expect = execute(*result.program);
    normalize(expect);
    for (const std::string& shell : shells) {
      Commands found = workshop.run(shell, text);
      normalize(found);
      // A word that is no recorder is not found by either: both lists hold recorders only.
      Commands ours;
      for (const Words& words : expect) {
        if (words[0] == "a" || words[0] == "b" || words[0] == "c") ours.push_back(words);
      }
      if (found != ours) {
        INFO("shell: " << shell << "\ntext: " << text);
        CHECK(found == ours);
        return;
      }
    }
  }
  CHECK(accepted == 600);
}

TEST_CASE("quoting gives every word back through a real shell") {
  const Workshop workshop;
  if (!workshop.usable()) {
    WARN("skipped: needs a C compiler (cc)");
    return;
  }
  const Words words = {"a",  "",   "b c", "it's",  "$HOME `id` $(id)", "\\", "\"", "*", "~", "a\nb",
                       "-n", "#x", "!",   "{a,b}", "\xC3\xA9",         "a=b"};
  CHECK(workshop.run("/bin/sh", quote_shell_words(words)) == Commands{words});
  // And through our own grammar.
  const ShellTextResult result = parse_shell_text(quote_shell_words(words));
  REQUIRE(result);
  CHECK(result.program->pipelines[0].commands[0].argv() == words);
}
