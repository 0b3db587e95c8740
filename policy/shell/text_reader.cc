// SPDX-License-Identifier: Apache-2.0
#include "policy/shell/text_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace hostclaw::policy {
namespace {

// How far is looked ahead for the end of a bracket, brace or arithmetic expression.
constexpr std::size_t kLookAhead = 1024;

constexpr std::array<std::string_view, 14> kSkippedWords = {
    "!", "do", "done", "elif", "else", "esac", "fi", "if", "then", "time", "until", "while", "{", "}"};

bool is_name_start(char c) { return is_ascii_letter(c) || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || is_ascii_digit(c); }

bool ends_read_word(char c) {
  return is_blank(c) || c == '\n' || c == ';' || c == '&' || c == '|' || c == '<' || c == '>' || c == '(' ||
         c == ')';
}

// `word` stands alone somewhere in the text.
bool has_plain_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + word.size())) {
    const char before = at == 0 ? ' ' : text[at - 1];
    const char after = at + word.size() < text.size() ? text[at + word.size()] : ' ';
    if (!is_name_part(before) && before != '-' && !is_name_part(after) && after != '-') return true;
  }
  return false;
}

bool defines_function(std::string_view text) {
  if (has_plain_word(text, "function")) return true;
  for (std::size_t at = text.find('('); at != std::string_view::npos; at = text.find('(', at + 1)) {
    const std::size_t next = text.find_first_not_of(" \t", at + 1);
    if (next != std::string_view::npos && text[next] == ')') return true;
    if (next == std::string_view::npos) return false;
  }
  return false;
}

// What a word stands in the way of: `NAME=`, `NAME+=`, `NAME[x]=`.
bool is_assignment(std::string_view source) {
  if (source.empty() || !is_name_start(source.front())) return false;
  std::size_t at = 0;
  while (at < source.size() && is_name_part(source[at])) ++at;
  if (at < source.size() && source[at] == '[') {
    const std::size_t close = source.find(']', at);
    if (close == std::string_view::npos) return false;
    at = close + 1;
  }
  if (at < source.size() && source[at] == '+') ++at;
  return at < source.size() && source[at] == '=';
}

// `$IFS` and `${IFS}` are the only places where it is named, so that it is what a shell starts with.
bool only_uses_separator(std::string_view text) {
  for (std::size_t at = text.find("IFS"); at != std::string_view::npos; at = text.find("IFS", at + 1)) {
    const std::string_view before = text.substr(0, at);
    if (!before.ends_with('$') && !before.ends_with("${")) return false;
    if (before.ends_with("${") && !text.substr(at + 3).starts_with('}')) return false;
  }
  return !has_plain_word(text, "read");
}

// What holds for a whole text.
struct Known {
  const std::vector<ReadWord>* parameters;
  bool parameters_hold;  // nothing in the text gives them other values
  bool plain_separator;  // IFS is what a shell starts with
  bool double_brackets;  // `[[ a && b ]]` is one command
};

struct HereDocument {
  std::size_t command;
  std::string end;
  bool quoted;
  bool strip_tabs;
};

class ShellReader {
 public:
  ShellReader(std::string_view text, const Known& known, std::size_t depth, ReadText& out)
      : text_(text), known_(known), depth_(depth), out_(out) {}

  void read_program() { read_commands('\0'); }

  // The inside of a here-document: only its substitutions run.
  void read_substitutions() {
    std::vector<ReadWord> ignored;
    Word word;
    while (!at_end()) {
      if (!read_expanding_part(word, ignored, true)) ++position_;
    }
  }

 private:
  struct Word {
    ReadWord value;
    bool any = false;     // something was there, if only quotes
    bool quoted = false;  // ... and part of it was quoted
  };
  // Of one list of commands.
  struct List {
    std::size_t command = ReadCommand::kNone;
    std::size_t feeder = ReadCommand::kNone;
    std::size_t parentheses = 0;
    std::size_t cases = 0;
    bool in_pattern = false;    // between `in` or `;;` and the `)`
    bool skip_options = false;  // behind `time`
    bool discard = false;       // the words of `for`
    bool in_test = false;       // behind `[[`
    // Some shells read `a &>b c` as one command, others as `a & >b c`: where the second one begins.
    std::size_t split_at = ReadCommand::kNone;
  };

