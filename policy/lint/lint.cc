// SPDX-License-Identifier: Apache-2.0
#include "policy/lint/lint.h"

#include <algorithm>

#include "base/text.h"
#include "policy/decide/self_guard.h"
#include "policy/document/glob.h"
#include "policy/document/pattern_index.h"
#include "policy/programs/carried_code.h"
#include "policy/programs/executable_lookup.h"
#include "policy/programs/wrappers.h"
#include "policy/request/command_text.h"
#include "policy/request/environment.h"
#include "policy/windows/windows_files.h"

namespace hostclaw::policy {
namespace {

using Severity = LintFinding::Severity;

bool names_arguments(const AllowlistEntry& entry) { return entry.arg_pattern && !entry.arg_pattern->empty(); }

// A path entry is compared with the file behind all symlinks, so the path of a link never matches.
std::string real_path_behind(const std::string& pattern, const EngineContext& context) {
  if (context.files == nullptr || !is_absolute_path(pattern, context.platform)) return {};
  if (context.platform == Platform::kPosix) {
    const FileFacts facts = context.files->facts(pattern);
    return facts.kind == FileKind::kMissing || facts.real_path == pattern ? "" : facts.real_path;
  }
  // There one path has many spellings, and some are not looked at.
  const std::string path = absolute_path(context.host_cwd, pattern, context.platform);
  const std::string real = LocalFiles(*context.files).facts(path).real_path;
  return to_lower_ascii(real) == to_lower_ascii(path) ? "" : real;
}

// What stands where a path entry points; nothing when that is not known.
std::optional<FileKind> kind_behind(const std::string& pattern, const EngineContext& context) {
  if (context.files == nullptr || !is_absolute_path(pattern, context.platform)) return std::nullopt;
  if (context.platform == Platform::kPosix) return context.files->facts(pattern).kind;
  // Of a share nothing is known: it is not looked at.
  if (pattern.size() < 2 || pattern[1] != ':') return std::nullopt;
  const std::string path = absolute_path(context.host_cwd, pattern, context.platform);
  return LocalFiles(*context.files).facts(path).kind;
}

// What the directory of a rule really is; the directory itself where that is not known, empty where it is
// none.
std::string directory_behind(const Rule& rule, const EngineContext& context) {
  if (!rule.directory) return {};
  if (context.files == nullptr || context.platform == Platform::kWindows) return *rule.directory;
  const FileFacts facts = context.files->facts(*rule.directory);
  return facts.kind == FileKind::kDirectory ? facts.real_path : std::string();
}

// The rules that ask about or deny arguments of this program to whoever has the entry; empty where the owner
// should still be warned: in official mode arguments that carry code pass, and no rule makes an interpreter
// harmless.
std::string watching_rules(const std::string& program, const std::string& agent,
                           const EngineContext& context) {
  if (!context.settings.rules || context.settings.strictness != Strictness::kHardened ||
      !door_hangs_on_arguments(executable_token(program))) {
    return {};
  }
  std::string out;
  for (const Rule& rule : context.settings.rules->rules()) {
    if (rule.effect == RuleEffect::kAllow || rule.content_sha256 ||
        (rule.agent != "*" && rule.agent != agent))
      continue;
    if (rule.arguments && rule.arguments->empty()) continue;
    if (!rule_is_in_force(rule, context.now_ms) || !rule_names_program(rule, program)) continue;
    out += (out.empty() ? "" : ", ") + rule.id;
  }
  return out;
}

constexpr const char* kSelfListed =
    "hostclaw itself is listed: an agent can read the policy and its own runs with it. What changes the "
    "policy "
    "is refused to every run all the same.";
constexpr const char* kSelfInstead =
    "name the arguments you mean, such as an argPattern `^runs( |$)`, or leave hostclaw out";

// A path or a name as patterns are compared: where one has many spellings, in one of them.
std::string folded(std::string text, Platform platform) {
  if (platform != Platform::kWindows) return text;
  std::replace(text.begin(), text.end(), '\\', '/');
  return to_lower_ascii(text);
}

// The pattern covers this program, by its name or by its file.
bool covers_this_program(const std::string& pattern, const EngineContext& context) {
  const auto plain = [&context](std::string text) { return folded(std::move(text), context.platform); };
  const Glob glob(plain(pattern));
  if (!glob.has_wildcard() && executable_token(pattern) == "hostclaw") return true;
  if (plain(pattern).find('/') == std::string::npos) return glob.matches("hostclaw");
  const OwnProgram* own = context.own_program;
  if (own != nullptr && !own->path.empty() && glob.matches(plain(own->path))) return true;
  if (glob.has_wildcard() || context.files == nullptr) return false;
  ExecutableLookup file;
  file.facts = context.files->facts(pattern);
  file.found = file.facts.kind == FileKind::kRegular;
  file.real_path = file.facts.real_path;
  return is_own_program(file, context);
}

bool is_home_path(std::string_view pattern) {
  return pattern.starts_with('~') && (pattern.size() == 1 || pattern[1] == '/' || pattern[1] == '\\');
}

bool holds_separator(std::string_view pattern, Platform platform) {
  return pattern.find_first_of(platform == Platform::kWindows ? "/\\" : "/") != std::string_view::npos;
}

// A pattern is taken as it is written: neither split into words nor unquoted nor expanded. Why this one,
// which names nothing on this machine, looks as if more had been meant; empty where it does not.
std::string looks_written_for_a_shell(std::string_view pattern) {
  if (pattern.find_first_of("\"'`") != std::string_view::npos) return "quotes are part of the name";
  if (pattern.find_first_of("$%") != std::string_view::npos) return "variables are not replaced";
  if (pattern.find_first_of(" \t") != std::string_view::npos)
    return "an entry names a program, and its arguments stand in an argPattern";
  return {};
}

// A bare name to which this machine's PATH leads nowhere; false where that is not known.
bool is_unknown_name(const std::string& name, const EngineContext& context) {
  if (context.files == nullptr ||
      find_variable(context.host_environment, "PATH", context.platform) == nullptr)
    return false;
  return !look_up_executable(name, context.host_cwd, context.host_environment, context).found;
}

// For `git log`: git with an argPattern; nothing where no such guess can be made.
std::string named_instead(std::string_view pattern) {
  const std::size_t end = pattern.find(' ');
  if (end == std::string_view::npos || pattern.find_first_of("\"'`$%\\") != std::string_view::npos) return {};
  const std::string_view program = pattern.substr(0, end);
  const std::string_view first = trim(pattern.substr(end));
  const bool plain = std::all_of(first.begin(), first.end(), [](char c) {
    return is_ascii_letter(c) || is_ascii_digit(c) || c == '-' || c == '_' || c == ' ';
  });
  return "hostclaw approvals allowlist add " + command_text({std::string(program)}) +
         (plain ? " --arg-pattern '^" + std::string(first) + "( |$)'" : "");
}

std::string removal(const std::string& pattern, const std::string& agent) {
  return "hostclaw approvals allowlist remove " + command_text({pattern}) +
         (agent == "*" ? "" : " --agent " + command_text({agent}));
}

// The shells and interpreters that a wildcard takes in unseen; empty when there are none.
std::string doors_behind(const std::string& pattern, const EngineContext& context) {
  static constexpr std::string_view kPosixDoors[] = {"sh",  "bash",    "dash",  "busybox", "env",
                                                     "awk", "python3", "perl",  "ruby",    "node",
                                                     "ssh", "sudo",    "xargs", "find"};
  static constexpr std::string_view kWindowsDoors[] = {
      "cmd.exe", "powershell.exe", "pwsh.exe", "wscript.exe", "bash.exe", "python.exe", "node.exe"};
  const bool windows = context.platform == Platform::kWindows;
  const Glob glob(folded(pattern, context.platform));
  const bool by_path = holds_separator(pattern, context.platform);
  std::vector<std::string> found;
  const auto look_at = [&](std::string_view name) {
    if (!by_path) {
      if (glob.matches(name)) found.emplace_back(name);
      return;
    }
    if (context.files == nullptr || windows) return;
    for (const char* directory : {"/usr/bin/", "/bin/"}) {
      const FileFacts facts = context.files->facts(directory + std::string(name));
      if (facts.kind != FileKind::kRegular || !glob.matches(facts.real_path)) continue;
      found.emplace_back(name);
      return;
    }
  };
  if (windows) {
    for (const std::string_view name : kWindowsDoors) look_at(name);
  } else {
    for (const std::string_view name : kPosixDoors) look_at(name);
  }
  return join(found, ", ");
}

void look_at_pattern(const std::string& pattern, const AllowlistEntry& entry, const EngineContext& context,
                     const LintFinding& about, std::vector<LintFinding>& out) {
  const auto add = [&](Severity severity, const char* code, std::string message, std::string instead) {
    LintFinding finding = about;
    finding.severity = severity;
    finding.code = code;
    finding.message = std::move(message);
    finding.instead = std::move(instead);
    out.push_back(std::move(finding));
  };
  if ((pattern == "*" || pattern == "**") && !names_arguments(entry)) {
    add(Severity::kWarning, "OPENS_EVERYTHING", "`" + pattern + "` allows every command.",
        "list the programs that are needed; `hostclaw runs` shows which were");
    return;
  }
  if (!names_arguments(entry) && covers_this_program(pattern, context))
    add(Severity::kWarning, "SELF_LISTED", kSelfListed, kSelfInstead);
  if (pattern.find_first_of("*?") != std::string::npos) {
    std::string slashed = pattern;
    if (context.platform == Platform::kWindows) std::replace(slashed.begin(), slashed.end(), '\\', '/');
    const std::string prefix = Glob(slashed).literal_prefix();
    if (prefix.find('/', 1) == std::string::npos && slashed.find('/') != std::string::npos) {
      add(Severity::kWarning, "WIDE_PATTERN",
          "The first directory of " + pattern + " is a wildcard, so any directory counts.",
          "begin the pattern with a directory that only you can write to");
    } else if (const std::string doors = names_arguments(entry) ? "" : doors_behind(pattern, context);
               !doors.empty()) {
      add(Severity::kWarning, "WIDE_PATTERN",
          pattern + " takes in " + doors + ": whoever may use one of them may run everything.",
          "list the programs that are needed; `hostclaw runs` shows which were");
    }
    if (!prefix.empty() && holds_separator(pattern, context.platform) && !is_home_path(pattern) &&
        !is_absolute_path(prefix, context.platform))
      add(Severity::kWarning, "NEVER_MATCHES",
          pattern + " is not an absolute path, and with those entries are compared.", "");
    return;
  }
  const bool by_path = holds_separator(pattern, context.platform);
  const bool unknown = by_path ? !is_home_path(pattern) && !is_absolute_path(pattern, context.platform)
                               : is_unknown_name(pattern, context);
  if (const std::string meant = unknown ? looks_written_for_a_shell(pattern) : "";
      !meant.empty() || (unknown && by_path)) {
    add(Severity::kWarning, "NEVER_MATCHES",
        "No program is " + command_text({pattern}) + ": " +
            (meant.empty() ? "paths of entries are absolute" : meant) + ".",
        named_instead(pattern));
    return;
  }
  if (const std::string real = real_path_behind(pattern, context); !real.empty()) {
    add(Severity::kWarning, "NEVER_MATCHES",
        pattern + " is a link, and entries are compared with the file behind it.",
        "use " + real + ", or the bare name " + std::string(base_name(pattern)));
  }
  const std::optional<FileKind> kind = kind_behind(pattern, context);
  if (kind == FileKind::kMissing) {
    add(Severity::kNote, "PATH_MISSING",
        "There is no file " + pattern +
            " on this machine: the entry opens nothing, until something is put there.",
        "check the spelling: " + removal(pattern, about.agent));
  } else if (kind == FileKind::kDirectory) {
    add(Severity::kWarning, "NEVER_MATCHES", pattern + " is a directory, and an entry names programs.",
        "name the program, or " + pattern + (pattern.ends_with('/') ? "*" : "/*") +
            " for every program in it");
  } else if (kind == FileKind::kRegular && context.platform == Platform::kPosix &&
             !context.files->facts(pattern).executable) {
    add(Severity::kNote, "NOT_EXECUTABLE", pattern + " cannot be run: it has no permission to execute.",
        "chmod +x " + command_text({pattern}));
  }
  const std::string door = names_arguments(entry) ? "" : general_door(executable_token(pattern));
  if (door.empty()) {
    // What is known by its name is not misspelt.
    if (unknown && general_door(executable_token(pattern)).empty()) {
      add(Severity::kNote, "PATH_MISSING",
          "There is no program " + pattern +
              " where this machine looks for programs (PATH): the entry opens nothing, until there is one.",
          "check the spelling: " + removal(pattern, about.agent));
    }
    return;
  }
  if (const std::string rules = watching_rules(pattern, about.agent, context); !rules.empty()) {
    add(Severity::kNote, "GENERAL_DOOR",
        door + " Such arguments are asked about, and these rules judge others: " + rules + ".", "");
  } else {
    add(Severity::kWarning, "GENERAL_DOOR", door,
        "add an argPattern that describes the arguments you mean, or a rule");
  }
}

}  // namespace

std::vector<LintFinding> lint_entry(const std::string& agent, const AllowlistEntry& entry,
                                    const EngineContext& context) {
  std::vector<LintFinding> out;
  if (entry.allow_always) return out;
  LintFinding about;
  about.agent = agent;
  about.pattern = entry.pattern;
  look_at_pattern(std::string(trim(entry.pattern)), entry, context, about, out);
  return out;
}

std::vector<LintFinding> lint_policy(const PolicyDocument& document, const EngineContext& context) {
  std::vector<LintFinding> out;
  if (document.malformed) {
    out.push_back({Severity::kWarning, "POLICY_MALFORMED", "", 0, "",
                   "The stored policy cannot be read, so everything is denied: " + document.malformed_reason,
                   "hostclaw approvals set --file FILE"});
    return out;
  }
  const Security security = document.defaults.security.value_or(context.settings.fallback_security);
  if (security == Security::kFull && context.settings.security_limit == Security::kFull) {
    out.push_back({Severity::kWarning, "POLICY_OPEN", "", 0, "",
                   "security=full lets every command run, listed or not.",
                   "hostclaw exec-policy preset cautious"});
  }
  for (const auto& [name, agent] : document.agents) {
    for (std::size_t i = 0; i < agent.allowlist.size(); ++i) {
      for (LintFinding& finding : lint_entry(name, agent.allowlist[i], context)) {
        finding.index = i;
        out.push_back(std::move(finding));
      }
    }
  }
  for (const PatternProblem& problem : pattern_problems(document)) {
    out.push_back({Severity::kWarning, "NEVER_MATCHES", problem.agent, problem.index, problem.pattern,
                   problem.reason, ""});
  }
  return out;
}

std::vector<LintFinding> lint_changes(const PolicyDocument& before, const PolicyDocument& after,
                                      const EngineContext& context) {
  std::vector<LintFinding> out;
  for (LintFinding& finding : lint_policy(after, context)) {
    const auto agent = before.agents.find(finding.agent);
    const bool known =
        agent != before.agents.end() &&
        std::any_of(
            agent->second.allowlist.begin(), agent->second.allowlist.end(), [&](const AllowlistEntry& entry) {
              return entry.pattern == finding.pattern &&
                     entry.arg_pattern == after.agents.at(finding.agent).allowlist[finding.index].arg_pattern;
            });
    if (!finding.pattern.empty() && !known) out.push_back(std::move(finding));
  }
  return out;
}

std::vector<LintFinding> lint_rules(const std::vector<Rule>& rules, const EngineContext& context) {
  std::vector<LintFinding> out;
  for (const Rule& rule : rules) {
    const auto add = [&](Severity severity, const char* code, std::string message, std::string instead) {
      out.push_back(
          {severity, code, rule.agent, 0, rule.id, "rule " + rule.id + ": " + std::move(message), instead});
    };
    if (!rule_is_in_force(rule, context.now_ms))
      add(Severity::kNote, "RULE_EXPIRED", "it has expired.", "hostclaw policy remove " + rule.id);
    if (const std::string real = directory_behind(rule, context); real != rule.directory.value_or(""))
      add(Severity::kNote, "RULE_DIRECTORY",
          real.empty() ? "there is no directory " + *rule.directory + "."
                       : *rule.directory + " leads to " + real + ", with which directories are compared.",
          "");
    if (!rule.interpreter.empty() && context.files != nullptr &&
        context.files->content_sha256(rule.program) != rule.content_sha256)
      add(Severity::kNote, "RULE_SCRIPT_CHANGED", rule.program + " is not what was allowed.",
          "hostclaw policy allow-script FILE");
    if (rule.effect != RuleEffect::kAllow || rule.arguments) continue;
    const bool everything = rule.program == "*" || rule.program == "**";
    if (!everything && covers_this_program(rule.program, context))
      add(Severity::kWarning, "RULE_SELF_LISTED", kSelfListed, "say which arguments you mean");
    if (everything) {
      add(Severity::kWarning, "RULE_OPENS_EVERYTHING", "it allows every program.",
          "name the programs that are needed");
    } else if (const std::string door = general_door(executable_token(rule.program)); !door.empty()) {
      add(Severity::kWarning, "RULE_GENERAL_DOOR", door, "say which arguments you mean");
    }
  }
  return out;
}

}  // namespace hostclaw::policy
