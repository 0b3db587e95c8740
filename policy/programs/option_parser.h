// SPDX-License-Identifier: Apache-2.0
// Reads a command line into options and operands, by what is known of the program's options. One reader for
// every table that asks about options: clusters (`-xvf`, digits too: `-1O`), attached values (`-oFILE`,
// `--output=FILE`), values in the next word, abbreviated long options (`--out`), `--`, tar's oldest form
// (`xfI a.tar PROGRAM`) and tools whose options are words behind one dash (`openssl x509 -in`).
//
// Where it does not know, it reads what asks more: an option that is not listed may or may not take a value,
// so that the word behind it is looked at as an option and a `--` behind it ends nothing.
// Pure; safe from any thread. Cost: linear in the words, times the options listed for the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hostclaw::policy {

// An option that takes a value: `-o` or `--output`.
struct ValueOption {
  std::string_view name;
  bool attached_only = false;  // the value is optional and never the next word: `-i[SUFFIX]`
  // Where it is one: empty everywhere, "-" in front of the subcommand, else a subcommand.
  std::string_view scope;
};

struct OptionGrammar {
  std::vector<ValueOption> takes;
  std::string value_letters;            // those among them that are letters and take one everywhere
  std::vector<std::string_view> flags;  // long options without a value, so that they are no abbreviations
  bool double_dash = true;              // `--` ends the options
  bool whole_words = false;             // `-name` is one option, not letters
  bool bundled_first = false;           // tar: the first operand is letters, their values follow
  bool subcommands = false;             // the first operand opens the scope of a subcommand
};

struct ArgumentWord {
  enum class Kind : std::uint8_t {
    kLetter,   // name: the letter
    kLong,     // name: with its dashes, without `=value`; may be an abbreviation
    kOperand,  // name: the word
  };
  Kind kind = Kind::kOperand;
  std::string_view name;
  std::optional<std::string_view> value;
  std::size_t index = 0;          // of the word that holds the option or operand
  bool before_subcommand = true;  // in front of the subcommand, or it is the subcommand itself
};

inline constexpr std::size_t kMostLetters = 256;  // of one word

struct ReadArguments {
  std::vector<ArgumentWord> words;
  std::size_t subcommand = 0;  // index of the first operand in front of `--`; 0: none
  bool complete = true;        // false: a word holds more letters than are read
};

// `argv` must outlive the result.
ReadArguments read_arguments(const std::vector<std::string>& argv, const OptionGrammar& grammar);

// True when `given` is the long option or, with two dashes and a letter at least, an abbreviation of it. An
// option that `grammar` lists under that very name abbreviates nothing.
bool is_long_option(std::string_view given, std::string_view option, const OptionGrammar& grammar);

// The options behind one dash: `xvf` of `-xvfFILE` where `f` takes a value, whatever the subcommand.
// Empty when the word is none. Of a program that is not known, all characters.
std::string_view option_letters(std::string_view word, const OptionGrammar& grammar);

// The beginning that a pattern like `file:*` asks for, `file:`; empty when the pattern is of another form.
std::string_view scheme_of_pattern(std::string_view pattern);

// True when the URL begins with the lower-case scheme and its colon, in any case, or may once curl has
// expanded its braces and brackets: `FILE:`, `{file}:`, `f[i-i]le:`, `{http://h,file:///x}`. Linear.
bool begins_with_scheme(std::string_view url, std::string_view scheme);

}  // namespace hostclaw::policy