  char at(std::size_t position) const { return position < text_.size() ? text_[position] : '\0'; }
  char now() const { return at(position_); }
  char next() const { return at(position_ + 1); }
  bool at_end() const { return position_ >= text_.size(); }
  void give_up() {
    out_.complete = false;
    position_ = text_.size();
  }

  // ---- structure ----

  // Up to `closing`, which is taken, or the end.
  void read_commands(char closing) {
    if (++nesting_ > kMaxReadNesting || depth_ + nesting_ > kMaxReadNesting) {
      give_up();
      --nesting_;
      return;
    }
    List list;
    std::vector<HereDocument> documents = std::exchange(documents_, {});
    bool closed = false;
    while (!at_end() && !closed) closed = read_token(closing, list);
    if (closing != '\0' && !closed) out_.complete = false;
    end_command(list);
    documents_ = std::move(documents);
    --nesting_;
  }

  // True at the closing character.
  bool read_token(char closing, List& list) {
    const char c = now();
    if (is_blank(c)) {
      ++position_;
    } else if (c == '\\' && next() == '\n') {
      position_ += 2;
    } else if (c == '#') {
      position_ = std::min(text_.find('\n', position_), text_.size());
    } else if (c == '\n') {
      ++position_;
      end_command(list);
      list.feeder = ReadCommand::kNone;
      read_documents();
    } else if (c == ')' && closing == ')' && list.parentheses == 0 && !list.in_pattern) {
      ++position_;
      return true;
    } else if (c == '(' || c == ')' || c == ';' || c == '&' || c == '|') {
      read_operator(list);
    } else if ((c == '<' || c == '>') && next() != '(') {
      read_redirection(list);
    } else {
      take_word(list);
    }
    return false;
  }

  void read_operator(List& list) {
    const char c = now();
    if (c == '&' && next() == '>') {
      ++position_;
      list.split_at = command_of(list).words.size();
      return read_redirection(list);
    }
    ++position_;
    if (c == '(') return open_parenthesis(list);
    if (c == ')') {
      if (list.in_pattern) {
        list.in_pattern = false;
      } else if (list.parentheses > 0) {
        --list.parentheses;
      }
      return end_command(list);
    }
    if (c == '|' && list.in_pattern) return;
    const bool pipe = c == '|' && now() != '|';
    list.feeder = !pipe                                ? ReadCommand::kNone
                  : list.command != ReadCommand::kNone ? list.command
                                                       : out_.commands.size() - 1;
    end_command(list);
    if (c == ';' && (now() == ';' || now() == '&')) list.in_pattern = list.cases > 0;
    while (now() == c || (c == ';' && now() == '&') || (pipe && now() == '&')) ++position_;
  }

  // `((` is arithmetic to some shells and two subshells to others: what could be commands counts.
  void open_parenthesis(List& list) {
    if (list.in_pattern) return;
    end_command(list);
    ++list.parentheses;
    const std::size_t end = now() == '(' ? arithmetic_end(position_ + 1) : std::string_view::npos;
    if (end == std::string_view::npos) return;
    --list.parentheses;
    read_nested(text_.substr(position_ + 1, end - position_ - 1));
    position_ = end + 2;
    list.discard = false;
  }

  // Of the first `)` of the `))` that ends what begins here; npos when it does not end so.
  std::size_t arithmetic_end(std::size_t from) const {
    std::size_t open = 0;
    const std::size_t last = std::min(text_.size(), from + kLookAhead);
    for (std::size_t i = from; i < last; ++i) {
      if (text_[i] == '(') ++open;
      if (text_[i] != ')') continue;
      if (open == 0) return at(i + 1) == ')' ? i : std::string_view::npos;
      --open;
    }
    return std::string_view::npos;
  }

