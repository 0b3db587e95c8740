#include "policy/rules.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "policy/analysis/wrappers.h"
#include "policy/command_text.h"
#include "policy/engine.h"
#include "policy/glob.h"

namespace hostclaw::policy {
namespace {

constexpr std::string_view kAnyWords = "...";
// Shorter abbreviations are too common to be told apart.
constexpr std::size_t kShortestAbbreviation = 4;

constexpr std::size_t kMostWords = 64;
constexpr std::size_t kLongestText = 1024;
constexpr std::size_t kMostExamples = 64;
constexpr std::size_t kNone = static_cast<std::size_t>(-1);

bool is_path_pattern(std::string_view pattern) { return pattern.find('/') != std::string_view::npos; }

bool is_short_flag(std::string_view word) { return word.size() == 2 && word[0] == '-' && word[1] != '-'; }
bool is_long_flag(std::string_view word) { return word.size() > 2 && word.starts_with("--"); }

bool word_fits_loosely(std::string_view pattern, std::string_view word) {
  if (is_short_flag(pattern)) {
    return word.size() >= 2 && word[0] == '-' && word[1] != '-' &&
           word.find(pattern[1], 1) != std::string_view::npos;
  }
  if (!is_long_flag(pattern)) return false;
  const std::string_view name = word.substr(0, word.find('='));
  return name == pattern || (name.size() >= kShortestAbbreviation && pattern.starts_with(name));
}

// `*` in a word pattern is about characters, slashes included; `?` is one that is no slash.
std::string with_wide_stars(std::string_view pattern) {
  std::string out;
  for (const char c : pattern) out += c == '*' ? "**" : std::string(1, c);
  return out;
}

// The pattern of one word.
struct WordPattern {
  explicit WordPattern(const std::string& text) : any_words(text == kAnyWords) {
    for (const std::string& pattern : split(text, '|')) {
      alternatives.emplace_back(with_wide_stars(pattern));
      texts.push_back(pattern);
    }
  }
  bool fits(std::string_view word, bool loosely) const {
    for (std::size_t i = 0; i < alternatives.size(); ++i) {
      if (alternatives[i].matches(word) || (loosely && word_fits_loosely(texts[i], word))) return true;
    }
    return false;
  }

