// SPDX-License-Identifier: Apache-2.0
#include "policy/programs/carried_code.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "policy/programs/carried_code_table.h"
#include "policy/programs/option_parser.h"
#include "policy/programs/wrappers.h"

namespace hostclaw::policy {
namespace {

// ---- the table, read once

std::vector<std::string_view> cut(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(at);
    if (end != 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

bool has_item(const std::vector<std::string_view>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

char folded(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// `*` stands for any text; the patterns are the table's own, so that they are short.
bool fits_glob(std::string_view pattern, std::string_view text, bool any_case) {
  std::size_t p = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  for (std::size_t t = 0; t < text.size();) {
    const bool same = p < pattern.size() && pattern[p] != '*' &&
                      (any_case ? folded(pattern[p]) == folded(text[t]) : pattern[p] == text[t]);
    if (same) {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

// Stands in the table for the file that swallows what is written to it.
constexpr std::string_view kNullFile = "<null>";

bool is_null_file(std::string_view path, Platform platform) {
  return platform == Platform::kWindows ? fits_glob("nul", path, true) : path == "/dev/null";
}

// What an option's value must be like.
struct ValueTest {
  enum class Kind : std::uint8_t { kNone, kIs, kIsNot };
  Kind kind = Kind::kNone;
  std::string_view globs;  // alternatives, separated by `|`; an empty one at the end is the empty value

  bool holds(std::optional<std::string_view> value, Platform platform) const {
    if (kind == Kind::kNone) return true;
    // An option whose value is not there, or was not understood.
    if (!value) return kind == Kind::kIsNot;
    bool fits = globs.ends_with('|') && value->empty();
    for (const std::string_view glob : cut(globs, '|'))
      fits = fits || (glob == kNullFile ? is_null_file(*value, platform) : fits_glob(glob, *value, true));
    return fits == (kind == Kind::kIs);
  }
};

struct CarryPattern {
  enum class Kind : std::uint8_t { kAlways, kNoArgument, kOperand, kLetter, kLong, kElement };
  Kind kind = Kind::kAlways;
  std::string_view text;
  ValueTest value;
};

struct CarryRow {
  std::string_view why;
  std::vector<std::string_view> scope;
  std::vector<CarryPattern> patterns;

  bool is_in_front() const { return scope.size() == 1 && scope.front() == "-"; }
};

// `compose/ps -a --all`: the words in front, then only operands and these options.
struct CarryReport {
  std::vector<std::string_view> words;
  std::vector<std::string_view> options;
};

struct ReadTool {
  std::vector<std::string_view> names;
  OptionGrammar grammar;
  std::vector<CarryRow> rows;
  std::vector<std::string_view> alone;
  std::vector<std::string_view> own;
  std::vector<CarryReport> reports;
};

bool is_letter_option(std::string_view text) { return text.size() == 2 && text[0] == '-' && text[1] != '-'; }

CarryPattern read_pattern(std::string_view text, bool whole_words) {
  using Kind = CarryPattern::Kind;
  if (text == "!") return {Kind::kAlways, text, {}};
  if (text == "none") return {Kind::kNoArgument, text, {}};
  if (text == "...") return {Kind::kOperand, text, {}};
  CarryPattern pattern{Kind::kElement, text, {}};
  if (text[0] != '-' || text == "-*") return pattern;
  const std::size_t test = text.find_first_of("=!", 1);
  if (test != std::string_view::npos) {
    pattern.value.kind = text[test] == '=' ? ValueTest::Kind::kIs : ValueTest::Kind::kIsNot;
    pattern.value.globs = text.substr(test + 1);
    pattern.text = text.substr(0, test);
  }
  if (pattern.text.ends_with('*')) return pattern;
  if (whole_words) {
    if (pattern.text.starts_with("--")) pattern.text.remove_prefix(1);
    pattern.kind = Kind::kLong;
  } else if (pattern.text.starts_with("--")) {
    pattern.kind = Kind::kLong;
  } else if (is_letter_option(pattern.text)) {
    pattern.kind = Kind::kLetter;
    pattern.text.remove_prefix(1);
  }
  return pattern;
}

void read_takes(const std::vector<std::string_view>& items, const std::vector<std::string_view>& scope,
                OptionGrammar& grammar) {
  for (std::string_view name : items) {
    ValueOption option;
    option.attached_only = name.ends_with('?');
    if (option.attached_only) name.remove_suffix(1);
    option.name = name;
    if (scope.empty()) {
      grammar.takes.push_back(option);
      if (is_letter_option(name)) grammar.value_letters.push_back(name[1]);
    }
    for (const std::string_view where : scope) {
      option.scope = where;
      grammar.takes.push_back(option);
    }
  }
}

void read_report(const std::vector<std::string_view>& items, ReadTool& tool) {
  const std::vector<std::string_view> options(items.begin() + 1, items.end());
  for (const std::string_view words : cut(items.front(), ','))
    tool.reports.push_back({cut(words, '/'), options});
}

void read_row(std::string_view line, ReadTool& tool) {
  std::vector<std::string_view> items = cut(line, ' ');
  const std::size_t at = items.front().find('@');
  const std::string_view verb = items.front().substr(0, at);
  const std::vector<std::string_view> scope =
      at == std::string_view::npos ? std::vector<std::string_view>{} : cut(items.front().substr(at + 1), ',');
  items.erase(items.begin());
  const auto append = [&](std::vector<std::string_view>& list) {
    list.insert(list.end(), items.begin(), items.end());
  };
  if (verb == "takes") return read_takes(items, scope, tool.grammar);
  if (verb == "flags") return append(tool.grammar.flags);
  if (verb == "own") return append(tool.own);
  if (verb == "alone") return append(tool.alone);
  if (verb == "reports") return read_report(items, tool);
  CarryRow row;
  for (const CarryReason& reason : carry_reasons()) {
    if (reason.verb == verb) row.why = reason.why;
  }
  row.scope = scope;
  for (const std::string_view item : items)
    row.patterns.push_back(read_pattern(item, tool.grammar.whole_words));
  tool.rows.push_back(std::move(row));
}

ReadTool read_tool(const CarryTool& data) {
  ReadTool tool;
  tool.names = cut(data.names, ' ');
  tool.grammar.double_dash = (data.style & CarryTool::kNoDoubleDash) == 0;
  tool.grammar.whole_words = (data.style & CarryTool::kWholeWords) != 0;
  tool.grammar.bundled_first = (data.style & CarryTool::kBundledFirst) != 0;
  for (const std::string_view line : cut(data.rows, '\n')) read_row(line, tool);
  // What is in front of the subcommand decides first, and gives the better reason.
  std::stable_partition(tool.rows.begin(), tool.rows.end(),
                        [](const CarryRow& row) { return row.is_in_front(); });
  return tool;
}

const ReadTool* find_exact(std::string_view name) {
  static const std::vector<ReadTool> kTools = [] {
    std::vector<ReadTool> tools;
    for (const CarryTool& data : carry_tools()) tools.push_back(read_tool(data));
    return tools;
  }();
  static const std::map<std::string_view, const ReadTool*> kIndex = [] {
    std::map<std::string_view, const ReadTool*> index;
    for (const ReadTool& tool : kTools) {
      for (const std::string_view tool_name : tool.names) index.emplace(tool_name, &tool);
    }
    return index;
  }();
  const auto found = kIndex.find(name);
  return found == kIndex.end() ? nullptr : found->second;
}

// python3.11, gcc-12, lua5.4, x86_64-linux-gnu-gcc
const ReadTool* find_tool(std::string_view token) {
  if (const ReadTool* tool = find_exact(token)) return tool;
  std::string_view name = token;
  while (!name.empty() &&
         ((name.back() >= '0' && name.back() <= '9') || name.back() == '.' || name.back() == '-')) {
    name.remove_suffix(1);
  }
  if (const ReadTool* tool = find_exact(name)) return tool;
  const std::size_t dash = name.rfind("-gnu-");
  return dash == std::string_view::npos ? nullptr : find_exact(name.substr(dash + 5));
}

// ---- one command line against the rows of its tool

class Inspection {
 public:
  Inspection(const ReadTool& tool, const Argv& argv, Platform platform)
      : tool_(tool), argv_(argv), platform_(platform), read_(read_arguments(argv, tool.grammar)) {}

  const ReadArguments& words() const { return read_; }

  std::optional<CarriedCode> find() const {
    if (argv_.size() == 2 && has_item(tool_.alone, argv_[1])) return std::nullopt;
    if (only_reports()) return std::nullopt;
    if (!read_.complete) return hit(1, "has more options than are looked at");
    bool front = true;
    for (const CarryRow& row : tool_.rows) {
      if (front && !row.is_in_front()) {
        front = false;
        if (std::optional<CarriedCode> foreign = foreign_subcommand()) return foreign;
      }
      if (const std::size_t at = match(row); at != kNowhere) return hit(at, row.why);
    }
    return std::nullopt;
  }

 private:
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  CarriedCode hit(std::size_t at, std::string_view why) const {
    return CarriedCode{std::string(tool_.names.front()), std::min(at, argv_.size() - 1),
                       executable_token(argv_.front()) + " " + std::string(why) + "."};
  }

  std::optional<CarriedCode> foreign_subcommand() const {
    if (tool_.own.empty()) return std::nullopt;
    // The value of an option that is not known could be what is taken for the subcommand.
    if (const std::size_t at = unknown_option_in_front(); at != kNowhere)
      return hit(at, "takes an option in front of its subcommand that is not known here");
    const std::size_t at = read_.subcommand;
    if (at == 0 || has_item(tool_.own, argv_[at])) return std::nullopt;
    // Names of aliases and plugins are plain; any other word is an error message of the tool's own.
    const bool plain = std::all_of(argv_[at].begin(), argv_[at].end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
             c == '_' || c == '.';
    });
    if (!plain) return std::nullopt;
    return hit(at, "runs an alias, an extension or a plugin for this subcommand");
  }

  std::size_t unknown_option_in_front() const {
    if (read_.subcommand == 0) return kNowhere;
    const OptionGrammar& grammar = tool_.grammar;
    for (const ArgumentWord& word : read_.words) {
      if (!word.before_subcommand || word.kind == ArgumentWord::Kind::kOperand) continue;
      const std::string name = (word.kind == ArgumentWord::Kind::kLetter ? "-" : "") + std::string(word.name);
      const bool takes =
          std::any_of(grammar.takes.begin(), grammar.takes.end(), [&](const ValueOption& option) {
            return option.name == name && (option.scope.empty() || option.scope == "-");
          });
      if (!takes && !has_item(grammar.flags, name)) return word.index;
    }
    return kNowhere;
  }

  // `docker compose logs --tail=80 web`: nothing in front of the words, and no option that is not known.
  bool only_reports() const {
    return std::any_of(tool_.reports.begin(), tool_.reports.end(), [&](const CarryReport& report) {
      if (argv_.size() <= report.words.size()) return false;
      const auto rest = argv_.begin() + 1 + static_cast<std::ptrdiff_t>(report.words.size());
      return std::equal(report.words.begin(), report.words.end(), argv_.begin() + 1) &&
             std::all_of(rest, argv_.end(), [&](const std::string& argument) {
               if (argument.empty() || argument.front() != '-') return true;
               // Several rows may list the options of one report.
               const std::string_view name = std::string_view(argument).substr(0, argument.find('='));
               return std::any_of(tool_.reports.begin(), tool_.reports.end(), [&](const CarryReport& other) {
                 return other.words == report.words && has_item(other.options, name);
               });
             });
    });
  }

  // Index of the word that matches.
  std::size_t match(const CarryRow& row) const {
    const bool front = row.is_in_front();
    const std::size_t subcommand = read_.subcommand;
    if (!row.scope.empty() && !front && (subcommand == 0 || !has_item(row.scope, argv_[subcommand])))
      return kNowhere;
    const bool behind = !row.scope.empty() && !front;
    for (const CarryPattern& pattern : row.patterns) {
      const std::size_t at = match(pattern, front, behind);
      if (at != kNowhere) return at;
    }
    return kNowhere;
  }

  std::size_t match(const CarryPattern& pattern, bool front, bool behind) const {
    using Kind = CarryPattern::Kind;
    if (pattern.kind == Kind::kAlways) return std::max<std::size_t>(1, read_.subcommand);
    if (pattern.kind == Kind::kNoArgument) return argv_.size() == 1 ? 0 : kNowhere;
    if (pattern.kind == Kind::kElement) return match_element(pattern, behind);
    for (const ArgumentWord& word : read_.words) {
      if (front && !word.before_subcommand) break;
      if (behind && (word.before_subcommand || word.index <= read_.subcommand)) continue;
      if (matches(pattern, word)) return word.index;
    }
    return kNowhere;
  }

  bool matches(const CarryPattern& pattern, const ArgumentWord& word) const {
    switch (word.kind) {
      case ArgumentWord::Kind::kOperand:
        return pattern.kind == CarryPattern::Kind::kOperand && !word.name.empty() && word.name != "-";
      case ArgumentWord::Kind::kLetter:
        return pattern.kind == CarryPattern::Kind::kLetter && word.name == pattern.text &&
               pattern.value.holds(word.value, platform_);
      case ArgumentWord::Kind::kLong:
        return pattern.kind == CarryPattern::Kind::kLong &&
               is_long_option(word.name, pattern.text, tool_.grammar) &&
               pattern.value.holds(word.value, platform_);
    }
    return false;
  }

  // Elements are looked at whole, values of options included.
  std::size_t match_element(const CarryPattern& pattern, bool behind) const {
    const bool any_case = pattern.text[0] != '-';
    const std::string_view scheme = scheme_of_pattern(pattern.text);
    for (std::size_t i = behind ? read_.subcommand + 1 : 1; i < argv_.size(); ++i) {
      const bool fits =
          scheme.empty() ? fits_glob(pattern.text, argv_[i], any_case) : begins_with_scheme(argv_[i], scheme);
      if (fits) return i;
    }
    return kNowhere;
  }

  const ReadTool& tool_;
  const Argv& argv_;
  Platform platform_;
  ReadArguments read_;
};

// ---- sed

// What a sed makes of its program. Seds do not agree about where a pattern ends, see SedReading.
enum class SedVerdict { kPlain, kError, kCode };

// How a delimiter inside brackets is read: `s/[/]/x/` is one command for GNU, BSD and busybox, and an error
// for POSIX and older ones; whether `[:alpha:]` and a backslash count in there differs as well.
struct SedReading {
  bool brackets;
  bool classes;
  bool escapes;
};
constexpr SedReading kSedReadings[] = {{false, false, false},
                                       {true, false, false},
                                       {true, false, true},
                                       {true, true, false},
                                       {true, true, true}};

// Reads a program of printing, deleting and substituting only. `e`, `w`, `r` and anything else is code.
class SedProgram {
 public:
  SedProgram(std::string_view text, const SedReading& reading) : text_(text), reading_(reading) {}

  SedVerdict read() {
    while (verdict_ == SedVerdict::kPlain) {
      while (at() == ' ' || at() == '\t' || at() == ';' || at() == '\n') ++place_;
      if (place_ >= text_.size()) break;
      read_command();
    }
    return verdict_;
  }

 private:
  char at() const { return place_ < text_.size() ? text_[place_] : '\0'; }
  bool is_at_digit() const { return at() >= '0' && at() <= '9'; }
  bool failed() const { return verdict_ != SedVerdict::kPlain; }
  void fail(SedVerdict verdict) {
    if (!failed()) verdict_ = verdict;
  }

  void read_command() {
    read_address();
    if (!failed() && at() == ',') {
      ++place_;
      while (at() == ' ') ++place_;
      read_address();
    }
    while (!failed() && (at() == ' ' || at() == '!')) ++place_;
    if (failed()) return;
    const char command = at();
    ++place_;
    if (command == 's') {
      read_substitution();
    } else if (command == 'y') {
      read_transliteration();
    } else if (command == '\0' || std::string_view("pdqPDnNgGhHx=").find(command) == std::string_view::npos) {
      fail(SedVerdict::kCode);
    }
    while (!failed() && at() == ' ') ++place_;
    if (!failed() && place_ < text_.size() && at() != ';' && at() != '\n') fail(SedVerdict::kCode);
  }

  void read_address() {
    if (at() == '/') {
      read_part('/', true);
      while (!failed() && (at() == 'I' || at() == 'M')) ++place_;
      return;
    }
    while (is_at_digit() || at() == '$' || at() == '~' || at() == '+') ++place_;
  }

  char read_delimiter() {
    const char delimiter = at();
    // A delimiter that means something to brackets or escapes is nobody's habit.
    const bool odd = delimiter == '\0' || delimiter == '\n' || delimiter == '\\' || delimiter == '[' ||
                     delimiter == ']' || delimiter == '^' || delimiter == '*';
    if (odd) fail(SedVerdict::kCode);
    return delimiter;
  }

  // From the delimiter in front to the one behind; place_ is then behind that.
  void read_part(char delimiter, bool pattern) {
    for (++place_; place_ < text_.size() && text_[place_] != delimiter; ++place_) {
      const bool escaped = text_[place_] == '\\';
      if (escaped) ++place_;
      if (!escaped && at() == '[' && pattern && reading_.brackets) skip_brackets();
      if (at() == '\n') return fail(SedVerdict::kCode);
    }
    if (place_ >= text_.size()) return fail(SedVerdict::kError);
    ++place_;
  }

  // From `[` to its `]`; to the end of the text when there is none.
  void skip_brackets() {
    ++place_;
    if (at() == '^') ++place_;
    if (at() == ']') ++place_;
    for (; place_ < text_.size() && at() != ']' && at() != '\n'; ++place_) {
      if (at() == '\\' && reading_.escapes) ++place_;
      const char next = place_ + 1 < text_.size() ? text_[place_ + 1] : '\0';
      const bool opens_class = at() == '[' && (next == ':' || next == '.' || next == '=');
      if (!opens_class || !reading_.classes) continue;
      const std::size_t end = text_.find(std::string{next, ']'}, place_ + 2);
      place_ = end == std::string_view::npos ? text_.size() : end + 1;
    }
  }

  void read_substitution() {
    const char delimiter = read_delimiter();
    if (!failed()) read_part(delimiter, true);
    if (failed()) return;
    --place_;
    read_part(delimiter, false);
    while (!failed() && (at() == 'g' || at() == 'p' || at() == 'i' || at() == 'I' || at() == 'm' ||
                         at() == 'M' || is_at_digit()))
      ++place_;
    if (failed() || place_ >= text_.size()) return;
    // No sed knows such a flag: it says so and runs nothing.
    if (std::string_view(" ;\n\t\r#}ew").find(at()) == std::string_view::npos) fail(SedVerdict::kError);
  }

  void read_transliteration() {
    const char delimiter = read_delimiter();
    if (!failed()) read_part(delimiter, false);
    if (failed()) return;
    --place_;
    read_part(delimiter, false);
  }

  std::string_view text_;
  const SedReading& reading_;
  std::size_t place_ = 0;
  SedVerdict verdict_ = SedVerdict::kPlain;
};

// Plain for one sed at least, and code for none.
bool is_plain_sed_program(std::string_view program) {
  bool plain = false;
  for (const SedReading& reading : kSedReadings) {
    const SedVerdict verdict = SedProgram(program, reading).read();
    if (verdict == SedVerdict::kCode) return false;
    plain = plain || verdict == SedVerdict::kPlain;
  }
  return plain;
}

std::optional<CarriedCode> sed_program(const ReadArguments& command) {
  const auto hit = [&](std::size_t index) {
    return CarriedCode{"sed", index, "The sed program does more than print, delete and substitute."};
  };
  const OptionGrammar none;
  bool has_expression = false;
  const ArgumentWord* first = nullptr;
  for (const ArgumentWord& word : command.words) {
    if (word.kind == ArgumentWord::Kind::kOperand) {
      if (first == nullptr) first = &word;
      continue;
    }
    if (word.name != "e" && !is_long_option(word.name, "--expression", none)) continue;
    has_expression = true;
    if (!word.value || !is_plain_sed_program(*word.value)) return hit(word.index);
  }
  if (has_expression || first == nullptr) return std::nullopt;
  return is_plain_sed_program(first->name) ? std::nullopt : std::optional(hit(first->index));
}

// The dynamic loader runs the program it is given, whatever the entry said.
bool is_dynamic_loader(std::string_view token) {
  return token.starts_with("ld-linux") || token.starts_with("ld-musl") || token.starts_with("ld.so");
}

// More words are not looked at, and are never harmless.
constexpr std::size_t kMostWords = 8192;

// Tools that read configuration from the directory they stand in and run what it says.
constexpr std::string_view kDirectoryTools[] = {"git",    "hg",        "svn",    "docker", "docker-compose",
                                                "podman", "terraform", "direnv", "vagrant"};

}  // namespace

std::optional<CarriedCode> carried_code(const Argv& argv, Platform platform) {
  if (argv.empty()) return std::nullopt;
  const std::string token = executable_token(argv.front());
  if (is_dynamic_loader(token)) return CarriedCode{token, 0, token + " runs the program it is given."};
  const ReadTool* tool = find_tool(token);
  if (tool == nullptr) return std::nullopt;
  if (argv.size() > kMostWords)
    return CarriedCode{std::string(tool->names.front()), kMostWords,
                       token + " has more arguments than are looked at."};
  const Inspection inspection(*tool, argv, platform);
  if (std::optional<CarriedCode> found = inspection.find()) return found;
  const bool alone = argv.size() == 2 && has_item(tool->alone, argv[1]);
  return tool->names.front() == "sed" && !alone ? sed_program(inspection.words()) : std::nullopt;
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
  if (const ReadTool* tool = find_tool(token)) {
    for (const CarryRow& row : tool->rows) {
      if (row.scope.empty() && row.patterns.front().kind == CarryPattern::Kind::kAlways)
        return "It " + std::string(row.why) + ".";
    }
  }
  return {};
}

}  // namespace

std::string general_door(std::string_view token) {
  if (std::string door = unconditional_door(token); !door.empty()) return door;
  const ReadTool* tool = find_tool(token);
  if (tool == nullptr || tool->rows.empty()) return {};
  return "With some of its arguments it " + std::string(tool->rows.front().why) + ".";
}

bool door_hangs_on_arguments(std::string_view token) {
  const ReadTool* tool = find_tool(token);
  return tool != nullptr && !tool->rows.empty() && unconditional_door(token).empty();
}

const OptionGrammar& known_options(std::string_view token) {
  static const OptionGrammar kNothing;
  const ReadTool* tool = find_tool(token);
  return tool == nullptr ? kNothing : tool->grammar;
}

}  // namespace hostclaw::policy
