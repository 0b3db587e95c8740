// SPDX-License-Identifier: Apache-2.0
#include "policy/rules/rules.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/text.h"
#include "policy/document/glob.h"
#include "policy/model/engine_context.h"
#include "policy/programs/carried_code.h"
#include "policy/programs/executable_lookup.h"
#include "policy/programs/option_parser.h"
#include "policy/programs/wrappers.h"
#include "policy/request/command_text.h"

namespace hostclaw::policy {
namespace {

constexpr std::string_view kAnyWords = "...";
constexpr std::string_view kAnyOfThese = "...:";
constexpr std::size_t kMostWords = 64;
constexpr std::size_t kLongestText = 1024;
constexpr std::size_t kMostExamples = 64;
constexpr std::size_t kNone = static_cast<std::size_t>(-1);

bool is_path_pattern(std::string_view pattern) { return pattern.find('/') != std::string_view::npos; }

bool is_short_flag(std::string_view word) { return word.size() == 2 && word[0] == '-' && word[1] != '-'; }
bool is_long_flag(std::string_view word) { return word.size() > 2 && word.starts_with("--"); }

// `*` in a word pattern is about characters, slashes included; `?` is one that is no slash.
std::string with_wide_stars(std::string_view pattern) {
  std::string out;
  for (const char c : pattern) out += c == '*' ? "**" : std::string(1, c);
  return out;
}

// A kind of word that stands for itself: nothing in it is an option or has a meaning to a shell.
struct WordClass {
  std::string_view name;
  std::string_view letters;  // beside digits
};
constexpr std::string_view kIdLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-";
constexpr std::string_view kLowerLetters = "abcdefghijklmnopqrstuvwxyz_.-/,";
constexpr std::string_view kNameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-/@~^{}";
constexpr std::array kWordClasses = {WordClass{"<id>", kIdLetters}, WordClass{"<name>", kNameLetters},
                                     WordClass{"<lower>", kLowerLetters}, WordClass{"<number>", ""}};

const WordClass* class_named(std::string_view pattern) {
  const auto* found = std::find_if(kWordClasses.begin(), kWordClasses.end(),
                                   [&](const WordClass& item) { return item.name == pattern; });
  return found == kWordClasses.end() ? nullptr : found;
}

bool is_of_class(const WordClass& wanted, std::string_view word) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  // `..` leads out of where a name means something; what begins so is an option or a path.
  constexpr std::string_view kNotInFront = "-./~^{}";
  if (word.empty() || kNotInFront.find(word.front()) != std::string_view::npos ||
      word.find("..") != std::string_view::npos)
    return false;
  return std::all_of(word.begin(), word.end(),
                     [&](char c) { return is_digit(c) || wanted.letters.find(c) != std::string_view::npos; });
}

// One of the patterns that a word may fit.
struct WordAlternative {
  explicit WordAlternative(const std::string& pattern)
      : glob(with_wide_stars(pattern)),
        text(pattern),
        scheme(scheme_of_pattern(pattern)),
        word_class(class_named(pattern)) {
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
    if (word_class != nullptr && is_of_class(*word_class, word)) return true;
    return contained.empty() ? glob.matches(word) : word.find(contained) != std::string_view::npos;
  }

  // Through spellings: `options` are those of the program, as far as they are known.
  bool fits_loosely(std::string_view word, const OptionGrammar& options) const {
    if (is_short_flag(text)) return option_letters(word, options).find(text[1]) != std::string_view::npos;
    if (!scheme.empty()) return begins_with_scheme(word, scheme);
    if (!is_long_flag(text) || !word.starts_with("--")) return false;
    const std::size_t equals = word.find('=');
    if (!is_long_option(word.substr(0, equals), text, options)) return false;
    return !value || (equals != std::string_view::npos && value->matches(word.substr(equals + 1)));
  }