  bool any_words;
  std::vector<Glob> alternatives;
  std::vector<std::string> texts;
};

// Two rows of the usual table: place k is reachable when the patterns before k cover the words so far.
bool arguments_fit(const std::vector<WordPattern>& patterns, const std::vector<std::string>& argv,
                   bool loosely) {
  std::vector<char> reachable(patterns.size() + 1, 0);
  const auto spread = [&](std::vector<char>& places) {
    for (std::size_t k = 0; k < patterns.size(); ++k) {
      if (places[k] != 0 && patterns[k].any_words) places[k + 1] = 1;
    }
  };
  reachable[0] = 1;
  spread(reachable);
  for (std::size_t i = 1; i < argv.size(); ++i) {
    std::vector<char> next(patterns.size() + 1, 0);
    bool any = false;
    for (std::size_t k = 0; k < patterns.size(); ++k) {
      if (reachable[k] == 0) continue;
      if (patterns[k].any_words) {
        next[k] = 1;
        any = true;
      } else if (patterns[k].fits(argv[i], loosely)) {
        next[k + 1] = 1;
        any = true;
      }
    }
    if (!any) return false;
    spread(next);
    reachable = std::move(next);
  }
  return reachable[patterns.size()] != 0;
}

struct CompiledRule {
  explicit CompiledRule(const Rule& rule)
      : program(rule.program), windows_text(windows_form(rule.program)), windows_program(windows_text) {
    if (!rule.arguments) return;
    arguments.emplace();
    for (const std::string& text : *rule.arguments) arguments->emplace_back(text);
  }
  Glob program;
  std::string windows_text;
  Glob windows_program;
  std::optional<std::vector<WordPattern>> arguments;
};

bool program_fits_on_windows(const Rule& rule, const CompiledRule& compiled, const RuleSubject& subject) {
  const Glob& program = compiled.windows_program;
  const std::string path = windows_form(subject.real_path);
  if (is_path_pattern(compiled.windows_text)) return !path.empty() && program.matches(path);
  const auto named = [&](const std::string& name) {
    return program.matches(name) || program.matches(executable_token(name));
  };
  const std::string name = windows_form(subject.name);
  if (rule.effect == RuleEffect::kAllow) return subject.bare_word && !name.empty() && named(name);
  return named(windows_form(subject.argv.front())) || named(name) || named(std::string(base_name(path)));
}

bool program_fits(const Rule& rule, const CompiledRule& compiled, const RuleSubject& subject) {
  if (subject.platform == Platform::kWindows) return program_fits_on_windows(rule, compiled, subject);
  const Glob& program = compiled.program;
  if (is_path_pattern(rule.program)) return !subject.real_path.empty() && program.matches(subject.real_path);
  if (rule.effect == RuleEffect::kAllow)
    return subject.bare_word && !subject.name.empty() && program.matches(subject.name);
  return program.matches(executable_token(subject.argv.front())) || program.matches(subject.name) ||
         program.matches(base_name(subject.real_path));
}

bool covers(const Rule& rule, const CompiledRule& compiled, const RuleSubject& subject,
            std::string_view agent) {
  if (subject.argv.empty()) return false;
  if (rule.agent != "*" && rule.agent != agent && !(agent.empty() && rule.effect != RuleEffect::kAllow))
    return false;
  if (!program_fits(rule, compiled, subject)) return false;
  return !compiled.arguments ||
         arguments_fit(*compiled.arguments, subject.argv, rule.effect != RuleEffect::kAllow);
}

Error invalid_rule(const std::string& member, std::string_view what) {
  return make_error("RULE_INVALID", "rule: " + member + ": " + std::string(what));
}

bool read_words(const Json& value, std::vector<std::string>& out) {
  if (!value.is_array() || value.size() > kMostWords) return false;
  for (const Json& item : value) {
    if (!item.is_string() || item.get_ref<const std::string&>().size() > kLongestText) return false;
    out.push_back(item.get<std::string>());
  }
  return true;
}

bool read_examples(const Json& value, std::vector<std::vector<std::string>>& out) {
  if (!value.is_array() || value.size() > kMostExamples) return false;
  for (const Json& item : value) {
    std::vector<std::string> words;
    if (!read_words(item, words) || words.empty()) return false;
    out.push_back(std::move(words));
  }
  return true;
}

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Result<void> read_member(const std::string& name, const Json& value, Rule& rule) {
  if (name == "effect") {
    const std::optional<RuleEffect> effect =
        value.is_string() ? rule_effect_from(value.get<std::string>()) : std::nullopt;
    if (!effect) return invalid_rule(name, "must be deny, ask or allow");
    rule.effect = *effect;
  } else if (name == "id" || name == "agent" || name == "program" || name == "note" ||
             name == "contentSha256") {
    if (!value.is_string() || trim(value.get_ref<const std::string&>()).empty()) {
      return invalid_rule(name, "must be a non-empty string");
    }
    const std::string text = value.get<std::string>();
    if (text.size() > kLongestText) return invalid_rule(name, "is longer than 1024 bytes");
    if (name == "id") rule.id = text;
    if (name == "agent") rule.agent = text;
    if (name == "program") rule.program = text;
    if (name == "note") rule.note = text;
    if (name != "contentSha256") return {};
    if (!is_sha256(text)) return invalid_rule(name, "must be 64 lower-case hexadecimal digits");
    rule.content_sha256 = text;
  } else if (name == "arguments") {
    rule.arguments.emplace();
    if (!read_words(value, *rule.arguments))
      return invalid_rule(name, "must be an array of at most 64 strings of at most 1024 bytes");
  } else if (name == "match" || name == "notMatch") {
    if (!read_examples(value, name == "match" ? rule.match : rule.not_match)) {
      return invalid_rule(name, "must be an array of at most 64 commands, each an array of strings");
    }
  } else if (name == "expiresAt") {
    if (!value.is_number_integer()) return invalid_rule(name, "must be milliseconds since the epoch");
    rule.expires_at_ms = value.get<std::int64_t>();
  } else {
    return invalid_rule(name, "is not a member of a rule");
  }
  return {};
}

// An example is a command as it is typed: the program is taken to be found under its own name.
RuleSubject subject_of(const std::vector<std::string>& argv) {
  RuleSubject subject;
  const std::string& word = argv.front();
  const bool windows = word.find('\\') != std::string::npos || is_absolute_path(word, Platform::kWindows);
  subject.platform = windows && !word.starts_with('/') ? Platform::kWindows : Platform::kPosix;
  subject.argv = argv;
  subject.name = std::string(base_name(word, subject.platform));
  subject.bare_word = subject.name == word;
  subject.real_path = subject.bare_word ? "/usr/bin/" + word : word;
  return subject;
}

Rule starter(std::string id, RuleEffect effect, std::string program, std::vector<std::string> arguments,
             std::string note, std::vector<std::vector<std::string>> match,
             std::vector<std::vector<std::string>> not_match) {
  Rule rule;
  rule.id = std::move(id);
  rule.effect = effect;
  rule.program = std::move(program);
  rule.arguments = std::move(arguments);
  rule.note = std::move(note);
  rule.match = std::move(match);
  rule.not_match = std::move(not_match);
  return rule;
}

}  // namespace

std::string_view to_string(RuleEffect value) {
  switch (value) {
    case RuleEffect::kDeny:
      return "deny";
    case RuleEffect::kAsk:
      return "ask";
    case RuleEffect::kAllow:
      return "allow";
  }
  return "deny";
}

std::optional<RuleEffect> rule_effect_from(std::string_view text) {
  if (text == "deny") return RuleEffect::kDeny;
  if (text == "ask") return RuleEffect::kAsk;
  if (text == "allow") return RuleEffect::kAllow;
  return std::nullopt;
}

bool rule_covers(const Rule& rule, const RuleSubject& subject, std::string_view agent) {
  return covers(rule, CompiledRule(rule), subject, agent);
}

bool rule_names_program(const Rule& rule, const std::string& program) {
  RuleSubject subject = subject_of({program});
  if (subject.bare_word) subject.real_path.clear();
  return program_fits(rule, CompiledRule(rule), subject);
}

struct RuleSet::Compiled : CompiledRule {
  using CompiledRule::CompiledRule;
};

RuleSet::RuleSet(std::vector<Rule> rules) : rules_(std::move(rules)) {
  compiled_.reserve(rules_.size());
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    compiled_.emplace_back(rules_[i]);
    if (compiled_.back().program.has_wildcard()) {
      by_pattern_.push_back(i);
    } else {
      by_program_[rules_[i].program].push_back(i);
      by_windows_program_[compiled_.back().windows_text].push_back(i);
    }
  }
}

