// SPDX-License-Identifier: Apache-2.0
#include "policy/windows/windows_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/text.h"
#include "base/utf8.h"
#include "base/windows_arguments.h"

namespace hostclaw::policy {
namespace {

// ---- splitting and joining a command line
// -------------------------------------------------------------------------

// Position behind argv[0]: quotes only group, backslashes mean nothing.
std::size_t take_program(std::string_view line, std::string& program) {
  std::size_t position = 0;
  bool quoted = false;
  while (position < line.size() && (quoted || !is_blank(line[position]))) {
    if (line[position] == '"') {
      quoted = !quoted;
    } else {
      program.push_back(line[position]);
    }
    ++position;
  }
  return position;
}

std::size_t take_argument(std::string_view line, std::size_t position, std::string& argument) {
  bool quoted = false;
  while (position < line.size() && (quoted || !is_blank(line[position]))) {
    std::size_t backslashes = 0;
    while (position < line.size() && line[position] == '\\') {
      ++backslashes;
      ++position;
    }
    if (position >= line.size() || line[position] != '"') {
      argument.append(backslashes, '\\');
      if (backslashes > 0) continue;
      argument.push_back(line[position++]);
      continue;
    }
    argument.append(backslashes / 2, '\\');
    if (backslashes % 2 == 1) {
      argument.push_back('"');
    } else if (quoted && position + 1 < line.size() && line[position + 1] == '"') {
      argument.push_back('"');  // "" inside quotes
      ++position;
    } else {
      quoted = !quoted;
    }
    ++position;
  }
  return position;
}

// ---- the text of a carrier (8.9)
// ----------------------------------------------------------------------------------

WindowsTextResult failure(std::string_view code, std::string_view reason) {
  WindowsTextResult result;
  result.code = code;
  result.reason = reason;
  return result;
}

// Reads one option value or word of a PowerShell prefix: bare or in one kind of quotes. False at an open
// quote.
bool skip_word(std::string_view& text) {
  if (text.empty()) return false;
  if (text.front() == '"' || text.front() == '\'') {
    const std::size_t close = text.find(text.front(), 1);
    if (close == std::string_view::npos) return false;
    text.remove_prefix(close + 1);
    return true;
  }
  while (!text.empty() && !is_blank(text.front())) text.remove_prefix(1);
  return true;
}

std::string_view skip_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

std::string undouble(std::string_view text, char quote) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    result.push_back(text[i]);
    if (text[i] == quote && i + 1 < text.size() && text[i + 1] == quote) ++i;
  }
  return result;
}

// `powershell [options] -Command REST`: REST; nullopt when `text` is nothing of the kind.
std::optional<std::string> strip_powershell(std::string_view text, bool& reviewed) {
  std::string_view rest = text;
  std::string_view name = rest;
  if (!skip_word(rest)) return std::nullopt;
  name = name.substr(0, name.size() - rest.size());
  const std::string token = to_lower_ascii(name);
  if (!is_one_of(token, {"powershell", "pwsh", "powershell.exe", "pwsh.exe"})) return std::nullopt;
  rest = skip_blanks(rest);
  while (rest.starts_with('-')) {
    std::string_view option = rest;
    skip_word(rest);
    option = option.substr(0, option.size() - rest.size());
    rest = skip_blanks(rest);
    const std::string lower = to_lower_ascii(option);
    if (is_one_of(lower, {"-command", "-c", "--command"})) {
      if (rest.size() >= 2 && (rest.front() == '"' || rest.front() == '\'') && rest.back() == rest.front()) {
        return undouble(rest.substr(1, rest.size() - 2), rest.front());
      }
      return std::string(rest);
    }
    if (!is_one_of(lower, {"-nologo", "-noprofile", "-nop", "-noninteractive", "-noni"})) reviewed = false;
    if (is_one_of(lower, {"-file", "-f", "-encodedcommand", "-e", "-ec", "-enc"})) return std::nullopt;
    if (!rest.starts_with('-') && !rest.empty()) {
      if (!skip_word(rest)) return std::nullopt;
      rest = skip_blanks(rest);
    }
  }
  return std::nullopt;
}

// Position of the first character that a Windows shell would act on; npos when there is none. Single quotes
// do not protect: cmd.exe does not know them.
std::size_t find_metacharacter(std::string_view text) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (c == '"') quoted = !quoted;
    const std::string_view forbidden =
        quoted ? std::string_view("%`\r\n") : std::string_view("&|<>;^()%!`\r\n");
    if (forbidden.find(c) != std::string_view::npos) return i;
    if (c == '$' &&
        (is_ascii_letter(next) || next == '_' || next == '{' || next == '(' || next == '?' || next == '$'))
      return i;
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7F) return i;
  }
  return std::string_view::npos;
}

