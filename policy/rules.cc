#include "policy/rules.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "policy/analysis/carried_code.h"
#include "policy/analysis/option_parser.h"
#include "policy/analysis/wrappers.h"
#include "policy/command_text.h"
#include "policy/engine.h"
#include "policy/glob.h"

namespace hostclaw::policy {
namespace {

constexpr std::string_view kAnyWords = "...";
constexpr std::size_t kMostWords = 64;
constexpr std::size_t kLongestText = 1024;
constexpr std::size_t kMostExamples = 64;
constexpr std::size_t kNone = static_cast<std::size_t>(-1);

bool is_path_pattern(std::string_view pattern) { return pattern.find('/') != std::string_view::npos; }

bool is_short_flag(std::string_view word) { return word.size() == 2 && word[0] == '-' && word[1] != '-'; }
bool is_long_flag(std::string_view word) { return word.size() > 2 && word.starts_with("--"); }

// `file:*`: schemes are read in any case.
bool names_scheme(std::string_view pattern) {
  const std::size_t colon = pattern.find(':');
  if (colon == std::string_view::npos || colon == 0 || pattern[0] == '-' || pattern[0] == ':') return false;
  return std::none_of(pattern.begin(), pattern.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// `*` in a word pattern is about characters, slashes included; `?` is one that is no slash.
std::string with_wide_stars(std::string_view pattern) {
  std::string out;
  for (const char c : pattern) out += c == '*' ? "**" : std::string(1, c);
  return out;
}

// One of the patterns that a word may fit.
struct WordAlternative {
  explicit WordAlternative(const std::string& pattern)
      : glob(with_wide_stars(pattern)), text(pattern), scheme(names_scheme(pattern)) {
    if (pattern.size() > 2 && pattern.front() == '*' && pattern.back() == '*') {
      contained = pattern.substr(1, pattern.size() - 2);
      if (contained.find_first_of("*?") != std::string::npos) contained.clear();
    }
    const std::size_t equals = is_long_flag(pattern) ? pattern.find('=') : std::string::npos;
    if (equals == std::string::npos) return;
    value.emplace(with_wide_stars(std::string_view(pattern).substr(equals + 1)));
    text.resize(equals);
  }

  bool matches(std::string_view word) const {
    return contained.empty() ? glob.matches(word) : word.find(contained) != std::string_view::npos;
  }

  // Through spellings: `options` are those of the program, as far as they are known.
  bool fits_loosely(std::string_view word, const OptionGrammar& options) const {
    if (is_short_flag(text)) return option_letters(word, options).find(text[1]) != std::string_view::npos;
    if (scheme) return matches(to_lower_ascii(word));
    if (!is_long_flag(text) || !word.starts_with("--")) return false;
    const std::size_t equals = word.find('=');
    if (!is_long_option(word.substr(0, equals), text, options)) return false;
    return !value || (equals != std::string_view::npos && value->matches(word.substr(equals + 1)));
  }

  Glob glob;
  std::string contained;      // `*text*`, which needs no walk
  std::string text;           // of a long option: without its value
  std::optional<Glob> value;  // `--network=host`: of this value alone
  bool scheme;
};

// The pattern of one word.
struct WordPattern {
  explicit WordPattern(const std::string& text) : any_words(text == kAnyWords) {
    for (const std::string& pattern : split(text, '|')) alternatives.emplace_back(pattern);
  }
  // `options` is null where words are taken as they are.
  bool fits(std::string_view word, const OptionGrammar* options) const {
    return std::any_of(alternatives.begin(), alternatives.end(), [&](const WordAlternative& alternative) {
      return alternative.matches(word) || (options != nullptr && alternative.fits_loosely(word, *options));
    });
  }

  bool any_words;
  std::vector<WordAlternative> alternatives;
};

// Two rows of the usual table: place k is reachable when the patterns before k cover the words so far.
bool arguments_fit(const std::vector<WordPattern>& patterns, const std::vector<std::string>& argv,
                   const OptionGrammar* options) {
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
      } else if (patterns[k].fits(argv[i], options)) {
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
      : program(rule.program),
        windows_text(windows_form(rule.program)),
        windows_program(windows_text),
        options(known_options(executable_token(rule.program))) {
    if (!rule.arguments) return;
    arguments.emplace();
    for (const std::string& text : *rule.arguments) arguments->emplace_back(text);
  }
  Glob program;
  std::string windows_text;
  Glob windows_program;
  const OptionGrammar& options;  // of the program that the rule names
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
  if (!compiled.arguments) return true;
  return arguments_fit(*compiled.arguments, subject.argv,
                       rule.effect == RuleEffect::kAllow ? nullptr : &compiled.options);
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

}  // namespace hostclaw::policy
