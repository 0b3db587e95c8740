// SPDX-License-Identifier: Apache-2.0
#include "policy/shell/shell_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/text.h"
#include "base/utf8.h"

namespace hostclaw::policy {
namespace {

// Reserved words of dash and bash. `time` is not among them: see Parser::check_command_words.
constexpr std::array<std::string_view, 21> kReservedWords = {
    "!",   "[[",       "]]", "case", "coproc", "do",   "done",  "elif",  "else", "esac", "fi",
    "for", "function", "if", "in",   "select", "then", "until", "while", "{",    "}",
};

// Builtins of dash or bash that act on the shell's own state, or run text.
constexpr std::array<std::string_view, 49> kStateBuiltins = {
    ".",       "alias",    "bg",      "bind",    "break",  "caller",    "chdir",    "compgen", "complete",
    "compopt", "continue", "declare", "dirs",    "disown", "enable",    "eval",     "exit",    "export",
    "fc",      "fg",       "getopts", "hash",    "help",   "history",   "jobs",     "let",     "local",
    "logout",  "mapfile",  "popd",    "pushd",   "read",   "readarray", "readonly", "return",  "set",
    "shift",   "shopt",    "source",  "suspend", "times",  "trap",      "type",     "typeset", "ulimit",
    "umask",   "unalias",  "unset",   "wait",
};

bool ends_word(char c) {
  return is_blank(c) || c == '\n' || c == ';' || c == '&' || c == '|' || c == '<' || c == '>' || c == '(' ||
         c == ')';
}

// Unquoted characters outside ASCII that people or other parsers may take for a blank or for shell syntax:
// white space, invisible formatting, full-width punctuation, look-alikes of quotes. In quotes they are
// ordinary.
bool is_deceptive_unquoted(std::uint32_t c) {
  if (c >= 0x80 && c <= 0xA0) return true;  // C1 controls, no-break space
  if (c == 0xAD || c == 0x1680 || c == 0x180E || c == 0x3000 || c == 0xFEFF) return true;
  if (c >= 0x2000 && c <= 0x200F) return true;  // spaces, zero-width, directional marks
  if (c >= 0x2018 && c <= 0x201F) return true;  // typographic quotes
  if (c >= 0x2028 && c <= 0x202F) return true;  // line separators, bidirectional controls
  if (c >= 0x205F && c <= 0x206F) return true;
  if (c == 0x115F || c == 0x1160 || c == 0x3164 || c == 0xFFA0) return true;  // Hangul fillers
  if (c >= 0xFFF0 && c <= 0xFFFF) return true;
  const bool full_width_ascii = c >= 0xFF01 && c <= 0xFF5E;
  const bool full_width_alphanumeric =
      (c >= 0xFF10 && c <= 0xFF19) || (c >= 0xFF21 && c <= 0xFF3A) || (c >= 0xFF41 && c <= 0xFF5A);
  if (full_width_ascii && !full_width_alphanumeric) return true;
  return c >= 0xE0000 && c <= 0xE0FFF;  // tags, variation selectors
}

// The code point at `position` of well-formed UTF-8, and its length.
std::uint32_t code_point_at(std::string_view text, std::size_t position, std::size_t& length) {
  const auto byte = [&](std::size_t offset) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[position + offset]));
  };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return length = 1, lead;
  if (lead < 0xE0) return length = 2, ((lead & 0x1F) << 6) | (byte(1) & 0x3F);
  if (lead < 0xF0) return length = 3, ((lead & 0x0F) << 12) | ((byte(1) & 0x3F) << 6) | (byte(2) & 0x3F);
  return length = 4,
         ((lead & 0x07) << 18) | ((byte(1) & 0x3F) << 12) | ((byte(2) & 0x3F) << 6) | (byte(3) & 0x3F);
}

enum class Operator { kEnd, kNewline, kSemicolon, kAnd, kOr, kPipe, kPipeBoth };

class Parser {
 public:
  Parser(std::string_view text, const ShellTextOptions& options) : text_(text), options_(options) {}

  ShellTextResult run() {
    ShellTextResult result;
    if (check_whole_text() && parse_program() && (!options_.ignore_unset || drop_unset())) {
      result.program = std::move(program_);
    } else {
      result.failure = std::move(failure_);
    }
    return result;
  }

 private:
  bool fail(std::size_t position, std::string_view code, std::string_view reason) {
    failure_ = NotAnalysable{position, std::string(code), std::string(reason)};
    return false;
  }

