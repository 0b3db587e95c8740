// SPDX-License-Identifier: Apache-2.0
#include "policy/programs/option_parser.h"

#include <algorithm>
#include <utility>

namespace hostclaw::policy {
namespace {

// Characters that are options of their own behind one dash. Behind any other one nothing is an option.
bool is_option_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '#' || c == ':' ||
         c == '@' || c == '?' || c == '!';
}

class CommandReader {
 public:
  CommandReader(const std::vector<std::string>& argv, const OptionGrammar& grammar)
      : argv_(argv), grammar_(grammar) {}

  ReadArguments read() {
    for (at_ = 1; at_ < argv_.size(); ++at_) {
      const std::string_view word = argv_[at_];
      const bool after_unknown = std::exchange(unknown_, false);
      if (ended_) {
        add(ArgumentWord::Kind::kOperand, word);
      } else if (word == "--" && grammar_.double_dash) {
        ended_ = !after_unknown;
      } else if (word.size() > 1 && word[0] == '-') {
        read_option(word);
      } else {
        read_operand(word);
      }
    }
    return std::move(out_);
  }

 private:
  ArgumentWord& add(ArgumentWord::Kind kind, std::string_view name) {
    out_.words.push_back({kind, name, std::nullopt, at_, out_.subcommand == 0});
    return out_.words.back();
  }

  void read_operand(std::string_view word) {
    if (grammar_.bundled_first && at_ == 1 && !word.empty()) return read_bundle(word);
    add(ArgumentWord::Kind::kOperand, word);
    if (out_.subcommand == 0 && !word.empty() && word != "-") out_.subcommand = at_;
  }

  void read_option(std::string_view word) {
    if (word.starts_with("--") || grammar_.whole_words) {
      // Two dashes are as good as one for tools with options of one dash.
      if (grammar_.whole_words && word.starts_with("--")) word.remove_prefix(1);
      return read_long(word);
    }
    read_letters(word);
  }

  void read_long(std::string_view word) {
    const std::size_t equals = word.find('=');
    const std::size_t place = out_.words.size();
    ArgumentWord& read = add(ArgumentWord::Kind::kLong, word.substr(0, equals));
    if (equals != std::string_view::npos) {
      read.value = word.substr(equals + 1);
      return;
    }
    const ValueOption* option = find_long(read.name);
    if (option == nullptr) {
      // An abbreviation may mean an option that is not listed here: the next word is not taken for its value.
      unknown_ = !is_flag(read.name);
    } else if (!option->attached_only) {
      take_next(place);
    }
  }

  void read_letters(std::string_view word) {
    const std::size_t index = at_;
    for (std::size_t i = 1; i < word.size(); ++i) {
      if (!is_option_letter(word[i])) return;
      if (i > kMostLetters) {
        out_.complete = false;
        return;
      }
      const std::size_t place = out_.words.size();
      add(ArgumentWord::Kind::kLetter, word.substr(i, 1)).index = index;
      const ValueOption* option = find_letter(word[i]);
      unknown_ = option == nullptr && !is_flag_letter(word[i]);
      if (option == nullptr) continue;
      if (i + 1 < word.size()) {
        out_.words[place].value = word.substr(i + 1);
      } else if (!option->attached_only) {
        take_next(place);
      }
      return;
    }
  }

  // `tar xfI a.tar PROGRAM`: the values follow in the order of their letters.
  void read_bundle(std::string_view word) {
    const std::size_t index = at_;
    out_.complete = out_.complete && word.size() <= kMostLetters;
    for (std::size_t i = 0; i < std::min(word.size(), kMostLetters) && is_option_letter(word[i]); ++i) {
      const std::size_t place = out_.words.size();
      add(ArgumentWord::Kind::kLetter, word.substr(i, 1)).index = index;
      const ValueOption* option = find_letter(word[i]);
      if (option != nullptr && !option->attached_only) take_next(place);
    }
  }

  void take_next(std::size_t place) {
    if (at_ + 1 < argv_.size()) out_.words[place].value = argv_[++at_];
  }

  bool is_in_scope(const ValueOption& option) const {
    if (option.scope.empty()) return true;
    if (out_.subcommand == 0) return option.scope == "-";
    return option.scope == argv_[out_.subcommand];
  }

  const ValueOption* find_letter(char letter) const {
    for (const ValueOption& option : grammar_.takes) {
      if (option.name.size() == 2 && option.name[1] == letter && option.name[0] == '-' && is_in_scope(option))
        return &option;
    }
    return nullptr;
  }