std::optional<std::vector<std::string>> tokenize(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == '\'' && c == '\'' && i + 1 < text.size() && text[i + 1] == '\'') {
      word.push_back('\'');
      ++i;
    } else if (quote != '\0' && c == quote) {
      quote = '\0';
    } else if (quote != '\0') {
      word.push_back(c);
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (is_blank(c)) {
      if (in_word) words.push_back(std::exchange(word, std::string()));
      in_word = false;
    } else {
      word.push_back(c);
      in_word = true;
    }
  }
  if (quote != '\0') return std::nullopt;
  if (in_word) words.push_back(word);
  return words;
}

// Characters that Windows best-fit conversion or a reader may take for a quote, a blank or a separator.
bool has_deceptive_character(std::string_view text) {
  static constexpr std::array<std::string_view, 26> kSequences = {
      "\xC2\xA0",     "\xC2\xAD",     "\xE2\x80\x8B", "\xE2\x80\x8C", "\xE2\x80\x8D", "\xE2\x80\x8E",
      "\xE2\x80\x8F", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAA", "\xE2\x80\xAB", "\xE2\x80\xAC",
      "\xE2\x80\xAD", "\xE2\x80\xAE", "\xE2\x81\xA0", "\xE2\x81\xA6", "\xE2\x81\xA7", "\xE2\x81\xA8",
      "\xE2\x81\xA9", "\xE3\x80\x80", "\xEF\xBB\xBF", "\xEF\xBC\x82", "\xE2\x80\x9C", "\xE2\x80\x9D",
      "\xE2\x80\x9E", "\xE2\x80\x9F"};
  return std::any_of(kSequences.begin(), kSequences.end(), [&](std::string_view sequence) {
    return text.find(sequence) != std::string_view::npos;
  });
}

// ---- names
// --------------------------------------------------------------------------------------------------------

// What the file system opens: trailing dots and blanks fall off (CVE-2024-43402), a stream suffix names the
// same file.
std::string_view effective_name(std::string_view path) {
  const std::size_t separator = path.find_last_of("/\\");
  const std::size_t start = separator == std::string_view::npos ? 0 : separator + 1;
  const std::size_t drive = start == 0 && path.size() >= 2 && path[1] == ':' ? 2 : start;
  std::string_view name = path.substr(drive);
  name = name.substr(0, name.find(':'));
  while (!name.empty() &&
         (name.back() == ' ' || name.back() == '.' || static_cast<unsigned char>(name.back()) < 0x20))
    name.remove_suffix(1);
  return name;
}