  char at(std::size_t position) const { return position < text_.size() ? text_[position] : '\0'; }
  bool at_end() const { return position_ >= text_.size(); }

  bool check_whole_text() {
    // Every UTF-16 unit is at most three bytes, so a longer text need not be counted.
    if (text_.size() > kMaxShellTextUnits * 3)
      return fail(kMaxShellTextUnits, "TOO_LONG", "The text is too long to be analysed.");
    if (!is_valid_utf8(text_)) return fail(0, "INVALID_UTF8", "The text is not valid UTF-8.");
    if (utf16_length(text_) > kMaxShellTextUnits) {
      return fail(kMaxShellTextUnits, "TOO_LONG", "The text is too long to be analysed.");
    }
    for (std::size_t i = 0; i < text_.size(); ++i) {
      const auto c = static_cast<unsigned char>(text_[i]);
      if (c == '\\' && at(i + 1) == '\n') {
        // Splices a substitution together after a parser looked at its halves. GHSA-9868-vxmx-w862.
        return fail(i, "LINE_CONTINUATION",
                    "A backslash at the end of a line is not analysed; write the command on one line.");
      }
      if (c == '\n' && at(i + 1) == '\\') {
        // Upstream refuses it as well: parsers disagree about where the word begins.
        return fail(i, "LINE_CONTINUATION", "A line that begins with a backslash is not analysed.");
      }
      const bool tolerated = options_.control_characters && (c == '\r' || c == '\v' || c == '\f');
      if (((c < 0x20 && c != '\t' && c != '\n') || c == 0x7F) && !tolerated) {
        return fail(i, "CONTROL_CHARACTER", "The text contains a control character.");
      }
    }
    return true;
  }

  // ---- structure ----

  bool parse_program() {
    if (!skip_blank_lines()) return false;
    if (at_end()) return fail(0, "EMPTY", "The text contains no command.");
    Connector connector = Connector::kFirst;
    while (true) {
      Operator next = Operator::kEnd;
      if (!parse_pipeline(connector, next)) return false;
      const std::size_t operator_end = position_;
      if (next == Operator::kEnd) return true;
      if (!skip_blank_lines()) return false;
      const bool separator = next == Operator::kSemicolon || next == Operator::kNewline;
      if (at_end()) {
        return separator || fail(operator_end, "SYNTAX", "A command is missing after && or ||.");
      }
      connector = separator                ? Connector::kSequence
                  : next == Operator::kAnd ? Connector::kAnd
                                           : Connector::kOr;
    }
  }

  bool parse_pipeline(Connector connector, Operator& next) {
    ShellPipeline pipeline;
    pipeline.connector = connector;
    if (at(position_) == '!' && is_blank(at(position_ + 1))) {
      pipeline.negate = true;
      position_ += 2;
      skip_blanks();
    }
    while (true) {
      ShellCommand command;
      if (!parse_command(command, next)) return false;
      pipeline.commands.push_back(std::move(command));
      pipeline.stderr_to_pipe.push_back(next == Operator::kPipeBoth);
      if (++command_count_ > kMaxShellCommands) {
        return fail(position_, "TOO_MANY_COMMANDS", "The text has too many commands to be analysed.");
      }
      if (next != Operator::kPipe && next != Operator::kPipeBoth) break;
      const std::size_t pipe_end = position_;
      if (!skip_blank_lines()) return false;
      if (at_end()) return fail(pipe_end, "SYNTAX", "A command is missing after the pipe.");
    }
    if (!check_state_in_pipeline(pipeline)) return false;
    program_.pipelines.push_back(std::move(pipeline));
    return next == Operator::kEnd || check_exec_is_last();
  }

  // Reads the words up to and including the operator that ends the command.
  bool parse_command(ShellCommand& command, Operator& next) {
    while (true) {
      skip_blanks();
      if (at(position_) == '#') skip_comment();
      const std::size_t start = position_;
      bool found = false;
      if (!read_operator(next, found)) return false;
      if (found) {
        if (command.words.empty())
          return fail(start, "SYNTAX", "A command is missing before an operator or at the end.");
        return check_command_words(command);
      }
      if (at(position_) == '(') {
        return command.words.empty() ? fail(position_, "SUBSHELL", "Subshells are not analysed.")
                                     : fail(position_, "FUNCTION",
                                            "Parentheses after a word (functions, arrays, patterns) are not "
                                            "analysed; quote them.");
      }
      if (!parse_word(command)) return false;
    }
  }