  void read_nested(std::string_view inner) {
    if (depth_ + nesting_ >= kMaxReadNesting) return give_up();
    ShellReader(inner, known_, depth_ + nesting_, out_).read_program();
  }

  ReadCommand& command_of(List& list) {
    if (list.command == ReadCommand::kNone) {
      list.command = out_.commands.size();
      out_.commands.emplace_back();
      out_.commands.back().fed_by = list.feeder;
    }
    return out_.commands[list.command];
  }

  void end_command(List& list) {
    if (list.command != ReadCommand::kNone && list.split_at != ReadCommand::kNone) {
      const std::vector<ReadWord>& words = out_.commands[list.command].words;
      ReadCommand second;
      second.words.assign(words.begin() + static_cast<std::ptrdiff_t>(list.split_at), words.end());
      out_.commands.push_back(std::move(second));
    }
    list.command = list.split_at = ReadCommand::kNone;
    list.discard = list.skip_options = false;
  }

  void take_word(List& list) {
    const std::size_t start = position_;
    std::vector<ReadWord> words;
    const bool quoted = read_word(words);
    const std::string_view source = text_.substr(start, position_ - start);
    if (position_ == start) ++position_;  // not to be read, and not to be stuck at
    // `2>`, `{fd}>`: which descriptor it is about.
    const bool descriptor = source.find_first_not_of("0123456789") == std::string_view::npos ||
                            (source.starts_with('{') && source.ends_with('}'));
    if ((now() == '<' || now() == '>') && next() != '(' && descriptor) return;
    if (list.in_pattern) {
      if (source == "esac") end_case(list);
      return;
    }
    if (list.discard) {
      if (source == "do") end_command(list);  // `for NAME do`
      return;
    }
    ReadCommand& command = command_of(list);
    if (command.words.empty() && !quoted && take_reserved_word(source, list)) return;
    if (command.words.empty() && is_assignment(source)) {
      if (source.ends_with('=') && now() == '(') read_array();
      return;
    }
    if (list.in_test && command.words.empty() && !words.empty() && words.front().open()) {
      list.discard = true;  // an operand
      return;
    }
    if (list.skip_options && command.words.empty() && source.starts_with('-')) {
      if (source == "-p" || source == "--") return;
      // Not the reserved word but the program.
      command_of(list).words.push_back({"time", false});
    }
    const bool ends_test = source == "]]" && list.in_test;
    if (source == "]]") list.in_test = false;
    ReadCommand& taker = command_of(list);
    for (ReadWord& word : words) taker.words.push_back(std::move(word));
    // `if [[ a ]] then`: a command may follow without anything between.
    if (ends_test) end_command(list);
  }

  // `NAME=(a b)`: words that nothing runs.
  void read_array() {
    for (++position_; !at_end() && now() != ')';) {
      const std::size_t start = position_;
      std::vector<ReadWord> words;
      skip_to_word();
      read_word(words);
      if (position_ == start) ++position_;
    }
    ++position_;
  }

  static void end_case(List& list) {
    list.in_pattern = false;
    if (list.cases > 0) --list.cases;
  }

  bool take_reserved_word(std::string_view word, List& list) {
    if (word == "for" || word == "select") {
      list.discard = true;
    } else if (word == "case") {
      read_case_head(list);
    } else if (word == "function") {
      skip_to_word();
      std::vector<ReadWord> name;
      read_word(name);
    } else if (std::find(kSkippedWords.begin(), kSkippedWords.end(), word) != kSkippedWords.end()) {
      if (word == "time") list.skip_options = true;
      if (word == "esac") end_case(list);
    } else {
      if (word == "[[") list.in_test = known_.double_brackets;
      return false;
    }
    return true;
  }

  void skip_to_word() {
    while (is_blank(now()) || now() == '\n' || (now() == '\\' && next() == '\n'))
      position_ += now() == '\\' ? 2 : 1;
  }

