// SPDX-License-Identifier: Apache-2.0
// POSIX shell text as simple commands, by a small conservative grammar of our own.
//
// What is accepted means the same to dash and to bash, and is accepted by OpenClaw's parser too (exec
// contract 8.4): literal words, '...' and "..." quotes without expansions, backslash escapes, comments, and
// the operators
// && || ; newline | |& and a leading `!`. Everything else is "not analysable", with the place and the reason:
// that is a miss, never an allow. Executing the analysed words without a shell must be the same as what the
// shell would have executed, so unquoted glob, brace and tilde words are refused too (the shell would expand
// them).
//
// Pure, linear in the length of the text, no exceptions; safe from any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model/execution_plan.h"

namespace hostclaw::policy {

// One word: `value` is exactly what a program would receive.
struct ShellWord {
  std::string value;
  std::size_t offset = 0;   // byte offset of the first byte of its source
  std::size_t length = 0;   // bytes of its source, quotes included
  bool had_quotes = false;  // any part was quoted or escaped
};

// At least one word; the first one is the command word and is never empty.
struct ShellCommand {
  std::vector<ShellWord> words;

  std::size_t offset() const { return words.front().offset; }
  std::vector<std::string> argv() const;
};

struct ShellPipeline {
  Connector connector = Connector::kFirst;  // kFirst for the first pipeline only
  bool negate = false;
  std::vector<ShellCommand> commands;  // at least one
  std::vector<bool> stderr_to_pipe;    // same length; true when `|&` follows the command
};

struct ShellProgram {
  std::vector<ShellPipeline> pipelines;  // at least one

  std::size_t command_count() const;
};

// Why a text is not analysable. `code` is stable: one of
//   EMPTY TOO_LONG TOO_MANY_COMMANDS CONTROL_CHARACTER INVALID_UTF8 UNTERMINATED_QUOTE TRAILING_BACKSLASH
//   LINE_CONTINUATION EXPANSION COMMAND_SUBSTITUTION ANSI_C_QUOTE REDIRECTION HEREDOC BACKGROUND SUBSHELL
//   GROUP RESERVED_WORD ASSIGNMENT GLOB BRACE TILDE HISTORY FUNCTION SHELL_STATE SYNTAX EMPTY_COMMAND
struct NotAnalysable {
  std::size_t position = 0;  // byte offset
  std::string code;
  std::string reason;  // one sentence for a human, says what to do instead where something helps
};

struct ShellTextResult {
  std::optional<ShellProgram> program;
  NotAnalysable failure;  // meaningful only without a program

  explicit operator bool() const { return program.has_value(); }
};

inline constexpr std::size_t kMaxShellTextUnits = 131072;  // UTF-16 code units, as OpenClaw
inline constexpr std::size_t kMaxShellCommands = 1024;
inline constexpr std::size_t kMaxShellWords = 16384;  // of the whole text

// What a caller may tolerate because it knows which shell the text was written for.
struct ShellTextOptions {
  // $'...' as bash, ksh, mksh and zsh decode it. dash has no such quoting (contract 17.1 item 1): never for
  // sh.
  bool ansi_c_quotes = false;
  // `unset NAME...` as a statement of its own is left out: the analysed programs do not see the shell's
  // variables.
  bool ignore_unset = false;
  // CR, VT and FF are ordinary characters of a word, as they are to dash and bash (never separators).
  bool control_characters = false;
};

ShellTextResult parse_shell_text(std::string_view text, const ShellTextOptions& options = {});

// True when `word` is a reserved word of dash or bash, which must not be the unquoted first word of a
// command.
bool is_shell_reserved_word(std::string_view word);

// True for builtins that change or read the state of the shell itself (eval, export, set, alias, read, ...).
// They have no meaning outside a shell, so text that uses them is not analysable (code SHELL_STATE).
bool is_shell_state_builtin(std::string_view word);

}  // namespace hostclaw::policy
