// SPDX-License-Identifier: Apache-2.0
// The grammar against a second reading of it, written for obviousness and not for speed, on every text up to
// a length over small alphabets. The reference works character class by character class and knows nothing of
// the parser's structure.
#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

#include "policy/shell/shell_text.h"

using namespace hostclaw::policy;

namespace {

using Words = std::vector<std::string>;
using Commands = std::vector<Words>;

// A token is a word (with its decoded value) or an operator.
struct Token {
  bool is_word = false;
  std::string text;
  std::string source;
};

// Cuts the text into tokens; nullopt where anything but plain words, quotes and the known operators occurs.
// Alphabets used below have no other special characters than those handled here.
std::optional<std::vector<Token>> reference_tokens(const std::string& text) {
  std::vector<Token> tokens;
  std::size_t i = 0;
  while (i < text.size()) {
    const char c = text[i];
    if (c == ' ') {
      ++i;
    } else if (c == '#') {
      while (i < text.size() && text[i] != '\n') ++i;
    } else if (c == '\n' || c == ';' || c == '|' || c == '&') {
      std::string op(1, c);
      const char next = i + 1 < text.size() ? text[i + 1] : ' ';
      if ((c == '|' || c == '&') && next == c) op += c;
      if (c == '|' && next == '&') op += '&';
      if (op == "&") return std::nullopt;
      if (c == ';' && (next == ';' || next == '&')) return std::nullopt;
      i += op.size();
      tokens.push_back({false, op, op});
    } else {
      Token word{true, "", ""};
      bool quoted = false;
      while (i < text.size() && std::string(" \n;|&").find(text[i]) == std::string::npos) {
        const std::size_t start = i;
        if (text[i] == '\'') {
          const std::size_t close = text.find('\'', i + 1);
          if (close == std::string::npos) return std::nullopt;
          word.text += text.substr(i + 1, close - i - 1);
          i = close + 1;
          quoted = true;
        } else if (text[i] == '"') {
          ++i;
          while (true) {
            if (i >= text.size()) return std::nullopt;
            if (text[i] == '"') break;
            if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\')) ++i;
            word.text += text[i++];
          }
          ++i;
          quoted = true;
        } else if (text[i] == '\\') {
          if (i + 1 >= text.size()) return std::nullopt;
          const char escaped = text[i + 1];
          if (escaped == ' ' && word.source.empty()) return std::nullopt;
          if (quoted && escaped != '\'' && escaped != '"' && escaped != '\\') return std::nullopt;
          word.text += escaped;
          i += 2;
        } else {
          word.text += text[i++];
        }
        word.source += text.substr(start, i - start);
      }
      tokens.push_back(word);
    }
  }
  return tokens;
}

bool reference_command_word(const Token& word) {
  if (word.text.empty() || word.text[0] == '!' || word.text.find('=') != std::string::npos) return false;
  // Every alphabet below writes paths without blanks.
  if (word.source.find("\\ ") != std::string::npos) return false;
  const char first = word.source[0];
  return word.source.find('#') == std::string::npos || first == '\'' || first == '"';
}

std::optional<Commands> reference_parse(const std::string& text) {
  if (text.find("\\\n") != std::string::npos || text.find("\n\\") != std::string::npos) return std::nullopt;
  const auto tokens = reference_tokens(text);
  if (!tokens) return std::nullopt;
  Commands commands;
  Words current;
  std::string joined_by = "\n";  // the operator in front of the command being read
  bool negated = false;
  const auto finish = [&]() {
    if (!current.empty()) commands.push_back(current);
    const bool had = !current.empty();
    current.clear();
    negated = false;
    return had;
  };
  for (const Token& token : *tokens) {
    if (token.is_word) {
      if (token.source.starts_with("==")) return std::nullopt;  // OpenClaw's parser refuses it
      // The mark of negation stands at the start of a pipeline, by itself, in front of a command on the same
      // line.
      const bool pipeline_start = joined_by != "|" && joined_by != "|&";
      if (current.empty() && token.source == "!" && pipeline_start && !negated) {
        negated = true;
        continue;
      }
      if (current.empty() && !reference_command_word(token)) return std::nullopt;
      current.push_back(token.text);
      continue;
    }
    const bool was_negated = negated;
    const bool had = finish();
    if (was_negated && !had) return std::nullopt;
    if (token.text == "\n") {
      if (had) joined_by = "\n";  // a line end behind an operator means nothing
      continue;
    }
    if (!had) return std::nullopt;
    joined_by = token.text;
  }
  if (negated && current.empty()) return std::nullopt;
  if (!finish() && joined_by != "\n" && joined_by != ";") return std::nullopt;
  if (commands.empty()) return std::nullopt;
  return commands;
}

std::optional<Commands> parsed(const std::string& text) {
  const ShellTextResult result = parse_shell_text(text);
  if (!result) return std::nullopt;
  Commands commands;
  for (const ShellPipeline& pipeline : result.program->pipelines) {
    for (const ShellCommand& command : pipeline.commands) commands.push_back(command.argv());
  }
  return commands;
}

std::string shown(const std::optional<Commands>& commands) {
  if (!commands) return "not analysable";
  std::string text;
  for (const Words& words : *commands) {
    for (const std::string& word : words) text += "[" + word + "]";
    text += " / ";
  }
  return text;
}

void compare_all(const std::string& alphabet, std::size_t longest) {
  std::size_t accepted = 0;
  for (std::size_t length = 0; length <= longest; ++length) {
    std::vector<std::size_t> digits(length, 0);
    while (true) {
      std::string text;
      for (const std::size_t digit : digits) text += alphabet[digit];
      const auto expect = reference_parse(text);
      const auto found = parsed(text);
      if (found) ++accepted;
      if (found != expect) {
        INFO("text: " << text << "\nreference: " << shown(expect) << "\nparser: " << shown(found));
        FAIL("the parser and the reference differ");
      }
      std::size_t position = 0;
      while (position < length && ++digits[position] == alphabet.size()) digits[position++] = 0;
      if (position == length) break;
    }
  }
  CHECK(accepted > 0);
}

}  // namespace

TEST_CASE("the grammar agrees with the reference on all short texts of quotes") { compare_all("a '\"\\", 7); }

TEST_CASE("the grammar agrees with the reference on all short texts of operators") {
  compare_all("a ;&|\n", 6);
}

TEST_CASE("the grammar agrees with the reference on all short texts of comments and negation") {
  compare_all("a !#;|\n", 6);
}

TEST_CASE("the grammar agrees with the reference on all short texts of everything together") {
  compare_all("a'\"\\ ;|&=\n", 5);
}
