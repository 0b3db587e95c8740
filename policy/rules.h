// Rules that say what people mean, beside the official document: deny > ask > allow on a program and its
// arguments, each with a note that refusals show and with examples that are checked when the rule is stored.
//
// A rule names a program and the words of its arguments:
//   program    a path pattern (compared with the resolved file) or a name pattern, in the glob grammar of
//              allowlists
//   arguments  one pattern per word, in order: `...` stands for any number of words, `*` and `?` for
//              characters within a word, `a|b` for alternatives. Absent: any arguments; empty: none.
// For deny and ask, which have to see through spellings, `-v` also finds `-fv` and `-vX`, `--volumes` also
// `--volumes=x` and `--vol` (a letter at least), and `file:*` also `FILE:x`. Where the options of the program
// that it names are known (carried_code.h), letters behind one that takes a value are its value: `-XPOST` is
// no `-O`, and
// `--cookie` no abbreviation of `--cookie-jar`. A name pattern also finds the program behind a path or a
// link, and a program that another one starts (`sudo`, `xargs`, `sh -c`). An allow rule takes every word as
// it is.
//
// Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "policy/analysis/text_reader.h"
#include "policy/types.h"

namespace hostclaw::policy {

enum class RuleEffect { kDeny, kAsk, kAllow };  // strictest first
std::string_view to_string(RuleEffect value);   // deny | ask | allow
std::optional<RuleEffect> rule_effect_from(std::string_view text);

struct Rule {
  std::string id;
  RuleEffect effect = RuleEffect::kAsk;
  std::string agent = "*";  // whose requests; `*`: everybody's
  std::string program;
  std::optional<std::vector<std::string>> arguments;
  std::string note;                                 // shown to whoever is refused
  std::vector<std::vector<std::string>> match;      // whole commands that the rule must cover
  std::vector<std::vector<std::string>> not_match;  // ... and must not
  std::optional<std::string>
      content_sha256;  // of the program, lower-case hex: another content does not match
  std::optional<std::int64_t> expires_at_ms;  // since the epoch; an expired rule does not apply
};

// What a rule is compared with.
struct RuleSubject {
  std::vector<std::string> argv;  // of the program itself, wrappers stripped
  std::string real_path;          // empty: not found
  std::string name;       // of the file that was found, before symlinks were resolved; empty: not found
  bool bare_word = true;  // the command word holds no separator
  // On Windows names and paths are compared without their case, a path with either separator.
  Platform platform = Platform::kPosix;
};
// `agent` empty: none was given, every rule counts. The content is not looked at here.
bool rule_covers(const Rule& rule, const RuleSubject& subject, std::string_view agent);

// A word of a command that is looked for in a text, with the file that it leads to as a program. Pieces of it
// may not be known (ReadWord).
struct SoughtWord {
  ReadWord word;
  std::string real_path;  // empty: not found, or not looked up
  std::string name;       // of the file found, before symlinks were resolved
};

// Deny and ask rules about a command; null where there is none.
struct RulesFound {
  const Rule* certain = nullptr;   // covers it, whatever the words that are not known
  const Rule* possible = nullptr;  // covers it with some value of them
};

// True when the rule is about a program of this name (no separator) or path, whatever its arguments.
bool rule_names_program(const Rule& rule, const std::string& program);

// True when the rule has not expired. Without a clock (nullopt) deny and ask rules hold and allow rules do
// not.
bool rule_is_in_force(const Rule& rule, std::optional<std::int64_t> now_ms);

// Strict reading: unknown members and empty patterns are errors that name the member (code RULE_INVALID).
Result<Rule> read_rule(const Json& value);
Json rule_to_json(const Rule& rule);

// Every rule needs one example of each kind at least; the error (RULE_EXAMPLE_FAILED) quotes the one that
// fails.
Result<void> verify_rule(const Rule& rule);

// Rules in the form in which they are looked up: patterns compiled, programs that are named exactly found
// without looking at the others. Immutable; safe from any thread.
class RuleSet {
 public:
  // Answers the digest of the program's content; asked only where a rule binds one.
  using Content = std::function<std::optional<std::string>()>;

  explicit RuleSet(std::vector<Rule> rules);
  ~RuleSet();
  RuleSet(const RuleSet&) = delete;
  RuleSet& operator=(const RuleSet&) = delete;

  bool empty() const { return rules_.empty(); }
  const std::vector<Rule>& rules() const { return rules_; }
  // The strictest rule in force that covers the subject; null when none does. The first of equals.
  const Rule* strictest(const RuleSubject& subject, std::string_view agent,
                        std::optional<std::int64_t> now_ms, const Content& content) const;

  // Answers the digest of the content at a real path.
  using ContentOf = std::function<std::optional<std::string>(const std::string&)>;
  // The strictest deny and ask rules in force that cover `words`; `anywhere`: or a part of them from some
  // word on to the end, as when another program starts it. Linear in the words for each rule.
  RulesFound find_refusing(std::span<const SoughtWord> words, bool anywhere, Platform platform,
                           std::string_view agent, std::optional<std::int64_t> now_ms,
                           const ContentOf& content) const;
  // The strictest deny or ask rule in force, whatever it is about.
  const Rule* strictest_refusing(std::string_view agent, std::optional<std::int64_t> now_ms) const;

 private:
  struct Compiled;
  void look_at(const std::vector<std::size_t>& places, const RuleSubject& subject, std::string_view agent,
               std::optional<std::int64_t> now_ms, const Content& content, std::size_t& best) const;

  std::vector<Rule> rules_;
  std::vector<Compiled> compiled_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_program_;  // program without a wildcard
  std::unordered_map<std::string, std::vector<std::size_t>> by_windows_program_;
  std::vector<std::size_t> by_pattern_;
};

// A reviewed set for hosts that work with git, docker and curl; the data is in starter_rules.cc.
const std::vector<Rule>& starter_rules();

}  // namespace hostclaw::policy
