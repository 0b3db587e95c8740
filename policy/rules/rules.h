// SPDX-License-Identifier: Apache-2.0
// Rules that say what people mean, beside the official document: deny > ask > allow on a program and its
// arguments, each with a note that refusals show and with examples that are checked when the rule is stored.
//
// A rule names a program and the words of its arguments:
//   program    a path pattern (compared with the resolved file) or a name pattern, in the glob grammar of
//              allowlists
//   arguments  one pattern per word, in order: `...` stands for any number of words, `*` and `?` for
//              characters within a word, `a|b` for alternatives, `<id>`, `<name>`, `<lower>` and `<number>`
//              for a word that is no option (letters, digits and `_.-`; also `/@~^{}`; no capital letters,
//              but `/` and
//              `,`; digits). `...:a|b` is any number
//              of words of which each is one of these. Absent: any arguments; empty: none.
//   interpreter  the program is a script that this interpreter may also be given as its first word
//   directory  the rule is about commands that run in this very directory; absent: in any
// For deny and ask, which have to see through spellings, `-v` also finds `-fv` and `-vX`, `--volumes` also
// `--volumes=x` and `--vol` (a letter at least), and `file:*` also `FILE:x`. Where the options of the program
// that it names are known (carried_code.h), letters behind one that takes a value are its value: `-XPOST` is
// no `-O`, and `--cookie` no abbreviation of `--cookie-jar`. A name pattern also finds the program behind a
// path or a link, and a program that another one starts (`sudo`, `xargs`, `sh -c`). An allow rule takes every
// word as it is; one by name also holds for the path to which the bare word leads (name_leads_to_path). Where
// it is not known in which directory a command runs, deny and ask hold and allow does not.
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
#include "policy/model/types.h"
#include "policy/shell/text_reader.h"

namespace hostclaw::policy {

struct Rule {
  std::string id;
  RuleEffect effect = RuleEffect::kAsk;
  std::string agent = "*";  // whose requests; `*`: everybody's
  std::string program;
  std::optional<std::vector<std::string>> arguments;
  std::optional<std::string> directory;             // absolute, symlinks resolved
  std::string interpreter;                          // real path; needs contentSha256 and a program by path
  std::string of_template;                          // the set that it belongs to; empty: none
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
  bool bare_word = true;  // the command word holds no separator, or is the path to which its name leads
  // In which it would run, symlinks resolved; nullopt: not known.
  std::optional<std::string> directory = std::nullopt;
  // The words were rewritten as if it stood in `directory` (`git -C DIR`): only rules for a directory count.
  bool moved = false;
  // The program is a script, and this is the real path of what was told to read it; empty: it runs by itself.
  std::string interpreter;
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

// The stricter of two rules, the left one of equals; null stands for none.
const Rule* stricter(const Rule* left, const Rule* right);

// True when the rule has not expired. Without a clock (nullopt) deny and ask rules hold and allow rules do
// not.
bool rule_is_in_force(const Rule& rule, std::optional<std::int64_t> now_ms);

// Strict reading: unknown members and empty patterns are errors that name the member (code RULE_INVALID).
Result<Rule> read_rule(const Json& value);
Json rule_to_json(const Rule& rule);

// Every rule needs one example of each kind at least; the error (RULE_EXAMPLE_FAILED) quotes the one that
// fails. Examples are commands in the rule's directory; the program is written by its name or by its path in
// a directory of the system.
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
  // Some rule is about one directory only.
  bool binds_directories() const { return binds_directories_; }
  // Some rule is about a script together with its interpreter.
  bool names_interpreters() const { return names_interpreters_; }
  const std::vector<Rule>& rules() const { return rules_; }
  // The strictest rule in force that covers the subject; null when none does. The first of equals.
  const Rule* strictest(const RuleSubject& subject, std::string_view agent,
                        std::optional<std::int64_t> now_ms, const Content& content) const;

  // Answers the digest of the content at a real path.
  using ContentOf = std::function<std::optional<std::string>(const std::string&)>;
  // The strictest deny and ask rules in force that cover `words`; `anywhere`: or a part of them from some
  // word on to the end, as when another program starts it. `directory`: in which they would run, symlinks
  // resolved; nullopt: not known. Linear in the words for each rule.
  RulesFound find_refusing(std::span<const SoughtWord> words, bool anywhere,
                           const std::optional<std::string>& directory, Platform platform,
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
  bool binds_directories_ = false;
  bool names_interpreters_ = false;
};

// A reviewed set for hosts that work with git, docker and curl; the data is in starter_rules.cc.
const std::vector<Rule>& starter_rules();

}  // namespace hostclaw::policy
