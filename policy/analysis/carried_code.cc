#include "policy/analysis/carried_code.h"

#include <algorithm>
#include <map>

#include "policy/analysis/carried_code_table.h"
#include "policy/analysis/wrappers.h"

namespace hostclaw::policy {
namespace {

bool has_item(const std::vector<std::string_view>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

const CarryTool* find_exact(std::string_view name) {
  static const std::map<std::string_view, const CarryTool*> kIndex = [] {
    std::map<std::string_view, const CarryTool*> index;
    for (const CarryTool& tool : carry_tools()) {
      for (const std::string_view tool_name : tool.names) index.emplace(tool_name, &tool);
    }
    return index;
  }();
  const auto found = kIndex.find(name);
  return found == kIndex.end() ? nullptr : found->second;
}

// python3.11, gcc-12, lua5.4, x86_64-linux-gnu-gcc
const CarryTool* find_tool(std::string_view token) {
  if (const CarryTool* tool = find_exact(token)) return tool;
  std::string_view name = token;
  while (!name.empty() &&
         ((name.back() >= '0' && name.back() <= '9') || name.back() == '.' || name.back() == '-')) {
    name.remove_suffix(1);
  }
  if (const CarryTool* tool = find_exact(name)) return tool;
  const std::size_t dash = name.rfind("-gnu-");
  return dash == std::string_view::npos ? nullptr : find_exact(name.substr(dash + 5));
}

// `--opt`, `--opt=value`, and the abbreviations that GNU tools accept; at least one letter must be there.
bool is_long_option(std::string_view argument, std::string_view option) {
  const std::string_view name = argument.substr(0, argument.find('='));
  return name.size() > 2 && name.starts_with("--") && option.starts_with(name);
}

// The letter among those behind one dash: `-o`, `-so`, `-ofile`, also behind the digits and signs that are
// options of their own for many tools (`-4o`, `-#o`, `-1O`).
bool has_letter(std::string_view argument, char letter) {
  if (argument.size() < 2 || argument[0] != '-' || argument[1] == '-') return false;
  for (const char c : argument.substr(1)) {
    if (c == letter) return true;
    const bool option = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                        c == '#' || c == ':' || c == '@' || c == '?' || c == '!';
    if (!option) return false;
  }
  return false;
}

bool is_operand(std::string_view argument) {
  return !argument.empty() && argument != "-" && argument[0] != '-';
}

// One command line, cut into what stands before the subcommand and what stands behind.
class Inspection {
 public:
  Inspection(const CarryTool& tool, const Argv& argv) : tool_(tool), argv_(argv) {
    end_ = argv.size();
    if (tool.double_dash_ends_options) {
      end_ = static_cast<std::size_t>(std::find(argv.begin() + 1, argv.end(), "--") - argv.begin());
    }
    subcommand_ = end_;
    for (std::size_t i = 1; i < end_; ++i) {
      if (!is_operand(argv[i])) continue;
      subcommand_ = i;
      break;
    }
  }

  std::optional<CarriedCode> find() const {
    if (argv_.size() == 2 && has_item(tool_.harmless, argv_[1])) return std::nullopt;
    if (only_reports()) return std::nullopt;
    const std::string name = executable_token(argv_.front());
    if (is_foreign_subcommand() && !starts_behind_global_option()) {
      return CarriedCode{std::string(tool_.names.front()), subcommand_,
                         name + " runs an alias, an extension or a plugin for this subcommand."};
    }
    for (const CarryRule& rule : tool_.rules) {
      const std::size_t at = match(rule);
      if (at == 0 && rule.kind != CarryRule::Kind::kNoArgument) continue;
      if (rule.kind == CarryRule::Kind::kNoArgument && argv_.size() > 1) continue;
      return CarriedCode{std::string(tool_.names.front()), std::min(at, argv_.size() - 1),
                         name + " " + std::string(rule.why) + "."};
    }
    return std::nullopt;
  }

 private:
  // Names of aliases and plugins are plain; any other word is an error message of the tool's own.
  bool is_foreign_subcommand() const {
    if (tool_.own_subcommands.empty() || subcommand_ >= end_ ||
        has_item(tool_.own_subcommands, argv_[subcommand_]))
      return false;
    return std::all_of(argv_[subcommand_].begin(), argv_[subcommand_].end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
             c == '_' || c == '.';
    });
  }

  // `git -c a=b log`: the value of a global option is no subcommand; the rules for the option itself decide.
  bool starts_behind_global_option() const {
    return std::any_of(tool_.rules.begin(), tool_.rules.end(),
                       [&](const CarryRule& rule) { return rule.within == "-" && match(rule) != 0; });
  }

  bool only_reports() const {
    if (argv_.size() < 2 || !has_item(tool_.harmless_subcommands, argv_[1])) return false;
    return std::all_of(argv_.begin() + 2, argv_.end(), [](const std::string& argument) {
      return is_operand(argument) || argument == "--no-pager" || argument == "--full";
    });
  }

  // Index of the argument that matches; 0 when none does.
  std::size_t match(const CarryRule& rule) const {
    std::size_t first = 1;
    std::size_t last = end_;
    if (rule.within == "-") {
      last = subcommand_;
    } else if (!rule.within.empty()) {
      if (subcommand_ >= end_ || argv_[subcommand_] != rule.within) return 0;
      if (rule.kind == CarryRule::Kind::kAlways) return subcommand_;
      first = subcommand_ + 1;
    } else if (rule.kind == CarryRule::Kind::kAlways) {
      return std::max<std::size_t>(1, subcommand_);
    }
    // Operands behind `--` are operands too.
    if (rule.kind == CarryRule::Kind::kOperand || rule.kind == CarryRule::Kind::kContains ||
        rule.kind == CarryRule::Kind::kPrefix)
      last = argv_.size();
    for (std::size_t i = first; i < last; ++i) {
      if (matches(rule, i)) return i;
    }
    return 0;
  }

  bool matches(const CarryRule& rule, std::size_t index) const {
    const std::string_view argument = argv_[index];
    switch (rule.kind) {
      case CarryRule::Kind::kLong:
        return is_long_option(argument, rule.text);
      case CarryRule::Kind::kShort:
        return has_letter(argument, rule.text.front());
      case CarryRule::Kind::kWord:
        return argument == rule.text;
      case CarryRule::Kind::kPrefix:
        return argument.starts_with(rule.text);
      case CarryRule::Kind::kContains:
        return argument.find(rule.text) != std::string_view::npos;
      case CarryRule::Kind::kOperand:
        return is_operand(argument) || index > end_;
      case CarryRule::Kind::kAlways:
      case CarryRule::Kind::kNoArgument:
        break;
    }
    return false;
  }

  const CarryTool& tool_;
  const Argv& argv_;
  std::size_t end_ = 0;         // of the options
  std::size_t subcommand_ = 0;  // first operand before end_, else end_
};

// ---- docker compose
// -----------------------------------------------------------------------------------------------

// Subcommands that only report, with every option of theirs but those that write a file. Source: the
// reference of the docker compose command line.
struct ComposeReport {
  std::string_view subcommand;
  std::vector<std::string_view> options;
};

const std::vector<ComposeReport>& compose_reports() {
  static const std::vector<ComposeReport> reports{
      {"ps",
       {"-a", "--all", "--filter", "--format", "--no-trunc", "--orphans", "-q", "--quiet", "--services",
        "--status"}},
      {"logs",
       {"-f", "--follow", "--index", "--no-color", "--no-log-prefix", "--since", "-n", "--tail", "-t",
        "--timestamps", "--until"}},
      {"config",
       {"--environment", "--format", "--hash", "--images", "--models", "--networks", "--no-consistency",
        "--no-env-resolution", "--no-interpolate", "--no-normalize", "--no-path-resolution", "--profiles",
        "-q", "--quiet", "--services", "--variables", "--volumes"}},
      {"images", {"--format", "-q", "--quiet"}},
      {"ls", {"-a", "--all", "--filter", "--format", "-q", "--quiet"}},
      {"version", {"-f", "--format", "--short"}}};
  return reports;
}

// `docker compose logs --tail=80 web`: nothing in front of the subcommand, and no option that is not known.
bool compose_only_reports(const Argv& argv, std::size_t subcommand) {
  if (subcommand >= argv.size()) return false;
  const auto& reports = compose_reports();
  const auto report = std::find_if(reports.begin(), reports.end(), [&](const ComposeReport& item) {
    return item.subcommand == argv[subcommand];
  });
  if (report == reports.end()) return false;
  return std::all_of(argv.begin() + static_cast<std::ptrdiff_t>(subcommand) + 1, argv.end(),
                     [&](const std::string& argument) {
                       if (argument.empty() || argument.front() != '-') return true;
                       const std::string_view name(argument);
                       return has_item(report->options, name.substr(0, name.find('=')));
                     });
}

// ---- curl
// -----------------------------------------------------------------------------------------------------------

// Without `-o /dev/null`, which writes nowhere, also at the end of letters that take no value (`-fsSo`).
Argv without_output_to_nowhere(const Argv& argv) {
  const auto writes = [](std::string_view argument) {
    if (argument == "--output") return true;
    if (argument.size() < 2 || argument[0] != '-' || argument.back() != 'o') return false;
    return argument.substr(1, argument.size() - 2).find_first_not_of("fsSLkvi46gq") == std::string_view::npos;
  };
  Argv kept;
  for (std::size_t i = 0; i < argv.size(); ++i) {
    if (i > 0 && i + 1 < argv.size() && argv[i + 1] == "/dev/null" && writes(argv[i])) {
      ++i;
      continue;
    }
    kept.push_back(argv[i]);
  }
  return kept;
}

// ---- sed
// ----------------------------------------------------------------------------------------------------------

// A sed program of printing, deleting and substituting only. `e`, `w`, `r` and anything else is code.
bool is_plain_sed_program(std::string_view program) {
  std::size_t position = 0;
  const auto at = [&]() { return position < program.size() ? program[position] : '\0'; };
  const auto skip_address = [&]() {
    if (at() == '/') {
      for (++position; position < program.size() && program[position] != '/'; ++position) {
        if (program[position] == '\\') ++position;
      }
      if (at() != '/') return false;
      ++position;
      return true;
    }
    while ((at() >= '0' && at() <= '9') || at() == '$' || at() == '~' || at() == '+') ++position;
    return true;
  };
  const auto skip_substitution = [&]() {
    const char delimiter = at();
    if (delimiter == '\0' || delimiter == '\n' || delimiter == '\\') return false;
    for (int part = 0; part < 2; ++part) {
      for (++position; position < program.size() && program[position] != delimiter; ++position) {
        if (program[position] == '\\') ++position;
        if (position < program.size() && program[position] == '\n') return false;
      }
      if (position >= program.size()) return false;
    }
    ++position;
    while (at() == 'g' || at() == 'p' || at() == 'i' || at() == 'I' || (at() >= '0' && at() <= '9'))
      ++position;
    return true;
  };
  while (position < program.size()) {
    while (at() == ' ' || at() == ';' || at() == '\n') ++position;
    if (position >= program.size()) return true;
    if (!skip_address()) return false;
    if (at() == ',') {
      ++position;
      if (!skip_address()) return false;
    }
    if (at() == '!') ++position;
    const char command = at();
    ++position;
    if (command == 's') {
      if (!skip_substitution()) return false;
    } else if (std::string_view("pdqPDnNgGhHx=").find(command) == std::string_view::npos || command == '\0') {
      return false;
    }
    while (at() == ' ') ++position;
    if (position < program.size() && at() != ';' && at() != '\n') return false;
  }
  return true;
}

std::optional<CarriedCode> sed_program(const Argv& argv) {
  const auto hit = [&](std::size_t index) {
    return CarriedCode{"sed", index, "The sed program does more than print, delete and substitute."};
  };
  bool has_expression = false;
  for (std::size_t i = 1; i < argv.size() && argv[i] != "--"; ++i) {
    const std::string& argument = argv[i];
    std::string_view text;
    if (argument == "-e" || argument == "--expression") {
      if (i + 1 >= argv.size()) return hit(i);
      text = argv[++i];
    } else if (argument.starts_with("--expression=")) {
      text = std::string_view(argument).substr(argument.find('=') + 1);
    } else if (argument.starts_with("--")) {
      if (std::string_view("--expression").starts_with(argument.substr(0, argument.find('='))) &&
          argument.size() > 2)
        return hit(i);
      continue;
    } else if (has_letter(argument, 'e')) {
      text = std::string_view(argument).substr(argument.find('e') + 1);
      if (text.empty()) {
        if (i + 1 >= argv.size()) return hit(i);
        text = argv[++i];
      }
    } else {
      continue;
    }
    has_expression = true;
    if (!is_plain_sed_program(text)) return hit(i);
  }
  if (has_expression) return std::nullopt;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    if (argv[i] == "--" || !is_operand(argv[i])) continue;
    if (!is_plain_sed_program(argv[i])) return hit(i);
    return std::nullopt;
  }
  return std::nullopt;
}

// The dynamic loader runs the program it is given, whatever the entry said.
bool is_dynamic_loader(std::string_view token) {
  return token.starts_with("ld-linux") || token.starts_with("ld-musl") || token.starts_with("ld.so");
}

// Tools that read configuration from the directory they stand in and run what it says.
constexpr std::string_view kDirectoryTools[] = {"git",    "hg",        "svn",    "docker", "docker-compose",
                                                "podman", "terraform", "direnv", "vagrant"};

}  // namespace