RuleSet::~RuleSet() = default;

void RuleSet::look_at(const std::vector<std::size_t>& places, const RuleSubject& subject,
                      std::string_view agent, std::optional<std::int64_t> now_ms, const Content& content,
                      std::size_t& best) const {
  for (const std::size_t place : places) {
    const Rule& rule = rules_[place];
    if (best != kNone) {
      const Rule& other = rules_[best];
      if (other.effect < rule.effect || (other.effect == rule.effect && best <= place)) continue;
    }
    if (!rule_is_in_force(rule, now_ms) || !covers(rule, compiled_[place], subject, agent)) continue;
    if (rule.content_sha256 && content() != rule.content_sha256) continue;
    best = place;
  }
}

const Rule* RuleSet::strictest(const RuleSubject& subject, std::string_view agent,
                               std::optional<std::int64_t> now_ms, const Content& content) const {
  if (subject.argv.empty()) return nullptr;
  std::size_t best = kNone;
  // Every name under which a rule can mean this program.
  std::vector<std::string> names = {executable_token(subject.argv.front()), subject.name,
                                    std::string(base_name(subject.real_path)), subject.real_path};
  const bool windows = subject.platform == Platform::kWindows;
  if (windows) {
    names.push_back(executable_token(subject.name));
    names.push_back(executable_token(subject.real_path));
    for (std::string& name : names) name = windows_form(name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (const std::string& name : names) {
    const auto& by_program = windows ? by_windows_program_ : by_program_;
    const auto found = by_program.find(name);
    if (found != by_program.end()) look_at(found->second, subject, agent, now_ms, content, best);
  }
  look_at(by_pattern_, subject, agent, now_ms, content, best);
  return best == kNone ? nullptr : &rules_[best];
}

bool rule_is_in_force(const Rule& rule, std::optional<std::int64_t> now_ms) {
  if (!rule.expires_at_ms) return true;
  return now_ms ? *now_ms < *rule.expires_at_ms : rule.effect != RuleEffect::kAllow;
}

Result<Rule> read_rule(const Json& value) {
  if (!value.is_object()) return make_error("RULE_INVALID", "rule: must be an object");
  Rule rule;
  for (const auto& [name, item] : value.items()) {
    if (Result<void> read = read_member(name, item, rule); !read) return read.error();
  }
  if (!value.contains("effect")) return invalid_rule("effect", "is missing");
  if (rule.program.empty()) return invalid_rule("program", "is missing");
  if (rule.effect != RuleEffect::kAllow && rule.note.empty())
    return invalid_rule("note", "is missing: say why");
  return rule;
}

Json rule_to_json(const Rule& rule) {
  Json out = {{"id", rule.id},       {"effect", to_string(rule.effect)},
              {"agent", rule.agent}, {"program", rule.program},
              {"match", rule.match}, {"notMatch", rule.not_match}};
  if (!rule.note.empty()) out["note"] = rule.note;
  if (rule.arguments) out["arguments"] = *rule.arguments;
  if (rule.content_sha256) out["contentSha256"] = *rule.content_sha256;
  if (rule.expires_at_ms) out["expiresAt"] = *rule.expires_at_ms;
  return out;
}

Result<void> verify_rule(const Rule& rule) {
  const auto failed = [&](const std::vector<std::string>& example, std::string_view what) {
    return make_error("RULE_EXAMPLE_FAILED",
                      "rule " + rule.id + ": `" + command_text(example) + "` " + std::string(what));
  };
  if (rule.match.empty() || rule.not_match.empty()) {
    return make_error("RULE_EXAMPLE_FAILED",
                      "rule " + rule.id + ": give one example that it covers and one that it does not");
  }
  for (const std::vector<std::string>& example : rule.match) {
    if (!rule_covers(rule, subject_of(example), rule.agent))
      return failed(example, "should be covered and is not");
  }
  for (const std::vector<std::string>& example : rule.not_match) {
    if (rule_covers(rule, subject_of(example), rule.agent))
      return failed(example, "should not be covered and is");
  }
  return {};
}

const std::vector<Rule>& starter_rules() {
  using enum RuleEffect;
  static const std::vector<Rule> kRules = {
      starter("git-reset-hard", kAsk, "git", {"...", "reset", "...", "--hard", "..."},
              "git reset --hard throws away work that is not committed.",
              {{"git", "reset", "--hard"}, {"git", "-C", "x", "reset", "--har", "HEAD~1"}},
              {{"git", "reset", "HEAD"}, {"git", "log", "--hard"}}),
      starter("git-clean", kAsk, "git", {"...", "clean", "...", "-f|--force", "..."},
              "git clean deletes files that git does not know.",
              {{"git", "clean", "-fdx"}, {"git", "clean", "--force"}}, {{"git", "clean", "-n"}}),
      starter("git-push-force", kAsk, "git",
              {"...", "push", "...", "-f|--force|--force-with-lease|--mirror|--delete|+*", "..."},
              "This push can overwrite or delete what others have.",
              {{"git", "push", "-f"},
               {"git", "push", "origin", "+main"},
               {"git", "push", "--force-with-lease=x"}},
              {{"git", "push"}, {"git", "push", "origin", "main"}}),
      starter("git-config-first", kDeny, "git", {"-c|--config-env|--exec-path", "..."},
              "git -c sets configuration that can run other programs.",
              {{"git", "-c", "core.pager=x", "log"}, {"git", "--exec-path=/x", "log"}},
              {{"git", "log", "-c"}, {"git", "-C", "x", "log"}}),
      // After other global options; `-c` alone is an option of log, commit and switch as well.
      starter("git-config-later", kDeny, "git", {"...", "-c", "*.*=*", "..."},
              "git -c sets configuration that can run other programs.",
              {{"git", "-C", "x", "-c", "core.pager=x", "log"}}, {{"git", "commit", "-c", "HEAD"}}),
      starter(
          "git-config-elsewhere", kDeny, "git", {"...", "--config-env|--exec-path=*", "..."},
          "These options let git run other programs.",
          {{"git", "-C", "x", "--config-env=core.pager=P", "log"}, {"git", "-P", "--exec-path=/x", "log"}},
          {{"git", "log"}}),
      starter(
          "docker-compose-down-volumes", kDeny, "docker",
          {"...", "compose", "...", "down", "...", "-v|--volumes", "..."},
          "This removes the volumes with the data of the services.",
          {{"docker", "compose", "down", "-v"}, {"docker", "compose", "-f", "x.yml", "down", "--volumes"}},
          {{"docker", "compose", "down"}}),
      starter("docker-compose-v1-down-volumes", kDeny, "docker-compose",
              {"...", "down", "...", "-v|--volumes", "..."},
              "This removes the volumes with the data of the services.",
              {{"docker-compose", "down", "-v"}, {"docker-compose", "-f", "x.yml", "down", "--volumes"}},
              {{"docker-compose", "down"}}),
      starter("docker-prune", kDeny, "docker",
              {"...", "system|volume|image|container|builder|network", "...", "prune", "..."},
              "Pruning deletes what is not in use at this moment.",
              {{"docker", "system", "prune", "-a"}, {"docker", "volume", "prune"}},
              {{"docker", "system", "df"}}),
      starter("docker-host-access", kAsk, "docker",
              {"...", "run|create|exec", "...",
               "-v|--volume|--mount|--privileged|--pid|--ipc|--device|--cap-add|--security-opt|--userns|--"
               "network=host|--net=host",
               "..."},
              "This gives a container access to the machine.",
              {{"docker", "run", "-v", "/:/host", "x"},
               {"docker", "run", "--privileged", "x"},
               {"docker", "exec", "--privileged", "x", "sh"}},
              {{"docker", "run", "--rm", "x"}, {"docker", "ps"}}),
      starter("docker-remote", kAsk, "docker", {"-H|--host|--context|-c", "..."},
              "This talks to another docker daemon.", {{"docker", "-H", "tcp://x", "ps"}},
              {{"docker", "ps"}}),
      starter("curl-writes-files", kAsk, "curl",
              {"...",
               "-o|-O|--output|--remote-name|--remote-name-all|--output-dir|-D|--dump-header|-c|--cookie-jar",
               "..."},
              "curl would write a file.",
              {{"curl", "-o", "/tmp/x", "http://h"}, {"curl", "-sSLO", "http://h/x"}},
              {{"curl", "http://h"}, {"curl", "-s", "http://h"}}),
      starter(
          "curl-sends-files", kAsk, "curl",
          {"...",
           "-T|--upload-file|-K|--config|-F|--form|-d|--data|--data-binary|--data-raw|--data-urlencode|--"
           "json",
           "..."},
          "curl would send data or read its configuration from a file.",
          {{"curl", "-T", "x", "http://h"}, {"curl", "-K", "x"}, {"curl", "-d", "@/etc/passwd", "http://h"}},
          {{"curl", "-s", "http://h"}}),
      starter("curl-local-files", kDeny, "curl", {"...", "file:*|FILE:*", "..."},
              "curl would read files of this machine.", {{"curl", "file:///etc/passwd"}},
              {{"curl", "http://h/file:x"}}),
  };
  return kRules;
}

}  // namespace hostclaw::policy