  Glob glob;
  std::string contained;        // `*text*`, which needs no walk
  std::string text;             // of a long option: without its value
  std::optional<Glob> value;    // `--network=host`: of this value alone
  std::string scheme;           // `file:`, which is read in any case
  const WordClass* word_class;  // `<id>`; null: none
};

// The pattern of one word, or of any number of words of which each fits.
struct WordPattern {
  explicit WordPattern(const std::string& text)
      : any_words(text == kAnyWords), repeats(text.starts_with(kAnyOfThese)) {
    for (const std::string& pattern : split(repeats ? text.substr(kAnyOfThese.size()) : text, '|'))
      alternatives.emplace_back(pattern);
  }
  bool may_be_absent() const { return any_words || repeats; }
  // `options` is null where words are taken as they are.
  bool fits(std::string_view word, const OptionGrammar* options) const {
    return any_words ||
           std::any_of(alternatives.begin(), alternatives.end(), [&](const WordAlternative& alternative) {
             return alternative.matches(word) ||
                    (options != nullptr && alternative.fits_loosely(word, *options));
           });
  }

  bool any_words;
  bool repeats;
  std::vector<WordAlternative> alternatives;
};

// Two rows of the usual table: place k is reachable when the patterns before k cover the words so far.
bool arguments_fit(const std::vector<WordPattern>& patterns, const std::vector<std::string>& argv,
                   const OptionGrammar* options) {
  std::vector<char> reachable(patterns.size() + 1, 0);
  const auto spread = [&](std::vector<char>& places) {
    for (std::size_t k = 0; k < patterns.size(); ++k) {
      if (places[k] != 0 && patterns[k].may_be_absent()) places[k + 1] = 1;
    }
  };
  reachable[0] = 1;
  spread(reachable);
  for (std::size_t i = 1; i < argv.size(); ++i) {
    std::vector<char> next(patterns.size() + 1, 0);
    bool any = false;
    for (std::size_t k = 0; k < patterns.size(); ++k) {
      if (reachable[k] == 0 || !patterns[k].fits(argv[i], options)) continue;
      next[patterns[k].may_be_absent() ? k : k + 1] = 1;
      any = true;
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
  return program.matches(executable_token(subject.argv.front())) ||
         program.matches(base_name(subject.argv.front())) || program.matches(subject.name) ||
         program.matches(base_name(subject.real_path));
}

bool concerns(const Rule& rule, std::string_view agent) {
  return rule.agent == "*" || rule.agent == agent || (agent.empty() && rule.effect != RuleEffect::kAllow);
}

bool directory_fits(const Rule& rule, const std::optional<std::string>& directory, bool moved,
                    Platform platform) {
  if (!rule.directory) return !moved;
  // What must not run must not hide behind a change of directory that cannot be followed.
  if (!directory) return rule.effect != RuleEffect::kAllow;
  if (platform == Platform::kWindows) return windows_form(*rule.directory) == windows_form(*directory);
  return *rule.directory == *directory;
}

bool interpreter_fits(const Rule& rule, const RuleSubject& subject) {
  if (subject.interpreter.empty()) return true;
  if (subject.platform == Platform::kWindows)
    return windows_form(rule.interpreter) == windows_form(subject.interpreter);
  return rule.interpreter == subject.interpreter;
}

bool covers(const Rule& rule, const CompiledRule& compiled, const RuleSubject& subject,
            std::string_view agent) {
  if (subject.argv.empty() || !concerns(rule, agent)) return false;
  if (!directory_fits(rule, subject.directory, subject.moved, subject.platform) ||
      !interpreter_fits(rule, subject))
    return false;
  if (!program_fits(rule, compiled, subject)) return false;
  if (!compiled.arguments) return true;
  return arguments_fit(*compiled.arguments, subject.argv,
                       rule.effect == RuleEffect::kAllow ? nullptr : &compiled.options);
}

// ---- words that are not wholly known

struct Fit {
  bool certain = false;
  bool possible = false;
};

bool begins_alike(std::string_view left, std::string_view right) {
  const std::size_t common = std::min(left.size(), right.size());
  return left.substr(0, common) == right.substr(0, common);
}
bool ends_alike(std::string_view left, std::string_view right) {
  const std::size_t common = std::min(left.size(), right.size());
  return left.substr(left.size() - common) == right.substr(right.size() - common);
}

// What is known of a word: how it begins and how it ends. Of several words only how the first one begins.
struct KnownEnds {
  explicit KnownEnds(const ReadWord& word) : KnownEnds(word.text, word.many) {}
  KnownEnds(std::string_view text, bool many)
      : front(text.substr(0, text.find(kHole))),
        back(many ? std::string_view() : text.substr(text.rfind(kHole) + 1)) {}
  std::string_view front;
  std::string_view back;
};

bool glob_could_match(const Glob& glob, const KnownEnds& known) {
  return begins_alike(glob.literal_prefix(), known.front) && ends_alike(glob.literal_suffix(), known.back);
}

bool flag_could_fit(std::string_view pattern, std::string_view front) {
  if (is_short_flag(pattern))
    return front.empty() || (front[0] == '-' && (front.size() == 1 || front[1] != '-'));
  if (!is_long_flag(pattern)) return false;
  const std::size_t equals = front.find('=');
  if (equals == std::string_view::npos) return begins_alike(pattern, front);
  return pattern.starts_with(front.substr(0, equals));
}

// `after_option`: the word is the value of an option, so that it is no option itself, and a plain word of a
// pattern stands for it only right behind that option (`-m` in front of `TEXT`).
bool could_fit(const WordAlternative& alternative, const KnownEnds& known, bool value, bool after_option) {
  if (alternative.word_class != nullptr) return true;
  if (value && alternative.scheme.empty()) {
    if (is_short_flag(alternative.text) || is_long_flag(alternative.text)) return false;
    if (!after_option && !alternative.glob.has_wildcard()) return false;
  }
  if (!alternative.scheme.empty()) {
    // Braces and brackets spell the rest of a scheme in their own way.
    const std::string front = to_lower_ascii(known.front.substr(0, known.front.find_first_of("{[")));
    if (begins_alike(alternative.scheme, front)) return true;
  }
  return glob_could_match(alternative.glob, known) || flag_could_fit(alternative.text, known.front);
}

// `option`: the word in front, where the word is sure to be its value; `before`: the pattern in front.
Fit word_fit(const WordPattern& pattern, const ReadWord& word, bool open, const OptionGrammar& options,
             const std::string* option, const WordPattern* before) {
  if (!open) {
    const bool fits = pattern.fits(word.text, &options);
    return {fits, fits};
  }
  const KnownEnds known(word);
  const bool after_option =
      option != nullptr && before != nullptr && !before->any_words && before->fits(*option, &options);
  for (const WordAlternative& alternative : pattern.alternatives) {
    if (alternative.text == "*") return {!word.many, true};
    if (could_fit(alternative, known, option != nullptr, after_option)) return {false, true};
  }
  return {};
}

// The names under which a rule can mean a word as a program, and what is not known of it.
struct SoughtProgram {
  std::vector<std::string> names;
  std::string real_path;
  std::string hidden;  // lower-case name with a hole; empty when the name is known
  bool many = false;   // ... and it can be several words
};

SoughtProgram program_of(const SoughtWord& sought, Platform platform) {
  SoughtProgram out;
  std::string text = sought.word.text;
  const std::size_t hole = text.rfind(kHole);
  if (hole != std::string::npos) {
    const std::size_t slash = text.rfind('/');
    if (slash == std::string::npos || slash < hole) {
      out.many = sought.word.many;
      out.hidden = to_lower_ascii(slash == std::string::npos ? text : text.substr(slash + 1));
      return out;
    }
    text.erase(0, slash + 1);
  }
  out.names = {executable_token(text), std::string(base_name(text, platform))};
  if (!sought.real_path.empty()) {
    out.real_path = sought.real_path;
    out.names.insert(out.names.end(), {sought.name, std::string(base_name(sought.real_path, platform))});
  }
  if (platform != Platform::kWindows) return out;
  for (std::size_t i = 0, count = out.names.size(); i < count; ++i) {
    out.names[i] = windows_form(out.names[i]);
    out.names.push_back(executable_token(out.names[i]));
  }
  out.real_path = windows_form(out.real_path);
  return out;
}

Fit program_fit(const Glob& program, const SoughtProgram& sought) {
  const bool path = is_path_pattern(program.source());
  if (!sought.hidden.empty()) {
    const KnownEnds known(sought.hidden, sought.many);
    return {false, path || (begins_alike(to_lower_ascii(program.literal_prefix()), known.front) &&
                            ends_alike(to_lower_ascii(program.literal_suffix()), known.back))};
  }
  const bool fits = path ? !sought.real_path.empty() && program.matches(sought.real_path)
                         : std::any_of(sought.names.begin(), sought.names.end(),
                                       [&](const std::string& name) { return program.matches(name); });
  return {fits, fits};
}

// The places that a rule's arguments can have come to, after some words; the last one is the end.
class ArgumentPlaces {
 public:
  ArgumentPlaces(const std::vector<WordPattern>* patterns, const OptionGrammar& options)
      : patterns_(patterns), options_(options) {
    const std::size_t count = patterns == nullptr ? 1 : patterns->size() + 1;
    certain_.assign(count, 0);
    possible_.assign(count, 0);
  }

  void begin(Fit fit) {
    begun_ = true;
    certain_.front() |= static_cast<char>(fit.certain);
    possible_.front() |= static_cast<char>(fit.possible);
    spread(certain_);
    spread(possible_);
  }

  // `option`: see word_fit.
  void take(const ReadWord& word, const std::string* option = nullptr) {
    if (patterns_ == nullptr || !begun_) return;
    option_ = option;
    const bool open = word.open();
    const std::vector<char> before = possible_;
    step(word, open);
    if (!word.many) return;
    // None at all, or more of them.
    if (word.text.find_first_not_of(kHole) == std::string::npos) merge(before, possible_);
    const auto first = std::find(possible_.begin(), possible_.end(), 1);
    std::fill(first, possible_.end(), static_cast<char>(1));
  }

  bool certain() const { return certain_.back() != 0; }
  bool possible() const { return possible_.back() != 0; }

 private:
  static void merge(const std::vector<char>& from, std::vector<char>& into) {
    for (std::size_t k = 0; k < from.size(); ++k) into[k] |= from[k];
  }

  void spread(std::vector<char>& places) const {
    if (patterns_ == nullptr) return;
    for (std::size_t k = 0; k < patterns_->size(); ++k) {
      if (places[k] != 0 && (*patterns_)[k].may_be_absent()) places[k + 1] = 1;
    }
  }

  void step(const ReadWord& word, bool open) {
    next_certain_.assign(certain_.size(), 0);
    next_possible_.assign(possible_.size(), 0);
    for (std::size_t k = 0; k < patterns_->size(); ++k) {
      if (possible_[k] == 0) continue;
      const WordPattern& pattern = (*patterns_)[k];
      const std::size_t next = pattern.may_be_absent() ? k : k + 1;
      const Fit fit = pattern.any_words ? Fit{true, true}
                                        : word_fit(pattern, word, open, options_, option_,
                                                   k > 0 ? &(*patterns_)[k - 1] : nullptr);
      next_certain_[next] |= static_cast<char>(certain_[k] != 0 && fit.certain);
      next_possible_[next] |= static_cast<char>(fit.possible);
    }
    spread(next_certain_);
    spread(next_possible_);
    certain_.swap(next_certain_);
    possible_.swap(next_possible_);
  }

  const std::vector<WordPattern>* patterns_;
  const OptionGrammar& options_;
  const std::string* option_ = nullptr;
  bool begun_ = false;
  std::vector<char> certain_;
  std::vector<char> possible_;
  std::vector<char> next_certain_;
  std::vector<char> next_possible_;
};

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

// One that says the same to everybody who reads it.
bool is_plain_directory(const std::string& text) {
  if (text.empty() || text.size() > kLongestText || text.find('\0') != std::string::npos) return false;
  if (text.front() == '/') return absolute_path("/", text) == text;
  return is_absolute_path(text, Platform::kWindows) &&
         windows_form(absolute_path("C:/", text, Platform::kWindows)) == windows_form(text);
}

bool is_set_name(const std::string& text) {
  return !text.empty() && text.size() <= 64 && is_of_class(kWordClasses.front(), text);
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
  } else if (name == "directory") {
    if (!value.is_string() || !is_plain_directory(value.get_ref<const std::string&>()))
      return invalid_rule(name, "must be an absolute path without `.`, `..` and a slash at its end");
    rule.directory = value.get<std::string>();
  } else if (name == "interpreter") {
    if (!value.is_string() || !is_plain_directory(value.get_ref<const std::string&>()))
      return invalid_rule(name, "must be an absolute path without `.` and `..`");
    rule.interpreter = value.get<std::string>();
  } else if (name == "template") {
    if (!value.is_string() || !is_set_name(value.get_ref<const std::string&>()))
      return invalid_rule(name, "must be the name of a set: letters, digits and -_.");
    rule.of_template = value.get<std::string>();
  } else if (name == "expiresAt") {
    if (!value.is_number_integer()) return invalid_rule(name, "must be milliseconds since the epoch");
    rule.expires_at_ms = value.get<std::int64_t>();
  } else {
    return invalid_rule(name, "is not a member of a rule");
  }
  return {};
}

// Where a system has its programs, so that a bare word leads there on most machines.
bool is_system_program(const std::string& path, Platform platform) {
  if (platform == Platform::kPosix) return is_system_directory_file(path);
  const std::string form = windows_form(path);
  return form.starts_with("c:/windows/") || form.starts_with("c:/program files/") ||
         form.starts_with("c:/program files (x86)/");
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

// The command of an example: typed in the rule's directory, the program by its name or by its path.
RuleSubject example_of(const Rule& rule, const std::vector<std::string>& argv) {
  RuleSubject subject = subject_of(argv);
  subject.directory = rule.directory;
  if (is_system_program(argv.front(), subject.platform)) subject.bare_word = true;
  return subject;
}

// A rule by path may be shown with the bare word as well.
bool covers_example(const Rule& rule, const std::vector<std::string>& argv) {
  RuleSubject subject = example_of(rule, argv);
  if (rule_covers(rule, subject, rule.agent)) return true;
  const bool by_path = is_path_pattern(windows_form(rule.program));
  if (!by_path || subject.name != argv.front() || rule.program.find_first_of("*?") != std::string::npos ||
      subject.name != base_name(rule.program, Platform::kWindows))
    return false;
  subject.real_path = rule.program;
  return rule_covers(rule, subject, rule.agent);
}

}  // namespace

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
    binds_directories_ = binds_directories_ || rules_[i].directory.has_value();
    names_interpreters_ = names_interpreters_ || !rules_[i].interpreter.empty();
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
  std::vector<std::string> names = {executable_token(subject.argv.front()),
                                    std::string(base_name(subject.argv.front())), subject.name,
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

namespace {

// For each word that is sure to be the value of the option in front of it: that option. Up to the first word
// that could be anything, or any number of words.
std::vector<const std::string*> options_of_values(std::span<const SoughtWord> words,
                                                  const std::vector<std::string>& argv,
                                                  const OptionGrammar& grammar) {
  std::vector<const std::string*> out(words.size(), nullptr);
  if (grammar.takes.empty()) return out;
  for (const ArgumentWord& word : read_arguments(argv, grammar).words) {
    const std::size_t next = word.index + 1;
    if (word.kind != ArgumentWord::Kind::kOperand && word.value && next < argv.size() &&
        word.value->data() == argv[next].data())
      out[next] = &argv[word.index];
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    const ReadWord& word = words[i].word;
    if (!word.open() || (out[i] != nullptr && !word.many)) continue;
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(i), out.end(), nullptr);
    break;
  }
  return out;
}

}  // namespace

RulesFound RuleSet::find_refusing(std::span<const SoughtWord> words, bool anywhere,
                                  const std::optional<std::string>& directory, Platform platform,
                                  std::string_view agent, std::optional<std::int64_t> now_ms,
                                  const ContentOf& content) const {
  std::vector<SoughtProgram> programs;
  const std::size_t count = anywhere ? words.size() : std::min<std::size_t>(words.size(), 1);
  std::unordered_set<std::string_view> names;
  bool hidden = false;
  programs.reserve(count);
  for (std::size_t i = 0; i < count; ++i) programs.push_back(program_of(words[i], platform));
  for (const SoughtProgram& program : programs) {
    names.insert(program.names.begin(), program.names.end());
    names.insert(program.real_path);
    hidden = hidden || !program.hidden.empty();
  }
  // Only where it begins at a word that is known to be the program is it known what its options are.
  std::vector<std::string> argv;
  const bool begins_here =
      !anywhere && !hidden &&
      std::any_of(words.begin(), words.end(), [](const SoughtWord& word) { return word.word.open(); });
  if (begins_here) {
    argv.reserve(words.size());
    for (const SoughtWord& word : words) argv.push_back(word.word.text);
  }
  RulesFound found;
  for (std::size_t at = 0; at < rules_.size(); ++at) {
    const Rule& rule = rules_[at];
    if (rule.effect == RuleEffect::kAllow || !concerns(rule, agent) || !rule_is_in_force(rule, now_ms) ||
        !directory_fits(rule, directory, false, platform))
      continue;
    const bool known = found.certain != nullptr && found.certain->effect <= rule.effect;
    if (known && found.possible != nullptr && found.possible->effect <= rule.effect) continue;
    const Glob& program =
        platform == Platform::kWindows ? compiled_[at].windows_program : compiled_[at].program;
    if (!hidden && !program.has_wildcard() && !names.contains(program.source())) continue;
    ArgumentPlaces places(compiled_[at].arguments ? &*compiled_[at].arguments : nullptr,
                          compiled_[at].options);
    const std::vector<const std::string*> options_in_front =
        begins_here ? options_of_values(words, argv, compiled_[at].options)
                    : std::vector<const std::string*>();
    for (std::size_t i = 0; i < words.size(); ++i) {
      places.take(words[i].word, begins_here ? options_in_front[i] : nullptr);
      if (i >= programs.size()) continue;
      Fit fit = program_fit(program, programs[i]);
      if (fit.certain && rule.content_sha256 && content(words[i].real_path) != rule.content_sha256) fit = {};
      if (fit.possible) places.begin(fit);
      // Behind a program that is not known, nothing is known of where its words begin.
      if (fit.possible && words[i].word.many) places.take(words[i].word);
    }
    if (places.certain() && !known) found.certain = &rule;
    if (places.possible() && (found.possible == nullptr || rule.effect < found.possible->effect))
      found.possible = &rule;
  }
  return found;
}

const Rule* RuleSet::strictest_refusing(std::string_view agent, std::optional<std::int64_t> now_ms) const {
  const Rule* best = nullptr;
  for (const Rule& rule : rules_) {
    if (rule.effect == RuleEffect::kAllow || !concerns(rule, agent) || !rule_is_in_force(rule, now_ms))
      continue;
    if (best == nullptr || rule.effect < best->effect) best = &rule;
  }
  return best;
}

const Rule* stricter(const Rule* left, const Rule* right) {
  if (left == nullptr || right == nullptr) return left == nullptr ? right : left;
  return right->effect < left->effect ? right : left;
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
  const bool one_script = rule.content_sha256 && rule.program.find_first_of("*?") == std::string::npos &&
                          is_path_pattern(windows_form(rule.program));
  if (!rule.interpreter.empty() && (rule.effect != RuleEffect::kAllow || !one_script || !rule.arguments))
    return invalid_rule("interpreter",
                        "is for allow rules with the path of a script, its contentSha256 and arguments");
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
  if (rule.directory) out["directory"] = *rule.directory;
  if (!rule.interpreter.empty()) out["interpreter"] = rule.interpreter;
  if (!rule.of_template.empty()) out["template"] = rule.of_template;
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
    if (!covers_example(rule, example)) return failed(example, "should be covered and is not");
  }
  for (const std::vector<std::string>& example : rule.not_match) {
    if (rule_covers(rule, example_of(rule, example), rule.agent))
      return failed(example, "should not be covered and is");
  }
  return {};
}

}  // namespace hostclaw::policy
