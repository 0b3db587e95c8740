// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "base/text.h"
#include "policy/programs/wrappers.h"

namespace hostclaw::policy {
namespace {

bool is_blank_word(std::string_view word) { return trim(word).empty(); }

std::size_t count_options_with_value(std::string_view cluster) {
  return static_cast<std::size_t>(
      std::count_if(cluster.begin(), cluster.end(), [](char c) { return c == 'o' || c == 'O'; }));
}

// Walks over the options of a POSIX-family shell as exec contract 8.2 describes it.
class PosixOptions {
 public:
  PosixOptions(const Argv& argv, ShellInvocation& invocation) : argv_(argv), invocation_(invocation) {}

  // Stops at the payload or at the first operand; `operand()` is then its index, or argv.size().
  void scan() {
    while (index_ < argv_.size()) {
      const std::string_view token = trim(argv_[index_]);
      if (token.empty()) {
        ++index_;
        continue;
      }
      if (token == "--") {
        ++index_;
        return;
      }
      if (token.front() != '-' && token.front() != '+') return;
      if (!scan_option(token)) return;
    }
  }
  std::size_t operand() const { return index_; }
  bool stdin_script() const { return stdin_script_; }

 private:
  // False when the payload was found.
  bool scan_option(std::string_view token) {
    if (scan_special(token)) return invocation_.payload_index == 0;
    if (token.starts_with("--")) {
      note_long_option(token);
      index_ += is_one_of(token, {"--rcfile", "--init-file"}) ? 2 : 1;
      return true;
    }
    const bool minus = token.front() == '-';
    if (minus) note_letters(token.substr(1));
    if (!minus) invocation_.reviewed_options = false;
    const std::size_t c = minus ? token.find('c') : std::string_view::npos;
    if (c != std::string_view::npos && token.find('-', 1) == std::string_view::npos)
      return take_clustered(token, c);
    index_ += 1 + count_options_with_value(token.substr(1));
    note_option_values(token);
    return true;
  }

  // Options with a meaning of their own in one shell.
  bool scan_special(std::string_view token) {
    if (is_one_of(token, {"--command", "--commands", "--cmdline"})) return take(index_ + 1), true;
    if (invocation_.name == "nu") {
      if (is_one_of(token, {"-e", "--execute"})) return take(index_ + 1), true;
      for (const std::string_view flag : {"--command=", "--commands=", "--execute="}) {
        if (token.starts_with(flag)) return take_attached(token.substr(flag.size())), true;
      }
      if (is_one_of(token, {"--config", "--env-config", "--plugin-config", "--plugins"})) {
        invocation_.startup_file = true;
        index_ += 2;
        return true;
      }
    }
    if (invocation_.name == "fish" && (token == "--init-command" || token.starts_with("-C"))) {
      invocation_.startup_file = true;
      index_ += token == "--init-command" || token == "-C" ? 2 : 1;
      return true;
    }
    return false;
  }

  void note_long_option(std::string_view token) {
    if (token == "--login") invocation_.login = true;
    if (token == "--interactive") invocation_.interactive = true;
    const std::string_view name = token.substr(0, token.find('='));
    if (is_one_of(name,
                  {"--rcfile", "--init-file", "--startup-file", "--init-command", "--startup-script"})) {
      invocation_.startup_file = true;
    }
    if (token == "--stdin") stdin_script_ = true;
    invocation_.reviewed_options = false;
  }

  void note_letters(std::string_view letters) {
    for (const char c : letters) {
      if (c == 'l') invocation_.login = true;
      if (c == 'i') invocation_.interactive = true;
      if (c == 's') stdin_script_ = true;
      if (c == 'e') invocation_.errexit = true;
      if (c != 'c' && c != 'e' && c != 'u' && c != 'l' && c != 'o') invocation_.reviewed_options = false;
    }
  }

  void note_option_values(std::string_view token) {
    if (count_options_with_value(token) == 0) return;
    // `-o NAME`: only those whose effect is known may stand here.
    const std::string_view value = index_ - 1 < argv_.size() ? trim(argv_[index_ - 1]) : std::string_view();
    if (token.find_first_not_of("-euo") != std::string_view::npos || count_options_with_value(token) != 1) {
      invocation_.reviewed_options = false;
    } else if (value == "errexit") {
      invocation_.errexit = true;
    } else if (value != "nounset" && value != "pipefail") {
      invocation_.reviewed_options = false;
    } else if (value == "pipefail") {
      invocation_.pipefail = true;
    }
  }