  bool read_operator(Operator& found_operator, bool& found) {
    found = true;
    if (at_end()) return found_operator = Operator::kEnd, true;
    const char c = text_[position_];
    const char following = at(position_ + 1);
    switch (c) {
      case '\n':
        return accept(Operator::kNewline, 1, found_operator);
      case ';':
        if (following == ';' || following == '&')
          return fail(position_, "SYNTAX", "`;;` and `;&` are not analysed.");
        return accept(Operator::kSemicolon, 1, found_operator);
      case '&':
        if (following == '&') return accept(Operator::kAnd, 2, found_operator);
        if (following == '>') return fail(position_, "REDIRECTION", "Redirections are not analysed.");
        return fail(position_, "BACKGROUND",
                    "Background commands (`&`) are not analysed; quote a literal &.");
      case '|':
        if (following == '|') return accept(Operator::kOr, 2, found_operator);
        if (following == '&') return accept(Operator::kPipeBoth, 2, found_operator);
        return accept(Operator::kPipe, 1, found_operator);
      case '<':
      case '>':
        if (following == '(')
          return fail(position_, "COMMAND_SUBSTITUTION", "Process substitution is not analysed.");
        if (c == '<' && following == '<')
          return fail(position_, "HEREDOC", "Here-documents and here-strings are not analysed.");
        return fail(position_, "REDIRECTION", "Redirections are not analysed; quote a literal < or >.");
      case ')':
        return fail(position_, "SYNTAX", "There is a `)` without `(`; quote a literal one.");
      default:
        found = false;
        return true;
    }
  }

  bool accept(Operator value, std::size_t length, Operator& found_operator) {
    found_operator = value;
    position_ += length;
    return true;
  }

  void skip_blanks() {
    while (is_blank(at(position_))) ++position_;
  }
  void skip_comment() {
    while (!at_end() && text_[position_] != '\n') ++position_;
  }
  bool skip_blank_lines() {
    while (!at_end()) {
      skip_blanks();
      if (at(position_) == '#') skip_comment();
      if (at(position_) != '\n') break;
      ++position_;
    }
    return true;
  }

  // ---- words ----

  bool parse_word(ShellCommand& command) {
    ShellWord word;
    word.offset = position_;
    brace_position_ = std::string_view::npos;
    part_of_several_ = false;
    while (!at_end() && !ends_word(text_[position_])) {
      if (!parse_word_part(command, word)) return false;
    }
    word.length = position_ - word.offset;
    if (command.words.empty() && word.value != "!" && is_shell_reserved_word(word.value) &&
        word.value != "{" && word.value != "}") {
      // Told at once, before the rest of the compound command gives a less helpful reason.
      return fail(word.offset, "RESERVED_WORD",
                  "Compound commands (if, for, while, case, ...) are not analysed.");
    }
    if (!check_braces(command, word) || !check_mixed_word(word)) return false;
    if (++word_count_ > kMaxShellWords)
      return fail(position_, "TOO_MANY_COMMANDS", "The text has too many words to be analysed.");
    command.words.push_back(std::move(word));
    return true;
  }

  bool parse_word_part(const ShellCommand& command, ShellWord& word) {
    const char c = text_[position_];
    switch (c) {
      case '\'':
        return parse_single_quotes(word);
      case '"':
        return parse_double_quotes(word);
      case '\\':
        return parse_escape(word);
      case '`':
        return fail(position_, "COMMAND_SUBSTITUTION", "Command substitution is not analysed.");
      case '$':
        return parse_dollar(word, false);
      case '*':
      case '?':
        return fail(position_, "GLOB", "An unquoted wildcard is not analysed; quote it, or name the files.");
      case '[':
        if (!is_test_bracket(command))
          return fail(position_, "GLOB", "An unquoted [ is not analysed; quote it.");
        break;
      case '{':
      case '}':
        if (brace_position_ == std::string_view::npos) brace_position_ = position_;
        break;
      case '~':
        if (word.value.empty() || word.value.back() == '=' || word.value.back() == ':') {
          return fail(position_, "TILDE", "An unquoted ~ is not analysed; write the path out, or quote it.");
        }
        break;
      case '#':
        if (!word.value.empty() && word.value.back() >= '0' && word.value.back() <= '9') {
          return fail(position_, "SYNTAX", "A # after a digit is not analysed; quote it.");
        }
        break;
      case ']':
        if (command.words.empty() || command.words.front().value != "[" || !is_alone()) {
          return fail(position_, "GLOB", "An unquoted ] is not analysed; quote it.");
        }
        break;
      case '=':
        if (word.value.empty() && (at(position_ + 1) == '=' || at(position_ + 1) == '~')) {
          return fail(position_, "SYNTAX", "A word that begins with == or =~ is not analysed; quote it.");
        }
        break;
      default:
        return parse_plain_character(word);
    }
    word.value.push_back(c);
    ++position_;
    return true;
  }

