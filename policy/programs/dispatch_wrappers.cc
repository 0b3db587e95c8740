// SPDX-License-Identifier: Apache-2.0
#include "policy/programs/dispatch_wrappers.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/text.h"
#include "policy/shell/shell_text.h"

namespace hostclaw::policy {
namespace {

using Words = std::initializer_list<std::string_view>;

WrapperStep blocked(LayerKind layer, std::string reason) {
  WrapperStep step;
  step.kind = WrapperStep::Kind::kBlocked;
  step.layer = layer;
  step.transparent = false;
  step.reason = std::move(reason);
  return step;
}

WrapperStep unwrapped(LayerKind layer, const Argv& argv, std::size_t index) {
  WrapperStep step;
  step.kind = WrapperStep::Kind::kUnwrapped;
  step.layer = layer;
  step.index = index;
  step.inner.assign(argv.begin() + static_cast<std::ptrdiff_t>(index), argv.end());
  return step;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// ---- wrappers with a fixed option grammar
// -------------------------------------------------------------------------

using WordList = std::vector<std::string_view>;

struct Grammar {
  std::string_view name;
  WordList flags;            // stand alone
  WordList value_flags;      // consume the next element
  WordList equals_flags;     // `--flag=value`
  std::string_view cluster;  // letters that may be joined behind one dash
  std::size_t operands = 0;  // between the options and the command
  bool numbers = false;      // nice: `-5`, `-n5`
  bool double_dash = true;
  bool creates_files = false;
};

const std::array<Grammar, 7>& grammars() {
  static const std::array<Grammar, 7> kGrammars = {{
      {"nice",
       {},
       {"-n", "--adjustment", "--priority"},
       {"--adjustment", "--priority"},
       "",
       0,
       true,
       true,
       false},
      {"nohup", {}, {}, {}, "", 0, false, true, false},
      {"timeout",
       {"--foreground", "--preserve-status", "-v", "--verbose"},
       {"-k", "--kill-after", "-s", "--signal"},
       {"--kill-after", "--signal"},
       "",
       1,
       false,
       true,
       false},
      {"stdbuf", {}, {"-i", "-o", "-e"}, {"--input", "--output", "--error"}, "", 0, false, true, false},
      {"flock",
       {"--close", "--exclusive", "--nb", "--no-fork", "--nonblock", "--shared", "--verbose"},
       {"-w", "-E", "--timeout", "--wait", "--conflict-exit-code"},
       {"--timeout", "--wait", "--conflict-exit-code"},
       "eFnsxo",
       1,
       false,
       true,
       true},
      {"time",
       {"-l", "-p", "-q", "--quiet", "-v", "--verbose"},
       {"-f", "--format"},
       {"--format"},
       "",
       0,
       false,
       true,
       false},
      {"caffeinate", {"-d", "-i", "-m", "-s", "-u"}, {"-t", "-w"}, {}, "", 0, false, true, false},
  }};
  return kGrammars;
}

bool is_nice_number(std::string_view token) {
  if (token.size() < 2 || token[0] != '-') return false;
  token.remove_prefix(1);
  if (token.front() == 'n') token.remove_prefix(1);
  if (token.starts_with('-') || token.starts_with('+')) token.remove_prefix(1);
  return is_number(token);
}

bool is_flag_with_equals(std::string_view token, const WordList& flags) {
  return std::any_of(flags.begin(), flags.end(), [&](std::string_view flag) {
    return token.size() > flag.size() + 1 && token.starts_with(flag) && token[flag.size()] == '=';
  });
}

bool is_cluster(std::string_view token, std::string_view letters) {
  return token.size() > 1 && token[0] == '-' && token.find_first_not_of(letters, 1) == std::string_view::npos;
}

// `sandbox-exec -D NAME` and its like share this walk through `grammar`.
WrapperStep unwrap_by_grammar(const Argv& argv, const Grammar& grammar) {
  std::size_t index = 1;
  while (index < argv.size()) {
    const std::string& token = argv[index];
    if (token == "--" && grammar.double_dash) {
      ++index;
      break;
    }
    if (token.size() < 2 || token[0] != '-') break;
    if (is_one_of(token, grammar.value_flags)) {
      index += 2;
    } else if (is_one_of(token, grammar.flags) || is_flag_with_equals(token, grammar.equals_flags) ||
               (!grammar.cluster.empty() && is_cluster(token, grammar.cluster)) ||
               (grammar.numbers && is_nice_number(token))) {
      ++index;
    } else {
      return blocked(LayerKind::kDispatch, "The option " + token + " of " + std::string(grammar.name) +
                                               " is not one that may stand in front of a command.");
    }
  }
  index += grammar.operands;
  if (index >= argv.size() || trim(argv[index]).empty()) {
    return blocked(LayerKind::kDispatch, std::string(grammar.name) + " has no command to run.");
  }
  if (grammar.operands > 0 && argv[index].starts_with('-')) {
    return blocked(LayerKind::kDispatch,
                   "What " + std::string(grammar.name) + " runs is not a plain command.");
  }
  WrapperStep step = unwrapped(LayerKind::kDispatch, argv, index);
  step.transparent = !grammar.creates_files;
  return step;
}

// `time -o FILE cmd`: the inner program is known, a file is written.
WrapperStep unwrap_time(const Argv& argv, const Grammar& grammar) {
  const WrapperStep plain = unwrap_by_grammar(argv, grammar);
  if (plain.kind != WrapperStep::Kind::kBlocked) return plain;
  std::size_t index = 1;
  while (index < argv.size() && argv[index].size() > 1 && argv[index][0] == '-') {
    const std::string& token = argv[index];
    if (token == "--") {
      ++index;
      break;
    }
    index += is_one_of(token, {"-o", "--output", "-f", "--format"}) ? 2 : 1;
  }
  if (index >= argv.size()) return plain;
  WrapperStep step = unwrapped(LayerKind::kDispatch, argv, index);
  step.kind = WrapperStep::Kind::kModifying;
  step.transparent = false;
  step.reason = plain.reason;
  return step;
}

// ---- env
// ----------------------------------------------------------------------------------------------------------

// Splits the text of `env -S`. Nothing but blanks and plain quotes is understood; nullopt otherwise.
std::optional<Argv> split_env_text(std::string_view text) {
  Argv words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (const char c : text) {
    if (c == '\\' || (c == '$' && quote != '\'') || (c == '#' && !in_word && quote == '\0'))
      return std::nullopt;
    if (quote != '\0') {
      if (c == quote) {
        quote = '\0';
      } else {
        word.push_back(c);
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r') {
      if (in_word) words.push_back(std::exchange(word, std::string()));
      in_word = false;
    } else {
      word.push_back(c);
      in_word = true;
    }
  }
  if (quote != '\0') return std::nullopt;
  if (in_word) words.push_back(word);
  return words;
}

class EnvReader {
 public:
  explicit EnvReader(const Argv& argv) : words_(argv) {}

  WrapperStep read() {
    std::size_t splits = 0;
    while (index_ < words_.size()) {
      const std::string token = words_[index_];
      if (token == "--") {
        ++index_;
        skip_assignments();
        break;
      }
      if (token == "-" || !token.starts_with('-')) {
        if (token == "-") {
          clears_ = true;
          ++index_;
        }
        skip_assignments();
        break;
      }
      modifying_ = true;
      if (!read_option(token, splits))
        return blocked(LayerKind::kDispatch, "An option of env is not understood.");
    }
    if (index_ >= words_.size() || trim(words_[index_]).empty()) {
      return blocked(LayerKind::kDispatch, "env has no command to run.");
    }
    return finish();
  }

 private:
  // False when the option is not known.
  bool read_option(const std::string& token, std::size_t& splits) {
    if (token.starts_with("--")) return read_long_option(token, splits);
    for (std::size_t i = 1; i < token.size(); ++i) {
      const char letter = token[i];
      if (letter == 'i' || letter == '0' || letter == 'v') continue;
      if (letter == 'u' || letter == 'C' || letter == 'P' || letter == 'a') {
        index_ += i + 1 == token.size() ? 2 : 1;
        return true;
      }
      if (letter == 'S' || letter == 's') {
        const bool attached = i + 1 < token.size();
        if (!attached && index_ + 1 >= words_.size()) return false;
        return splice(attached ? token.substr(i + 1) : words_[index_ + 1], attached ? 1 : 2, splits);
      }
      return false;
    }
    ++index_;
    return true;
  }

  bool read_long_option(const std::string& token, std::size_t& splits) {
    if (is_one_of(token, {"--ignore-environment", "--null", "--debug", "--list-signal-handling"})) {
      ++index_;
      return true;
    }
    if (is_one_of(token, {"--unset", "--chdir", "--argv0"})) {
      index_ += 2;
      return true;
    }
    if (token == "--split-string") {
      return index_ + 1 < words_.size() && splice(words_[index_ + 1], 2, splits);
    }
    constexpr std::string_view kSplit = "--split-string=";
    if (token.starts_with(kSplit)) return splice(token.substr(kSplit.size()), 1, splits);
    for (const std::string_view known :
         {"--unset=", "--chdir=", "--argv0=", "--block-signal", "--default-signal", "--ignore-signal"}) {
      if (token.starts_with(known)) {
        ++index_;
        return true;
      }
    }
    return false;
  }

  // Replaces the option by the words of its text and goes on reading there, as env does.
  bool splice(const std::string& text, std::size_t consumed, std::size_t& splits) {
    const std::optional<Argv> words = split_env_text(text);
    if (!words || ++splits > kMaxWrapperLayers) return false;
    Argv next(words->begin(), words->end());
    const std::size_t rest = std::min(index_ + consumed, words_.size());
    next.insert(next.end(), words_.begin() + static_cast<std::ptrdiff_t>(rest), words_.end());
    words_ = std::move(next);
    index_ = 0;
    spliced_ = true;
    return true;
  }

  void skip_assignments() {
    while (index_ < words_.size() && words_[index_].find('=') != std::string::npos) {
      modifying_ = true;
      ++index_;
    }
  }

  WrapperStep finish() {
    WrapperStep step = unwrapped(LayerKind::kDispatch, words_, index_);
    if (spliced_) step.index = UnwrappedCommand::kNotASuffix;
    if (modifying_) {
      step.kind = WrapperStep::Kind::kModifying;
      step.reason = "env changes the environment, the directory or the command line of the program.";
    }
    step.transparent = !modifying_ && !clears_;
    return step;
  }

  Argv words_;
  std::size_t index_ = 1;
  bool modifying_ = false;
  bool clears_ = false;
  bool spliced_ = false;
};

// ---- macOS
// --------------------------------------------------------------------------------------------------------

WrapperStep unwrap_arch(const Argv& argv) {
  std::size_t index = 1;
  while (index < argv.size() && argv[index].starts_with('-')) {
    if (argv[index] == "-arch") {
      if (index + 1 >= argv.size() || !is_one_of(argv[index + 1], {"arm64", "arm64e", "i386", "x86_64"}))
        break;
      index += 2;
    } else if (is_one_of(argv[index], {"-arm64", "-arm64e", "-i386", "-x86_64", "-32", "-64"})) {
      ++index;
    } else {
      break;
    }
  }
  if (index >= argv.size() || argv[index].starts_with('-'))
    return blocked(LayerKind::kDispatch, "arch has no plain command to run.");
  return unwrapped(LayerKind::kDispatch, argv, index);
}

WrapperStep unwrap_xcrun(const Argv& argv) {
  if (argv.size() < 2 || argv[1].starts_with('-'))
    return blocked(LayerKind::kDispatch, "xcrun has no plain command to run.");
  return unwrapped(LayerKind::kDispatch, argv, 1);
}

WrapperStep unwrap_sandbox_exec(const Argv& argv) {
  std::size_t index = 1;
  while (index < argv.size() && argv[index].starts_with('-')) {
    const std::string& token = argv[index];
    if (token.size() < 2 || !is_one_of(token.substr(0, 2), {"-f", "-p", "-D", "-d", "-n"})) {
      return blocked(LayerKind::kDispatch, "An option of sandbox-exec is not understood.");
    }
    index += token.size() == 2 ? 2 : 1;
  }
  if (index >= argv.size()) return blocked(LayerKind::kDispatch, "sandbox-exec has no command to run.");
  return unwrapped(LayerKind::kDispatch, argv, index);
}

// Change identity, scheduling, name spaces or the terminal of what they run: never looked through.
constexpr std::array<std::string_view, 35> kAlwaysBlocked = {
    "bwrap",    "catchsegv", "chrt",        "chroot",       "cpulimit",    "doas",    "eatmydata",
    "firejail", "gosu",      "ionice",      "linux32",      "linux64",     "nsenter", "numactl",
    "pkexec",   "proot",     "proxychains", "proxychains4", "runuser",     "script",  "setarch",
    "setpriv",  "setsid",    "su",          "sudo",         "systemd-run", "taskset", "torify",
    "torsocks", "unbuffer",  "unshare",     "watch",        "xvfb-run",    "run0",    "please"};

bool carries_shell_state(std::string_view word) {
  return word == "eval" || word == "." || word == "source" || word == "alias";
}

}  // namespace

WrapperStep unwrap_dispatch(const Argv& argv, bool macos) {
  if (argv.empty()) return {};
  const std::string token = executable_token(argv.front());
  if (token == "env") return EnvReader(argv).read();
  for (const Grammar& grammar : grammars()) {
    if (grammar.name != token) continue;
    return token == "time" ? unwrap_time(argv, grammar) : unwrap_by_grammar(argv, grammar);
  }
  if (token == "sandbox-exec") return unwrap_sandbox_exec(argv);
  if (token == "arch" || token == "xcrun") {
    if (!macos) return blocked(LayerKind::kDispatch, token + " is a wrapper of another system.");
    return token == "arch" ? unwrap_arch(argv) : unwrap_xcrun(argv);
  }
  if (std::find(kAlwaysBlocked.begin(), kAlwaysBlocked.end(), token) != kAlwaysBlocked.end()) {
    return blocked(LayerKind::kDispatch,
                   token + " changes who or where the program is; it cannot be allowed by a list.");
  }
  return {};
}

WrapperStep unwrap_multiplexer(const Argv& argv) {
  if (argv.empty()) return {};
  const std::string token = executable_token(argv.front());
  if (!is_multiplexer(token)) return {};
  const std::size_t applet = argv.size() > 1 && argv[1] == "--" ? 2 : 1;
  if (applet >= argv.size() || shell_family(executable_token(argv[applet])) == ShellFamily::kNone) {
    return blocked(LayerKind::kMultiplexer,
                   token + " holds many programs in one file; an entry cannot tell them apart.");
  }
  return unwrapped(LayerKind::kMultiplexer, argv, applet);
}

WrapperStep unwrap_carrier(const Argv& argv) {
  if (argv.empty()) return {};
  const std::string& word = argv.front();
  const bool is_exec = word == "exec";
  if (word != "command" && word != "builtin" && !is_exec) return {};
  std::size_t index = 1;
  bool changes = false;
  while (index < argv.size() && argv[index].starts_with('-')) {
    const std::string& token = argv[index];
    if (token == "--") {
      ++index;
      break;
    }
    if (!is_exec || token.find_first_not_of("cla", 1) != std::string::npos || token.size() < 2) {
      return blocked(LayerKind::kCarrier, "An option of " + word + " is not understood.");
    }
    changes = true;
    index += token.find('a') != std::string::npos ? 2 : 1;
  }
  if (index >= argv.size() || trim(argv[index]).empty())
    return blocked(LayerKind::kCarrier, word + " has no command to run.");
  if (carries_shell_state(argv[index])) {
    return blocked(LayerKind::kCarrier, word + " hides a builtin that runs text.");
  }
  WrapperStep step = unwrapped(LayerKind::kCarrier, argv, index);
  step.transparent = !changes;
  return step;
}

// ---- package managers
// ---------------------------------------------------------------------------------------------

namespace {

// First element that is no option; argv.size() when there is none. `options` tells whether one stood before
// it.
std::size_t subcommand_index(const Argv& argv, bool& options) {
  std::size_t index = 1;
  options = false;
  while (index < argv.size() && argv[index].starts_with('-')) {
    options = true;
    ++index;
  }
  return index;
}

bool is_package_manager_own_command(std::string_view manager, std::string_view subcommand) {
  if (manager == "npm") return !is_one_of(subcommand, {"exec", "x", "explore", "edit"});
  static const Words kShared = {
      "add",    "audit",     "bin",     "cache",  "config",   "dedupe",  "fetch",   "help",    "import",
      "info",   "init",      "install", "i",      "licenses", "link",    "list",    "ls",      "login",
      "logout", "outdated",  "pack",    "prune",  "publish",  "rebuild", "remove",  "rm",      "root",
      "store",  "uninstall", "un",      "unlink", "update",   "up",      "upgrade", "version", "view",
      "why",    "test",      "start",   "stop",   "restart"};
  if (is_one_of(subcommand, kShared)) return true;
  return manager == "pnpm" && subcommand == "run";
}

}  // namespace

WrapperStep judge_package_manager(const Argv& argv) {
  if (argv.empty()) return {};
  const std::string manager = executable_token(argv.front());
  if (!is_one_of(manager, {"npm", "npx", "pnpm", "pnpx", "yarn", "yarnpkg", "bunx"})) return {};
  const std::string reason =
      manager + " fetches and runs other programs; this form cannot be allowed by a list.";
  if (is_one_of(manager, {"npx", "pnpx", "bunx"})) return blocked(LayerKind::kPackageManager, reason);
  bool options = false;
  const std::size_t index = subcommand_index(argv, options);
  if (index >= argv.size()) return {};  // `npm --version`, bare `yarn`
  if (options || !is_package_manager_own_command(manager, argv[index])) {
    return blocked(LayerKind::kPackageManager, reason);
  }
  return {};
}

}  // namespace hostclaw::policy
