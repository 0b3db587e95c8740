// SPDX-License-Identifier: Apache-2.0
// What is said about a command line that cannot be read, and the verbs about the command line itself: the
// nearest word that there is, everything that is missing, `hostclaw help WORD`.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_line.h"

namespace hostclaw::cli {

// The word of `known` that `word` was probably meant to be, or empty. Letters that are missing, too many,
// other ones, or swapped.
std::string nearest_word(std::string_view word, const std::vector<std::string>& known);

// `words` (behind the program's name) with `--` in front of the command of `policy check`, where it was
// left out: behind the first word that is no option of `policy check`, everything belongs to that command.
std::vector<std::string> with_separator(const CLI::App& root, std::vector<std::string> words);

// `words` with the program's own options, --utc, --color and --profile, in front of the verb, wherever they
// were typed before `--`.
std::vector<std::string> options_first(std::vector<std::string> words);

// Says what is wrong with the command line and what to type; answers kUsage.
int explain_usage(const CLI::App& root, const CLI::ParseError& error, bool json);

// kUsage, after saying so, when an option or a single word was given as an empty text: that is a variable
// that was not set, and what it was to narrow would be wide open. Commands, of which empty words are a part,
// and the verbs of ClawLink's client, which the original's users know, take them.
std::optional<int> refuse_empty_words(const CLI::App& root, bool json);

// For `hostclaw` alone.
void print_short_help();
// `--help` of the program, and where its state is.
void print_whole_help(const CLI::App& root);

// `help [WORD...]` and `version`.
void add_help(CLI::App& parent, Action& action);

}  // namespace hostclaw::cli