  bool parse_plain_character(ShellWord& word) {
    std::size_t length = 1;
    if (is_deceptive_unquoted(code_point_at(text_, position_, length))) {
      return fail(position_, "CONTROL_CHARACTER",
                  "The text contains an invisible or deceptive character; quote it if it is meant.");
    }
    word.value.append(text_.substr(position_, length));
    position_ += length;
    return true;
  }

  // `[` alone as the command word is the test program; everywhere else it may begin a glob.
  bool is_test_bracket(const ShellCommand& command) const { return command.words.empty() && is_alone(); }

  bool is_alone() const {
    const bool ends = position_ + 1 >= text_.size() || ends_word(at(position_ + 1));
    return ends && (position_ == 0 || ends_word(at(position_ - 1)));
  }

  void note_quotes(ShellWord& word) {
    word.had_quotes = true;
    part_of_several_ = true;
  }

  bool parse_single_quotes(ShellWord& word) {
    const std::size_t close = text_.find('\'', position_ + 1);
    if (close == std::string_view::npos)
      return fail(position_, "UNTERMINATED_QUOTE", "A single quote is not closed.");
    word.value.append(text_.substr(position_ + 1, close - position_ - 1));
    note_quotes(word);
    position_ = close + 1;
    return true;
  }

  bool parse_double_quotes(ShellWord& word) {
    const std::size_t open = position_;
    note_quotes(word);
    for (++position_; !at_end();) {
      const char c = text_[position_];
      if (c == '"') return ++position_, true;
      if (c == '`')
        return fail(position_, "COMMAND_SUBSTITUTION",
                    "Command substitution is not analysed; use single quotes for a literal `.");
      if (c == '$') {
        if (!parse_dollar(word, true)) return false;
        continue;
      }
      if (c == '\\') {
        const char escaped = at(position_ + 1);
        if (escaped == '"' || escaped == '\\' || escaped == '$' || escaped == '`') {
          word.value.push_back(escaped);
          position_ += 2;
          continue;
        }
      }
      word.value.push_back(c);
      ++position_;
    }
    return fail(open, "UNTERMINATED_QUOTE", "A double quote is not closed.");
  }

  bool parse_escape(ShellWord& word) {
    const char escaped = at(position_ + 1);
    if (position_ + 1 >= text_.size())
      return fail(position_, "TRAILING_BACKSLASH", "The text ends with a backslash.");
    if (escaped == '\t' || (escaped == ' ' && position_ == word.offset)) {
      // OpenClaw's parser takes these for white space.
      return fail(position_, "SYNTAX", "This escaped blank is not analysed; use quotes.");
    }
    if (part_of_several_ && escaped != '\'' && escaped != '"' && escaped != '\\') {
      // OpenClaw's parser loses such an escape, or takes what follows for another word.
      return fail(position_, "SYNTAX",
                  "A backslash in a word that is partly quoted is not analysed; quote the whole word.");
    }
    std::size_t length = 1;
    code_point_at(text_, position_ + 1, length);
    word.value.append(text_.substr(position_ + 1, length));
    word.had_quotes = true;
    position_ += 1 + length;
    return true;
  }

  bool parse_ansi_c_quotes(ShellWord& word) {
    const std::size_t open = position_;
    note_quotes(word);
    for (position_ += 2; !at_end();) {
      const char c = text_[position_++];
      if (c == '\'') return true;
      if (c != '\\') {
        word.value.push_back(c);
      } else if (!parse_ansi_c_escape(word)) {
        return fail(open, "ANSI_C_QUOTE", "An escape in $'...' is not analysed.");
      }
    }
    return fail(open, "UNTERMINATED_QUOTE", "A $' quote is not closed.");
  }

