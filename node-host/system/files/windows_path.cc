// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/windows_path.h"

#include <windows.h>

#include <algorithm>
#include <vector>

#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

bool is_separator(wchar_t unit) { return unit == L'\\' || unit == L'/'; }

bool is_letter(wchar_t unit) { return (unit >= L'a' && unit <= L'z') || (unit >= L'A' && unit <= L'Z'); }

// Names that stand for a device in every directory, whatever extension follows.
bool is_device_name(std::wstring_view part) {
  std::wstring name(part.substr(0, part.find(L'.')));
  while (!name.empty() && name.back() == L' ') name.pop_back();
  for (wchar_t& unit : name)
    if (unit >= L'a' && unit <= L'z') unit = static_cast<wchar_t>(unit - L'a' + L'A');
  for (const wchar_t* device : {L"CON", L"PRN", L"AUX", L"NUL", L"CONIN$", L"CONOUT$", L"CLOCK$"})
    if (name == device) return true;
  if (name.size() != 4 || (!name.starts_with(L"COM") && !name.starts_with(L"LPT"))) return false;
  const wchar_t digit = name[3];
  return (digit >= L'0' && digit <= L'9') || digit == L'\u00B9' || digit == L'\u00B2' || digit == L'\u00B3';
}

bool is_plain_name(std::wstring_view part) {
  if (part.empty() || part.back() == L'.' || part.back() == L' ') return false;
  for (const wchar_t unit : part)
    if (unit < 0x20 || std::wstring_view(L"<>:\"|?*").find(unit) != std::wstring_view::npos) return false;
  return !is_device_name(part);
}

// The parts behind the root, `.` and `..` worked out without looking, as Windows does.
bool read_parts(std::wstring_view rest, std::vector<std::wstring>& parts) {
  for (std::size_t at = 0; at < rest.size();) {
    std::size_t end = at;
    while (end < rest.size() && !is_separator(rest[end])) ++end;
    const std::wstring_view part = rest.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == L".") continue;
    if (part == L"..") {
      if (!parts.empty()) parts.pop_back();
      continue;
    }
    if (!is_plain_name(part)) return false;
    parts.emplace_back(part);
  }
  return true;
}

}  // namespace

std::optional<std::wstring> verbatim_path(std::string_view path) {
  if (path.empty() || path.find('\0') != std::string_view::npos) return std::nullopt;
  const auto wide = exact_wide(path);
  if (!wide) return std::nullopt;
  std::wstring_view rest = *wide;
  bool network = false;
  if (rest.starts_with(L"\\\\?\\")) {
    rest.remove_prefix(4);
    if (rest.starts_with(L"UNC\\")) {
      rest.remove_prefix(4);
      network = true;
    }
  } else if (rest.size() >= 2 && is_separator(rest[0]) && is_separator(rest[1])) {
    rest.remove_prefix(2);
    network = true;
  }
  std::vector<std::wstring> parts;
  std::wstring result;
  if (network) {
    // The server and the share are the root: `..` does not leave them. `.` and `?` are no servers.
    std::vector<std::wstring> root;
    while (root.size() < 2 && !rest.empty()) {
      const auto end = std::find_if(rest.begin(), rest.end(), is_separator);
      const std::wstring_view part = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
      rest.remove_prefix(std::min(part.size() + 1, rest.size()));
      if (!is_plain_name(part)) return std::nullopt;
      root.emplace_back(part);
    }
    if (root.size() != 2) return std::nullopt;
    result = L"\\\\?\\UNC\\" + root[0] + L"\\" + root[1];
  } else {
    if (rest.size() < 3 || !is_letter(rest[0]) || rest[1] != L':' || !is_separator(rest[2]))
      return std::nullopt;
    result = L"\\\\?\\" + std::wstring(rest.substr(0, 2));
    rest.remove_prefix(3);
  }
  if (!read_parts(rest, parts)) return std::nullopt;
  if (parts.empty()) return result + L"\\";
  for (const std::wstring& part : parts) result += L"\\" + part;
  return result;
}

std::wstring without_prefix(std::wstring_view path) {
  constexpr std::wstring_view kNetwork = L"\\\\?\\UNC\\";
  constexpr std::wstring_view kVerbatim = L"\\\\?\\";
  if (path.starts_with(kNetwork)) return L"\\\\" + std::wstring(path.substr(kNetwork.size()));
  if (path.starts_with(kVerbatim)) return std::wstring(path.substr(kVerbatim.size()));
  return std::wstring(path);
}

}  // namespace hostclaw::node_host