std::optional<CarriedCode> carried_code(const Argv& argv) {
  if (argv.empty()) return std::nullopt;
  const std::string token = executable_token(argv.front());
  if (is_dynamic_loader(token)) return CarriedCode{token, 0, token + " runs the program it is given."};
  const CarryTool* tool = find_tool(token);
  if (tool == nullptr) return std::nullopt;
  if (token == "docker" && argv.size() > 1 && argv[1] == "compose" && compose_only_reports(argv, 2))
    return std::nullopt;
  if (token == "docker-compose" && compose_only_reports(argv, 1)) return std::nullopt;
  if (token == "curl") return Inspection(*tool, without_output_to_nowhere(argv)).find();
  if (std::optional<CarriedCode> found = Inspection(*tool, argv).find()) return found;
  if (tool->names.front() == "tar" && argv.size() > 1 && is_operand(argv[1])) {
    // `tar xIf PROGRAM`: the oldest form has its letters without a dash.
    Argv dashed = argv;
    dashed[1].insert(0, 1, '-');
    return Inspection(*tool, dashed).find();
  }
  if (tool->names.front() == "sed") return sed_program(argv);
  return std::nullopt;
}

std::string working_directory_code(std::string_view token) {
  if (std::find(std::begin(kDirectoryTools), std::end(kDirectoryTools), token) != std::end(kDirectoryTools)) {
    return std::string(token) + " reads configuration from its directory that can run other programs.";
  }
  return {};
}

