// SPDX-License-Identifier: Apache-2.0
#include "policy/programs/inline_eval.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "policy/programs/dispatch_wrappers.h"
#include "policy/programs/wrappers.h"

namespace hostclaw::policy {
namespace {

using WordViews = std::vector<std::string_view>;

bool contains(const WordViews& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::string_view without_version(std::string_view token) {
  std::string_view name = token;
  while (!name.empty() && ((name.back() >= '0' && name.back() <= '9') || name.back() == '.'))
    name.remove_suffix(1);
  if (name.size() < token.size() && name.ends_with('-')) name.remove_suffix(1);
  return name;
}

// How one family of interpreters takes code on its command line (8.8).
struct Interpreter {
  WordViews names;
  WordViews exact;         // flags whose next element, or `=` part, is code
  WordViews raw_prefixes;  // flags with the code joined: `-E...`
  // Letters that may stand in front of the code letter in a cluster (`-Bc`), and the code letters.
  std::string_view cluster;
  std::string_view code_letters;
  bool joined = false;           // `-cTEXT`
  std::size_t abbreviation = 0;  // shortest abbreviation of a long flag; 0: none
};

const std::vector<Interpreter>& interpreters() {
  static const std::vector<Interpreter> kTable = {
      {{"python", "python2", "python3", "pypy", "pypy3"}, {"-c"}, {}, "BEIOPRSbdiqsuvx", "c", true, 0},
      {{"node", "nodejs", "bun", "deno"}, {"-e", "--eval", "-p", "--print"}, {}, "ip", "ep", true, 0},
      {{"awk", "gawk", "mawk", "nawk"}, {"-e", "--source"}, {}, "", "e", true, 3},
      {{"ruby"}, {"-e"}, {}, "acdhlnpswvWU0123456789", "e", true, 0},
      {{"perl"}, {"-e"}, {}, "acfhlnpstTuUvwWX0123456789", "eE", true, 0},
      {{"php"}, {"-r"}, {"-B", "-E", "-R"}, "", "r", true, 0},
      {{"r", "rscript"}, {"-e"}, {}, "", "", false, 0},
      {{"julia"}, {"-e", "--eval", "--print"}, {"-E"}, "", "e", true, 0},
      {{"elixir", "iex"}, {"-e", "--eval", "--rpc-eval"}, {}, "", "", false, 0},
      {{"guile"}, {"-c", "-e"}, {}, "", "", false, 0},
      {{"expect"}, {"-c"}, {}, "", "c", true, 0},
      {{"lua"}, {"-e"}, {}, "", "e", true, 0},
      {{"osascript", "ghc", "ghci"}, {"-e"}, {}, "", "", false, 0},
      {{"groovy"}, {"-e"}, {}, "np", "e", false, 0},
      {{"scala", "scala-cli"},
       {"-e", "--script-snippet", "--execute-script", "--execute-scala", "--execute-java",
        "--execute-markdown", "--scala-snippet", "--java-snippet", "--markdown-snippet",
        "--scala-script-snippet", "--execute-scala-script"},
       {},
       "",
       "",
       false,
       0},
      {{"clojure", "clj"}, {"-e", "--eval"}, {}, "", "", false, 0},
      {{"raku", "perl6"}, {"-e"}, {}, "np", "e", true, 0},
      {{"erl", "werl"}, {"-eval", "-run", "-s"}, {}, "", "", false, 0},
      {{"gdb"},
       {"-ex", "-iex", "-eiex", "--ex", "--iex", "--eiex", "-eval-command", "--eval-command",
        "-init-eval-command", "--init-eval-command", "-early-init-eval-command", "--early-init-eval-command"},
       {},
       "",
       "",
       false,
       4},
      {{"make", "gmake"}, {"-f", "--file", "--makefile", "--eval"}, {"-E", "-f"}, "", "", false, 4},
      {{"sed", "gsed"}, {"-e", "--expression"}, {"-e"}, "nErsuz", "e", true, 3},
  };
  return kTable;
}

const Interpreter* find_interpreter(std::string_view name) {
  for (const Interpreter& entry : interpreters()) {
    if (contains(entry.names, name)) return &entry;
  }
  return nullptr;
}

bool is_finder(std::string_view name) { return name == "find" || name == "gfind"; }

InlineEvalHit hit_flag(std::string_view name, std::string_view flag) {
  return InlineEvalHit{std::string(name), std::string(flag), std::string(name) + " " + std::string(flag)};
}
InlineEvalHit hit_form(std::string_view name, std::string_view form) { return hit_flag(name, form); }

std::string lower_name_of(std::string_view token) {
  if (find_interpreter(token) != nullptr || is_finder(token) || token == "xargs") return std::string(token);
  return std::string(without_version(token));
}

// The flag of `entry` that this element is, or empty.
std::string_view match_flag(const Interpreter& entry, std::string_view argument) {
  const std::string_view name = argument.substr(0, argument.find('='));
  // Upstream compares without regard to case, except where the capital letter means something else.
  const bool case_matters = contains(
      {"sed", "gsed", "make", "gmake", "php", "julia", "awk", "gawk", "mawk", "nawk"}, entry.names.front());
  const std::string folded = case_matters ? std::string(argument) : to_lower_ascii(argument);
  for (const std::string_view flag : entry.exact) {
    if (folded == flag) return flag;
    if (flag.starts_with("--") && name == flag) return flag;
    const bool abbreviable =
        entry.abbreviation > 0 && flag.starts_with("--") && name.size() >= entry.abbreviation;
    if (abbreviable && name.size() > 2 && flag.starts_with(name)) return flag;
  }
  for (const std::string_view flag : entry.raw_prefixes) {
    if (argument.starts_with(flag) && argument[1] != '-') return flag;
  }
  if (argument.size() < 2 || argument[0] != '-' || argument[1] == '-') return {};
  for (std::size_t i = 1; i < argument.size(); ++i) {
    if (entry.code_letters.find(argument[i]) != std::string_view::npos) {
      if (i + 1 < argument.size() && !entry.joined) return {};
      return entry.exact.front();
    }
    if (entry.cluster.find(argument[i]) == std::string_view::npos) return {};
  }
  return {};
}

// Options of these interpreters that take the next element, so that it is not taken for the script, behind
// which options would be the script's own. Sources: their manuals.
struct ValueOptions {
  WordViews names;
  WordViews options;
};

const std::vector<ValueOptions>& value_options() {
  static const std::vector<ValueOptions> kTable = {
      {{"python", "python2", "python3", "pypy", "pypy3"}, {"-X", "-W", "--check-hash-based-pycs"}},
      {{"awk", "gawk", "mawk", "nawk"},
       {"-F", "-v", "--field-separator", "--assign", "-i", "--include", "-l", "--load"}},
      {{"sed", "gsed"}, {"-l", "--line-length"}},
      {{"make", "gmake"}, {"-C", "--directory", "-I", "-j", "-l", "-o", "-W"}},
      {{"node", "nodejs", "bun", "deno"},
       {"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions",
        "--env-file", "--input-type", "--title", "--icu-data-dir", "--openssl-config", "--inspect-port",
        "--preload", "--cwd", "--config"}},
      {{"ruby"}, {"-r", "-I", "-C", "--encoding", "--external-encoding", "--internal-encoding"}},
      {{"perl"}, {"-I"}},
      {{"php"}, {"-d", "--define", "-c", "--php-ini", "-z", "--zend-extension", "-t", "--docroot"}},
      {{"lua"}, {"-l"}},
      {{"julia"},
       {"-L", "--load", "-J", "--sysimage", "-H", "--home", "-t", "--threads", "-p", "--procs", "--project",
        "-C", "--cpu-target"}},
      {{"osascript"}, {"-l", "-s"}},
      {{"guile"}, {"-L", "-C", "-l", "-x"}},
      {{"expect"}, {"-f"}},
      {{"elixir", "iex"},
       {"-r", "-pr", "-pa", "-pz", "--name", "--sname", "--cookie", "--erl", "--boot", "--remsh", "--app",
        "--vm-args"}},
      {{"groovy"}, {"-cp", "-classpath", "--classpath", "-c", "--encoding", "-D"}},
      {{"scala", "scala-cli"}, {"-cp", "-classpath", "--class-path", "-nc", "-S", "--scala", "-J"}},
      {{"clojure", "clj"}, {"-Sdeps", "-Scp", "-cp", "-i", "--init"}},
      {{"raku", "perl6"}, {"-I", "-M"}},
      {{"r", "rscript"}, {"-f", "-g", "-d", "--gui", "--debugger", "--encoding"}},
      {{"ghc", "ghci"}, {"-package", "-package-db", "-i", "-package-id", "-x"}},
  };
  return kTable;
}

bool takes_value(std::string_view name, std::string_view argument) {
  return std::any_of(value_options().begin(), value_options().end(), [&](const ValueOptions& entry) {
    return contains(entry.names, name) && contains(entry.options, argument);
  });
}

bool stops_at_operand(std::string_view name) {
  // An interpreter's own options end at its script; these take options anywhere.
  return name != "make" && name != "gmake" && name != "sed" && name != "gsed" && name != "gdb" &&
         name != "erl" && name != "werl";
}

std::optional<InlineEvalHit> of_interpreter(std::string_view name, const Interpreter& entry,
                                            const Argv& argv) {
  const bool is_awk = name.ends_with("awk");
  const bool is_sed = name == "sed" || name == "gsed";
  bool from_file = false;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--") {
      if ((is_awk || is_sed) && !from_file && i + 1 < argv.size()) return hit_form(name, "inline program");
      return std::nullopt;
    }
    const std::string_view flag = match_flag(entry, argument);
    if (!flag.empty()) return hit_flag(name, flag);
    if ((is_awk || is_sed) && (argument.starts_with("-f") || argument.starts_with("--file"))) {
      from_file = true;
      if (argument == "-f" || argument == "--file") ++i;
      continue;
    }
    if (takes_value(name, argument)) {
      ++i;
      continue;
    }
    if (argument.empty() || argument == "-" || argument[0] != '-') {
      if (is_awk || is_sed) {
        if (from_file) continue;
        return hit_form(name, "inline program");
      }
      if (stops_at_operand(name)) return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<InlineEvalHit> of_find(std::string_view name, const Argv& argv) {
  for (const std::string& argument : argv) {
    if (contains({"-exec", "-execdir", "-ok", "-okdir"}, argument)) return hit_flag(name, argument);
  }
  return std::nullopt;
}

std::optional<InlineEvalHit> of_xargs(const Argv& argv) {
  static const WordViews kWithValue = {
      "-a",          "-d",         "-E",          "-I",          "-L",
      "-n",          "-P",         "-s",          "--arg-file",  "--delimiter",
      "--max-lines", "--max-args", "--max-procs", "--max-chars", "--process-slot-var"};
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& argument = argv[i];
    if (argument == "--")
      return i + 1 < argv.size() ? std::optional(hit_form("xargs", "inline command")) : std::nullopt;
    if (contains(kWithValue, argument)) {
      ++i;
    } else if (argument.empty() || argument[0] != '-') {
      return hit_form("xargs", "inline command");
    }
  }
  return std::nullopt;
}

std::optional<InlineEvalHit> direct_hit(const Argv& argv) {
  if (argv.empty()) return std::nullopt;
  const std::string name = lower_name_of(executable_token(argv.front()));
  if (is_finder(name)) return of_find(name, argv);
  if (name == "xargs") return of_xargs(argv);
  const Interpreter* entry = find_interpreter(name);
  return entry == nullptr ? std::nullopt : of_interpreter(name, *entry, argv);
}

// `sudo -u root X=1 python3 -c ...`: never allowed by a list, but a hit all the same.
std::optional<Argv> behind_sudo(const Argv& argv) {
  const std::string name = executable_token(argv.front());
  if (name != "sudo" && name != "doas") return std::nullopt;
  static const WordViews kWithValue = {
      "-u",           "-g",           "-h",           "-p",       "-C",     "-c",     "-T",
      "-t",           "-r",           "-R",           "-D",       "-U",     "--user", "--group",
      "--host",       "--prompt",     "--chdir",      "--chroot", "--role", "--type", "--command-timeout",
      "--close-from", "--other-user", "--login-class"};
  std::size_t index = 1;
  while (index < argv.size() && argv[index].size() > 1 && argv[index][0] == '-') {
    const std::string& option = argv[index];
    if (option == "--") {
      ++index;
      break;
    }
    const bool last_letter_takes_value =
        option[1] != '-' && contains(kWithValue, std::string("-") + option.back());
    const bool value_joined =
        option.size() > 2 && option[1] != '-' && contains(kWithValue, option.substr(0, 2));
    index += contains(kWithValue, option) || (last_letter_takes_value && !value_joined) ? 2 : 1;
  }
  while (index < argv.size() && argv[index].find('=') != std::string::npos) ++index;
  if (index >= argv.size()) return std::nullopt;
  return Argv(argv.begin() + static_cast<std::ptrdiff_t>(index), argv.end());
}

// `sh -c '$0 "$@"' find . -exec id`: the text only runs its operands (GHSA-6rcp-vxwf-3mfp).
std::optional<Argv> carried_operands(const Argv& argv) {
  const std::optional<ShellInvocation> shell = read_shell_invocation(argv);
  if (!shell || !shell->payload || shell->attached || shell->family != ShellFamily::kPosix)
    return std::nullopt;
  std::string text(*shell->payload);
  for (const std::string_view carrier : {"exec -- ", "exec "}) {
    if (text.starts_with(carrier)) text.erase(0, carrier.size());
  }
  const Argv operands(argv.begin() + static_cast<std::ptrdiff_t>(shell->payload_index) + 1, argv.end());
  std::size_t taken = 0;
  if (text.starts_with("$0") || text.starts_with("\"$0\"")) {
    text.erase(0, text[0] == '"' ? 4 : 2);
    taken = 1;
  }
  std::string_view rest = trim(text);
  if (rest == "\"$@\"" || rest == "$@")
    return operands.size() > 0 ? std::optional(Argv(operands.begin() + (taken == 1 ? 0 : 1), operands.end()))
                               : std::nullopt;
  std::size_t next = 1;
  while (!rest.empty()) {
    const std::string quoted = "\"$" + std::to_string(next) + "\"";
    const std::string bare = "$" + std::to_string(next);
    const std::string& form = rest.starts_with(quoted) ? quoted : bare;
    if (!rest.starts_with(form)) return std::nullopt;
    rest = trim(rest.substr(form.size()));
    ++next;
  }
  const std::size_t count = std::min(operands.size(), taken == 1 ? next : next);
  if (taken == 0 || count == 0) return std::nullopt;
  return Argv(operands.begin(), operands.begin() + static_cast<std::ptrdiff_t>(count));
}

// One layer of anything that runs another program; nullopt when there is none.
std::optional<Argv> inner_of(const Argv& argv) {
  if (std::optional<Argv> inner = behind_sudo(argv)) return inner;
  WrapperStep step = unwrap_dispatch(argv, true);
  if (step.kind == WrapperStep::Kind::kNotAWrapper) step = unwrap_carrier(argv);
  if (step.kind == WrapperStep::Kind::kUnwrapped || step.kind == WrapperStep::Kind::kModifying)
    return step.inner;
  return carried_operands(argv);
}

}  // namespace

std::optional<InlineEvalHit> inline_eval_hit(const Argv& argv) {
  // Deeper than matching looks: a hit denies, so that looking further is the safe side.
  constexpr std::size_t kLayers = 16;
  Argv current = argv;
  for (std::size_t layer = 0; layer < kLayers && !current.empty(); ++layer) {
    if (std::optional<InlineEvalHit> hit = direct_hit(current)) return hit;
    const std::optional<Argv> inner = inner_of(current);
    if (!inner) return std::nullopt;
    current = *inner;
  }
  return std::nullopt;
}

bool is_inline_eval_interpreter(std::string_view token) {
  const std::string name = lower_name_of(token);
  return find_interpreter(name) != nullptr || is_finder(name) || name == "xargs";
}

}  // namespace hostclaw::policy