bool is_reserved_device(std::string_view name) {
  std::string stem = to_lower_ascii(name.substr(0, name.find('.')));
  while (!stem.empty() && stem.back() == ' ') stem.pop_back();
  if (is_one_of(stem, {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"})) return true;
  if (!stem.starts_with("com") && !stem.starts_with("lpt")) return false;
  const std::string_view number = std::string_view(stem).substr(3);
  // Superscript digits count, too.
  return (number.size() == 1 && number[0] >= '0' && number[0] <= '9') ||
         is_one_of(number, {"\xC2\xB9", "\xC2\xB2", "\xC2\xB3"});
}

}  // namespace

std::vector<std::string> split_windows_command_line(std::string_view line) {
  std::vector<std::string> argv(1);
  std::size_t position = take_program(line, argv.front());
  while (true) {
    while (position < line.size() && is_blank(line[position])) ++position;
    if (position >= line.size()) return argv;
    argv.emplace_back();
    position = take_argument(line, position, argv.back());
  }
}

std::string join_windows_command_line(const std::vector<std::string>& argv) {
  std::string line;
  for (std::size_t i = 0; i < argv.size(); ++i) {
    if (i > 0) line.push_back(' ');
    // argv[0] has no escapes; a name cannot hold a quote.
    const bool plain_program = i == 0 && argv[0].find('"') == std::string::npos;
    line += plain_program ? "\"" + argv[0] + "\"" : quoted_windows_argument(argv[i]);
  }
  return line;
}

WindowsTextResult parse_windows_text(std::string_view text) {
  if (!is_valid_utf8(text)) return failure("INVALID_UTF8", "The text is not valid UTF-8.");
  if (utf16_length(text) > 131072) return failure("TOO_LONG", "The text is too long to be analysed.");
  if (text.find("\\\n") != std::string_view::npos)
    return failure("LINE_CONTINUATION", "A backslash at the end of a line is not analysed.");
  bool reviewed = true;
  std::string current(trim(text));
  for (int layer = 0; layer < 5; ++layer) {
    if (current.starts_with("& ")) {
      current = std::string(trim(std::string_view(current).substr(2)));
    } else if (std::optional<std::string> inner = strip_powershell(current, reviewed)) {
      current = std::string(trim(*inner));
    } else {
      break;
    }
  }
  if (current.empty()) return failure("EMPTY", "The text contains no command.");
  if (find_metacharacter(current) != std::string_view::npos) {
    return failure(
        "METACHARACTER",
        "The text contains a character that a Windows shell acts on; only one plain command is analysed.");
  }
  if (current.find("\\\"") != std::string::npos) {
    return failure(
        "METACHARACTER",
        "A backslash before a quote ends the quotes for one reader and not for the other; it is not "
        "analysed.");
  }
  if (has_deceptive_character(current)) {
    return failure("CONTROL_CHARACTER", "The text contains an invisible or deceptive character.");
  }
  std::optional<std::vector<std::string>> words = tokenize(current);
  if (!words) return failure("UNTERMINATED_QUOTE", "A quote is not closed.");
  if (words->empty() || words->front().empty()) return failure("EMPTY", "The text contains no command.");
  WindowsTextResult result;
  result.argv = std::move(*words);
  result.reviewed_options = reviewed;
  return result;
}

bool is_batch_target(std::string_view path) {
  const std::string name = to_lower_ascii(effective_name(path));
  return name.ends_with(".bat") || name.ends_with(".cmd");
}

std::optional<std::string> batch_command_line(const std::vector<std::string>& argv, bool hardened) {
  std::string line = "\"";
  for (std::size_t i = 0; i < argv.size(); ++i) {
    const std::string& element = argv[i];
    // cmd.exe reads the line before the batch file does, and no quoting protects these (CVE-2024-24576
    // class).
    if (element.find_first_of("&|<>%\r\n") != std::string::npos) return std::nullopt;
    const bool risky = element.find_first_of("!^\"") != std::string::npos ||
                       element.find('\0') != std::string::npos || has_deceptive_character(element);
    if (hardened && risky) return std::nullopt;
    if (i > 0) line.push_back(' ');
    line.push_back('"');
    std::size_t backslashes = 0;
    for (const char c : element) {
      if (c == '"') line.append(backslashes, '\\').push_back('"');
      backslashes = c == '\\' ? backslashes + 1 : 0;
      line.push_back(c);
    }
    line.append(backslashes, '\\');
    line.push_back('"');
  }
  line.push_back('"');
  return line;
}

bool is_plain_batch_argument(std::string_view argument) {
  constexpr std::string_view kPlain = "-_./\\:=+@#";
  return !argument.empty() && std::all_of(argument.begin(), argument.end(), [&](char c) {
    return is_ascii_letter(c) || is_ascii_digit(c) || kPlain.find(c) != std::string_view::npos;
  });
}

std::string suspicious_windows_path(std::string_view path) {
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) return "The path contains a control character.";
    if (c == '*' || c == '?' || c == '"' || c == '<' || c == '>' || c == '|')
      return "The path contains a character that no file name has.";
  }
  const auto is_separator = [&](std::size_t at) {
    return at < path.size() && (path[at] == '/' || path[at] == '\\');
  };
  if (is_separator(0) && is_separator(1)) return "The path leads to the network or to a device.";
  if (path.starts_with(' ')) return "The path begins with a blank, which Windows drops.";
  const std::size_t colon = path.find(':');
  const bool drive = colon == 1 && is_ascii_letter(path[0]);
  if (colon != std::string_view::npos && (!drive || path.find(':', 2) != std::string_view::npos))
    return "The path names an alternate stream.";
  if (drive && !is_separator(2)) return "The path is relative to the current directory of a drive.";
  std::size_t start = drive ? 3 : 0;
  while (start <= path.size()) {
    const std::size_t end = std::min(path.find_first_of("/\\", start), path.size());
    const std::string_view part = path.substr(start, end - start);
    if (is_reserved_device(part)) return "The path names a device.";
    if (part != "." && part != ".." && !part.empty() && (part.back() == ' ' || part.back() == '.'))
      return "A part of the path ends with a blank or a dot, which Windows drops.";
    start = end + 1;
  }
  return {};
}

std::string suspicious_windows_word(std::string_view word) {
  if (word.empty()) return "The command word is empty.";
  const std::string_view name = word.substr(word.find_last_of("/\\") + 1);
  // Case folding and best-fit conversion make other letters out of these (the Kelvin sign is a k).
  if (std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
    return "The command word contains characters outside ASCII that may stand for others.";
  return suspicious_windows_path(word);
}

bool has_short_name_form(std::string_view path) {
  const std::string_view name = path.substr(path.find_last_of("/\\") + 1);
  const std::size_t tilde = name.find('~');
  return tilde != std::string_view::npos && tilde > 0 && tilde < 8 && tilde + 1 < name.size() &&
         name[tilde + 1] >= '0' && name[tilde + 1] <= '9';
}

bool is_startable_name(std::string_view path) {
  const std::string lower = to_lower_ascii(path);
  return lower.ends_with(".exe") || lower.ends_with(".com") || lower.ends_with(".bat") ||
         lower.ends_with(".cmd");
}

}  // namespace hostclaw::policy