  // Behind the backslash. NUL ends a shell's word early, and code points differ by locale: both are not
  // analysed.
  bool parse_ansi_c_escape(ShellWord& word) {
    if (at_end()) return false;
    const char c = text_[position_++];
    static constexpr std::string_view kNames = "abeEfnrtv\\'\"?";
    static constexpr std::string_view kValues = "\a\b\x1B\x1B\f\n\r\t\v\\'\"?";
    if (const std::size_t known = kNames.find(c); known != std::string_view::npos) {
      word.value.push_back(kValues[known]);
      return true;
    }
    const bool hexadecimal = c == 'x';
    const std::string_view digits = hexadecimal ? "0123456789abcdefABCDEF" : "01234567";
    if (!hexadecimal) --position_;
    unsigned value = 0;
    std::size_t count = 0;
    while (!at_end() && count < (hexadecimal ? 2U : 3U) &&
           digits.find(text_[position_]) != std::string_view::npos) {
      const std::size_t digit = digits.find(text_[position_++]);
      value = value * (hexadecimal ? 16U : 8U) + static_cast<unsigned>(digit > 15 ? digit - 6 : digit);
      ++count;
    }
    if (count == 0 || value == 0 || value > 0x7E) return false;
    word.value.push_back(static_cast<char>(value));
    return true;
  }

  // A `$` is literal only where no shell could see an expansion.
  bool parse_dollar(ShellWord& word, bool in_double_quotes) {
    const char following = at(position_ + 1);
    const bool last = position_ + 1 >= text_.size();
    const bool literal = in_double_quotes ? !last && std::string_view("\" |/,.:;)%+=&^~<>").find(following) !=
                                                         std::string_view::npos
                                          : last || is_blank(following) || following == '\n';
    if (literal) {
      word.value.push_back('$');
      ++position_;
      return true;
    }
    if (!in_double_quotes && following == '\'' && options_.ansi_c_quotes) return parse_ansi_c_quotes(word);
    if (!in_double_quotes && (following == '\'' || following == '"')) {
      // dash has no ANSI-C quoting: the quote would end elsewhere than where bash ends it (contract 17.1 item
      // 1).
      return fail(position_, "ANSI_C_QUOTE",
                  "$'...' and $\"...\" mean different things to different shells and are not analysed.");
    }
    if (following == '(')
      return fail(position_, "COMMAND_SUBSTITUTION",
                  "Command substitution is not analysed; use single quotes for a literal $(.");
    return fail(position_, "EXPANSION",
                "Expansions with $ are not analysed; use single quotes for a literal $.");
  }

  // OpenClaw's parser does not decode a partly quoted word that holds a wildcard, and then takes a literal $
  // for an expansion.
  bool check_mixed_word(const ShellWord& word) {
    const char first = text_[word.offset];
    const char last = text_[word.offset + word.length - 1];
    const bool one_quoted_part =
        (first == '\'' || first == '"') && last == first && word.length == word.value.size() + 2;
    if (!word.had_quotes || one_quoted_part || word.value.find_first_of("*?[{") == std::string::npos ||
        word.value.find_first_of("$`<>") == std::string::npos) {
      return true;
    }
    return fail(
        word.offset, "EXPANSION",
        "A partly quoted word with a wildcard and a $, `, < or > is not analysed; quote the whole word.");
  }

  // bash expands {a,b} and {1..3}, dash does not. `{}` alone is literal everywhere.
  bool check_braces(const ShellCommand& command, const ShellWord& word) {
    if (brace_position_ == std::string_view::npos) return true;
    if (!command.words.empty() && word.length == 2 && word.value == "{}") return true;
    if (command.words.empty() && (word.value == "{" || word.value == "}")) {
      return fail(brace_position_, "GROUP", "Groups in braces are not analysed.");
    }
    return fail(brace_position_, "BRACE", "An unquoted brace is not analysed; quote it.");
  }

  // ---- what the words mean in command position ----

  bool check_command_words(const ShellCommand& command) {
    std::size_t index = 0;
    if (!check_command_word(command, index)) return false;
    // bash takes an unquoted `time` for a reserved word and reads on in command position, dash runs the
    // program. Both run the same command when what follows is an ordinary command.
    while (index < command.words.size() && command.words[index].value == "time") {
      ++index;
      while (index < command.words.size() && command.words[index].value.starts_with('-')) ++index;
      if (index >= command.words.size()) break;
      if (!check_command_word(command, index)) return false;
      // No program of that name: the one called `time` would fail, the reserved word runs what it carries.
      if (is_one_of(command.words[index].value, {"exec", "command", "builtin"}))
        return fail(command.words[index].offset, "RESERVED_WORD", "A builtin behind `time` is not analysed.");
    }
    return check_carried_builtin(command, index);
  }

