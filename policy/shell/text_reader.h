// SPDX-License-Identifier: Apache-2.0
// Shell text as the rules that deny and ask see it: every text is read as far as it can be, compound
// commands, substitutions, redirections and here-documents included, and what is not known of a word is a
// hole in it. For finding, never for allowing: what is doubtful is read as more commands rather than fewer.
//
// Pure, linear in the length of the text (looking ahead is bounded), no exceptions; safe from any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hostclaw::policy {

// Stands in a word for a piece that is not known.
inline constexpr char kHole = '\x01';

struct ReadWord {
  std::string text;
  bool many = false;  // an unquoted expansion or wildcard: no word, one or several

  bool open() const { return text.find(kHole) != std::string::npos; }
};

struct ReadCommand {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  std::vector<ReadWord> words;      // assignments, redirections and reserved words taken out; may be empty
  std::vector<std::string> inputs;  // here-documents and here-strings
  std::size_t fed_by = kNone;       // the command whose output it reads, in ReadText::commands
};

struct ReadText {
  std::vector<ReadCommand> commands;  // those of substitutions and functions too
  bool complete = true;               // false: something in it could not be read, or a bound was reached
};

inline constexpr std::size_t kMaxReadBytes = 256 * 1024;  // a longer text is not read
inline constexpr std::size_t kMaxReadNesting = 32;        // substitutions within substitutions

// Text of a POSIX-like shell. `parameters`: $0, $1, ... `double_brackets`: the shell knows `[[ ... ]]`.
ReadText read_shell_text(std::string_view text, const std::vector<ReadWord>& parameters,
                         bool double_brackets);

// Text of cmd.exe or PowerShell.
ReadText read_windows_shell_text(std::string_view text, bool powershell);

// Code of another language: what could be commands in it, quotes and brackets dropped. `keep_backslashes`:
// they stand between the parts of a path.
ReadText read_foreign_text(std::string_view text, bool keep_backslashes = false);

}  // namespace hostclaw::policy