  bool take_clustered(std::string_view token, std::size_t c) {
    const std::string_view rest = token.substr(c + 1);
    if (!rest.empty() && !std::all_of(rest.begin(), rest.end(), is_ascii_letter)) {
      take_attached(rest);
      return false;
    }
    const std::size_t values = count_options_with_value(token.substr(1));
    if (values > 0) invocation_.reviewed_options = false;
    take(index_ + 1 + values);
    return false;
  }

  void take_attached(std::string_view text) {
    invocation_.attached = true;
    invocation_.payload_index = index_;
    set_payload(text);
  }
  void take(std::size_t index) {
    invocation_.payload_index = index;
    if (index < argv_.size()) set_payload(argv_[index]);
    index_ = argv_.size();
  }
  void set_payload(std::string_view text) {
    const std::string_view trimmed = trim(text);
    if (!trimmed.empty()) invocation_.payload = std::string(trimmed);
    for (std::size_t i = invocation_.payload_index + 1; i < argv_.size(); ++i) {
      if (!is_blank_word(argv_[i])) ++invocation_.trailing;
    }
  }

  const Argv& argv_;
  ShellInvocation& invocation_;
  std::size_t index_ = 1;
  bool stdin_script_ = false;
};

std::string join_from(const Argv& argv, std::size_t first) {
  std::string text;
  for (std::size_t i = first; i < argv.size(); ++i) {
    if (i > first) text.push_back(' ');
    text.append(argv[i]);
  }
  return text;
}

void read_cmd(const Argv& argv, ShellInvocation& invocation) {
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string token = to_lower_ascii(trim(argv[i]));
    if (token == "/c" || token == "/k" || token == "-c" || token == "-k") {
      if (token != "/c") invocation.reviewed_options = false;
      invocation.payload_index = i + 1;
      invocation.attached = argv.size() > i + 2;
      const std::string text = join_from(argv, i + 1);
      if (!trim(text).empty()) invocation.payload = std::string(trim(text));
      return;
    }
    if (token != "/d" && token != "/s") invocation.reviewed_options = false;
  }
}

struct PowerShellValueOption {
  std::string_view name;
  std::size_t shortest;
};
constexpr std::array<PowerShellValueOption, 14> kPowerShellValueOptions = {{{"configurationfile", 3},
                                                                            {"configurationname", 3},
                                                                            {"custompipename", 2},
                                                                            {"encodedarguments", 8},
                                                                            {"executionpolicy", 2},
                                                                            {"inputformat", 3},
                                                                            {"outputformat", 1},
                                                                            {"psconsolefile", 1},
                                                                            {"settingsfile", 2},
                                                                            {"token", 2},
                                                                            {"utctimestamp", 1},
                                                                            {"version", 1},
                                                                            {"windowstyle", 1},
                                                                            {"workingdirectory", 2}}};

bool takes_value(std::string_view option) {
  if (is_one_of(option, {"ea", "ep", "inp", "if", "of", "pscf", "wd"})) return true;
  return std::any_of(kPowerShellValueOptions.begin(), kPowerShellValueOptions.end(), [&](const auto& known) {
    return option.size() >= known.shortest && known.name.starts_with(option);
  });
}

// The option name without its introducer, lower-case; nullopt for an operand. PowerShell takes typographic
// dashes too.
std::optional<std::string> powershell_option(std::string_view token) {
  for (const std::string_view dash : {"--", "-", "\xE2\x80\x93", "\xE2\x80\x94", "\xE2\x80\x95"}) {
    if (token.size() > dash.size() && token.starts_with(dash))
      return to_lower_ascii(token.substr(dash.size()));
  }
  if (token.size() > 1 && token.front() == '/' &&
      std::all_of(token.begin() + 1, token.end(), [](char c) { return is_ascii_letter(c); })) {
    return to_lower_ascii(token.substr(1));
  }
  return std::nullopt;
}

void read_powershell(const Argv& argv, ShellInvocation& invocation) {
  invocation.reviewed_options = false;
  std::size_t index = 1;
  while (index < argv.size()) {
    const std::string_view token = trim(argv[index]);
    if (token.empty()) {
      ++index;
      continue;
    }
    const std::optional<std::string> option = powershell_option(token);
    if (!option) return;
    const auto prefix_of = [&](std::string_view name) { return name.starts_with(*option); };
    if (prefix_of("command") || *option == "cwa" || prefix_of("commandwithargs")) {
      invocation.payload_index = index + 1;
      const std::string text = join_from(argv, index + 1);
      if (!trim(text).empty()) invocation.payload = std::string(trim(text));
      return;
    }
    const bool is_file = prefix_of("file");
    if (is_file || prefix_of("encodedcommand") || *option == "ec") {
      invocation.payload_index = index + 1;
      (is_file ? invocation.file : invocation.encoded) = true;
      if (index + 1 < argv.size() && !is_blank_word(argv[index + 1])) {
        invocation.payload = std::string(trim(argv[index + 1]));
      }
      return;
    }
    index += takes_value(*option) ? 2 : 1;
  }
}

bool has_inline_language(std::string_view name) { return name != "csh" && name != "osh" && name != "tcsh"; }

}  // namespace