  void read_case_head(List& list) {
    std::vector<ReadWord> subject;
    skip_to_word();
    read_word(subject);
    skip_to_word();
    const std::size_t start = position_;
    read_word(subject);
    if (text_.substr(start, position_ - start) != "in") out_.complete = false;
    ++list.cases;
    list.in_pattern = true;
  }

  // ---- redirections ----

  void read_redirection(List& list) {
    const char c = now();
    ++position_;
    if (c == '<' && now() == '<') {
      ++position_;
      if (now() == '<') {
        ++position_;
        return read_here_string(list);
      }
      return read_document_head(list);
    }
    while (now() == '>' || now() == '<' || now() == '&' || now() == '|') ++position_;
    skip_blanks();
    std::vector<ReadWord> target;
    read_word(target);
  }

  void skip_blanks() {
    while (is_blank(now()) || (now() == '\\' && next() == '\n')) position_ += now() == '\\' ? 2 : 1;
  }

  void read_here_string(List& list) {
    skip_blanks();
    std::vector<ReadWord> words;
    read_word(words);
    std::string text;
    for (const ReadWord& word : words) text += (text.empty() ? "" : " ") + word.text;
    command_of(list).inputs.push_back(std::move(text));
  }

  void read_document_head(List& list) {
    HereDocument document{0, "", false, false};
    if (now() == '-') {
      document.strip_tabs = true;
      ++position_;
    }
    skip_blanks();
    char quote = '\0';
    for (; !at_end() && (quote != '\0' || !ends_read_word(now())); ++position_) {
      const char c = now();
      // Shells differ about what such a delimiter is.
      if (c == '$' || c == '`' || (c == '\\' && (quote == '"' || next() == '\n'))) out_.complete = false;
      if (quote != '\0' ? c == quote : c == '\'' || c == '"') {
        quote = quote != '\0' ? '\0' : c;
        document.quoted = true;
      } else if (c == '\\' && quote != '\'') {
        document.quoted = true;
        ++position_;
        document.end.push_back(now());
      } else {
        document.end.push_back(c);
      }
    }
    command_of(list);
    document.command = list.command;
    documents_.push_back(std::move(document));
  }

  // One line; where expansions count, a backslash joins it to the next.
  std::string read_line(bool joined) {
    std::string line;
    while (!at_end()) {
      if (joined && now() == '\\' && next() == '\n') {
        position_ += 2;
        continue;
      }
      if (joined && now() == '\\' && next() != '\0') line.push_back(text_[position_++]);
      const char c = text_[position_++];
      if (c == '\n') break;
      line.push_back(c);
    }
    return line;
  }

  void read_documents() {
    for (const HereDocument& document : std::exchange(documents_, {})) {
      std::string body;
      bool ended = false;
      while (!at_end()) {
        std::string line = read_line(!document.quoted);
        if (document.strip_tabs) line.erase(0, std::min(line.find_first_not_of('\t'), line.size()));
        ended = line == document.end;
        if (ended) break;
        body += line + "\n";
      }
      // Where its end was meant to be is not known, nor what comes behind it.
      if (!ended) out_.complete = false;
      if (!document.quoted && depth_ + nesting_ < kMaxReadNesting)
        ShellReader(body, known_, depth_ + nesting_, out_).read_substitutions();
      out_.commands[document.command].inputs.push_back(std::move(body));
    }
  }

  // ---- words ----

  // True when part of it was quoted.
  bool read_word(std::vector<ReadWord>& out) {
    Word word;
    const std::size_t start = position_;
    while (!at_end()) {
      const char c = now();
      const bool substitution = (c == '<' || c == '>') && next() == '(';
      if (ends_read_word(c) && !substitution) break;
      if (!read_expanding_part(word, out, false)) read_plain_part(word, out, start);
    }
    flush(word, out);
    return word.quoted;
  }

  static void flush(Word& word, std::vector<ReadWord>& out) {
    if (!word.any) return;
    out.push_back(std::exchange(word.value, {}));
    word.any = false;
  }

  static void append(Word& word, std::string_view text) {
    word.value.text += text;
    word.any = true;
  }
  static void append_hole(Word& word, bool many) {
    if (!word.value.text.ends_with(kHole)) word.value.text.push_back(kHole);
    word.value.many = word.value.many || many;
    word.any = true;
  }