  bool is_flag(std::string_view name) const {
    return std::find(grammar_.flags.begin(), grammar_.flags.end(), name) != grammar_.flags.end();
  }

  bool is_flag_letter(char letter) const {
    return std::any_of(grammar_.flags.begin(), grammar_.flags.end(), [&](std::string_view flag) {
      return flag.size() == 2 && flag[1] == letter && flag[0] == '-';
    });
  }

  const ValueOption* find_long(std::string_view name) const {
    for (const ValueOption& option : grammar_.takes) {
      if (option.name == name && is_in_scope(option)) return &option;
    }
    return nullptr;
  }

  const std::vector<std::string>& argv_;
  const OptionGrammar& grammar_;
  ReadArguments out_;
  std::size_t at_ = 0;
  bool ended_ = false;
  bool unknown_ = false;  // the word before is an option that is not listed
};

}  // namespace

ReadArguments read_arguments(const std::vector<std::string>& argv, const OptionGrammar& grammar) {
  return CommandReader(argv, grammar).read();
}

bool is_long_option(std::string_view given, std::string_view option, const OptionGrammar& grammar) {
  if (given == option) return true;
  if (given.size() < 3 || !given.starts_with("--") || !option.starts_with(given)) return false;
  const auto is_given = [&](const ValueOption& listed) { return listed.name == given; };
  return std::none_of(grammar.takes.begin(), grammar.takes.end(), is_given) &&
         std::find(grammar.flags.begin(), grammar.flags.end(), given) == grammar.flags.end();
}

std::string_view option_letters(std::string_view word, const OptionGrammar& grammar) {
  if (word.size() < 2 || word[0] != '-' || word[1] == '-') return {};
  word.remove_prefix(1);
  if (grammar.whole_words) return word;
  const std::size_t value = word.find_first_of(grammar.value_letters);
  return word.substr(0, value == std::string_view::npos ? value : value + 1);
}

std::string_view scheme_of_pattern(std::string_view pattern) {
  if (pattern.size() < 3 || !pattern.ends_with(":*")) return {};
  pattern.remove_suffix(1);
  const bool letters =
      std::all_of(pattern.begin(), pattern.end() - 1, [](char c) { return c >= 'a' && c <= 'z'; });
  return letters && pattern.size() <= 16 ? pattern : std::string_view();
}

namespace {

bool is_same_letter(char c, char lower) {
  return c == lower || (c >= 'A' && c <= 'Z' && static_cast<char>(c - 'A' + 'a') == lower);
}

// How much of the scheme is there behind `text`, when `count` characters were before it; nullopt: it is none.
std::optional<std::size_t> advance(std::string_view text, std::string_view scheme, std::size_t count) {
  for (const char c : text) {
    if (count == scheme.size()) break;
    if (!is_same_letter(c, scheme[count])) return std::nullopt;
    ++count;
  }
  return count;
}

}  // namespace

bool begins_with_scheme(std::string_view url, std::string_view scheme) {
  // possible[k]: some expansion of what was read is the first k characters.
  std::vector<char> possible(scheme.size() + 1, 0);
  possible[0] = 1;
  while (!url.empty() && possible[scheme.size()] == 0) {
    const char c = url.front();
    const std::size_t close = c == '{' ? url.find('}') : c == '[' ? url.find(']') : std::string_view::npos;
    const bool expands = close != std::string_view::npos;
    std::string_view inside = expands ? url.substr(1, close - 1) : url.substr(0, 1);
    url.remove_prefix(expands ? close + 1 : 1);
    std::vector<char> next(possible.size(), 0);
    bool any = false;
    const auto reach = [&](std::size_t count) {
      next[count] = 1;
      any = true;
    };
    for (bool more = true; more;) {
      const std::size_t comma = expands && c == '{' ? inside.find(',') : std::string_view::npos;
      for (std::size_t k = 0; k < scheme.size(); ++k) {
        if (possible[k] == 0) continue;
        // A range is one character of it.
        const auto count =
            expands && c == '[' ? std::optional(k + 1) : advance(inside.substr(0, comma), scheme, k);
        if (count) reach(*count);
      }
      more = comma != std::string_view::npos;
      if (more) inside.remove_prefix(comma + 1);
    }
    if (!any) return false;
    possible = std::move(next);
  }
  return possible[scheme.size()] != 0;
}

}  // namespace hostclaw::policy