  bool check_command_word(const ShellCommand& command, std::size_t index) {
    const ShellWord& word = command.words[index];
    if (word.value.empty()) return fail(word.offset, "EMPTY_COMMAND", "The command word is empty.");
    if (word.value.starts_with('!'))
      return fail(word.offset, "HISTORY", "A command word that begins with ! is not analysed.");
    if (is_shell_reserved_word(word.value)) {
      return fail(word.offset, "RESERVED_WORD",
                  "Compound commands (if, for, while, case, ...) are not analysed.");
    }
    if (is_shell_state_builtin(word.value) && !is_plain_unset(command, index)) {
      return fail(word.offset, "SHELL_STATE", "A builtin that acts on the shell itself is not analysed.");
    }
    if (word.value.find('=') != std::string::npos) {
      return fail(word.offset, "ASSIGNMENT", "Assignments are not analysed.");
    }
    if (!is_plain_command_word(word)) {
      return fail(word.offset, "SYNTAX",
                  "This command word is not analysed; write the program's name or path plainly.");
    }
    if (word.value == "[" && !is_plain_test(command, index)) {
      return fail(word.offset, "SYNTAX",
                  "Only simple tests are analysed: [ -f FILE ], [ A = B ], [ 1 -lt 2 ].");
    }
    return true;
  }

  bool is_plain_unset(const ShellCommand& command, std::size_t index) const {
    if (!options_.ignore_unset || index != 0 || command.words.front().value != "unset" ||
        command.words.size() < 2)
      return false;
    return std::all_of(command.words.begin() + 1, command.words.end(), [](const ShellWord& word) {
      constexpr std::string_view kNameCharacters =
          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
      return !word.had_quotes && !(word.value[0] >= '0' && word.value[0] <= '9') &&
             word.value.find_first_not_of(kNameCharacters) == std::string::npos;
    });
  }

