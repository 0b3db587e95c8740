// SPDX-License-Identifier: Apache-2.0
// The Windows command line as pure text: splitting as CommandLineToArgvW does, quoting for it, the text of
// cmd.exe and PowerShell carriers (exec contract 8.9), batch targets (13.2; CVE-2024-24576 class), words that
// name another file than they seem to. Builds and is tested on every platform. Pure; safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hostclaw::policy {

// Splits as CommandLineToArgvW / the Microsoft C runtime (since 2008) do, argv[0] by its own simpler rule.
std::vector<std::string> split_windows_command_line(std::string_view line);

// One line that the split gives back.
std::string join_windows_command_line(const std::vector<std::string>& argv);

// Text of a carrier, reduced to one command (8.9): exactly one segment; chaining, redirection, expansion are
// failures.
struct WindowsTextResult {
  std::optional<std::vector<std::string>> argv;
  std::string code;    // stable, when there is no argv: EMPTY LINE_CONTINUATION METACHARACTER EXPANSION
                       // UNTERMINATED_QUOTE ...
  std::string reason;  // one sentence
  // False when a stripped PowerShell had options beyond -NoLogo, -NoProfile and -NonInteractive: a miss under
  // hardened.
  bool reviewed_options = true;

  explicit operator bool() const { return argv.has_value(); }
};
WindowsTextResult parse_windows_text(std::string_view text);

// True for .bat/.cmd files, trailing dots, spaces and stream suffixes removed first as Windows would.
bool is_batch_target(std::string_view path);

// The line for `cmd.exe /d /s /c LINE` that runs a batch file with these arguments; nullopt when an element
// cannot be quoted safely (& | < > % CR LF and, stricter than upstream, NUL ! ^ and " inside arguments).
std::optional<std::string> batch_command_line(const std::vector<std::string>& argv, bool hardened = true);

// An argument that means the same however often cmd.exe reads it, quoted or not: letters, digits and - _ . /
// \ : =
// + @ #, at least one of them.
bool is_plain_batch_argument(std::string_view argument);

// Why a path could name another file than the one it shows, one sentence: trailing dot or space, alternate
// stream, drive-relative, UNC or device path, reserved device name, characters that no name has. Empty when
// nothing is wrong. What is told here is never looked at: to open a network path is to log on at somebody's
// machine.
std::string suspicious_windows_path(std::string_view path);

// The same of a command word, whose last part also has to be ASCII: look-alikes would pass tables of names.
std::string suspicious_windows_word(std::string_view word);

// Whether the last part of a path has the form of an 8.3 name (PROGRA~1), which stands for a longer one.
bool has_short_name_form(std::string_view path);

// Whether the system itself can start a file of that name: .exe, .com, .bat, .cmd.
bool is_startable_name(std::string_view path);

}  // namespace hostclaw::policy