  void read_plain_part(Word& word, std::vector<ReadWord>& out, std::size_t start) {
    const char c = now();
    if (c == '\'') {
      word.quoted = word.any = true;
      const std::size_t close = text_.find('\'', position_ + 1);
      if (close == std::string_view::npos) return give_up();
      append(word, text_.substr(position_ + 1, close - position_ - 1));
      position_ = close + 1;
    } else if (c == '"') {
      read_double_quotes(word, out);
    } else if (c == '\\') {
      const std::string_view escaped = text_.substr(position_ + 1, 1);
      position_ = std::min(position_ + 2, text_.size());
      if (escaped == "\n") return;
      word.quoted = true;
      append(word, escaped);
    } else if ((c == '<' || c == '>') && next() == '(') {
      position_ += 2;
      append_hole(word, false);
      read_commands(')');
    } else if (c == '*' || c == '?' || c == kHole) {
      ++position_;
      append_hole(word, true);
    } else if (c == '[' && skip_bracket()) {
      append_hole(word, true);
    } else if (c == '{' && is_brace_expansion()) {
      read_rest_as_hole(word, out);
    } else if (c == '~' && position_ == start) {
      while (!at_end() && !ends_read_word(now()) && now() != '/') ++position_;
      append_hole(word, false);
    } else {
      append(word, text_.substr(position_++, 1));
    }
  }

  // `[a-z]`, `[[:digit:]]`: up to the last bracket of the word.
  bool skip_bracket() {
    const std::size_t last = std::min(text_.size(), position_ + kLookAhead);
    std::size_t close = std::string_view::npos;
    std::size_t i = position_ + 1;
    for (; i < last && !ends_read_word(text_[i]) && text_[i] != '\'' && text_[i] != '"' && text_[i] != '$';
         ++i) {
      if (text_[i] == ']') close = i;
    }
    if (close == std::string_view::npos && i < last &&
        !(i == position_ + 1 || text_.substr(position_, i - position_) == "[[")) {
      // A quote or an expansion inside: where it ends cannot be told from here.
      if (!ends_read_word(text_[i])) close = position_;
    }
    if (close == std::string_view::npos) return false;
    position_ = close + 1;
    return true;
  }

  bool is_brace_expansion() const {
    const std::size_t last = std::min(text_.size(), position_ + kLookAhead);
    for (std::size_t i = position_ + 1; i < last && !ends_read_word(text_[i]); ++i) {
      if (text_[i] == ',' || (text_[i] == '.' && at(i + 1) == '.')) return true;
    }
    return last < text_.size() && last == position_ + kLookAhead;
  }

  void read_rest_as_hole(Word& word, std::vector<ReadWord>& out) {
    append_hole(word, true);
    ++position_;
    Word rest;
    while (!at_end() && !ends_read_word(now())) {
      if (now() == '{') {
        ++position_;
      } else if (!read_expanding_part(rest, out, false)) {
        read_plain_part(rest, out, 0);
      }
    }
  }

  void read_double_quotes(Word& word, std::vector<ReadWord>& out) {
    word.quoted = word.any = true;
    ++position_;
    bool only_parameters = true;  // `"$@"` without parameters is no word at all
    const std::size_t start = position_;
    while (!at_end()) {
      const char c = now();
      if (c == '"') {
        const bool nothing = only_parameters && position_ > start && word.value.text.empty();
        ++position_;
        if (nothing) word.any = false;
        return;
      }
      if (c == '\\') {
        const char escaped = next();
        only_parameters = false;
        if (escaped == '\n') {
          position_ += 2;
        } else if (escaped == '"' || escaped == '\\' || escaped == '$' || escaped == '`') {
          append(word, text_.substr(position_ + 1, 1));
          position_ += 2;
        } else {
          append(word, text_.substr(position_++, 1));
        }
      } else if (c == '$' || c == '`') {
        const std::string_view rest = text_.substr(position_);
        only_parameters = only_parameters && (rest.starts_with("$@") || rest.starts_with("${@}"));
        if (!read_expanding_part(word, out, true)) append(word, text_.substr(position_++, 1));
      } else {
        only_parameters = false;
        append(word, text_.substr(position_++, 1));
      }
    }
    out_.complete = false;
  }