std::optional<ShellInvocation> read_shell_invocation(const Argv& argv) {
  if (argv.empty()) return std::nullopt;
  ShellInvocation invocation;
  invocation.name = executable_token(argv.front());
  invocation.family = shell_family(invocation.name);
  invocation.has_arguments = argv.size() > 1;
  switch (invocation.family) {
    case ShellFamily::kNone:
      return std::nullopt;
    case ShellFamily::kCmd:
      read_cmd(argv, invocation);
      break;
    case ShellFamily::kPowerShell:
      read_powershell(argv, invocation);
      break;
    case ShellFamily::kPosix:
    case ShellFamily::kOpaque:
      if (has_inline_language(invocation.name)) PosixOptions(argv, invocation).scan();
      break;
  }
  return invocation;
}

std::optional<ScriptCandidate> find_script_candidate(const Argv& argv) {
  const std::optional<ShellInvocation> shell = read_shell_invocation(argv);
  if (!shell) return std::nullopt;
  if (shell->family == ShellFamily::kPowerShell) {
    if (!shell->file || !shell->payload) return std::nullopt;
    return ScriptCandidate{argv[shell->payload_index], shell->payload_index};
  }
  if (shell->family != ShellFamily::kPosix || shell->payload || shell->payload_index != 0 ||
      shell->startup_file) {
    return std::nullopt;
  }
  ShellInvocation ignored;
  ignored.name = shell->name;
  PosixOptions options(argv, ignored);
  options.scan();
  if (options.stdin_script()) return std::nullopt;
  std::size_t index = options.operand();
  while (index < argv.size() && is_blank_word(argv[index])) ++index;
  if (index >= argv.size()) return std::nullopt;
  return ScriptCandidate{argv[index], index};
}

bool is_gateway_carrier(const Argv& argv) {
  if (argv.size() == 3 && (argv[0] == "/bin/sh" || argv[0] == "sh"))
    return argv[1] == "-c" || argv[1] == "-lc";
  return argv.size() == 5 && to_lower_ascii(argv[0]) == "cmd.exe" && argv[1] == "/d" && argv[2] == "/s" &&
         argv[3] == "/c";
}

bool apply_errexit(ShellProgram& program) {
  bool only_sequence = true;
  for (std::size_t i = 1; i < program.pipelines.size(); ++i) {
    only_sequence = only_sequence && program.pipelines[i].connector == Connector::kSequence;
  }
  if (program.pipelines.size() == 1) return true;
  for (const ShellPipeline& pipeline : program.pipelines) {
    if (pipeline.negate) return false;  // its failure would not have stopped the shell
  }
  if (!only_sequence) return false;
  for (std::size_t i = 1; i < program.pipelines.size(); ++i) program.pipelines[i].connector = Connector::kAnd;
  return true;
}

}  // namespace hostclaw::policy
