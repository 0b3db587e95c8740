// SPDX-License-Identifier: Apache-2.0
#include "policy/programs/builtins.h"

#include <algorithm>

namespace hostclaw::policy {
namespace {

BuiltinUse harmless(Builtin builtin) {
  BuiltinUse use;
  use.kind = BuiltinUse::Kind::kHarmless;
  use.builtin = builtin;
  return use;
}

BuiltinUse refused(std::string reason) {
  BuiltinUse use;
  use.kind = BuiltinUse::Kind::kRefused;
  use.reason = std::move(reason);
  return use;
}

// bash evaluates subscripts inside operands of its builtins (contract 17.1 item 2). The host does not, but
// what it accepts must mean the same everywhere.
bool is_plain_operand(std::string_view operand) {
  return operand.find_first_of("[$`") == std::string_view::npos;
}

bool all_plain(const std::vector<std::string>& argv) {
  return std::all_of(argv.begin() + 1, argv.end(),
                     [](const std::string& word) { return is_plain_operand(word); });
}

BuiltinUse classify_cd(const std::vector<std::string>& argv) {
  BuiltinUse use = harmless(Builtin::kCd);
  std::size_t index = 1;
  for (; index < argv.size() && argv[index].starts_with('-'); ++index) {
    if (argv[index] == "--") {
      ++index;
      break;
    }
    if (argv[index] != "-P" && argv[index] != "-L") return refused("`cd` takes -L or -P only, and no `-`.");
    use.physical = argv[index] == "-P";
  }
  if (index == argv.size()) return use;
  if (argv.size() - index != 1) return refused("`cd` needs one directory.");
  if (argv[index].empty() || argv[index] == "-") return refused("`cd` needs a literal directory.");
  use.directory = argv[index];
  return use;
}

BuiltinUse classify_test(const std::vector<std::string>& argv, bool bracket) {
  if (bracket && argv.back() != "]") return refused("`[` is not closed.");
  const std::size_t last = bracket ? argv.size() - 1 : argv.size();
  for (std::size_t i = 1; i < last; ++i) {
    if (argv[i] == "-v" || argv[i] == "-R" || argv[i] == "-o" || argv[i] == "-a" ||
        !is_plain_operand(argv[i])) {
      return refused("This test may evaluate its operands.");
    }
  }
  BuiltinUse use;
  use.kind = BuiltinUse::Kind::kOfficialOnly;
  return use;
}

}  // namespace

BuiltinUse classify_builtin(const std::vector<std::string>& argv) {
  if (argv.empty()) return {};
  const std::string& word = argv.front();
  if (word == "cd") return classify_cd(argv);
  if (word == "test" || word == "[") return classify_test(argv, word == "[");
  if (word == "pwd") {
    const bool plain = argv.size() == 1 || (argv.size() == 2 && (argv[1] == "-L" || argv[1] == "-P"));
    if (!plain) return refused("`pwd` takes -L or -P only.");
    BuiltinUse use = harmless(Builtin::kPwd);
    use.physical = argv.back() == "-P";
    return use;
  }
  Builtin builtin = Builtin::kNone;
  if (word == "true") builtin = Builtin::kTrue;
  if (word == "false") builtin = Builtin::kFalse;
  if (word == ":") builtin = Builtin::kColon;
  if (builtin == Builtin::kNone) return {};
  return all_plain(argv) ? harmless(builtin) : refused("The operands of this builtin are not plain.");
}

bool is_relative_command_word(std::string_view word) {
  return !word.empty() && word.front() != '/' && word.find('/') != std::string_view::npos;
}

std::string quote_shell_word(std::string_view word) {
  const auto is_bare = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("_@%+=:,./-").find(c) != std::string_view::npos;
  };
  // `==` and `=~` at the beginning of a word are operators somewhere, and refused by the grammar when bare.
  const bool bare = !word.empty() && word.front() != '=' && std::all_of(word.begin(), word.end(), is_bare);
  if (bare) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) {
    // The grammar refuses a line that begins or ends with a backslash, wherever it stands.
    if ((c == '\\' && quoted.back() == '\n') || (c == '\n' && quoted.back() == '\\')) quoted += "''";
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted.push_back(c);
    }
  }
  quoted.push_back('\'');
  return quoted;
}

std::string quote_shell_words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text.push_back(' ');
    text += quote_shell_word(word);
  }
  return text;
}

}  // namespace hostclaw::policy