  // `$...` and backticks; false when it is none.
  bool read_expanding_part(Word& word, std::vector<ReadWord>& out, bool quoted) {
    if (now() == '`') {
      read_backticks();
      append_hole(word, !quoted);
      return true;
    }
    return now() == '$' && read_dollar(word, out, quoted);
  }

  void read_backticks() {
    std::string inner;
    for (++position_; !at_end() && now() != '`'; ++position_) {
      if (now() == '\\' && (next() == '`' || next() == '\\' || next() == '$' || next() == '"')) ++position_;
      inner.push_back(now());
    }
    if (at_end()) out_.complete = false;
    ++position_;
    read_nested(inner);
  }

  bool read_dollar(Word& word, std::vector<ReadWord>& out, bool quoted) {
    const char c = next();
    if (c == '(') {
      read_parentheses(word, quoted);
    } else if (c == '{') {
      read_braces(word, out, quoted);
    } else if (c == '@' || c == '*') {
      position_ += 2;
      append_parameters(word, out, quoted, c == '@');
    } else if (is_ascii_digit(c)) {
      position_ += 2;
      append_parameter(static_cast<std::size_t>(c - '0'), word, out, quoted);
    } else if (is_name_start(c)) {
      std::size_t end = position_ + 1;
      while (is_name_part(at(end))) ++end;
      const std::string_view name = text_.substr(position_ + 1, end - position_ - 1);
      position_ = end;
      append_variable(name, word, out, quoted);
    } else if (c == '#' || c == '?' || c == '$' || c == '!' || c == '-') {
      position_ += 2;
      append_hole(word, false);
    } else if (c == '\'' && !quoted) {
      read_ansi_quotes(word);
    } else if (c == '"' && !quoted) {
      ++position_;
    } else {
      return false;
    }
    return true;
  }

  void read_parentheses(Word& word, bool quoted) {
    const std::size_t end = at(position_ + 2) == '(' ? arithmetic_end(position_ + 3) : std::string_view::npos;
    if (end != std::string_view::npos) {
      const std::string_view inner = text_.substr(position_ + 3, end - position_ - 3);
      position_ = end + 2;
      if (depth_ + nesting_ < kMaxReadNesting)
        ShellReader(inner, known_, depth_ + nesting_ + 1, out_).read_substitutions();
      return append_hole(word, false);
    }
    position_ += 2;
    read_commands(')');
    append_hole(word, !quoted);
  }

