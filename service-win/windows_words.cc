// SPDX-License-Identifier: Apache-2.0
#include "service-win/windows_words.h"

#include <algorithm>

#include "base/text.h"
#include "base/windows_arguments.h"

namespace hostclaw::service_win {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\v'; }

}  // namespace

std::string arguments_of(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 1; i < words.size(); ++i)
    out += (i == 1 ? "" : " ") + quoted_windows_argument(words[i]);
  return out;
}

std::string command_line_of(const std::vector<std::string>& words) {
  if (words.empty()) return {};
  const std::string program = "\"" + words.front() + "\"";
  return words.size() == 1 ? program : program + " " + arguments_of(words);
}

std::vector<std::string> split_command_line(std::string_view line) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while (at < line.size() && is_space(line[at])) ++at;
  if (at == line.size()) return words;
  // The program's own rule: no escapes, for a backslash is a separator there.
  std::string program;
  for (bool quoted = false; at < line.size() && (quoted || !is_space(line[at])); ++at) {
    if (line[at] == '"') {
      quoted = !quoted;
    } else {
      program += line[at];
    }
  }
  words.push_back(std::move(program));
  while (true) {
    while (at < line.size() && is_space(line[at])) ++at;
    if (at == line.size()) return words;
    std::string word;
    for (bool quoted = false; at < line.size() && (quoted || !is_space(line[at]));) {
      std::size_t backslashes = 0;
      while (at < line.size() && line[at] == '\\') ++backslashes, ++at;
      if (at == line.size() || line[at] != '"') {
        word.append(backslashes, '\\');
        if (at == line.size() || (!quoted && is_space(line[at]))) break;
        word += line[at++];
        continue;
      }
      word.append(backslashes / 2, '\\');
      if (backslashes % 2 != 0) {
        word += '"';
      } else if (quoted && at + 1 < line.size() && line[at + 1] == '"') {
        word += '"';
        ++at;
      } else {
        quoted = !quoted;
      }
      ++at;
    }
    words.push_back(std::move(word));
  }
}

std::string_view file_name_of(std::string_view path) {
  const std::size_t at = path.find_last_of("\\/");
  return at == std::string_view::npos ? path : path.substr(at + 1);
}

std::string with_backslashes(std::string_view path) {
  std::string out(path);
  std::replace(out.begin(), out.end(), '/', '\\');
  return out;
}

bool same_path(std::string_view left, std::string_view right) {
  return to_lower_ascii(with_backslashes(left)) == to_lower_ascii(with_backslashes(right));
}

bool is_absolute_path(std::string_view path) {
  const std::string text = with_backslashes(path);
  if (text.starts_with("\\\\")) return text.size() > 2 && text[2] != '\\';
  return text.size() >= 3 && is_ascii_letter(text[0]) && text[1] == ':' && text[2] == '\\';
}

}  // namespace hostclaw::service_win