  // Takes the `unset` statements out. One that is part of a condition stays, and is then not analysable.
  bool drop_unset() {
    auto& pipelines = program_.pipelines;
    for (std::size_t i = pipelines.size(); i-- > 0;) {
      const ShellWord& word = pipelines[i].commands.front().words.front();
      bool found = false;
      for (const ShellCommand& command : pipelines[i].commands)
        found = found || command.words.front().value == "unset";
      if (!found) continue;
      const auto starts_statement = [](const ShellPipeline& pipeline) {
        return pipeline.connector == Connector::kFirst || pipeline.connector == Connector::kSequence;
      };
      const bool statement = pipelines[i].commands.size() == 1 && !pipelines[i].negate &&
                             starts_statement(pipelines[i]) &&
                             (i + 1 == pipelines.size() || starts_statement(pipelines[i + 1]));
      if (!statement)
        return fail(word.offset, "SHELL_STATE", "A builtin that acts on the shell itself is not analysed.");
      pipelines.erase(pipelines.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (pipelines.empty()) return fail(0, "EMPTY", "The text contains no command.");
    pipelines.front().connector = Connector::kFirst;
    return true;
  }

  // OpenClaw's parser refuses some words in command position that a shell accepts: `a@b`, `if"x"`.
  bool is_plain_command_word(const ShellWord& word) const {
    const std::string_view source = text_.substr(word.offset, word.length);
    const bool path = source.starts_with('/') || source.starts_with('.');
    const bool quoted = source.find_first_of("'\"") != std::string_view::npos;
    if ((!path || quoted) && !source.starts_with('\'') && !source.starts_with('"') &&
        source.find_first_of("#%@") != std::string_view::npos) {
      return false;
    }
    if ((!path || quoted || source.ends_with("\\ ")) && source.find("\\ ") != std::string_view::npos)
      return false;
    if (word.value != "[" && word.value.find_first_of("*?[]{}$`") != std::string::npos) return false;
    if (word.value.find("+:") != std::string::npos) return false;
    const std::string_view unquoted = source.substr(0, source.find_first_of("'\"\\"));
    return unquoted.size() == source.size() || !is_shell_reserved_word(unquoted);
  }

  // `[` must be closed and hold one simple test, else OpenClaw's parser may see something else than a
  // command.
  static bool is_plain_test(const ShellCommand& command, std::size_t index) {
    static constexpr std::array<std::string_view, 14> kUnary = {"-L", "-d", "-e", "-f", "-g", "-h", "-n",
                                                                "-p", "-r", "-s", "-u", "-w", "-x", "-z"};
    static constexpr std::array<std::string_view, 8> kBinary = {"!=",  "-eq", "-ge", "-gt",
                                                                "-le", "-lt", "-ne", "="};
    const auto& words = command.words;
    if (words.back().value != "]" || words.back().had_quotes || words.size() < index + 3) return false;
    std::size_t first = index + 1;
    const std::size_t last = words.size() - 1;  // of the closing bracket
    if (words[first].value == "!" && last - first > 1) ++first;
    const auto is_operand = [&](std::size_t at) {
      const std::string& value = words[at].value;
      return value != "]" && value != "[" && value != "(" && value != ")" && value != "!";
    };
    switch (last - first) {
      case 1:
        return is_operand(first) && !words[first].value.starts_with('-');
      case 2:
        return std::binary_search(kUnary.begin(), kUnary.end(), words[first].value) && is_operand(first + 1);
      case 3:
        return is_operand(first) &&
               std::binary_search(kBinary.begin(), kBinary.end(), words[first + 1].value) &&
               is_operand(first + 2);
      default:
        return false;
    }
  }

  // `command eval x`, `builtin source f`: the carrier hides the builtin.
  bool check_carried_builtin(const ShellCommand& command, std::size_t index) {
    while (index < command.words.size()) {
      const std::string& value = command.words[index].value;
      if (value != "command" && value != "builtin" && value != "exec") break;
      ++index;
      while (index < command.words.size() && command.words[index].value.starts_with('-')) ++index;
      if (index < command.words.size() && is_shell_state_builtin(command.words[index].value)) {
        return fail(command.words[index].offset, "SHELL_STATE",
                    "A builtin that acts on the shell itself is not analysed.");
      }
    }
    return true;
  }

  // In a pipeline `cd` changes nothing but its own subshell: whoever writes it means something else.
  bool check_state_in_pipeline(const ShellPipeline& pipeline) {
    if (pipeline.commands.size() == 1) return true;
    for (const ShellCommand& command : pipeline.commands) {
      if (command.words.front().value == "cd") {
        return fail(command.offset(), "SHELL_STATE", "`cd` in a pipeline has no effect and is not analysed.");
      }
    }
    return true;
  }

  // Called when something follows the last pipeline: `exec a; b` never runs b in a shell.
  bool check_exec_is_last() {
    const ShellPipeline& pipeline = program_.pipelines.back();
    if (pipeline.commands.size() > 1) return true;
    for (const ShellWord& word : pipeline.commands.front().words) {
      if (word.value == "exec") {
        std::size_t rest = position_;
        while (rest < text_.size() && (is_blank(text_[rest]) || text_[rest] == '\n')) ++rest;
        return rest >= text_.size() ||
               fail(word.offset, "SHELL_STATE", "`exec` replaces the shell, so nothing may follow it.");
      }
      if (word.value != "command" && word.value != "builtin" && word.value != "time") break;
    }
    return true;
  }

  std::string_view text_;
  ShellTextOptions options_;
  std::size_t position_ = 0;
  std::size_t brace_position_ = std::string_view::npos;  // of the first unquoted brace in the word being read
  bool part_of_several_ = false;                         // the word being read has quoted parts
  std::size_t command_count_ = 0;
  std::size_t word_count_ = 0;
  ShellProgram program_;
  NotAnalysable failure_;
};

}  // namespace

std::vector<std::string> ShellCommand::argv() const {
  std::vector<std::string> result;
  result.reserve(words.size());
  for (const ShellWord& word : words) result.push_back(word.value);
  return result;
}

std::size_t ShellProgram::command_count() const {
  std::size_t count = 0;
  for (const ShellPipeline& pipeline : pipelines) count += pipeline.commands.size();
  return count;
}

ShellTextResult parse_shell_text(std::string_view text, const ShellTextOptions& options) {
  return Parser(text, options).run();
}

bool is_shell_reserved_word(std::string_view word) {
  return std::binary_search(kReservedWords.begin(), kReservedWords.end(), word);
}

bool is_shell_state_builtin(std::string_view word) {
  return std::binary_search(kStateBuiltins.begin(), kStateBuiltins.end(), word);
}

}  // namespace hostclaw::policy