  void read_braces(Word& word, std::vector<ReadWord>& out, bool quoted) {
    std::size_t end = position_ + 2;
    if (at(end) == '@' || at(end) == '*') {
      ++end;
    } else {
      while (is_name_part(at(end))) ++end;
    }
    const std::string_view name = text_.substr(position_ + 2, end - position_ - 2);
    if (!name.empty() && at(end) == '}') {
      position_ = end + 1;
      if (name == "@" || name == "*") return append_parameters(word, out, quoted, name == "@");
      if (name.find_first_not_of("0123456789") == std::string_view::npos)
        return append_parameter(name.size() > 4 ? 99'999 : std::stoul(std::string(name)), word, out, quoted);
      return append_variable(name, word, out, quoted);
    }
    const bool list = name == "@" || at(end) == '[' || at(position_ + 2) == '!';
    position_ = end;
    skip_braces(quoted);
    append_hole(word, !quoted || list);
  }

  // The rest of `${...}`, whose substitutions run.
  void skip_braces(bool quoted) {
    if (++nesting_ > kMaxReadNesting) give_up();
    Word ignored;
    while (!at_end() && now() != '}') {
      const char c = now();
      if (c == '\\') {
        position_ += 2;
      } else if (c == '\'' && !quoted) {
        const std::size_t close = text_.find('\'', position_ + 1);
        position_ = close == std::string_view::npos ? text_.size() : close + 1;
      } else if (c == '"') {
        std::vector<ReadWord> words;
        read_double_quotes(ignored, words);
      } else {
        std::vector<ReadWord> words;
        if (!read_expanding_part(ignored, words, quoted)) ++position_;
      }
    }
    if (at_end()) out_.complete = false;
    position_ = std::min(position_ + 1, text_.size());
    --nesting_;
  }

  void append_variable(std::string_view name, Word& word, std::vector<ReadWord>& out, bool quoted) {
    if (name == "IFS" && !quoted && known_.plain_separator) return flush(word, out);
    append_hole(word, !quoted);
  }

  void append_parameter(std::size_t index, Word& word, std::vector<ReadWord>& out, bool quoted) {
    if (!known_.parameters_hold) return append_hole(word, !quoted);
    if (index >= known_.parameters->size()) {
      if (index == 0) append(word, "sh");
      return;
    }
    append_value((*known_.parameters)[index], word, out, quoted);
  }

  void append_parameters(Word& word, std::vector<ReadWord>& out, bool quoted, bool apart) {
    if (!known_.parameters_hold) return append_hole(word, !quoted || apart);
    for (std::size_t i = 1; i < known_.parameters->size(); ++i) {
      if (i > 1 && quoted && !apart) append(word, " ");
      if (i > 1 && (!quoted || apart)) flush(word, out);
      append_value((*known_.parameters)[i], word, out, quoted);
    }
  }

  // Unquoted it is split at blanks, and its wildcards count.
  static void append_value(const ReadWord& value, Word& word, std::vector<ReadWord>& out, bool quoted) {
    if (value.many) word.value.many = true;
    if (quoted) return append(word, value.text);
    for (const char c : value.text) {
      if (is_blank(c) || c == '\n') {
        flush(word, out);
      } else if (c == '*' || c == '?' || c == '[' || c == kHole) {
        append_hole(word, true);
      } else {
        append(word, std::string_view(&c, 1));
      }
    }
  }

  // As bash reads it; where dash would end the quote elsewhere, nothing behind it is certain.
  void read_ansi_quotes(Word& word) {
    word.quoted = word.any = true;
    for (position_ += 2; !at_end() && now() != '\''; ++position_) {
      if (now() != '\\') {
        append(word, text_.substr(position_, 1));
        continue;
      }
      ++position_;
      if (now() == '\'') out_.complete = false;
      append_escape(word);
    }
    if (at_end()) out_.complete = false;
    ++position_;
  }

  void append_escape(Word& word) {
    static constexpr std::string_view kNames = "abeEfnrtv\\'\"?";
    static constexpr std::string_view kValues = "\a\b\x1B\x1B\f\n\r\t\v\\'\"?";
    if (const std::size_t known = kNames.find(now()); known != std::string_view::npos)
      return append(word, kValues.substr(known, 1));
    const char kind = now();
    const bool hexadecimal = kind == 'x' || kind == 'u' || kind == 'U';
    const std::size_t most = kind == 'U' ? 8 : kind == 'u' ? 4 : hexadecimal ? 2 : 3;
    std::size_t count = 0;
    unsigned value = 0;
    if (hexadecimal) ++position_;
    while (count < most) {
      const std::size_t digit =
          std::string_view("0123456789abcdef").find(to_lower_ascii(text_.substr(position_, 1)));
      if (at_end() || digit == std::string_view::npos || (!hexadecimal && digit > 7)) break;
      value = value * (hexadecimal ? 16U : 8U) + static_cast<unsigned>(digit);
      ++count;
      ++position_;
    }
    // The loop of the caller steps over what was read last.
    if (count > 0) --position_;
    // A NUL ends the word in some shells; `\x{72}` and others are read by few.
    if (count == 0 || value == 0) out_.complete = false;
    if (count == 0 || value == 0 || value > 0x7F) return append_hole(word, false);
    const char c = static_cast<char>(value);
    append(word, std::string_view(&c, 1));
  }

  std::string_view text_;
  Known known_;
  std::size_t depth_;
  ReadText& out_;
  std::size_t position_ = 0;
  std::size_t nesting_ = 0;
  std::vector<HereDocument> documents_;
};

// cmd.exe and PowerShell: where a command begins and what a word is, without what the words expand to.
class WindowsReader {
 public:
  WindowsReader(std::string_view text, bool powershell) : text_(text), powershell_(powershell) {}