namespace {

// What a program opens with any arguments; empty when that hangs on them.
std::string unconditional_door(std::string_view token) {
  if (shell_family(token) != ShellFamily::kNone) return "It is a shell: whoever may run it may run anything.";
  if (is_multiplexer(token)) return "It holds a shell and many other programs.";
  if (is_dynamic_loader(token)) return "It runs the program it is given.";
  const UnwrappedCommand wrapper = unwrap_command({std::string(token)});
  if (wrapper.blocked)
    return "It runs other programs; an entry for it never matches. List the programs themselves.";
  if (const CarryTool* tool = find_tool(token)) {
    for (const CarryRule& rule : tool->rules) {
      if (rule.kind == CarryRule::Kind::kAlways && rule.within.empty())
        return "It " + std::string(rule.why) + ".";
    }
  }
  return {};
}

}  // namespace

std::string general_door(std::string_view token) {
  if (std::string door = unconditional_door(token); !door.empty()) return door;
  const CarryTool* tool = find_tool(token);
  if (tool == nullptr || tool->rules.empty()) return {};
  return "With some of its arguments it " + std::string(tool->rules.front().why) + ".";
}

bool door_hangs_on_arguments(std::string_view token) {
  const CarryTool* tool = find_tool(token);
  return tool != nullptr && !tool->rules.empty() && unconditional_door(token).empty();
}

}  // namespace hostclaw::policy
