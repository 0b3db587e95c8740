// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/command_line_windows.h"

#include <cerrno>

#include "base/windows_arguments.h"
#include "node-host/system/host/system_error.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

constexpr std::size_t kMaxCommandLine = 32'766;  // units before the final NUL

// The first word ends at the first blank unless it is quoted, and backslashes mean nothing in it.
void append_first(std::wstring& line, const std::wstring& word) {
  const bool quoted = word.empty() || word.find_first_of(L" \t") != std::wstring::npos;
  if (quoted) line += L'"';
  line += word;
  if (quoted) line += L'"';
}

bool safe_for_cmd(const std::wstring& text) {
  for (const wchar_t unit : text)
    if (unit < 0x20 || unit == 0x7F || std::wstring_view(L"\"%!^&|<>").find(unit) != std::wstring_view::npos)
      return false;
  return true;
}

}  // namespace

Result<std::wstring> command_line(const std::vector<std::string>& argv, LineReader reader) {
  std::wstring line;
  for (std::size_t i = 0; i < argv.size(); ++i) {
    const auto word = exact_wide(argv[i]);
    if (!word) return system_error(EILSEQ);
    if (i > 0) {
      line += L' ' + to_wide(reader == LineReader::kMsys ? quoted_msys_argument(argv[i])
                                                         : quoted_windows_argument(argv[i]));
    } else if (word->find(L'"') != std::wstring::npos) {
      return system_error(EINVAL);
    } else {
      append_first(line, *word);
    }
    if (line.size() > kMaxCommandLine) return system_error(E2BIG);
  }
  return line;
}

Result<std::wstring> batch_command_line(const std::wstring& cmd, const std::wstring& batch,
                                        const std::vector<std::string>& argv) {
  if (!safe_for_cmd(batch)) return system_error(EINVAL);
  // /d no AutoRun, /v:off no second expansion, /s only the outermost quotes are removed.
  std::wstring line = L"\"" + cmd + L"\" /d /e:on /v:off /s /c \"\"" + batch + L"\"";
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const auto word = exact_wide(argv[i]);
    if (!word) return system_error(EILSEQ);
    if (!safe_for_cmd(*word)) return system_error(EINVAL);
    line += L" \"" + *word;
    // A program that the batch file starts with this word would read `\"` as a quote.
    const std::size_t last = word->find_last_not_of(L'\\');
    line.append(word->size() - (last == std::wstring::npos ? 0 : last + 1), L'\\');
    line += L'"';
  }
  line += L'"';
  // What cmd.exe itself takes.
  constexpr std::size_t kMaxCmdLine = 8'191;
  if (line.size() > kMaxCmdLine) return system_error(E2BIG);
  return line;
}

bool is_batch_file(const std::wstring& path) {
  const std::size_t dot = path.find_last_of(L".\\/");
  if (dot == std::wstring::npos || path[dot] != L'.') return false;
  std::wstring extension = path.substr(dot);
  for (wchar_t& unit : extension)
    if (unit >= L'A' && unit <= L'Z') unit = static_cast<wchar_t>(unit - L'A' + L'a');
  return extension == L".bat" || extension == L".cmd";
}

}  // namespace hostclaw::node_host