  ReadText run() {
    const char escape = powershell_ ? '`' : '^';
    out_.commands.emplace_back();
    for (std::size_t i = 0; i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == escape) {
        if (i + 1 < text_.size() && text_[i + 1] != '\n') take(text_[++i]);
      } else if (c == '"' || (powershell_ && c == '\'')) {
        any_ = true;
      } else if (is_blank(c)) {
        end_word();
      } else if (std::string_view("&|()<>{}\n\r;").find(c) != std::string_view::npos) {
        end_word();
        if (!out_.commands.back().words.empty()) out_.commands.emplace_back();
      } else if (is_hole(i)) {
        take(kHole);
        word_.many = true;
      } else {
        take(c);
      }
    }
    end_word();
    return std::move(out_);
  }

 private:
  // `%NAME%`, `!NAME!`, `$name`: steps to its last character.
  bool is_hole(std::size_t& i) {
    const char c = text_[i];
    if (powershell_) {
      if (c != '$' || i + 1 >= text_.size() || !(is_name_part(text_[i + 1]) || text_[i + 1] == '{'))
        return false;
      while (i + 1 < text_.size() && (is_name_part(text_[i + 1]) || text_[i + 1] == ':')) ++i;
      return true;
    }
    if (c != '%' && c != '!') return false;
    const std::size_t end = text_.substr(0, std::min(text_.size(), i + kLookAhead)).find(c, i + 1);
    if (end == std::string_view::npos) return c == '%';
    i = end;
    return true;
  }

  void take(char c) {
    word_.text.push_back(c);
    any_ = true;
  }
  void end_word() {
    if (any_) out_.commands.back().words.push_back(std::exchange(word_, {}));
    any_ = false;
  }

  std::string_view text_;
  bool powershell_;
  ReadText out_;
  ReadWord word_;
  bool any_ = false;
};

ReadText unread() {
  ReadText out;
  out.complete = false;
  return out;
}

}  // namespace

ReadText read_shell_text(std::string_view text, const std::vector<ReadWord>& parameters,
                         bool double_brackets) {
  if (text.size() > kMaxReadBytes) return unread();
  const bool parameters_hold =
      !has_plain_word(text, "set") && !has_plain_word(text, "shift") && !defines_function(text);
  ReadText out;
  const Known known{&parameters, parameters_hold, only_uses_separator(text), double_brackets};
  ShellReader(text, known, 0, out).read_program();
  return out;
}

ReadText read_windows_shell_text(std::string_view text, bool powershell) {
  if (text.size() > kMaxReadBytes) return unread();
  return WindowsReader(text, powershell).run();
}

ReadText read_foreign_text(std::string_view text, bool keep_backslashes) {
  if (text.size() > kMaxReadBytes) return unread();
  constexpr std::string_view kSeparators = ";|&()<>{}`$\n\r";
  ReadText out;
  out.commands.emplace_back();
  ReadWord word;
  const auto end_word = [&] {
    if (!word.text.empty()) out.commands.back().words.push_back(std::exchange(word, {}));
  };
  for (const char c : text) {
    if (c == '\'' || c == '"' || (c == '\\' && !keep_backslashes)) continue;
    if (kSeparators.find(c) != std::string_view::npos) {
      end_word();
      if (!out.commands.back().words.empty()) out.commands.emplace_back();
    } else if (is_blank(c) || c == ',' || c == '[' || c == ']') {
      end_word();
    } else {
      word.text.push_back(c);
    }
  }
  end_word();
  return out;
}

}  // namespace hostclaw::policy
